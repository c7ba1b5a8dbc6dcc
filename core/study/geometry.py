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
from core.measures.similarity import across_runs, within_run
from core.study import charts, heat
from core.study.behind import digits, of_series, of_table
from core.study.html import absent, figure, paragraph
from core.study.mapped import mapped
from core.study.study import Study

FEWEST = 5
Line = list[tuple[float, float, float, float]]


def section(latents: Mapping[str, Tensor], study: Study, around: Mapping[str, Tensor]) -> str:
    """The latents' own figures (F2, F10, F19, F20 and lengths), or why they are not there.

    Args:
        latents: item id → (K, D) of the base runs.
        around: see :func:`core.study.mapped.mapped`.
    """
    title = "<h2>How the latents lie</h2>"
    steps = min((len(one) for one in latents.values()), default=0)
    if len(latents) < FEWEST or not steps:
        why = f"fewer than {FEWEST} runs of this study have latents."
        missing = ("F2 (collapse)", "F10 (map)", "F19 (graded inputs)", "F20 (variance)")
        return title + "".join(absent(name, why) for name in missing)
    table = torch.stack([one[:steps] for one in latents.values()])  # (N, K, D)
    names = _tasks(latents, study)
    parts = [
        title,
        paragraph(
            f"{len(table)} items, {steps} latents each. Alike is not unused, and different is not "
            "used; what an edit does to the answer is told above."
        ),
        _collapse(table),
        _matrix(table),
        mapped(table, names, around, study),
        _variance(table, names),
        _lengths(table),
        _slope(table, study),
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
    drawn = charts.series(
        lines, "F2  How alike different items' latents are, step by step", "step", "cosine"
    )
    return figure(
        drawn,
        f"F2 Collapse curve: mean cosine over the pairs of n = {len(table)} items, step by step; "
        "bars: 10th to 90th percentile of the pairs, no interval of the mean.",
        of_series(lines, "step", "cosine"),
    )


def _matrix(table: Tensor) -> str:
    mean = torch.stack([within_run(one) for one in table]).nanmean(0)
    names = [str(step + 1) for step in range(len(mean))]
    return figure(
        heat.heat(
            mean.tolist(), names, names, "F2b  Cosine between the steps of one run", "step",
            "step", "cosine",
        ),
        f"F2b Cosine between the steps of one run, mean over n = {len(table)} items, no interval.",
        of_table(mean.tolist(), names, names, "step", "other step", "cosine"),
    )  # fmt: skip


def _variance(table: Tensor, names: list[str]) -> str:
    found = variance_shares(table, names)
    if found.step != found.step:
        return absent("F20 (variance)", "the latents do not vary, or each has a task of its own.")
    shares = {
        "step": found.step,
        "task": found.task,
        "item": found.item,
        "residual": found.residual,
    }
    last = table[:, -1]
    rank = entropy_rank(last, "singular value")
    drawn = charts.bars(shares, "F20  Where the latents' variance comes from")
    return figure(
        drawn,
        f"F20 Shares of the latents' variance (trace-based ANOVA); n = {len(table)} items × "
        f"{table.shape[1]} steps, no interval.",
        (["part", "share"], [[name, digits(share)] for name, share in shares.items()]),
    ) + paragraph(
        f"Effective rank (entropy of the singular values) of the last step's latents: {rank:.1f} "
        f"of at most {min(len(last) - 1, last.shape[1])}."
    )


def _lengths(table: Tensor) -> str:
    found = norm_profile(table)
    rows = zip(found.median.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    lines: dict[str, Line] = {"‖z‖, median": [(float(k + 1), *row) for k, row in enumerate(rows)]}
    return figure(
        charts.series(
            lines,
            "F2c  Lengths of the latents, step by step",
            "step",
            "‖z‖",
        ),
        f"F2c Median length of the latents, step by step; n = {len(table)} items, bars: 10th to "
        "90th percentile of the items.",
        of_series(lines, "step", "‖z‖"),
    )


def _slope(table: Tensor, study: Study) -> str:
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
        figure(
            charts.series(
                {kind: sorted(line)},
                f"F19  How far the latents move: {kind}",
                "strength",
                "mean ‖z′ − z‖ / ‖z‖",
            ),
            f"F19 How far the latents move when the picture is changed by degrees ({kind}): mean "
            f"over n = {len(table)} items at most; bars: 10th to 90th percentile of the items.",
            of_series({kind: sorted(line)}, "strength", "mean ‖z′ − z‖ / ‖z‖"),
        )
        for kind, line in lines.items()
        if len(line) > 1
    ]
    return "".join(drawn) or absent(
        "F19 (graded inputs)", "no arm of this study changes the picture by degrees."
    )
