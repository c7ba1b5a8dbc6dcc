"""Dose–response: what becomes of the answer against the dose that was delivered, with controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import TYPE_CHECKING, Any

from gui.figures.axes import NEGLIGIBLE, axis, bars, number, paper, said, upward
from gui.figures.look import INK, NOW, SOFT, THEN

if TYPE_CHECKING:
    from core.measures.response import Level

# series → colour, marker, dash: told apart without colour as well
STYLES = {
    "latents": (NOW, "circle", "solid"),
    "random direction": ("#a05fb4", "diamond", "dash"),
    "sham": (SOFT, "x", "dot"),
    "picture swapped": (THEN, "square", "solid"),
}
PLACES = (
    ((0, 0.46), (0.57, 1)),
    ((0.54, 1), (0.57, 1)),
    ((0, 0.46), (0, 0.43)),
    ((0.54, 1), (0, 0.43)),
)
COLUMNS = ["quantity", "asked dose", "low", "high", "draws"]


def response_figure(
    panels: Mapping[str, Mapping[str, Sequence[Level]]],
    base: Mapping[str, float],
    caption: str,
    halves: Mapping[str, float] | None = None,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Up to four panels over one axis of delivered doses.

    Args:
        panels: quantity → series → its levels; a rate stands in the first.
        base: quantity → its value without an edit, drawn as a line.
        caption: under the figure.
        halves: series → ε50 where it is reached, marked on the first panel.
        names: series → what it is called here.
    """
    names = names or {}
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    shapes: list[dict[str, Any]] = []
    doses = [lv.epsilon for p in panels.values() for s in p.values() for lv in s if lv.epsilon > 0]
    latents = next((p["latents"] for p in panels.values() if "latents" in p), [])
    asked = [lv.dose for lv in latents if lv.dose > 0]
    for n, (quantity, series) in enumerate(list(panels.items())[:4]):
        tail = "" if n == 0 else str(n + 1)
        across, up = PLACES[n]
        last = n >= 2 or len(panels) <= 2
        axes[f"xaxis{tail}"] = axis(
            "delivered dose ε = ‖z′−z‖ / ‖z‖" if last else "", domain=list(across),
            anchor=f"y{tail}", type="log", matches="x" if n else None, **_ticks(doses, asked),
        )  # fmt: skip
        bounded = _range(quantity, series)
        axes[f"yaxis{tail}"] = axis(quantity, domain=list(up), anchor=f"x{tail}", **bounded)
        for name, levels in series.items():
            data.append(_trace(names.get(name, name), name, quantity, levels, tail, n == 0))
        if quantity in base:
            shapes.append(_across(base[quantity], tail))
    for name, half in (halves or {}).items():
        shapes.append(
            {
                "type": "line", "xref": "x", "yref": "y", "x0": half, "x1": half, "y0": 0,
                "y1": 0.5, "line": {"color": STYLES[name][0], "width": 1.2, "dash": "dot"},
            }
        )  # fmt: skip
    return {
        "data": data,
        "layout": paper(caption, shapes=shapes, meta={"columns": COLUMNS}, **axes),
    }


def _trace(
    title: str, name: str, quantity: str, levels: Sequence[Level], tail: str, first: bool
) -> dict[str, Any]:
    colour, symbol, dash = STYLES.get(name, (INK, "circle", "solid"))
    kept = [lv for lv in levels if lv.epsilon > 0]
    values = [lv.value.estimate for lv in kept]
    lows, highs = [lv.value.low for lv in kept], [lv.value.high for lv in kept]
    return {
        "type": "scatter", "mode": "lines+markers", "name": title, "legendgroup": name,
        "showlegend": first, "x": [lv.epsilon for lv in kept], "y": [number(v) for v in values],
        "error_y": {**bars(values, lows, highs), "color": colour},
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "xaxis": f"x{tail}", "yaxis": f"y{tail}",
        "customdata": [
            [quantity, lv.dose, number(lv.value.low), number(lv.value.high), lv.draws]
            for lv in kept
        ],
        "text": [
            f"{title}<br>ε {said(lv.epsilon)}: {quantity} {said(lv.value.estimate)}"
            f"<br>95 % {said(lv.value.low)} to {said(lv.value.high)}, {lv.draws} draws"
            for lv in kept
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _range(quantity: str, series: Mapping[str, Sequence[Level]]) -> dict[str, Any]:
    """Shares from 0 to 1; divergences from 0 up; differences where they lie."""
    if quantity.startswith(("flip", "prob")):
        return {"range": [-0.04, 1.04]}
    if not quantity.startswith("KL"):
        return {}
    found = [lv.value for levels in series.values() for lv in levels]
    return upward([max(v.estimate, v.high if v.high == v.high else 0) for v in found], NEGLIGIBLE)


def _ticks(doses: Sequence[float], asked: Sequence[float]) -> dict[str, Any]:
    """Ticks at the asked doses, or at 1, 2 and 5 of each decade where these are many; a range
    wide enough for a single dose."""
    if not doses:
        return {"range": [-1, 1]}
    low, high = min(doses), max(doses)
    marks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    marks = list(asked) if 0 < len(asked) <= 9 else marks
    room = max(0.08, 0.04 * log10(high / low)) if high > low else 0.5
    shown = [m for m in marks if low * 0.8 <= m <= high * 1.3]
    return {
        "range": [log10(low) - room, log10(high) + room],
        "tickvals": shown, "ticktext": [f"{m:g}" for m in shown],
    }  # fmt: skip


def _across(value: float, tail: str) -> dict[str, Any]:
    return {
        "type": "line", "xref": f"x{tail} domain", "yref": f"y{tail}", "x0": 0, "x1": 1,
        "y0": value, "y1": value, "line": {"color": INK, "width": 1, "dash": "dash"},
        "layer": "below", "opacity": 0.5,
    }  # fmt: skip
