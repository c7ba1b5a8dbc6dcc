"""How the latents of one input are lined up with the run on another.

Z(x′) can be put into the run on x only where both runs have a place for it. Three things are
done about that, and a study says which (methodology of mediation between two runs):

* ``"forced"``: the run on the changed input begins with the base run's own words up to where
  that opened its span, so that both spans stand at the same place behind the same words. Where
  spans then still differ in number, length or place, the words between them are held as well.
  What the words before the latents would have carried of the changed input is held with them:
  the total effect is that of the input past those words.
* ``"paired"``: both runs go their own way. Spans are paired by number, step with step, a donor
  that is shorter is filled up with the step means, and the row says that they are not aligned.
* always: where only one of the two runs imagines there is nothing to exchange. The model is
  never made to open or to leave out a span by this, and such items are a stratum of their own,
  the effect of the gate.

Inputs that show nothing (a blank or shuffled picture, none) are never begun with the base's
words, which would tell what the picture is meant to hide.
"""

from __future__ import annotations

from core.engine import Engine
from core.records import Span, Trace
from core.study.arms import Input

POLICIES = ("forced", "paired")
SILENT = ("blank", "shuffle", "no image")
"""Inputs that show nothing, and are to be told nothing."""

SAID = {
    "forced": "Alignment of the two runs of a cross: the run on the changed input begins with "
    "the base run's own words before its latents (and keeps those between spans where spans "
    "would differ), so that spans agree in number, length and place; the total effect is that of "
    "the input past those words.",
    "paired": "Alignment of the two runs of a cross: each goes its own way; spans are paired by "
    "number and steps by step, a shorter donor is filled up with the step means, and rows say "
    "where the two are not aligned.",
}
GATE = (
    "Items where only one of the two runs imagines have no cross and are a stratum of their own, "
    "the effect of the gate."
)


def aligned(policy: str, x: Input) -> bool:
    """Whether the run on a changed input begins with the base's words."""
    return policy == "forced" and x.kind not in SILENT


def before(engine: Engine, base: Trace) -> tuple[int, ...]:
    """What the base's sampler drew before the start token of its first span."""
    if not base.spans:
        return ()
    return base.sampled_ids[: max(0, _opening(engine, base.spans[0]))]


def throughout(engine: Engine, base: Trace) -> tuple[int, ...]:
    """What it drew up to the end of its last span, the end token included."""
    if not base.spans:
        return ()
    stop = base.spans[-1].stop
    closed = stop < len(base.token_ids) and base.token_ids[stop] == engine.ids.end
    return base.sampled_ids[: stop + int(closed)]


def agree(base: Trace, other: Trace) -> bool:
    """Whether the spans of both stand at the same places and are as long."""
    ours, theirs = ([(s.start, len(s)) for s in trace.spans] for trace in (base, other))
    return ours == theirs


def _opening(engine: Engine, span: Span) -> int:
    """Place of the span's start token; negative where the prompt itself opened it."""
    return span.start if engine.family.start_slot == "latent" else span.start - 1
