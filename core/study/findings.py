"""The three published findings, derived again from a study's own rows and latents.

Inputs changed → latents barely move; latents changed → answers barely move; latents probed →
little visual information (CapImagine, arXiv 2602.22766, section 3). Each is a sentence with
numbers and their intervals, and with the reference the published figures lacked: raw cosines
stand beside centred ones, accuracies of the latents beside those of other items' latents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.measures.similarity import across_runs, within_run
from core.measures.statistics import EQUIVALENT, Interval
from core.study.effects import Effect

MOST = 100
"""Items whose latents are compared, as published."""


@dataclass(frozen=True, eq=False)
class Finding:
    """A sentence, and the numbers behind it."""

    name: str
    says: str
    numbers: dict[str, float]
    panels: tuple[Tensor, ...] = ()


def latents_of(folder: str | Path, what: str = "latents", most: int = MOST) -> dict[str, Tensor]:
    """Item id → latents (K, D) that a study kept, or its ``"sites"``; {} where it kept none."""
    found: dict[str, Tensor] = {}
    paths = sorted((Path(folder) / what).glob("*.safetensors"), key=lambda p: int(p.stem))
    for path in paths:
        try:
            found.update(load_file(path))
        except (SafetensorError, OSError):
            continue
        if len(found) >= most:
            break
    return dict(list(found.items())[:most])


def findings(effects: Mapping[str, Effect], latents: Mapping[str, Tensor]) -> list[Finding]:
    """What of the published analysis this study can say."""
    made = (_inputs(latents), _answers(effects), _probing(effects))
    return [finding for finding in made if finding is not None]


def _inputs(latents: Mapping[str, Tensor]) -> Finding | None:
    """X → Z: how alike are the latents of different items, step by step?"""
    if len(latents) < 3:
        return None
    runs = list(latents.values())
    steps = min(len(run) for run in runs)
    raw = across_runs([run[:steps] for run in runs])
    centred = across_runs([run[:steps] for run in runs], "centred")
    off = ~torch.eye(len(runs), dtype=torch.bool)
    alike = [_mean(panel[off]) for panel in raw]
    beyond = [_mean(panel[off]) for panel in centred]
    inside = [within_run(run[:steps]) for run in runs]
    apart = ~torch.eye(steps, dtype=torch.bool)
    own = _mean(torch.stack(inside)[:, apart]) if steps > 1 else float("nan")
    said = (
        f"Inputs → latents ({len(runs)} items): the cosine between different items' latents is "
        f"{alike[0]:.3f} at the first step and {alike[-1]:.3f} at the last (centred on the step's "
        f"mean {beyond[0]:+.3f} and {beyond[-1]:+.3f}); within a run latents have {own:.3f}."
    )
    numbers = {f"step {k + 1}": value for k, value in enumerate(alike)}
    return Finding("inputs to latents", said, {**numbers, "within a run": own}, tuple(raw))


def _answers(effects: Mapping[str, Effect]) -> Finding | None:
    """Z → Y: what do edits of the latents do to accuracy?"""
    arms = [
        effect
        for effect in effects.values()
        if effect.locus == "content"
        and effect.role == "effect"
        and effect.declared
        and effect.items
    ]
    if not arms:
        return None
    said = "; ".join(
        f"{effect.arm} {_points(effect.change)}, {effect.flips.estimate:.1%} of answers change, "
        f"the right option's logit difference by {effect.logit.estimate:+.2f} nats "
        f"({effect.logit.low:+.2f} to {effect.logit.high:+.2f}) "
        f"(ε = {effect.dose.get('epsilon', float('nan')):.2f}): {effect.verdict}"
        for effect in arms
    )
    same = sum(effect.verdict == EQUIVALENT for effect in arms)
    return Finding(
        "latents to answers",
        f"Latents → answers: {same} of {len(arms)} edits are equivalent to none. {said}.",
        {effect.arm: effect.change.estimate for effect in arms},
    )


def _probing(effects: Mapping[str, Effect]) -> Finding | None:
    """Z as the only visual input, against the question alone and against others' latents."""
    probes = {e.arm: e for e in effects.values() if e.role == "probe" and e.items}
    own, alone = probes.get("latents alone"), probes.get("question alone")
    if own is None or alone is None:
        return None
    others = probes.get("others' latents alone")
    said = (
        f"Latents as the only visual input: right on {_share(own.accuracy)}, with the question "
        f"alone on {_share(alone.accuracy)}"
        + (f", with another item's latents on {_share(others.accuracy)}" if others else "")
        + f", with the picture on {_share(own.base_accuracy)}."
    )
    numbers = {name: effect.accuracy.estimate for name, effect in probes.items()}
    return Finding("latents probed", said, {**numbers, "picture": own.base_accuracy.estimate})


def _mean(values: Tensor) -> float:
    kept = values[~values.isnan()]
    return float(kept.mean()) if len(kept) else float("nan")


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _points(interval: Interval) -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.estimate:+.1f} points ({low:+.1f} to {high:+.1f})"
