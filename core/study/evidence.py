"""What a verdict is drawn from, what it can be, and how its numbers are put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.measures.statistics import Interval
from core.study.design import Design
from core.study.effects import Effect, plain_value
from core.study.mediation import Split
from core.study.pairs import Pairs
from core.study.validation import Check

CONTENT = "load-bearing content"
SLOT = "load-bearing slot, not content"
TEXT = "load-bearing text"
FORMAT = "format only"
BYPASSED = "bypassed"
REDUNDANT = "redundant"
UNSETTLED = "inconclusive"
NO_LATENTS = "no latents"
UNSOUND = "instrument not validated"


@dataclass(frozen=True)
class Verdict:
    """What the numbers allow to be said.

    Attributes:
        verdict: one of the words above.
        reason: why, in sentences with the numbers that led there.
        numbers: those numbers by name; intervals as [estimate, low, high].
        validated: whether the instrument was sound on this model.
    """

    verdict: str
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)
    validated: bool = True

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "numbers": plain_value(self.numbers),
            "validated": self.validated,
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything a verdict is drawn from.

    Attributes:
        family: title of the family; ``latent`` and ``words``: how it reasons.
        base: rows of the base arm that could be run.
        pairs, effects, splits: by arm.
        checks: the validation card.
        design: margins and thresholds.
    """

    family: str
    latent: bool
    words: bool
    base: Sequence[Mapping[str, Any]]
    pairs: Mapping[str, Pairs]
    effects: Mapping[str, Effect]
    splits: Mapping[str, Split]
    checks: Sequence[Check]
    design: Design

    def where(self, test: Callable[[Effect], bool]) -> list[Effect]:
        """Effects of arms with items that pass a test."""
        return [effect for effect in self.effects.values() if effect.items and test(effect)]


def of_base(evidence: Evidence, effect: Effect) -> bool:
    """Whether the arm changes latents of the run on the item as it is."""
    return evidence.pairs[effect.arm].arm.parent == "base"


def kind_of(evidence: Evidence, effect: Effect) -> str:
    """The kind of edit an arm makes."""
    return evidence.pairs[effect.arm].arm.z[0].kind


def any_follow(effect: Effect) -> bool:
    """Whether an arm has a donor that could be followed."""
    return effect.follow.estimate == effect.follow.estimate and effect.role != "sham"


def names(effects: Sequence[Effect]) -> str:
    """Arms with their rates of changed answers."""
    return ", ".join(f"{effect.arm} {share_of(effect.flips)}" for effect in effects)


def share_of(interval: Interval) -> str:
    """A share with its interval."""
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def points(interval: Interval) -> str:
    """A difference in points with its interval."""
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.estimate:+.1f} points ({low:+.1f} to {high:+.1f})"


def first(words: str) -> str:
    """The words with a capital at the beginning."""
    return words[:1].upper() + words[1:]
