"""From numbers to words: does this model use what it imagines?

The questions are asked in order, and the first that settles it gives the verdict. Is the
instrument sound here? Does the model imagine at all? Is there anything to explain, that is
more than the question alone gives away? Does the answer follow another item's latents? Their
slots? Is either enough alone? Can it be cut off from the latents altogether, and if not, does
it need more than the span's form? A null counts
only as an equivalence, with its margin declared before; what is neither is *inconclusive*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.measures.resampling import bootstrap_mean
from core.measures.statistics import EFFECT, EQUIVALENT, Interval, items_for_equivalence, wilson
from core.study.design import Design
from core.study.effects import LEAST_ITEMS, NOTHING, Effect, plain_value, share
from core.study.mediation import Split
from core.study.pairs import NAN, Pair, Pairs, agree
from core.study.validation import Check, passed

CONTENT = "load-bearing content"
SLOT = "load-bearing slot, not content"
TEXT = "load-bearing text"
FORMAT = "format only"
BYPASSED = "bypassed"
REDUNDANT = "redundant"
UNSETTLED = "inconclusive"
NO_LATENTS = "no latents"
UNSOUND = "instrument not validated"


@dataclass(frozen=True)
class Verdict:
    """What the numbers allow to be said.

    Attributes:
        verdict: one of the words above.
        reason: why, in sentences with the numbers that led there.
        numbers: those numbers by name; intervals as [estimate, low, high].
        validated: whether the instrument was sound on this model.
    """

    verdict: str
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)
    validated: bool = True

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "numbers": plain_value(self.numbers),
            "validated": self.validated,
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything a verdict is drawn from.

    Attributes:
        family: title of the family; ``latent`` and ``words``: how it reasons.
        base: rows of the base arm that could be run.
        pairs, effects, splits: by arm.
        checks: the validation card.
        design: margins and thresholds.
    """

    family: str
    latent: bool
    words: bool
    base: Sequence[Mapping[str, Any]]
    pairs: Mapping[str, Pairs]
    effects: Mapping[str, Effect]
    splits: Mapping[str, Split]
    checks: Sequence[Check]
    design: Design

    def where(self, test: Callable[[Effect], bool]) -> list[Effect]:
        """Effects of arms with items that pass a test."""
        return [effect for effect in self.effects.values() if effect.items and test(effect)]


def judge(evidence: Evidence) -> Verdict:
    """The verdict."""
    failed = [check for check in evidence.checks if check.needed and not check.passed]
    if failed:
        said = "; ".join(f"{check.name}: {check.seen}" for check in failed)
        return Verdict(
            UNSOUND,
            f"The instrument is not validated on this model ({said}), so nothing it measured is "
            "evidence about the model.",
            {"failed": [check.name for check in failed]},
            validated=False,
        )
    sound = passed(evidence.checks)
    emission = wilson(sum(bool(row["imagined"]) for row in evidence.base), len(evidence.base))
    numbers: dict[str, Any] = {"emission": emission, "items": len(evidence.base)}
    if not evidence.latent and not evidence.words:
        return Verdict(NO_LATENTS, f"{evidence.family} answers without imagining.", numbers, sound)
    if not emission.estimate >= evidence.design.least_emission:
        return Verdict(
            NO_LATENTS,
            f"The model imagined on {_share(emission)} of the items; below "
            f"{evidence.design.least_emission:.0%} nothing is concluded about what it imagines. "
            "Force a span to study it.",
            numbers,
            sound,
        )
    if len(evidence.base) < LEAST_ITEMS:
        return Verdict(
            UNSETTLED,
            f"Only {len(evidence.base)} items could be run; below {LEAST_ITEMS} nothing is "
            "concluded.",
            numbers,
        )
    blind = evidence.where(lambda e: e.role == "blind")
    if blind:
        headroom = _negative(blind[0].change)
        numbers["headroom over blind"] = headroom
        if not headroom.low > 0:
            return Verdict(
                UNSETTLED,
                "The picture is not shown to help on these items (headroom over a blank one "
                f"{_points(headroom)}), so there is nothing for latents to carry.",
                numbers,
                sound,
            )
    return _text(evidence, numbers) if evidence.words else _latents(evidence, numbers)


def _text(evidence: Evidence, numbers: dict[str, Any]) -> Verdict:
    """A model that imagines in words: does the answer follow another sentence?"""
    for effect in evidence.where(lambda e: e.locus == "content" and e.role == "mediation"):
        arm = evidence.pairs[effect.arm].arm
        if arm.donor != "x" or arm.parent != "base":
            continue
        numbers["follows the sentence"] = effect.follow
        if effect.follow.low > evidence.design.margins.flips and _any_follow(effect):
            return Verdict(
                TEXT,
                f"The answer follows the imagined sentence: with the sentence about the changed "
                f"picture in place of its own, {_share(effect.follow)} of answers become that "
                "picture's, although the picture in the prompt is the old one.",
                numbers,
            )
        if effect.verdict == EQUIVALENT:
            return Verdict(
                BYPASSED,
                "Another picture's sentence in place of the model's own changes "
                f"{_share(effect.flips)} of the answers: it is written and not read.",
                numbers,
            )
    return _unsettled(evidence, numbers)


def _latents(evidence: Evidence, numbers: dict[str, Any]) -> Verdict:
    margins = evidence.design.margins
    content = evidence.where(
        lambda e: (
            e.locus == "content"
            and e.declared
            and e.role in ("effect", "mediation")
            and _of_base(evidence, e)
        )
    )
    slots = evidence.where(lambda e: e.locus == "slot" and e.declared and e.role == "effect")
    edges = evidence.where(lambda e: e.locus == "edge" and e.declared)
    presence = evidence.where(lambda e: e.locus == "presence" and e.declared)

    best, excess = _following(evidence, content)
    if best is not None:
        numbers["donor follow"] = best.follow
        numbers["donor follow above sham"] = excess
        numbers["delivered dose"] = best.dose.get("epsilon", NAN)
        if best.follow.low > margins.flips and excess.low > 0:
            return _content(evidence, best, excess, numbers)
    if not content or not (slots or edges):
        return _unsettled(evidence, numbers)
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
        return _unsettled(evidence, numbers)
    same = f"every edit of the content is equivalent to none ({_names(content)})"
    slot, beyond = _following(evidence, slots)
    if slot is not None and slot.follow.low > margins.flips and beyond.low > 0:
        numbers["slot donor follow"] = slot.follow
        return Verdict(
            SLOT,
            f"What is fed into the slots does not matter: {same}. What the slots compute does: "
            f"with a donor's keys and values in them {_share(slot.follow)} of answers become the "
            "donor's.",
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
        return _unsettled(evidence, numbers)
    rescue = _rescue(evidence)
    if rescue is not None:
        numbers["rescued by own latents"] = rescue
    if rescue is not None and rescue.low > evidence.design.margins.accuracy:
        return Verdict(
            REDUNDANT,
            f"With the picture in view {same}; but without it the item's own latents give back "
            f"{_points(rescue)} of accuracy. Picture and latents carry the same, and either is "
            "enough.",
            numbers,
        )
    cut_off = bool(edges) and all(effect.verdict == EQUIVALENT for effect in edges)
    markers = next((e for e in presence if _kind(evidence, e) == "markers"), None)
    absent = next((e for e in presence if _kind(evidence, e) == "delete"), None)
    if (
        not cut_off
        and absent is not None
        and markers is not None
        and absent.verdict == EFFECT
        and markers.verdict == EQUIVALENT
    ):
        return Verdict(
            FORMAT,
            f"{_first(same)}. Without the span accuracy changes by {_points(absent.change)}, and "
            f"its two markers alone bring that back ({_points(markers.change)}): the model needs "
            "the form of a span and nothing in it.",
            numbers,
        )
    if edges and not cut_off:
        return _unsettled(evidence, numbers)
    said = f"{_first(same)}"
    if slots:
        said += f", and so is every exchange of the slots ({_names(slots)})"
    if edges:
        said += f"; the answer may even be cut off from the latents ({_names(edges)})"
    shaken = [effect for effect in presence if effect.verdict == EFFECT]
    if shaken:
        said += (
            f". Taking slots or their markers away does change answers ({_names(shaken)}): that is "
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
    share_of = next(
        (s for name, s in evidence.splits.items() if name.endswith("choice") and s.items), None
    )
    said = (
        f"The answer follows the latents: with the latents of “{best.arm}” "
        f"{_share(best.follow)} of answers become the donor's ({excess.estimate:.1%} more than "
        f"under noise of the same length), at a delivered dose of ε = "
        f"{best.dose.get('epsilon', NAN):.2f}."
    )
    if share_of is not None and share_of.pure.estimate == share_of.pure.estimate:
        numbers["proportion mediated"] = share_of.pure
        said += (
            f" Of the changed picture's effect on choices {share_of.pure.estimate:.0%} goes "
            f"through the latents ({share_of.pure.low:.0%} to {share_of.pure.high:.0%})."
        )
    return Verdict(CONTENT, said, numbers)


def _following(evidence: Evidence, arms: Sequence[Effect]) -> tuple[Effect | None, Interval]:
    """The arm whose donors are followed most surely, and by how much more than chance.

    Chance is how often the donor's answer is given under noise on the same items, which a
    donor that merely disturbs the model would reach too.
    """
    asked = [effect for effect in arms if _any_follow(effect)]
    if not asked:
        return None, NOTHING
    best = max(asked, key=lambda effect: effect.follow.low)
    return best, _above_noise(evidence, best)


def _above_noise(evidence: Evidence, effect: Effect) -> Interval:
    pairs = evidence.pairs[effect.arm]
    noise = next(
        (
            p
            for p in evidence.pairs.values()
            if p.arm.z and p.arm.z[0].kind in ("gaussian", "rotate") and len(p)
        ),
        None,
    )
    noisy = {pair.base["item"]: pair for pair in noise.pairs} if noise else {}
    differences, names = [], []
    for pair, follows in zip(pairs.pairs, pairs.follows(), strict=True):
        if np.isnan(follows):
            continue
        differences.append(follows - _by_chance(pair, noisy.get(pair.base["item"])))
        names.append(pair.base["cluster"] or pair.base["item"])
    if len(differences) < LEAST_ITEMS:
        return NOTHING
    values = np.array(differences)
    design = evidence.design
    if np.isin(values, (0.0, 1.0)).all():
        return share(values, names, design.level, design)
    return bootstrap_mean(values, names, design.level, design.resamples, design.seed)


def _by_chance(pair: Pair, noisy: Pair | None) -> float:
    """How often noise gives what the donor says, for this item."""
    if noisy is None:
        return 0.0
    said = pair.row.get("expected")
    return noisy.mean(float(agree(row["choice"], said)) for row in noisy.draws)


def _rescue(evidence: Evidence) -> Interval | None:
    """Accuracy the own latents give back to a run without its picture, paired by item."""
    blind = next((p for p in evidence.pairs.values() if p.arm.role == "blind" and len(p)), None)
    if blind is None:
        return None
    own = next(
        (
            p
            for p in evidence.pairs.values()
            if p.arm.x == blind.arm.x and p.arm.parent == "x" and p.arm.donor == "base" and len(p)
        ),
        None,
    )
    if own is None:
        return None
    without = {pair.base["item"]: pair for pair in blind.pairs}
    both = [
        (pair, without[pair.base["item"]]) for pair in own.pairs if pair.base["item"] in without
    ]
    values = [float(a.row["right"]) - float(b.row["right"]) for a, b in both]
    names = [a.base["cluster"] or a.base["item"] for a, _ in both]
    if len(values) < LEAST_ITEMS:
        return None
    design = evidence.design
    return bootstrap_mean(values, names, design.level, design.resamples, design.seed)


def _unsettled(evidence: Evidence, numbers: dict[str, Any]) -> Verdict:
    """What was seen and what it would take to know."""
    arms = evidence.where(
        lambda e: (
            e.declared
            and e.locus not in ("X", "none")
            and e.role in ("effect", "mediation")
            and _of_base(evidence, e)
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
    if acting:
        said += (
            f" Edits change answers ({_names(acting)}), but answers do not surely follow a donor, "
            "so damage cannot be told from use."
        )
    if open_ones:
        worst = max(open_ones, key=lambda effect: effect.flips.estimate)
        need = items_for_equivalence(
            evidence.design.margins.accuracy, max(0.01, worst.flips.estimate)
        )
        said += (
            f" Neither an effect nor its absence is shown for {_names(open_ones)}; with "
            f"{worst.items} items a change of {worst.detectable:.1%} would have been seen, and "
            f"about {need:,} items would show that there is none of "
            f"{evidence.design.margins.accuracy:.0%}."
        )
    if not arms:
        said += " No arm that changes the imagination could be applied."
    numbers["open"] = [effect.arm for effect in open_ones]
    return Verdict(UNSETTLED, said, numbers)


def _of_base(evidence: Evidence, effect: Effect) -> bool:
    """Whether the arm changes latents of the run on the item as it is."""
    return evidence.pairs[effect.arm].arm.parent == "base"


def _kind(evidence: Evidence, effect: Effect) -> str:
    return evidence.pairs[effect.arm].arm.z[0].kind


def _any_follow(effect: Effect) -> bool:
    return effect.follow.estimate == effect.follow.estimate and effect.role != "sham"


def _negative(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.high, -interval.low, interval.level)


def _names(effects: Sequence[Effect]) -> str:
    return ", ".join(f"{effect.arm} {_share(effect.flips)}" for effect in effects)


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _points(interval: Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.estimate:+.1f} points ({low:+.1f} to {high:+.1f})"


def _first(words: str) -> str:
    return words[:1].upper() + words[1:]
