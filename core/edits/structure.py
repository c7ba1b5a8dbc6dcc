"""Edits of presence, gate and text: plans that change what is said, not what a latent holds."""

from __future__ import annotations

from core.edits.context import Context
from core.edits.kinds import Kind, register
from core.engine.plan import Plan, Scripted
from core.engine.prompts import disarm
from core.errors import EditError
from core.families.answers import opening
from core.records import Edit

STRUCTURE = [
    (
        "truncate",
        "Truncate",
        "Ends the span after a given number of latents.",
        "presence",
        ("count",),
    ),
    (
        "extend",
        "Extend",
        "Lets the span run on to a given number of latents.",
        "presence",
        ("count",),
    ),
    (
        "delete",
        "Delete",
        "Takes the span and its markers away; the words behind it follow at once.",
        "presence",
        (),
    ),
    (
        "markers",
        "Markers only",
        "Keeps the start and end tokens, with no latent between them.",
        "presence",
        (),
    ),
    (
        "forbid",
        "Forbid imagining",
        "Bans the start token, so that the model answers without a span.",
        "gate",
        (),
    ),
    ("force", "Force a span", "Makes the model begin with its start token.", "gate", ()),
    (
        "text",
        "Rewrite the imagination",
        "Replaces the sentence the model imagined and lets it go on.",
        "text",
        ("text",),
    ),
]

for name, title, sentence, locus, parameters in STRUCTURE:
    register(Kind(name, title, sentence, locus, parameters))  # type: ignore[arg-type]


def plan(edit: Edit, context: Context) -> tuple[Plan, str]:
    """The plan of one structural edit, with a note for its receipt."""
    makers = {
        "truncate": _resize,
        "extend": _resize,
        "delete": _delete,
        "markers": _markers,
        "forbid": _forbid,
        "force": _force,
        "text": _text,
    }
    return makers[edit.kind](edit, context)


def _resize(edit: Edit, context: Context) -> tuple[Plan, str]:
    span = context.span(edit)
    had, wanted = len(span), edit.count
    if wanted is None:
        raise EditError(f"Edit “{edit.kind}” needs count=, the number of latents.")
    if edit.kind == "truncate" and not 1 <= wanted < had:
        raise EditError(
            f"Truncating needs a count from 1 to {had - 1}; to take all {had} latents away use "
            "“delete” or “markers”."
        )
    if edit.kind == "extend" and not had < wanted <= 4096:
        raise EditError(f"Extending needs a count above the {had} latents there are.")
    if context.engine.family.count_scope == "run" and edit.span > 0:
        raise EditError("This family does not count its later spans, so they cannot be resized.")
    # everything up to the last kept latent is as it was: feed that one and choose anew
    place = span.start + min(wanted, had) - 1
    state = context.engine.live(context.held).states[place]
    # LVR counts the latents it has consumed, the others those they have granted; a start
    # token inside a span may have begun the count elsewhere than the record's span begins
    budget = state.count + (1 if context.engine.family.strategies else 0) + max(0, wanted - had)
    floor = budget if wanted > had else None
    return Plan(fork=place, budget=budget, floor=floor), f"{had} → {wanted} latents"


def _around(edit: Edit, context: Context) -> tuple[int, int]:
    """Places of the start token and of the first word behind the span's markers."""
    span, trace = context.span(edit), context.trace
    ids = context.engine.ids
    slot_is_start = context.engine.family.start_slot == "latent"
    start = span.start if slot_is_start else span.start - 1
    after = span.stop
    while after < len(trace.token_ids) and trace.token_ids[after] in (ids.end, *ids.markers):
        after += 1
    if after >= len(trace.token_ids):
        raise EditError("This run ended inside the span, so there is nothing behind it.")
    if start < 0:
        raise EditError("The span was opened by the prompt itself and cannot be taken away.")
    return start, after


def _delete(edit: Edit, context: Context) -> tuple[Plan, str]:
    start, after = _around(edit, context)
    trace, states = context.trace, context.engine.live(context.held).states
    first = Scripted(trace.token_ids[after], trace.sampled_ids[after], states[after])
    plan = Plan(fork=start, script={start: first}, gone=edit.span)
    return plan, f"{after - start} slots taken away"


def _markers(edit: Edit, context: Context) -> tuple[Plan, str]:
    start, after = _around(edit, context)
    span, ids = context.span(edit), context.engine.ids
    trace, states = context.trace, context.engine.live(context.held).states
    closing = list(range(span.stop, after))
    script = {start: Scripted(ids.start, ids.start, states[after])}
    place = start
    for source in closing:
        place += 1
        script[place] = Scripted(trace.token_ids[source], trace.sampled_ids[source], states[after])
    if not closing and ids.end >= 0:
        place += 1
        script[place] = Scripted(ids.end, ids.end, states[after])
    # the first word behind is held too, so that content alone differs from the full span
    script[place + 1] = Scripted(trace.token_ids[after], trace.sampled_ids[after], states[after])
    note = f"{len(span)} latents taken out, markers kept"
    return Plan(fork=start, script=script, gone=edit.span), note


def _forbid(edit: Edit, context: Context) -> tuple[Plan, str]:
    start = context.engine.ids.start
    places = [p for p, t in enumerate(context.trace.sampled_ids) if t == start]
    if start < 0 or not places:
        raise EditError("This run never opened a span, so there is none to forbid.")
    live = context.engine.live(context.held)
    place = places[0]
    return (
        Plan(fork=place, settle_from=live.hidden[place], banned=(start,), inherits=False),
        "the start token cannot be sampled",
    )


def _force(edit: Edit, context: Context) -> tuple[Plan, str]:
    engine = context.engine
    if not engine.family.latent:
        raise EditError(f"{engine.family.title} has no latent span to force.")
    forced = engine.forced_start()
    live = engine.live(context.held)
    plan = Plan(fork=0, settle_from=live.hidden[0], forced=forced, inherits=False)
    return plan, "the start token is forced"


def _text(edit: Edit, context: Context) -> tuple[Plan, str]:
    engine, trace = context.engine, context.trace
    if trace.imagined is None:
        raise EditError("This run has no imagined sentence to rewrite.")
    if edit.text is None or not edit.text.strip():
        raise EditError("Write the sentence the model is to have imagined.")
    reader = engine.reader
    first, last = trace.imagined
    spoken = [t for t in trace.token_ids if t not in reader.silent]
    whole = reader.decode(spoken)
    cut = opening(whole, "boxed" if engine.family.answer_format == "boxed" else "tag")
    old = reader.decode([t for t in trace.token_ids[first:last] if t not in reader.silent])
    end = len(whole) if cut is None else cut - len(engine.family.answer_opening)
    lead = whole[:end]
    core = old.strip()
    begin = lead.rfind(core)
    words = disarm(engine.reader.tokenizer, edit.text.strip())
    new = lead[:begin] + words + lead[begin + len(core) :]
    ids = [t for t in trace.token_ids[:first] if t in reader.silent] + reader.encode(new)
    same = 0
    while same < min(len(ids), last) and ids[same] == trace.token_ids[same]:
        same += 1
    state = engine.live(context.held).states[0]
    if same == len(ids):
        same -= 1
    script = {p: Scripted(ids[p], ids[p], state) for p in range(same, len(ids))}
    return Plan(fork=same, script=script, inherits=False), f"“{core}” → “{words}”"
