"""Axes, legends and captions of figures that are read off like those of a paper.

Such a figure is sent anew while it fills. Its traces therefore stand in it from the start and
its lists only grow: Gradio sends the difference to the figure before, and patches wrongly what
becomes shorter inside a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from gui.figures.look import INK, LINE, SHEET, SOFT, layout

NEGLIGIBLE = 0.1
"""Nats below which a shift is taken for none (the margin of the equivalence tests)."""
SMALL = {"size": 11, "color": SOFT}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """A plain axis: a line, ticks outside, a faint grid."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": SOFT}, "standoff": 6},
        "showgrid": True, "gridcolor": LINE, "griddash": "dot", "zeroline": False,
        "showline": True, "linecolor": SOFT, "ticks": "outside", "ticklen": 4,
        "tickcolor": SOFT, "tickfont": SMALL, "fixedrange": False, **more,
    }  # fmt: skip


def paper(caption: str, **more: Any) -> dict[str, Any]:
    """A layout with its caption under the figure, so that a saved copy says what it shows.

    Args:
        caption: lines parted by ``<br>``.
    """
    lines = caption.count("<br>") + 1
    note = {
        "text": caption, "x": 0, "y": 0, "xref": "paper", "yref": "paper", "xanchor": "left",
        "yanchor": "top", "yshift": -40, "align": "left", "showarrow": False, "font": SMALL,
    }  # fmt: skip
    notes = [note, *more.pop("annotations", [])]
    return layout(
        margin={"l": 56, "r": 14, "t": 42, "b": 46 + 16 * lines},
        annotations=notes,
        legend={
            "orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left",
            "yref": "paper", "font": {"size": 12, "color": INK}, "bgcolor": "rgba(0,0,0,0)",
            "itemsizing": "constant",
        },
        **{"showlegend": True, "hovermode": "closest", **more},
    )  # fmt: skip


def heading(text: str, x: float, y: float) -> dict[str, Any]:
    """The heading of one panel, above its left corner, in paper coordinates."""
    return {
        "text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left",
        "yanchor": "bottom", "showarrow": False, "font": {"size": 12, "color": INK},
        "bgcolor": SHEET,
    }  # fmt: skip


def bars(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> dict[str, Any]:
    """Error bars from intervals; an end that is not known has none."""
    over = [h - v if isfinite(h) else 0.0 for v, h in zip(values, highs, strict=True)]
    under = [v - low if isfinite(low) else 0.0 for v, low in zip(values, lows, strict=True)]
    return {
        "type": "data", "symmetric": False, "array": over, "arrayminus": under,
        "thickness": 1.2, "width": 3,
    }  # fmt: skip


def upward(values: Sequence[float], least: float) -> dict[str, Any]:
    """The range of an axis from 0 that reaches at least to ``least``, so that next to nothing
    looks like next to nothing."""
    most = max([v for v in values if isfinite(v)], default=0.0)
    top = 1.06 * max(most, least)
    return {"range": [-0.04 * top, top]}


def number(value: float) -> float | None:
    """A number a page can be sent; None for NaN and infinity."""
    return float(value) if isfinite(value) else None


def said(value: float, digits: int = 3) -> str:
    """A number in a hover label."""
    return f"{value:.{digits}g}" if isfinite(value) else "undefined"
