"""Items from somebody's own files: a folder, JSON, CSV, Parquet or the hub, columns by name.

A row that cannot be used is skipped and kept in ``problems`` with its line and the reason; the
rest is studied. Where a column is called something else than expected, name it with ``columns``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import InputError, RecordError, one_line
from core.families.answers import same
from core.study.hub import PREFIX, tables_of
from core.study.items import (
    Box,
    Items,
    Problem,
    StudyItem,
    checked,
    opened,
    planning_maps,
    same_as,
    shipped,
)
from core.study.reading import KINDS, Embedded, rows_in

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
TABLES = (
    "items.jsonl",
    "items.json",
    "items.csv",
    "items.parquet",
    "metadata.jsonl",
    "metadata.csv",
    "metadata.parquet",
)
VSP_TABLE = "test_direct.jsonl"


def load_items(
    place: str | Path,
    count: int | None = None,
    columns: Mapping[str, str] | None = None,
    tasks: Sequence[str] | None = None,
    seed: int = 0,
    inside: bool = False,
) -> Items:
    """The items of a data set.

    Args:
        place: ``"scenes"`` or ``"scenes:where,count"`` for the shipped ones; a VSP set (folder
            or archive); a ``.json``, ``.jsonl``, ``.csv`` or ``.parquet`` file; a folder that
            holds one named ``items.*`` or ``metadata.*``, picture paths being relative to it;
            or ``"hub:OWNER/NAME"`` for a data set of the hub.
        count: the most items; None for all (100 shipped scenes).
        columns: our name → the file's, e.g. ``{"image": "img", "answer": "caption"}``.
        tasks: keep only these tasks.
        seed: of the shipped scenes.
        inside: pictures outside the table's own folder are refused, as a stranger's table is
            not to read the machine.

    Raises:
        RecordError: there is no such data set or it holds no usable row.
        InputError: an unknown task or column.
    """
    name = str(place)
    if name == "scenes" or name.startswith("scenes:"):
        from core.scenes import TASKS

        named = tuple(filter(None, name.partition(":")[2].split(",")))
        return shipped(named or tuple(tasks or TASKS), 100 if count is None else count, seed=seed)
    if name.startswith(PREFIX):
        return _gathered(tables_of(name), name, count, columns, tasks, inside)
    path = Path(place).expanduser()
    if not path.exists():
        raise RecordError(
            f"There is no data set at {path}: give a folder, a .json, .jsonl, .csv or .parquet "
            "file, or “scenes” for the shipped ones."
        )
    if path.name.endswith((".tar", ".tar.gz", ".tgz")) or (path / VSP_TABLE).is_file():
        return planning_maps(path, count)
    table = _table_of(path)
    return _gathered([table], table.name, count, columns, tasks, inside)


def _gathered(
    tables: Sequence[Path],
    source: str,
    count: int | None,
    columns: Mapping[str, str] | None,
    tasks: Sequence[str] | None,
    inside: bool,
) -> Items:
    """The usable rows of tables, the others as problems."""
    items, problems = Items(), []
    lines = ((table, *line) for table in tables for line in rows_in(table))
    for table, number, row in lines:
        if count is not None and len(items) >= count:
            break
        try:
            if isinstance(row, str):
                raise ValueError(row)
            item = _item(row, table.parent, dict(columns or {}), number, inside)
            _check_written(item)
        except ValueError as error:
            problems.append(Problem(number, one_line(str(error))))
            continue
        if tasks is None or item.task in tasks:
            items.append(item)
    items = checked(items)
    items.source = source
    items.problems = tuple(problems)
    if not items:
        why = f" Line {problems[0].line}: {problems[0].reason}." if problems else ""
        raise RecordError(f"{source} holds no usable row.{why}")
    return items


def _check_written(item: StudyItem) -> None:
    """Of an item's texts, which go into files. Raises ValueError where one cannot."""
    texts = (item.id, item.question, item.answer, item.task, item.cluster, *item.options)
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("its text holds half a letter, which cannot be written") from None


def _table_of(path: Path) -> Path:
    if path.is_dir():
        for name in TABLES:
            if (path / name).is_file():
                return path / name
        raise RecordError(
            f"{path.name} holds none of {', '.join(TABLES)}: write one with a row an item (image, "
            "question, answer, options)."
        )
    if path.suffix.lower() not in KINDS:
        raise RecordError(
            f"{path.name} is no table this program reads: give {', '.join(KINDS[:-1])} or "
            f"{KINDS[-1]}."
        )
    return path


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


def _item(
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
