"""The three passes of a training step: the prompt, the latents, the reply.

    open_span   [picture | rest | opening] over the shared prefix     -> kept, first hidden state
    imagine     K - 1 single steps, each fed what the last one made     -> latents with gradients
    reply       [latents | reply] over what `open_span` kept            -> hidden states to score

`reply` takes any latents: the model's own, their targets, a donor's. So one prompt's keys and
values serve every intervention, and gradients run from an answer through the latents to the prompt
they came from. Column 0 of `opened` is the prompt's last position.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.training.batches import Prompts, rest_positions, visible
from core.training.formats import Format
from core.training.forward import Kept, Packed, rotation, run


@dataclass(frozen=True)
class Opened:
    """What a prompt leaves: `hidden` (B, 1 + O, D) of its last position and the opening's,
    keys and values, the mask's key side, and the next text position (B,)."""

    hidden: Tensor
    kept: Kept
    prompts: Prompts
    next_position: Tensor

    @property
    def first(self) -> Tensor:
        """The hidden state (B, D) that becomes the first latent."""
        return self.hidden[:, -1]


def open_span(
    packed: Packed,
    format_: Format,
    features: Tensor,
    batch: Prompts,
    middle: list[Tensor] | None = None,
) -> Opened:
    """Run B prompts with pictures' features (B, 16, D), and the opening up to the first latent."""
    count = len(features)
    prefix = torch.tensor(format_.prefix)
    start = torch.arange(len(prefix)).expand(3, 1, -1)
    causal = torch.ones(len(prefix), len(prefix), dtype=torch.bool).tril()[None, None]
    _, shared = run(packed, packed.embedding[prefix][None], rotation(packed, start), causal)
    kept = [(k.expand(count, -1, -1, -1), v.expand(count, -1, -1, -1)) for k, v in shared]
    opening = torch.tensor(format_.embedded_opening, dtype=torch.long).expand(count, -1)
    text = packed.embedding[torch.cat([batch.rest, opening], dim=1)]
    segment = torch.cat([features, text], dim=1)
    after = opening.shape[1]
    positions = torch.cat(
        [rest_positions(format_, batch), text_positions(batch.next_position, 0, after)], dim=-1
    )
    mask = visible(format_, batch, segment.shape[1], after)
    turn = rotation(packed, positions)
    hidden, kept = run(packed, segment, turn, mask, kept, last=1 + after, middle=middle)
    return Opened(hidden, kept, batch, batch.next_position + after)


def imagine(
    packed: Packed, format_: Format, opened: Opened, budget: int, head: nn.Module | None = None
) -> Tensor:
    """The model's own K latents (B, K, D), each computed from those before it.

    With a head (LVR) the first latent is the raw hidden state, later ones are projected.
    """
    kept = opened.kept
    latents = [opened.first]
    after = len(format_.embedded_opening)
    for step in range(budget - 1):
        positions = text_positions(opened.next_position, step, 1)
        mask = visible(format_, opened.prompts, 1, after + step + 1)
        hidden, kept = run(packed, latents[-1][:, None], rotation(packed, positions), mask, kept)
        made = hidden[:, 0] if head is None else head(hidden[:, 0])
        latents.append(made.float())
    return torch.stack(latents, dim=1)


def settle(
    packed: Packed,
    format_: Format,
    opened: Opened,
    guess: Tensor,
    head: nn.Module | None = None,
    rounds: int = 3,
) -> Tensor:
    """Nearly the model's own latents (B, K, D), all steps at once, with gradients.

    Each round feeds the last one's K latents in one parallel pass and takes what the model makes of
    them; round n leaves the first n exactly as `imagine` would (a Jacobi iteration), and K rounds
    all. Three cost a third of eight single steps and serve for training.
    """
    nothing = torch.empty(len(guess), 0, dtype=torch.long)
    for _ in range(rounds):
        hidden, _ = reply(packed, format_, opened, guess, nothing)
        made = hidden if head is None else head(hidden)
        guess = torch.cat([opened.first[:, None], made[:, :-1].float()], dim=1)
    return guess


def reply(
    packed: Packed,
    format_: Format,
    opened: Opened,
    latents: Tensor | None,
    said: Tensor,
    donors: Tensor | None = None,
    middle: list[Tensor] | None = None,
) -> tuple[Tensor, Kept]:
    """Hidden states (B, K + T, D) of latents (B, K, D) and said ids (B, T), and what is kept.

    `donors` (B,) makes the reply read each latent slot's keys and values from another row; the
    latents themselves are then run first.
    """
    after = len(format_.embedded_opening)
    words = packed.embedding[said]
    budget = 0 if latents is None else latents.shape[1]
    total = budget + said.shape[1]
    turn = rotation(packed, text_positions(opened.next_position, 0, total))
    if latents is None:
        mask = visible(format_, opened.prompts, total, after + total)
        return run(packed, words, turn, mask, opened.kept, middle=middle)
    if donors is None:
        mask = visible(format_, opened.prompts, total, after + total)
        segment = torch.cat([latents, words], dim=1)
        return run(packed, segment, turn, mask, opened.kept, middle=middle)
    mask = visible(format_, opened.prompts, budget, after + budget)
    early = turn[0][:, :, :budget], turn[1][:, :, :budget]
    hidden, kept = run(packed, latents, early, mask, opened.kept)

    def exchanged(own: Tensor) -> Tensor:
        return torch.cat([own[:, :, :-budget], own[donors][:, :, -budget:]], dim=2)

    kept = [(exchanged(keys), exchanged(values)) for keys, values in kept]
    if not said.shape[1]:
        return hidden, kept
    mask = visible(format_, opened.prompts, said.shape[1], after + total)
    late = turn[0][:, :, budget:], turn[1][:, :, budget:]
    answer, kept = run(packed, words, late, mask, kept)
    return torch.cat([hidden, answer], dim=1), kept


def text_positions(first: Tensor, skip: int, length: int) -> Tensor:
    """Text positions (3, B, length) from `first` (B,) + skip."""
    return (first[:, None] + skip + torch.arange(length)).expand(3, -1, -1)
