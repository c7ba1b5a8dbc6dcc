"""The files of a VSP set, from a folder or an archive, read with care.

An archive is read as a stream and never unpacked to the disk: links, devices and odd names are
passed over, and a bound on the bytes that come out of it stops decompression bombs.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from core.errors import RecordError

LARGEST_PICTURE = 8 << 20  # bytes
LARGEST_TABLE = 64 << 20
LARGEST_ARCHIVE = 512 << 20  # bytes that may come out of an archive, headers included
MOST_MEMBERS = 50_000


def safe_name(name: str) -> str | None:
    """A path inside the set in its plain form; None for one that is absolute or climbs out."""
    if not name or "\\" in name or "\x00" in name or ":" in name or len(name) > 500:
        return None
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.name == "":
        return None
    return path.as_posix()


def open_files(place: Path, table: str) -> FolderFiles | ArchiveFiles:
    """The set's files. Raises RecordError when `place` is neither a folder nor a tar archive."""
    if place.is_dir():
        return FolderFiles(place)
    if not place.is_file():
        raise RecordError(f"There is no VSP set at {place}; give a folder or a .tar.gz file.")
    return ArchiveFiles(place, table)


class FolderFiles:
    """Files below a folder; a link that leads out of it counts as missing."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, name: str, most: int) -> bytes:
        """The bytes of a file. Raises ValueError with the reason when it cannot be had."""
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise ValueError(f"{name} leads out of the folder")
        if not path.is_file():
            raise ValueError(f"{name} is missing")
        if path.stat().st_size > most:
            raise ValueError(f"{name} is larger than {most >> 20} MB")
        return path.read_bytes()


class _Bounded:
    """A stream that ends in an error after so many bytes."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source, self._left = source, most

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            raise RecordError(
                f"The archive unpacks to more than {LARGEST_ARCHIVE >> 20} MB; it is not a VSP set."
            )
        return data


class ArchiveFiles:
    """The table and the pictures of a tar archive (plain or gzipped), held in memory."""

    def __init__(self, place: Path, table: str) -> None:
        self._held: dict[str, bytes] = {}
        self._refused: dict[str, str] = {}
        try:
            with place.open("rb") as head:
                zipped = head.read(2) == b"\x1f\x8b"
            with gzip.open(place, "rb") if zipped else place.open("rb") as source:
                self._take(source, table)  # type: ignore[arg-type]
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise RecordError(
                f"{place.name} is not a whole tar archive ({error}); fetch it again."
            ) from error

    def _take(self, source: IO[bytes], table: str) -> None:
        bounded = _Bounded(source, LARGEST_ARCHIVE)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:  # type: ignore[call-overload]
            for count, member in enumerate(archive):
                if count >= MOST_MEMBERS:
                    raise RecordError(
                        f"The archive has more than {MOST_MEMBERS} members; it is not a VSP set."
                    )
                name = safe_name(member.name)
                if name is None or not (name == table or name.lower().endswith(".png")):
                    continue
                most = LARGEST_TABLE if name == table else LARGEST_PICTURE
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    self._refused[name] = f"{name} is not a plain file"
                elif member.size > most:
                    self._refused[name] = f"{name} is larger than {most >> 20} MB"
                else:
                    content = archive.extractfile(member)
                    self._held[name] = content.read() if content is not None else b""

    def read(self, name: str, most: int) -> bytes:
        """The bytes of a member. Raises ValueError with the reason when it cannot be had."""
        if name not in self._held:
            raise ValueError(self._refused.get(name, f"{name} is missing"))
        if len(self._held[name]) > most:
            raise ValueError(f"{name} is larger than {most >> 20} MB")
        return self._held[name]
