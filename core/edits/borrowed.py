"""Content edits that take their vector from elsewhere: a donor, a word, the picture, a hand.

z, z′ and the numbering are those of :mod:`core.edits.content`; z^d is the donor's latent.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.edits.context import Context
from core.edits.kinds import Change
from core.errors import EditError
from core.records import Edit


def shared(edit: Edit, context: Context) -> Change:
    """One fixed vector at every step (Z4)."""
    constant = _constant(edit, context)
    return lambda step, z: constant


def _constant(edit: Edit, context: Context) -> Tensor:
    if isinstance(edit.values, Tensor):
        return context.table(edit.values, "The constant")[0]
    if edit.donor is not None:
        return context.donor(edit)[0]
    if context.engine.bank is not None:
        return context.engine.bank.overall
    return context.span(edit).latents.mean(0)


def swap(edit: Edit, context: Context) -> Change:
    """The donor's latent of the same step (Z9)."""
    donor = _long_enough(edit, context)
    return lambda step, z: donor[step]


def slerp(edit: Edit, context: Context) -> Change:
    """Along the sphere toward the donor's, length kept (Z10)."""
    donor = _long_enough(edit, context)
    t = 0.5 if edit.fraction is None else float(edit.fraction)
    if not 0 <= t <= 1:
        raise EditError("The fraction toward the donor must lie between 0 and 1.")

    def change(step: int, z: Tensor) -> Tensor:
        size, other = z.norm(), donor[step].norm()
        if t == 0 or size == 0 or other == 0:
            return z
        a, b = z / size, donor[step] / other
        angle = torch.arccos((a @ b).clamp(-1, 1))
        if float(angle.sin()) < 1e-6:
            return z
        return size * (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()

    return change


def steer(edit: Edit, context: Context) -> Change:
    """z + ε‖z‖ (z^d − z)/‖z^d − z‖: a fixed relative dose toward the donor's (Z16)."""
    donor = _long_enough(edit, context)
    dose = 1.0 if edit.dose is None else float(edit.dose)
    if dose < 0 or not math.isfinite(dose):
        raise EditError("The dose must be a number of 0 or more.")

    def change(step: int, z: Tensor) -> Tensor:
        way = donor[step] - z
        if dose == 0 or float(way.norm()) == 0:
            return z
        return z + dose * z.norm() * way / way.norm()

    return change


def _long_enough(edit: Edit, context: Context) -> Tensor:
    """The donor, filled up with the bank's step means where it is shorter than the span."""
    donor = context.donor(edit)
    last = max(context.steps(edit))
    if last < donor.shape[0]:
        return donor
    bank = context.engine.bank
    if bank is None:
        raise EditError(
            f"The donor has {donor.shape[0]} latents, so it has none for step {last + 1}; choose "
            "steps it has, or a longer donor."
        )
    fill = [bank.at(bank.mean, k) for k in range(donor.shape[0], last + 1)]
    return torch.cat([donor, torch.stack(fill)])


def token(edit: Edit, context: Context) -> Change:
    """A vocabulary token's embedding (Z18)."""
    vector = context.engine.embed(context.token(edit))
    return lambda step, z: vector


def filler(edit: Edit, context: Context) -> Change:
    """The pad token's embedding in every slot (Z14)."""
    vector = context.engine.embed(context.token(edit, context.engine.ids.pad))
    return lambda step, z: vector


def patch(edit: Edit, context: Context) -> Change:
    """The embedding of one patch of the picture."""
    if edit.patch is None or len(edit.patch) != 2:
        raise EditError("Point at a place of the picture: patch=(row, column).")
    rows, columns = context.trace.prompt.grid
    row, column = edit.patch
    if not (0 <= row < rows and 0 <= column < columns):
        raise EditError(
            f"Patch ({row}, {column}) is outside the picture, which has {rows} × {columns} patches."
        )
    vector = context.engine.patches(context.trace)[row * columns + column]
    return lambda step, z: vector


def manual(edit: Edit, context: Context) -> Change:
    """Vectors given by hand (Z23)."""
    if not isinstance(edit.values, Tensor):
        raise EditError("Edit “manual” needs values: one vector, or one a step.")
    rows = context.table(edit.values, "The value")
    steps = context.steps(edit)
    if rows.shape[0] not in (1, len(steps)):
        raise EditError(f"{rows.shape[0]} vectors were given for {len(steps)} steps.")
    at = {step: rows[min(i, rows.shape[0] - 1)] for i, step in enumerate(steps)}
    return lambda step, z: at[step]
