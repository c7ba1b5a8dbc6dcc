"""A batch as tensors: prompts that end together, replies that begin together.

    [prefix, shared] [picture 16] [padding | rest] [opening] [K latents] [reply | padding]

Prompts are padded between the picture and the question, so that the last prompt position, every
latent and the reply's first token each stand in one column. Positions are those transformers
computes: padding takes none, a picture takes its side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.training.formats import Format
from core.training.network import IMAGE_TOKENS, SIDE

NOTHING = -100  # what cross-entropy ignores


@dataclass(frozen=True)
class Prompts:
    """B prompts. `rest` (B, R) ids padded on the left, `real` (B, R) true where not padding,
    `next_position` (B,): the text position that follows the prompt."""

    rest: Tensor
    real: Tensor
    next_position: Tensor

    def to(self, device: torch.device) -> Prompts:
        """The same on a device."""
        return Prompts(self.rest.to(device), self.real.to(device), self.next_position.to(device))


def prompts(format_: Format, questions: Sequence[str]) -> Prompts:
    """Pad the questions of a batch; all share the prefix and the picture's place."""
    ids = [format_.rest(question) for question in questions]
    longest = max(map(len, ids))
    rest = torch.zeros(len(ids), longest, dtype=torch.long)
    real = torch.zeros(len(ids), longest, dtype=torch.bool)
    for k, row in enumerate(ids):
        rest[k, longest - len(row) :] = torch.tensor(row)
        real[k, longest - len(row) :] = True
    begin = len(format_.prefix) + SIDE
    return Prompts(rest, real, begin + real.sum(1))


def replies(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids (B, T) padded on the right with 0, and the same with padding as NOTHING."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    targets = torch.full((len(rows), longest), NOTHING)
    for k, row in enumerate(rows):
        ids[k, : len(row)] = torch.tensor(row)
        targets[k, : len(row)] = torch.tensor(row)
    return ids, targets


def rest_positions(format_: Format, batch: Prompts) -> Tensor:
    """Positions (B, 16 + R) x 3 axes -> (3, B, 16 + R) of pictures and rests."""
    start = len(format_.prefix)
    cell = torch.arange(IMAGE_TOKENS)
    picture = torch.stack([torch.zeros_like(cell), cell // SIDE, cell % SIDE]) + start
    count = len(batch.rest)
    text = (batch.real.long().cumsum(1) - 1).clamp(min=0) + start + SIDE
    return torch.cat(
        [picture[:, None].expand(3, count, -1), text.expand(3, count, -1)],
        dim=-1,
    )


def visible(format_: Format, batch: Prompts, queries: int, after: int) -> Tensor:
    """Which keys the last `queries` positions may see: (B, 1, queries, prefix + 16 + R + after).

    Keys are the shared prefix, the picture, the padded rest and `after` further positions.
    """
    count = len(batch.rest)
    before = torch.ones(count, len(format_.prefix) + IMAGE_TOKENS, dtype=torch.bool)
    later = torch.ones(count, after, dtype=torch.bool)
    keys = torch.cat([before, batch.real, later], dim=1)
    total = keys.shape[1]
    causal = torch.ones(total, total, dtype=torch.bool).tril()[total - queries :]
    own = torch.eye(total, dtype=torch.bool)[
        total - queries :
    ]  # padding sees itself, never nothing
    return ((keys[:, None] & causal) | own)[:, None]
