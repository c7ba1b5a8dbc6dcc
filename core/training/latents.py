"""What latents are taught to be, and the vectors that replace them in training interventions.

All vectors have the length of a fed-back hidden state, L = the final norm's gain times sqrt(D), so
that nothing can be told from a latent's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

NONE = -1  # "nothing here": what is left of the budget when all counted objects are shown


def spread(task: str, cells: Sequence[int], budget: int) -> list[int]:
    """Which cell each of K latents shows; their number is always K and so tells nothing.

    One object: all K. Two: half each. Counting: each object once, in order, then NONE. Planning:
    start and path, then the goal for what is left.
    """
    if task == "count":
        return [*cells, *[NONE] * (budget - len(cells))][:budget]
    if task == "plan":
        return [*cells, *[cells[-1]] * (budget - len(cells))][:budget]
    return [cells[k * len(cells) // budget] for k in range(budget)]


def blank(width: int, length: float) -> Tensor:
    """The constant that stands for NONE: a fixed direction (D,), nearly orthogonal to others."""
    draw = torch.Generator().manual_seed(17)
    return F.normalize(torch.randn(width, generator=draw), dim=0) * length


def scaled(vectors: Tensor, length: float) -> Tensor:
    """Vectors (..., D) brought to the latents' length."""
    return F.normalize(vectors.float(), dim=-1) * length


def shown(features: Tensor, cells: Tensor, nothing: Tensor, length: float) -> Tensor:
    """The image tokens (B, K, D) of cells (B, K) in features (B, 16, D); `nothing` where NONE."""
    index = cells.clamp(min=0)[..., None].expand(-1, -1, features.shape[-1])
    found = scaled(features.gather(1, index), length)
    return torch.where((cells == NONE)[..., None], nothing, found)


def smudged(
    latents: Tensor, others: Tensor, length: float, draw: torch.Generator, most: float = 0.6
) -> Tensor:
    """Latents as a model in training makes them: blurred by noise and by a share of `others` (of
    the same shape, other cells), each up to `most` of their length, then brought back to length."""
    blur = torch.rand(latents.shape[:-1], generator=draw)[..., None] * most
    # one share a row: a search that is unsure between two cells stays so while it is repeated
    share = torch.rand(len(latents), 1, 1, generator=draw) * most
    noise = torch.randn(latents.shape, generator=draw) / latents.shape[-1] ** 0.5
    return scaled(latents + blur * length * noise + share * others, length)


def overwritten(latents: Tensor, length: float, draw: torch.Generator) -> Tensor:
    """What latents (B, K, D) may become without consequence: per row noise of the same length,
    zeros, another row's, one step's repeated, or a mixture of two rows'."""
    count = len(latents)
    noise = scaled(torch.randn(latents.shape, generator=draw), length)
    other = latents[torch.randperm(count, generator=draw)]
    share = torch.rand(count, 1, 1, generator=draw)
    mixed = scaled(share * noise + (1 - share) * latents, length)
    loud = noise * (1 + 2 * share)
    kinds = torch.stack([noise, torch.zeros_like(noise), other, mixed, loud])
    pick = torch.randint(len(kinds), (count,), generator=draw)
    return kinds[pick, torch.arange(count)]


def emptied(latents: Tensor, length: float, draw: torch.Generator) -> Tensor:
    """What latents (B, K, D) are that hold nothing of their row: per row noise of the same
    length, zeros, or the step's mean over the rows."""
    noise = scaled(torch.randn(latents.shape, generator=draw), length)
    mean = latents.mean(0, keepdim=True).expand_as(latents)
    kinds = torch.stack([noise, torch.zeros_like(noise), mean])
    pick = torch.randint(len(kinds), (len(latents),), generator=draw)
    return kinds[pick, torch.arange(len(latents))]


def nearest(latents: Tensor, features: Tensor) -> Tensor:
    """The cell (B, K) whose image token has the highest cosine with each latent."""
    cosine = F.normalize(latents, dim=-1) @ F.normalize(features, dim=-1).transpose(1, 2)
    return cosine.argmax(-1)
