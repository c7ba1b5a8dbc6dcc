"""What the latents hold: read by linear probes, and as published findings describe them."""

from __future__ import annotations

from collections.abc import Sequence

from core.study import figures
from core.study.findings import Finding
from core.study.html import interval, paragraph, table
from core.study.probing import Probe


def probed(found: Sequence[Probe]) -> str:
    """Linear probes a step, with control tasks (F15)."""
    if not found:
        return ""
    said = (
        f"A logistic regression reads the answer (one of {found[0].answers}, each of them the "
        f"answer of five items or more) from {found[0].items} items' vectors, always on pictures "
        "it was not fitted on; the control is the same with answers dealt out anew within each "
        "task. What can be read is not thereby used."
    )
    rows = [(p.site, p.selectivity, f"read {p.accuracy.estimate:.1%}") for p in found]
    head = ["site", "read rightly, %", "control task, %", "selectivity, points"]
    cells = [
        [p.site, *(interval(v, 100, signed=False) for v in (p.accuracy, p.control)),
         interval(p.selectivity, 100)]
        for p in found
    ]  # fmt: skip
    return (
        "<h2>What can be read off them</h2>"
        + paragraph(said)
        + figures.forest(rows, None, "F15  Selectivity of a linear probe, points")
        + table(head, cells)
    )


def published(said: Sequence[Finding]) -> str:
    """The published findings, with the grids behind them (F1)."""
    if not said:
        return ""
    parts = ["<h2>The published findings, derived again</h2>"]
    for finding in said:
        parts.append(paragraph(finding.says))
        grids = [
            figures.grid(panel[:40, :40].tolist(), f"step {step + 1}", 0.0, 1.0)
            for step, panel in enumerate(finding.panels)
        ]
        if grids:
            caption = "F1  Cosine between the latents of different items, a panel a step"
            parts.append(f"<p><b>{caption}</b></p><div class='grids'>{''.join(grids)}</div>")
    return "".join(parts)
