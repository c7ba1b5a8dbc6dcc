"""Reads and writes the layout of the VSP spatial-planning test set, as Mirage's authors publish it.

`test_direct.jsonl` has a line per map with `text_input` (the question, `<image>` where the picture
goes), `image_input` (a path), `map_id` and `map_desc` (1 start, 2 goal, -1 hole, 0 safe); the
pictures lie below `imgs_test/level<N>/img/`.

What is read is somebody else's file: a row that is damaged, has no path to its goal or points
outside the set is skipped, kept in `problems` and warned of, never silently dropped.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from core.errors import InputError, RecordError
from core.scenes.board import Board, Rows, check_map, shortest
from core.scenes.item import Item
from core.scenes.vsp_files import LARGEST_PICTURE, LARGEST_TABLE, open_files, safe_name
from core.scenes.vsp_item import VspItem, last_boxed

__all__ = ["Problem", "VspItem", "VspItems", "last_boxed", "read", "write"]

TABLE = "test_direct.jsonl"
PREFIX = "data/vsp_spatial_planning/"  # what the published `image_input` paths start with
ASKING = (
    "{question}\n\nHere is the map: <image>\n\nPlease provide your action plan.\n"
    " The final answer MUST BE put in \\boxed{{}}."
)
_FIELDS = ("text_input", "image_input", "map_id", "map_desc")
_LONGEST_LINE = 1 << 20
_WIDEST = 4096  # px


class Problem(NamedTuple):
    """A row that was skipped: its line, counted from 1, and why."""

    line: int
    reason: str


class VspItems(list[VspItem]):
    """The items of a set, in the order of its table, and `problems`, the rows that were skipped."""

    problems: tuple[Problem, ...] = ()


def read(place: str | Path) -> VspItems:
    """The maps of a VSP set: a folder, or a tar archive, with `test_direct.jsonl` at its top.

    Rows that cannot be used are skipped: a warning says how many and quotes the first, and
    `problems` of the result has them all with their lines.

    Raises:
        RecordError: there is no such set, the archive is damaged or too large, or no row is usable.
    """
    files = open_files(Path(place), TABLE)
    try:
        lines = files.read(TABLE, LARGEST_TABLE).splitlines()
    except ValueError as error:
        raise RecordError(f"{place} is not a VSP set: {error}.") from error
    items, problems = VspItems(), []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _row(line)
            png = files.read(_name(row["image_input"]), LARGEST_PICTURE)
            _check_picture(png)
            items.append(
                VspItem(row["text_input"], row["image_input"], row["map_id"], row["scene"], png)
            )
        except ValueError as error:
            problems.append(Problem(number, str(error)))
    items.problems = tuple(problems)
    if not items:
        why = f" Line {problems[0].line}: {problems[0].reason}." if problems else ""
        raise RecordError(f"{place} holds no usable map.{why}")
    if problems:
        warnings.warn(
            f"{len(problems)} of {len(problems) + len(items)} rows of {place} were skipped; "
            f"line {problems[0].line}: {problems[0].reason}.",
            stacklevel=2,
        )
    return items


def write(items: Iterable[VspItem | Item], folder: str | Path) -> None:
    """Write planning items in the layout that `read` reads; what was read is written unchanged.

    Raises:
        InputError: an item is no planning item, two share a picture's path, or the folder already
            holds a table.
    """
    root = Path(folder)
    if (root / TABLE).exists():
        raise InputError(f"{root} already holds a {TABLE}; choose an empty folder.")
    rows, pictures = [], {}
    for item in items:
        row, png = _written(item)
        name = _name(row["image_input"])
        if name in pictures:
            raise InputError(f"Two items would be written to {name}; give each its own map_id.")
        pictures[name] = png
        rows.append(json.dumps(row))
    for name, png in pictures.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png)
    root.mkdir(parents=True, exist_ok=True)
    (root / TABLE).write_text("".join(row + "\n" for row in rows), encoding="utf-8", newline="\n")


def _written(item: VspItem | Item) -> tuple[dict, bytes]:
    """A row of the table and the picture's file."""
    if not isinstance(item.scene, Board):
        raise InputError(
            f"Only planning items fit the VSP layout; {item.id} is a {item.task} item."
        )
    rows = [list(row) for row in item.scene.rows]
    if isinstance(item, VspItem):
        values: Sequence[object] = (item.text_input, item.image_input, item.map_id, rows)
        return dict(zip(_FIELDS, values, strict=True)), item.png
    buffer = io.BytesIO()
    item.image.save(buffer, format="PNG")
    where = f"./{PREFIX}imgs_test/level{item.scene.size}/img/{item.id}.png"
    values = (ASKING.format(question=item.question), where, item.id, rows)
    return dict(zip(_FIELDS, values, strict=True)), buffer.getvalue()


def _row(line: bytes) -> dict:
    """A line of the table, checked. Raises ValueError with the reason."""
    if len(line) > _LONGEST_LINE:
        raise ValueError("the line is longer than 1 MB")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("the line is not JSON") from error
    if not isinstance(row, dict) or set(row) != set(_FIELDS):
        raise ValueError(f"the line does not have exactly the fields {', '.join(_FIELDS)}")
    for name in _FIELDS[:3]:
        if not isinstance(row[name], str):
            raise ValueError(f"{name} is not a text")
    row["scene"] = Board(_map(row["map_desc"]))
    if shortest(row["scene"].rows)[0] is None:
        raise ValueError("the goal of the map cannot be reached")
    return row


def _map(described: object) -> Rows:
    if not isinstance(described, list) or not all(isinstance(row, list) for row in described):
        raise ValueError("map_desc is not a list of rows")
    if any(type(value) is not int for row in described for value in row):
        raise ValueError("map_desc holds something that is not a whole number")
    rows = tuple(tuple(row) for row in described)
    check_map(rows)
    return rows


def _name(image_input: str) -> str:
    """The picture's path inside the set."""
    name = safe_name(image_input)
    if name is None or not name.lower().endswith(".png"):
        raise ValueError(f"image_input {image_input[:80]!r} is not a path of a PNG inside the set")
    return name.removeprefix(PREFIX)


def _check_picture(png: bytes) -> None:
    """Raises ValueError unless the bytes are a whole PNG of a bounded size."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if max(picture.size) > _WIDEST:
                raise ValueError(f"the picture is wider or higher than {_WIDEST} px")
            picture.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the picture is damaged ({error})") from error
