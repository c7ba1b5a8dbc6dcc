"""How the latents lie: collapse, map, variance, lengths, and how the input moves them.

From the latents of the base runs (X → Z); nothing here shows that they are used. A cosine near
1 is no evidence of disuse: what is used may be a small part of a long constant vector.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from core.measures.collapse import collapse_curve
from core.measures.geometry import entropy_rank, norm_profile, variance_shares
from core.measures.pca import fit_axes
from core.measures.similarity import across_runs, within_run
from core.study import charts, figures
from core.study.html import paragraph
from core.study.study import Study

FEWEST = 5
Line = list[tuple[float, float, float, float]]


def section(latents: Mapping[str, Tensor], study: Study) -> str:
    """The latents' own figures (F2, F10, F19, F20 and lengths); "" where there are too few."""
    if len(latents) < FEWEST:
        return ""
    steps = min(len(one) for one in latents.values())
    if not steps:
        return ""
    table = torch.stack([one[:steps] for one in latents.values()])  # (N, K, D)
    names = _tasks(latents, study)
    parts = [
        "<h2>How the latents lie</h2>",
        paragraph(
            f"{len(table)} items, {steps} latents each. Alike is not unused, and different is not "
            "used; what an edit does to the answer is told above."
        ),
        _collapse(table),
        _matrix(table),
        _map(table, names),
        _variance(table, names),
        _lengths(table),
        _slope(study),
    ]
    return "".join(parts)


def _tasks(latents: Mapping[str, Tensor], study: Study) -> list[str]:
    base = study.pairs[study.design.arms[0].name].pairs
    known = {pair.base["item"]: str(pair.base["task"]) for pair in base}
    return [known.get(name, "") for name in latents]


def _collapse(table: Tensor) -> str:
    lines: dict[str, Line] = {}
    for kind in ("raw", "centred"):
        curve = collapse_curve(across_runs(table, kind))
        rows = zip(curve.mean.tolist(), curve.low.tolist(), curve.high.tolist(), strict=True)
        lines[f"cosine, {kind}"] = [(float(k + 1), *row) for k, row in enumerate(rows)]
    return charts.series(
        lines,
        "F2  How alike different items' latents are, step by step (10th to 90th percentile)",
        "step",
        "cosine over pairs of items",
    )


def _matrix(table: Tensor) -> str:
    mean = torch.stack([within_run(one) for one in table]).nanmean(0)
    panel = figures.grid(mean.tolist(), f"cosine {float(mean.min()):.2f} to 1", 0.0, 1.0)
    caption = "F2  Cosine between the steps of one run, mean over items"
    return f"<p><b>{caption}</b></p><div class='grids'>{panel}</div>"


def _map(table: Tensor, names: list[str]) -> str:
    count, steps, width = table.shape
    axes = fit_axes(table.reshape(-1, width))
    placed = axes.place(table.reshape(-1, width)).reshape(count, steps, 2)
    groups: dict[str, list[tuple[float, float]]] = {}
    courses: dict[str, list[Tensor]] = {}
    for one, task in zip(placed, names, strict=True):
        groups.setdefault(task or "items", []).extend((float(x), float(y)) for x, y in one)
        courses.setdefault(task or "items", []).append(one)
    paths = [
        [(float(x), float(y)) for x, y in torch.stack(found).mean(0)] for found in courses.values()
    ]
    shares = " and ".join(f"{share:.0%}" for share in axes.shares)
    return charts.cloud(
        groups,
        paths,
        "F10  Latents on their first two principal axes, by task; lines: mean course over steps",
        f"PCA of all steps together; the axes carry {shares} of the variance",
    )


def _variance(table: Tensor, names: list[str]) -> str:
    found = variance_shares(table, names)
    if found.step != found.step:
        return ""
    shares = {
        "step": found.step,
        "task": found.task,
        "item": found.item,
        "residual": found.residual,
    }
    last = table[:, -1]
    rank = entropy_rank(last, "singular value")
    return charts.bars(shares, "F20  Where the latents' variance comes from") + paragraph(
        f"Effective rank (entropy of the singular values) of the last step's latents: {rank:.1f} "
        f"of at most {min(len(last) - 1, last.shape[1])}."
    )


def _lengths(table: Tensor) -> str:
    found = norm_profile(table)
    rows = zip(found.median.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    return charts.series(
        {"‖z‖, median": [(float(k + 1), *row) for k, row in enumerate(rows)]},
        "Lengths of the latents, step by step (10th to 90th percentile)",
        "step",
        "‖z‖",
    )


def _slope(study: Study) -> str:
    """How far graded edits of the picture move the latents (F19)."""
    lines: dict[str, Line] = {}
    for name, pairs in study.pairs.items():
        arm = pairs.arm
        if arm.x is None or arm.z or not arm.x.strength:
            continue
        found = [row["moved"] for p in pairs.pairs for row in p.draws if row.get("moved")]
        if len(found) >= FEWEST and study.effects[name].items:
            values = torch.tensor(found)
            low, high = torch.quantile(values, torch.tensor([0.1, 0.9])).tolist()
            at = (arm.x.strength, float(values.mean()), low, high)
            lines.setdefault(arm.x.kind, []).append(at)
    drawn = [
        charts.series(
            {kind: sorted(line)},
            f"F19  How far the latents move: {kind} (10th to 90th percentile)",
            "strength",
            "mean ‖z′ − z‖ / ‖z‖",
        )
        for kind, line in lines.items()
        if len(line) > 1
    ]
    return "".join(drawn)
