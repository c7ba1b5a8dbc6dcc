"""From a decoded branch to its record, held by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.engine.branching import Fork
from core.engine.cache import RowCache
from core.engine.decoding import hold
from core.engine.tracing import make_trace
from core.records import Edit, Timings, Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine


def child(
    engine: Engine, fork: Fork, edits: Sequence[Edit], cache: RowCache | None, seconds: float
) -> Trace:
    """The trace of a branch that has ended; the engine holds it.

    Args:
        edits: which it was made of.
        cache: a copy of its row's; None where it is to be replayed when it is needed.
        seconds: its share of the time of its batch.
    """
    row, held = fork.seat.row, fork.held
    trace = make_trace(
        row,
        engine.reader,
        held.trace.prompt,
        engine.name,
        engine.loaded.revision,
        Timings(0.0, seconds, len(row.tokens) - fork.plan.plan.fork),
        parent=held.trace,
        edits=tuple(edits),
        receipts=fork.plan.receipts(row.hidden),
    )
    hold(engine, trace, row, cache, held.inputs, held.patches, processor=held.processor)
    return trace
