"""Bootstrap and permutation of paired differences, clustered by image.

Several questions on one picture are not independent: whole clusters are drawn, or have their
signs flipped, together (Miller 2024, arXiv 2411.00640). Every result depends on its seed alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from core.errors import InputError
from core.measures.statistics import Interval

Array = NDArray[np.float64]
HELD = 1 << 21
"""Numbers of a table of draws that is held between calls at most: 16 MiB."""
EXACT = 14
"""Up to this many clusters all 2^n flips of signs are made instead of a sample of them."""


def clustered(
    differences: ArrayLike, clusters: Sequence[Hashable] | None
) -> tuple[Array, NDArray[np.int64]]:
    """Sums (G, …) and counts (G,) of the differences of each cluster, NaN items left out.

    Args:
        differences: (n,) or (n, cells); an item with NaN in any cell is left out.
        clusters: what each item belongs to; None makes each its own.
    """
    values = np.asarray(differences, np.float64)
    names = list(range(len(values))) if clusters is None else list(clusters)
    if len(names) != len(values):
        raise InputError(f"There are {len(values)} differences and {len(names)} cluster names.")
    missing = np.isnan(values).reshape(len(values), int(np.prod(values.shape[1:])))
    kept = np.flatnonzero(~missing.any(axis=1))
    code: dict[Hashable, int] = {}
    index = np.array([code.setdefault(names[item], len(code)) for item in kept], np.int64)
    sums = np.zeros((len(code), *values.shape[1:]))
    np.add.at(sums, index, values[kept])
    return sums, np.bincount(index, minlength=len(code)).astype(np.int64)


def bootstrap_mean(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> Interval:
    """Mean of paired differences with a bias-corrected and accelerated interval.

    BCa (Efron 1987): ends at the quantiles Φ(z₀ + (z₀ + z_q) / (1 − a (z₀ + z_q))) of the
    bootstrap distribution, z₀ from the share of resampled means below the observed one (ties
    half), a from the jackknife over clusters, Σ(θ̄ − θ_i)³ / (6 (Σ(θ̄ − θ_i)²)^{3/2}).

    Args:
        differences: (n,), edited minus base; NaN items are left out.
        clusters: the image of each item; whole clusters are resampled.
        level: confidence.
        resamples: at least 5,000 for a published figure.
        seed: of the draws.

    Returns:
        NaN ends with fewer than 2 clusters; equal ends when all clusters have the same mean.
    """
    sums, counts = clustered(np.asarray(differences, np.float64).ravel(), clusters)
    return bootstrap_ratio(sums, counts.astype(np.float64), level, resamples, seed)


def bootstrap_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> Interval:
    """Σ numerators / Σ denominators over clusters (G,) with its BCa interval.

    A mean is the ratio of a sum to a count; a retention or a proportion mediated is one of two
    summed effects. A resample whose denominator is 0 is drawn as NaN and left out.
    """
    top, bottom = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if top.shape != bottom.shape or top.ndim != 1:
        raise InputError("A ratio needs one numerator and one denominator for each cluster.")
    count, nan = len(top), float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = float(np.divide(top.sum(), bottom.sum())) if count else nan
        if count < 2 or not np.isfinite(estimate):
            return Interval(estimate, nan, nan, level)
        if count * resamples <= HELD:
            times = _drawn(count, resamples, seed)
            draws = (times @ top) / (times @ bottom)
        else:
            generator = np.random.default_rng(seed)
            draws = np.empty(resamples)
            block = max(1, (1 << 22) // count)
            for at in range(0, resamples, block):
                rows = generator.integers(0, count, (min(block, resamples - at), count))
                draws[at : at + block] = top[rows].sum(1) / bottom[rows].sum(1)
        left_out = (top.sum() - top) / (bottom.sum() - bottom)
    return _bca(estimate, draws[np.isfinite(draws)], left_out[np.isfinite(left_out)], level)


@lru_cache(maxsize=2)
def _drawn(count: int, resamples: int, seed: int) -> Array:
    """How often each resample draws each cluster, (resamples, count).

    A study asks for the same draws once an arm and outcome; held, they are made once, and a
    resampled sum is a matrix product.
    """
    rows = np.random.default_rng(seed).integers(0, count, (resamples, count))
    places = rows + count * np.arange(resamples)[:, None]
    found = np.bincount(places.ravel(), minlength=resamples * count)
    return found.reshape(resamples, count).astype(np.float64)


def _bca(estimate: float, draws: Array, left_out: Array, level: float) -> Interval:
    nan = float("nan")
    if not len(draws):
        return Interval(estimate, nan, nan, level)
    # means of equal numbers differ in their last digits; such a spread is no spread
    rounding = 1e-12 * max(1.0, abs(estimate))
    if float(np.ptp(draws)) <= rounding:
        return Interval(estimate, estimate, estimate, level)
    below = (draws < estimate - rounding).mean()
    ties = (np.abs(draws - estimate) <= rounding).mean()
    share = float(np.clip(below + ties / 2, 1 / (2 * len(draws)), 1 - 1 / (2 * len(draws))))
    bias = float(special.ndtri(share))
    away = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    power = float((away**2).sum()) ** 1.5
    acceleration = float((away**3).sum()) / (6 * power) if power > 0 else 0.0
    tails = special.ndtri([(1 - level) / 2, (1 + level) / 2])
    shifted = bias + (bias + tails) / (1 - acceleration * (bias + tails))
    low, high = np.quantile(draws, special.ndtr(shifted))
    return Interval(estimate, float(low), float(high), level)


def sign_flip(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 10000,
    seed: int = 0,
) -> float:
    """Two-sided p of a mean of 0 by flipping the signs of whole clusters (Fisher 1935).

    Exact up to 14 clusters; otherwise (1 + #{|m*| ≥ |m|}) / (1 + resamples), which can never be
    0 (Phipson & Smyth 2010).

    Args:
        differences: (n,), edited minus base; NaN items are left out.
    """
    values = np.asarray(differences, np.float64).ravel()
    sums, _ = clustered(values, clusters)
    sums = sums[sums != 0]
    if not len(sums):
        return 1.0
    signs, exact = sign_patterns(len(sums), resamples, seed)
    reached = np.abs(signs @ sums) >= abs(sums.sum()) * (1 - 1e-12)
    return float(reached.mean()) if exact else float((1 + reached.sum()) / (1 + len(signs)))


def sign_patterns(clusters: int, resamples: int, seed: int) -> tuple[Array, bool]:
    """Signs ±1 (patterns, clusters), and whether they are all there are."""
    if clusters <= EXACT:
        bits = np.arange(1 << clusters)[:, None] >> np.arange(clusters)[None, :]
        return (1.0 - 2.0 * (bits & 1)).astype(np.float64), True
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, 2, (resamples, clusters))
    return (1.0 - 2.0 * drawn).astype(np.float64), False
