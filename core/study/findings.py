"""The three published findings, asked again of a study's own rows and latents.

Inputs changed → latents barely move; latents changed → answers barely move; latents probed →
little visual information (CapImagine, arXiv 2602.22766, section 3). Each is a sentence whose
words depend on tests: what barely moves is shown to lie below a margin, what is not shown
either way is said to be open. References that the published figures lacked stand beside: raw
cosines beside centred ones and the pictures' own, the latents of other items beside the own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.measures.paired import paired_change
from core.measures.similarity import across_runs, cosine, within_run
from core.measures.statistics import (
    EFFECT,
    EQUIVALENT,
    INCONCLUSIVE,
    Interval,
    verdict,
)
from core.study.intervals import mean_of
from core.study.pairs import Pairs
from core.study.study import Study
from core.study.tiles import mean_of_pairs

Line = tuple[str, Interval, str]


@dataclass(frozen=True, eq=False)
class Finding:
    """One finding.

    Attributes:
        name: what was changed → what was looked at.
        holds: True where the published finding is shown here, False where its opposite is, None
            where neither is.
        says: a sentence with numbers and their intervals.
        lines: (label, interval, verdict), for a figure.
        margin: of the figure's band, in the interval's own unit.
        items: how many.
        raw, centred: (K, N, N) cosines between items, of the first finding.
    """

    name: str
    holds: bool | None
    says: str
    lines: tuple[Line, ...]
    margin: float
    items: int
    raw: tuple[Tensor, ...] = ()
    centred: tuple[Tensor, ...] = ()
    pictures: Tensor | None = None


def findings(
    study: Study, latents: Mapping[str, Tensor], sites: Mapping[str, Tensor] | None = None
) -> list[Finding]:
    """What of the published analysis this study can say.

    Args:
        latents: item id → (K, D) of the base runs.
        sites: item id → (2, D), the first the mean of the picture's patches.
    """
    made = (_inputs(study, latents, sites or {}), _answers(study), _probing(study))
    return [finding for finding in made if finding is not None]


def _inputs(
    study: Study, latents: Mapping[str, Tensor], sites: Mapping[str, Tensor]
) -> Finding | None:
    """X → Z: how far do latents move when the input changes, how alike are different items'?"""
    design, margin = study.design, study.design.least_dose
    lines, items = [], 0
    for pairs in study.pairs.values():
        arm = pairs.arm
        if arm.x is None or arm.z or arm.force or arm.x.strength or not len(pairs):
            continue
        values = np.array([p.mean(_moved(row) for row in p.draws) for p in pairs.pairs])
        wide, narrow = (
            mean_of(values, pairs.clusters, level, design)
            for level in (design.level, 2 * design.level - 1)
        )
        if wide.estimate != wide.estimate:
            continue
        found = INCONCLUSIVE
        if narrow.high < margin:
            found = EQUIVALENT
        elif wide.low > margin:
            found = EFFECT
        lines.append((arm.name, wide, found))
        items = max(items, int((~np.isnan(values)).sum()))
    if not lines or len(latents) < 3:
        return None
    holds = _all(lines)
    head = {
        True: f"barely move: each by less than the {margin:g} of their own length declared before "
        "the run (one-sided test)",
        False: f"move: each by more than the {margin:g} of their own length declared to test "
        "anything",
        None: f"are not shown to move by less than {margin:g} of their own length, nor all by more",
    }[holds]
    order = sorted(latents, key=lambda name: (_task(study, name), name))
    runs = [latents[name] for name in order]
    steps = min(len(run) for run in runs)
    raw = tuple(across_runs([run[:steps] for run in runs]))
    centred = tuple(across_runs([run[:steps] for run in runs], "centred"))
    seen = None
    if all(name in sites for name in order):
        seen = cosine(torch.stack([sites[name][0] for name in order]))
    inside = torch.stack([within_run(run[:steps]) for run in runs])
    own = mean_of_pairs(inside.nanmean(0)) if steps > 1 else float("nan")
    said = (
        f"Inputs changed → latents {head}. "
        + "; ".join(f"{name}: ‖z′ − z‖ / ‖z‖ {_number(i)}, {how}" for name, i, how in lines)
        + f". The cosine between different items' latents ({len(runs)} items) is "
        f"{mean_of_pairs(raw[0]):.3f} at the first step and {mean_of_pairs(raw[-1]):.3f} at the "
        f"last (centred on the step's mean {mean_of_pairs(centred[0]):+.3f} and "
        f"{mean_of_pairs(centred[-1]):+.3f}"
        + ("" if seen is None else f"; of their pictures' mean patches {mean_of_pairs(seen):.3f}")
        + f"); between steps of one run it is {own:.3f}."
    )
    return Finding("inputs → latents", holds, said, tuple(lines), margin, items, raw, centred, seen)


def _answers(study: Study) -> Finding | None:
    """Z → Y: what do edits of the latents' content do to the answers?"""
    arms = [
        effect
        for effect in study.effects.values()
        if effect.locus == "content"
        and effect.role == "effect"
        and effect.declared
        and effect.items
    ]
    if not arms:
        return None
    lines = tuple((e.arm, e.flips, e.verdict) for e in arms)
    least = study.design.least_dose
    # a swap of latents that are all alike changes nothing, so its null says nothing
    tried = [e for e in arms if not e.dose.get("epsilon", least) < least]
    holds = _all([(e.arm, e.flips, e.verdict) for e in tried]) if tried else None
    count = {how: sum(e.verdict == how for e in tried) for how in (EQUIVALENT, EFFECT)}
    doses = f"edits with a dose of ε ≥ {least:g}"
    every = f"all {len(tried)} {doses} are" if len(tried) > 1 else f"the only one of the {doses} is"
    head = {
        True: f"barely move: {every} equivalent to none (two one-sided tests "
        "against the margins declared before the run)",
        False: f"move: {len(tried)} of {len(tried)} {doses} have an effect",
        None: f"do not move alike: {count[EQUIVALENT]} of {len(tried)} {doses} are equivalent to "
        f"none, {count[EFFECT]} have an effect, the others are inconclusive",
    }[holds]
    said = "; ".join(
        f"{e.arm} (ε = {e.dose.get('epsilon', float('nan')):.2f}"
        f"{', too little to test anything' * (e not in tried)}): {_share(e.flips)} of answers "
        f"change, accuracy {_points(e.change)}, the right option's logit difference "
        f"{_number(e.logit, '+')} nats, {e.verdict}"
        for e in arms
    )
    return Finding(
        "latents → answers",
        holds,
        f"Latents changed → answers {head}. {said}.",
        lines,
        study.design.margins.flips,
        max(e.items for e in arms),
    )


def _probing(study: Study) -> Finding | None:
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
        + "; ".join(f"with {name} {_points(i)}, {how}" for name, i, how in gained)
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


def _all(lines: Sequence[Line]) -> bool | None:
    """Whether all are equivalent to none, or all have an effect."""
    for how, holds in ((EQUIVALENT, True), (EFFECT, False)):
        if all(found == how for _, _, found in lines):
            return holds
    return None


def _moved(row: Mapping[str, object]) -> float:
    value = row.get("moved")
    return float(value) if isinstance(value, int | float) else float("nan")


def _task(study: Study, item: str) -> str:
    for pair in study.pairs[study.design.arms[0].name].pairs:
        if pair.base["item"] == item:
            return str(pair.base["task"])
    return ""


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _points(interval: Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.estimate:+.1f} points ({low:+.1f} to {high:+.1f})"


def _number(interval: Interval, sign: str = "") -> str:
    mean, low, high = (round(v, 3) + 0.0 for v in (interval.estimate, interval.low, interval.high))
    return f"{mean:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
