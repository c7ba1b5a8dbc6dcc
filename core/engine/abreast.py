"""Wishes of several askers in one batch, which others join while it runs.

Each asker's question, or change of a run, is a row of its own, with its own settings and its own
end: its prompt is read alone (from a kept beginning where there is one), its first word is chosen
alone, and only the steps behind go through the model together. Who comes while a batch runs gets a
place of their own in it where there is room, and else that of the first that ends; they come in the
order in which they wished. Each asker is told of their own steps as they are made and can stop
without the others noticing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

from core.engine.branching import Fork, forks
from core.engine.cache import RowCache
from core.engine.children import child
from core.engine.decoding import Batch, Job, finish, last_step, open_batch
from core.engine.loop import Loop
from core.engine.packing import Load, widest, width
from core.engine.pictures import Picture
from core.engine.row import Row
from core.engine.seating import Seat, batch
from core.engine.step import Step
from core.engine.store import Held
from core.errors import InputError, ZscopeError
from core.records import Edit, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine


@dataclass(frozen=True, eq=False)
class Question:
    """A question of one asker.

    Attributes:
        image, question: as :meth:`Engine.run` takes them.
        options: its further arguments by name, ``system`` and those of :class:`Settings`.
        cancel: stops this run alone within one step.
    """

    image: Picture | None
    question: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cancel: Event | None = None


@dataclass(frozen=True, eq=False)
class Change:
    """A branch of one asker, as :meth:`Engine.branch` makes it; ``cancel`` stops it alone."""

    trace: Trace
    edits: Sequence[Edit]
    cancel: Event | None = None


Wish = Question | Change
Told = tuple[Wish, Step | Trace | ZscopeError]
"""A wish, and what there is of it: a step of a run, of which the last carries its trace; a finished
branch; or why it cannot be done."""


def answers(engine: Engine, coming: Iterator[Wish]) -> Iterator[list[Told]]:
    """What comes of wishes, as it comes; the same tokens as one by one.

    Args:
        coming: the wishes in their order. It is asked again in every step, so it may have somebody
            later who is not there now.

    Yields:
        Every slot of a question before it is fed, and the end of each wish; the engine's lock is
        free meanwhile. Ends when nobody is left whose wish is done or waits.
    """
    desk, most = _Desk(engine, coming), widest(engine.passes)
    while True:
        with engine.lock:
            seats = list(islice(desk, most))
            told = desk.told()
            live: list[Row] | None = None
            if seats:
                live = [seat.row for seat in seats]
                loop = engine.loop(None, desk.ended)
                rounds = loop.rounds(live, batch(seats), None, desk, most)
        yield told
        if live is None:
            return
        while live is not None:
            with engine.lock:  # for a step at a time
                live = next(rounds, None)
                told = desk.told()
                for row in live or ():
                    if not row.ended:
                        told += desk.fed(loop, row)
            yield told


@dataclass(frozen=True, eq=False)
class _Asked:
    """A question whose prompt is read."""

    wish: Question
    job: Job
    batch: Batch
    base: RowCache

    @property
    def seat(self) -> Seat:
        """Its row, behind its prompt."""
        return Seat(self.batch.rows[0], self.base)

    def end(self, engine: Engine, copy: Callable[[], RowCache]) -> Step:
        """The last step of its run."""
        # its own prompt, neither copied nor padded
        self.batch.copies(self.batch.rows[0], lambda: RowCache(self.base.prompt, copy().own))
        return last_step(finish(engine, self.job, self.batch, 0))


@dataclass(frozen=True, eq=False)
class _Changed:
    """A branch that can be decoded."""

    wish: Change
    fork: Fork
    began: float

    @property
    def seat(self) -> Seat:
        """Its row, where it parts from its parent."""
        return self.fork.seat

    def end(self, engine: Engine, copy: Callable[[], RowCache]) -> Trace:
        """The branch."""
        seconds = time.perf_counter() - self.began
        return child(engine, self.fork, self.wish.edits, self.fork.kept(copy()), seconds)


@dataclass(eq=False)
class _Desk:
    """Takes wishes in, as the seats of a batch, and hands out what comes of them."""

    engine: Engine
    coming: Iterator[Wish]
    _first: tuple[Wish, Load, Callable[[], _Asked | _Changed]] | None = None
    _going: dict[int, tuple[_Asked | _Changed, Load]] = field(default_factory=dict)
    _told: list[Told] = field(default_factory=list)

    def __iter__(self) -> _Desk:
        return self

    def __next__(self) -> Seat:
        while True:
            wish = self._first[0] if self._first else next(self.coming)
            try:
                if self._first is None:
                    self._first = wish, *self._looked_at(wish)
                _, load, begun = self._first
                if not self._fits(load):
                    raise StopIteration  # nobody behind it overtakes
                self._first = None
                one = begun()
            except ZscopeError as error:
                self._first = None
                self._told.append((wish, error))
                continue
            one.seat.row.cancel = wish.cancel
            self._going[id(one.seat.row)] = one, load
            return one.seat

    def told(self) -> list[Told]:
        """What has come since."""
        told, self._told = self._told, []
        return told

    def fed(self, loop: Loop, row: Row) -> list[Told]:
        """Enter a row's next slot; its asker is told of it where it is a run."""
        one, _ = self._going[id(row)]
        step = loop.enter(row, watch=isinstance(one, _Asked))
        if isinstance(one, _Changed):
            return []
        return [(one.wish, replace(step, piece=self.engine.reader.piece(step.token_id)))]

    def ended(self, row: Row, copy: Callable[[], RowCache]) -> None:
        """A row of the batch has ended."""
        one, _ = self._going.pop(id(row))
        self._told.append((one.wish, one.end(self.engine, copy)))

    def _fits(self, load: Load) -> bool:
        """Whether there is room for one more."""
        loads = [load, *(held for _, held in self._going.values())]
        return len(loads) == 1 or width(self.engine.passes, loads, len(loads)) == len(loads)

    def _looked_at(self, wish: Wish) -> tuple[Load, Callable[[], _Asked | _Changed]]:
        """What a wish will take, and how it is begun."""
        engine = self.engine
        if isinstance(wish, Change):
            held = engine.hold(wish.trace)
            if held.processor is not None:
                raise InputError("A run under logits processors is branched alone: engine.branch.")
            slots = int(engine.live(held).cache.prompt[0][0].shape[2])
            return Load(1, slots, len(held.trace.token_ids)), lambda: self._changed(wish, held)
        options = dict(wish.options)
        prepared = engine.prompt(wish.image, wish.question, options.pop("system", None))
        settings = engine.settings(options.pop("budget", None), **options)
        job = engine.job(prepared.inputs, settings, [prepared.prompt], wish.cancel)
        slots = int(prepared.inputs["input_ids"].shape[1])
        return Load(1, slots, settings.max_new_tokens), lambda: self._asked(wish, job)

    def _asked(self, wish: Question, job: Job) -> _Asked:
        opened = open_batch(self.engine, job)
        return _Asked(wish, job, opened, opened.done.cache.row(0))

    def _changed(self, wish: Change, held: Held) -> _Changed:
        began, engine = time.perf_counter(), self.engine
        (fork,) = forks(engine, held, [engine.editor(engine, held, wish.edits)])
        if fork.last is not None:
            engine.loop().settle([fork.seat.row], fork.last[None])
        return _Changed(wish, fork, began)
