"""Collecting a model's clean latents over many items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import TYPE_CHECKING, Any

from core.engine.pictures import Picture
from core.errors import Cancelled, InputError
from core.records import Bank
from core.records.bank import bank_of

if TYPE_CHECKING:
    from core.engine.engine import Engine

BATCH = 16


def collect_bank(
    engine: Engine,
    questions: Sequence[tuple[Picture | None, str]],
    source: str,
    progress: Callable[[int, int], None] | None,
    cancel: Event | None,
    options: Mapping[str, Any],
) -> Bank:
    """The first span of every item that imagined; see :meth:`Engine.build_bank`."""
    found = []
    for at in range(0, len(questions), BATCH):
        traces = engine.run_many(questions[at : at + BATCH], cancel=cancel, **options)
        if cancel is not None and cancel.is_set():
            raise Cancelled("Collecting the bank was stopped.")
        found += [t.spans[0].latents for t in traces if t.spans]
        engine.store.forget(*(t.id for t in traces))
        if progress is not None:
            progress(min(at + BATCH, len(questions)), len(questions))
    if not found:
        raise InputError("No item made this model imagine, so there is no bank to build.")
    return bank_of(found, source)
