"""Does the answer become the donor's, and by more than a mere disturbance would make it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.measures.small_samples import mean_interval
from core.measures.statistics import Interval
from core.study.effects import LEAST_ITEMS, Effect
from core.study.evidence import Evidence, any_follow
from core.study.intervals import NOTHING, share
from core.study.mediation import unsure
from core.study.pairs import Pair, agree


def following(evidence: Evidence, arms: Sequence[Effect]) -> tuple[Effect | None, Interval]:
    """The arm whose donors are followed most surely, and by how much more than chance.

    Chance is how often the donor's answer is given under noise on the same items, which a
    donor that merely disturbs the model would reach too.
    """
    asked = [effect for effect in arms if any_follow(effect)]
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
    return mean_interval(values, names, design.level, design.resamples, design.seed)


def _by_chance(pair: Pair, noisy: Pair | None) -> float:
    """How often noise gives what the donor says, for this item."""
    if noisy is None:
        return 0.0
    said = pair.row.get("expected")
    return noisy.mean(float(agree(row["choice"], said)) for row in noisy.draws)


def rescue(evidence: Evidence) -> Interval | None:
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
    found = mean_interval(values, names, design.level, design.resamples, design.seed)
    return unsure(found, np.array(values), len(set(names)), 1.0)
