"""Latents a person replaced while the model was running, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine.dose import dose
from core.errors import EditError
from core.records import Edit, Receipt


@dataclass(frozen=True, eq=False)
class HandMade:
    """The vector that stood at (span, step) and the one a person fed in its place."""

    span: int
    step: int
    natural: Tensor
    sent: Tensor


def checked_vector(vector: Tensor, width: int) -> Tensor:
    """The vector as float32 (D,).

    Raises:
        EditError: it has another width, or holds NaN or infinity.
    """
    vector = torch.as_tensor(vector).detach().to("cpu", torch.float32).flatten()
    if vector.shape[0] != width:
        raise EditError(f"A latent of this model has {width} numbers, not {vector.shape[0]}.")
    if not bool(vector.isfinite().all()):
        raise EditError("A latent must hold finite numbers only.")
    return vector


def hand_made_record(made: Sequence[HandMade]) -> tuple[tuple[Edit, ...], tuple[Receipt, ...]]:
    """The edits and receipts of what a person fed, one edit a replaced latent."""
    edits, receipts = [], []
    for change in made:
        edits.append(Edit("manual", steps=[change.step], span=change.span, values=change.sent))
        receipts.append(
            Receipt(
                "manual",
                "propagate",
                change.span,
                (dose(change.step, change.natural, change.sent),),
                "fed by hand while the model was running",
            )
        )
    return tuple(edits), tuple(receipts)
