"""The truth of a picture of objects: at most one object in each cell of a 4×4 lattice.

The lattice is that of the picture: 448 px in 4×4 cells of 112 px. The demo models' processor
shrinks a picture to 112×112 px, which their vision tower turns into 4×4 image tokens, so a cell is
exactly one image token. Cells are numbered row by row from 0 to 15.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from core.scenes.palette import COLOURS, OUTLINES, SHAPES, Point
from core.scenes.split import split_of

SIDE = 4
CELL = 112
PICTURE = SIDE * CELL
Box = tuple[int, int, int, int]

EDGE = 2.5  # half the width of an object's edge line, px of the 448-px picture
_MARGIN = 4.0  # free px between an object's edge and the border of its cell


class Look(NamedTuple):
    """How an object is drawn: what may vary without changing any answer."""

    size: float = 84.0  # side of the square the outline lives in, px
    dx: float = 0.0  # -1..1: where in the room that its cell leaves
    dy: float = 0.0
    angle: float = 0.0  # degrees


class Backdrop(NamedTuple):
    """The surface behind the objects."""

    palette: int = 0
    lattice: str = "tiles"  # how the cells are hinted at: "tiles", "lines" or "dots"
    strength: float = 1.0  # of the light from the top left, 0..1
    tilt: float = 0.0  # -1..1: from vertical to horizontal light


@dataclass(frozen=True)
class Figure:
    """One object: `cell` 0..15, `shape` and `colour` from the palette."""

    cell: int
    shape: str
    colour: str
    look: Look = Look()

    @property
    def row(self) -> int:
        """1..4, from the top."""
        return self.cell // SIDE + 1

    @property
    def column(self) -> int:
        """1..4, from the left."""
        return self.cell % SIDE + 1

    def outline(self) -> list[Point]:
        """The corners of the filled shape in px of the 448-px picture."""
        turn = math.radians(self.look.angle)
        cos, sin, half = math.cos(turn), math.sin(turn), self.look.size / 2
        points = [
            (half * (x * cos - y * sin), half * (x * sin + y * cos))
            for x, y in OUTLINES[self.shape]
        ]
        x_shift = self._shift([x for x, _ in points], self.look.dx, self.cell % SIDE)
        y_shift = self._shift([y for _, y in points], self.look.dy, self.cell // SIDE)
        return [(x + x_shift, y + y_shift) for x, y in points]

    @staticmethod
    def _shift(values: list[float], jitter: float, index: int) -> float:
        """Centre the extent of `values` in its cell, then move it by `jitter` of the free room."""
        low, high = min(values), max(values)
        room = max(0.0, (CELL - (high - low)) / 2 - EDGE - _MARGIN)
        return (index + 0.5) * CELL - (low + high) / 2 + jitter * room

    def box(self) -> Box:
        """The smallest whole-pixel box of the object with its edge, in the 448-px picture."""
        xs, ys = zip(*self.outline(), strict=True)
        return (
            math.floor(min(xs) - EDGE),
            math.floor(min(ys) - EDGE),
            math.ceil(max(xs) + EDGE),
            math.ceil(max(ys) + EDGE),
        )


@dataclass(frozen=True)
class ObjectScene:
    """Objects on a backdrop. Two scenes with the same objects in the same cells are one scene."""

    figures: tuple[Figure, ...]
    backdrop: Backdrop = Backdrop()

    def __post_init__(self) -> None:
        cells = [figure.cell for figure in self.figures]
        if len(set(cells)) != len(cells) or not all(0 <= c < SIDE * SIDE for c in cells):
            raise ValueError(f"a scene holds one object a cell, cells 0 to 15; got cells {cells}")
        for figure in self.figures:
            if figure.shape not in SHAPES or figure.colour not in COLOURS:
                raise ValueError(f"no such object: {figure.colour} {figure.shape}")

    @property
    def canonical(self) -> str:
        """What the picture shows, without how it is drawn; the split follows from it."""
        parts = sorted((f.cell, f.shape, f.colour) for f in self.figures)
        return "objects:" + ";".join(f"{cell},{shape},{colour}" for cell, shape, colour in parts)

    @property
    def split(self) -> str:
        """`train`, `validation` or `test`."""
        return split_of(self.canonical)

    def find(self, by: str, name: str) -> tuple[Figure, ...]:
        """The objects whose `by` ("shape" or "colour") is `name`, in the order of their cells."""
        found = [figure for figure in self.figures if getattr(figure, by) == name]
        return tuple(sorted(found, key=lambda figure: figure.cell))

    def render(self, size: int = PICTURE) -> Image.Image:
        """The picture, RGB, `size`×`size` px."""
        from core.scenes.paint import paint_objects

        return paint_objects(self, size)
