"""One of the published findings as this study has it: a sentence, its tests, its figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from core.measures.statistics import EFFECT, EQUIVALENT, Interval

Line = tuple[str, Interval, str]


@dataclass(frozen=True, eq=False)
class Finding:
    """One finding.

    Attributes:
        name: what was changed → what was looked at.
        holds: True where the published finding is shown here, False where its opposite is, None
            where neither is.
        says: a sentence with numbers and their intervals.
        lines: (label, interval, verdict), for a figure.
        margin: of the figure's band, in the interval's own unit.
        items: how many.
        raw, centred: (K, N, N) cosines between items, of the first finding.
    """

    name: str
    holds: bool | None
    says: str
    lines: tuple[Line, ...]
    margin: float
    items: int
    raw: tuple[Tensor, ...] = ()
    centred: tuple[Tensor, ...] = ()
    pictures: Tensor | None = None


def all_alike(lines: Sequence[Line]) -> bool | None:
    """Whether all are equivalent to none, or all have an effect."""
    for how, holds in ((EQUIVALENT, True), (EFFECT, False)):
        if all(found == how for _, _, found in lines):
            return holds
    return None


def number(interval: Interval, sign: str = "") -> str:
    """A number with its interval."""
    mean, low, high = (round(v, 3) + 0.0 for v in (interval.estimate, interval.low, interval.high))
    return f"{mean:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
