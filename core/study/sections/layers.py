"""Which layer acts: knockout by layer window (F12), layer × step patching (F13)."""

from __future__ import annotations

from collections.abc import Sequence

from core.study import charts, heat
from core.study.html import absent, figure, interval, table
from core.study.inside.look import Look
from core.study.inside.maps import patch_map
from core.study.inside.profiles import edge_profile, edges_everywhere
from core.study.sections.steps import drawn, missing, rows_of, spread
from core.study.study import Study

TITLE = "<h2>Which layer acts? (exploratory)</h2>"


def layers(looks: Sequence[Look], study: Study) -> str:
    """F12 and F13 over the items that were changed, or why they are not there."""
    found = [look for look in looks if look.points]
    if not found:
        why = missing(study, looks)
        names = ("F12 (knockout by layers)", "F13 (layer × step patching)")
        return TITLE + "".join(absent(name, why) for name in names)
    return TITLE + _knockout(found, study) + _patching(found, study)


def _knockout(found: Sequence[Look], study: Study) -> str:
    lines = edge_profile(found, study.design)
    if not lines:
        return absent("F12 (knockout by layers)", "no edge of these runs could be cut.")
    whole = edges_everywhere(found, study.design)
    width = max(
        (p["layers"][1] - p["layers"][0] for look in found for p in look.of(next(iter(lines)))
         if p["layers"][1] - p["layers"][0] < look.layers),
        default=found[0].layers,
    )  # fmt: skip
    chart = charts.series(
        {name: drawn(line, 100) for name, line in lines.items()},
        f"F12  Attention knockout by window of {width} layer{'s' * (width > 1)}",
        "middle of the window, layer",
        "probability of the run's own choice, relative change, %",
    )
    cells = [[edge, interval(value, 100)] for edge, value in whole.items()]
    return figure(
        chart,
        f"F12 Attention knockout: (p′ − p) / p of the run's own choice, %, when no slot of the "
        f"first group may look at the second in {width} of {found[0].layers} layers; "
        f"n = {len(found)} items, {spread(study.design.level)}. Below: the edge cut in all layers.",
        (["edge", "middle layer", "%", "low", "high"], rows_of(lines, 100)),
    ) + table(["edge, cut in all layers", "relative change, %"], cells)


def _patching(found: Sequence[Look], study: Study) -> str:
    made = patch_map(found, study.design)
    if made is None or not any(v == v for row in made.values for v in row):
        why = "no item has options and a donor with another answer and as many latents."
        return absent("F13 (layer × step patching)", why)
    said = [[f"{interval(cell, 1, 2)} nats" for cell in row] for row in made.cells]
    drawn_ = heat.heat(
        made.values,
        made.rows,
        made.columns,
        "F13  Donor's keys and values in one slot and window of layers",
        "layers",
        "latent slot",
        "nats toward the donor's answer",
        made.stands_out,
        said=said,
    )
    marked = sum(mark for row in made.stands_out for mark in row)
    numbers = [
        [row, column, *(f"{v:.5g}" for v in (cell.estimate, cell.low, cell.high)), int(mark)]
        for row, cells, marks in zip(made.rows, made.cells, made.stands_out, strict=True)
        for column, cell, mark in zip(made.columns, cells, marks, strict=True)
    ]
    return figure(
        drawn_,
        f"F13 Patching: mean gain of the donor's answer on the run's own, nats, when keys and "
        f"values of one latent slot in one window of layers are the donor's (mode cached); "
        f"n = {made.items} items, {spread(study.design.level)} on each cell. Framed: the "
        f"{marked} cells that stand out of all at 5 % familywise (max-|T| by sign flips).",
        (["layers", "slot", "nats", "low", "high", "stands out"], numbers),
    )
