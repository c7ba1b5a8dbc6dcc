"""From a list of edits to the plan the decode loop carries out, and to the receipts.

The three modes (methodology 2.3) differ in what becomes of latents behind the edited step:

* ``propagate``: nothing is held; later latents are recomputed from the edited prefix.
* ``pinned``: later slots are fed the parent's vectors (their keys and values are recomputed,
  so they see the edit through attention), and the span keeps its length.
* ``cached``: each edited slot alone is recomputed against the parent's prefix; every other
  slot keeps the parent's keys and values, so only what follows the span sees the edit.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from core.edits import edge, prompt, slot, structure
from core.edits.context import Context
from core.edits.kinds import Change, get
from core.edits.script import closing, held_places
from core.engine import Engine
from core.engine.dose import dose
from core.engine.plan import Plan, Prepared
from core.engine.store import Held
from core.errors import EditError
from core.records import Dose, Edit, Receipt


def prepare(engine: Engine, held: Held, edits: Sequence[Edit]) -> Prepared:
    """The plan of ``edits`` on a held run, in order.

    Raises:
        EditError: an edit does not fit the run, or edits do not fit together.
    """
    if not edits:
        raise EditError("Choose an edit first.")
    context = Context(engine, held)
    prepared = _prepare(edits, context)
    _check_apart(prepared.plan, context)
    return prepared


def _prepare(edits: Sequence[Edit], context: Context) -> Prepared:
    kinds = [get(edit.kind) for edit in edits]
    if any(kind.locus != "content" for kind in kinds):
        if len(edits) > 1:
            other = next(k for k in kinds if k.locus != "content")
            raise EditError(f"“{other.title}” stands alone; apply other edits to its branch.")
        if kinds[0].locus == "slot":
            return slot.prepare(edits[0], context)
        if kinds[0].locus == "edge":
            return edge.prepare(edits[0], context)
        if kinds[0].locus == "prompt":
            return prompt.prepare(edits[0], context)
        return _structural(edits[0], context)
    modes = {edit.mode for edit in edits}
    if len(modes) > 1:
        raise EditError("All edits of one branch must have the same mode.")
    if modes != {"propagate"} and len({edit.span for edit in edits}) > 1:
        raise EditError("Pinned and cached edits must address one span; branch once a span.")
    changes = [_Applied(edit, context) for edit in edits]
    if edits[0].mode == "cached":
        return _cached(changes, context)
    return _replacing(changes, context, pinned=edits[0].mode == "pinned")


def _check_apart(plan: Plan, context: Context) -> None:
    """Slots that were computed one by one can be kept, but not decoded again."""
    standing = context.engine.live(context.held).standing
    if plan.inherits and standing.apart:
        again = plan.fork if plan.gone is None else context.trace.spans[plan.gone].stop
        if max(standing.apart) >= again:
            raise EditError(
                "This branch's slots were edited one by one (cached mode or a slot swap), which no "
                "decoding repeats; edit its span in cached mode, or branch the run before it."
            )
    if standing.carried & set(plan.slots):
        raise EditError(
            "This step's slot was swapped for another run's; edit another step, or branch the run "
            "before it."
        )


class _Applied:
    """One content edit with a record of what it delivered at each step."""

    def __init__(self, edit: Edit, context: Context) -> None:
        self.edit = edit
        self.steps = frozenset(context.steps(edit))
        make = get(edit.kind).make
        assert make is not None  # content kinds have one
        self.change: Change = make(edit, context)
        self.delivered: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, span: int, step: int, vector: Tensor) -> Tensor:
        if span != self.edit.span or step not in self.steps:
            return vector
        edited = self.change(step, vector)
        if self.edit.renorm and edited is not vector and float(edited.norm()) > 0:
            edited = edited * (vector.norm() / edited.norm())
        if not bool(edited.isfinite().all()):
            raise EditError(
                f"“{get(self.edit.kind).title}” would put numbers that are not finite into latent "
                f"{step + 1}; choose a smaller dose or other values."
            )
        self.delivered[step] = (vector, edited)
        return edited

    def receipt(self, context: Context, hidden: Sequence[Tensor]) -> Receipt:
        start = context.trace.spans[self.edit.span].start
        before = context.engine.live(context.held).hidden
        doses: list[Dose] = []
        for step, (old, new) in sorted(self.delivered.items()):
            at = start + step + 1  # the pass that consumed this slot
            pair = (before[at], hidden[at]) if at < min(len(before), len(hidden)) else None
            doses.append(dose(step, old, new, context.engine.bank, pair))
        return Receipt(self.edit.kind, self.edit.mode, self.edit.span, tuple(doses))


def _chain(changes: Sequence[_Applied], span: int, step: int, vector: Tensor) -> Tensor:
    for change in changes:
        vector = change(span, step, vector)
    return vector


def _replacing(changes: Sequence[_Applied], context: Context, pinned: bool) -> Prepared:
    """``propagate`` and ``pinned``: decode on from the first edited slot."""
    spans = context.trace.spans
    fork = min(spans[c.edit.span].start + min(c.steps) for c in changes)
    script = {}
    if pinned:
        stop = spans[changes[0].edit.span].stop
        script = held_places(context, range(fork + 1, stop)) | closing(context, stop)
    plan = Plan(
        fork=fork,
        script=script,
        replace=lambda span, step, vector: _chain(changes, span, step, vector),
        holds=pinned,
    )
    return Prepared(plan, lambda hidden: tuple(c.receipt(context, hidden) for c in changes))


def _cached(changes: Sequence[_Applied], context: Context) -> Prepared:
    """``cached``: recompute the edited slots alone, then choose what follows the span."""
    span = changes[0].edit.span
    record = context.trace.spans[span]
    live = context.engine.live(context.held)
    if record.stop >= len(live.hidden):
        raise EditError("This run ended inside the span, so no answer could see the edit.")
    slots: dict[int, Tensor] = {}
    for step in sorted(frozenset().union(*(c.steps for c in changes))):
        place = record.start + step
        natural = live.vectors[place]
        seen = natural.float().cpu()
        edited = _chain(changes, span, step, seen)
        slots[place] = natural if edited is seen else edited
    plan = Plan(
        fork=record.stop,
        settle_from=live.hidden[record.stop],
        script=closing(context, record.stop),
        slots=slots,
    )
    return Prepared(plan, lambda hidden: tuple(c.receipt(context, hidden) for c in changes))


def _structural(edit: Edit, context: Context) -> Prepared:
    plan, note = structure.plan(edit, context)
    receipt = Receipt(edit.kind, edit.mode, edit.span, (), note)
    return Prepared(plan, lambda hidden: (receipt,))
