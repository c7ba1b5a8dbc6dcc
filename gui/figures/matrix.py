"""Cosines of every latent with every other, words of the answer beside them for reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from textwrap import wrap
from typing import Any

from gui.figures.look import INK, NOW, SOFT, THEN, cosine_scale, layout, plain

KIND_NAMES = {
    "raw": "raw cosine", "centred": "centred cosine", "zscored": "z-scored cosine",
    "corrected": "corrected cosine",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of a matrix: its name, its colour's name, and which latent it is (span, step)."""

    name: str
    role: str = "word"
    span: int = -1
    step: int = -1


COLOUR = {"before": THEN, "after": NOW, "word": SOFT}


def matrix_figure(
    rows: Sequence[Row],
    columns: Sequence[Row],
    values: Sequence[Sequence[float]],
    kind: str = "raw",
    caption: Sequence[str] = (),
    selected: Sequence[int] = (),
    numbers: bool = False,
) -> dict[str, Any]:
    """One heat map, its colours fitted to the cosines and barred beside it.

    Args:
        rows, columns: what is compared with what.
        values: (rows, columns); NaN where a direction is missing, left blank.
        kind: which cosine, a key of :data:`KIND_NAMES`.
        caption: stands under the figure.
        selected: steps that are framed, in rows and columns.
        numbers: write the numbers on the diagonal.
    """
    across = range(len(columns))
    down = range(len(rows))
    size = 12 if max(len(rows), len(columns)) <= 24 else 10
    lines = [line for text in caption for line in wrap(text, 66)]
    name = KIND_NAMES.get(kind, kind)
    scale = cosine_scale(v for row in values for v in row)
    ends = [scale["zmin"] + (1 - scale["zmin"]) * n / 4 for n in range(5)]
    heat = {
        "type": "heatmap", "name": name, "x": list(across), "y": list(down),
        "z": [[float(v) if isfinite(v) else None for v in row] for row in values],
        **scale, "xgap": 1, "ygap": 1,
        "customdata": [
            [[rows[i].span, rows[i].step, "run" if rows[i].step >= 0 else "word",
              rows[i].name, columns[j].name, columns[j].step] for j in across]
            for i in down
        ],
        "text": [
            [plain(f"{rows[i].name} × {columns[j].name}: {_said(values[i][j])}") for j in across]
            for i in down
        ],
        "hovertemplate": "%{text}<extra></extra>", "hoverongaps": True,
        "colorbar": {
            "thickness": 9, "len": 1, "outlinewidth": 0, "tickvals": ends,
            "tickfont": {"size": 12, "color": SOFT}, "ticks": "", "x": 1.02,
        },
    }  # fmt: skip
    return {
        "data": [heat],
        "layout": layout(
            margin={
                "l": 64, "r": 10, "t": 66 if _angle(columns) else 30, "b": 44 + 16 * len(lines),
            },
            xaxis=_axis(columns, size, side="top", constrain="domain", tickangle=_angle(columns)),
            yaxis=_axis(
                rows, size, autorange="reversed", scaleanchor="x", constrain="domain",
                constraintoward="top",
            ),
            annotations=[
                *([_below(lines)] if lines else []),
                *(_numbers(values, size) if numbers else []),
            ],
            shapes=[*_frames(rows, columns, set(selected)), *_parts(rows, columns)],
            dragmode=False,
            meta={
                "caption": name, "marks": True, "named": True,
                "view": f"{kind}{len(rows)}x{len(columns)}",
            },
        ),
    }  # fmt: skip


def _axis(rows: Sequence[Row], size: int, **more: Any) -> dict[str, Any]:
    return {
        "tickmode": "array", "tickvals": list(range(len(rows))),
        "ticktext": [_short(row.name) for row in rows],
        "tickfont": {"size": size, "color": INK}, "showgrid": False, "zeroline": False,
        "showline": False, "ticks": "", "fixedrange": True, "automargin": True, **more,
    }  # fmt: skip


def _angle(columns: Sequence[Row]) -> int:
    """Labels across are turned where they would run into each other."""
    return -50 if len(columns) > 16 or any(len(c.name) > 3 for c in columns) else 0


def _short(name: str) -> str:
    return plain(name if len(name) <= 9 else name[:8] + "…")


def _frames(rows: Sequence[Row], columns: Sequence[Row], steps: set[int]) -> list[dict[str, Any]]:
    """Frames around the rows and columns of the selected steps."""
    out = []
    for place, row in enumerate(rows):
        if row.step in steps:
            out.append(_box(-0.5, len(columns) - 0.5, place - 0.5, place + 0.5, INK, 1.4))
    for place, column in enumerate(columns):
        if column.step in steps:
            out.append(_box(place - 0.5, place + 0.5, -0.5, len(rows) - 0.5, INK, 1.4))
    return out


def _parts(rows: Sequence[Row], columns: Sequence[Row]) -> list[dict[str, Any]]:
    """Lines where the latents end and the words begin, and one beside each part."""
    out = []
    ends = [n for n in range(1, len(rows)) if rows[n].role != rows[n - 1].role]
    out += [_box(-0.5, len(columns) - 0.5, n - 0.5, n - 0.5, INK, 1) for n in ends]
    ends = [n for n in range(1, len(columns)) if columns[n].role != columns[n - 1].role]
    out += [_box(n - 0.5, n - 0.5, -0.5, len(rows) - 0.5, INK, 1) for n in ends]
    return out


def _box(x0: float, x1: float, y0: float, y1: float, colour: str, width: float) -> dict[str, Any]:
    line = {"color": colour, "width": width}
    return {"type": "rect", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "line": line}


def _numbers(values: Sequence[Sequence[float]], size: int) -> list[dict[str, Any]]:
    """The diagonal's numbers: the same step before and after."""
    return [
        {
            "x": n, "y": n, "text": _said(row[n]), "showarrow": False,
            "font": {"size": max(9, size - 1), "color": INK},
        }
        for n, row in enumerate(values)
        if n < len(row) and len(values) <= 16
    ]  # fmt: skip


def _below(lines: Sequence[str]) -> dict[str, Any]:
    return {
        "text": "<br>".join(lines), "xref": "paper", "yref": "paper", "x": 0, "y": 0,
        "xanchor": "left", "yanchor": "top", "yshift": -14, "align": "left", "showarrow": False,
        "font": {"size": 12, "color": SOFT},
    }  # fmt: skip


def _said(value: float) -> str:
    return f"{value:.2f}".replace("-", "−") if isfinite(value) else "undefined"
