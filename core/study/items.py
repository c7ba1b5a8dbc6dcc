"""A study's items: a picture, a question, and what is known of the answer.

An item is a light value: its picture is opened or drawn when it is needed and not kept, so that
a study of a hundred thousand items holds no more pictures than one batch has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from core.engine.pictures import read_picture
from core.errors import ImageError, InputError
from core.families.answers import same
from core.scenes import TASKS, Item, sample, vsp
from core.scenes.vsp_item import VspItem

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the item's own picture."""


class Problem(NamedTuple):
    """A row of a data set that was skipped: its line, counted from 1, and why."""

    line: int
    reason: str


def same_as(gold: str) -> Callable[[str], bool]:
    """Judges an answer by its words: case, white space and a final stop do not count."""
    return lambda text: same(text, gold)


@dataclass(frozen=True, eq=False)
class StudyItem:
    """One item.

    Attributes:
        id: unique in its data set, and the same whenever it is read again.
        question: the person's words.
        answer: the right answer, or "" when none is known.
        picture: opens or draws the picture, RGB; None for a question about no picture.
        options: answer options to be scored, the right one among them; () for none.
        task: what kind of question it is.
        cluster: items of one cluster (questions on one picture) are not independent.
        box: where the evidence is, or None.
        judge: whether a text is the right answer.
        transfer: given a donor, the answer to this question read at the donor's evidence, or
            None where that is undefined.
        counterfactual: the item in which one thing, and the answer, differ; or None.
        sentence: what is to be imagined, in words, where the data set says it.
    """

    id: str
    question: str
    answer: str
    picture: Callable[[], Image.Image] | None
    options: tuple[str, ...] = ()
    task: str = ""
    cluster: str = ""
    box: Box | None = None
    judge: Callable[[str], bool] = field(default=lambda text: False, repr=False)
    transfer: Callable[[StudyItem], str | None] = field(default=lambda donor: None, repr=False)
    counterfactual: StudyItem | None = field(default=None, repr=False)
    sentence: str = ""
    origin: Item | VspItem | None = field(default=None, repr=False)

    def fingerprint(self) -> str:
        """Twelve hex digits of everything but the pixels, part of the key of its results."""
        parts = (self.id, self.question, self.answer, *self.options, self.task, str(self.box))
        return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()[:12]


class Items(list[StudyItem]):
    """A data set.

    Attributes:
        source: where the items came from, in words.
        problems: the rows that were skipped.
    """

    source: str = ""
    problems: tuple[Problem, ...] = ()


def of_scene(item: Item, counterfactual: bool = True) -> StudyItem:
    """A shipped scene as a study's item."""
    other = of_scene(item.counterfactual, counterfactual=False) if counterfactual else None
    return StudyItem(
        id=item.id,
        question=item.question,
        answer=item.answer,
        picture=item.render,
        options=item.options,
        task=item.task,
        cluster=item.scene.canonical,
        box=item.evidence_box,
        judge=item.is_correct,
        transfer=lambda donor: (
            item.transferred_from(donor.origin) if isinstance(donor.origin, Item) else None
        ),
        counterfactual=other,
        sentence=item.sentence,
        origin=item,
    )


def of_vsp(item: VspItem) -> StudyItem:
    """A published planning map as a study's item, judged by the published check."""
    return StudyItem(
        id=item.id,
        question=item.question,
        answer=item.answer,
        picture=lambda: item.image.copy(),
        task=item.task,
        cluster=item.scene.canonical,
        box=item.evidence_box,
        judge=item.is_correct,
        transfer=lambda donor: donor.answer if isinstance(donor.origin, VspItem) else None,
        sentence=item.sentence,
        origin=item,
    )


def shipped(
    tasks: Sequence[str] = TASKS, count: int = 100, split: str = "test", seed: int = 0
) -> Items:
    """``count`` shipped scenes in all, the tasks taking turns.

    Raises:
        InputError: an unknown task or split, or more items than the split holds.
    """
    if count < 1 or not tasks:
        raise InputError("A study needs at least one item of at least one task.")
    shares = [count // len(tasks) + (place < count % len(tasks)) for place in range(len(tasks))]
    columns = [
        sample(task, split, seed, n=share)
        for task, share in zip(tasks, shares, strict=True)
        if share
    ]
    turns = [column[row] for row in range(max(shares)) for column in columns if row < len(column)]
    items = Items(of_scene(item) for item in turns)
    items.source = f"shipped scenes ({', '.join(tasks)}), {split} split, seed {seed}"
    return items


def planning_maps(place: str | Path, count: int | None = None) -> Items:
    """The maps of a VSP set (folder or archive); rows that cannot be used are in ``problems``.

    Raises:
        RecordError: there is no such set, or no row is usable.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # its rows are reported as problems
        found = vsp.read(place)
    items = Items(of_vsp(item) for item in found[:count])
    items.source = f"VSP spatial planning, {Path(place).name}"
    items.problems = tuple(Problem(line, reason) for line, reason in found.problems)
    return items


def opened(picture: str | Path) -> Callable[[], Image.Image]:
    """Opens the picture at a path each time it is asked for; its errors name the file."""
    path = Path(picture)

    def read() -> Image.Image:
        try:
            return read_picture(path.read_bytes())
        except OSError as error:
            raise ImageError(f"{path.name} cannot be read ({error.strerror or error}).") from error
        except ImageError as error:
            raise ImageError(str(error).replace("The file", path.name)) from error

    return read


def checked(items: Iterable[StudyItem]) -> Items:
    """Items with ids that differ; a repeated id gets a number behind it."""
    seen: dict[str, int] = {}
    out = Items()
    for item in items:
        times = seen[item.id] = seen.get(item.id, 0) + 1
        if times > 1:
            item = replace(item, id=f"{item.id}#{times}")
        out.append(item)
    return out
