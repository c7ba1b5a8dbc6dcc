"""How far a vector is from a cloud, in the cloud's own shape: Mahalanobis against a bank's step.

With fewer clean latents than dimensions the sample covariance has no inverse. Ledoit & Wolf
(2004, "A well-conditioned estimator for large-dimensional covariance matrices") shrink it
toward a multiple of the identity, Σ = (1 − ρ) S + ρ μ I, by the ρ that is best in expectation.
Nothing of size D × D is ever held: the inverse is applied through the n centred points
(Woodbury).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from core.errors import InputError


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A shrunk covariance.

    Attributes:
        mean: float64 (D,).
        centred: float64 (n, D), the points less their mean.
        shrinkage: ρ in [0, 1].
        scale: μ, the mean variance of a dimension.
    """

    mean: Tensor
    centred: Tensor
    shrinkage: float
    scale: float

    @cached_property
    def _inner(self) -> Tensor:
        """Cholesky factor (n, n) of I·a·n/(1 − ρ) + X Xᵀ, a = ρ μ."""
        n = len(self.centred)
        ridge = self.shrinkage * self.scale * n / (1 - self.shrinkage)
        gram = self.centred @ self.centred.T
        return torch.linalg.cholesky(gram + ridge * torch.eye(n, dtype=gram.dtype))

    def squared(self, points: Tensor) -> Tensor:
        """Squared Mahalanobis distances float64 (M,) of points (M, D); NaN where they hold NaN."""
        offset = points.double() - self.mean
        floor = self.shrinkage * self.scale
        if self.shrinkage >= 1:
            return offset.square().sum(-1) / floor
        there = torch.isfinite(offset).all(-1)
        out = torch.full((len(offset),), float("nan"), dtype=torch.float64)
        kept = offset[there]
        across = self.centred @ kept.T  # (n, m)
        solved = torch.cholesky_solve(across, self._inner)
        out[there] = (kept.square().sum(-1) - (across * solved).sum(0)).clamp(min=0) / floor
        return out

    @cached_property
    def left_out(self) -> Tensor:
        """Squared distance of each point from the cloud of the others, float64 (n,), sorted.

        By Sherman & Morrison, with mean and shrinkage held: d² / (1 − c d²), c = (1 − ρ) / n.
        A point's distance to a cloud it is part of would be too small to compare others with.
        """
        own = self.squared(self.mean + self.centred)
        share = (1 - self.shrinkage) / len(self.centred)
        return (own / (1 - share * own).clamp(min=1e-12)).sort().values

    def percentile(self, point: Tensor) -> float:
        """Share (0–100) of the cloud's own points nearer to it than ``point`` (D,) is.

        Each of them is measured against the others; NaN for a point that holds NaN.
        """
        distance = self.squared(point[None])[0]
        if not bool(torch.isfinite(distance)):
            return float("nan")
        return 100.0 * float((self.left_out < distance).double().mean())


def shrunk_covariance(points: Tensor) -> Shrunk:
    """The shrunk covariance of points (N, D); rows with NaN are left out.

    Raises:
        InputError: fewer than 3 points are left, or they do not vary.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    kept = points[torch.isfinite(points).all(-1)].double()
    if len(kept) < 3:
        raise InputError(f"A covariance needs 3 points or more; there are {len(kept)}.")
    mean = kept.mean(0)
    centred = kept - mean
    scale = float(centred.square().sum()) / centred.numel()
    rounding = float(kept.square().mean()) * torch.finfo(torch.float32).eps ** 2
    if not scale > rounding:
        raise InputError("These points are all the same, so they have no covariance.")
    shrinkage = float(ledoit_wolf_shrinkage(centred.numpy(), assume_centered=True))
    # at exactly 0 (many points in few dimensions) the formula above would divide by it
    return Shrunk(mean, centred, min(1.0, max(shrinkage, 1e-6)), scale)
