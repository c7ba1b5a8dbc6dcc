"""Draws a planning board, antialiased, at any size: tiles, holes, a pawn at the start, a flag at
the goal. Four themes of the same pieces."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw

from core.scenes.board import GOAL, HOLE, START, Board, Square
from core.scenes.objects import PICTURE
from core.scenes.paint import mixed
from core.scenes.palette import Rgb
from core.scenes.trail import draw_trail

FloatBox = tuple[float, float, float, float]


class Theme(NamedTuple):
    """Colours of a board: around it, its tiles, the rim and the depth of a hole."""

    frame: Rgb
    tile: Rgb
    rim: Rgb
    depth: Rgb


THEMES = (
    Theme((150, 178, 204), (232, 242, 250), (150, 182, 210), (24, 44, 74)),  # ice
    Theme((126, 156, 116), (220, 234, 200), (140, 120, 90), (52, 38, 26)),  # meadow
    Theme((190, 164, 124), (246, 232, 204), (190, 150, 100), (66, 42, 22)),  # sand
    Theme((140, 140, 150), (234, 234, 238), (150, 150, 160), (34, 34, 42)),  # stone
)
PAWN: Rgb = (0, 92, 180)
FLAG: Rgb = (214, 48, 30)
POLE: Rgb = (60, 52, 52)


class Spot(NamedTuple):
    """A square of the picture being drawn: its corner, and the px of a 112th of its side."""

    left: float
    top: float
    unit: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.unit, self.top + y * self.unit

    def box(self, x0: float, y0: float, x1: float, y1: float) -> FloatBox:
        return (*self.point(x0, y0), *self.point(x1, y1))


def paint_board(board: Board, size: int = PICTURE, trail: Sequence[Square] = ()) -> Image.Image:
    """The picture of a board, RGB, `size`×`size` px; `trail`: squares of a path to draw on it."""
    fine = 3 if size > 224 else 4
    theme = THEMES[board.look.theme % len(THEMES)]
    picture = Image.new("RGB", (size * fine, size * fine), theme.frame)
    draw = ImageDraw.Draw(picture)
    side = board.pitch * size * fine / PICTURE
    spots = {
        (r, c): Spot((c + board.offset[1]) * side, (r + board.offset[0]) * side, side / 112)
        for r in range(board.size)
        for c in range(board.size)
    }
    noise = Random(board.look.seed)  # only the tint of tiles: no answer depends on it
    for (r, c), spot in spots.items():
        _paint_tile(draw, spot, theme, noise.random())
        if board.rows[r][c] == HOLE:
            _paint_hole(draw, spot, theme, board.look.hole)
    if trail:
        draw_trail(draw, [spots[square].point(56, 56) for square in trail], side / 112)
    for (r, c), spot in spots.items():
        if board.rows[r][c] == START:
            _paint_pawn(draw, spot)
        elif board.rows[r][c] == GOAL:
            _paint_flag(draw, spot, board.look.lean)
    return picture.reduce(fine)


def _paint_tile(draw: ImageDraw.ImageDraw, spot: Spot, theme: Theme, tint: float) -> None:
    side, face = mixed(theme.frame, (0, 0, 0), 0.25), mixed(theme.tile, theme.frame, 0.22 * tint)
    draw.rounded_rectangle(spot.box(3, 6, 109, 110), radius=13 * spot.unit, fill=side)
    draw.rounded_rectangle(spot.box(3, 3, 109, 106), radius=13 * spot.unit, fill=face)


def _paint_hole(draw: ImageDraw.ImageDraw, spot: Spot, theme: Theme, grow: float) -> None:
    reach = 44 * grow
    draw.ellipse(spot.box(56 - reach, 55 - reach, 56 + reach, 55 + reach), fill=theme.rim)
    for step in range(4):
        inner, low = reach * (0.88 - 0.14 * step), 55 + 0.05 * reach * (step + 1)
        shade = mixed(theme.rim, theme.depth, 0.72 + 0.09 * step)
        draw.ellipse(spot.box(56 - inner, low - inner, 56 + inner, low + inner), fill=shade)


def _paint_pawn(draw: ImageDraw.ImageDraw, spot: Spot) -> None:
    dark, light = mixed(PAWN, (0, 0, 0), 0.35), mixed(PAWN, (255, 255, 255), 0.55)
    draw.ellipse(spot.box(22, 84, 92, 102), fill=mixed(dark, (160, 160, 170), 0.6))
    for grow, colour in ((3.0, dark), (0.0, PAWN)):
        draw.pieslice(spot.box(27 - grow, 46 - grow, 85 + grow, 134 + grow), 180, 360, fill=colour)
        base = spot.box(27 - grow, 84, 85 + grow, 94 + grow)
        draw.rounded_rectangle(base, radius=5 * spot.unit, fill=colour)
        draw.ellipse(spot.box(36 - grow, 12 - grow, 76 + grow, 52 + grow), fill=colour)
    draw.ellipse(spot.box(45, 19, 58, 32), fill=light)


def _paint_flag(draw: ImageDraw.ImageDraw, spot: Spot, lean: int) -> None:
    draw.ellipse(spot.box(32, 88, 80, 102), fill=(120, 112, 104))
    foot = 56 - 12 * lean
    tip, dark = foot + 54 * lean, mixed(FLAG, (0, 0, 0), 0.35)
    cloth = [(foot, 8.0), (tip + 4 * lean, 35.5), (foot, 63.0)]
    draw.polygon([spot.point(x, y) for x, y in cloth], fill=dark)
    cloth = [(foot, 13.0), (tip - 4 * lean, 35.5), (foot, 58.0)]
    draw.polygon([spot.point(x, y) for x, y in cloth], fill=FLAG)
    draw.rounded_rectangle(spot.box(foot - 4.5, 6, foot + 4.5, 97), radius=4 * spot.unit, fill=POLE)
