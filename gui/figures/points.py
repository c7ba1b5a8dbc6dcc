"""Points of the large map: a group of one role, and what is the same however it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gui.cloud import Point
from gui.figures.look import plain

# Paul Tol's bright and muted schemes: told apart with any kind of colour vision, on either paper.
COLOURS = (
    "#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377",
    "#DDAA77", "#44AA99", "#8877CC", "#999933",
)  # fmt: skip
COLUMNS = ["span", "step from 0", "kind", "item", "task", "answer"]
"""What stands in a point's customdata, in this order."""
Places = Sequence[tuple[float, float] | None]
Kept = Sequence[tuple[Point, tuple[float, float]]]
"""Points that have a place, with it."""


@dataclass(frozen=True)
class Group:
    """Points of one role with their places; None for a point without one."""

    role: str
    points: Sequence[Point]
    places: Places


def kept_of(group: Group) -> list[tuple[Point, tuple[float, float]]]:
    """The points of a group that have a place, with it."""
    return [(p, at) for p, at in zip(group.points, group.places, strict=True) if at is not None]


def said_of(point: Point) -> list[Any]:
    """A point's customdata, in the order of :data:`COLUMNS`."""
    return [point.span, point.step, point.kind, point.item, point.task, point.answer]


def markers(name: str, kept: Kept, marker: dict[str, Any], many: bool) -> dict[str, Any]:
    """A trace of markers.

    Args:
        name: stands in the legend.
        marker: overrides size, opacity and line, and gives the colour.
        many: drawn by WebGL.
    """
    return {
        "type": "scattergl" if many else "scatter", "mode": "markers", "name": plain(name),
        "x": [_short(at[0]) for _, at in kept], "y": [_short(at[1]) for _, at in kept],
        "customdata": [said_of(point) for point, _ in kept],
        "marker": {"size": 6, "opacity": 0.6, "line": {"width": 0}, **marker},
        "selected": {"marker": {"opacity": 0.9}}, "unselected": {"marker": {"opacity": 0.6}},
        "hovertemplate": _hover(name, kept), "text": [plain(p.name) for p, _ in kept],
    }  # fmt: skip


def _hover(name: str, kept: Kept) -> str:
    known = any(point.answer for point, _ in kept)
    more = "<br>%{customdata[4]}, answered %{customdata[5]}" if known else ""
    return f"%{{text}}{more}<extra></extra>"


def _short(value: float) -> float:
    # a thousand points are sent to a browser; nobody sees a seventh digit
    return float(f"{value:.6g}")


def apart(places: Places, extent: float) -> set[int]:
    """Points far enough from each other for a number inside each; the first comes first."""
    kept: list[int] = []
    for n, at in enumerate(places):
        if at is None:
            continue
        far = (
            abs(at[0] - other[0]) + abs(at[1] - other[1]) > 0.06 * extent
            for other in (places[k] for k in kept)
            if other is not None
        )
        if all(far):
            kept.append(n)
    return set(kept)
