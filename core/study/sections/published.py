"""The published findings asked again, each a sentence and a figure; the grids behind them (F1)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.study import figures
from core.study.behind import of_forest
from core.study.finding import Finding
from core.study.html import absent, figure, paragraph
from core.study.study import Study
from core.study.tiles import mean_of_pairs, tiles

SHOWN = 60
"""Items a side of a panel at most."""
AXES = {
    "inputs → latents": ("P1", "how far latents move, ‖z′ − z‖ / ‖z‖", 1.0, "", False),
    "latents → answers": ("P2", "answers that change, %", 100.0, "%", False),
    "latents probed": (
        "P3",
        "right answers over the question alone, points",
        100.0,
        "points",
        True,
    ),
}


def published(said: Sequence[Finding], study: Study) -> str:
    """What of the published analysis this study can say."""
    parts = ["<h2>The published findings, asked again</h2>"]
    for finding in said:
        name, what, scale, unit, signed = AXES[finding.name]
        parts += [
            f"<h3>{escape(finding.name.capitalize())}</h3>",
            paragraph(finding.says),
            figure(
                figures.forest(
                    finding.lines,
                    finding.margin,
                    f"{name}  {what}",
                    scale=scale,
                    unit=unit,
                    signed=signed,
                    digits=3 if not unit else None,
                ),
                f"{name} {finding.name.capitalize()}: {what}; n = {finding.items} items, "
                f"{100 * study.design.level:g} % intervals; shaded: the margin that was declared; "
                "right: the verdict of the test against it.",
                of_forest(finding.lines, unit or "‖z′ − z‖ / ‖z‖", scale, "verdict"),
            ),
            _grids(finding),
        ]
    if not any(finding.raw for finding in said):
        why = "fewer than three runs have latents that could be compared with changed inputs' own."
        parts.append(absent("F1 (cosine between items)", why))
    return "".join(parts)


def _grids(finding: Finding) -> str:
    parts = []
    for number, kind, panels in (("F1", "raw", finding.raw), ("F1b", "centred", finding.centred)):
        named = [(f"step {k + 1}", panel[:SHOWN, :SHOWN]) for k, panel in enumerate(panels)]
        if named and kind == "raw" and finding.pictures is not None:
            named.append(("pictures", finding.pictures[:SHOWN, :SHOWN]))
        drawn = tiles(named, f"{number}  Cosine between different items' latents, {kind}")
        rows = [[name, f"{mean_of_pairs(panel):.5f}"] for name, panel in named]
        centred = " on the step's mean over items" if kind == "centred" else ""
        beside = "; last panel for reference: the mean patches of their pictures"
        shown = min(SHOWN, len(panels[0])) if panels else 0
        parts.append(
            figure(
                drawn,
                f"{number} Cosine between the latents of different items, {kind}{centred}, a "
                f"panel a step, items sorted by task; n = {shown} items, means over pairs without "
                f"intervals{beside * (kind == 'raw' and finding.pictures is not None)}.",
                (["panel", "mean cosine"], rows),
            )
        )
    return "".join(parts)
