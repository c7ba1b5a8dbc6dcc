"""The published grid: item × item similarity, one panel a step, items ordered by task; and how
the mean of each panel goes on over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import ceil, isfinite
from textwrap import wrap
from typing import Any

from gui.figures.look import DIVERGING, INK, LINE, SOFT, THEN, layout, plain
from gui.figures.matrix import KIND_NAMES

ACROSS = 4  # panels in a row
GAP = 0.035


def panels_figure(
    grid: Sequence[Sequence[Sequence[float]]],
    items: Sequence[str],
    tasks: Sequence[str],
    kind: str = "raw",
    means: Sequence[float] = (),
    caption: Sequence[str] = (),
    marked: Sequence[int] = (),
) -> dict[str, Any]:
    """A heat map a step, all on one scale from −1 to 1.

    Args:
        grid: (K, N, N); NaN where an item has no such step, left blank.
        items, tasks: of the N items, in the order of the rows.
        kind: which cosine.
        means: of the pairs of different items at each step, for the titles.
        caption: stands under the figure.
        marked: rows with a mark at their side.
    """
    n, steps = len(items), len(grid)
    across = min(ACROSS, max(1, steps))
    down = ceil(steps / across) if steps else 1
    lines = [line for text in caption for line in wrap(text, 118)]
    # rows as high as a panel is wide, with a line for the title over each
    unit, title = 1 / across - GAP, 0.05
    top, height = title / (down * (unit + title)), 1 / down
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    ends = _ends(tasks)
    names = [plain(item) for item in items]
    for k, matrix in enumerate(grid):
        tail = "" if k == 0 else str(k + 1)
        row, column = divmod(k, across)
        left, right = column / across, (column + 1) / across - GAP
        high, low = 1 - row * height - top, 1 - (row + 1) * height
        data.append(
            {
                "type": "heatmap", "name": f"z{k + 1}", "x": names, "y": names, "meta": {"step": k},
                "z": [[_number(v) for v in line] for line in matrix],
                "zmin": -1, "zmax": 1, "colorscale": DIVERGING,
                "showscale": k == 0, "xaxis": f"x{tail}", "yaxis": f"y{tail}",
                "colorbar": {
                    "thickness": 9, "outlinewidth": 0, "tickvals": [-1, 0, 1], "ticks": "",
                    "tickfont": {"size": 12, "color": SOFT}, "x": 1.01, "len": 0.6,
                },
                "hovertemplate": f"z{k + 1}: %{{y}}<br>× %{{x}}<br>%{{z:.2f}}<extra></extra>",
            }
        )  # fmt: skip
        span = [-0.5, n - 0.5]
        bare = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
        axes[f"xaxis{tail}"] = {
            **bare, "type": "category", "domain": [left, right], "range": span, "fixedrange": True,
            "constrain": "domain", "constraintoward": "left", "anchor": f"y{tail}",
        }  # fmt: skip
        axes[f"yaxis{tail}"] = {
            **bare, "type": "category", "domain": [max(0, low), high], "range": span[::-1],
            "fixedrange": True,
            "scaleanchor": f"x{tail}", "constrain": "domain", "constraintoward": "top",
            "anchor": f"x{tail}",
            **({"showticklabels": True, "tickmode": "array", "tickfont": {"size": 12, "color": INK},
                "tickvals": [(a + b) / 2 - 0.5 for _, a, b in ends],
                "ticktext": [plain(name or "items") for name, _, _ in ends]} if not column else {}),
        }  # fmt: skip
        mean = means[k] if k < len(means) else float("nan")
        said = f"  mean {mean:.2f}".replace("-", "−") if isfinite(mean) else ""
        notes.append(
            {
                "text": f"<b>z{k + 1}</b>{said}", "x": -0.5, "y": 1, "xref": f"x{tail}",
                "yref": f"y{tail} domain", "xanchor": "left", "yanchor": "bottom",
                "showarrow": False, "font": {"size": 13, "color": INK},
            }
        )  # fmt: skip
        for _, _, end in ends[:-1]:
            for vertical in (True, False):
                shapes.append(_line(end - 0.5, n, tail, vertical))
        shapes += [_mark(place, n, tail) for place in marked]
    if lines:
        notes.append(
            {
                "text": "<br>".join(lines), "xref": "paper", "yref": "paper", "x": 0, "y": 0,
                "xanchor": "left", "yanchor": "top", "yshift": -10, "align": "left",
                "showarrow": False, "font": {"size": 12, "color": SOFT},
            }
        )  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            margin={"l": 74, "r": 52, "t": 6, "b": 20 + 16 * len(lines)},
            annotations=notes, shapes=shapes, dragmode=False,
            meta={
                "caption": KIND_NAMES.get(kind, kind), "marks": True,
                "view": f"{kind}{n}{steps}", "inner": down * (unit + title),
            },
            **axes,
        ),
    }  # fmt: skip


def collapse_figure(
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    words: float | None = None,
    kind: str = "raw",
    caption: Sequence[str] = (),
    within: Sequence[float] = (),
) -> dict[str, Any]:
    """Similarity of different items' latents over the steps, with words for reference.

    Args:
        mean, low, high: over the pairs of items at each step, with the middle 80 %.
        words: mean cosine of different words of different items; a dashed line.
        kind: which cosine.
        caption: stands under the figure.
        within: cos(z_k, z_{k+1}) of the shown run, drawn thinly; K − 1 numbers.
    """
    steps = list(range(1, len(mean) + 1))
    lines = [line for text in caption for line in wrap(text, 58)]
    band = [*map(_number, high), *[_number(v) for v in reversed(low)]]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": "middle 80 % of pairs",
            "x": steps + steps[::-1], "y": band, "fill": "toself", "fillcolor": THEN,
            "opacity": 0.16, "line": {"width": 0}, "hoverinfo": "skip",
        },
        {
            "type": "scatter", "mode": "lines+markers", "name": "items, mean of pairs", "x": steps,
            "y": [_number(v) for v in mean], "line": {"color": THEN, "width": 2.4},
            "marker": {"size": 7, "color": THEN}, "hovertemplate": "z%{x}: %{y:.2f}<extra></extra>",
        },
    ]  # fmt: skip
    if len(within):
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": "this run, step to next",
                "x": [k + 1.5 for k in range(len(within))], "y": [_number(v) for v in within],
                "line": {"color": SOFT, "width": 1.4, "dash": "dot"},
                "hovertemplate": "%{y:.2f}<extra></extra>",
            }
        )  # fmt: skip
    if words is not None and isfinite(words) and steps:
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": "words of the answers",
                "x": [0.6, len(steps) + 0.4], "y": [words, words],
                "line": {"color": INK, "width": 1.4, "dash": "dash"},
                "hovertemplate": "words: %{y:.2f}<extra></extra>",
            }
        )  # fmt: skip
    found = [v for v in (*mean, *low, *high, *within, *([words] if words is not None else []))
             if isfinite(v)]  # fmt: skip
    floor = min([0.0, *found])
    return {
        "data": data,
        "layout": layout(
            margin={"l": 46, "r": 12, "t": 64, "b": 52 + 16 * len(lines)},
            xaxis={
                "title": {"text": "step", "font": {"size": 13, "color": SOFT}, "standoff": 6},
                "tickmode": "linear", "dtick": max(1, len(steps) // 10), "range":
                [0.5, max(1, len(steps)) + 0.5], "showgrid": False, "zeroline": False,
                "tickfont": {"size": 12, "color": INK}, "linecolor": LINE, "showline": True,
            },
            yaxis={
                "range": [floor - 0.06, 1.04], "gridcolor": LINE, "zeroline": False,
                "tickfont": {"size": 12, "color": INK}, "dtick": 0.25 if floor > -0.3 else 0.5,
                "title": {"text": KIND_NAMES.get(kind, kind), "standoff": 6,
                          "font": {"size": 13, "color": SOFT}},
            },
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom",
                    "font": {"size": 12, "color": INK}, "bgcolor": "rgba(0,0,0,0)"},
            annotations=[
                {
                    "text": "<br>".join(lines), "xref": "paper", "yref": "paper", "x": 0, "y": 0,
                    "xanchor": "left", "yanchor": "top", "yshift": -38, "align": "left",
                    "showarrow": False, "font": {"size": 12, "color": SOFT},
                }
            ] if lines else [],
            meta={"caption": "", "view": kind},
        ),
    }  # fmt: skip


def _ends(tasks: Sequence[str]) -> list[tuple[str, int, int]]:
    """(task, first row, one behind its last)."""
    out, at = [], 0
    for name, group in groupby(tasks):
        size = len(list(group))
        out.append((name, at, at + size))
        at += size
    return out


def _line(place: float, n: int, tail: str, vertical: bool) -> dict[str, Any]:
    ends = (-0.5, n - 0.5)
    x0, x1, y0, y1 = (place, place, *ends) if vertical else (*ends, place, place)
    return {"type": "line", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "xref": f"x{tail}",
            "yref": f"y{tail}", "line": {"color": INK, "width": 0.8}}  # fmt: skip


def _mark(place: int, n: int, tail: str) -> dict[str, Any]:
    line = {"color": INK, "width": 1.4}
    return {"type": "rect", "x0": -0.5, "x1": n - 0.5, "y0": place - 0.5, "y1": place + 0.5,
            "xref": f"x{tail}", "yref": f"y{tail}", "line": line}  # fmt: skip


def _number(value: float) -> float | None:
    # four digits: a grid of many items is sent to a browser
    return round(float(value), 4) if isfinite(value) else None
