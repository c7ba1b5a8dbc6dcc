"""Step × step cosine similarity of the baseline, of the edited run, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from gui.figures.look import SOFT, bare_axis, change_scale, cosine_scale, layout

Matrix = Sequence[Sequence[float]]


def similarity_figure(before: Matrix, after: Matrix = (), span: int = 0) -> dict[str, Any]:
    """One heat map, or three once there is an edit; above each stand its colours' ends.

    Both runs are drawn in one scale, the difference in its own.

    Args:
        before, after: (K, K) cosines; of different sizes when an edit changed the count, and
            then only the steps both have are subtracted.
        span: which span the steps belong to; handed back on a click.
    """
    panels: list[tuple[str, Matrix]] = [("baseline", before)]
    if len(after):
        k = min(len(before), len(after))
        change = [[float(after[i][j] - before[i][j]) for j in range(k)] for i in range(k)]
        panels += [("edited", after), ("difference", change)]
    flat = {name: [v for row in matrix for v in row] for name, matrix in panels}
    cosines = cosine_scale([*flat["baseline"], *flat.get("edited", ())])
    data, axes, titles = [], {}, []
    for n, (name, matrix) in enumerate(panels):
        tail = "" if n == 0 else str(n + 1)
        steps = list(range(1, len(matrix) + 1))
        differs = name == "difference"
        scale = change_scale(flat[name]) if differs else cosines
        data.append(
            {
                "type": "heatmap", "name": name, "x": steps, "y": steps,
                # a latent without length has no direction: its cosines are left blank
                "z": [[_number(v) for v in row] for row in matrix],
                "text": [
                    [f"{name}<br>z{i} × z{j}: {_said(v)}" for j, v in zip(steps, row, strict=True)]
                    for i, row in zip(steps, matrix, strict=True)
                ],
                **scale, "colorbar": _bar(n),
                "xgap": 1, "ygap": 1, "xaxis": f"x{tail}", "yaxis": f"y{tail}",
                "customdata": [[[span, i] for _ in steps] for i in range(len(steps))],
                "hovertemplate": "%{text}<extra></extra>", "hoverongaps": True,
            }
        )  # fmt: skip
        left, right = n / 3, n / 3 + 0.31
        ends = [0.5, len(steps) + 0.5]
        # ranges are given: plotly finds none for a figure without a single number
        axes[f"xaxis{tail}"] = bare_axis(
            domain=[left, right], range=ends, fixedrange=True, constrain="domain"
        )
        axes[f"yaxis{tail}"] = bare_axis(
            anchor=f"x{tail}", scaleanchor=f"x{tail}", range=ends[::-1], fixedrange=True,
            constrain="domain", constraintoward="top",
        )  # fmt: skip
        reach = f"±{scale['zmax']:g}" if differs else f"{scale['zmin']:g}…1"
        titles += [
            _above("change" if differs else name, left, "left"),
            _above(reach.replace("-", "−"), right, "right"),
        ]
        if len(matrix) and not any(isfinite(v) for row in matrix for v in row):
            titles.append(_within("no length,<br>no direction", tail))
    return {
        "data": data,
        "layout": layout(
            margin={"l": 2, "r": 2, "t": 24, "b": 2}, annotations=titles, dragmode=False, **axes
        ),
    }


def _bar(panel: int) -> dict[str, Any]:
    """A strip of a panel's colours above it."""
    return {
        "orientation": "h", "x": panel / 3 + 0.155, "xanchor": "center", "xpad": 0, "len": 0.31,
        "y": 1, "yanchor": "bottom", "ypad": 1, "thickness": 4, "outlinewidth": 0,
        "showticklabels": False, "ticks": "",
    }  # fmt: skip


def _above(said: str, x: float, side: str) -> dict[str, Any]:
    """Words above a panel's colours, at one of its sides."""
    return {
        "text": said, "x": x, "y": 1, "xref": "paper", "yref": "paper", "xanchor": side,
        "yanchor": "bottom", "yshift": 5, "showarrow": False, "font": {"size": 10, "color": SOFT},
    }  # fmt: skip


def _within(said: str, tail: str) -> dict[str, Any]:
    """Words in the middle of a panel."""
    return {
        "text": said, "x": 0.5, "y": 0.5, "xref": f"x{tail} domain", "yref": f"y{tail} domain",
        "xanchor": "center", "yanchor": "middle", "showarrow": False,
        "font": {"size": 11, "color": SOFT},
    }  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _said(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "undefined"
