"""What the latents hold, as linear probes read it."""

from __future__ import annotations

from collections.abc import Sequence

from core.study import figures, heat
from core.study.behind import of_forest
from core.study.html import absent, figure, interval, paragraph, table
from core.study.probe_map import DEALS, ProbeMap
from core.study.probing import FEWEST, Probe


def probed(found: Sequence[Probe], made: ProbeMap | None, level: float) -> str:
    """Linear probes by layer and step, and a site each, with control tasks (F15).

    Args:
        found, made: of the sites, and of the layers where the study kept their states.
        level: of the intervals.
    """
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
            figures.forest(rows, None, "F15b  Selectivity of a linear probe, points"),
            "F15b Selectivity of a linear probe, site by site: read rightly − the same with "
            f"answers dealt out anew within each task, points; n = {found[0].items} items, "
            f"{100 * found[0].selectivity.level:g} % intervals (bootstrap by picture).",
            of_forest(rows, "points", 100, "accuracy"),
        )
        + table(head, cells)
        + _by_layer(made, level)
    )


def _by_layer(made: ProbeMap | None, level: float) -> str:
    """F15: layer × step, the cells that stand out of all framed."""
    if made is None:
        return absent(
            "F15 (probes by layer and step)",
            "hidden states are kept where a study looks inside its runs; ask for it with "
            "--inside 12, or take the preset “published” or “full”.",
        )
    names = ["fed" if not depth else f"behind layer {depth}" for depth in made.depths]
    steps = [str(step + 1) for step in range(made.steps)]
    cells = list(zip(names, made.accuracy, made.control, made.selectivity, made.stands_out,
                     strict=True))  # fmt: skip
    said = [
        [
            f"{interval(one, 100)} points; read rightly {a:.1%}, control {c:.1%}"
            for a, c, one in zip(read, control, gained, strict=True)
        ]
        for _, read, control, gained, _ in cells
    ]
    numbers = [
        [name, step, f"{100 * a:.5g}", f"{100 * c:.5g}",
         *(f"{100 * v:.5g}" for v in (one.estimate, one.low, one.high)), int(mark)]
        for name, read, control, gained, marks in cells
        for step, a, c, one, mark in zip(steps, read, control, gained, marks, strict=True)
    ]  # fmt: skip
    return figure(
        heat.heat(
            [[100 * one.estimate for one in line] for line in made.selectivity],
            names, steps, "F15  Selectivity of a probe by layer and step, points", "",
            "latent", "points", made.stands_out, 1, said, left=140,
        ),
        "F15 Selectivity of a ridge probe of the answer in the latents' slots, layer by step: read "
        f"rightly − the same with answers dealt out anew within each task ({DEALS} deals), points; "
        f"n = {made.items} items, {100 * level:g} % intervals (bootstrap by picture) on each "
        f"cell. Framed: the {sum(map(sum, made.stands_out))} cells beyond what any cell reaches in "
        "95 % of the deals (max-|T|, 5 % familywise).",
        (["layer", "latent", "read rightly, %", "control, %", "points", "low", "high",
          "stands out"], numbers),
    )  # fmt: skip
