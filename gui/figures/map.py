"""The map: where the latents lie, before and after, with arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from typing import Any

from gui.components.picture import numbers
from gui.figures.look import INK, NOW, SHEET, SOFT, THEN, bare_axis, layout

NEAR = 0.055  # of the map's larger side: marks nearer than this would hide each other
ASIDE = 19  # px from the middle of marks that lie on each other to their label
WAYS = ((0, 1), (1, 0), (-1, 0), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
ARROWS = 32  # more than these would hide what they show
Points = Sequence[Sequence[float]]


def map_figure(
    before: Points,
    after: Points = (),
    background: Points = (),
    background_name: str = "",
    selected: Sequence[int] = (),
    span: int = 0,
    axes: tuple[str, str] = ("", ""),
    caption: str = "",
    method: str = "pca",
) -> dict[str, Any]:
    """Baseline and edited trajectory in two dimensions.

    Args:
        before, after: (K, 2) coordinates of the two runs, from one joint fit.
        background: (N, 2) other vectors for orientation, named ``background_name``.
        selected: steps with a ring around them.
        span: which span the steps belong to; handed back on a click.
        axes: names of the two axes.
        caption: how the map was made, to stand over it.
        method: key of the method that was asked for.
    """
    data: list[dict[str, Any]] = []
    background = [p for p in background if p[0] == p[0]]  # NaN has no place on the map
    if len(background):
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": background_name,
                "x": [float(p[0]) for p in background], "y": [float(p[1]) for p in background],
                "marker": {"color": SOFT, "size": 5, "opacity": 0.35},
                "hovertemplate": f"{background_name}<extra></extra>",
            }
        )  # fmt: skip
    near = NEAR * _reach(before, after, background)
    names = [*_names(before, after, THEN, near), *_names(after, before, NOW, near)]
    rings = selected if not len(after) else ()
    data.append(_trajectory("baseline", before, THEN, span, rings, near))
    if len(after):
        data.append(_trajectory("edited", after, NOW, span, selected, near))
    arrows = [
        {
            "x": float(q[0]), "y": float(q[1]), "ax": float(p[0]), "ay": float(p[1]),
            "xref": "x", "yref": "y", "axref": "x", "ayref": "y", "text": "",
            "showarrow": True, "arrowhead": 2, "arrowsize": 1, "arrowwidth": 1.2,
            "arrowcolor": SOFT, "opacity": 0.8, "standoff": 7, "startstandoff": 6,
        }
        for p, q in list(zip(before, after, strict=False))[:ARROWS]
        if max(abs(p[0] - q[0]), abs(p[1] - q[1])) > 1e-9
    ]  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            margin={"l": 18, "r": 6, "t": 16, "b": 20},
            xaxis=bare_axis(axes[0]),
            yaxis=bare_axis(axes[1], scaleanchor="x"),
            annotations=[*arrows, *names],
            meta={"caption": caption, "method": method},
        ),
    }


def together(points: Points, near: float) -> list[list[int]]:
    """Indices of points nearer to each other than ``near``, which share one label."""
    groups: list[list[int]] = []
    for k, p in enumerate(points):
        for group in groups:
            q = points[group[0]]
            if abs(p[0] - q[0]) < near and abs(p[1] - q[1]) < near:
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def _names(points: Points, others: Points, colour: str, near: float) -> list[dict[str, Any]]:
    """The labels of points that lie on each other: beside them, where there is most room.

    A lone point has its number inside.
    """
    marks = [(float(p[0]), float(p[1])) for p in (*points, *others)]
    pairs = zip(points, others, strict=False)
    marks += [((p[0] + q[0]) / 2, (p[1] + q[1]) / 2) for p, q in pairs]  # the arrows
    out = []
    for group in together(points, near):
        if len(group) == 1:
            continue
        x, y = (sum(float(points[k][axis]) for k in group) / len(group) for axis in (0, 1))

        def room(way: tuple[int, int], x: float = x, y: float = y) -> float:
            reach = 2 * near / max(hypot(*way), 1)
            at = (x + way[0] * reach, y + way[1] * reach)
            return min(hypot(at[0] - p[0], at[1] - p[1]) for p in marks)

        across, up = max(WAYS, key=room)
        out.append(
            {
                "text": numbers(group), "x": x, "y": y, "showarrow": False,
                "xshift": ASIDE * across, "yshift": ASIDE * up,
                "font": {"size": 11, "color": colour}, "bgcolor": SHEET, "borderpad": 1,
                "opacity": 0.9,
            }
        )  # fmt: skip
    return out


def _reach(*tables: Points) -> float:
    """The larger side of the box around all points; 1 when they coincide."""
    sides = []
    for axis in (0, 1):
        values = [float(p[axis]) for table in tables for p in table if p[axis] == p[axis]]
        sides.append(max(values) - min(values) if values else 0.0)
    return max(sides) or 1.0


def _trajectory(
    name: str, points: Points, colour: str, span: int, selected: Sequence[int], near: float
) -> dict[str, Any]:
    steps = range(len(points))
    text = [""] * len(points)
    for group in together(points, near):
        if len(group) == 1:
            text[group[0]] = numbers(group)
    return {
        "type": "scatter", "mode": "lines+markers+text", "name": name, "meta": "steps",
        "cliponaxis": False,
        "x": [float(p[0]) for p in points], "y": [float(p[1]) for p in points],
        "text": text, "textposition": "middle center", "textfont": {"color": SHEET, "size": 10},
        "customdata": [[span, k, k + 1] for k in steps],
        "line": {"color": colour, "width": 1.5},
        "marker": {
            "color": colour, "size": 13,
            "line": {"color": [INK if k in selected else colour for k in steps], "width": 2},
        },
        "hovertemplate": f"{name} z%{{customdata[2]}}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
    }  # fmt: skip
