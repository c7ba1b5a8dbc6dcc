"""Latents as the only visual input: how much of what the picture gives do they give back?"""

from __future__ import annotations

from core.measures.paired import paired_change
from core.measures.statistics import Interval, verdict
from core.study.evidence import points
from core.study.finding import Finding, Line
from core.study.intervals import mean_of
from core.study.pairs import Pairs
from core.study.study import Study


def latents_alone(study: Study) -> Finding | None:
    """Z as the only visual input, against the question alone, others' latents, the picture."""
    own, alone = study.pairs.get("latents alone"), study.pairs.get("question alone")
    if not own or not alone or not len(own) or not len(alone):
        return None
    others = study.pairs.get("others' latents alone")
    gained = [_apart(study, "own latents", own, alone)]
    if others is not None and len(others):
        gained.append(_apart(study, "another item's latents", others, alone))
    gained.append(_apart(study, "the picture", study.pairs[study.design.arms[0].name], alone))
    by_latents, by_picture = gained[0][1], gained[-1][1]
    part = _part(by_latents, by_picture)
    holds = None
    little = study.design.little
    if part is not None and part.high < little:
        holds = True
    elif by_latents.low > 0 and part is not None and part.low > little:
        holds = False
    head = {
        True: f"little visual information: less than {little:.0%} of what the picture gives",
        False: f"visual information: more than {little:.0%} of what the picture gives",
        None: "not settled how much visual information",
    }[holds]
    said = (
        f"Latents probed → {head}. Over the question alone, paired by item, right answers gain: "
        + "; ".join(f"with {name} {points(i)}, {how}" for name, i, how in gained)
        + (
            f". The own latents give back {part.estimate:.0%} of the picture's gain (at most "
            f"{part.high:.0%}, at least {part.low:.0%})."
            if part is not None
            else ". The picture's own gain is not shown, so there is nothing to give back."
        )
        + " Without its picture the model is off what it was taught, so this is a lower bound."
    )
    return Finding(
        "latents probed",
        holds,
        said,
        tuple(gained),
        study.design.margins.accuracy,
        len(own),
    )


def _apart(study: Study, name: str, one: Pairs, other: Pairs) -> Line:
    """Gain in accuracy of one arm over another on the items both have."""
    design = study.design
    there = {pair.base["item"] for pair in one.pairs} & {p.base["item"] for p in other.pairs}
    a, b = one.only(there), other.only(there)
    wide, narrow = (
        mean_of(a.right() - b.right(), a.clusters, level, design)
        if a.clustered
        else paired_change(b.right(), a.right(), level)
        for level in (design.level, 2 * design.level - 1)
    )
    return name, wide, verdict(wide, narrow, design.margins.accuracy)


def _part(gain: Interval, whole: Interval) -> Interval | None:
    """gain / whole; its ends from the ends of both, which is wide enough whatever they share."""
    if not whole.low > 0:
        return None
    low = gain.low / (whole.low if gain.low < 0 else whole.high)
    high = gain.high / (whole.low if gain.high > 0 else whole.high)
    return Interval(gain.estimate / whole.estimate, low, high, gain.level)
