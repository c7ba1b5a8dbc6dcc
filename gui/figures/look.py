"""What all figures share. Colours are names of the style sheet; the page's script reads them."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, isfinite
from textwrap import wrap
from typing import Any

THEN, NOW, SOFT, INK, LINE, SHEET = (
    f"var(--{n})" for n in ("then", "now", "soft", "ink", "line", "sheet")
)
# Purple to green through the paper: told apart with any kind of colour vision.
DIVERGING = [[0, "#8e4aa0"], [0.5, SHEET], [1, "#2b7f45"]]
RISING = [[0, SHEET], [1, "#2b7f45"]]
NARROWEST = 0.05  # of a cosine's range: what differs by less is alike to the eye as well


def cosine_scale(values: Iterable[float]) -> dict[str, Any]:
    """The colours of cosines, fitted to them so that structure among like vectors is seen.

    From the least of them, rounded down, to 1; from −1 to 1 where one is negative. Whoever draws
    with it writes the ends beside the colours.
    """
    known = [v for v in values if isfinite(v)]
    low = min(known, default=-1.0)
    if low < 0:
        return {"zmin": -1, "zmax": 1, "colorscale": DIVERGING}
    low = min(floor(low / NARROWEST) * NARROWEST, 1 - NARROWEST)
    return {"zmin": round(low, 2), "zmax": 1, "colorscale": RISING}


def change_scale(values: Iterable[float]) -> dict[str, Any]:
    """The colours of differences of cosines: zero in the middle, the largest at an end."""
    most = max((abs(v) for v in values if isfinite(v)), default=0.0)
    most = max(NARROWEST, -floor(-most / NARROWEST) * NARROWEST)
    return {"zmin": -round(most, 2), "zmax": round(most, 2), "colorscale": DIVERGING}


def bare_axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis without ticks or grid, for places where only nearness counts."""
    return {
        "title": {"text": title, "font": {"size": 11, "color": SOFT}, "standoff": 4},
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "tickmode": "array",
        "tickvals": [],
        **more,
    }


def layout(**more: Any) -> dict[str, Any]:
    """A transparent layout in the page's colours."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 12, "family": "ui-sans-serif, system-ui, sans-serif"},
        "hoverlabel": {"bgcolor": SHEET, "bordercolor": LINE, "font": {"color": INK}},
        "showlegend": False,
        "dragmode": "pan",
        **more,
    }


def sentence_figure(sentence: str) -> dict[str, Any]:
    """A figure that has nothing to draw and says why."""
    return {
        "data": [],
        "layout": layout(
            margin={"l": 20, "r": 20, "t": 20, "b": 20},
            xaxis={"visible": False},
            yaxis={"visible": False},
            annotations=[
                {
                    "text": "<br>".join(wrap(sentence, 60)), "showarrow": False, "xref": "paper",
                    "yref": "paper", "x": 0.5, "y": 0.5, "font": {"size": 15, "color": SOFT},
                }
            ],
            meta={"caption": ""},
        ),
    }  # fmt: skip


def plain(text: str) -> str:
    """Somebody's text in a figure: no markup and no fields of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("%", "&#37;")
