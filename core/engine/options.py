"""The settings of a run, checked before anything is computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from core.errors import BudgetError, InputError
from core.records import Settings
from core.records.schema import CRITERIA

if TYPE_CHECKING:
    from core.engine.instrument import Instrument

MOST_LATENTS = 4096


def settle_options(engine: Instrument, budget: int | None, options: dict[str, Any]) -> Settings:
    """Settings with everything filled in that a run needs; see :meth:`Engine.settings`."""
    family = engine.family
    budget = engine.budget if budget is None else budget
    if family.latent and not 1 <= budget <= MOST_LATENTS:
        raise BudgetError(
            f"A span of {budget} latents cannot be decoded; ask for 1 to {MOST_LATENTS}, or use "
            "the edit “forbid” to see the answer without imagining."
        )
    if options.get("strategy") is None and family.strategies:
        options["strategy"] = family.strategies[0]
    strategy = options.get("strategy")
    if strategy is not None and strategy not in family.strategies:
        raise InputError(f"Family {family.name} has no strategy “{strategy}”.")
    if strategy == "latent" and engine.loaded.latent_end is None:
        raise InputError(
            "Strategy “latent” needs the vector lvr_latent_end_emb, which this checkpoint does "
            "not have; use strategy “steps”."
        )
    try:
        settings = Settings(
            budget=budget if family.latent else None,
            dtype=engine.choice.dtype_name,
            attention=engine.attention,
            device=engine.choice.device,
            **options,
        )
    except TypeError as error:
        raise InputError(f"That setting does not exist ({error}).") from error
    _check(engine, settings)
    return settings


def _check(engine: Instrument, settings: Settings) -> None:
    for name in ("budget", "max_new_tokens", "seed", "top_k"):
        value = getattr(settings, name)
        if value is not None and not (isinstance(value, int) and not isinstance(value, bool)):
            raise InputError(f"{name} must be a whole number, not {value!r}.")
    if not all(math.isfinite(x) for x in (settings.temperature, settings.end_threshold)):
        raise InputError("temperature and end_threshold must be finite numbers.")
    if settings.criterion not in CRITERIA:
        raise InputError(f"The criterion must be one of {', '.join(CRITERIA)}.")
    if settings.max_new_tokens < 1:
        raise InputError("max_new_tokens must be at least 1.")
    if settings.temperature < 0 or not 0 < settings.top_p <= 1 or settings.top_k < 0:
        raise InputError("temperature and top_k must be 0 or more, top_p in (0, 1].")
    if settings.force_latents and not engine.family.latent:
        raise InputError(f"{engine.family.title} has no latent span to force.")
