"""An item: a picture, a question about it, and everything that is known to be true of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from core.scenes.board import Board
from core.scenes.marks import paint_helper
from core.scenes.objects import PICTURE, Box
from core.scenes.questions import (
    Question,
    Scene,
    answer_for,
    answer_is_right,
    evidence,
    path,
    sentence_for,
    target_cells,
    transferred,
)


@dataclass(frozen=True)
class Item:
    """A question about a scene. Nothing is drawn before a picture is asked for.

    Attributes:
        task: one of `core.scenes.TASKS`.
        split: `train`, `validation` or `test`; that of the counterfactual too.
        id: stable name; made by a one-way hash, so it carries no answer.
        asked: the structured question; `question` is its words.
        scene: the truth of the picture.
        other: the truth of the counterfactual picture, in which one thing differs.
        options: 4 or 6 answers in a seeded order, `answer` and the counterfactual's among them.
    """

    task: str
    split: str
    id: str
    asked: Question
    scene: Scene
    other: Scene
    options: tuple[str, ...]

    @property
    def question(self) -> str:
        return self.asked.text

    @cached_property
    def answer(self) -> str:
        """The true answer; for planning the only shortest path, such as `R,R,D`."""
        return answer_for(self.asked, self.scene)

    @cached_property
    def image(self) -> Image.Image:
        """RGB, 448×448 px; drawn once. Training draws small pictures with `render`."""
        return self.render()

    @cached_property
    def helper(self) -> Image.Image:
        """The oracle's picture, 448×448 px: the evidence marked, or the path drawn."""
        return self.render_helper()

    def render(self, size: int = PICTURE) -> Image.Image:
        """The picture at `size`×`size` px, not kept."""
        return self.scene.render(size)

    def render_helper(self, size: int = PICTURE) -> Image.Image:
        """The oracle's picture at `size`×`size` px, not kept."""
        return paint_helper(self.asked, self.scene, size)

    @cached_property
    def evidence_box(self) -> Box:
        """(left, top, right, bottom) in px of the 448-px picture: the evidence and no more.

        The asked objects, all counted objects, or the squares of the path. The whole picture where
        the answer is that nothing is there to be counted.
        """
        if isinstance(self.scene, Board):
            boxes = [self.scene.box(square) for square in path(self.scene)]
        else:
            boxes = [figure.box() for figure in evidence(self.asked, self.scene)]
        if not boxes:
            return 0, 0, PICTURE, PICTURE
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    @cached_property
    def target_cells(self) -> tuple[int, ...]:
        """Lattice cells 0..15 that carry the evidence, in order (see `questions.target_cells`)."""
        return target_cells(self.asked, self.scene)

    @cached_property
    def sentence(self) -> str:
        """What must be imagined, in one sentence."""
        return sentence_for(self.asked, self.scene)

    @property
    def counterfactual(self) -> Item:
        """The same question and options about the scene in which one thing differs, so that the
        answer does. Its own counterfactual equals this item."""
        suffix = "-cf"
        name = self.id.removesuffix(suffix) if self.id.endswith(suffix) else self.id + suffix
        return Item(self.task, self.split, name, self.asked, self.other, self.scene, self.options)

    def is_correct(self, text: str) -> bool:
        """Whether `text` answers the question: for planning any shortest safe path, else the
        answer's words, whatever their case and spacing."""
        return answer_is_right(self.asked, self.scene, text)

    def transferred_from(self, donor: Item) -> str | None:
        """This question's answer read at the donor's evidence (see `questions.transferred`)."""
        return transferred(self.asked, donor.asked, donor.scene)
