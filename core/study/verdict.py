"""From numbers to words: does this model use what it imagines?

The questions are asked in order, and the first that settles it gives the verdict. Is the
instrument sound here? Does the model imagine at all? Is there anything to explain, that is
more than the question alone gives away? Does the answer follow another item's latents? Their
slots? Is either enough alone? Can it be cut off from the latents altogether, and if not, does
it need more than the span's form? A null counts
only as an equivalence, with its margin declared before; what is neither is *inconclusive*.
"""

from __future__ import annotations

from typing import Any

from core.measures.statistics import Interval, wilson
from core.study.carrying import judge_latents, judge_text
from core.study.effects import LEAST_ITEMS
from core.study.evidence import (
    NO_LATENTS,
    UNSETTLED,
    UNSOUND,
    Evidence,
    Verdict,
    points,
    share_of,
)
from core.study.validation import passed

__all__ = ["Evidence", "Verdict", "judge"]


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
            f"The model imagined on {share_of(emission)} of the items; below "
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
                f"{points(headroom)}), so there is nothing for latents to carry.",
                numbers,
                sound,
            )
    return judge_text(evidence, numbers) if evidence.words else judge_latents(evidence, numbers)


def _negative(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.high, -interval.low, interval.level)
