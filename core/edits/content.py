"""Content edits: what a latent is overwritten with just before it is fed.

z is the vector that would have been fed at this step (in ``propagate`` mode already changed
by edits of earlier steps), z′ what is fed instead, μ_k and s_k the bank's mean and spread at
step k, ε a dose relative to ‖z‖. Numbering Z0–Z23 follows the methodology's list.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.edits import borrowed
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
        borrowed.shared,
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
        borrowed.swap,
    ),
    (
        "slerp",
        "Turn toward donor",
        "Moves each latent toward the donor's along the sphere, keeping its length.",
        ("fraction",),
        ("donor",),
        borrowed.slerp,
    ),
    (
        "steer",
        "Steer toward donor",
        "Moves each latent toward the donor's by a fixed part of its own length, and past it.",
        ("dose", "renorm"),
        ("donor",),
        borrowed.steer,
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
        borrowed.token,
    ),
    (
        "patch",
        "Point at a place",
        "Feeds the embedding of one patch of the picture.",
        ("patch", "renorm"),
        (),
        borrowed.patch,
    ),
    (
        "filler",
        "Filler",
        "Feeds the pad token's embedding in every slot: same count, no content.",
        ("token",),
        (),
        borrowed.filler,
    ),
    ("manual", "By hand", "Feeds vectors you give.", ("values", "renorm"), (), borrowed.manual),
]

for name, title, sentence, parameters, needs, make in CONTENT:
    register(Kind(name, title, sentence, "content", parameters, needs, make))
