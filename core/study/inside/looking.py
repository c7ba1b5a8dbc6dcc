"""The first items of a data set looked into, one file each, taken up again where it stopped.

How many is settled before the run (:data:`LOOKED` are read, :attr:`Design.inside` are changed
step by step as well), so what this needs does not grow with the data set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from core.engine import Engine
from core.engine.forced import answer_tokens, unfinished
from core.errors import Cancelled, ZscopeError
from core.records import Trace
from core.study import donors
from core.study.arms import TRANSPLANT, Arm, Latent
from core.study.design import Design
from core.study.inside.changing import change_run, influence_of
from core.study.inside.look import Look, read_look, write_look
from core.study.inside.reading import read_run, small
from core.study.items import StudyItem
from core.study.parents import Parents
from core.study.runner import Keys, blocks

LOOKED = 24
"""Items whose attention and lens are read."""
DONOR = Arm("patch", z=(Latent(TRANSPLANT),), donor="other answer")


def look_inside(
    engine: Engine,
    items: Sequence[StudyItem],
    design: Design,
    folder: Path,
    keys: Keys,
    cancel: Event | None = None,
    rank: int = 0,
    processes: int = 1,
    stage: Callable[[str], None] = lambda said: None,
) -> int:
    """Write the looks that are missing.

    Args:
        keys: names of the rows, of :func:`core.study.runner.keys_of`.
        rank, processes: which part of the blocks is this process's.
        stage: told how far it is, in words.

    Returns:
        The number of looks written; 0 for a model without latents.

    Raises:
        Cancelled: it was stopped; finished looks are kept.
        RecordError: they cannot be written.
    """
    if not engine.family.latent:
        return 0
    most, written = max(LOOKED, design.inside), 0
    for _, block in blocks(min(most, len(items)), design.block, rank, processes):
        wanted = [place for place in block if not _there(folder, place, items, design, keys)]
        if not wanted:
            continue
        parents = Parents(engine, design, items, block, {}, cancel)
        try:
            parents.ask()
            for place in wanted:
                base = parents.base[place]
                if not isinstance(base, Trace) or not base.spans or unfinished(base):
                    continue
                if cancel is not None and cancel.is_set():
                    raise Cancelled("The study was stopped; what is finished is kept.")
                stage(f"looking inside, item {place + 1} of {min(most, len(items))}")
                look = _look(engine, items[place], place, base, parents, design, keys)
                write_look(folder, place, look)
                written += 1
        finally:
            parents.forget()
    return written


def _there(
    folder: Path, place: int, items: Sequence[StudyItem], design: Design, keys: Keys
) -> bool:
    found = read_look(folder, place)
    if found is None or found.key != keys(items[place], design.arms[0]):
        return False
    return bool(found.points) or place >= design.inside


def _look(
    engine: Engine,
    item: StudyItem,
    place: int,
    base: Trace,
    parents: Parents,
    design: Design,
    keys: Keys,
) -> Look:
    look = Look(
        key=keys(item, design.arms[0]),
        item=item.id,
        cluster=item.cluster,
        gold=item.answer,
        picture=small(item.picture() if item.picture else None),
        **read_run(engine, base),
    )
    if place >= design.inside:
        return look
    seed = donors.seed_of(design.seed, item.id, "inside")
    trace, expected = _donor(parents, place)
    points = change_run(engine, item, base, trace, expected, seed, parents.cancel)
    first, stop = answer_tokens(engine, base)
    weights = influence_of(engine, base, seed, parents.cancel) if stop > first else []
    return replace(look, points=tuple(points), influence=tuple(map(tuple, weights)))


def _donor(parents: Parents, place: int) -> tuple[Trace | None, str | None]:
    """A run whose answer to this item's question would be another one."""
    try:
        found = parents.donor(place, DONOR, 0)
    except ZscopeError:
        return None, None
    return (None, None) if found is None else (found.trace, found.expected)
