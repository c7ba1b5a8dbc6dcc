"""What normal latents are, for a model that brings no bank: those of the study's own first items.

The bank lies in the study's folder, a file a model, with the settings it was made with, so that
a study of another budget or temperature in the same folder makes its own anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event

from torch import Tensor

from core.engine import Engine
from core.engine.bankfile import bank_settings
from core.errors import RecordError
from core.records import Bank
from core.records.bank import bank_of, settings_hash
from core.study.asking import ask
from core.study.design import Design, model_fingerprint
from core.study.items import StudyItem

BANKED = 64
"""Items whose clean latents are what is normal."""


def give_bank(
    engine: Engine,
    items: Sequence[StudyItem],
    design: Design,
    folder: Path,
    cancel: Event | None = None,
) -> None:
    """Give a model without a bank one from its own first items, the same at every start.

    Raises:
        Cancelled: it was stopped.
        RecordError: the file that is there is no bank, or none can be written.
    """
    if engine.bank is not None or not engine.family.latent:
        return
    settings = bank_settings(engine, design.options())
    path = folder / f"bank-{model_fingerprint(engine)}.safetensors"
    if path.exists():
        kept = Bank.load(path)
        # one that does not say how it was made is from before banks did, and goes on serving
        if kept.hash in (None, settings_hash(settings)):
            engine.bank = kept
            return
    found = _clean(engine, items[:BANKED], design, cancel)
    if not found:
        return
    bank = bank_of(found, f"the study's first {len(found)} items that imagined", settings)
    try:
        bank.save(path)
    except OSError as error:
        raise RecordError(f"The bank cannot be written to {folder} ({error}).") from error
    engine.bank = bank


def _clean(
    engine: Engine, items: Sequence[StudyItem], design: Design, cancel: Event | None
) -> list[Tensor]:
    """The first span's latents (K_i, D) of every item that imagines."""
    found: list[Tensor] = []
    for item in items:
        try:
            question = (item.picture() if item.picture else None, item.question)
        except Exception:  # reported with its row
            continue
        for trace in ask(engine, [question], cancel, design.options()):
            if not isinstance(trace, Exception):
                found += [trace.spans[0].latents] if trace.spans else []
                engine.store.forget(trace.id)
    return found
