"""Collecting a model's clean latents over many items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from core.engine.bankfile import bank_settings
from core.engine.pictures import Picture
from core.engine.words import word_places, word_states
from core.errors import Cancelled, ImageError, InputError
from core.records import Bank, Trace
from core.records.bank import BankItem, bank_of

if TYPE_CHECKING:
    from core.engine.engine import Engine

BATCH = 16
WORDS = 6
"""Words of each item's answer whose hidden states are kept, spread evenly over it."""

Opened = Picture | Callable[[], Image.Image] | None
"""A picture, or what opens one when it is needed."""


def collect_bank(
    engine: Engine,
    questions: Sequence[tuple[Opened, str]],
    source: str,
    progress: Callable[[int, int], None] | None,
    cancel: Event | None,
    options: Mapping[str, Any],
    items: Sequence[BankItem] | None = None,
    batch: int = BATCH,
) -> Bank:
    """The first span of every item that imagined; see :meth:`Engine.build_bank`.

    Args:
        items: what is known of each question; the model's answer is filled in.
        batch: items asked at once; between two batches others may use the model.

    Raises:
        InputError: no item made the model imagine.
        ImageError: a picture cannot be opened; where pictures are opened one by one, such items
            are left out and counted in the source.
        Cancelled: it was stopped.
    """
    known = [BankItem(str(n)) for n in range(len(questions))] if items is None else list(items)
    if len(known) != len(questions):
        raise InputError(f"There are {len(questions)} questions and {len(known)} items.")
    latents: list[Tensor] = []
    words: list[tuple[list[int], Tensor]] = []
    kept: list[BankItem] = []
    unopened = 0
    for at in range(0, len(questions), batch):
        asked, about = _opened(questions[at : at + batch], known[at : at + batch])
        unopened += len(questions[at : at + batch]) - len(asked)
        traces = engine.run_many(asked, cancel=cancel, **options) if asked else []
        if cancel is not None and cancel.is_set():
            raise Cancelled("Collecting the bank was stopped.")
        for trace, item in zip(traces, about, strict=True):
            if trace.spans:
                latents.append(trace.spans[0].latents)
                words.append(_words(engine, trace))
                kept.append(replace(item, answer=trace.answer))
        engine.store.forget(*(t.id for t in traces))
        if progress is not None:
            progress(min(at + batch, len(questions)), len(questions))
    if not latents:
        raise InputError("No item made this model imagine, so there is no bank to build.")
    if unopened:
        source += f", {unopened} left out whose picture cannot be opened"
    return bank_of(latents, source, bank_settings(engine, options), tuple(kept), words)


def _opened(
    questions: Sequence[tuple[Opened, str]], items: Sequence[BankItem]
) -> tuple[list[tuple[Picture | None, str]], list[BankItem]]:
    """A batch with its pictures open."""
    asked: list[tuple[Picture | None, str]] = []
    about: list[BankItem] = []
    for (picture, question), item in zip(questions, items, strict=True):
        try:
            asked.append((picture() if callable(picture) else picture, question))
        except (ImageError, OSError):
            continue
        about.append(item)
    return asked, about


def _words(engine: Engine, trace: Trace) -> tuple[list[int], Tensor]:
    """Token ids and hidden states of some words of a run's own answer."""
    places = word_places(engine, trace)
    if len(places) > WORDS:
        spread = torch.linspace(0, len(places) - 1, WORDS).round().long().tolist()
        places = [places[i] for i in spread]
    return [trace.token_ids[place] for place in places], word_states(engine, trace, places)
