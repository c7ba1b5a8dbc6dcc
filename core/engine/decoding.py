"""Carrying a prompt from its tensors to a finished trace: open the batch, loop, record.

Between the loop (which knows rows) and the engine (which knows questions): the prompt pass,
one row per prompt, the copies of finished rows' caches, the traces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.engine.cache import RowCache
from core.engine.handmade import HandMade, checked_vector, hand_made_record
from core.engine.loop import Loop
from core.engine.machine import opened
from core.engine.passes import Prefilled
from core.engine.prompts import unbatched
from core.engine.row import Row
from core.engine.seating import Seat
from core.engine.step import Step
from core.engine.store import Held, Live
from core.engine.tracing import make_trace
from core.records import Prompt, Settings, Timings, Trace

if TYPE_CHECKING:
    from core.engine.instrument import Instrument, LogitsProcessor


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be decoded.

    Attributes:
        inputs: prompt tensors of one or more rows, padded on the left.
        settings: the same for all rows.
        prompts: the records of the prompts, or () when tensors were given.
        forced: place → id the sampler is made to draw.
        begins: ids each row is made to draw first, one list a row; () for none.
        processor: transformers' logits processors, or None.
        cancel: stops within one step when set.
        limit: tokens after which a row counts as stopped (replaying a stopped run).
    """

    inputs: Mapping[str, Any]
    settings: Settings
    prompts: Sequence[Prompt] = ()
    forced: Mapping[int, int] = field(default_factory=dict)
    processor: LogitsProcessor | None = None
    cancel: Event | None = None
    limit: int | None = None
    begins: Sequence[Sequence[int]] = ()

    def drawn(self, row: int) -> dict[int, int]:
        """Place → id that one row is made to draw."""
        begun = enumerate(self.begins[row]) if self.begins else ()
        return {**self.forced, **dict(begun)}


class Copies:
    """Collects the caches of rows as they end; pass it as a loop's ``on_end``."""

    def __init__(self, keep: bool = True) -> None:
        self._found: dict[int, RowCache] = {}
        self._keep = keep

    def __call__(self, row: Row, copy: Callable[[], RowCache]) -> None:
        """Take a copy of an ended row's cache."""
        if self._keep:
            self._found[id(row)] = copy()

    def of(self, row: Row) -> RowCache | None:
        """The copy of a row's cache, None when copies are not kept."""
        return self._found.get(id(row))


@dataclass(eq=False)
class Batch:
    """Rows whose prompts are read and whose first words are chosen."""

    rows: list[Row]
    loop: Loop
    done: Prefilled
    copies: Copies
    started: float
    opened: float


def decode_all(engine: Instrument, job: Job, waiting: Sequence[Job] = ()) -> list[Trace]:
    """Every row of a job decoded to its end, and then of those that wait.

    Args:
        waiting: prompts of one row each, of like settings; one is read when a row has ended, and
            takes its place.
    """
    if int(torch.as_tensor(job.inputs["input_ids"]).shape[0]) == 1 and not waiting:
        return [step.trace for step in decode_one(engine, job, watch=False) if step.trace]
    with engine.lock:
        batch = open_batch(engine, job)
        later: list[tuple[Job, Batch]] = []

        def seats() -> Iterator[Seat]:
            for one in waiting:
                opened_ = open_batch(engine, one)
                opened_.copies = batch.copies
                later.append((one, opened_))
                yield Seat(opened_.rows[0], opened_.done.cache.row(0))

        batch.loop.run(batch.rows, batch.done.cache, job.cancel, seats())
        first = [finish(engine, job, batch, index) for index in range(len(batch.rows))]
        return first + [finish(engine, one, opened_, 0) for one, opened_ in later]


def decode_one(engine: Instrument, job: Job, watch: bool) -> Generator[Step, Tensor | None, None]:
    """One row as a stream of steps; the last one carries the trace."""
    with engine.lock:
        batch = open_batch(engine, job)
        if not watch:
            batch.loop.run(batch.rows, batch.done.cache, job.cancel)
            yield last_step(finish(engine, job, batch, 0))
            return
    steps = batch.loop.steps(batch.rows, batch.done.cache, job.cancel)
    sent: Tensor | None = None
    by_hand: list[HandMade] = []
    while True:
        # the lock is held for one step at a time, so that runs may interleave
        with engine.lock:
            try:
                _, step = next(steps) if sent is None else steps.send(sent)
            except StopIteration:
                break
        sent = yield replace(step, piece=engine.reader.piece(step.token_id))
        if sent is not None and step.latent is not None:
            sent = checked_vector(sent, engine.passes.width)
            by_hand.append(HandMade(step.span, step.step, step.latent, sent))
    yield last_step(finish(engine, job, batch, 0, by_hand))


def last_step(trace: Trace) -> Step:
    """The step a stream ends with."""
    last = len(trace.token_ids) - 1
    return Step(last, trace.token_ids[last], trace.pieces[last], trace=trace)


def open_batch(engine: Instrument, job: Job) -> Batch:
    """Run the prompt pass and choose every row's first token."""
    started = time.perf_counter()
    done = engine.passes.prefill(job.inputs)
    ids = torch.as_tensor(job.inputs["input_ids"])
    mask = job.inputs.get("attention_mask")
    mask = torch.ones_like(ids) if mask is None else torch.as_tensor(mask)
    state = opened(engine.family, job.settings.budget or 0)
    rows = [
        Row(
            engine.family,
            engine.ids,
            job.settings,
            state,
            ids[b][mask[b].bool()].tolist(),
            ids[b].tolist(),
            done.next_position[b],
            forced=job.drawn(b),
            limit=job.limit,
            usual_budget=state.budget,
        )
        for b in range(ids.shape[0])
    ]
    copies = Copies()
    loop = engine.loop(job.processor, copies)
    loop.settle(rows, done.hidden)
    return Batch(rows, loop, done, copies, started, time.perf_counter())


def finish(
    engine: Instrument, job: Job, batch: Batch, index: int, by_hand: Sequence[HandMade] = ()
) -> Trace:
    """Record a finished row and hold it."""
    row, done, count = batch.rows[index], batch.done, len(batch.rows)
    prompt = Prompt(grid=done.grids[index], input_ids=tuple(row.prompt_ids))
    edits, receipts = hand_made_record(by_hand)
    trace = make_trace(
        row,
        engine.reader,
        job.prompts[index] if job.prompts else prompt,
        engine.name,
        engine.loaded.revision,
        Timings(
            (batch.opened - batch.started) / count,
            (time.perf_counter() - batch.opened) / count,
            len(row.tokens),
        ),
        edits=edits,
        receipts=receipts,
    )
    inputs = dict(job.inputs) if count == 1 else unbatched(job.inputs, index, engine.passes)
    cache, patches = batch.copies.of(row), done.patches[index]
    hold(engine, trace, row, cache, inputs, patches, job.drawn(index), job.processor)
    return trace


def hold(
    engine: Instrument,
    trace: Trace,
    row: Row,
    cache: RowCache | None,
    inputs: dict[str, Any],
    patches: Tensor | None,
    forced: Mapping[int, int] | None = None,
    processor: LogitsProcessor | None = None,
) -> None:
    """Keep a run in the engine's store; without its cache it is replayed when needed."""
    live = None
    if cache is not None:
        live = Live(cache, list(row.hidden), list(row.states), dict(row.vectors), row.standing)
    held = Held(
        trace,
        inputs,
        row.first_position,
        row.padded_ids,
        patches,
        dict(forced or {}),
        live,
        processor,
    )
    engine.store.put(held)
