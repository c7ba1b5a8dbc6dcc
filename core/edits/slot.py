"""Slot edits: moving the keys and values of latent positions from another run into this one.

A model may ignore what is fed into its latent slots and still carry the answer in what the
slots *compute*: at every layer above the first they attend to picture and question. Only an
edit of their keys and values shows that (methodology, locus L2; SCIT's cache swap).

Cached keys are rotated to their position. A key that moves by Δ positions is rotated by Δ
more; values need nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.edits.context import Context
from core.edits.kinds import Kind, register
from core.edits.script import closing
from core.engine.dose import dose
from core.engine.plan import Layers, Plan, Prepared
from core.engine.store import Held
from core.errors import EditError
from core.records import Edit, Receipt

register(
    Kind(
        "slot",
        "Swap the slots",
        "Puts the donor's keys and values into the latent slots: what the slots computed moves.",
        "slot",
        ("layers", "part"),
        ("donor",),
    )
)


def prepare(edit: Edit, context: Context) -> Prepared:
    """The plan of one slot edit.

    Raises:
        EditError: no donor run is held, it has no such slot, or the window is empty.
    """
    span, steps = context.span(edit), context.steps(edit)
    donor = _donor(edit, context)
    source = donor.trace.spans[edit.span]
    if max(steps) >= len(source):
        raise EditError(
            f"The donor has {len(source)} latent slots, so it has none for step {max(steps) + 1}."
        )
    engine = context.engine
    live, other = engine.live(context.held), engine.live(donor)
    if span.stop >= len(live.hidden):
        raise EditError("This run ended inside the span, so no answer could see the edit.")
    window = context.layers(edit)
    carried: dict[int, Layers] = {}
    moved: dict[int, tuple[Tensor, Tensor]] = {}
    for step in steps:
        here, there = span.start + step, source.start + step
        shift = context.held.first_position + here - donor.first_position - there
        old = [(k[0, :, here], v[0, :, here]) for k, v in live.cache.own]
        new = [(k[0, :, there], v[0, :, there]) for k, v in other.cache.own]
        carried[here] = [
            _exchange(edit, context, a, b, shift) if window[0] <= layer < window[1] else a
            for layer, (a, b) in enumerate(zip(old, new, strict=True))
        ]
        moved[step] = _flat(old), _flat(carried[here])
    plan = Plan(
        fork=span.stop,
        settle_from=live.hidden[span.stop],
        script=closing(context, span.stop),
        carried=carried,
    )
    doses = tuple(dose(step, *pair) for step, pair in sorted(moved.items()))
    note = f"{edit.part} of layers {window[0] + 1} to {window[1]}"
    receipt = Receipt("slot", "cached", edit.span, doses, note)
    return Prepared(plan, lambda hidden: (receipt,))


def _donor(edit: Edit, context: Context) -> Held:
    held = context.engine.store.by_id(edit.donor_id)
    if held is None:
        raise EditError(
            "A slot edit takes keys and values from a donor run this engine holds; run the donor "
            "first and give its trace as donor=."
        )
    if edit.span >= len(held.trace.spans):
        raise EditError("The donor run has no such latent span.")
    return held


def _exchange(
    edit: Edit,
    context: Context,
    old: tuple[Tensor, Tensor],
    new: tuple[Tensor, Tensor],
    shift: int,
) -> tuple[Tensor, Tensor]:
    keys = old[0] if edit.part == "values" else rotated(context, new[0], shift)
    values = old[1] if edit.part == "keys" else new[1]
    return keys, values


def rotated(context: Context, keys: Tensor, shift: int) -> Tensor:
    """Rotated keys (H, d) moved by ``shift`` positions on all three axes."""
    if shift == 0:
        return keys
    places = torch.full((3, 1, 1), shift, device=keys.device, dtype=torch.long)
    cos, sin = context.engine.passes.language.rotary_emb(keys[None], places)
    half = keys.shape[-1] // 2
    turned = torch.cat([-keys[..., half:], keys[..., :half]], dim=-1)
    moved: Tensor = keys * cos[0, 0] + turned * sin[0, 0]
    return moved


def _flat(layers: Layers) -> Tensor:
    return torch.cat([torch.cat([k.flatten(), v.flatten()]) for k, v in layers]).float().cpu()
