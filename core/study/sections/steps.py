"""Which step acts: step profile (F6), influence between steps (F7), early exit (F8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.study import arcs, charts, heat
from core.study.html import absent, figure, interval, paragraph, table
from core.study.inside.look import Look
from core.study.inside.maps import influence_map
from core.study.inside.profiles import (
    Line,
    exits_of,
    flipped,
    relayed,
    response,
    step_profile,
)
from core.study.study import Study

NAMES = {
    "propagate": "propagate: total step effect",
    "pinned": "pinned: later inputs held",
    "cached": "cached: later keys, values held too",
    "sham": "sham: equal dose, system text",
}
TITLE = "<h2>Which step acts? (exploratory)</h2>"


def steps(looks: Sequence[Look], study: Study) -> str:
    """F6, F7 and F8 over the items that were changed step by step, or why they are not there."""
    found = [look for look in looks if look.points]
    if not found:
        why = missing(study, looks)
        names = ("F6 (step profile)", "F7 (influence between steps)", "F8 (early exit)")
        return TITLE + "".join(absent(name, why) for name in names)
    said = (
        f"{len(found)} items, the first of the data that imagined, settled before the run; every "
        "latent of each was changed alone (Gaussian, ε = 1). Few items are looked into, so a wide "
        "interval here is no evidence of no effect."
    )
    return (
        TITLE
        + paragraph(said)
        + _profile(found, study)
        + _influence(found, study)
        + _exits(found, study)
    )


def missing(study: Study, looks: Sequence[Look]) -> str:
    """Why no run was changed step by step."""
    base = study.pairs[study.design.arms[0].name].pairs
    if not any(sum(pair.base["latents"]) for pair in base):
        return "no run of this study has latents."
    if not study.design.inside:
        return (
            "this study was not asked to change its runs step by step; ask for it with "
            "--inside 24, or take the preset “full”."
        )
    if not looks:
        return "none of the first items has a look inside yet."
    return "none of the items that were looked into could be changed step by step."


def spread(level: float, kind: str = "bootstrap by picture") -> str:
    """“95 % intervals (…)” in a caption."""
    return f"{100 * level:g} % intervals ({kind})"


def drawn(line: Line, scale: float = 1.0) -> list[tuple[float, float, float, float]]:
    """A line for :func:`core.study.charts.series`."""
    return [(x, scale * i.estimate, scale * i.low, scale * i.high) for x, i in line]


def rows_of(lines: Mapping[str, Line], scale: float = 1.0) -> list[list[Any]]:
    """A line's numbers for a CSV."""
    return [
        [name, f"{x:g}", *(f"{scale * v:.5g}" for v in (i.estimate, i.low, i.high))]
        for name, line in lines.items()
        for x, i in line
    ]


def _profile(found: Sequence[Look], study: Study) -> str:
    design = study.design
    what, unit, value = response(found)
    parts = []
    for of, one, scale, name in ((flipped, True, 100.0, ""), (value, False, 1.0, "b")):
        lines = step_profile(found, design, of, rate=one)
        said = {NAMES[mode]: line for mode, line in lines.items()}
        up = "answers changed, %" if one else f"{what}, {unit}"
        kind = "Wilson, or bootstrap by picture" if one else "bootstrap by picture"
        parts.append(
            figure(
                charts.series(
                    {mode: drawn(line, scale) for mode, line in said.items()},
                    f"F6{name}  Step profile: {up}",
                    "latent that is changed",
                    up,
                ),
                f"F6{name} Step profile, {up}: one latent changed at a time (Gaussian, ε = 1), by "
                f"what becomes of the later ones; n = {len(found)} items, "
                f"{spread(design.level, kind)}.",
                (["series", "latent", up, "low", "high"], rows_of(said, scale)),
            )
        )
    apart = [
        [f"latent {step}", *(interval(one, 1.0, 3) for one in both)]
        for step, both in relayed(found, design, value)
    ]
    head = ["latent", f"propagate − pinned, {unit}", f"pinned − cached, {unit}"]
    return "".join(parts) + (
        "<details><summary>What a step owes to later ones: through their content (propagate − "
        "pinned), through their attention (pinned − cached)</summary>"
        f"{table(head, apart)}</details>"
    )


def _influence(found: Sequence[Look], study: Study) -> str:
    made = influence_map(found, study.design)
    if made is None:
        return absent("F7 (influence between steps)", "these runs say no words to be compared.")
    count = len(made.weights)
    rows, columns = [str(k + 1) for k in range(count)], [str(k + 1) for k in range(count)]
    if count < 2:
        return absent("F7 (influence between steps)", "these runs have a single latent.")
    later = [
        [w if s >= k else float("nan") for s, w in enumerate(row)]
        for k, row in enumerate(made.weights)
    ]
    drawn_map = heat.heat(
        later,
        rows,
        columns,
        "F7  Influence: latent changed × read after so many latents",
        "latent changed",
        f"answer read after so many latents ({count}: the run's own end)",
        "nats",
    )
    nodes = [f"z{k + 1}" for k in range(count)] + ["Y"]
    graph = arcs.arcs(
        nodes,
        [(start - 1, stop, weight) for start, stop, weight in made.edges],
        "F7b  Each latent's strongest way out (from a tenth of the largest on)",
        "nats",
    )
    said = (
        f"F7 Influence between steps: KL(base ‖ edited) over the answer's words, nats, when one "
        f"latent is changed (Gaussian, ε = 1) and the answer is read after so many latents; mean "
        f"over n = {made.items} items. In all {interval(made.total, 1, 3, False)} nats; locality "
        f"{interval(made.locality, 1, 2, False)}, early-out "
        f"{interval(made.early_out, 1, 2, False)}, late-in {interval(made.late_in, 1, 2, False)}, "
        f"span {interval(made.span, 1, 2, False)}; {spread(study.design.level)}."
    )
    numbers = [
        [k + 1, s + 1, "" if w != w else f"{w:.6g}"]
        for k, row in enumerate(made.weights)
        for s, w in enumerate(row)
        if s >= k
    ]
    seen = (
        "F7b The same as a graph: each latent's strongest way out, from a tenth of the largest on; "
        f"n = {made.items} items, means without intervals."
    )
    ways = [[nodes[start - 1], nodes[stop], f"{weight:.6g}"] for start, stop, weight in made.edges]
    return figure(drawn_map, said, (["latent changed", "read after", "nats"], numbers)) + figure(
        graph, seen, (["from", "to", "nats"], ways)
    )


def _exits(found: Sequence[Look], study: Study) -> str:
    made = exits_of(found, study.design)
    if made is None:
        return absent("F8 (early exit)", "no run could be stopped early.")
    lines = {
        "S(k): right by then": made.reached,
        "right after exactly k": made.right,
        "says what it says in full": made.same,
    }
    apart = f" {made.apart} items with another number of latents left out." * bool(made.apart)
    return figure(
        charts.series(
            {name: drawn(line, 100) for name, line in lines.items()},
            "F8  Early exit: the answer after k latents",
            "latents k (0: the markers alone)",
            "items, %",
        ),
        f"F8 Early exit: share of items, %, with the answer after k latents; area over the curve "
        f"(0: latents never needed) {interval(made.area, 1, 2, False)}; n = {made.items} items, "
        f"{spread(study.design.level, 'Wilson, or bootstrap by picture')}.{apart}",
        (["series", "latents", "%", "low", "high"], rows_of(lines, 100)),
    )
