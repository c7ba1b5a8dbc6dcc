"""do(X): the picture and question an item is asked with when its input is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from core.errors import InputError, ZscopeError
from core.study import donors
from core.study.arms import Input
from core.study.asking import Question
from core.study.items import StudyItem
from core.study.pictures import CHANGES, change


@dataclass(eq=False)
class Inputs:
    """Pictures and questions of one block, as they are and changed.

    Attributes:
        items: the whole data set.
        inside: indices of the block's items, which others' pictures are taken from first.
        seed: the study's.
    """

    items: Sequence[StudyItem]
    inside: Sequence[int]
    seed: int
    _pictures: dict[int, Image.Image | None] = field(default_factory=dict)

    def own(self, index: int) -> Question:
        """An item's picture and question.

        Raises:
            ZscopeError: the picture cannot be opened.
        """
        return self.picture(index), self.items[index].question

    def changed(self, index: int, edit: Input) -> tuple[Question, StudyItem | None]:
        """The changed picture and question, and the item they were taken from, if any.

        Raises:
            ZscopeError: there is no such picture, or it cannot be opened.
        """
        item = self.items[index]
        if edit.kind in CHANGES:
            picture = self.picture(index)
            if picture is None:
                raise InputError("the item has no picture")
            seed = donors.seed_of(self.seed, item.id, edit)
            made = change(edit.kind, picture, edit.strength, item.box, seed)
            return (made, item.question), None
        if edit.kind == "no image":
            return (None, item.question), None
        if edit.kind == "counterfactual" and item.counterfactual is not None:
            other = item.counterfactual
            return (other.picture() if other.picture else None, item.question), other
        kind = "any" if edit.kind in ("swap question", "swap both") else "other answer"
        place = self._lender(item, kind)
        if place is None and kind == "other answer":  # another picture is better than none
            place = self._lender(item, "any")
        if place is None:
            raise InputError("no other item is there to take an input from")
        other = self.items[place]
        if edit.kind == "swap question":
            return (self.picture(index), other.question), other
        question = other.question if edit.kind == "swap both" else item.question
        return (self.picture(place), question), other

    def picture(self, index: int) -> Image.Image | None:
        """An item's picture, kept while the block is at work.

        Raises:
            ZscopeError: it cannot be opened.
        """
        if index not in self._pictures:
            draw = self.items[index].picture
            try:
                self._pictures[index] = None if draw is None else draw()
            except ZscopeError:
                raise
            except Exception as error:  # a decoder or a drawing of somebody else's
                raise InputError(f"The picture cannot be opened ({error}).") from error
        return self._pictures[index]

    def forget(self) -> None:
        """Let all pictures go."""
        self._pictures.clear()

    def _lender(self, item: StudyItem, kind: str) -> int | None:
        """An item of a donor class whose picture can be opened."""
        for place in donors.order(item, kind, self.inside, self.items, self.seed):
            try:
                self.picture(place)
            except ZscopeError:
                continue
            return place
        return None
