"""What the latents hold, as linear probes read it."""

from __future__ import annotations

from collections.abc import Sequence

from core.study import figures
from core.study.html import absent, figure, interval, paragraph, table
from core.study.probing import FEWEST, Probe


def probed(found: Sequence[Probe]) -> str:
    """Linear probes a step, with control tasks (F15)."""
    title = "<h2>What can be read off them</h2>"
    if not found:
        why = f"fewer than {FEWEST} items with latents have answers that several items share."
        return title + absent("F15 (linear probes)", why)
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
        title
        + paragraph(said)
        + figure(
            figures.forest(rows, None, "F15  Selectivity of a linear probe, points"),
            "F15 Selectivity of a linear probe, site by site: read rightly − the same with answers "
            f"dealt out anew within each task, points; n = {found[0].items} items, "
            f"{100 * found[0].selectivity.level:g} % intervals (bootstrap by picture).",
        )
        + table(head, cells)
    )
