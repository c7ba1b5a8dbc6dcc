"""Measuring what an edit delivered: the numbers on a receipt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.records import Bank, Dose


def dose(
    step: int,
    natural: Tensor,
    edited: Tensor,
    bank: Bank | None = None,
    hidden: tuple[Tensor, Tensor] | None = None,
) -> Dose:
    """The dose delivered at one step.

    Args:
        step: index into the span.
        natural, edited: float32 (D,), what stood there and what was fed.
        bank: for the percentile.
        hidden: the slot's hidden state in the parent and in the branch, (D,) each.
    """
    before, after = _numbers(natural), _numbers(edited)
    size, length = float(np.linalg.norm(before)), float(np.linalg.norm(after))
    change = float(np.linalg.norm(after - before))
    product = length * size
    cosine = float(before @ after) / product if product > 0 else 0.0
    ratio = length / size if size > 0 else 0.0
    if change == 0:
        cosine = ratio = 1.0
    changed = None
    if hidden is not None:
        old, new = (_numbers(h) for h in hidden)
        changed = float(np.linalg.norm(new - old)) / max(float(np.linalg.norm(old)), 1e-30)
    return Dose(
        step=step,
        epsilon=change / size if size > 0 else (0.0 if change == 0 else float("inf")),
        cosine=max(-1.0, min(1.0, cosine)),
        norm_ratio=ratio,
        percentile=None if bank is None else bank.percentile(step, edited),
        hidden_change=changed,
    )


def _numbers(vector: Tensor) -> NDArray[np.float64]:
    """A vector as float64 (D,); numpy, whose cost a call is a tenth of torch's at this size."""
    numbers: NDArray[np.float64] = vector.detach().cpu().float().numpy().astype(np.float64)
    return numbers
