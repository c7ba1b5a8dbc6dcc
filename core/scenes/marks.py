"""Helper pictures: the evidence marked on the picture, or the path drawn on the board.

They are what an oracle would imagine; training can take their vision features as targets.
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from core.scenes.board import Board
from core.scenes.objects import CELL, PICTURE, ObjectScene
from core.scenes.paint import FINE
from core.scenes.palette import Rgb
from core.scenes.questions import Question, Scene, evidence, path
from core.scenes.tiles import paint_board

_RING: Rgb = (20, 20, 30)
_VEIL: Rgb = (244, 244, 246)


def paint_helper(question: Question, scene: Scene, size: int = PICTURE) -> Image.Image:
    """The picture with its evidence marked, RGB, `size`×`size` px."""
    if isinstance(scene, Board):
        return paint_board(scene, size, trail=path(scene))
    return _with_cells(question, scene, size)


def _with_cells(question: Question, scene: ObjectScene, size: int) -> Image.Image:
    """All but the evidence's cells fades; each of those gets a frame."""
    picture = scene.render(size)
    by = FINE if size <= 224 else 2  # a large picture is fine enough with less
    fine, unit = by * size, by * size / PICTURE
    fade, frame = Image.new("L", (fine, fine), 185), Image.new("L", (fine, fine), 0)
    for figure in evidence(question, scene):
        left, top = (figure.column - 1) * CELL * unit, (figure.row - 1) * CELL * unit
        near, far = 2 * unit, (CELL - 2) * unit
        box = (left + near, top + near, left + far, top + far)
        ImageDraw.Draw(fade).rounded_rectangle(box, radius=14 * unit, fill=0)
        ImageDraw.Draw(frame).rounded_rectangle(
            box, radius=14 * unit, outline=255, width=max(1, round(5 * unit))
        )
    picture.paste(_VEIL, (0, 0), fade.reduce(by))
    picture.paste(_RING, (0, 0), frame.reduce(by))
    return picture
