"""Principal components, fast enough to be on screen at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EXACT = 512
"""Up to this many points or dimensions the eigenvectors are computed in full."""


@dataclass(frozen=True, eq=False)
class Axes:
    """A fitted plane.

    Attributes:
        mean: float32 (D,).
        axes: float32 (2, D), orthonormal; a row of zeros where the points have no such axis.
        shares: share of the variance along each, in [0, 1].
    """

    mean: Tensor
    axes: Tensor
    shares: tuple[float, float]

    def place(self, points: Tensor) -> Tensor:
        """Coordinates float32 (N, 2) of points (N, D)."""
        return (points.float() - self.mean) @ self.axes.T


def fit_axes(points: Tensor, seed: int = 0) -> Axes:
    """The first two principal axes of finite points (N, D).

    Small tables by the eigenvectors of the smaller Gram matrix, large ones by randomised
    subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4). The sign of an axis is
    such that its largest loading is positive, so a redraw does not mirror the map.

    Args:
        seed: of the start of the iteration, for large tables.
    """
    n, width = points.shape
    if not n or not width:
        return Axes(torch.zeros(width), torch.zeros(2, width), (0.0, 0.0))
    # sums in float32 where that is enough: on a large table each float64 pass costs a tenth of a
    # second, and all of it is to be on screen in one
    mean = points.mean(0, dtype=torch.float64)
    total_scale = float(torch.linalg.vector_norm(points)) ** 2
    if min(n, width) <= EXACT:
        centred = points.double() - mean
        axes, values = _exact(centred)
    else:
        centred = points.float() - mean.float()
        axes, values = _randomised(centred, 2, seed)
    total = float(torch.linalg.vector_norm(centred)) ** 2
    # a float32 mean leaves rounding behind where all points are the same
    rounding = total_scale * torch.finfo(torch.float32).eps ** 2
    if total <= rounding:
        return Axes(mean.float(), torch.zeros(2, width), (0.0, 0.0))
    there = values > max(rounding, total * 1e-12)
    axes = torch.where(there[:, None], axes, torch.zeros_like(axes))
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = torch.where(largest < 0, -axes, axes)
    first, second = (torch.where(there, values, 0 * values) / total).clamp(0, 1).tolist()
    return Axes(mean.float(), axes.float(), (first, second))


def _exact(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Two axes (2, D) and the sums of squares along them, float64."""
    n, width = centred.shape
    axes = torch.zeros(2, width, dtype=centred.dtype)
    values = torch.zeros(2, dtype=centred.dtype)
    count = min(2, n, width)
    if width <= n:
        found, vectors = torch.linalg.eigh(centred.T @ centred)
        values[:count] = found.flip(0)[:count]
        axes[:count] = vectors.T.flip(0)[:count]
    else:
        found, vectors = torch.linalg.eigh(centred @ centred.T)
        values[:count] = found.flip(0)[:count]
        across = vectors.T.flip(0)[:count] @ centred
        lengths = across.norm(dim=1, keepdim=True)
        axes[:count] = torch.where(lengths > 0, across / lengths, across)
    return axes, values.clamp(min=0)


def principal_components(points: Tensor, count: int, seed: int = 0) -> Tensor:
    """The first ``count`` principal coordinates, float32 (N, count), of finite points (N, D)."""
    centred = points.float() - points.double().mean(0).float()
    axes, _ = _randomised(centred, count, seed)
    return centred @ axes.T


def _randomised(
    centred: Tensor, count: int, seed: int, extra: int = 10, rounds: int = 4
) -> tuple[Tensor, Tensor]:
    """``count`` axes (count, D) and the sums of squares along them."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(centred.shape[1], count + extra, generator=generator)
    basis = torch.linalg.qr(centred @ start).Q
    for _ in range(rounds):
        basis = torch.linalg.qr(centred @ torch.linalg.qr(centred.T @ basis).Q).Q
    _, strengths, across = torch.linalg.svd(basis.T @ centred, full_matrices=False)
    return across[:count], strengths[:count].square()
