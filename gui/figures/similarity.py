"""Step × step cosine similarity of the baseline, of the edited run, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from gui.figures.look import DIVERGING, SOFT, bare_axis, layout

Matrix = Sequence[Sequence[float]]


def similarity_figure(before: Matrix, after: Matrix = (), span: int = 0) -> dict[str, Any]:
    """One heat map, or three once there is an edit; all on one scale from −1 to 1.

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
    data, axes, titles = [], {}, []
    for n, (name, matrix) in enumerate(panels):
        tail = "" if n == 0 else str(n + 1)
        steps = list(range(1, len(matrix) + 1))
        data.append(
            {
                "type": "heatmap", "name": name, "x": steps, "y": steps,
                # a latent without length has no direction: its cosines are left blank
                "z": [[_number(v) for v in row] for row in matrix],
                "text": [
                    [f"{name}<br>z{i} × z{j}: {_said(v)}" for j, v in zip(steps, row, strict=True)]
                    for i, row in zip(steps, matrix, strict=True)
                ],
                "zmin": -1, "zmax": 1, "colorscale": DIVERGING, "showscale": False,
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
        titles.append(_words(name, tail, 1, "bottom"))
        if len(matrix) and not any(isfinite(v) for row in matrix for v in row):
            titles.append(_words("no length,<br>no direction", tail, 0.5, "middle"))
    return {
        "data": data,
        "layout": layout(
            margin={"l": 2, "r": 2, "t": 18, "b": 2}, annotations=titles, dragmode=False, **axes
        ),
    }


def _words(said: str, tail: str, height: float, anchor: str) -> dict[str, Any]:
    """Words at a height of one panel, in its middle."""
    return {
        "text": said, "x": 0.5, "y": height, "xref": f"x{tail} domain",
        "yref": f"y{tail} domain", "xanchor": "center", "yanchor": anchor,
        "showarrow": False, "font": {"size": 11, "color": SOFT},
    }  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _said(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "undefined"
