"""Draws a planning board, antialiased, at any size: tiles, holes, a pawn at the start, a flag at
the goal. Four themes of the same pieces."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw

from core.scenes.board import GOAL, HOLE, START, Board
from core.scenes.objects import PICTURE
from core.scenes.paint import mixed
from core.scenes.palette import Rgb


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


def paint_board(board: Board, size: int = PICTURE) -> Image.Image:
    """The picture of a board, RGB, `size`×`size` px."""
    fine = 3 if size > 224 else 4
    theme = THEMES[board.look.theme % len(THEMES)]
    picture = Image.new("RGB", (size * fine, size * fine), theme.frame)
    draw, unit = ImageDraw.Draw(picture), size * fine / PICTURE
    noise = Random(board.look.seed)  # only the tint of tiles: no answer depends on it
    for r, row in enumerate(board.rows):
        for c, value in enumerate(row):
            left, top = (
                (c + board.offset[1]) * board.pitch * unit,
                (r + board.offset[0]) * board.pitch * unit,
            )
            _paint_square(draw, board, value, left, top, unit * board.pitch / 112, noise.random())
    return picture.reduce(fine)


def _paint_square(
    draw: ImageDraw.ImageDraw,
    board: Board,
    value: int,
    left: float,
    top: float,
    unit: float,
    tint: float,
) -> None:
    """One square of the board, 112 `unit`s wide."""
    theme = THEMES[board.look.theme % len(THEMES)]

    def box(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return left + x0 * unit, top + y0 * unit, left + x1 * unit, top + y1 * unit

    face = mixed(theme.tile, theme.frame, 0.22 * tint)
    draw.rounded_rectangle(
        box(3, 6, 109, 110), radius=13 * unit, fill=mixed(theme.frame, (0, 0, 0), 0.25)
    )
    draw.rounded_rectangle(box(3, 3, 109, 106), radius=13 * unit, fill=face)
    if value == HOLE:
        reach = 44 * board.look.hole
        draw.ellipse(box(56 - reach, 55 - reach, 56 + reach, 55 + reach), fill=theme.rim)
        for step in range(4):
            inner = reach * (0.88 - 0.14 * step)
            shade = mixed(theme.rim, theme.depth, 0.72 + 0.09 * step)
            low = 55 + 0.05 * reach * (step + 1)
            draw.ellipse(box(56 - inner, low - inner, 56 + inner, low + inner), fill=shade)
    elif value == START:
        _paint_pawn(draw, box)
    elif value == GOAL:
        _paint_flag(draw, box, board.look.lean, unit, left, top)


def _paint_pawn(draw: ImageDraw.ImageDraw, box) -> None:  # type: ignore[no-untyped-def]
    dark, light = mixed(PAWN, (0, 0, 0), 0.35), mixed(PAWN, (255, 255, 255), 0.55)
    draw.ellipse(box(24, 82, 90, 100), fill=mixed(dark, (160, 160, 170), 0.6))
    for grow, colour in ((3.0, dark), (0.0, PAWN)):
        draw.pieslice(box(27 - grow, 46 - grow, 85 + grow, 134 + grow), 180, 360, fill=colour)
        draw.rounded_rectangle(box(27 - grow, 84, 85 + grow, 94 + grow), radius=4, fill=colour)
        draw.ellipse(box(36 - grow, 12 - grow, 76 + grow, 52 + grow), fill=colour)
    draw.ellipse(box(45, 19, 58, 32), fill=light)


def _paint_flag(  # type: ignore[no-untyped-def]
    draw: ImageDraw.ImageDraw, box, lean: int, unit: float, left: float, top: float
) -> None:
    draw.ellipse(box(34, 88, 78, 102), fill=(120, 112, 104))
    foot = 44 if lean > 0 else 68
    tip = foot + lean * 52

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * unit, top + y * unit

    dark = mixed(FLAG, (0, 0, 0), 0.35)
    draw.polygon([at(foot, 9), at(tip + 5 * lean, 34), at(foot, 61)], fill=dark)
    draw.polygon([at(foot, 14), at(tip - 3 * lean, 34.5), at(foot, 56)], fill=FLAG)
    draw.rounded_rectangle(box(foot - 4, 8, foot + 4, 96), radius=4 * unit, fill=POLE)
