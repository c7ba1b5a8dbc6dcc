"""The same done in every latent span of a run, also where the engine does one span at a time.

A slot swap, a cut edge, a deletion or a held mode addresses one span of one run. A run with
several is branched for the first, the branch for its own next span, and so on, all runs of a
batch together: the words between two spans come anew behind the one that was changed, as they
do when everything is changed at once. Only when no span is left is the branch finished, so an
arm never leaves a part of what the item imagined untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from core.engine import Engine
from core.errors import InputError, ZscopeError
from core.records import Edit, Receipt, Trace
from core.study.asking import branch
from core.study.jobs import Job

MOST = 16
"""Spans a run that are changed; one that opens more is left out, and its row says so."""

Changed = tuple[Trace, tuple[Receipt, ...]] | ZscopeError
"""The finished branch with the receipts of every edit on the way, or why there is none."""


def change_all(
    engine: Engine,
    jobs: Sequence[Job],
    cancel: Event | None = None,
    made: list[str] | None = None,
) -> list[Changed]:
    """Every job's branch, each changed in all of its spans.

    Args:
        cancel: set when the study is to stop.
        made: collects the ids of all runs.

    Raises:
        Cancelled: it was stopped.
    """
    out: list[Changed] = [(job.parent, ()) for job in jobs]
    first = [0] * len(jobs)
    going = list(range(len(jobs)))
    passed: list[str] = []
    for _ in range(MOST):
        asked: list[tuple[int, list[Edit]]] = []
        for place in going:
            trace, _receipts = _known(out[place])
            try:
                asked.append((place, jobs[place].edits(engine, trace, first[place])))
            except ZscopeError as error:
                out[place] = error
        found = branch(engine, [(_known(out[p])[0], edits) for p, edits in asked], cancel, made)
        going = []
        for (place, edits), one in zip(asked, found, strict=True):
            before, receipts = _known(out[place])
            if before is not jobs[place].parent:
                passed.append(before.id)
            if isinstance(one, ZscopeError):
                out[place] = one
                continue
            out[place] = one, (*receipts, *one.receipts)
            first[place] = _next(jobs[place], edits, before, one)
            if not jobs[place].once and first[place] < len(one.spans):
                going.append(place)
        if not going:
            break
    for place in going:
        passed.append(_known(out[place])[0].id)
        out[place] = InputError(f"the run opens more than {MOST} spans, which were not all changed")
    engine.store.forget(*passed)
    return out


def _next(job: Job, edits: Sequence[Edit], before: Trace, after: Trace) -> int:
    """Index of the branch's first span that is not changed yet."""
    if not job.removes:
        return edits[-1].span + 1
    gone = before.spans[edits[-1].span].start
    return next(
        (i for i, span in enumerate(after.spans) if span.start >= gone - 1), len(after.spans)
    )


def _known(changed: Changed) -> tuple[Trace, tuple[Receipt, ...]]:
    assert not isinstance(changed, ZscopeError)
    return changed
