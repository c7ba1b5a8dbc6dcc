"""Many tests at once: adjusted p-values, each to be compared with α as it stands.

Holm for the family declared before, Benjamini–Hochberg for exploratory sweeps, max-|T| for heat
maps, where the cells are alike and their dependence is worth using.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError
from core.measures.resampling import clustered, sign_patterns

Array = NDArray[np.float64]


def holm(pvalues: ArrayLike) -> Array:
    """Holm 1979: p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j)). Controls the familywise error.

    NaN stays NaN and is not counted in m.
    """

    def steps(ordered: Array) -> Array:
        m = len(ordered)
        return np.maximum.accumulate((m - np.arange(m)) * ordered)

    return _adjusted(pvalues, steps)


def benjamini_hochberg(pvalues: ArrayLike) -> Array:
    """Benjamini & Hochberg 1995: p̃_(i) = min_{j ≥ i} min(1, m p_(j) / j). Controls the rate of
    false discoveries under independence or positive dependence.

    NaN stays NaN and is not counted in m.
    """

    def steps(ordered: Array) -> Array:
        m = len(ordered)
        scaled = ordered * m / np.arange(1, m + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _adjusted(pvalues, steps)


def max_t(
    differences: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 10000,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Westfall & Young 1993, single step: familywise p of every cell of a map.

    All cells of a cluster have their signs flipped together, so the dependence between cells
    stays; a cell's p is the share of flips whose largest |T| reaches its own.

    Args:
        differences: (n, cells), edited minus base; items with NaN in any cell are left out.
        clusters: the image of each item.

    Returns:
        T = mean / standard error over clusters (cells,), and adjusted p (cells,). A cell where
        nothing differs has T = 0 and p = 1.
    """
    table = np.asarray(differences, np.float64)
    if table.ndim != 2:
        raise InputError("A map of differences has one row an item and one column a cell.")
    sums, _ = clustered(table, clusters)
    count, cells = sums.shape
    if count < 2 or not cells:
        return np.full(cells, np.nan), np.full(cells, np.nan)
    observed = _t(sums.sum(0), (sums**2).sum(0), count)
    signs, exact = sign_patterns(count, resamples, seed)
    reached = np.zeros(cells)
    block = max(1, (1 << 22) // cells)
    for at in range(0, len(signs), block):
        flipped = _t(signs[at : at + block] @ sums, (sums**2).sum(0), count)
        largest = np.abs(flipped).max(1, keepdims=True)
        reached += (largest >= np.abs(observed) * (1 - 1e-9)).sum(0)
    p = reached / len(signs) if exact else (1 + reached) / (1 + len(signs))
    return observed, np.minimum(1.0, p)


def _t(total: Array, squares: Array, count: int) -> Array:
    """One-sample t of cluster sums from their sum and sum of squares, which flips leave alone."""
    variance = np.maximum(0.0, squares - total**2 / count) / (count - 1)
    # all alike up to rounding: infinitely many standard errors from 0, or none if they are 0
    alike = variance <= 1e-12 * squares / count
    with np.errstate(divide="ignore", invalid="ignore"):
        t = total / np.sqrt(count * variance)
    return np.where(alike, np.where(total == 0, 0.0, np.copysign(np.inf, total)), t)


def _adjusted(pvalues: ArrayLike, steps: object) -> Array:
    values = np.asarray(pvalues, np.float64)
    flat = values.ravel()
    there = np.flatnonzero(~np.isnan(flat))
    if ((flat[there] < 0) | (flat[there] > 1)).any():
        raise InputError("p-values lie between 0 and 1.")
    order = there[np.argsort(flat[there], kind="stable")]
    out = np.full(flat.shape, np.nan)
    if len(order):
        assert callable(steps)
        out[order] = np.minimum(1.0, steps(flat[order]))
    return out.reshape(values.shape)
