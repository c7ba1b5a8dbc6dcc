"""Change of a rate between paired runs, with an interval that errs on neither side.

Newcombe's interval and Tango's are both score intervals, and each is a little too narrow at one
end where most changed answers changed the same way: with 80 items, 19 % won and 4 % lost, the
upper end of Newcombe's one-sided 95 % interval misses the truth in 6 % of studies, the lower end
of Tango's in 7 % with 40. Such an end is where a test of equivalence reads, so each end here is
the farther one of the two, which leaves at most what the coarseness of small counts does.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from core.measures.statistics import Interval, normal_quantile, paired_rates

STEPS = 60
"""Halvings of the interval an end is looked for in: to the last digit of a double."""


def paired_change(base: ArrayLike, edited: ArrayLike, level: float = 0.95) -> Interval:
    """Δ = rate after − rate before: each end the farther one of Newcombe's and Tango's.

    Args:
        base, edited: booleans (n,), right or wrong before and after.
    """
    first = paired_rates(base, edited, level)
    before, after = np.asarray(base, bool), np.asarray(edited, bool)
    other = tango(int((before & ~after).sum()), int((~before & after).sum()), len(before), level)
    return Interval(first.estimate, min(first.low, other.low), max(first.high, other.high), level)


def tango(worse: int, better: int, items: int, level: float = 0.95) -> Interval:
    """Tango's score interval of a paired difference (Tango 1998, Statistics in Medicine 17:891).

    All Δ with |c − b − nΔ| ≤ z √(n (2 q̃ + Δ(1 − Δ))), q̃ the likeliest share of items that got
    worse if Δ were the truth: the positive root of 2n q² + B q + C, B = −b − c + (2n − c + b)Δ,
    C = −bΔ(1 − Δ).
    """
    z, estimate = normal_quantile(0.5 + level / 2), (better - worse) / items

    def score(delta: float) -> float:
        linear = -worse - better + (2 * items - better + worse) * delta
        constant = -worse * delta * (1 - delta)
        root = math.sqrt(max(0.0, linear * linear - 8 * items * constant))
        likeliest = (root - linear) / (4 * items)
        spread = items * (2 * likeliest + delta * (1 - delta))
        return (better - worse - items * delta) / math.sqrt(max(spread, 1e-300))

    def end(outside: float) -> float:
        inner, outer = estimate, outside
        for _ in range(STEPS):
            middle = (inner + outer) / 2
            if abs(score(middle)) < z:
                inner = middle
            else:
                outer = middle
        return (inner + outer) / 2

    return Interval(estimate, end(-1.0), end(1.0), level)
