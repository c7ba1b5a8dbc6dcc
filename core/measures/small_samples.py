"""Intervals of means and ratios that hold at the sample sizes studies have.

With some tens of items the BCa bootstrap is too narrow: it draws from a spread that is smaller
than the sample's by n/(n − 1), it has normal tails where a t has heavier ones, and where the
differences are skewed or heavy-tailed (an interaction of input and latents makes them so) the
sample seldom shows its own tails. Two corrections, both from the literature, and no constant of
our own:

* the levels of the bootstrap's quantiles are expanded to those of a t interval, Φ(−√(n/(n − 1))
  t_{α/2, ν}) (Hesterberg 2015, The American Statistician 69:371, "expanded percentile"), with
  ν = 2n / (κ − (n − 3)/(n − 1)), κ the sample's kurtosis: how many degrees of freedom its
  variance really has (O'Neill 2014, The American Statistician 68:282); n − 1 for normal data;
* each end of a mean's interval is the farther one of that and of the t interval of the same ν.
  The bootstrap follows skewness and errs on the side of the short tail; the t interval knows its
  width and nothing of skewness. Either alone is right to the order 1/n only.

n is the number of clusters; what is summed is a cluster's influence on the estimate, so one
formula serves means of clusters of any size and ratios.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from core.measures.resampling import bootstrap_ratio, clustered
from core.measures.statistics import Interval

Array = NDArray[np.float64]


def mean_interval(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> Interval:
    """Mean of paired differences, clustered.

    Args:
        differences: (n,), edited minus base; NaN items are left out.
        clusters: the image of each item; None makes each item its own.
        level: confidence.
        resamples, seed: of the bootstrap.

    Returns:
        NaN ends with fewer than 2 clusters; equal ends when all clusters have the same mean.
    """
    sums, counts = clustered(np.asarray(differences, np.float64).ravel(), clusters)
    found, half = _expanded(sums, counts.astype(np.float64), level, resamples, seed)
    if not found.low < found.high:
        return found
    low, high = found.estimate - half, found.estimate + half
    return Interval(found.estimate, min(low, found.low), max(high, found.high), level)


def ratio_interval(
    numerators: ArrayLike,
    denominators: ArrayLike,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> Interval:
    """Σ numerators / Σ denominators over clusters (G,), where both vary: the expanded bootstrap.

    A t interval of such a ratio rests on its linearisation, which is too wide where numerator
    and denominator go together, as a part and its whole do.
    """
    top, bottom = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    return _expanded(top, bottom, level, resamples, seed)[0]


def _expanded(
    top: Array, bottom: Array, level: float, resamples: int, seed: int
) -> tuple[Interval, float]:
    """BCa at the levels of a t interval, and half the width of that t interval."""
    count, whole = len(top), float(bottom.sum()) if len(bottom) else 0.0
    if count < 2 or len(bottom) != count or not whole:
        return bootstrap_ratio(top, bottom, level, resamples, seed), 0.0
    influence = (top - top.sum() / whole * bottom) * count / whole
    size = float(special.stdtrit(degrees_of_freedom(influence), (1 + level) / 2))
    expanded = 1 - 2 * float(special.ndtr(-math.sqrt(count / (count - 1)) * size))
    # of two clusters it rounds to 1, whose quantiles are infinite
    found = bootstrap_ratio(top, bottom, min(expanded, 1 - 1e-12), resamples, seed)
    half = size * math.sqrt(float((influence**2).sum()) / (count * (count - 1)))
    return Interval(found.estimate, found.low, found.high, level), half


def degrees_of_freedom(deviations: ArrayLike) -> float:
    """ν of the variance of (n,) deviations from their mean, at most n − 1 and at least 1.

    From the variance's own variance, which the kurtosis gives (O'Neill 2014, result 7).
    """
    values = np.asarray(deviations, np.float64)
    count, second = len(values), float((values**2).mean())
    if count < 3 or not second > 0:
        return float(max(1, count - 1))
    kurtosis = float((values**4).mean()) / second**2
    beyond = kurtosis - (count - 3) / (count - 1)
    return float(max(1.0, min(count - 1, 2 * count / beyond))) if beyond > 0 else count - 1.0
