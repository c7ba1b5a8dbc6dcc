"""Helper pictures: the evidence marked on the picture, or the path drawn on the board.

They are what an oracle would imagine; training can take their vision features as targets.
"""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from core.scenes.board import Board
from core.scenes.objects import CELL, PICTURE, SIDE, ObjectScene
from core.scenes.questions import Question, Scene, evidence, path

_RING = (20, 20, 30)
_PATH = (250, 140, 0)
_EDGE = (96, 48, 0)


def paint_helper(question: Question, scene: Scene, size: int = PICTURE) -> Image.Image:
    """The picture with its evidence marked, RGB, `size`×`size` px."""
    if isinstance(scene, Board):
        return _with_path(scene, size)
    return _with_cells(question, scene, size)


def _with_cells(question: Question, scene: ObjectScene, size: int) -> Image.Image:
    """All but the evidence's cells fades; each of those gets a frame."""
    picture = scene.render(size)
    cells = [figure.cell for figure in evidence(question, scene)]
    fine, unit = 2 * size, 2 * size / PICTURE
    fade, frame = Image.new("L", (fine, fine), 185), Image.new("L", (fine, fine), 0)
    for cell in cells:
        left, top = cell % SIDE * CELL * unit, cell // SIDE * CELL * unit
        inset = 2 * unit
        box = (left + inset, top + inset, left + CELL * unit - inset, top + CELL * unit - inset)
        ImageDraw.Draw(fade).rounded_rectangle(box, radius=14 * unit, fill=0)
        ImageDraw.Draw(frame).rounded_rectangle(
            box, radius=14 * unit, outline=255, width=max(1, round(5 * unit))
        )
    picture.paste((244, 244, 246), (0, 0), fade.reduce(2))
    picture.paste(_RING, (0, 0), frame.reduce(2))
    return picture


def _with_path(board: Board, size: int) -> Image.Image:
    """The shortest path as one line with an arrow head in the goal's square."""
    picture = board.render(size)
    fine, unit = 3 * size, 3 * size / PICTURE
    centres = []
    for square in path(board):
        x0, y0, x1, y1 = board.box(square)
        centres.append(((x0 + x1) / 2 * unit, (y0 + y1) / 2 * unit))
    (x0, y0), (x1, y1) = centres[-2:]
    angle = math.atan2(y1 - y0, x1 - x0)
    for colour, width, reach in ((_EDGE, 17 * unit, 31 * unit), (_PATH, 11 * unit, 25 * unit)):
        mask = Image.new("L", (fine, fine), 0)
        draw = ImageDraw.Draw(mask)
        draw.line(centres, fill=255, width=round(width), joint="curve")
        x, y = centres[0]
        draw.ellipse((x - width, y - width, x + width, y + width), fill=255)
        tip = x1 + 6 * unit * math.cos(angle), y1 + 6 * unit * math.sin(angle)
        head = [
            (tip[0] + reach * math.cos(angle + turn), tip[1] + reach * math.sin(angle + turn))
            for turn in (0.0, 2.35, -2.35)
        ]
        draw.polygon(head, fill=255)
        picture.paste(colour, (0, 0), mask.reduce(3))
    return picture
