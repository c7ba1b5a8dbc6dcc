"""Results on disk: one JSON object a line, appended and never changed.

A batch of rows is written and brought to the disk (fsync) in one piece, so that an interrupted
study has lost the batch in flight and nothing else. A last line that was cut off is taken away
when the file is opened again. Each row carries the key of what it is the result of; a study
that is run again skips the keys that are there.

A study in several processes has a file a process, so that no two ever write to one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.errors import RecordError

Row = dict[str, Any]

try:
    import fcntl
except ImportError:  # Windows; two studies in one folder are then not told apart
    fcntl = None  # type: ignore[assignment]


class RowFile:
    """The rows of one process, open for appending.

    Args:
        folder: the study's.
        rank: number of this process.

    Raises:
        RecordError: it cannot be written, or another study is writing to it.
    """

    def __init__(self, folder: Path, rank: int = 0) -> None:
        self.path = folder / "rows" / f"{rank}.jsonl"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # without a buffer of Python's: what could not be written is not tried again
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.size = healed(self.path)
        except BlockingIOError as error:
            raise RecordError(
                f"Another study is writing to {folder}: wait for it, or give another folder."
            ) from error
        except OSError as error:
            raise _unwritable(folder, error) from error

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows and return once they are on the disk.

        Raises:
            RecordError: they could not be written; the file is as it was before.
        """
        lines = "".join(
            json.dumps(row, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
            for row in rows
        ).encode("utf-8")
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            os.truncate(self.path, self.size)
            raise _unwritable(self.path.parent.parent, error) from error
        self.size += len(lines)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def healed(path: Path) -> int:
    """Take away a cut-off last line; returns the size that is left."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                end = start + place + 1
                break
            end = start
    if end != size:
        os.truncate(path, end)
    return end


def read_rows(folder: Path) -> Iterator[Row]:
    """Every whole row of every process; lines that are none are passed over."""
    for path in sorted((folder / "rows").glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict) and "key" in row and line.endswith(b"\n"):
                    yield row


def _unwritable(folder: Path, error: OSError) -> RecordError:
    return RecordError(
        f"Results cannot be written to {folder} ({error.strerror or error}): see to that and run "
        "the study again; finished rows are kept."
    )
