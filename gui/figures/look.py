"""What all figures share. Colours are names of the style sheet; the page's script reads them."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

THEN, NOW, SOFT, INK, LINE, SHEET = (
    f"var(--{n})" for n in ("then", "now", "soft", "ink", "line", "sheet")
)
# Purple to green through the paper: told apart with any kind of colour vision.
DIVERGING = [[0, "#8e4aa0"], [0.5, SHEET], [1, "#2b7f45"]]


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
