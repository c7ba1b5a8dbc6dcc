"""Asking the engine for many runs at once, with less at a time where memory runs out.

A batch that does not fit is halved until it does, down to one run; a question the engine will
not take (a damaged picture) is singled out, so that one bad item never takes others with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, TypeVar

import torch
from PIL import Image

from core.engine import Engine, together
from core.errors import Cancelled, InputError, MemoryShortage, ZscopeError
from core.records import Edit, Trace

Question = tuple[Image.Image | None, str]
Job = TypeVar("Job")


def halving(
    jobs: Sequence[Job],
    run: Callable[[Sequence[Job]], Sequence[Trace | ZscopeError]],
    cancel: Event | None = None,
    made: list[str] | None = None,
) -> list[Trace | ZscopeError]:
    """One result a job: its trace, or the error that is its own.

    Args:
        jobs: what ``run`` takes any number of.
        run: does them all, or raises.
        cancel: set when the study is to stop.
        made: collects the ids of all runs, so that they can be forgotten however this ends.

    Raises:
        Cancelled: it was stopped; nothing of this batch counts.
    """
    if not jobs:
        return []
    found: list[Trace | ZscopeError]
    error: ZscopeError
    try:
        found = list(run(jobs))
        if made is not None:
            made += [one.id for one in found if isinstance(one, Trace)]
        if cancel is not None and cancel.is_set():
            raise Cancelled("The study was stopped; what is finished is kept.")
        return found
    except (MemoryShortage, torch.OutOfMemoryError) as shortage:
        error = (
            shortage
            if isinstance(shortage, MemoryShortage)
            else MemoryShortage("The device has no room for a single run; use a smaller picture.")
        )
        emptied()
    except InputError as refused:
        error = refused
    if len(jobs) == 1:
        return [error]
    half = len(jobs) // 2
    return halving(jobs[:half], run, cancel, made) + halving(jobs[half:], run, cancel, made)


def emptied() -> None:
    """Give cached blocks of an accelerator back."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def ask(
    engine: Engine,
    questions: Sequence[Question],
    cancel: Event | None,
    options: dict[str, Any],
    made: list[str] | None = None,
    begins: Sequence[Sequence[int]] | None = None,
) -> list[Trace | ZscopeError]:
    """Answer questions in one batch, or in smaller ones.

    Args:
        begins: token ids each run draws first, one list a question; None for none.
    """
    firsts: Sequence[Sequence[int]] = [()] * len(questions) if begins is None else begins

    def run(some: Sequence[tuple[Question, Sequence[int]]]) -> list[Trace]:
        more = {**options, "begins": [ids for _, ids in some]} if begins is not None else options
        return engine.run_many([question for question, _ in some], cancel=cancel, **more)

    return halving(list(zip(questions, firsts, strict=True)), run, cancel, made)


def branch(
    engine: Engine,
    jobs: Sequence[tuple[Trace, Sequence[Edit]]],
    cancel: Event | None,
    made: list[str] | None = None,
) -> list[Trace | ZscopeError]:
    """A branch a job, of different runs in one batch; their caches are held."""
    return halving(jobs, lambda some: together.branches(engine, some, cancel), cancel, made)


def score(
    engine: Engine,
    jobs: Sequence[tuple[Trace, Sequence[str]]],
    leads: Sequence[str | None] | None = None,
) -> list[dict[str, float] | ZscopeError]:
    """Log-probabilities of the options of each run; less at a time where memory runs out.

    Args:
        leads: words put behind each run's imagination in place of its own; None for its own.
    """
    leads = [None] * len(jobs) if leads is None else leads
    if not jobs:
        return []
    try:
        return list(together.scores(engine, jobs, leads))
    except (MemoryShortage, torch.OutOfMemoryError):
        emptied()
        if len(jobs) == 1:
            return [MemoryShortage("The device has no room to score the options.")]
    half = len(jobs) // 2
    return score(engine, jobs[:half], leads[:half]) + score(engine, jobs[half:], leads[half:])
