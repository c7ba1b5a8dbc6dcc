"""A study's effects and its mediation split, as figures one can point at."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from gui.figures.look import LINE, NOW, SOFT, THEN, layout

if TYPE_CHECKING:
    from core.measures.statistics import Interval
    from core.study.effects import Effect
    from core.study.mediation import Split

ROW = 24  # pixels an arm


def forest(effects: Sequence[Effect], margin: float) -> dict[str, Any] | None:
    """Change of accuracy of every arm, points, with intervals; the declared margin shaded.

    Args:
        margin: ± as a share.
    """
    shown = [e for e in effects if e.items and isfinite(e.change.estimate)]
    if not shown:
        return None
    data = []
    for declared, name, colour in ((True, "declared", THEN), (False, "exploratory", SOFT)):
        part = [e for e in shown if e.declared == declared]
        if part:
            data.append(_intervals(name, colour, [(_name(e.arm), e.change) for e in part], 100))
            data[-1]["text"] = [
                f"{e.arm}: {e.change.estimate:+.1%} ({e.change.low:+.1%} to {e.change.high:+.1%}), "
                f"{e.flips.estimate:.1%} of answers change: {e.verdict}"
                for e in part
            ]
    band = {
        "type": "rect", "xref": "x", "yref": "paper", "x0": -100 * margin, "x1": 100 * margin,
        "y0": 0, "y1": 1, "fillcolor": LINE, "opacity": 0.5, "line": {"width": 0},
        "layer": "below",
    }  # fmt: skip
    return {"data": data, "layout": _layout(len(shown), "Δ accuracy, points", [band])}


def shares(split: Split, unit: str) -> dict[str, Any] | None:
    """TE, NDE, TIE, NIE, INT and CDE with their intervals.

    Args:
        unit: ``"nats"`` or ``"points"``.
    """
    if not isfinite(split.total.estimate):
        return None
    scale = 1.0 if unit == "nats" else 100.0
    rows = [
        ("TE, total", split.total),
        ("NDE, past the latents", split.direct),
        ("TIE = TE − NDE", split.total_indirect),
        ("NIE, through the latents", split.indirect),
        ("INT = TE − NDE − NIE", split.interaction),
        ("CDE, latents at their means", split.controlled),
    ]
    kept = [(name, value) for name, value in rows if isfinite(value.estimate)]
    data = [_intervals("effect", NOW, kept, scale)]
    data[0]["text"] = [
        f"{name}: {scale * v.estimate:+.2f} ({scale * v.low:+.2f} to {scale * v.high:+.2f}) {unit}"
        for name, v in kept
    ]
    return {"data": data, "layout": _layout(len(kept), f"effect, {unit}", [])}


def _intervals(
    name: str, colour: str, rows: Sequence[tuple[str, Interval]], scale: float
) -> dict[str, Any]:
    values = [scale * v.estimate for _, v in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": values,
        "y": [label for label, _ in rows],
        "marker": {"color": colour, "size": 9},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_width(scale * v.high - x) for (_, v), x in zip(rows, values, strict=True)],
            "arrayminus": [
                _width(x - scale * v.low) for (_, v), x in zip(rows, values, strict=True)
            ],
            "color": colour,
            "thickness": 2,
            "width": 0,
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _width(value: float) -> float:
    return max(0.0, value) if isfinite(value) else 0.0


def _name(arm: str) -> str:
    return arm if len(arm) <= 34 else arm[:33] + "…"


def _layout(rows: int, across: str, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return layout(
        height=70 + ROW * rows,
        margin={"l": 230, "r": 12, "t": 6, "b": 44},
        xaxis={
            "title": {"text": across, "font": {"size": 12, "color": SOFT}},
            "gridcolor": LINE,
            "zeroline": True,
            "zerolinecolor": SOFT,
        },
        yaxis={"autorange": "reversed", "showgrid": False, "type": "category", "fixedrange": True},
        shapes=shapes,
        dragmode=False,
    )
