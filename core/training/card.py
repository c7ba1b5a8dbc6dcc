"""The card of a demo model: what it was taught, on what, and what it does, measured.

`card.json` holds the figures for programs, `README.md` says the same in words. Every figure comes
from `core.training.measure`; nothing is typed in by hand.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

from core import scenes
from core.engine import Engine
from core.training import measure
from core.training.measure import Answered, Share
from core.training.variants import VARIANTS, Variant

Figures = dict[str, Any]


def profile(
    folder: Path, variant: Variant, per_task: int = 500, edited: int = 100, seed: int = 0
) -> Figures:
    """Measure a checkpoint folder.

    Args:
        per_task: test items a task for accuracy.
        edited: of these, how many are edited; the first ones.
        seed: of the test stream, the donors and the noise.
    """
    engine = measure.load(folder)
    runs: dict[str, list[Answered]] = {}
    figures: Figures = {"accuracy": {}}
    if variant.budget:
        figures |= {
            "emission": {},
            "content edits": {},
            "donor-follow": {},
            "pointing": {},
            "alike": {},
        }
    if variant.words:
        figures["edited sentence followed"] = {}
    for task in scenes.TASKS:
        # Edits follow at once: the engine remembers the latest few thousand runs.
        cases = runs[task] = measure.answered(engine, measure.items_for(task, per_task, seed))
        figures["accuracy"][task] = _plain([case.right for case in cases])
        if variant.budget:
            _latent_figures(engine, variant, task, cases, edited, seed, figures)
        if variant.words:
            share = measure.rewritten(engine, cases[:edited])
            figures["edited sentence followed"][task] = share.plain()
    if variant.budget:
        figures["donor-follow"] |= _crossing(engine, runs, edited, seed)
    large = measure.answered(engine, measure.items_for("plan", min(per_task, 200), seed, size=5))
    figures["accuracy"]["plan, 5x5 (never trained)"] = _plain([case.right for case in large])
    return figures


def _latent_figures(
    engine: Engine,
    variant: Variant,
    task: str,
    cases: list[Answered],
    edited: int,
    seed: int,
    figures: Figures,
) -> None:
    few = cases[:edited]
    spans = [case.trace.spans for case in cases]
    whole = [len(s) == 1 and len(s[0].latents) == variant.budget for s in spans]
    figures["emission"][task] = _plain(whole)
    swaps = ("swap", "slot") if variant.slots else ("swap",)
    found = measure.edited(engine, few, few, seed, swaps=swaps)
    figures["content edits"][task] = {
        name: {what: share.plain() for what, share in found[name].items()}
        for name in measure.CONTENT
    }
    figures["donor-follow"][task] = _swapped(found["swap"])
    if variant.slots:
        figures.setdefault("slot swap", {})[task] = _swapped(found["slot"])
    if variant.latents == "evidence":
        figures["pointing"][task] = measure.pointing(engine, cases).plain()
    figures["alike"][task] = round(measure.alike(cases), 4)


def _crossing(engine: Engine, runs: dict[str, list[Answered]], edited: int, seed: int) -> Figures:
    """Donors of another kind of question, where their evidence gives an answer."""
    found: Figures = {}
    for task, others in (
        ("attribute", ("where", "relative")),
        ("where", ("attribute", "relative")),
    ):
        again = measure.answered(engine, [case.item for case in runs[task][:edited]])
        pool = [case for other in others for case in runs[other][:edited]]
        name = f"{task} read at {' or '.join(others)} donors"
        found[name] = _swapped(measure.edited(engine, again, pool, seed, contents=())["swap"])
    return found


def _swapped(shares: dict[str, Share]) -> Figures:
    return {"follows": shares["follows"].plain(), "unchanged": shares["same"].plain()}


def _plain(hits: Sequence[bool]) -> dict[str, Any]:
    return measure.share_of(hits).plain()


def write(
    folder: Path,
    variant: Variant,
    figures: Figures,
    seed: int,
    seconds: float,
    extra: Figures | None = None,
) -> None:
    """Write card.json and README.md beside the weights.

    `extra` may hold `history`, a sentence on how the run went, and `other seeds`: figures of the
    same kind by seed, each with a `note` on how that run went.
    """
    card: Figures = {
        "name": variant.name,
        "family": variant.family,
        "truth": variant.truth,
        "configuration": {
            key: value for key, value in vars(variant).items() if key not in ("truth", "name")
        },
        "seed": seed,
        "training seconds": round(seconds),
        "starts from": variant.begin or "fresh weights under the common frozen tower",
        "data": "core.scenes, train split, seed 1; test split for every figure here "
        "(the splits share no scene: a scene's split is a hash of what it shows)",
        "measured": "through the engine, CPU, float32, greedy",
        "figures": figures,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
    } | (extra or {})
    text = json.dumps(card, indent=2, ensure_ascii=False, default=list)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_in_words(variant, card), encoding="utf-8")


def _in_words(variant: Variant, card: Figures) -> str:
    figures = card["figures"]
    lines = [
        f"# {variant.name}",
        "",
        f"A demo model of Zscope in the {variant.family} format: a genuine but very small",
        "Qwen2.5-VL (about 3 million parameters) that answers questions about drawn scenes.",
        "",
        f"**Known by construction.** {variant.truth}",
        "",
        "## What it does",
        "",
        "Test split, greedy, through the engine; 95 % Wilson intervals.",
        "",
    ]
    lines += _accuracy_lines(figures) + _edit_lines(figures)
    for seed, other in card.get("other seeds", {}).items():
        lines += ["", f"### Trained again, seed {seed}", "", other.get("note", ""), ""]
        lines += _accuracy_lines(other) + _edit_lines(other)
    lines += [
        "",
        "## How it was made",
        "",
        f"`python launch.py train {variant.name}` from {card['starts from']}; seed {card['seed']}, "
        f"{card['training seconds']} s on one CPU thread (without the common tower).",
        *([card["history"]] if card.get("history") else []),
        "The interventions in its training are its configuration in `core/training/variants.py`;",
        "figures on the kinds of swap it was trained on show mediation by construction.",
        "",
        "It knows nothing but these scenes, and says nothing sensible about photographs.",
        "",
    ]
    return "\n".join(lines)


def _accuracy_lines(figures: Figures) -> list[str]:
    lines = ["| task | accuracy | n |", "|---|---|---|"]
    for task, share in figures["accuracy"].items():
        lines.append(f"| {task} | {_words(share)} | {share['n']} |")
    return lines


def _edit_lines(figures: Figures) -> list[str]:
    lines: list[str] = []
    if "content edits" in figures:
        lines += ["", "| task | zero | step mean | matched noise | follows donor | unchanged |"]
        lines += ["|---|---|---|---|---|---|"]
        for task, edits in figures["content edits"].items():
            shares = [_words(edits[name]["right"]) for name in measure.CONTENT if name in edits]
            swap = figures["donor-follow"][task]
            cells = [*shares, _words(swap["follows"]), _words(swap["unchanged"])]
            lines.append(f"| {task} | " + " | ".join(cells) + " |")
        for name, swap in figures["donor-follow"].items():
            if name not in figures["content edits"]:
                lines += ["", f"Across question types, {name}: follows {_words(swap['follows'])}."]
    if "slot swap" in figures:
        lines += ["", "| task | slots swapped: follows donor | unchanged |", "|---|---|---|"]
        for task, swap in figures["slot swap"].items():
            lines.append(f"| {task} | {_words(swap['follows'])} | {_words(swap['unchanged'])} |")
    if "edited sentence followed" in figures:
        lines += ["", "| task | answer follows the rewritten sentence |", "|---|---|"]
        for task, share in figures["edited sentence followed"].items():
            lines.append(f"| {task} | {_words(share)} |")
    return lines


def _words(share: Figures) -> str:
    low, high = share["interval95"]
    return f"{share['share']:.3f} ({low:.3f} to {high:.3f})"


def known(name: str) -> Variant:
    """The variant called `name`."""
    return VARIANTS[name]


__all__ = ["Figures", "Share", "known", "profile", "write"]
