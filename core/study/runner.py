"""Items × arms → rows on the disk, resumable at any moment.

The data set is cut into blocks in its own order; several processes take every n-th block. A
block is the unit of everything: it is asked in one batch, written in one piece, and lost as a
whole when the process dies in the middle. The block's composition does not depend on what is
finished already, so a study that was interrupted gives the rows it would have given.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import torch

from core.engine import Engine
from core.errors import Cancelled
from core.study.arms import Arm
from core.study.design import Design, model_fingerprint
from core.study.items import StudyItem
from core.study.rows import Row, RowFile, read_rows
from core.study.work import Block


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        done, total: rows that are there and rows there will be, all processes' work by this one.
        seconds: since this run began.
        made: rows made by this run.
        said: what it is doing, in words.
    """

    done: int
    total: int
    seconds: float
    made: int
    said: str = ""

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.made / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left, None before anything was measured."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Keys:
    """Names of rows: what each is the result of."""

    model: str
    design: str

    def __call__(self, item: StudyItem, arm: Arm) -> str:
        parts = (self.model, self.design, arm.fingerprint(), item.fingerprint())
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:20]


def keys_of(engine: Engine, design: Design) -> Keys:
    """The names of the rows of one model, its bank and design."""
    model = model_fingerprint(engine)
    if engine.bank is not None:  # what normal is decides what a mean or a resample puts in
        table = engine.bank.latents.contiguous().view(torch.uint8).numpy()
        model += hashlib.sha256(table.tobytes()).hexdigest()[:8]
    return Keys(model, design.fingerprint())


def run_rows(
    engine: Engine,
    items: Sequence[StudyItem],
    design: Design,
    folder: Path,
    report: Report | None = None,
    cancel: Event | None = None,
    rank: int = 0,
    processes: int = 1,
    keys: Keys | None = None,
) -> int:
    """Make the rows that are missing.

    Args:
        folder: where the study lives.
        report: called after every item.
        cancel: stops within one decode step; finished blocks are kept.
        rank, processes: which part of the blocks is this process's.
        keys: of :func:`keys_of`; None takes them from the checkpoint's files as they are now.

    Returns:
        The number of rows made.

    Raises:
        Cancelled: it was stopped.
        RecordError: rows cannot be written.
    """
    keys = keys or keys_of(engine, design)
    with RowFile(folder, rank) as file:
        finished = {row["key"] for row in read_rows(folder) if "error" not in row}
        meter = _Meter(items, design, keys, finished, rank, processes, report)
        for place, inside in blocks(len(items), design.block, rank, processes):
            wanted = _wanted(items, inside, design, keys, finished)
            if not wanted:
                continue
            if cancel is not None and cancel.is_set():
                raise Cancelled("The study was stopped; what is finished is kept.")
            block = Block(engine, design, items, inside, wanted, keys, cancel, meter.add)
            rows = block.run()
            block.kept.write(folder, place)
            file.append(rows)
    return meter.made


def blocks(
    count: int, size: int, rank: int = 0, processes: int = 1
) -> Iterator[tuple[int, list[int]]]:
    """(number, indices) of the blocks that are this process's."""
    for place, start in enumerate(range(0, count, size)):
        if place % processes == rank:
            yield place, list(range(start, min(start + size, count)))


def rows_of(items: Sequence[StudyItem], design: Design, keys: Keys, folder: Path) -> Iterator[Row]:
    """The rows of this design, each once, under the arms' present names; others passed over.

    Where a failed row was done again, the later one counts.
    """
    names = {keys(item, arm): arm.name for item in items for arm in design.arms}
    found: dict[tuple[str, int], Row] = {}
    for row in read_rows(folder):
        name = names.get(row["key"])
        if name is None:
            continue
        place = row["key"], int(row.get("draw", 0))
        if place not in found or "error" in found[place]:
            found[place] = {**row, "arm": name}
    order = {item.id: index for index, item in enumerate(items)}
    arms = {arm.name: index for index, arm in enumerate(design.arms)}
    yield from sorted(
        found.values(), key=lambda row: (order[row["item"]], arms[row["arm"]], row["draw"])
    )


def _wanted(
    items: Sequence[StudyItem],
    inside: Sequence[int],
    design: Design,
    keys: Keys,
    finished: set[str],
) -> dict[int, list[Arm]]:
    wanted = {
        index: [arm for arm in design.arms if keys(items[index], arm) not in finished]
        for index in inside
    }
    return {index: arms for index, arms in wanted.items() if arms}


class _Meter:
    """Counts rows and says how far the study is."""

    def __init__(
        self,
        items: Sequence[StudyItem],
        design: Design,
        keys: Keys,
        finished: set[str],
        rank: int,
        processes: int,
        report: Report | None,
    ) -> None:
        own = [
            keys(items[index], arm)
            for _, inside in blocks(len(items), design.block, rank, processes)
            for index in inside
            for arm in design.arms
        ]
        self.total = len(own)
        self.done = sum(key in finished for key in own)
        self.made = 0
        self._report = report
        self._started = time.monotonic()
        self.add(0)

    def add(self, rows: int) -> None:
        self.made += rows
        self.done = min(self.total, self.done + rows)
        if self._report is not None:
            seconds = time.monotonic() - self._started
            self._report(Progress(self.done, self.total, seconds, self.made))
