"""The map: where the latents lie, before and after, with arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gui.figures.look import INK, NOW, SHEET, SOFT, THEN, bare_axis, layout

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
    data.append(_trajectory("baseline", before, THEN, span, selected if not len(after) else ()))
    if len(after):
        data.append(_trajectory("edited", after, NOW, span, selected))
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
            margin={"l": 18, "r": 6, "t": 4, "b": 20},
            xaxis=bare_axis(axes[0]),
            yaxis=bare_axis(axes[1], scaleanchor="x"),
            annotations=arrows,
            meta={"caption": caption, "method": method},
        ),
    }


def _trajectory(
    name: str, points: Points, colour: str, span: int, selected: Sequence[int]
) -> dict[str, Any]:
    steps = range(len(points))
    return {
        "type": "scatter", "mode": "lines+markers+text", "name": name,
        "x": [float(p[0]) for p in points], "y": [float(p[1]) for p in points],
        "text": [str(k + 1) for k in steps], "textposition": "middle center",
        "textfont": {"color": SHEET, "size": 9},
        "customdata": [[span, k] for k in steps],
        "line": {"color": colour, "width": 1.5},
        "marker": {
            "color": colour, "size": 15,
            "line": {"color": [INK if k in selected else colour for k in steps], "width": 2},
        },
        "hovertemplate": f"{name} z%{{text}}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
    }  # fmt: skip
