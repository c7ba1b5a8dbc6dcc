"""Edits of the prompt, the controls of edits of latents (methodology, part (f)).

``sham``: noise of the same relative dose at as many slots that should not matter, words of the
system text. What it does to an answer is what any disturbance of that size does. ``picture``:
the tokens of another picture fed in the place of this one's, wholly or part of the way: the
positive control. If that does nothing either, the run is insensitive and not the latents inert.

The modes are those of latent edits. ``propagate``: everything behind the edited slots is
computed again, latents included. ``pinned``: computed again, but the latents and the words
before the span's end are fed as they were. ``cached``: the keys and values of the edited slots
change, each computed against the prompt as it was, and only what follows the span sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from core.edits.context import Context
from core.edits.kinds import Kind, register
from core.edits.script import closing, held_places
from core.engine.dose import dose
from core.engine.plan import Plan, Prepared, Scripted
from core.engine.reprompt import Reprompted, exchange, fed_prompt, read_again
from core.errors import EditError
from core.records import Dose, Edit, Receipt

register(
    Kind(
        "sham",
        "Sham",
        "Adds the same relative noise to words of the system text instead of latents: a control "
        "that should not matter.",
        "prompt",
        ("dose", "renorm", "places"),
    )
)
register(
    Kind(
        "picture",
        "Swap the picture's tokens",
        "Feeds another picture's tokens in the place of this one's: a control that should matter.",
        "prompt",
        ("fraction", "values"),
    )
)


def prepare(edit: Edit, context: Context) -> Prepared:
    """The plan of one edit of the prompt.

    Raises:
        EditError: there is no such slot, no picture, or nothing behind the span.
    """
    held, live = context.held, context.engine.live(context.held)
    before = fed_prompt(context.engine, held, live.standing.prompt).float().cpu()
    changed = (
        _sham(edit, context, before) if edit.kind == "sham" else _picture(edit, context, before)
    )
    fed = {slot: vector for slot, vector in changed.items() if not vector.equal(before[slot])}
    cached = edit.mode == "cached"
    make = exchange if cached else read_again
    made = make(context.engine, held, live, fed)
    plan = _alone(edit, context, made) if cached else _anew(edit, context, made, fed)
    receipt = _receipt(edit, context, before, changed, made)
    return Prepared(plan, lambda hidden: (receipt,))


def system_words(context: Context) -> list[int]:
    """The prompt's slots that hold words of the system text: before the picture and the question,
    special tokens left out."""
    ids, silent = context.trace.prompt.input_ids, context.engine.reader.silent
    closed = next((s for s, token in enumerate(ids) if s and token in silent), 0)
    return [slot for slot in range(closed) if ids[slot] not in silent]


def _sham(edit: Edit, context: Context, before: Tensor) -> dict[int, Tensor]:
    size = 1.0 if edit.dose is None else float(edit.dose)
    if not 0 <= size < float("inf"):
        raise EditError("The dose must be a number of 0 or more.")
    out = {}
    for step, slot in zip(context.steps(edit), _places(edit, context), strict=False):
        word, noise = before[slot], context.noise(edit, step)[0]
        edited = word + size * word.norm() * noise / noise.norm()
        if edit.renorm:
            edited = edited * (word.norm() / edited.norm())
        out[slot] = edited if size else word
    return out


def _places(edit: Edit, context: Context) -> Sequence[int]:
    """As many slots as steps, drawn by the edit's seed where it names none."""
    count = len(context.trace.prompt.input_ids)
    if edit.places is not None:
        outside = [p for p in edit.places if not 0 <= p < count]
        if outside or not edit.places:
            raise EditError(f"A sham's places are slots of the prompt, from 0 to {count - 1}.")
        return tuple(dict.fromkeys(edit.places))
    words = system_words(context)
    if not words:
        raise EditError(
            "This prompt has no system text, so a sham has no place that should not matter; give "
            "a system text, or places=."
        )
    draw = torch.Generator().manual_seed((edit.seed * 1_000_003 + 71) % (1 << 62))
    chosen = torch.randperm(len(words), generator=draw)[: len(context.steps(edit))].tolist()
    return [words[place] for place in chosen]


def _picture(edit: Edit, context: Context, before: Tensor) -> dict[int, Tensor]:
    token = int(context.engine.passes.config.image_token_id)
    slots = [s for s, one in enumerate(context.trace.prompt.input_ids) if one == token]
    if not slots:
        raise EditError("This run had no picture whose tokens could be swapped.")
    if not isinstance(edit.values, Tensor):
        raise EditError("Give the other picture's tokens: values=engine.see(picture, trace).")
    other = context.table(edit.values, "The other picture")
    if len(other) != len(slots):
        raise EditError(
            f"The other picture has {len(other)} tokens and this one {len(slots)}; make them with "
            "engine.see(picture, trace)."
        )
    part = 1.0 if edit.fraction is None else float(edit.fraction)
    if not 0 <= part <= 1:
        raise EditError("The fraction toward the other picture must lie between 0 and 1.")
    return {
        slot: (before[slot] + part * (vector - before[slot])) if part else before[slot]
        for slot, vector in zip(slots, other, strict=True)
    }


def _anew(edit: Edit, context: Context, made: Reprompted, fed: dict[int, Tensor]) -> Plan:
    """Everything behind the prompt again; pinned holds what is fed up to the span's end."""
    script: dict[int, Scripted] = {}
    if edit.mode == "pinned":
        stop = context.span(edit).stop
        script = held_places(context, range(stop)) | closing(context, stop)
    return Plan(
        fork=0,
        settle_from=made.last,
        forced=dict(context.held.forced),
        script=script,
        prompt=made.prompt,
        fed=fed,
        holds=edit.mode == "pinned",
    )


def _alone(edit: Edit, context: Context, made: Reprompted) -> Plan:
    """The exchanged slots alone; what follows the span is chosen anew."""
    stop = context.span(edit).stop
    live = context.engine.live(context.held)
    if stop >= len(live.hidden):
        raise EditError("This run ended inside the span, so no answer could see the edit.")
    return Plan(
        fork=stop,
        settle_from=live.hidden[stop],
        script=closing(context, stop),
        prompt=made.prompt,
    )


def _receipt(
    edit: Edit, context: Context, before: Tensor, changed: dict[int, Tensor], made: Reprompted
) -> Receipt:
    doses: list[Dose] = []
    if edit.kind == "sham":
        steps = context.steps(edit)
        for step, (slot, vector) in zip(steps, changed.items(), strict=False):
            one = dose(step, before[slot], vector, None, made.hidden.get(slot, _still(made)))
            doses.append(replace(one, place=slot))
        note = f"{len(doses)} words of the system text in the place of {len(steps)} latents"
        return Receipt("sham", edit.mode, edit.span, tuple(doses), note)
    slots = list(changed)
    moved = [made.hidden[s] for s in slots if s in made.hidden]
    before_after = _still(made)
    if moved:
        before_after = torch.cat([a for a, _ in moved]), torch.cat([b for _, b in moved])
    whole = dose(
        0,
        torch.cat([before[s] for s in slots]),
        torch.cat([changed[s] for s in slots]),
        None,
        before_after,
    )
    note = f"{len(slots)} tokens of the picture"
    return Receipt("picture", edit.mode, edit.span, (replace(whole, place=slots[0]),), note)


def _still(made: Reprompted) -> tuple[Tensor, Tensor]:
    """A hidden state that did not change, for an edit that changed nothing."""
    return made.last, made.last
