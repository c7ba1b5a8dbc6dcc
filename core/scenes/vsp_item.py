"""A map of the VSP spatial-planning test set, and the check its authors publish for answers."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from functools import cached_property

from PIL import Image

from core.scenes.board import MOVES, Board, parse_moves, shortest, walk
from core.scenes.objects import SIDE, Box
from core.scenes.questions import path
from core.scenes.trail import with_trail


@dataclass(frozen=True)
class VspItem:
    """A map of a VSP set, with the attributes of `core.scenes.Item` that apply to it.

    It has no counterfactual: the published set has none. Boxes are in px of its own picture. A map
    may coincide with one that the project's generator draws for training, in another art style:
    where `scene.split` is not `train`, it is sure to be new to a model trained on `train` scenes.

    Attributes:
        text_input, image_input, map_id: as in the file.
        scene: the map.
        png: the picture's file, byte for byte.
        options: none are published.
    """

    text_input: str
    image_input: str
    map_id: str
    scene: Board
    png: bytes = field(repr=False)
    options: tuple[str, ...] = ()

    task = "plan"
    split = "vsp"

    @property
    def id(self) -> str:
        return f"vsp-level{self.scene.size}-{self.map_id}"

    @property
    def question(self) -> str:
        """The question without the picture's placeholder."""
        return re.sub(r"\s*<image>\s*", "\n\n", self.text_input).strip()

    @cached_property
    def answer(self) -> str:
        """A shortest safe path, such as `R,R,D`; others may be as short."""
        return ",".join(shortest(self.scene.rows)[0] or ())

    @cached_property
    def image(self) -> Image.Image:
        """RGB, as large as published (64 px a square)."""
        with Image.open(io.BytesIO(self.png)) as picture:
            return picture.convert("RGB")

    def render(self, size: int = 448) -> Image.Image:
        """The picture at `size`×`size` px."""
        return self.image.resize((size, size), Image.Resampling.BICUBIC)

    @cached_property
    def helper(self) -> Image.Image:
        """The picture with a shortest path drawn over it."""
        side = self.image.width / self.scene.size
        centres = [((c + 0.5) * side, (r + 0.5) * side) for r, c in path(self.scene)]
        return with_trail(self.image, centres, side / 112)

    @property
    def evidence_box(self) -> Box:
        """The squares of the path, in px of the published picture."""
        side, squares = self.image.width / self.scene.size, path(self.scene)
        rows, columns = zip(*squares, strict=True)
        return (
            round(min(columns) * side),
            round(min(rows) * side),
            round((max(columns) + 1) * side),
            round((max(rows) + 1) * side),
        )

    @property
    def target_cells(self) -> tuple[int, ...]:
        """Lattice cells of the path; only 4×4 maps fall on the 4×4 lattice, others give none."""
        if self.scene.size != SIDE:
            return ()
        return tuple(self.scene.lattice_cell(square) for square in path(self.scene))

    @property
    def sentence(self) -> str:
        """The path in one sentence; squares by row and column of the map, from 1."""
        steps = ", ".join(f"({r + 1},{c + 1})" for r, c in path(self.scene))
        return f"The path goes through {steps}."

    def is_correct(self, text: str) -> bool:
        """The published check: the moves U, D, L, R in the last `\\boxed{}` (other letters are
        dropped) lead from the start to the goal without entering a hole; moves off the map stay in
        place; the path need not be the shortest, and counts by where it ends.

        A text without `\\boxed` is taken for the box's content if it is a plain list of moves.
        """
        content = last_boxed(text)
        if content is None:
            moves = parse_moves(text) if "\\boxed" not in text else None
        else:
            moves = tuple(letter for letter in content if letter in MOVES)
        return bool(moves) and walk(self.scene.rows, moves or ())[1]


def last_boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{…}`, braces matched; None without one that is closed."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for end in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : end]
    return None
