"""Layer windows: cut edges of attention, and the donor's slots put in, layer by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from gui.figures.axes import NEGLIGIBLE, axis, number, paper, said
from gui.figures.look import DIVERGING, INK, NOW, SHEET, SOFT, THEN

Window = tuple[int, int]

# edge → colour, marker, dash
STYLES = {
    "answer → latents": (NOW, "circle", "solid"),
    "answer → image": (THEN, "square", "solid"),
    "latents → image": ("#4f9c6a", "diamond", "dash"),
    "latents → question": ("#a05fb4", "triangle-up", "dash"),
    "latents → latents": (SOFT, "x", "dot"),
}


def said_window(window: Window) -> str:
    """(first, stop) as people count: “2” or “2–3”."""
    first, stop = window
    return str(first + 1) if stop - first == 1 else f"{first + 1}–{stop}"


def knockout_figure(
    edges: Mapping[str, Mapping[Window, float]], layers: int, quantity: str, caption: str
) -> dict[str, Any]:
    """One line an edge over the centre of the window, and all layers cut at once at the right.

    Args:
        edges: edge → window → the relative change of the base's answer's probability.
        layers: of the model.
        quantity, caption: words.
    """
    data: list[dict[str, Any]] = []
    shown: set[Window] = set()
    for n, (edge, found) in enumerate(edges.items()):
        colour, symbol, dash = STYLES.get(edge, (INK, "circle", "solid"))
        own = sorted(w for w in found if w != (0, layers) or len(found) == 1)
        shown |= set(own)
        whole = [(0, layers)] if (0, layers) in found and len(found) > 1 else []
        aside = (n - 2) * 0.07
        for windows, mode in ((own, "lines+markers"), (whole, "markers")):
            data.append(
                {
                    "type": "scatter", "mode": mode, "name": edge, "legendgroup": edge,
                    "showlegend": mode != "markers" or not own,
                    "x": [layers + 1 + aside if w in whole else _centre(w) for w in windows],
                    "y": [number(found[w]) for w in windows],
                    "line": {"color": colour, "width": 2, "dash": dash},
                    "marker": {"color": colour, "symbol": symbol, "size": 9},
                    "customdata": [[said_window(w)] for w in windows],
                    "text": [
                        f"{edge}, layers {said_window(w)}: {said(found[w])}" for w in windows
                    ],
                    "hovertemplate": "%{text}<extra></extra>",
                }
            )  # fmt: skip
    ticks = sorted(shown)
    every = max(1, len(ticks) // 14)
    ticks = ticks[::every]
    zero = {
        "type": "line", "xref": "x domain", "yref": "y", "x0": 0, "x1": 1, "y0": 0, "y1": 0,
        "line": {"color": INK, "width": 1, "dash": "dash"}, "layer": "below", "opacity": 0.5,
    }  # fmt: skip
    edge_of = {**zero, "xref": "x", "yref": "y domain", "x0": layers + 0.5, "x1": layers + 0.5,
               "y0": 0, "y1": 1}  # fmt: skip
    return {
        "data": data,
        "layout": paper(
            caption,
            shapes=[zero, edge_of],
            xaxis=axis(
                "layers in which the edge is cut", range=[0.5, layers + 1.6],
                tickvals=[*map(_centre, ticks), layers + 1],
                ticktext=[*map(said_window, ticks), "all"],
            ),
            yaxis=axis(quantity),
            meta={"columns": ["layers"]},
        ),
    }  # fmt: skip


def patch_figure(
    values: Mapping[tuple[Window, int], float],
    hover: Mapping[tuple[Window, int], str],
    layers: int,
    quantity: str,
    caption: str,
    signed: bool,
) -> dict[str, Any]:
    """Layer windows down, steps across; the last row and column are all of them at once.

    Args:
        values: (window, step) → effect; step −1 for all.
        hover: the same → what is said of the cell.
        signed: values have two signs, and 0 stands in the middle of the scale.
    """
    windows = sorted({w for w, _ in values}, key=lambda w: (w == (0, layers), w))
    steps = sorted({s for _, s in values}, key=lambda s: (s < 0, s))
    rows = ["all" if w == (0, layers) and len(windows) > 1 else said_window(w) for w in windows]
    columns = ["all" if s < 0 else f"z{s + 1}" for s in steps]
    found = [abs(v) for v in values.values() if isfinite(v)]
    most = max([*found, 5 * NEGLIGIBLE])  # next to nothing is to look like it
    scale: Sequence[Any] = DIVERGING if signed else [[0, SHEET], [1, "#a8480a"]]
    return {
        "data": [
            {
                "type": "heatmap", "name": quantity, "x": columns, "y": rows,
                "z": [[number(values.get((w, s), float("nan"))) for s in steps] for w in windows],
                "text": [[hover.get((w, s), "") for s in steps] for w in windows],
                "zmin": -most if signed else 0, "zmax": most, "colorscale": scale,
                "xgap": 2, "ygap": 2, "hovertemplate": "%{text}<extra></extra>",
                "hoverongaps": False,
                "colorbar": {
                    "title": {"text": quantity, "side": "right",
                              "font": {"size": 11, "color": SOFT}},
                    "thickness": 10, "outlinewidth": 0, "tickfont": {"size": 11, "color": SOFT},
                },
            }
        ],
        "layout": paper(
            caption, showlegend=False,
            xaxis=axis("latent slot", type="category", showgrid=False, ticks=""),
            yaxis=axis("layers", type="category", showgrid=False, ticks=""),
        ),
    }  # fmt: skip


def _centre(window: Window) -> float:
    return (window[0] + window[1] + 1) / 2
