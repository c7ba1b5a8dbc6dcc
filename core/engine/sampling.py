"""Choosing the next token: greedy, or by seeded draws that branches share.

Draw n of a run depends on (seed, n) alone, not on what was drawn before. A branch that
starts in the middle therefore meets the same random numbers as its parent at the same
places (common random numbers), and a difference between them is the edit's, not the dice's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.records import Settings

TOP = 5
"""Of the likeliest tokens of a pass, kept with every run."""


def draw(scores: Tensor, settings: Settings, place: int) -> int:
    """One token id from processed scores (V,) of pass ``place``."""
    if settings.temperature <= 0:
        return int(scores.argmax())
    scores = scores.cpu() if scores.device.type == "mps" else scores  # which has no doubles
    shaped = _shape(scores.double() / settings.temperature, settings)
    probabilities = torch.softmax(shaped, -1).cpu()
    generator = torch.Generator().manual_seed((settings.seed * 1_000_003 + place) % (1 << 62))
    u = torch.rand((), generator=generator, dtype=torch.float64)
    cumulative = probabilities.cumsum(0)
    return int(
        torch.searchsorted(cumulative, u * cumulative[-1], right=True).clamp(max=len(shaped) - 1)
    )


def _shape(scores: Tensor, settings: Settings) -> Tensor:
    """Keep the ``top_k`` likeliest and the ``top_p`` nucleus; the rest get −∞."""
    if settings.top_k > 0:
        least = scores.topk(min(settings.top_k, len(scores))).values[-1]
        scores = scores.masked_fill(scores < least, float("-inf"))
    if settings.top_p < 1:
        ordered, order = scores.sort(descending=True)
        mass = torch.softmax(ordered, -1).cumsum(0)
        outside = mass - torch.softmax(ordered, -1) >= settings.top_p
        scores = scores.masked_fill(
            torch.zeros_like(outside).scatter(0, order, outside), float("-inf")
        )
    return scores


def likeliest(logits: Tensor, logprobs: Tensor) -> list[tuple[int, dict[int, float]]]:
    """Of each row (B, V) the token of the largest logit, and the likeliest with their
    log-probabilities."""
    top = logprobs.topk(min(TOP, logprobs.shape[-1]), dim=-1)
    # one reading of the device a step: ids and the bits of the values (no doubles on MPS)
    best = logits.argmax(-1, keepdim=True)
    ids = torch.cat([best, top.indices], -1).int()
    bits = torch.cat([ids, top.values.contiguous().view(torch.int32)], -1).cpu()
    chosen, values = bits.tensor_split([ids.shape[-1]], dim=-1)
    numbers = values.contiguous().view(torch.float32).tolist()
    return [
        (first, dict(zip(tokens, row, strict=True)))
        for (first, *tokens), row in zip(chosen.tolist(), numbers, strict=True)
    ]
