"""Branches of one run in a batch that is kept full, handed over as they end.

Where more branches of a run are wanted than are decoded at a time, they are prepared a few at a
time, as places of the batch become free, and whoever asked reads those that have ended between
two passes and lets the engine forget them. So what is held at once depends on the width of the
batch and not on how many are wanted, and nobody waits for the longest answer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING

from core.engine.branching import Fork, forks
from core.engine.cache import RowCache
from core.engine.children import child
from core.engine.packing import width
from core.engine.plan import Prepared
from core.engine.row import Row
from core.engine.seating import Seat, batch
from core.engine.store import Held
from core.errors import InputError, MemoryShortage, ZscopeError
from core.records import Edit, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

Made = tuple[int, Trace | ZscopeError]
"""Place of a list of edits, and its branch; or why there is none."""


def flow(
    engine: Engine,
    base: Trace,
    edit_lists: Sequence[Sequence[Edit]],
    most: int,
    cancel: Event | None = None,
) -> Iterator[list[Made]]:
    """Branches as they end; the same as :meth:`Engine.branches` makes of the same lists.

    Where memory runs out, fewer are decoded at a time. An edit that cannot be made is told in the
    place of its branch and takes no other with it.

    Args:
        base: the run they are made of.
        edit_lists: one list of edits a branch.
        most: branches decoded at a time, where there is room for so many.
        cancel: stops within one step when set; what had not ended by itself is not handed over.

    Yields:
        Those that ended since, whenever some have; the engine holds them with their caches. Its
        lock is free meanwhile.
    """
    with engine.lock:
        held = engine.hold(base)
    left = dict.fromkeys(range(len(edit_lists)))
    many = most
    while left and not _stopped(cancel):
        waiting = _Waiting(engine, held, edit_lists, deque(left), many, cancel)
        try:
            for made in _handed_over(waiting):
                for place, _ in made:
                    del left[place]
                yield made
        except (InputError, MemoryShortage) as error:
            with engine.lock:
                made = waiting.handed_over(0.0)  # what had ended before
            for place, _ in made:
                del left[place]
            yield made
            many = min(many, len(left))
            if many > 1:  # with fewer at a time it goes, or it shows whose error it is
                many //= 2
                continue
            first = next(iter(left))
            del left[first]
            many = most if isinstance(error, InputError) else 1
            yield [(first, error)]


def _handed_over(waiting: _Waiting) -> Iterator[list[Made]]:
    """What comes of all, in as many batches as there are sorts that do not fit together."""
    while waiting.more:
        yield from _full(waiting)


def _full(waiting: _Waiting) -> Iterator[list[Made]]:
    """One batch, for as long as those who wait fit in."""
    engine, began = waiting.engine, time.perf_counter()
    rounds: Iterator[list[Row]] = iter(())
    with engine.lock:
        seats = waiting.first()
        if seats:
            loop = engine.loop(waiting.held.processor, waiting.ended)
            rows = [seat.row for seat in seats]
            rounds = loop.rounds(rows, batch(seats), waiting.cancel, waiting)
    going = True
    while going:
        with engine.lock:  # for a step at a time
            live = next(rounds, None)
            if live is not None:
                loop.enter_all(live)
            made = waiting.handed_over(time.perf_counter() - began)
        going = live is not None
        if made:
            yield made
            began = time.perf_counter()


def _stopped(cancel: Event | None) -> bool:
    return cancel is not None and cancel.is_set()


@dataclass(eq=False)
class _Waiting:
    """The branches still to be begun, as the seats of a batch; and those that have ended.

    Attributes:
        places: of the lists of edits that are not prepared yet.
        many: prepared at a time, and rows of the batch at most.
    """

    engine: Engine
    held: Held
    edit_lists: Sequence[Sequence[Edit]]
    places: deque[int]
    many: int
    cancel: Event | None
    _ready: deque[tuple[int, Fork]] = field(default_factory=deque)
    _going: dict[int, tuple[int, Fork]] = field(default_factory=dict)
    _ended: list[tuple[int, Fork, RowCache]] = field(default_factory=list)
    _refused: list[Made] = field(default_factory=list)
    _fits: Callable[[Fork], bool] = lambda fork: True

    @property
    def more(self) -> bool:
        """Whether somebody waits and is wanted."""
        return bool(self._ready or self.places) and not _stopped(self.cancel)

    def first(self) -> list[Seat]:
        """Whom the batch begins with."""
        self._prepare()
        if not self._ready:
            return []
        passes, one = self.engine.passes, self._ready[0][1].load
        alike = [fork.load for _, fork in self._ready if fork.load.shares == one.shares]
        many = width(passes, alike, self.many)

        def fits(fork: Fork) -> bool:
            # who brings another prompt makes every row hold a copy of its own
            both = [one, fork.load]
            return fork.load.shares == one.shares or width(passes, both, self.many) >= many

        self._fits = fits
        return list(islice(self, many))

    def __iter__(self) -> _Waiting:
        return self

    def __next__(self) -> Seat:
        self._prepare()
        if not self.more or not self._fits(self._ready[0][1]):
            raise StopIteration
        place, fork = self._ready.popleft()
        row = fork.seat.row
        if fork.last is not None:
            self.engine.loop(self.held.processor).settle([row], fork.last[None])
        self._going[id(row)] = place, fork
        return fork.seat

    def ended(self, row: Row, copy: Callable[[], RowCache]) -> None:
        """A row of the batch has ended."""
        place, fork = self._going.pop(id(row))
        if row.ended != "cancelled":
            self._ended.append((place, fork, fork.kept(copy())))

    def handed_over(self, seconds: float) -> list[Made]:
        """What has ended since, which took so long."""
        made, self._refused = self._refused, []
        ended, self._ended = self._ended, []
        for place, fork, cache in ended:
            edits, share = self.edit_lists[place], seconds / len(ended)
            made.append((place, child(self.engine, fork, edits, cache, share)))
        return made

    def _prepare(self) -> None:
        """Make the next few ready where nobody is."""
        while not self._ready and self.more:
            plans: list[Prepared] = []
            places: list[int] = []
            while self.places and len(plans) < self.many and not _stopped(self.cancel):
                place = self.places.popleft()
                try:
                    plans.append(self.engine.editor(self.engine, self.held, self.edit_lists[place]))
                    places.append(place)
                except InputError as error:
                    self._refused.append((place, error))
            begun = forks(self.engine, self.held, plans)
            self._ready.extend(zip(places, begun, strict=True))
