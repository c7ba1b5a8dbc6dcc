"""A sweep: many edits of one run, made together, each read against the run it was made of.

What is to be made is a list of wishes; :mod:`core.study.wishes` writes them. So many are decoded
at a time, and one that ends gives its place to the next (:mod:`core.engine.flow`). Those that have
ended are read a few together, forgotten and handed over, so that a person sees the sweep grow; a
stop is honoured within one decode step, and what has ended by then is kept. What an edit cannot do
to this run is told, beside the rest.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event

from torch import Tensor

from core.edits.kinds import get
from core.engine import Engine
from core.engine.flow import flow
from core.engine.forced import answer_tokens, unfinished
from core.errors import EditError
from core.measures.response import Reading, Said, reading
from core.records import Edit, Trace
from core.study.asking import score

CHUNK = 32
"""Branches decoded at a time."""
TOGETHER = 16
"""Of them read at a time, at least."""


@dataclass(frozen=True, eq=False)
class Wish:
    """One branch that is to be made.

    Attributes:
        series: what it belongs to, e.g. ``"latents"``, ``"sham"``.
        edits: what is done.
        dose: as asked, or what stands for it (a fraction); NaN for none.
        draw: which random direction, donor or other picture.
        step: the edited latent, −1 for all that were chosen.
        mode: of its edits.
        layers: (first, stop) window, or None.
        count: number of latents left, −1 where that does not change.
    """

    series: str
    edits: tuple[Edit, ...]
    dose: float = float("nan")
    draw: int = 0
    step: int = -1
    mode: str = "propagate"
    layers: tuple[int, int] | None = None
    count: int = -1


@dataclass(frozen=True, eq=False)
class Point:
    """A wish that was made.

    Attributes:
        wish: what was asked.
        epsilon: delivered dose, mean over the edited places; 0 for an edit without one.
        arrived: largest relative change of a hidden state at an edited place, NaN for none.
        percentile: highest percentile against the bank, NaN without one.
        reading: what came of it.
    """

    wish: Wish
    epsilon: float
    arrived: float
    percentile: float
    reading: Reading


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep so far.

    Attributes:
        base: what the run itself says.
        points: what is finished, in the order of the wishes.
        refused: wishes that this run does not allow, each with the reason.
        total: number of wishes.
        series: of all wishes, in their order.
        seconds: since it began.
        stopped: a person stopped it.
    """

    base: Said
    points: tuple[Point, ...] = ()
    refused: tuple[tuple[Wish, str], ...] = ()
    total: int = 0
    series: tuple[str, ...] = ()
    seconds: float = 0.0
    stopped: bool = False

    @property
    def done(self) -> int:
        """Wishes that are through."""
        return len(self.points) + len(self.refused)

    @property
    def rate(self) -> float:
        """Branches a second, 0 before the first."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float:
        """Seconds to go at this rate, NaN before the first."""
        return (self.total - self.done) / self.rate if self.rate else float("nan")

    def of(self, series: str) -> list[Point]:
        """The finished points of one series."""
        return [point for point in self.points if point.wish.series == series]


@dataclass(eq=False)
class Reader:
    """Reads branches of one run against it.

    Attributes:
        engine, base: the run.
        options: answer options, or none.
    """

    engine: Engine
    base: Trace
    options: Sequence[str] = ()
    said: Said = field(init=False)

    def __post_init__(self) -> None:
        first, stop = answer_tokens(self.engine, self.base)
        self.words: tuple[int, ...] = tuple(self.base.token_ids[first:stop])
        (self.said,) = self._said([self.base])

    def read(self, traces: Sequence[Trace]) -> list[Reading]:
        """One reading a branch."""
        return [reading(self.said, one) for one in self._said(traces)]

    def _said(self, traces: Sequence[Trace]) -> list[Said]:
        scored: list[dict[str, float]] = [{} for _ in traces]
        if self.options:
            found = score(self.engine, [(trace, list(self.options)) for trace in traces])
            scored = [one if isinstance(one, dict) else {} for one in found]
        tables = self._forced(traces) if self.words else [None] * len(traces)
        return [
            Said(trace.answer, scores, self.words, table)
            for trace, scores, table in zip(traces, scored, tables, strict=True)
        ]

    def _forced(self, traces: Sequence[Trace]) -> list[Tensor | None]:
        """Forced logits of each; None for a branch that ended inside its span."""
        whole = [trace for trace in traces if not unfinished(trace)]
        tables = iter(self.engine.forced_logits(whole, self.base))
        return [None if unfinished(trace) else next(tables) for trace in traces]


def sweep(
    engine: Engine,
    base: Trace,
    wishes: Sequence[Wish],
    options: Sequence[str] = (),
    cancel: Event | None = None,
    chunk: int = CHUNK,
) -> Iterator[Sweep]:
    """Make the wishes; a :class:`Sweep` whenever some more are finished, the last one final.

    Args:
        engine, base: the run, which this engine holds.
        options: answer options, scored after each branch.
        cancel: stops within one decode step; what is finished is kept.
        chunk: branches decoded at a time; where memory runs out, fewer.
    """
    began = time.perf_counter()
    reader = Reader(engine, base, tuple(o for o in options if o.strip()))
    series = tuple(dict.fromkeys(wish.series for wish in wishes))
    points: dict[int, Point] = {}
    refused: dict[int, str] = {}
    unread: list[tuple[int, Trace]] = []

    def so_far(stopped: bool = False) -> Sweep:
        made = tuple(points[place] for place in sorted(points))
        not_made = tuple((wishes[place], refused[place]) for place in sorted(refused))
        seconds = time.perf_counter() - began
        return Sweep(reader.said, made, not_made, len(wishes), series, seconds, stopped)

    def read() -> None:
        traces = [trace for _, trace in unread]
        for (place, trace), found in zip(unread, reader.read(traces), strict=True):
            points[place] = _point(wishes[place], trace, found)
        engine.store.forget(*(trace.id for trace in traces))
        unread.clear()

    order = sorted(range(len(wishes)), key=lambda place: _reads_anew(wishes[place]))
    told = -1
    try:
        for made in flow(engine, base, [wishes[p].edits for p in order], chunk, cancel):
            for at, one in made:
                if isinstance(one, Trace):
                    unread.append((order[at], one))
                else:
                    refused[order[at]] = str(one)
            if len(unread) >= min(TOGETHER, chunk):
                read()
                told = len(points) + len(refused)
                yield so_far()
        read()
    finally:
        engine.store.forget(*(trace.id for _, trace in unread))
    last = len(points) + len(refused)
    if told != last or last < len(wishes):
        yield so_far(stopped=last < len(wishes))


def _reads_anew(wish: Wish) -> bool:
    """Whether its branch has a prompt of its own; such go together, behind those that share it."""
    try:
        return any(get(edit.kind).locus == "prompt" for edit in wish.edits)
    except EditError:
        return False  # told when it is to be made


def finished(sweeps: Iterator[Sweep]) -> Sweep:
    """The last state of a sweep, where nobody watches."""
    (last,) = deque(sweeps, maxlen=1)
    return last


def _point(wish: Wish, trace: Trace, read: Reading) -> Point:
    nan = float("nan")
    receipt = trace.receipts[0]
    arrived, percentile = receipt.hidden_change, receipt.percentile
    return Point(
        wish,
        receipt.epsilon,
        nan if arrived is None else arrived,
        nan if percentile is None else percentile,
        read,
    )
