"""Logits of hidden states, summed and left in float32 whatever the weights are stored in."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from core.engine.threads import FEW, one

HALVES = (torch.bfloat16, torch.float16)
ROWS = 512
"""Of the output layer, turned to float32 at a time on a CPU: what stays in its cache meanwhile."""


def read_out(layer: nn.Module, hidden: Tensor) -> Tensor:
    """Raw float32 logits (…, V) of hidden states (…, D).

    With 16-bit weights the products are summed and left in float32: rounded to bfloat16, logits of
    some tens would be off by tenths and the likeliest words often tied.

    Args:
        layer: the output layer; its ``weight`` is (V, D).
    """
    weight: Tensor = layer.weight  # type: ignore[assignment]
    if weight.dtype not in HALVES or weight.device.type not in ("cpu", "cuda"):
        raw: Tensor = layer(hidden).float()
        return raw
    flat = hidden.reshape(-1, hidden.shape[-1]).to(weight.device, weight.dtype)
    if weight.is_cuda:
        out = torch.mm(flat, weight.t(), out_dtype=torch.float32)
    else:
        out = _in_parts(flat.float(), weight)
    return out.view(*hidden.shape[:-1], -1)


def _in_parts(hidden: Tensor, table: Tensor) -> Tensor:
    """(n, D) on (V, D) in 16 bits → (n, V).

    All of the table in float32 would be gigabytes; a part at a time is turned in one place that
    stays in the cache, as fresh memory for each costs as much as the product. For a few rows that
    is hundreds of steps too short for several threads (one row, 7B's table, two threads: 550 to
    900 ms, one: 144).
    """
    out = hidden.new_empty(len(hidden), len(table))
    wide = hidden.new_empty(ROWS, hidden.shape[-1])
    with one() if len(hidden) < FEW else nullcontext():
        for start in range(0, len(table), ROWS):
            part = table[start : start + ROWS]
            turned = wide[: len(part)].copy_(part)
            torch.mm(hidden, turned.t(), out=out[:, start : start + len(part)])
    return out
