"""The six shapes, six colours and the backdrops that scenes are drawn with.

The colours follow Okabe and Ito's advice for colour-blind readers (jfly.uni-koeln.de/color), moved
apart in lightness as well, so that the six also differ in a grey print: CIE L* of about 15, 36, 50,
62, 74 and 90.
"""

from __future__ import annotations

import math

Point = tuple[float, float]
Rgb = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
PLURALS = {shape: shape + ("es" if shape.endswith("s") else "s") for shape in SHAPES}

COLOURS: dict[str, Rgb] = {
    "black": (38, 38, 44),
    "blue": (0, 82, 158),
    "red": (208, 54, 28),
    "green": (0, 166, 118),
    "pink": (238, 156, 200),
    "yellow": (250, 226, 60),
}

# Light and unsaturated, so that every colour above stands out: (top left, bottom right).
BACKDROPS: tuple[tuple[Rgb, Rgb], ...] = (
    ((250, 247, 238), (222, 211, 190)),
    ((242, 248, 254), (190, 208, 228)),
    ((244, 250, 242), (196, 216, 198)),
    ((250, 246, 252), (212, 200, 224)),
    ((250, 250, 251), (204, 204, 208)),
    ((243, 251, 251), (188, 214, 218)),
    ((253, 247, 241), (230, 208, 192)),
)


def _regular(count: int, radius: float, turn: float) -> list[Point]:
    angles = [turn + 2 * math.pi * k / count for k in range(count)]
    return [(radius * math.sin(a), -radius * math.cos(a)) for a in angles]


def _star() -> list[Point]:
    outer, inner = _regular(5, 1.0, 0.0), _regular(5, 0.46, math.pi / 5)
    return [point for pair in zip(outer, inner, strict=True) for point in pair]


def _cross() -> list[Point]:
    arm, thick = 0.9, 0.32
    corner = [(-thick, -arm), (thick, -arm), (thick, -thick)]
    points: list[Point] = []
    for _ in range(4):
        points += corner
        corner = [(-y, x) for x, y in corner]
    return points


def _heart() -> list[Point]:
    points = []
    for k in range(48):
        t = 2 * math.pi * k / 48
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((x / 17.0, -(y + 2.5) / 17.0))
    return points


# Outlines in a square of half-side one, y downwards.
OUTLINES: dict[str, list[Point]] = {
    "circle": _regular(64, 0.88, 0.0),
    "square": [(-0.76, -0.76), (0.76, -0.76), (0.76, 0.76), (-0.76, 0.76)],
    "triangle": [(x, y + 0.22) for x, y in _regular(3, 1.08, 0.0)],
    "star": [(x, y + 0.06) for x, y in _star()],
    "cross": _cross(),
    "heart": _heart(),
}
