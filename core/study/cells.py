"""One row of a table as an item: which cell is what, and what its words mean.

Everything that cannot be used raises ``ValueError`` with the reason; :mod:`core.study.tables`
says at which line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import InputError
from core.families.answers import same
from core.study.items import Box, StudyItem, opened, same_as
from core.study.reading import Embedded

NAMES: dict[str, tuple[str, ...]] = {
    "image": ("image", "image_path", "image_file", "img", "picture", "file_name", "images"),
    "question": ("question", "query", "prompt", "text_input", "text"),
    "answer": ("answer", "label", "gold", "ground_truth", "gt", "target"),
    "options": ("options", "choices", "candidates"),
    "task": ("task", "category", "question_type", "type"),
    "cluster": ("cluster", "image_id", "group"),
    "box": ("evidence_box", "bbox", "box", "evidence"),
    "id": ("id", "question_id", "index", "uid"),
}
LETTERS = "ABCDEFGHIJ"


def _cell(row: Mapping[str, Any], name: str, columns: Mapping[str, str]) -> Any:
    """The value of one of our columns, None where the row has none."""
    if name in columns:
        if columns[name] not in row:
            raise ValueError(f"there is no column “{columns[name]}”")
        return row[columns[name]]
    lowered = {str(key).strip().lower(): value for key, value in row.items()}
    for candidate in NAMES[name]:
        if lowered.get(candidate) not in (None, ""):
            return lowered[candidate]
    return None


def item_of(
    row: dict[str, Any], folder: Path, columns: dict[str, str], line: int, inside: bool
) -> StudyItem:
    """One row as an item. Raises ValueError with the reason when it is not usable."""
    unknown = set(columns) - set(NAMES)
    if unknown:
        raise InputError(f"There is no column {unknown.pop()!r}; choose of {', '.join(NAMES)}.")
    if isinstance(row.get("conversations", row.get("messages")), list):
        row = _conversation(row)
    question, answer = _cell(row, "question", columns), _cell(row, "answer", columns)
    if not isinstance(question, str) or not question.strip():
        raise ValueError("there is no question")
    if answer is None or not str(answer).strip():
        raise ValueError("there is no answer")
    gold = str(answer).strip()
    options = _options(row, columns)
    if options and gold.upper() in LETTERS[: len(options)] and gold not in options:
        gold = options[LETTERS.index(gold.upper())]  # a letter names the option
    fitting = [option for option in options if same(option, gold)]
    if options and not fitting:
        raise ValueError(f"the answer “{gold}” is none of the options")
    gold = fitting[0] if fitting else gold
    image = _cell(row, "image", columns)
    image = image[0] if isinstance(image, list) and image else image
    picture, named = _picture(image, folder, inside) if image else (None, "")
    task = str(_cell(row, "task", columns) or "question")
    name = str(_cell(row, "id", columns) or f"line{line}")
    cluster = str(_cell(row, "cluster", columns) or named or name)
    item_options = tuple(options)
    return StudyItem(
        id=name,
        question=question.strip(),
        answer=gold,
        picture=picture,
        options=item_options,
        task=task,
        cluster=cluster,
        box=_box(_cell(row, "box", columns)),
        judge=same_as(gold),
        transfer=lambda donor: (
            donor.answer
            if donor.answer in (item_options or (donor.answer,)) and donor.task == task
            else None
        ),
    )


def _conversation(row: dict[str, Any]) -> dict[str, Any]:
    """A LLaVA-style conversation's first exchange as question and answer."""
    turns = row.get("conversations", row.get("messages"))
    said: dict[str, str] = {}
    for turn in turns if isinstance(turns, list) else []:
        who = str(turn.get("from", turn.get("role", ""))) if isinstance(turn, dict) else ""
        words = turn.get("value", turn.get("content", "")) if isinstance(turn, dict) else ""
        role = {"human": "question", "user": "question", "gpt": "answer", "assistant": "answer"}
        if who in role and isinstance(words, str):
            said.setdefault(role[who], words.replace("<image>", "").strip())
    from core.families.answers import parse

    boxed = parse(said.get("answer", ""), "boxed").text
    tagged = parse(said.get("answer", ""), "tag").text
    return {**row, **said, "answer": boxed or tagged or said.get("answer", "")}


def _options(row: Mapping[str, Any], columns: Mapping[str, str]) -> list[str]:
    value = _cell(row, "options", columns)
    if value is None and all(letter in row for letter in "AB"):
        value = [row[letter] for letter in LETTERS if row.get(letter) not in (None, "")]
    if value is None:
        return []
    if isinstance(value, str):
        value = _listed(value)
    if isinstance(value, dict):
        value = list(value.values())
    options = [str(option).strip() for option in value] if isinstance(value, list) else []
    if len(options) < 2 or len(set(options)) < len(options) or not all(options):
        raise ValueError("the options are not two or more different texts")
    return options


def _listed(text: str) -> list[Any]:
    """A list that stands in one cell: JSON, or parted by | ; or commas."""
    try:
        found = json.loads(text)
        if isinstance(found, list):
            return found
    except ValueError:
        pass
    mark = next((mark for mark in ("|", ";", ",") if mark in text), ",")
    return text.split(mark)


def _picture(image: Any, folder: Path, inside: bool) -> tuple[Callable[[], Image.Image], str]:
    """What opens a row's picture, and its name."""
    if isinstance(image, Embedded):
        return image, image.name
    if isinstance(image, dict):
        image = image.get("path")
    if not isinstance(image, str):
        raise ValueError("the image is not a path")
    try:
        path = (folder / image).resolve()
        within, there = path.is_relative_to(folder.resolve()), path.is_file()
    except (OSError, RuntimeError) as error:  # a name no file can have, a loop of links
        raise ValueError(f"there is no picture at {image}") from error
    if inside and not within:
        raise ValueError("the picture does not come with the table")
    if not there:
        raise ValueError(f"there is no picture at {image}")
    return opened(path), path.name


def _box(value: Any) -> Box | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = _listed(value)
    try:
        numbers = [round(float(number)) for number in value]
    except (TypeError, ValueError, OverflowError):
        raise ValueError("the evidence box is not four numbers") from None
    if len(numbers) != 4 or numbers[2] <= numbers[0] or numbers[3] <= numbers[1]:
        raise ValueError("the evidence box is not (left, top, right, bottom)")
    left, top, right, bottom = numbers
    return left, top, right, bottom
