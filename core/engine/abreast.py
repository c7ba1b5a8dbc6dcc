"""Questions of several askers answered in one batch, each with its own settings and its own end.

Unlike :meth:`Engine.run_many`, which answers one asker's questions under one setting, every row
here is a run of its own: its prompt is read alone (from a kept beginning where there is one), its
first word is chosen alone, and only the steps behind go through the model together. Each asker is
told of their own steps as they are made and can stop without the others noticing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any

from core.engine.cache import RowCache
from core.engine.decoding import Batch, Job, finish, last_step, open_batch
from core.engine.gathering import gathered
from core.engine.packing import Load, packed, room, slot_bytes
from core.engine.pictures import Picture
from core.engine.row import Row
from core.engine.step import Step
from core.errors import ZscopeError

if TYPE_CHECKING:
    from core.engine.engine import Engine


@dataclass(frozen=True, eq=False)
class Wish:
    """One question of one asker.

    Attributes:
        image, question: as :meth:`Engine.run` takes them.
        options: its further arguments by name, ``system`` and those of :class:`Settings`.
        cancel: stops this run alone within one step.
        tell: is given every :class:`Step` of this run, the one with the trace last.
    """

    image: Picture | None
    question: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cancel: Event | None = None
    tell: Callable[[Step], None] = lambda step: None


def runs(engine: Engine, wishes: Sequence[Wish]) -> list[Step | ZscopeError]:
    """Answer every wish; the same tokens as one by one.

    Args:
        wishes: whose rows go through the model together, as many as there is room for.

    Returns:
        In the order of ``wishes`` the last step of each, which carries its trace; where a question
        cannot be asked, the reason. Whoever is told of a step sees it before this returns.
    """
    ends: list[Step | ZscopeError] = [ZscopeError("not asked")] * len(wishes)
    begun: list[tuple[int, Job, Batch]] = []
    for place, wish in enumerate(wishes):
        try:
            options = dict(wish.options)
            prepared = engine.prompt(wish.image, wish.question, options.pop("system", None))
            settings = engine.settings(options.pop("budget", None), **options)
            job = engine.job(prepared.inputs, settings, [prepared.prompt], wish.cancel)
            with engine.lock:
                begun.append((place, job, open_batch(engine, job)))
        except ZscopeError as error:
            ends[place] = error
    loads = [
        Load(1, len(batch.rows[0].prompt_ids), job.settings.max_new_tokens)
        for _, job, batch in begun
    ]
    for part in packed(loads, slot_bytes(engine.passes), room(engine.passes)):
        rows = [begun[i] for i in part]
        for place, step in _together(engine, rows):
            wishes[place].tell(step)
            if step.trace is not None:
                ends[place] = step
    return ends


def _together(
    engine: Engine, begun: Sequence[tuple[int, Job, Batch]]
) -> Iterator[tuple[int, Step]]:
    """The steps of rows whose prompts are read, by the place of their wish."""
    bases = [batch.done.cache.row(0) for _, _, batch in begun]
    index = {id(batch.rows[0]): b for b, (_, _, batch) in enumerate(begun)}
    rows = [batch.rows[0] for _, _, batch in begun]
    ended: list[int] = []

    def keep(row: Row, copy: Callable[[], RowCache]) -> None:
        b = index[id(row)]
        # its own prompt, neither copied nor padded
        begun[b][2].copies(row, lambda: RowCache(bases[b].prompt, copy().own))
        ended.append(b)

    def finished() -> Iterator[tuple[int, Step]]:
        while ended:
            place, job, batch = begun[ended.pop(0)]
            yield place, last_step(finish(engine, job, batch, 0))

    for row, (_, job, _) in zip(rows, begun, strict=True):
        row.cancel = job.cancel
    with engine.lock:
        cache = gathered(bases, [0] * len(bases))
    steps = engine.loop(None, keep).steps(rows, cache)
    while True:
        with engine.lock:  # for a step at a time, as where one run is watched
            try:
                row, step = next(steps)
            except StopIteration:
                break
        yield from finished()
        yield begun[index[id(row)]][0], replace(step, piece=engine.reader.piece(step.token_id))
    yield from finished()
