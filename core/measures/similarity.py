"""How alike latents are: cosines within a run, across runs, and before and after an edit.

A raw cosine says little on its own. Hidden states of a transformer share a large common part
(anisotropy), and a few dimensions can dominate the angle, so that unrelated vectors reach 0.9.
Four readings are offered, by name:

* ``"raw"``: cos(x, y).
* ``"centred"``: cos(x − μ_k, y − μ_k), μ_k the mean of step k.
* ``"zscored"``: cosine of (x − μ_k) / s_k, dimension by dimension (Timkey & van Schijndel
  2021, arXiv 2109.04404). A dimension that never varies counts nothing.
* ``"corrected"``: (cos − b) / (1 − b), b the mean cosine of unrelated vectors **at the same
  site** (hidden states with hidden states, embeddings with embeddings): 0 is what unrelated
  vectors have, 1 is identity, below 0 is less alike than unrelated ones.

μ_k and s_k come from a :class:`Reference` (clean runs of other items); without one they are
taken over the vectors that are compared. A cosine with a vector of no length, or of numbers
that are not there (NaN), is NaN: undefined, not 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError

KINDS = ("raw", "centred", "zscored", "corrected")


@dataclass(frozen=True, eq=False)
class Reference:
    """What is normal at a site, step by step.

    Attributes:
        mean: μ_k, (K, D).
        spread: s_k, standard deviation per dimension, (K, D).
        unrelated: b, mean cosine of unrelated vectors at the site, or None.
    """

    mean: Tensor
    spread: Tensor
    unrelated: float | None = None


def reference_of(latents: Tensor, unrelated: Tensor | None = None) -> Reference:
    """The reference clean latents give.

    Args:
        latents: (N, K, D) of N items, NaN where an item has fewer steps; a bank's.
        unrelated: (M, D) vectors of the same site that have nothing to do with each other,
            e.g. last-layer hidden states at words of different items; None leaves b out.
    """
    table = latents.double()
    mean = torch.nanmean(table, dim=0)
    spread = torch.nanmean((table - mean).square(), dim=0).sqrt()
    b = None if unrelated is None else unrelated_cosine(unrelated)
    return Reference(mean, spread, b)


def cosine(a: Tensor, b: Tensor | None = None) -> Tensor:
    """Every cosine between the rows of (N, D) and (M, D): float32 (N, M) in [−1, 1] or NaN."""
    left = _unit(a)
    right = left if b is None else _unit(b)
    return (left @ right.T).clamp(-1, 1).float()


def paired_cosine(a: Tensor, b: Tensor) -> Tensor:
    """Row by row: float32 (N,) in [−1, 1] or NaN."""
    return (_unit(a) * _unit(b)).sum(-1).clamp(-1, 1).float()


def unrelated_cosine(vectors: Tensor, groups: Sequence[Hashable] | None = None) -> float:
    """Mean cosine over the pairs of (M, D) vectors that do not belong together.

    From sums alone: Σ_{i≠j} u_i·u_j = ‖Σ u_i‖² − M for unit vectors u, less the same within
    each group.

    Args:
        vectors: rows without length or with NaN are left out.
        groups: what each vector belongs to (its item); None makes every pair unrelated.

    Returns:
        A number in [−1, 1]; NaN when no pair is left.
    """
    unit = _unit(vectors)
    kept = ~unit.isnan().any(-1)
    unit = unit[kept]
    names = list(range(len(vectors))) if groups is None else list(groups)
    if len(names) != len(vectors):
        raise InputError(f"There are {len(vectors)} vectors and {len(names)} group names.")
    total = float(unit.sum(0).square().sum())
    pairs = len(unit) ** 2
    members: dict[Hashable, list[int]] = {}
    for row, name in enumerate(n for n, keep in zip(names, kept.tolist(), strict=True) if keep):
        members.setdefault(name, []).append(row)
    for rows in members.values():
        total -= float(unit[rows].sum(0).square().sum())
        pairs -= len(rows) ** 2
    return max(-1.0, min(1.0, total / pairs)) if pairs else float("nan")


def corrected(cosines: Tensor, unrelated: float) -> Tensor:
    """(cos − b) / (1 − b), range (−∞, 1]; NaN everywhere when b is 1."""
    if not unrelated < 1:
        return torch.full_like(cosines, float("nan"))
    return (cosines - unrelated) / (1 - unrelated)


def within_run(latents: Tensor, kind: str = "raw", reference: Reference | None = None) -> Tensor:
    """Step × step similarity of one run.

    Args:
        latents: (K, D).
        kind: one of :data:`KINDS`.
        reference: needed by ``"corrected"``.

    Returns:
        float32 (K, K), symmetric, 1 on the diagonal where it is defined.
    """
    b = _baseline(kind, reference)
    same = cosine(_adjusted(latents[None], kind, reference, pooled=True)[0])
    return same if b is None else corrected(same, b)


def across_runs(
    runs: Sequence[Tensor] | Tensor, kind: str = "raw", reference: Reference | None = None
) -> Tensor:
    """Item × item similarity at every step: the published grid of one panel per step.

    Args:
        runs: N latents (K_i, D), or one table (N, K, D) with NaN where steps are missing.
        kind, reference: see :func:`within_run`; without a reference μ_k and s_k are those of
            the runs at hand.

    Returns:
        float32 (K, N, N), K the longest run's; NaN where an item has no such step.
    """
    b = _baseline(kind, reference)
    table = runs if isinstance(runs, Tensor) else table_of(runs)
    adjusted = _adjusted(table, kind, reference, pooled=False)  # (N, K, D)
    panels = [cosine(adjusted[:, k]) for k in range(table.shape[1])]
    grid = torch.stack(panels) if panels else torch.zeros(0, len(table), len(table))
    return grid if b is None else corrected(grid, b)


def between(
    base: Tensor, branch: Tensor, kind: str = "raw", reference: Reference | None = None
) -> Tensor:
    """Step by step similarity of a run and its branch: float32 (K,), K the shorter one's.

    Without a reference, ``"centred"`` and ``"zscored"`` take mean and spread over all steps of
    both: of two vectors alone the centred cosine would always be −1.
    """
    b = _baseline(kind, reference)
    steps = min(len(base), len(branch))
    pair = torch.stack([base[:steps], branch[:steps]])
    adjusted = _adjusted(pair, kind, reference, pooled=True)
    same = paired_cosine(adjusted[0], adjusted[1])
    return same if b is None else corrected(same, b)


def as_compared(vectors: Tensor, kind: str = "raw", reference: Reference | None = None) -> Tensor:
    """Vectors as a reading compares them, to be set beside others in one matrix.

    Args:
        vectors: (K, D), row k of step k where the reference has steps.
        kind: one of :data:`KINDS`; ``"corrected"`` corrects cosines and leaves vectors as they
            are.
        reference: see :func:`within_run`; without one μ and s are those of the vectors.

    Returns:
        float64 (K, D), for :func:`cosine`.
    """
    if kind not in KINDS:
        raise InputError(f"Similarity “{kind}” is unknown; choose {', '.join(KINDS)}.")
    return _adjusted(vectors[None], kind, reference, pooled=True)[0]


def table_of(runs: Sequence[Tensor]) -> Tensor:
    """N latents (K_i, D) as one table (N, K, D), NaN where a run has fewer steps."""
    if not runs:
        return torch.zeros(0, 0, 0)
    steps = max(len(run) for run in runs)
    table = torch.full((len(runs), steps, runs[0].shape[-1]), float("nan"))
    for row, run in enumerate(runs):
        table[row, : len(run)] = run
    return table


def _adjusted(table: Tensor, kind: str, reference: Reference | None, *, pooled: bool) -> Tensor:
    """The vectors (N, K, D) as ``kind`` wants them, float64."""
    vectors = table.double()
    if kind in ("raw", "corrected") or not vectors.numel():
        return vectors
    if reference is not None:
        steps = torch.arange(vectors.shape[1]).clamp(max=len(reference.mean) - 1)
        mean, spread = reference.mean.double()[steps], reference.spread.double()[steps]
    else:
        over = (0, 1) if pooled else (0,)
        mean = torch.nanmean(vectors, dim=over)
        spread = torch.nanmean((vectors - mean).square(), dim=over).sqrt()
    offset = vectors - mean
    # what is left of vectors equal to their mean is rounding, and has no direction
    rounding = 1e-12 * vectors.norm(dim=-1, keepdim=True)
    offset = torch.where(offset.norm(dim=-1, keepdim=True) > rounding, offset, offset * 0)
    if kind == "centred":
        return offset
    return torch.where(spread > 0, offset / spread, offset * 0)


def _baseline(kind: str, reference: Reference | None) -> float | None:
    if kind not in KINDS:
        raise InputError(f"Similarity “{kind}” is unknown; choose {', '.join(KINDS)}.")
    if kind != "corrected":
        return None
    if reference is None or reference.unrelated is None:
        raise InputError(
            "The corrected cosine needs the mean cosine of unrelated vectors at the same site; "
            "give a reference that has it."
        )
    return reference.unrelated


def _unit(vectors: Tensor) -> Tensor:
    """Rows of length 1, float64; NaN where there is no length."""
    rows = vectors.double()
    # in two steps: squares of very large or small numbers leave float64's range
    largest = rows.abs().amax(-1, keepdim=True) if rows.shape[-1] else rows.sum(-1, keepdim=True)
    rows = rows / largest
    return rows / rows.norm(dim=-1, keepdim=True)
