"""Collapse: how soon the latents of different items, or of one run, become the same vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.measures.similarity import paired_cosine


@dataclass(frozen=True, eq=False)
class Collapse:
    """Similarity over the pairs of items, one number per step, float32 (K,) each.

    Attributes:
        mean: over all pairs of different items.
        low, high: 10th and 90th percentile of the pairs.
        pairs: how many pairs there are at the step.
    """

    mean: Tensor
    low: Tensor
    high: Tensor
    pairs: Tensor


def collapse_curve(grid: Tensor) -> Collapse:
    """The curve of a grid of similarities.

    Args:
        grid: (K, N, N) of :func:`core.measures.similarity.across_runs`, any kind.

    Returns:
        NaN at steps that fewer than two items have.
    """
    steps, items = grid.shape[0], grid.shape[-1]
    above = torch.triu_indices(items, items, 1)
    pairs = grid[:, above[0], above[1]]  # (K, N·(N−1)/2)
    out = torch.full((3, steps), float("nan"))
    for step, values in enumerate(pairs):
        there = values[~values.isnan()].numpy()
        if len(there):
            # numpy's, because torch's quantile ends at 16 million pairs: 5,800 items
            out[:, step] = torch.tensor([there.mean(), *np.quantile(there, [0.1, 0.9])])
    mean, low, high = out
    return Collapse(mean, low, high, (~pairs.isnan()).sum(-1))


def successive(latents: Tensor) -> Tensor:
    """cos(z_k, z_{k+1}) along one run (K, D): float32 (K − 1,).

    Asked of the hidden states at a run's own words it is the reference line: words stay
    different from each other where collapsed latents do not.
    """
    if len(latents) < 2:
        return torch.zeros(0)
    return paired_cosine(latents[:-1], latents[1:])


def collapsed_from(curve: Tensor, threshold: float) -> int | None:
    """First step from which ``curve`` stays at or above ``threshold``, or None.

    Steps that are NaN are passed over; a curve of nothing else never collapses.
    """
    found = None
    for step, value in enumerate(curve.tolist()):
        if value != value:
            continue
        if value < threshold:
            found = None
        elif found is None:
            found = step
    return found
