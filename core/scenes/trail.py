"""Draws a path as one line with a dot where it starts and an arrow head where it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from core.scenes.palette import Point, Rgb

FILL: Rgb = (250, 140, 0)
EDGE: Rgb = (96, 48, 0)
_FINE = 3


def draw_trail(draw: ImageDraw.ImageDraw, centres: Sequence[Point], unit: float) -> None:
    """Through the centres of the path's squares; `unit` is the px of a 112th of a square."""
    (x0, y0), (x1, y1) = centres[-2:]
    angle = math.atan2(y1 - y0, x1 - x0)
    # The head stops at the edge of the goal's square: what stands there stays in view.
    end = x1 - 66 * unit * math.cos(angle), y1 - 66 * unit * math.sin(angle)
    joints = [*centres[:-1], end]
    for colour, width, reach in ((EDGE, 17 * unit, 31 * unit), (FILL, 11 * unit, 24 * unit)):
        draw.line(joints, fill=colour, width=round(width), joint="curve")
        x, y = centres[0]
        draw.ellipse((x - width, y - width, x + width, y + width), fill=colour)
        head = [
            (end[0] + reach * math.cos(angle + turn), end[1] + reach * math.sin(angle + turn))
            for turn in (0.0, 2.2, -2.2)
        ]
        draw.polygon(head, fill=colour)


def with_trail(picture: Image.Image, centres: Sequence[Point], unit: float) -> Image.Image:
    """A copy of a finished picture with the path drawn over it; centres and unit in its px."""
    width, height = picture.size
    large = picture.convert("RGB").resize((width * _FINE, height * _FINE), Image.Resampling.BICUBIC)
    points = [(x * _FINE, y * _FINE) for x, y in centres]
    draw_trail(ImageDraw.Draw(large), points, unit * _FINE)
    return large.reduce(_FINE)
