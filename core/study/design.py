"""A study's design: everything that is settled before the first item is asked.

Margins, the declared family of tests and the settings are part of it, so that they cannot be
chosen after the results; its values go into the key of every row.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from core.engine import Engine
from core.engine.fingerprint import files_fingerprint
from core.errors import InputError
from core.study.alignment import POLICIES
from core.study.arms import Arm, with_base

VERSION = 2
"""Raised when a row would mean something else than before."""


@dataclass(frozen=True)
class Margins:
    """Differences declared to be too small to matter.

    Attributes:
        accuracy: ±, as a share (0.02 is two points).
        flips: the share of answers that may change.
        logit: ± nats of the logit difference.
    """

    accuracy: float = 0.02
    flips: float = 0.05
    logit: float = 0.1

    def __post_init__(self) -> None:
        if not (0 < self.accuracy < 1 and 0 < self.flips < 1 and self.logit > 0):
            raise InputError("Margins must be above 0, those of accuracy and flips below 1.")


@dataclass(frozen=True)
class Design:
    """What is done to every item, and how it will be judged.

    Attributes:
        arms: the base first.
        preset: where they came from, in words.
        seed: of donors, noise and resampling.
        block: items a block; donors come from an item's own block.
        max_new_tokens, budget, force_latents, temperature: settings of every run.
        margins: see :class:`Margins`.
        least_emission: emission rate below which nothing is concluded about latents.
        least_dose: delivered ε below which a swap tests nothing.
        little: share of the picture's gain over the question alone below which latents are said
            to hold little of it.
        alignment: how the two runs of a cross are lined up, see :mod:`core.study.alignment`.
        level: confidence of intervals.
        resamples: of the bootstrap.
        inside: items at the head of the data whose every step, exit, edge and slot is changed
            alone (:mod:`core.study.inside`); 0 for none.
    """

    arms: tuple[Arm, ...]
    preset: str = "own"
    seed: int = 0
    block: int = 32
    max_new_tokens: int = 256
    budget: int | None = None
    force_latents: bool = False
    temperature: float = 0.0
    margins: Margins = field(default_factory=Margins)
    least_emission: float = 0.2
    least_dose: float = 0.1
    little: float = 0.25
    alignment: str = "forced"
    level: float = 0.95
    resamples: int = 5000
    inside: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", with_base(self.arms))
        if self.block < 1 or self.resamples < 100 or not 0.5 < self.level < 1:
            raise InputError("A study needs blocks of 1 item or more and 100 resamples or more.")
        if not (0 <= self.least_emission <= 1 and self.least_dose >= 0 and 0 < self.little < 1):
            raise InputError(
                "The least emission is a share, the least dose not below 0, and “little” a share "
                "between 0 and 1."
            )
        if self.alignment not in POLICIES:
            raise InputError(
                f"Runs are aligned “{'” or “'.join(POLICIES)}”, not “{self.alignment}”."
            )

    def options(self, **more: Any) -> dict[str, Any]:
        """Settings of a run, as :meth:`Engine.run_many` takes them."""
        common = {
            "budget": self.budget,
            "seed": self.seed,
            "max_new_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "force_latents": self.force_latents,
        }
        return {**common, **more}

    def plain(self) -> dict[str, Any]:
        """The design as JSON values."""
        said = asdict(self)
        said["arms"] = [arm.plain() for arm in self.arms]
        return said

    def fingerprint(self) -> str:
        """What fixes a row beside model, arm and item; margins and resampling do not."""
        parts = (VERSION, self.seed, self.block, self.alignment, sorted(self.options().items()))
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]


def model_fingerprint(engine: Engine) -> str:
    """Twelve hex digits of a model: its files and how they are run.

    The files as :func:`core.engine.fingerprint.files_fingerprint` reads them. Precision, kernel
    and device kind count, as they change bits.
    """
    kind = engine.choice.device.partition(":")[0]
    said = (engine.family.name, engine.choice.dtype_name, engine.attention, kind)
    return files_fingerprint(engine, "|".join(said))
