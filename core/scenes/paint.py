"""Draws a scene of objects, antialiased, at any size.

Every mask is drawn four times larger and reduced, one object at a time: a 448-px picture costs
milliseconds, and a 112-px one is the same drawing, not a thinned copy of the large one.
"""

from __future__ import annotations

import math

from PIL import Image, ImageDraw, ImageFilter

from core.scenes.objects import CELL, EDGE, PICTURE, SIDE, Backdrop, Figure, ObjectScene
from core.scenes.palette import BACKDROPS, COLOURS, Rgb

FINE = 4  # masks are drawn this many times larger than they are used
_SHADOW = (2.0, 4.0, 4.0, 70)  # right, down, blur radius in px of the 448-px picture; opacity


def mixed(colour: Rgb, other: Rgb, share: float) -> Rgb:
    """`colour` with a `share` (0..1) of `other`."""
    r, g, b = (round(a + (o - a) * share) for a, o in zip(colour, other, strict=True))
    return r, g, b


def gradient(size: int, first: Rgb, last: Rgb, tilt: float = 0.0) -> Image.Image:
    """A linear blend over a square of `size` px, from the top (tilt 0) or the top left (tilt 1)."""
    corners = Image.new("RGB", (2, 2))
    across = max(0.0, min(1.0, tilt)) * 0.5
    for x in (0, 1):
        for y in (0, 1):
            corners.putpixel((x, y), mixed(first, last, across * x + (1 - across) * y))
    # The box runs from the centre of the first pixel to that of the last: no flat border.
    return corners.resize((size, size), Image.Resampling.BILINEAR, box=(0.5, 0.5, 1.5, 1.5))


def paint_objects(scene: ObjectScene, size: int = PICTURE) -> Image.Image:
    """The picture of a scene, RGB, `size`×`size` px."""
    picture = paint_backdrop(scene.backdrop, size)
    for figure in scene.figures:
        _paint_figure(picture, figure, size / PICTURE)
    return picture


def paint_backdrop(backdrop: Backdrop, size: int) -> Image.Image:
    """The surface: light from the top left, a frame, and a hint of the 4×4 cells."""
    light, shade = BACKDROPS[backdrop.palette % len(BACKDROPS)]
    shade = mixed(light, shade, 0.55 + 0.45 * backdrop.strength)
    picture = gradient(size, light, shade, 0.5 + 0.5 * backdrop.tilt)
    mask = Image.new("L", (2 * size, 2 * size), 0)
    draw, unit = ImageDraw.Draw(mask), 2 * size / PICTURE
    cell = CELL * unit
    if backdrop.lattice == "tiles":
        for k in range(SIDE * SIDE):
            left, top = (k % SIDE) * cell, (k // SIDE) * cell
            box = (left + 3 * unit, top + 3 * unit, left + cell - 3 * unit, top + cell - 3 * unit)
            draw.rounded_rectangle(box, radius=12 * unit, fill=175)
        ink = (255, 255, 255)
    else:
        ink = mixed(shade, (0, 0, 0), 0.35)
        for k in range(1, SIDE):
            if backdrop.lattice == "lines":
                width = max(1, round(1.6 * unit))
                draw.line((k * cell, 10 * unit, k * cell, 438 * unit), fill=120, width=width)
                draw.line((10 * unit, k * cell, 438 * unit, k * cell), fill=120, width=width)
                continue
            for m in range(1, SIDE):
                x, y, r = k * cell, m * cell, 3.2 * unit
                draw.ellipse((x - r, y - r, x + r, y + r), fill=190)
    picture.paste(ink, (0, 0), mask.reduce(2))
    return picture


def _paint_figure(picture: Image.Image, figure: Figure, scale: float) -> None:
    """One object with its soft shadow; `scale` is px of `picture` per px of the 448-px picture."""
    outline = [(x * scale, y * scale) for x, y in figure.outline()]
    pad = math.ceil(12 * scale)
    left = math.floor(min(x for x, _ in outline)) - pad
    top = math.floor(min(y for _, y in outline)) - pad
    width = math.ceil(max(x for x, _ in outline)) + pad - left
    height = math.ceil(max(y for _, y in outline)) + pad - top
    points = [((x - left) * FINE, (y - top) * FINE) for x, y in outline]

    fine = Image.new("L", (width * FINE, height * FINE), 0)
    draw = ImageDraw.Draw(fine)
    draw.polygon(points, fill=255)
    inside = fine.reduce(FINE)
    line = 2 * EDGE * scale * FINE
    # A line with round joints, half inside and half outside the outline.
    draw.line([*points, points[0], points[1]], fill=255, width=round(line), joint="curve")
    whole = fine.reduce(FINE)

    right, down, blur, opacity = _SHADOW
    shadow = whole.filter(ImageFilter.BoxBlur(blur * scale)).point(lambda v: v * opacity // 255)
    place = (left + round(right * scale), top + round(down * scale))
    picture.paste((30, 30, 50), place, shadow)
    colour = COLOURS[figure.colour]
    picture.paste(mixed(colour, (0, 0, 0), 0.32), (left, top), whole)
    fill = gradient(2, mixed(colour, (255, 255, 255), 0.10), mixed(colour, (0, 0, 0), 0.06))
    picture.paste(fill.resize((width, height), Image.Resampling.BILINEAR), (left, top), inside)
