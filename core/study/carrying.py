"""The second half of the verdict's tree: what, of what is imagined, carries the answer?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.measures.statistics import EFFECT, EQUIVALENT, Interval, items_for_equivalence
from core.study.effects import LEAST_ITEMS, Effect
from core.study.evidence import (
    BYPASSED,
    CONTENT,
    FORMAT,
    REDUNDANT,
    SLOT,
    TEXT,
    UNSETTLED,
    Evidence,
    Verdict,
    any_follow,
    first,
    kind_of,
    names,
    of_base,
    points,
    share_of,
)
from core.study.following import following, rescue
from core.study.pairs import NAN


def judge_text(evidence: Evidence, numbers: dict[str, Any]) -> Verdict:
    """A model that imagines in words: does the answer follow another sentence?"""
    for effect in evidence.where(lambda e: e.locus == "content" and e.role == "mediation"):
        arm = evidence.pairs[effect.arm].arm
        if arm.donor != "x" or arm.parent != "base":
            continue
        numbers["follows the sentence"] = effect.follow
        if effect.follow.low > evidence.design.margins.flips and any_follow(effect):
            return Verdict(
                TEXT,
                f"The answer follows the imagined sentence: with the sentence about the changed "
                f"picture in place of its own, {share_of(effect.follow)} of answers become that "
                "picture's, although the picture in the prompt is the old one.",
                numbers,
            )
        if effect.verdict == EQUIVALENT:
            return Verdict(
                BYPASSED,
                "Another picture's sentence in place of the model's own changes "
                f"{share_of(effect.flips)} of the answers: it is written and not read.",
                numbers,
            )
    return unsettled(evidence, numbers)


def judge_latents(evidence: Evidence, numbers: dict[str, Any]) -> Verdict:
    """A model that imagines in latents: their content, their slots, either, their form, nothing?"""
    margins = evidence.design.margins
    content = evidence.where(
        lambda e: (
            e.locus == "content"
            and e.declared
            and e.role in ("effect", "mediation")
            and of_base(evidence, e)
        )
    )
    slots = evidence.where(lambda e: e.locus == "slot" and e.declared and e.role == "effect")
    edges = evidence.where(lambda e: e.locus == "edge" and e.declared)
    presence = evidence.where(lambda e: e.locus == "presence" and e.declared)

    best, excess = following(evidence, content)
    if best is not None:
        numbers["donor follow"] = best.follow
        numbers["donor follow above sham"] = excess
        numbers["delivered dose"] = best.dose.get("epsilon", NAN)
        if best.follow.low > margins.flips and excess.low > 0:
            return _content(evidence, best, excess, numbers)
    if not content or not (slots or edges):
        return unsettled(evidence, numbers)
    for effect in (*content, *slots, *edges, *presence):
        numbers[f"flips, {effect.arm}"] = effect.flips
    strongest = max(effect.dose.get("epsilon", 0.0) for effect in content)
    numbers["strongest delivered dose"] = strongest
    if strongest < evidence.design.least_dose:
        return Verdict(
            UNSETTLED,
            f"The strongest content edit moved the latents by ε = {strongest:.2f} only, which "
            "tests nothing; use edits of a fixed dose.",
            numbers,
        )
    if any(effect.verdict != EQUIVALENT for effect in content):
        return unsettled(evidence, numbers)
    same = f"every edit of the content is equivalent to none ({names(content)})"
    slot, beyond = following(evidence, slots)
    if slot is not None and slot.follow.low > margins.flips and beyond.low > 0:
        numbers["slot donor follow"] = slot.follow
        return Verdict(
            SLOT,
            f"What is fed into the slots does not matter: {same}. What the slots compute does: "
            f"with the keys and values of “{slot.arm}” {share_of(slot.follow)} of answers become "
            f"the donor's.{_mediated(evidence, 'slot', numbers)}",
            numbers,
        )
    return _without_content(evidence, numbers, same, slots, edges, presence)


def _without_content(
    evidence: Evidence,
    numbers: dict[str, Any],
    same: str,
    slots: Sequence[Effect],
    edges: Sequence[Effect],
    presence: Sequence[Effect],
) -> Verdict:
    """Content is shown not to matter, and no donor's slots are followed."""
    if any(effect.verdict != EQUIVALENT for effect in slots):
        return unsettled(evidence, numbers)
    rescued = rescue(evidence)
    if rescued is not None:
        numbers["rescued by own latents"] = rescued
    if rescued is not None and rescued.low > evidence.design.margins.accuracy:
        return Verdict(
            REDUNDANT,
            f"With the picture in view {same}; but without it the item's own latents give back "
            f"{points(rescued)} of accuracy. Picture and latents carry the same, and either is "
            "enough.",
            numbers,
        )
    cut_off = bool(edges) and all(effect.verdict == EQUIVALENT for effect in edges)
    markers = next((e for e in presence if kind_of(evidence, e) == "markers"), None)
    absent = next((e for e in presence if kind_of(evidence, e) == "delete"), None)
    if (
        not cut_off
        and absent is not None
        and markers is not None
        and absent.verdict == EFFECT
        and markers.verdict == EQUIVALENT
    ):
        return Verdict(
            FORMAT,
            f"{first(same)}. Without the span accuracy changes by {points(absent.change)}, and "
            f"its two markers alone bring that back ({points(markers.change)}): the model needs "
            "the form of a span and nothing in it.",
            numbers,
        )
    if edges and not cut_off:
        return unsettled(evidence, numbers)
    said = f"{first(same)}"
    if slots:
        said += f", and so is every exchange of the slots ({names(slots)})"
    if edges:
        said += f"; the answer may even be cut off from the latents ({names(edges)})"
    shaken = [effect for effect in presence if effect.verdict == EFFECT]
    if shaken:
        said += (
            f". Taking slots or their markers away does change answers ({names(shaken)}): that is "
            "the form the model was taught, for nothing in the slots is read"
        )
    return Verdict(
        BYPASSED,
        f"{said}. The controls fire: changed pictures change answers. The latents are made and "
        "not used.",
        numbers,
    )


def _content(
    evidence: Evidence, best: Effect, excess: Interval, numbers: dict[str, Any]
) -> Verdict:
    said = (
        f"The answer follows the latents: with the latents of “{best.arm}” "
        f"{share_of(best.follow)} of answers become the donor's, "
        f"{100 * excess.estimate:.0f} points more than under noise of the same length, at a "
        "delivered dose of ε = "
        f"{best.dose.get('epsilon', NAN):.2f}."
    )
    said += _mediated(evidence, best.locus, numbers)
    return Verdict(CONTENT, said, numbers)


def _mediated(evidence: Evidence, locus: str, numbers: dict[str, Any]) -> str:
    """The proportion mediated at a locus, in words and among the numbers, where it is given."""
    found = next(
        (s for n, s in evidence.splits.items() if n.endswith("choice") and s.locus == locus), None
    )
    if found is None or found.pure.estimate != found.pure.estimate:
        return ""
    numbers["proportion mediated"] = found.pure
    where = "what the slots compute" if locus == "slot" else "the latents"
    return (
        f" Of the changed picture's effect on choices {found.pure.estimate:.0%} goes through "
        f"{where} ({found.pure.low:.0%} to {found.pure.high:.0%})."
    )


def unsettled(evidence: Evidence, numbers: dict[str, Any]) -> Verdict:
    """What was seen and what it would take to know."""
    arms = evidence.where(
        lambda e: (
            e.declared
            and e.locus not in ("X", "none")
            and e.role in ("effect", "mediation")
            and of_base(evidence, e)
        )
    )
    most = max((effect.items for effect in arms), default=0)
    if arms and most < LEAST_ITEMS:
        return Verdict(
            UNSETTLED,
            f"Only {most} items could be compared; below {LEAST_ITEMS} nothing is concluded.",
            numbers,
        )
    acting = [e for e in arms if e.verdict == EFFECT and e.locus != "presence"]
    open_ones = [effect for effect in arms if effect.verdict not in (EFFECT, EQUIVALENT)]
    said = "The numbers allow no verdict."
    slot, beyond = following(evidence, [effect for effect in arms if effect.locus == "slot"])
    if slot is not None and slot.follow.low > evidence.design.margins.flips and beyond.low > 0:
        numbers["slot donor follow"] = slot.follow
        said += (
            f" With the slots of “{slot.arm}” {share_of(slot.follow)} of answers become the "
            "donor's, so what the slots hold is used; whether what is fed into them matters as "
            "well is not settled."
        )
    elif acting:
        said += (
            f" Edits change answers ({names(acting)}), but answers do not surely follow a donor, "
            "so damage cannot be told from use."
        )
    if open_ones:
        worst = max(open_ones, key=lambda effect: effect.flips.estimate)
        need = items_for_equivalence(
            evidence.design.margins.accuracy, max(0.01, worst.flips.estimate)
        )
        said += (
            f" Neither an effect nor its absence is shown for {names(open_ones)}; with "
            f"{worst.items} items a change of {worst.detectable:.1%} would have been seen, and "
            f"about {need:,} items would show that there is none of "
            f"{evidence.design.margins.accuracy:.0%}."
        )
    if not arms:
        said += " No arm that changes the imagination could be applied."
    numbers["open"] = [effect.arm for effect in open_ones]
    return Verdict(UNSETTLED, said, numbers)
