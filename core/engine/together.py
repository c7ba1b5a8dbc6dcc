"""Branches and scores of many runs in one batch, the parents' prompts side by side.

Branches of one run share its prompt, which is never copied (:mod:`core.engine.branching`).
Where prompts are short and runs are many, as in a study on a small model, the passes
themselves are the cost: then rows of different runs go through one pass, each with a copy of
its own prompt, padded on the left, and a row that ends gives its place to the next. Which go
together is for :mod:`core.engine.packing` to say. The results are the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event
from typing import TYPE_CHECKING

from core.engine.asked import Asked, prepare_scores
from core.engine.branching import decode_forks, forks
from core.engine.children import child
from core.engine.decoding import Copies
from core.engine.packing import Load, packed, room, slot_bytes
from core.engine.plan import Prepared
from core.engine.scoring import score_together
from core.engine.store import Held
from core.errors import InputError
from core.records import Edit, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

Branch = tuple[Trace, Sequence[Edit]]
Question = tuple[Trace, Sequence[str]]


def branches(
    engine: Engine, jobs: Sequence[Branch], cancel: Event | None = None
) -> list[Trace | InputError]:
    """One branch a job; the same results as one by one. Their caches are held.

    Args:
        jobs: runs with the edits of one branch.
        cancel: stops within one decode step when set.

    Returns:
        In the order of ``jobs``; where edits do not fit their run, the reason.
    """
    with engine.lock:
        out: list[Trace | InputError] = []
        places: list[int] = []
        planned: list[tuple[Held, Sequence[Edit]]] = []
        plans: list[Prepared] = []
        for place, (trace, edits) in enumerate(jobs):
            try:
                held = engine.hold(trace)
                plans.append(engine.editor(engine, held, edits))
            except InputError as error:
                out.append(error)
                continue
            out.append(InputError("not made"))
            places.append(place)
            planned.append((held, edits))
        if planned:
            for place, made in zip(places, _branch(engine, planned, plans, cancel), strict=True):
                out[place] = made
        return out


def scores(
    engine: Engine, jobs: Sequence[Question], leads: Sequence[str | None] | None = None
) -> list[dict[str, float] | InputError]:
    """Log-probabilities of each run's options, as :meth:`Engine.score` gives them, a job each.

    Args:
        leads: words put behind each run's imagination in place of its own; None for its own.

    Returns:
        In the order of ``jobs``; where the options of a run cannot be scored, the reason.
    """
    with engine.lock:
        out: list[dict[str, float] | InputError] = []
        asked: list[tuple[int, Asked]] = []
        for place, (trace, options) in enumerate(jobs):
            lead = leads[place] if leads is not None else None
            try:
                one = prepare_scores(engine, engine.hold(trace), list(options), lead)
            except InputError as error:
                out.append(error)
                continue
            out.append({})
            asked.append((place, one))
        many = [len(one.options) for _, one in asked]
        longest = max((len(rest) for _, one in asked for rest in one.rests), default=0)
        for part in _parts(engine, [one.held for _, one in asked], many, longest):
            found = score_together(engine, [asked[i][1] for i in part])
            for i, totals in zip(part, found, strict=True):
                out[asked[i][0]] = totals
        return out


def _parts(
    engine: Engine, helds: Sequence[Held], rows: Sequence[int], more: int = 0
) -> list[list[int]]:
    """Jobs that go through one pass, ``more`` slots behind what each run holds."""
    loads = []
    for held, count in zip(helds, rows, strict=True):
        prompt = engine.live(held).cache.prompt
        steps = len(held.trace.token_ids) + more
        loads.append(Load(count, int(prompt[0][0].shape[2]), steps, id(prompt)))
    return packed(loads, slot_bytes(engine.passes), room(engine.passes))


def _branch(
    engine: Engine,
    planned: Sequence[tuple[Held, Sequence[Edit]]],
    plans: Sequence[Prepared],
    cancel: Event | None,
) -> list[Trace]:
    started = time.perf_counter()
    begun = [
        fork
        for (held, _), prepared in zip(planned, plans, strict=True)
        for fork in forks(engine, held, [prepared])
    ]
    copies = Copies()
    decode_forks(engine, begun, copies, cancel)
    seconds = (time.perf_counter() - started) / len(begun)
    return [
        child(engine, fork, edits, copies.of(fork.seat.row), seconds)
        for (_, edits), fork in zip(planned, begun, strict=True)
    ]
