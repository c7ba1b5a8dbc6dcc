"""Measuring what an edit delivered: the numbers on a receipt."""

from __future__ import annotations

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
    before, after = natural.double(), edited.double()
    size = float(before.norm())
    change = float((after - before).norm())
    product = float(after.norm()) * size
    cosine = float(before @ after) / product if product > 0 else 0.0
    ratio = float(after.norm()) / size if size > 0 else 0.0
    if change == 0:
        cosine = ratio = 1.0
    changed = None
    if hidden is not None:
        old, new = (h.detach().double().cpu() for h in hidden)
        changed = float((new - old).norm()) / max(float(old.norm()), 1e-30)
    return Dose(
        step=step,
        epsilon=change / size if size > 0 else (0.0 if change == 0 else float("inf")),
        cosine=max(-1.0, min(1.0, cosine)),
        norm_ratio=ratio,
        percentile=None if bank is None else bank.percentile(step, edited),
        hidden_change=changed,
    )
