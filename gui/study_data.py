"""Where a visitor's study takes its items from: the shipped scenes, an upload, their own disk.

What was uploaded may name only pictures that were uploaded with it: a table of a stranger does
not read the machine it is studied on.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from gui.acts import GuiError

if TYPE_CHECKING:
    from core.study import Items

SCENES, UPLOAD, PLACE = "scenes", "upload", "place"
LARGEST = 512 << 20  # bytes an archive may unpack to
MOST_FILES = 20_000
TABLES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


def items_of(
    source: str, uploaded: str | None, place: str, count: int, tasks: list[str], folder: Path
) -> Items:
    """The items of a study.

    Args:
        source: :data:`SCENES`, :data:`UPLOAD` or :data:`PLACE`.
        uploaded: path of the uploaded file.
        place: file or folder of this machine.
        count: the most items.
        tasks: tasks of the shipped scenes; none are all.
        folder: where an archive may be unpacked, the visitor's own.

    Raises:
        GuiError, core.errors.ZscopeError: one sentence.
    """
    from core.study import load_items

    if source == SCENES:
        return load_items("scenes", count, tasks=tasks or None)
    if source == UPLOAD:
        if not uploaded:
            raise GuiError("Choose a file first: a table, or a .zip of a table and its pictures.")
        path = Path(uploaded)
        if path.suffix.lower() == ".zip":
            return load_items(unpacked(path, folder / "data"), count, inside=True)
        if path.suffix.lower() in TABLES:
            return load_items(path, count, inside=True)
        return load_items(path, count)  # a VSP archive, which is read without being unpacked
    if not place.strip():
        raise GuiError("Name a file or a folder of this machine.")
    return load_items(place.strip(), count)


def unpacked(archive: Path, folder: Path) -> Path:
    """The folder that holds an archive's table, unpacked.

    Raises:
        GuiError: it is no archive, or holds more than fits.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as file:
            entries = file.infolist()
            if len(entries) > MOST_FILES or sum(e.file_size for e in entries) > LARGEST:
                raise GuiError(
                    f"The archive unpacks to more than {LARGEST >> 20} MB or {MOST_FILES} files; "
                    "make it smaller."
                )
            file.extractall(folder)  # takes away “..” and drive letters itself
    except (GuiError, MemoryError):
        raise
    except Exception as error:  # what a decoder raises on damaged bytes is an open list
        raise GuiError(
            f"The archive cannot be unpacked ({str(error)[:80]}); make it again."
        ) from error
    from core.study import tables

    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    return next((p for p in places if any((p / name).is_file() for name in tables.TABLES)), folder)
