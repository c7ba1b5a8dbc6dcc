"""Which latent step weighs on which: influence between steps, and how early the answer is there.

W[t, s], s > t, is how much an edit of step t moves what would be read at step s: the mean over
items of the mean over answer tokens of KL(base ‖ do(t)), read after s latents (arXiv
2602.08783). The pair (t, last + 1) is the answer itself when the caller appends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError


def influence(divergences: Tensor) -> Tensor:
    """Mean over items of per-item divergences.

    Args:
        divergences: (N, T, T), 0 or above, nats; NaN where an item has no such pair.

    Returns:
        W float64 (T, T), 0 on and below the diagonal (an edit cannot act backward), NaN where
        no item has the pair.
    """
    if divergences.ndim != 3 or divergences.shape[1] != divergences.shape[2]:
        raise InputError("Influence is a table of edited step by read step for each item.")
    if bool((divergences < 0).any()):
        raise InputError("Divergences are 0 or above.")
    table = divergences.double()
    mean = torch.nanmean(table, dim=0) if len(table) else torch.full(table.shape[1:], torch.nan)
    later = torch.ones(mean.shape, dtype=torch.bool).triu(1)
    return torch.where(later, mean, torch.zeros_like(mean))


@dataclass(frozen=True)
class InfluenceSummary:
    """What an influence map says in four numbers, NaN when there is no influence at all.

    Attributes:
        locality: Σ_t W[t, t+1] / ΣW: share that goes to the very next step, in [0, 1].
        early_out: Σ_s W[first, s] / ΣW: share that leaves the first step, in [0, 1].
        late_in: Σ_t W[t, last] / ΣW: share that reaches the last step, in [0, 1].
        span: Σ (s − t) W[t, s] / ΣW: mean distance travelled, in [1, T − 1].
        total: ΣW, nats.
    """

    locality: float
    early_out: float
    late_in: float
    span: float
    total: float


def summarise(weights: Tensor) -> InfluenceSummary:
    """Summaries of W (T, T); NaN cells count as 0."""
    w = torch.nan_to_num(weights.double(), nan=0.0).triu(1)
    total = float(w.sum())
    if not total > 0:
        nan = float("nan")
        return InfluenceSummary(nan, nan, nan, nan, total)
    steps = torch.arange(len(w))
    distance = (steps[None, :] - steps[:, None]).double()
    return InfluenceSummary(
        float(w.diagonal(1).sum()) / total,
        float(w[0].sum()) / total,
        float(w[:, -1].sum()) / total,
        float((w * distance).sum()) / total,
        total,
    )


def principal_graph(weights: Tensor, threshold: float = 0.1) -> list[tuple[int, int, float]]:
    """The edges worth drawing: each step's strongest way out, if at least ``threshold`` · max W.

    Returns:
        (from, to, weight), by the step they leave.
    """
    w = torch.nan_to_num(weights.double(), nan=0.0).triu(1)
    if not w.numel() or not float(w.max()) > 0:
        return []
    strongest, target = w.max(dim=1)
    edges = zip(range(len(w)), target.tolist(), strongest.tolist(), strict=True)
    least = threshold * float(w.max())
    return [(t, s, value) for t, s, value in edges if value > 0 and value >= least]


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """How many latents the answer needs.

    Attributes:
        curve: S(k) = share of items with k_i ≤ k, float64 (K + 1,), k = 0 … K; never falls.
        first: k_i, the fewest latents after which item i gives the wanted answer, (N,); −1 for
            items that never do.
        accuracy: share of items that give it after exactly k latents, float64 (K + 1,).
    """

    curve: Tensor
    first: Tensor
    accuracy: Tensor


def early_exit(reached: Tensor) -> EarlyExit:
    """S(k) (arXiv 2602.08783).

    Args:
        reached: bool (N, K + 1): item i, stopped after k latents, gives the wanted answer (its
            gold one, or the one it gives at full length).
    """
    if reached.ndim != 2 or not reached.shape[1]:
        raise InputError("Early exit is a table of items by numbers of latents, 0 included.")
    hit = reached.bool()
    ever = hit.any(1)
    first = torch.where(ever, hit.int().argmax(1), torch.tensor(-1))
    if not len(hit):
        gap = torch.full((hit.shape[1],), torch.nan, dtype=torch.float64)
        return EarlyExit(gap, first, gap.clone())
    return EarlyExit(hit.cummax(1).values.double().mean(0), first, hit.double().mean(0))


def area_over_curve(same: Tensor) -> float:
    """1 − mean over the truncations of P(the answer is the full run's), in [0, 1].

    Lanham et al. 2023 (arXiv 2307.13702): 0 when the answer never needs the latents, 1 when any
    truncation changes it.

    Args:
        same: bool (N, K): item i, truncated to k < K latents, k = 0 … K − 1, answers as in full.

    Returns:
        NaN without items or truncations.
    """
    return 1 - float(same.double().mean()) if same.numel() else float("nan")
