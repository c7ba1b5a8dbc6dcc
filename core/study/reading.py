"""Rows of somebody's table, one at a time: JSON, JSON Lines, CSV, TSV or Parquet.

A row that cannot be read is given as the reason why, with its line, so that it is reported and
the rest is studied. Pictures inside a Parquet file stay there until they are looked at.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from core.engine.pictures import read_picture
from core.errors import ImageError, RecordError

LARGEST = 512 << 20
"""Bytes of a table that is read as text; Parquet is read piece by piece and may be larger."""
KINDS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")

Line = tuple[int, dict[str, Any] | str]
"""Line, counted from 1, and the row, or why it cannot be read."""


def rows_in(table: Path) -> Iterator[Line]:
    """The rows of a table.

    Raises:
        RecordError: the whole of it cannot be read.
    """
    kind = table.suffix.lower()
    if kind == ".parquet":
        yield from _parquet(table)
        return
    if table.stat().st_size > LARGEST:
        raise RecordError(f"{table.name} is larger than {LARGEST >> 20} MB; split it.")
    try:
        if kind in (".csv", ".tsv"):
            yield from _separated(table, "\t" if kind == ".tsv" else ",")
        elif kind == ".json":
            yield from _json(table)
        else:
            with table.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield number, _object(line)
    except (ValueError, csv.Error, RecursionError) as error:  # of text, of JSON, of a number
        raise RecordError(f"{table.name} cannot be read as {kind[1:]} ({error}).") from error


def _separated(table: Path, delimiter: str) -> Iterator[Line]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        for row in reader:
            whole = None not in row and None not in row.values()
            said: dict[str, Any] | str = "the row has not as many cells as the header"
            yield reader.line_num, dict(row) if whole else said


def _json(table: Path) -> Iterator[Line]:
    found = json.loads(table.read_text(encoding="utf-8-sig"))
    rows = found if isinstance(found, list) else next(_lists(found), None)
    if rows is None:
        raise RecordError(f"{table.name} holds no list of rows.")
    for number, row in enumerate(rows, start=1):
        yield number, row if isinstance(row, dict) else "the row is not an object"


def _lists(found: Any) -> Iterator[list[Any]]:
    if isinstance(found, dict):
        yield from (value for value in found.values() if isinstance(value, list))


def _object(line: str) -> dict[str, Any] | str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "the line is not JSON"
    return row if isinstance(row, dict) else "the line is not a JSON object"


class Embedded:
    """A picture inside a Parquet file, opened when it is called.

    Items are asked in order, so the piece of the file (its row group) that was read last is
    kept for all of its pictures and no other is.
    """

    def __init__(self, pieces: Pieces, group: int, place: int, column: str) -> None:
        self._pieces, self._group, self._place, self._column = pieces, group, place, column

    @property
    def name(self) -> str:
        """Where it is, for a person."""
        return f"{self._pieces.path.name}, row {self._pieces.first(self._group) + self._place + 1}"

    def __call__(self) -> Image.Image:
        """The picture, RGB.

        Raises:
            ImageError: it cannot be opened.
        """
        try:
            data = self._pieces.cell(self._group, self._place, self._column)
            if not isinstance(data, bytes):
                raise ImageError("The file holds no picture there.")
            return read_picture(data)
        except (ImageError, RecordError) as error:
            raise ImageError(f"{self.name}: {error}") from error


class Pieces:
    """A Parquet file by its row groups, of which the pictures of one are kept."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        with _told(path):
            self.file = pq.ParquetFile(path)
        self._kept: tuple[int, str] | None = None
        self._cells: list[Any] = []

    def first(self, group: int) -> int:
        """How many rows stand before a group."""
        return sum(int(self.file.metadata.row_group(g).num_rows) for g in range(group))

    def cell(self, group: int, place: int, column: str) -> bytes | None:
        """The bytes in a cell of pictures."""
        if self._kept != (group, column):
            with _told(self.path):
                self._cells = self.file.read_row_group(group, [column])[column].to_pylist()
            self._kept = group, column
        found = self._cells[place]
        value = found.get("bytes") if isinstance(found, dict) else found
        return value if isinstance(value, bytes) else None


def _parquet(table: Path) -> Iterator[Line]:
    """Rows piece by piece; a column of bytes, or of {bytes, path}, is a column of pictures."""
    pieces = Pieces(table)
    with _told(table):
        schema = pieces.file.schema_arrow
    pictures = [field.name for field in schema if _holds_bytes(field.type)]
    others = [field.name for field in schema if field.name not in pictures]
    number = 0
    for group in range(pieces.file.num_row_groups):
        with _told(table):
            rows = pieces.file.read_row_group(group, others).to_pylist()
        if not others:
            rows = [{} for _ in range(pieces.file.metadata.row_group(group).num_rows)]
        for place, row in enumerate(rows):
            number += 1
            inside = {name: Embedded(pieces, group, place, name) for name in pictures}
            yield number, {**row, **inside}


@contextmanager
def _told(table: Path) -> Iterator[None]:
    """What a reader of Parquet raises on damaged bytes, an open list, is one sentence."""
    try:
        yield
    except (MemoryError, RecordError):
        raise
    except Exception as error:
        raise RecordError(f"{table.name} cannot be read as parquet ({error}).") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
