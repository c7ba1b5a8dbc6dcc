"""The optimiser of every training here: Muon for the blocks' matrices, AdamW for the rest.

Muon (Jordan et al. 2024, torch.optim.Muon) needs about half of AdamW's steps at this size. Both
follow one schedule: a short linear warm-up, then a cosine down to 3 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Optimiser:
    """Both optimisers behind one face; owns their state.

    Args:
        named: (name, parameter) pairs to train; those named in `apart` never go to Muon.
        steps: length of the schedule.
        rate: AdamW's highest learning rate.
        matrix_rate: Muon's highest learning rate (update scaled to AdamW's size).
        warm_up: steps of linear warm-up, at most a tenth of the schedule.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        steps: int,
        rate: float = 1.5e-3,
        matrix_rate: float = 3e-3,
        warm_up: int = 60,
    ) -> None:
        matrices: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, weight in named:
            block = ".layers." in name or ".blocks." in name
            (matrices if block and weight.dim() == 2 else rest).append(weight)
        self.weights = [*matrices, *rest]
        self.steps, self.warm_up = steps, max(1, min(warm_up, steps // 10))
        self.parts: list[torch.optim.Optimizer] = []
        if matrices:
            self.parts.append(
                torch.optim.Muon(
                    matrices,
                    lr=matrix_rate,
                    weight_decay=0.05,
                    momentum=0.95,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if rest:
            self.parts.append(torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0))
        self.highest = [part.param_groups[0]["lr"] for part in self.parts]

    def factor(self, step: int) -> float:
        """The schedule's factor at `step`."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        done = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done))

    def descend(self, loss: Tensor, step: int) -> None:
        """One step down the loss, gradients clipped to length 1."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        for part, highest in zip(self.parts, self.highest, strict=True):
            part.param_groups[0]["lr"] = highest * self.factor(step)
            part.step()

    def state(self) -> list[dict[str, Any]]:
        """What a resumed training needs."""
        return [part.state_dict() for part in self.parts]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take back what `state` gave."""
        for part, kept in zip(self.parts, state, strict=True):
            part.load_state_dict(kept)
