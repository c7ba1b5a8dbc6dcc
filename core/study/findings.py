"""The three published findings, asked again of a study's own rows and latents.

Inputs changed → latents barely move; latents changed → answers barely move; latents probed →
little visual information (CapImagine, arXiv 2602.22766, section 3). Each is a sentence whose
words depend on tests: what barely moves is shown to lie below a margin, what is not shown
either way is said to be open. References that the published figures lacked stand beside: raw
cosines beside centred ones and the pictures' own, the latents of other items beside the own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from core.measures.similarity import across_runs, cosine, within_run
from core.measures.statistics import EFFECT, EQUIVALENT, INCONCLUSIVE
from core.study.alone import latents_alone
from core.study.evidence import points, share_of
from core.study.finding import Finding, all_alike, number
from core.study.intervals import mean_of
from core.study.study import Study
from core.study.tiles import mean_of_pairs


def findings(
    study: Study, latents: Mapping[str, Tensor], sites: Mapping[str, Tensor] | None = None
) -> list[Finding]:
    """What of the published analysis this study can say.

    Args:
        latents: item id → (K, D) of the base runs.
        sites: item id → (2, D), the first the mean of the picture's patches.
    """
    made = (_inputs(study, latents, sites or {}), _answers(study), latents_alone(study))
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
    holds = all_alike(lines)
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
        + "; ".join(f"{name}: ‖z′ − z‖ / ‖z‖ {number(i)}, {how}" for name, i, how in lines)
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
    holds = all_alike([(e.arm, e.flips, e.verdict) for e in tried]) if tried else None
    count = {how: sum(e.verdict == how for e in tried) for how in (EQUIVALENT, EFFECT)}
    doses = f"edits with a dose of ε ≥ {least:g}"
    several = len(tried) > 1
    every = f"all {len(tried)} {doses}" if several else f"the only one of the {doses}"
    head = {
        True: f"barely move: {every} {'are' if several else 'is'} equivalent to none (two "
        "one-sided tests against the margins declared before the run)",
        False: f"move: {every} {'have' if several else 'has'} an effect",
        None: f"do not move alike: {count[EQUIVALENT]} of {len(tried)} {doses} are equivalent to "
        f"none, {count[EFFECT]} have an effect, the others are inconclusive",
    }[holds]
    said = "; ".join(
        f"{e.arm} (ε = {e.dose.get('epsilon', float('nan')):.2f}"
        f"{', too little to test anything' * (e not in tried)}): {share_of(e.flips)} of answers "
        f"change, accuracy {points(e.change)}, the right option's logit difference "
        f"{number(e.logit, '+')} nats, {e.verdict}"
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


def _moved(row: Mapping[str, object]) -> float:
    value = row.get("moved")
    return float(value) if isinstance(value, int | float) else float("nan")


def _task(study: Study, item: str) -> str:
    for pair in study.pairs[study.design.arms[0].name].pairs:
        if pair.base["item"] == item:
            return str(pair.base["task"])
    return ""
