"""More of a report's figures as plain SVG: lines, clouds, bars, steps down and up.

In the manner of :mod:`core.study.figures`: no library, values as titles, colours that people
with any colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from core.measures.statistics import Interval
from core.study.figures import (
    BEHIND,
    BLUE,
    GREEN,
    GREY,
    LEFT,
    ORANGE,
    RED,
    ROW,
    WIDE,
    legend,
    line,
    opened,
    text,
    ticks,
)
from core.study.mediation import Split

SCALE = (BLUE, ORANGE, GREEN, RED, "#cc79a7", "#56b4e9", GREY)
DASHES = ("none", "7 3", "2 3", "9 3 2 3", "4 4")
TOP, HIGH, APART = 52, 220, 3.5


def series(
    lines: Mapping[str, Sequence[tuple[float, float, float, float]]],
    title: str,
    across: str,
    up: str,
) -> str:
    """Lines of (x, value, low, high) over a linear axis."""
    points = [p for one in lines.values() for p in one if p[1] == p[1]]
    if not points:
        return ""
    xs = [p[0] for p in points]
    ys = [v for p in points for v in p[1:] if v == v]
    (left, right), (low, high) = _ends(xs), _ends(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        return 70 + (x - left) / (right - left) * WIDE, TOP + HIGH * (high - y) / (high - low)

    parts = [opened(WIDE + 370, TOP + HIGH + 62, title)]
    for tick in ticks(low, high):
        y = place(left, tick)[1]
        parts += [line(70, y, 70 + WIDE, y, "#88888844"), text(62, y + 4, f"{tick:g}", "end", GREY)]
    for x in sorted(set(xs)):
        parts.append(text(place(x, low)[0], TOP + HIGH + 20, f"{x:g}", "middle", GREY))
    for number, (name, one) in enumerate(lines.items()):
        colour, dash = SCALE[number % len(SCALE)], DASHES[number % len(DASHES)]
        aside = APART * (number - (len(lines) - 1) / 2)  # equal lines would hide one another
        drawn = [p for p in one if p[1] == p[1]]
        path = " ".join(
            f"{a + aside:.1f},{b:.1f}" for a, b in (place(x, y) for x, y, _, _ in drawn)
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/>'
        )
        for x, y, below, above in drawn:
            a, b = place(x, y)
            a += aside
            if below == below and above == above:
                parts.append(line(a, place(x, below)[1], a, place(x, above)[1], colour))
            parts.append(
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}">'
                f"<title>{escape(name)} at {x:g}: {y:.4g}</title></circle>"
            )
        parts += legend(WIDE + 90, TOP + 10 + 20 * number, name, colour, dash)
    parts += [text(70 + WIDE / 2, TOP + HIGH + 46, across, "middle"), text(20, 38, up, fill=GREY)]
    return "".join([*parts, "</svg>"])


def cloud(
    points: Mapping[str, Sequence[tuple[float, float]]],
    paths: Sequence[Sequence[tuple[float, float]]],
    title: str,
    note: str,
    crosses: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> str:
    """Points in groups on a plane, and the mean course over the steps as lines.

    Args:
        points: drawn as dots, a colour a group.
        paths: a line through its numbered steps, in the colour of the group of the same place.
        note: below.
        crosses: drawn over them as crosses.
    """
    over = crosses or {}
    every = [p for group in (*points.values(), *over.values(), *paths) for p in group]
    if not every:
        return ""
    (left, right), (low, high) = (_ends([p[axis] for p in every]) for axis in (0, 1))
    tall = 1.5 * HIGH

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return (
            30 + (point[0] - left) / (right - left) * WIDE,
            36 + tall * (high - point[1]) / (high - low),
        )

    parts = [opened(WIDE + 330, round(tall) + 70, title)]
    for number, (name, group) in enumerate(points.items()):
        colour = SCALE[number % len(SCALE)]
        for point in group:
            x, y = place(point)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}" opacity="0.55"/>'
            )
        parts += [
            f'<circle cx="{WIDE + 62}" cy="{56 + 20 * number}" r="5" fill="{colour}"/>',
            text(WIDE + 80, 60 + 20 * number, name),
        ]
    for number, (name, group) in enumerate(over.items()):
        # from the other end of the scale: the first groups' colours are taken
        colour = SCALE[-1 - number % len(SCALE)]
        marks = "".join(_cross(*place(point)) for point in group)
        y = 60 + 20 * (len(points) + number) + 10
        parts += [
            f'<path d="{marks}" stroke="{colour}" stroke-opacity="0.8" fill="none"/>',
            f'<path d="{_cross(WIDE + 62, y - 4)}" stroke="{colour}" stroke-width="2"/>',
            text(WIDE + 80, y, name),
        ]
    for number, path in enumerate(paths):
        colour = SCALE[number % len(SCALE)]
        drawn = " ".join("{:.1f},{:.1f}".format(*place(p)) for p in path)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for step in (0, len(path) - 1):  # all numbers would cover one another
            x, y = place(path[step])
            parts.append(text(x + 4, y - 4, str(step + 1), fill=colour))
    parts.append(text(30, round(tall) + 60, note, fill=GREY))
    return "".join([*parts, "</svg>"])


def _cross(x: float, y: float) -> str:
    """A small cross as a path."""
    return f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"


def bars(shares: Mapping[str, float], title: str) -> str:
    """Parts of a whole as one bar."""
    parts, at = [opened(WIDE + 60, 90, title)], 20.0
    for number, (name, share) in enumerate(shares.items()):
        colour, width = SCALE[number % len(SCALE)], WIDE * share
        parts.append(
            f'<rect x="{at:.1f}" y="30" width="{width:.1f}" height="22" fill="{colour}">'
            f"<title>{escape(name)}: {share:.1%}</title></rect>"
        )
        parts += legend(20 + 115 * number, 74, f"{name} {share:.0%}", colour)
        at += width
    return "".join([*parts, "</svg>"])


def strip(rows: Sequence[tuple[str, float, float]], title: str) -> str:
    """Each arm's percentile among clean latents, with its dose (F16); beyond 99 is off them."""
    if not rows:
        return ""
    height = 60 + ROW * len(rows)
    parts = [opened(LEFT + WIDE + BEHIND, height, title)]
    edge = LEFT + 0.99 * WIDE
    parts.append(
        f'<rect x="{edge:.1f}" y="26" width="{LEFT + WIDE - edge:.1f}" '
        f'height="{ROW * len(rows) + 6}" fill="{RED}" opacity="0.25"/>'
    )
    for row, (name, epsilon, percentile) in enumerate(rows):
        y = 42 + ROW * row
        x = LEFT + WIDE * percentile / 100
        off = ", off the manifold" if percentile > 99 else ""
        parts += [
            text(LEFT - 10, y + 4, name, "end"),
            line(LEFT, y, x, y, BLUE, 2),
            f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{BLUE}"/>',
            text(LEFT + WIDE + 10, y + 4, f"{percentile:.0f} at ε = {epsilon:.2f}{off}"),
        ]
    for tick in (0, 25, 50, 75, 100):
        parts.append(text(LEFT + WIDE * tick / 100, height - 6, f"{tick}", "middle", GREY))
    return "".join([*parts, "</svg>"])


def waterfall(split: Split, title: str, scale: float, unit: str) -> str:
    """The total effect as its two parts, one set upon the other (F9)."""
    total, direct = split.total, split.direct
    if total.estimate != total.estimate:
        return ""
    rows: list[tuple[str, float, float, Interval, str]] = [
        ("NDE, past the latents", 0.0, direct.estimate, direct, ORANGE),
        ("+ TIE, through them", direct.estimate, total.estimate, split.total_indirect, BLUE),
        ("= TE", 0.0, total.estimate, total, GREY),
    ]
    low, high = _ends([scale * v for _, a, b, _, _ in rows for v in (a, b)] + [0.0])

    def x(value: float) -> float:
        return LEFT + (scale * value - low) / (high - low) * WIDE

    parts = [opened(LEFT + WIDE + BEHIND, 60 + ROW * len(rows), title)]
    parts.append(line(x(0), 26, x(0), 32 + ROW * len(rows), GREY))
    for row, (name, start, stop, value, colour) in enumerate(rows):
        y = 32 + ROW * row
        left, right = sorted((x(start), x(stop)))
        said = f"{scale * value.estimate:+.2f} {unit}"
        parts += [
            text(LEFT - 10, y + 13, name, "end"),
            f'<rect x="{left:.1f}" y="{y}" width="{max(1.5, right - left):.1f}" height="18" '
            f'fill="{colour}"><title>{escape(name)}: {said}</title></rect>',
            text(LEFT + WIDE + 10, y + 13, said),
        ]
    for tick in ticks(low, high):
        place = LEFT + (tick - low) / (high - low) * WIDE
        parts.append(text(place, 52 + ROW * len(rows), f"{tick:g}", "middle", GREY))
    return "".join([*parts, "</svg>"])


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low < 1e-3 * max(abs(low), abs(high)):  # rounding is no spread worth drawing
        return low - 0.05 * abs(low) - 1e-9, high + 0.05 * abs(high) + 1e-9
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room
