"""Where the latents look (F11) and what the output layer reads in them (F14)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np

from core.measures.attention import GROUPS
from core.study import charts
from core.study.behind import of_table
from core.study.html import absent, figure, interval, number, paragraph, table
from core.study.inside.look import Look, Read
from core.study.inside.profiles import Line
from core.study.intervals import mean_of, share
from core.study.overlay import overlay
from core.study.sections.steps import drawn, rows_of, spread
from core.study.study import Study

SHOWN = 3
"""Items whose pictures and tables are shown."""
TITLE = "<h2>Where latents look, and what is read in them</h2>"
CAREFUL = (
    "Attention shows where a slot could read from, not what it read; a word that a lens finds in a "
    "latent is found in runs whose latents do nothing, too. Neither is evidence of use."
)


def looking(looks: Sequence[Look], study: Study) -> str:
    """F11 and F14, or why they are not there."""
    if not looks:
        why = "no run that was looked into has latents."
        return TITLE + absent("F11 (attention)", why) + absent("F14 (lens table)", why)
    return TITLE + paragraph(CAREFUL) + _attention(looks, study) + _lens(looks, study)


def _attention(looks: Sequence[Look], study: Study) -> str:
    pictures = [
        figure(
            overlay(
                look.picture,
                look.grid,
                look.over,
                f"F11  Where the latents look: {look.item}",
                [f"latent {k + 1}" for k in range(look.steps)],
            ),
            f"F11 Attention of each latent over the picture, item {look.item} "
            f"(answer {look.gold}), mean over layers and heads; orange: more, relative to the "
            "strongest patch of this run; below each, the share that falls on the picture. One "
            "run, no interval.",
            of_table(
                look.over,
                [f"latent {k + 1}" for k in range(look.steps)],
                [
                    f"{row + 1}, {column + 1}"
                    for row in range(look.grid[0])
                    for column in range(look.grid[1])
                ],
                "latent",
                "patch (row, column)",
                "attention",
            ),
        )
        for look in looks[:SHOWN]
    ]
    return "".join([*pictures, *(_mass(looks, study, who) for who in ("latents", "answer"))])


def _mass(looks: Sequence[Look], study: Study, who: str) -> str:
    """Attention mass a layer, beside the share of the keys."""
    found = [look for look in looks if who in look.mass]
    if not found:
        return absent("F11 (answer → latents)", "these runs say no words behind their latents.")
    names = [look.cluster or look.item for look in found]
    count = max(look.layers for look in found)
    lines: dict[str, Line] = {}
    shares = []
    for group in GROUPS:
        if not any(sum(look.mass[who][group]) for look in found):
            continue
        lines[f"{who} → {group}"] = [
            (
                float(layer + 1),
                mean_of(
                    np.array([look.mass[who][group][layer] for look in found]),
                    names, study.design.level, study.design,
                ),
            )
            for layer in range(count)
        ]  # fmt: skip
        keys = sum(look.mass["keys"][group][0] for look in found) / len(found)
        shares.append(f"{group} {keys:.0%}")
    speaker = "the latents" if who == "latents" else "the slot the answer is read from"
    figure_name = "F11b" if who == "latents" else "F11c"
    return figure(
        charts.series(
            {name: drawn(line, 100) for name, line in lines.items()},
            f"{figure_name}  Attention mass of {speaker}, layer by layer",
            "layer",
            "share of the attention, %",
        ),
        f"{figure_name} Attention mass of {speaker} by group of keys, mean over heads; "
        f"n = {len(found)} items, {spread(study.design.level)}. Attention that chooses nothing "
        f"would give the share of the keys the answer sees: {', '.join(shares)}.",
        (["edge", "layer", "%", "low", "high"], rows_of(lines, 100)),
    )


def _lens(looks: Sequence[Look], study: Study) -> str:
    parts = [_summary(looks, study)]
    for look in looks[:SHOWN]:
        head = ["latent", "output layer reads", "nearest embeddings", "looks at most",
                *(f"layer {layer}" for layer in range(1, look.layers + 1))]  # fmt: skip
        rows = [
            [
                f"latent {k + 1}",
                _reads(look.says[k][:3]),
                _reads(look.near[k][:3]),
                _reads(look.attended[k]),
                *(_reads(look.deep[layer][k : k + 1]) for layer in range(1, look.layers + 1)),
            ]
            for k in range(look.steps)
        ]
        caption = (
            f"F14 Lens table, item {look.item} (answer {look.gold}): probabilities of the output "
            "layer on the latent as fed, cosines of the nearest embeddings, attention (mean over "
            "layers and heads), and the output layer's reading behind each layer. One run."
        )
        parts.append(f"<details><summary>{escape(caption)}</summary>{table(head, rows)}</details>")
    return "".join(parts)


def _summary(looks: Sequence[Look], study: Study) -> str:
    """Over the items: the commonest reading of each step, and how often it is the answer."""
    names = [look.cluster or look.item for look in looks]
    rows = []
    for step in range(max(look.steps for look in looks)):
        here = [(look, name) for look, name in zip(looks, names, strict=True) if step < look.steps]
        top, times = Counter(look.says[step][0][0] for look, _ in here).most_common(1)[0]
        answer = np.array([float(_says_answer(look, step)) for look, _ in here])
        kept = [name for _, name in here]
        sure = np.array([look.says[step][0][1] for look, _ in here])
        rows.append(
            [
                f"latent {step + 1}",
                f"“{_visible(top)}”",
                f"{times / len(here):.0%}",
                number(float(sure.mean())),
                interval(share(answer, kept, study.design.level, study.design), 100, signed=False),
            ]
        )
    head = ["latent", "commonest reading", "of items", "mean probability of the first",
            "right answer among the first five, % of items"]  # fmt: skip
    return figure(
        table(head, rows),
        f"F14 What the output layer reads in the latents as they are fed; n = {len(looks)} items, "
        f"{spread(study.design.level, 'Wilson, or bootstrap by picture')}.",
        (head, rows),
    )


def _says_answer(look: Look, step: int) -> bool:
    wanted = look.gold.strip().casefold()
    return any(word.strip().casefold() == wanted for word, _ in look.says[step])


def _reads(found: Sequence[Read]) -> str:
    return ", ".join(f"“{_visible(word)}” {value:.2f}" for word, value in found)


def _visible(word: str) -> str:
    """A token's text with its white space to be seen."""
    return word.replace("\n", "⏎").replace(" ", "␣") if not word.strip() else word.strip()
