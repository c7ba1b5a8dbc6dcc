"""Where a model's bank lies on disk, and whether it is still this model's.

A bank is kept beside the model, or in a folder of the user's own where the model's cannot be
written or is a hub id. It is used only while what it depends on is what the model is now; one
of other weights, another family or another budget is said to be stale and left alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.fingerprint import files_fingerprint
from core.errors import RecordError
from core.records import Bank
from core.records.bank import settings_hash

if TYPE_CHECKING:
    from core.engine.engine import Engine

NAME = "bank.safetensors"
DEPENDS = ("budget", "force_latents", "temperature", "top_p", "top_k", "strategy")
"""Settings that change which latents are fed; precision and device change their rounding only."""


def bank_settings(engine: Engine, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a bank of this model depends on, run with these options of ``engine.run_many``."""
    given = dict(options or {})
    system = given.pop("system", None)
    settings = engine.settings(**given)
    out = {name: getattr(settings, name) for name in DEPENDS}
    if settings.strategy == "latent":
        out |= {"end_threshold": settings.end_threshold, "criterion": settings.criterion}
    if settings.temperature > 0:
        out["seed"] = settings.seed
    if system is not None:
        out["system"] = system
    return {"files": files_fingerprint(engine), "family": engine.family.name, **out}


def misfit(engine: Engine, bank: Bank) -> str:
    """Why a bank is not this model's, in one sentence; "" when it is."""
    if bank.latents.shape[-1] != engine.passes.width:
        return (
            f"The bank kept for this model holds latents of width {bank.latents.shape[-1]} and the "
            f"model's have {engine.passes.width}; it is not used, build it anew."
        )
    if bank.settings is None:
        return ""
    now = bank_settings(engine)
    if bank.hash == settings_hash(now):
        return ""
    names = [name for name in {**now, **bank.settings} if now.get(name) != bank.settings.get(name)]
    said = {"files": "files of the model", "strategy": "way to end a span"}
    what = " and ".join(said.get(name, name.replace("_", " ")) for name in sorted(names))
    return (
        f"The bank kept for this model is stale: it was built with other settings "
        f"({what}; {bank.hash} instead of {settings_hash(now)}). It is not used, build it anew."
    )


def settle_bank(engine: Engine, own: Path | None = None) -> str:
    """Give a freshly loaded engine the bank that is kept for it.

    Args:
        engine: its ``bank`` is None afterwards where none fits.
        own: the user's own folder of banks, looked into second.

    Returns:
        What a person should know: a bank that is stale, cannot be read, or does not say what
        it was built with; "" when all is well.
    """
    if not engine.family.latent:
        engine.bank = None
        return ""
    said = ""
    for bank in (engine.bank, None):
        if bank is None:
            path = None if own is None else own / own_name(engine.name)
            if path is None or not path.is_file():
                break
            try:
                bank = Bank.load(path)
            except RecordError as error:
                said = said or str(error)
                break
        why = misfit(engine, bank)
        if not why:
            engine.bank = bank
            return (
                ""
                if bank.settings is not None
                else ("The bank kept for this model does not say with which settings it was built.")
            )
        said = said or why
    engine.bank = None
    return said


def keep_bank(engine: Engine, bank: Bank, own: Path | None = None) -> Path:
    """Write a bank beside its model, or into the user's own folder; the file written.

    Raises:
        RecordError: neither can be written.
    """
    folder = Path(engine.name)
    if folder.is_dir() and os.access(folder, os.W_OK):
        try:
            bank.save(folder / NAME)
            return folder / NAME
        except OSError:
            pass
    if own is None:
        raise RecordError(
            "The bank is in use and cannot be kept: the model's folder cannot be written."
        )
    try:
        own.mkdir(parents=True, exist_ok=True)
        bank.save(own / own_name(engine.name))
    except OSError as error:
        raise RecordError(
            f"The bank is in use and cannot be kept in {own} ({error.strerror or error})."
        ) from error
    return own / own_name(engine.name)


def own_name(name: str) -> str:
    """File name of a model's bank in the user's own folder."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name.strip("/\\"))[-60:].strip("._")
    return f"{plain}-{settings_hash({'name': str(Path(name))})[:8]}.safetensors"
