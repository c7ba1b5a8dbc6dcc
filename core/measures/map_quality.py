"""How far a two-dimensional map can be believed: numbers to stand under it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError
from core.measures.neighbours import BLOCK, distances


@dataclass(frozen=True)
class MapQuality:
    """What a map kept of the space it shows.

    Attributes:
        trustworthiness: in [0, 1]; 1: all neighbours on the map are neighbours in the space.
            Venna & Kaski 2001: 1 − 2 / (n k (2N − 3k − 1)) Σ_i Σ_j max(0, r(i, j) − k) over the
            k nearest j of i on the map, r the rank of j among i's neighbours in the space.
        overlap: mean share of the k nearest neighbours in the space that are among the k
            nearest on the map, in [0, 1].
        k: neighbours looked at.
        points: N; asked: for how many of them (a seeded sample of a large map).
    """

    trustworthiness: float
    overlap: float
    k: int
    points: int
    asked: int


def map_quality(
    space: Tensor, map_: Tensor, k: int = 10, most: int = 1000, seed: int = 0
) -> MapQuality:
    """Compare points (N, D) with their places on a map (N, d).

    Args:
        space, map_: points with NaN in either are left out.
        k: brought below N / 2, where trustworthiness is defined.
        most: of more points than this a seeded sample of that size is asked about.

    Returns:
        NaN with fewer than 4 points.
    """
    if len(space) != len(map_):
        raise InputError(f"The map has {len(map_)} points and the space {len(space)}.")
    kept = torch.isfinite(space).all(-1) & torch.isfinite(map_).all(-1)
    high, low = space[kept], map_[kept]
    n = len(high)
    k = min(k, (n - 1) // 2)
    if k < 1 or n < 4:
        return MapQuality(float("nan"), float("nan"), max(k, 0), n, 0)
    rows = torch.arange(n)
    if n > most:
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randperm(n, generator=generator)[:most].sort().values
    base_high, asked_high, between_high = distances(high, high[rows])
    base_low, asked_low, between_low = distances(low, low[rows])
    penalty, agreed = 0, 0
    step = max(1, BLOCK // n)
    for at in range(0, len(rows), step):
        own = rows[at : at + step]
        line = torch.arange(len(own))
        far = between_high(asked_high[at : at + step], base_high)
        near = between_low(asked_low[at : at + step], base_low)
        far[line, own] = float("inf")
        near[line, own] = float("inf")
        on_map = near.topk(k, largest=False).indices
        in_space = far.topk(k, largest=False).indices
        # rank 1 is the nearest other point; of equally far ones all have the best rank
        ranks = torch.searchsorted(far.sort(dim=1).values, far.gather(1, on_map)) + 1
        penalty += int((ranks - k).clamp(min=0).sum())
        agreed += int((on_map[:, :, None] == in_space[:, None, :]).any(-1).sum())
    trust = 1 - 2 * penalty / (len(rows) * k * (2 * n - 3 * k - 1))
    return MapQuality(trust, agreed / (len(rows) * k), k, n, len(rows))
