"""The bank on the large map: coloured by what was asked for, with rings around what is selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gui.cloud import Point, answers_of
from gui.figures.look import INK, SOFT
from gui.figures.points import COLOURS, Group, Kept, kept_of, markers

STEPS = [[0, "#3f5fb0"], [0.5, "#3aa39a"], [1, "#e08a2b"]]
BY = ("step", "item", "task", "branch", "answer")
"""What the bank can be coloured by."""


def bank_traces(group: Group, by: str, many: bool) -> list[dict[str, Any]]:
    """The bank's points: one trace with a scale by step, one a value otherwise."""
    kept = kept_of(group)
    if not kept:
        return []
    if by == "branch":
        return [markers("bank", kept, {"color": SOFT, "opacity": 0.3}, many)]
    if by == "step":
        return [_by_step(kept, many)]
    return _by_value(group, kept, by, many)


def _by_step(kept: Kept, many: bool) -> dict[str, Any]:
    """One trace, coloured along a scale of the steps."""
    steps = [point.step + 1 for point, _ in kept]
    last = max(steps)
    scale = {
        "color": steps, "colorscale": STEPS, "cmin": 1, "cmax": max(2, last),
        "showscale": True,
        "colorbar": {
            "orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom",
            "len": 0.34, "thickness": 9, "outlinewidth": 0, "tickvals": [1, max(2, last)],
            "ticktext": ["step 1", f"step {max(2, last)}"], "ticks": "",
            "tickfont": {"size": 12, "color": SOFT},
        },
    }  # fmt: skip
    return {**markers("bank", kept, scale, many), "showlegend": False}


def _by_value(group: Group, kept: Kept, by: str, many: bool) -> list[dict[str, Any]]:
    """One trace a value; what has no colour of its own lies under what has."""
    names = _names(group.points, by)
    code = {name: n for n, name in enumerate(names)}
    parts: dict[str, list[tuple[Point, tuple[float, float]]]] = {}
    for point, at in kept:
        value = {"item": point.item, "task": point.task, "answer": point.answer}[by]
        parts.setdefault(value if value in code else "", []).append((point, at))
    out = []
    for name in ["", *names]:
        if name not in parts:
            continue
        colour = COLOURS[code[name] % len(COLOURS)] if name in code else SOFT
        label = name or ("others" if names else "bank")
        marker = {"color": colour, **({} if name else {"opacity": 0.25})}
        one = markers(label if by != "item" else "bank", parts[name], marker, many)
        one["showlegend"] = by != "item"
        if by == "item":  # an item's latents are tied together, or its colour would say nothing
            one |= {"mode": "lines+markers", "line": {"width": 0.8, "color": colour}}
            one["opacity"] = 0.7
        out.append(one)
    return out


def _names(points: Sequence[Point], by: str) -> list[str]:
    if by == "answer":
        return answers_of(points, len(COLOURS) - 2)
    if by == "task":
        return sorted({p.task for p in points if p.task})[: len(COLOURS)]
    return list(dict.fromkeys(p.item for p in points))[:40]


def rings(group: Group, marked: set[tuple[str, int]]) -> list[dict[str, Any]]:
    """Rings around the selected latents of the bank."""
    kept = [(p, at) for p, at in kept_of(group) if (p.item, p.step) in marked]
    if not kept:
        return []
    ring = {
        "color": "rgba(0,0,0,0)",
        "size": 11,
        "opacity": 1,
        "line": {"color": INK, "width": 1.6},
    }
    return [{**markers("selected", kept, ring, False), "hoverinfo": "skip", "hovertemplate": None}]
