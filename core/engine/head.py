"""LVR's latent heads: the projection a checkpoint may apply to what it feeds back.

Two published shapes (lvr, src/model/lvr_heads.py): ``simple``, a normalised two-layer
perceptron, and ``glu``, a gated one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import CheckpointError

EXTRA_PREFIXES = ("lvr_head.", "lvr_latent_end_emb")


class Head(nn.Module):
    """A projection (…, D) → (…, D).

    Attributes:
        width: D.
    """

    width: int


class SimpleHead(Head):
    """LayerNorm (ε 1e-6) → Linear → GELU → Linear."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.width = width
        self.ln_q = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Project (…, D)."""
        projected: Tensor = self.mlp(self.ln_q(hidden))
        return projected


class GatedHead(Head):
    """down(silu(gate x) · up x), with biases."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.width = width
        self.gate_proj = nn.Linear(width, inner)
        self.up_proj = nn.Linear(width, inner)
        self.down_proj = nn.Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Project (…, D)."""
        gated = nn.functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden)
        projected: Tensor = self.down_proj(gated)
        return projected


def build_head(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Head | None:
    """The head of a checkpoint from its extra tensors, or None when it has none.

    Raises:
        CheckpointError: when config.json promises a head the weights lack, or the tensors
            fit neither shape.
    """
    own = {
        name.removeprefix("lvr_head."): tensor
        for name, tensor in tensors.items()
        if name.startswith("lvr_head.")
    }
    if not config.get("lvr_head"):
        if own:
            raise CheckpointError("The weights hold an lvr_head that config.json does not name.")
        return None
    if not own:
        raise CheckpointError("config.json names an lvr_head, but the weights hold none.")
    if "mlp.0.weight" in own:
        inner, width = own["mlp.0.weight"].shape
        head: Head = SimpleHead(width, inner)
    elif "gate_proj.weight" in own:
        inner, width = own["gate_proj.weight"].shape
        head = GatedHead(width, inner)
    else:
        raise CheckpointError("The lvr_head of this checkpoint has an unknown shape.")
    try:
        head.load_state_dict({name: t.to(torch.float32) for name, t in own.items()})
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"The lvr_head cannot be loaded ({first}).") from error
    return head
