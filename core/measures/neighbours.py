"""Who is near whom in the original space: the evidence a two-dimensional map is not.

Exact, by blocks of distances on one device; no approximate index. Distances are Euclidean, or
``1 − cos`` with ``metric="cosine"``. Points with NaN have no neighbours: they are left out of
the averages, and :func:`nearest` refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError

METRICS = ("euclidean", "cosine")
BLOCK = 1 << 24
"""Distances held at once (64 MiB of float32)."""


def nearest(
    points: Tensor,
    k: int,
    queries: Tensor | None = None,
    metric: str = "euclidean",
    progress: Callable[[float], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """The k nearest of ``points`` (N, D) to each query.

    Args:
        points: finite numbers.
        k: fewer are returned when there are fewer.
        queries: (M, D); None asks about the points themselves, each without itself.
        metric: ``"euclidean"`` or ``"cosine"``.
        progress: called with the share done, 0–1.

    Returns:
        Indices int64 (M, k) and distances float32 (M, k), nearest first; equally
        near ones in the order of their indices.
    """
    itself = queries is None
    base, asked, squared = distances(points, points if queries is None else queries, metric)
    k = max(0, min(k, len(points) - itself))
    indices = torch.zeros(len(asked), k, dtype=torch.int64)
    lengths = torch.zeros(len(asked), k)
    if not k:
        return indices, lengths
    rows = max(1, BLOCK // len(points))
    for at in range(0, len(asked), rows):
        block = squared(asked[at : at + rows], base)
        if itself:
            own = torch.arange(at, at + len(block))
            block[own - at, own] = float("inf")
        found = block.topk(k, largest=False)
        # topk breaks ties as it likes; a stable order makes maps reproducible
        order = torch.argsort(found.indices, dim=1)
        by_index = found.values.gather(1, order)
        order = order.gather(1, torch.argsort(by_index, dim=1, stable=True))
        indices[at : at + rows] = found.indices.gather(1, order)
        lengths[at : at + rows] = found.values.gather(1, order)
        if progress is not None:
            progress(min(1.0, (at + rows) / len(asked)))
    return indices, (lengths.sqrt() if metric == "euclidean" else lengths)


def distances(
    points: Tensor, queries: Tensor, metric: str = "euclidean"
) -> tuple[Tensor, Tensor, Callable[[Tensor, Tensor], Tensor]]:
    """Points and queries made ready, and the distance between a block of each.

    The function maps queries (q, D) and points (n, D), as they are returned here, to (q, n):
    squared Euclidean distances, or 1 − cos.
    """
    if metric not in METRICS:
        raise InputError(f"Distance “{metric}” is unknown; choose {' or '.join(METRICS)}.")
    # a sum of anything not finite is not finite, and costs a tenth of asking every number
    if not all(bool(torch.isfinite(t.sum()) or torch.isfinite(t).all()) for t in (points, queries)):
        raise InputError("Neighbours need finite numbers; leave points with NaN out first.")
    if metric == "cosine":
        base, asked = (torch.nn.functional.normalize(t.float(), dim=-1) for t in (points, queries))
        return base, asked, lambda q, p: (1 - q @ p.T).clamp_(min=0)
    # centred and in float32: ‖q‖² + ‖p‖² − 2q·p loses digits to whatever all points share
    centre = points.mean(0, dtype=torch.float64) if len(points) else torch.zeros(points.shape[1])
    base = (points - centre.to(points.dtype)).float()
    asked = base if queries is points else (queries - centre.to(queries.dtype)).float()
    lengths = torch.linalg.vector_norm(base, dim=-1).square()

    def squared(q: Tensor, p: Tensor) -> Tensor:
        out = torch.addmm(lengths[None], q, p.T, alpha=-2)
        return out.add_(torch.linalg.vector_norm(q, dim=-1, keepdim=True).square()).clamp_(min=0)

    return base, asked, squared


@dataclass(frozen=True)
class Purity:
    """Share of a point's nearest neighbours that carry its own label.

    Attributes:
        value: mean over the points, in [0, 1].
        chance: what labels dealt at random would give.
        points: how many points were counted; k: neighbours of each.
    """

    value: float
    chance: float
    points: int
    k: int


def purity(
    points: Tensor, labels: Sequence[Hashable], k: int = 10, metric: str = "euclidean"
) -> Purity:
    """Neighbour purity of labelled points (N, D) in the space they live in."""
    if len(labels) != len(points):
        raise InputError(f"There are {len(points)} points and {len(labels)} labels.")
    kept = torch.isfinite(points).all(-1)
    names = [name for name, keep in zip(labels, kept.tolist(), strict=True) if keep]
    code = {name: n for n, name in enumerate(dict.fromkeys(names))}
    codes = torch.tensor([code[name] for name in names], dtype=torch.int64)
    found, _ = nearest(points[kept], k, metric=metric)
    n = len(names)
    if not found.numel():
        return Purity(float("nan"), float("nan"), n, 0)
    same = (codes[found] == codes[:, None]).float().mean()
    sizes = codes.bincount().double()
    chance = float((sizes * (sizes - 1)).sum()) / (n * (n - 1))
    return Purity(float(same), chance, n, found.shape[1])


def overlap(a: Tensor, b: Tensor, k: int = 10, metric: str = "euclidean") -> float:
    """Mean share of the k nearest neighbours two views (N, p) and (N, q) agree on, in [0, 1].

    Points with NaN in either view are left out; NaN with fewer than two points left.
    """
    if len(a) != len(b):
        raise InputError(f"The two views have {len(a)} and {len(b)} points.")
    kept = torch.isfinite(a).all(-1) & torch.isfinite(b).all(-1)
    one, _ = nearest(a[kept], k, metric=metric)
    other, _ = nearest(b[kept], k, metric=metric)
    return shared(one, other)


def shared(one: Tensor, other: Tensor) -> float:
    """Mean share of equal entries of two tables of neighbours (N, k), order aside."""
    if not one.numel():
        return float("nan")
    return float((one[:, :, None] == other[:, None, :]).any(-1).float().mean())


@dataclass(frozen=True)
class Retrieval:
    """How often a vector's nearest is its own partner.

    Attributes:
        accuracy: top-1, in [0, 1]; chance: 1 / N; items: N.
    """

    accuracy: float
    chance: float
    items: int


def retrieval(queries: Tensor, gallery: Tensor, metric: str = "cosine") -> Retrieval:
    """Is the same item found again? Row i of the queries belongs to row i of the gallery.

    Queries are latents of one rendering of each item (a paraphrase, another photograph),
    the gallery those of another (methodology M3). Items with NaN on either side are left out;
    an item as near to a stranger as to its partner is not counted as found.
    """
    if len(queries) != len(gallery):
        raise InputError(f"There are {len(queries)} queries and {len(gallery)} partners.")
    kept = torch.isfinite(queries).all(-1) & torch.isfinite(gallery).all(-1)
    asked, base = queries[kept], gallery[kept]
    n = len(asked)
    if not n:
        return Retrieval(float("nan"), float("nan"), 0)
    ready, questions, squared = distances(base, asked, metric)
    hits = 0
    step = max(1, BLOCK // n)
    for at in range(0, n, step):
        block = squared(questions[at : at + step], ready)
        line = torch.arange(len(block))
        own = block[line, at + line].clone()
        block[line, at + line] = float("inf")
        hits += int((own < block.amin(1)).sum()) if n > 1 else len(block)
    return Retrieval(hits / n, 1 / n, n)
