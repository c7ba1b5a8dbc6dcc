"""Content edits: what a latent is overwritten with just before it is fed.

z is the vector that would have been fed at this step (in ``propagate`` mode already changed
by edits of earlier steps), z′ what is fed instead, μ_k and s_k the bank's mean and spread at
step k, ε a dose relative to ‖z‖. Numbering Z0–Z23 follows the methodology's list.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.edits.context import Context
from core.edits.kinds import Change, Kind, register
from core.errors import EditError
from core.records import Edit


def _identity(edit: Edit, context: Context) -> Change:
    return lambda step, z: z


def _zero(edit: Edit, context: Context) -> Change:
    return lambda step, z: torch.zeros_like(z)


def _step_mean(edit: Edit, context: Context) -> Change:
    bank = context.bank(edit)
    return lambda step, z: bank.at(bank.mean, step)


def _global_mean(edit: Edit, context: Context) -> Change:
    bank = context.bank(edit)
    return lambda step, z: bank.overall


def _shared(edit: Edit, context: Context) -> Change:
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


def _gaussian(edit: Edit, context: Context) -> Change:
    dose = 1.0 if edit.dose is None else float(edit.dose)
    if dose < 0 or not math.isfinite(dose):
        raise EditError("The dose must be a number of 0 or more.")

    def change(step: int, z: Tensor) -> Tensor:
        direction = context.noise(edit, step)[0]
        return z + dose * z.norm() * direction / direction.norm()

    return change


def _rotate(edit: Edit, context: Context) -> Change:
    degrees = 45.0 if edit.angle is None else float(edit.angle)
    if not 0 <= degrees <= 180:
        raise EditError("The angle must lie between 0 and 180 degrees.")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def change(step: int, z: Tensor) -> Tensor:
        size = z.norm()
        if degrees == 0 or size == 0:
            return z
        unit = z / size
        across = context.noise(edit, step)[0]
        across = across - (across @ unit) * unit
        return size * (cos * unit + sin * across / across.norm())

    return change


def _resample(edit: Edit, context: Context) -> Change:
    bank = context.bank(edit)

    def change(step: int, z: Tensor) -> Tensor:
        drawn = bank.at(bank.mean, step) + bank.at(bank.spread, step) * context.noise(edit, step)[0]
        return drawn * z.norm() / drawn.norm()

    return change


def _swap(edit: Edit, context: Context) -> Change:
    donor = _long_enough(edit, context)
    return lambda step, z: donor[step]


def _slerp(edit: Edit, context: Context) -> Change:
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


def _permute(edit: Edit, context: Context) -> Change:
    steps = context.steps(edit)
    if len(steps) < 2:
        raise EditError("A permutation needs at least two steps.")
    if edit.order is not None:
        order = [int(s) for s in edit.order]
        if sorted(order) != list(steps):
            raise EditError("The order must be a permutation of the edited steps.")
    else:
        generator = torch.Generator().manual_seed(edit.seed % (1 << 62))
        # rotate a shuffled cycle: no step keeps its own latent
        cycle = [steps[i] for i in torch.randperm(len(steps), generator=generator).tolist()]
        following = dict(zip(cycle, cycle[1:] + cycle[:1], strict=True))
        order = [following[step] for step in steps]
    source = dict(zip(steps, order, strict=True))
    latents = context.span(edit).latents
    return lambda step, z: latents[source[step]]


def _repeat_first(edit: Edit, context: Context) -> Change:
    first = context.span(edit).latents[0]
    return lambda step, z: z if step == 0 else first


def _token(edit: Edit, context: Context) -> Change:
    vector = context.engine.embed(context.token(edit))
    return lambda step, z: vector


def _filler(edit: Edit, context: Context) -> Change:
    vector = context.engine.embed(context.token(edit, context.engine.ids.pad))
    return lambda step, z: vector


def _patch(edit: Edit, context: Context) -> Change:
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


def _manual(edit: Edit, context: Context) -> Change:
    if not isinstance(edit.values, Tensor):
        raise EditError("Edit “manual” needs values: one vector, or one a step.")
    rows = context.table(edit.values, "The value")
    steps = context.steps(edit)
    if rows.shape[0] not in (1, len(steps)):
        raise EditError(f"{rows.shape[0]} vectors were given for {len(steps)} steps.")
    at = {step: rows[min(i, rows.shape[0] - 1)] for i, step in enumerate(steps)}
    return lambda step, z: at[step]


CONTENT = [
    (
        "identity",
        "Identity",
        "Feeds each latent back unchanged: the control that must do nothing.",
        (),
        (),
        _identity,
    ),
    (
        "zero",
        "Zero",
        "Feeds zeros; far from anything the model has seen, so a stress test, not a content test.",
        (),
        (),
        _zero,
    ),
    (
        "step_mean",
        "Step mean",
        "Replaces each latent by the mean of that step over other items.",
        ("renorm",),
        ("bank",),
        _step_mean,
    ),
    (
        "global_mean",
        "Global mean",
        "Replaces each latent by the mean over items and steps.",
        ("renorm",),
        ("bank",),
        _global_mean,
    ),
    (
        "shared",
        "Same for all",
        "Feeds one fixed vector at every step, the published collapse test.",
        ("renorm",),
        (),
        _shared,
    ),
    (
        "gaussian",
        "Gaussian noise",
        "Adds noise of a fixed size relative to the latent's own length.",
        ("dose", "renorm"),
        (),
        _gaussian,
    ),
    (
        "rotate",
        "Rotate",
        "Turns each latent by an angle in a random direction; its length stays.",
        ("angle",),
        (),
        _rotate,
    ),
    (
        "resample",
        "Resample",
        "Draws a new latent with the mean and spread of clean ones at that step.",
        (),
        ("bank",),
        _resample,
    ),
    (
        "swap",
        "Swap with donor",
        "Feeds the latents of another run: does the answer follow the donor?",
        ("renorm",),
        ("donor",),
        _swap,
    ),
    (
        "slerp",
        "Turn toward donor",
        "Moves each latent toward the donor's along the sphere, keeping its length.",
        ("fraction",),
        ("donor",),
        _slerp,
    ),
    (
        "permute",
        "Permute",
        "Feeds this run's own latents in another order.",
        ("order",),
        (),
        _permute,
    ),
    (
        "repeat_first",
        "Repeat first",
        "Feeds the first latent at every step.",
        ("renorm",),
        (),
        _repeat_first,
    ),
    (
        "token",
        "Token embedding",
        "Feeds the embedding of a word of the vocabulary.",
        ("token", "renorm"),
        (),
        _token,
    ),
    (
        "patch",
        "Point at a place",
        "Feeds the embedding of one patch of the picture.",
        ("patch", "renorm"),
        (),
        _patch,
    ),
    (
        "filler",
        "Filler",
        "Feeds the pad token's embedding in every slot: same count, no content.",
        ("token",),
        (),
        _filler,
    ),
    ("manual", "By hand", "Feeds vectors you give.", ("values", "renorm"), (), _manual),
]

for name, title, sentence, parameters, needs, make in CONTENT:
    register(Kind(name, title, sentence, "content", parameters, needs, make))
