"""Single rates and paired differences: intervals, exact tests, what a sample can show at all.

The unit is the item; base and intervened run are paired by it. b is the number of items right
before and wrong after, c the other way round; Δ = (c − b) / n. "No effect" is never read from a
large p: it takes an equivalence test against a margin declared before (methodology (d)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from core.errors import InputError

EFFECT, EQUIVALENT, INCONCLUSIVE = "effect", "equivalent to none", "inconclusive"


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; ``level`` is the confidence, e.g. 0.95."""

    estimate: float
    low: float
    high: float
    level: float = 0.95

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def normal_quantile(probability: float) -> float:
    """z with Φ(z) = probability."""
    return float(stats.norm.ppf(probability))


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a rate (Wilson 1927).

    (p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n). Without trials the rate is NaN and
    the interval [0, 1].
    """
    if not 0 <= successes <= trials:
        raise InputError(f"{successes} of {trials} is not a rate.")
    if not trials:
        return Interval(float("nan"), 0.0, 1.0, level)
    z = normal_quantile(0.5 + level / 2)
    rate = successes / trials
    middle = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # at 0 and n the ends are exactly 0 and 1; subtraction would leave rounding
    low = 0.0 if not successes else (middle - half) / scale
    high = 1.0 if successes == trials else (middle + half) / scale
    return Interval(rate, low, high, level)


def mcnemar(worse: int, better: int) -> float:
    """Exact two-sided McNemar test of discordant pairs (McNemar 1947; exact: binomial(b + c, ½)).

    p = min(1, 2 Σ_{i ≤ min(b, c)} C(b + c, i) 2^{−(b + c)}); 1 without discordant pairs.
    """
    if worse < 0 or better < 0:
        raise InputError("Numbers of discordant pairs cannot be negative.")
    if worse + better == 0:
        return 1.0
    return float(stats.binomtest(worse, worse + better, 0.5).pvalue)


def paired_difference(worse: int, better: int, items: int, level: float = 0.95) -> Interval:
    """Δ = (c − b) / n with the Wald interval, SE = √((b + c) − (b − c)²/n) / n.

    For where only the discordant pairs are known; :func:`paired_rates` is better behaved.
    """
    if items < 1 or worse < 0 or better < 0 or worse + better > items:
        raise InputError(f"{worse} and {better} discordant pairs of {items} items do not fit.")
    delta = (better - worse) / items
    spread = math.sqrt((worse + better) - (worse - better) ** 2 / items) / items
    half = normal_quantile(0.5 + level / 2) * spread
    return Interval(delta, max(-1.0, delta - half), min(1.0, delta + half), level)


def paired_rates(base: ArrayLike, edited: ArrayLike, level: float = 0.95) -> Interval:
    """Δ accuracy of paired right/wrong outcomes with Newcombe's score interval.

    Newcombe 1998 (Statistics in Medicine 17:2635), method 10: unlike the Wald interval it does
    not shrink to nothing when no pair is discordant.

    Args:
        base, edited: booleans (n,), right or wrong before and after.
    """
    before, after = np.asarray(base, bool), np.asarray(edited, bool)
    if before.shape != after.shape or before.ndim != 1 or not before.size:
        raise InputError("Paired outcomes need one right-or-wrong before and after for each item.")
    n = len(before)
    both, worse = int((before & after).sum()), int((before & ~after).sum())
    better = int((~before & after).sum())
    neither = n - both - worse - better
    first, second = wilson(both + worse, n, level), wilson(both + better, n, level)
    margins = (both + worse) * (better + neither) * (both + better) * (worse + neither)
    covariance = float(both * neither - worse * better)
    # continuity correction of method 10: a positive association is pulled towards 0 by n/2
    covariance = max(covariance - n / 2, 0.0) if covariance > 0 else covariance
    phi = covariance / math.sqrt(margins) if margins else 0.0
    delta = second.estimate - first.estimate
    below2, above2 = second.estimate - second.low, second.high - second.estimate
    below1, above1 = first.estimate - first.low, first.high - first.estimate
    down = math.sqrt(max(0.0, below2**2 - 2 * phi * below2 * above1 + above1**2))
    up = math.sqrt(max(0.0, above2**2 - 2 * phi * above2 * below1 + below1**2))
    return Interval(delta, delta - down, delta + up, level)


def minimum_detectable(
    items: int, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest |Δ| a paired binary comparison would detect, in [0, 1].

    (z_{1−α/2} + z_{power}) √(ψ / n), ψ the share of discordant pairs expected (Connor 1987, with
    Δ² dropped beside ψ). With 191 items and ψ = 0.1: 0.064.
    """
    if items < 1 or not 0 <= discordance <= 1:
        raise InputError("The detectable effect needs items and a share of discordant pairs.")
    factor = normal_quantile(1 - alpha / 2) + normal_quantile(power)
    return min(1.0, factor * math.sqrt(discordance / items))


def items_for_equivalence(
    margin: float, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Items needed to show equivalence within ±margin when the true Δ is 0.

    (z_{1−α} + z_{(1+power)/2})² ψ / δ² for two one-sided tests (Schuirmann 1987). With δ = 0.01
    and ψ = 0.1: about 8,600.
    """
    if not margin > 0:
        raise InputError("The margin of an equivalence test must be above 0.")
    factor = normal_quantile(1 - alpha) + normal_quantile((1 + power) / 2)
    return max(1, math.ceil(factor**2 * discordance / margin**2))


def items_to_exclude(margin: float, level: float = 0.95) -> int:
    """Fewest items at which a rate of 0 is shown to be below a margin.

    Wilson's one-sided upper end of 0 of n is z² / (n + z²), z the quantile of ``level``; it is
    below the margin from n = z² (1 − m) / m on. With m = 0.02: 133.
    """
    if not 0 < margin < 1:
        raise InputError("The margin of a rate must lie between 0 and 1.")
    z = normal_quantile(level)
    return math.floor(z * z * (1 - margin) / margin) + 1


def verdict(effect_95: Interval, equivalence_90: Interval, margin: float) -> str:
    """Three-way verdict on a difference.

    *equivalent to none*: the 90 % interval lies inside ±margin, which is two one-sided tests
    at 5 % (Schuirmann 1987); also when it excludes 0: a difference, but one declared to be too
    small to matter. *effect*: the 95 % interval excludes 0. Otherwise *inconclusive*: a larger
    sample may show either.

    Returns:
        :data:`EFFECT`, :data:`EQUIVALENT` or :data:`INCONCLUSIVE`.
    """
    if not margin > 0:
        raise InputError("The margin of an equivalence test must be above 0.")
    ends = (effect_95.low, effect_95.high, equivalence_90.low, equivalence_90.high)
    if any(math.isnan(end) for end in ends):
        return INCONCLUSIVE
    if -margin < equivalence_90.low and equivalence_90.high < margin:
        return EQUIVALENT
    return INCONCLUSIVE if 0.0 in effect_95 else EFFECT
