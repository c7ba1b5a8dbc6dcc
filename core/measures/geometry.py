"""The shape of a cloud of latents: how many directions it has, how long its vectors are, what
its variance comes from, and whether two clouds have the same shape."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError


def linear_cka(x: Tensor, y: Tensor, debiased: bool | None = None) -> float:
    """Linear centred kernel alignment of two views of the same N items.

    Biased (Kornblith et al. 2019, arXiv 1905.00414): ‖X_cᵀY_c‖²_F / (‖X_cᵀX_c‖_F ‖Y_cᵀY_c‖_F),
    in [0, 1]. With fewer items than dimensions it is close to 1 whatever the views hold; the
    debiased form puts the unbiased estimator of HSIC (Song et al. 2012, equation 5) in its
    place, has mean near 0 for unrelated views, and may fall below 0.

    Args:
        x: (N, p); y: (N, q). Items with NaN in either are left out.
        debiased: None takes the debiased form when N is below p or q.

    Returns:
        NaN when a view does not vary, or with fewer than 2 items (4 for the debiased form).
    """
    if len(x) != len(y):
        raise InputError(f"CKA compares views of the same items; these have {len(x)} and {len(y)}.")
    kept = ~(x.isnan().any(-1) | y.isnan().any(-1))
    a, b = _centred(x[kept]), _centred(y[kept])
    n = len(a)
    if debiased is None:
        debiased = n < max(a.shape[1], b.shape[1])
    if n < (4 if debiased else 2):
        return float("nan")
    if debiased:
        k, m = a @ a.T, b @ b.T
        cross, left, right = _unbiased_hsic(k, m), _unbiased_hsic(k, k), _unbiased_hsic(m, m)
    elif n < max(a.shape[1], b.shape[1]):
        k, m = a @ a.T, b @ b.T
        cross, left, right = (k * m).sum(), k.square().sum(), m.square().sum()
    else:
        cross, left, right = ((p.T @ q).square().sum() for p, q in ((a, b), (a, a), (b, b)))
    if not (float(left) > 0 and float(right) > 0):
        return float("nan")
    return float(cross / (left.sqrt() * right.sqrt()))


def _unbiased_hsic(k: Tensor, m: Tensor) -> Tensor:
    """Song et al. 2012, equation 5, for Gram matrices (n, n), n ≥ 4."""
    n = len(k)
    k = k - k.diagonal().diag()
    m = m - m.diagonal().diag()
    trace = (k * m).sum()
    sums = k.sum() * m.sum() / ((n - 1) * (n - 2))
    rows = 2 * (k.sum(0) @ m.sum(0)) / (n - 2)
    return (trace + sums - rows) / (n * (n - 3))


def spectrum(points: Tensor) -> Tensor:
    """Singular values of the centred points (N, D), largest first, float64 (min(N, D),).

    Points with NaN are left out; values that are only rounding are 0.
    """
    points = points[~points.isnan().any(-1)]
    centred = _centred(points)
    if not centred.numel():
        return torch.zeros(0, dtype=torch.float64)
    values = torch.linalg.svdvals(centred)
    scale = points.double().norm() * max(points.shape) * torch.finfo(torch.float64).eps
    return torch.where(values > scale, values, values * 0)


def participation_ratio(points: Tensor) -> float:
    """(Σλ)² / Σλ² of the covariance's eigenvalues λ = σ², in [1, min(N − 1, D)].

    Returns:
        NaN when the points do not vary.
    """
    eigenvalues = spectrum(points).square()
    total = float(eigenvalues.sum())
    return total**2 / float(eigenvalues.square().sum()) if total > 0 else float("nan")


ENTROPY_OF = ("variance", "singular value")


def entropy_rank(points: Tensor, of: str = "variance") -> float:
    """exp(−Σ p log p), in [1, min(N − 1, D)]; two definitions are in use, so name yours.

    Args:
        points: (N, D).
        of: ``"variance"``: p = σ² / Σσ²; ``"singular value"``: p = σ / Σσ (Roy & Vetterli
            2007, the effective rank).

    Returns:
        NaN when the points do not vary.
    """
    if of not in ENTROPY_OF:
        raise InputError(f"The entropy is taken of the “{'” or the “'.join(ENTROPY_OF)}”.")
    values = spectrum(points)
    weights = values.square() if of == "variance" else values
    total = float(weights.sum())
    if not total > 0:
        return float("nan")
    return float(torch.special.entr(weights / total).sum().exp())


def top_share(points: Tensor) -> float:
    """Share of the variance on the first principal axis, in (0, 1]; NaN without variance."""
    eigenvalues = spectrum(points).square()
    total = float(eigenvalues.sum())
    return float(eigenvalues[0]) / total if total > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class NormProfile:
    """Lengths ‖z‖ per step over items, float32 (K,) each: median, 10th and 90th percentile."""

    median: Tensor
    low: Tensor
    high: Tensor


def norm_profile(latents: Tensor) -> NormProfile:
    """The lengths of (N, K, D) latents, step by step; NaN at steps nobody has."""
    norms = latents.double().norm(dim=-1)  # (N, K)
    if not norms.numel():
        gap = torch.full((norms.shape[1],), float("nan"))
        return NormProfile(gap, gap.clone(), gap.clone())
    levels = torch.tensor([0.5, 0.1, 0.9], dtype=norms.dtype)
    median, low, high = torch.nanquantile(norms, levels, dim=0).float()
    return NormProfile(median, low, high)


@dataclass(frozen=True)
class VarianceShares:
    """Where the variance of latents comes from: η², each in [0, 1], together 1.

    Attributes:
        step, task, item: share between steps, between tasks, and between items of one task.
        residual: what is left: how items differ in their course over the steps.
        items, steps: how many of each were complete and are counted.
    """

    step: float
    task: float
    item: float
    residual: float
    items: int
    steps: int


def variance_shares(latents: Tensor, tasks: Sequence[Hashable]) -> VarianceShares:
    """Trace-based analysis of variance of latents over steps, tasks and items within tasks.

    Sums of squares of vectors, Σ‖·‖², of the complete design item × step with items nested in
    tasks (the terms are orthogonal there, so they add up): step N Σ_k ‖z̄_k − z̄‖², task
    K Σ_t n_t ‖z̄_t − z̄‖², item K Σ_i ‖z̄_i − z̄_t(i)‖², the rest is residual.

    Args:
        latents: (N, K, D). Only the steps that every item with any latent has are counted.
        tasks: what each item belongs to.

    Returns:
        NaN shares when nothing varies.
    """
    if len(tasks) != len(latents):
        raise InputError(f"There are {len(latents)} items and {len(tasks)} task names.")
    there = ~latents.isnan().any(-1)  # (N, K)
    kept = there.any(-1)
    steps = int(there[kept].all(0).cumprod(0).sum()) if bool(kept.any()) else 0
    names = [t for t, keep in zip(tasks, kept.tolist(), strict=True) if keep]
    table = latents[kept][:, :steps].double()
    items = len(table)
    nan = float("nan")
    if not table.numel():
        return VarianceShares(nan, nan, nan, nan, items, steps)
    grand = table.mean((0, 1))
    table = table - grand  # before squaring: means far from 0 would drown what varies
    total = float(table.square().sum())
    scale = items * steps * float(grand.square().sum()) * torch.finfo(torch.float32).eps ** 2
    if total <= scale:
        return VarianceShares(nan, nan, nan, nan, items, steps)
    of_item = table.mean(1)  # (N, D)
    of_task = torch.empty_like(of_item)
    for name in set(names):
        rows = [row for row, other in enumerate(names) if other == name]
        of_task[rows] = of_item[rows].mean(0)
    step = items * float(table.mean(0).square().sum()) / total
    task = steps * float(of_task.square().sum()) / total
    item = steps * float((of_item - of_task).square().sum()) / total
    return VarianceShares(step, task, item, max(0.0, 1 - step - task - item), items, steps)


def longer_than(vector: Tensor, clean: Tensor) -> float:
    """Share (0–100) of clean vectors (N, D) that are shorter than ``vector`` (D,).

    Vectors with NaN are left out; NaN where none are left.
    """
    lengths = clean.float().norm(dim=-1)
    lengths = lengths[~lengths.isnan()]
    if not len(lengths):
        return float("nan")
    return 100.0 * float((lengths < vector.float().norm()).double().mean())


def _centred(points: Tensor) -> Tensor:
    table = points.double()
    return table - table.mean(0) if len(table) else table
