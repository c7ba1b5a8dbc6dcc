"""What an arm did: rates with intervals, and a three-way verdict on each.

The estimand of a latent edit is its effect on items whose base run imagined (emitters, a
stratum settled before the intervention); intention to treat, over all items, is given beside
it: where nothing was imagined nothing could be changed, so that Δ_all = e · Δ_emitters.

An arm is *equivalent to none* when few answers change (the 90 % interval of the flip rate lies
below its margin) and the net effect is inside its own margin; it has an *effect* when the net
change of accuracy excludes 0, or surely more answers change than the margin allows, each at
half the error. A net change alone would miss ten right answers lost and ten won.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.measures.multiplicity import benjamini_hochberg, holm
from core.measures.resampling import sign_flip
from core.measures.statistics import (
    EFFECT,
    EQUIVALENT,
    INCONCLUSIVE,
    Interval,
    mcnemar,
    minimum_detectable,
    verdict,
    wilson,
)
from core.study.design import Design
from core.study.intervals import NOTHING, accuracy_change, mean_of, share
from core.study.pairs import Pairs
from core.study.tallies import average, doses_of, flows, health_of

LEAST_ITEMS = 10
"""Below this many items nothing is concluded."""


@dataclass(frozen=True)
class Effect:
    """One arm's effect.

    Attributes:
        arm, role, locus, says, declared: of the arm.
        items: pairs.
        silent: items whose base did not imagine, so that the edit could not be applied.
        skipped: other reasons → items.
        base_accuracy, accuracy: Wilson intervals of both rates.
        change: Δ accuracy with its interval; ``intention``: over all items.
        flips: share of answers that changed.
        flows: R→R, R→W, W→R, W→W, W→W′ as numbers of items (first draw).
        logit: mean change of the logit difference of the right option, nats.
        shift: mean total variation over the options.
        follow: share that follows the donor among items whose base says something else.
        p: exact McNemar, or sign flips by cluster; ``adjusted``: Holm in the declared family,
            Benjamini–Hochberg outside.
        detectable: smallest Δ accuracy this sample would have detected with 80 % power, as many
            answers changing as did (at least one).
        verdict: the arm's; ``on_accuracy``, ``on_flips``, ``on_logit``: of each outcome.
        dose: mean ε, cosine, largest and least hidden change, median percentile.
        health: shares of unread answers, repetition, cut-off runs, mean length.
    """

    arm: str
    role: str
    locus: str
    says: str
    declared: bool
    items: int
    silent: int
    skipped: dict[str, int]
    base_accuracy: Interval
    accuracy: Interval
    change: Interval
    intention: Interval
    flips: Interval
    flows: dict[str, int]
    logit: Interval
    shift: float
    follow: Interval
    p: float
    detectable: float
    verdict: str
    on_accuracy: str
    on_flips: str
    on_logit: str
    dose: dict[str, float] = field(default_factory=dict)
    health: dict[str, float] = field(default_factory=dict)
    adjusted: float = float("nan")

    def plain(self) -> dict[str, Any]:
        """JSON values; what is not a number is null."""
        return {name: plain_value(value) for name, value in vars(self).items()}


def plain_value(value: Any) -> Any:
    """Intervals as [estimate, low, high], NaN as null, recursively."""
    if isinstance(value, Interval):
        return [plain_value(v) for v in (value.estimate, value.low, value.high)]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain_value(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(v) for v in value]
    return value


def effect_of(pairs: Pairs, design: Design) -> Effect:
    """The effect of one arm against the base."""
    arm, n = pairs.arm, len(pairs)
    base, right, flipped, logit = (
        pairs.base_right(),
        pairs.right(),
        pairs.flipped(),
        pairs.logit(),
    )
    clusters, level = pairs.clusters, design.level
    change, narrow = (accuracy_change(pairs, at, design) for at in (level, 2 * level - 1))
    flips, few = (share(flipped, clusters, at, design) for at in (level, 2 * level - 1))
    moved = mean_of(logit, clusters, level, design)
    moved_narrow = mean_of(logit, clusters, 2 * level - 1, design)
    margins = design.margins
    on_accuracy = verdict(change, narrow, margins.accuracy)
    on_logit = verdict(moved, moved_narrow, margins.logit)
    on_flips = INCONCLUSIVE
    if few.high < margins.flips:
        on_flips = EQUIVALENT
    elif flips.low > margins.flips:
        on_flips = EFFECT
    overall = INCONCLUSIVE
    if n >= LEAST_ITEMS:
        settled = EQUIVALENT in (on_accuracy, on_logit)
        if _acts(pairs, design, (on_accuracy, on_flips)):
            overall = EFFECT
        elif on_flips == EQUIVALENT and settled:
            overall = EQUIVALENT
    return Effect(
        arm=arm.name,
        role=arm.role,
        locus=arm.locus,
        says=arm.says,
        declared=arm.declared,
        items=n,
        silent=len(pairs.silent),
        skipped=pairs.skipped,
        base_accuracy=wilson(round(base.sum()), n, level) if n else NOTHING,
        accuracy=share(right, clusters, level, design),
        change=change,
        intention=_intention(pairs, design),
        flips=flips,
        flows=flows(pairs),
        logit=moved,
        shift=average(pairs.shift()),
        follow=share(pairs.follows(), clusters, level, design),
        p=_p(pairs, design),
        detectable=minimum_detectable(n, max(average(flipped), 1 / n)) if n else float("nan"),
        verdict=overall,
        on_accuracy=on_accuracy,
        on_flips=on_flips,
        on_logit=on_logit,
        dose=doses_of(pairs),
        health=health_of([pair.row for pair in pairs.pairs]),
    )


def _acts(pairs: Pairs, design: Design, found: tuple[str, str]) -> bool:
    """Whether the arm has an effect on accuracy or on changed answers.

    Two outcomes are asked, so each is asked at half the error: together they err in no more
    than 1 − ``level`` of the studies, also at the margin itself.
    """
    if EFFECT not in found:
        return False
    strict = (1 + design.level) / 2
    change = accuracy_change(pairs, strict, design)
    few = accuracy_change(pairs, 2 * design.level - 1, design)
    flips = share(pairs.flipped(), pairs.clusters, strict, design)
    moved = verdict(change, few, design.margins.accuracy) == EFFECT
    return moved or flips.low > design.margins.flips


def effects_of(pairs: dict[str, Pairs], design: Design) -> dict[str, Effect]:
    """Every arm but the base, p-values adjusted for how many there are."""
    found = {name: effect_of(one, design) for name, one in pairs.items() if one.arm.role != "base"}
    for declared, adjust in ((True, holm), (False, benjamini_hochberg)):
        names = [name for name, effect in found.items() if effect.declared == declared]
        if not names:
            continue
        for name, p in zip(names, adjust([found[name].p for name in names]), strict=True):
            found[name] = replace(found[name], adjusted=float(p))
    return found


def _intention(pairs: Pairs, design: Design) -> Interval:
    """Δ accuracy over all items, 0 where nothing was imagined and so nothing changed."""
    differences = np.concatenate([pairs.right() - pairs.base_right(), np.zeros(len(pairs.silent))])
    names = pairs.clusters + [row["cluster"] or row["item"] for row in pairs.silent]
    return mean_of(differences, names, design.level, design)


def _p(pairs: Pairs, design: Design) -> float:
    if not len(pairs):
        return float("nan")
    difference = pairs.right() - pairs.base_right()
    if pairs.clustered:
        return sign_flip(difference, pairs.clusters, seed=design.seed)
    return mcnemar(int((difference < 0).sum()), int((difference > 0).sum()))
