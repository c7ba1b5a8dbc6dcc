"""The zip around a session: what may be in it, checked before anything is unpacked."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import IO

from core.errors import RecordError
from core.records.checks import shown
from core.records.limits import Limits

SESSION, TENSORS = "session.json", "tensors.safetensors"
_PICTURE = re.compile(r"images/([0-9a-f]{64})\.png")
_MIB = 2**20
_END, _END_SIZE = b"PK\x05\x06", 22
_END_64, _END_64_SIZE = b"PK\x06\x07", 20
_ENTRY_MOST = 512  # bytes of the directory one entry of ours may take; names are short
_LEVEL = 1  # half the time of the usual 6 for a tenth more bytes of the JSON
_ENCRYPTED = 0x1 | 0x40 | 0x2000

DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError)


def picture_name(image_hash: str) -> str:
    """Where in the zip the picture with this fingerprint stands."""
    return f"images/{image_hash}.png"


def picture_hash(entry: str) -> str | None:
    """The fingerprint in the name of a picture, None for any other name."""
    match = _PICTURE.fullmatch(entry)
    return match.group(1) if match else None


def write(file: IO[bytes], entries: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip that :func:`directory` accepts; the same entries give the same bytes."""
    with zipfile.ZipFile(file, "w", allowZip64=False) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)  # dated 1980: what is inside says nothing of the clock
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            if name == SESSION and not _regular(data):
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=_LEVEL)


def directory(file: IO[bytes], size: int, limits: Limits) -> tuple[zipfile.ZipFile, list[str]]:
    """The open zip and the names in it, all of them ours and within the limits.

    Raises:
        RecordError: naming what does not belong in a session file.
    """
    if size > limits.file_bytes:
        raise RecordError(f"it is {size:,} bytes long; {limits.file_bytes:,} are allowed.")
    _check_end(file, size, limits)
    archive = zipfile.ZipFile(file)
    names: list[str] = []
    total = 0
    for info in archive.infolist():
        _check_entry(info, limits)
        if info.filename in names:
            raise RecordError(f"it holds {shown(info.filename)} twice.")
        names.append(info.filename)
        total += info.file_size
    if total > limits.all_bytes:
        raise RecordError(f"it unpacks to {total:,} bytes; {limits.all_bytes:,} are allowed.")
    for name in (SESSION, TENSORS):
        if name not in names:
            raise RecordError(f"{name} is missing from it, so it is not a session of Zscope.")
    return archive, names


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one entry, never more than the directory declares."""
    info = archive.getinfo(name)
    parts: list[bytes] = []
    left = info.file_size
    try:
        with archive.open(info) as entry:
            while left:
                part = entry.read(min(left, _MIB))
                if not part:
                    raise RecordError(f"{shown(name)} in it is cut off.")
                parts.append(part)
                left -= len(part)
            entry.read(1)  # past the end: an empty entry's checksum is compared here too
    except DAMAGE as error:
        raise RecordError(f"{shown(name)} in it is damaged.") from error
    return b"".join(parts)


def _regular(data: bytes) -> bool:
    # JSON of many near-equal runs can deflate below what a reader takes for a zip bomb
    return len(data) > _MIB and len(zlib.compress(data, 1)) * 50 < len(data)


def _check_end(file: IO[bytes], size: int, limits: Limits) -> None:
    # Python's zip reader makes an object of every entry the directory has room for. So its
    # size is looked at first, in the record at the very end, where we put it: no comment
    # behind, nothing before the first entry, no 64-bit extension.
    tail = b""
    if size >= _END_SIZE:
        file.seek(size - min(size, _END_SIZE + _END_64_SIZE))
        tail = file.read(_END_SIZE + _END_64_SIZE)
    end = tail[-_END_SIZE:]
    if not end.startswith(_END):
        raise RecordError("it is cut off, or is not a session of Zscope.")
    disk, first, here, count, length, start, comment = struct.unpack("<4HLLH", end[4:])
    if disk or first or comment or here != count or tail.startswith(_END_64):
        raise RecordError("it is not a zip as Zscope writes it.")
    if count > limits.entries:
        raise RecordError(f"it holds {count:,} files; {limits.entries:,} are allowed.")
    if length > count * _ENTRY_MOST or start + length + _END_SIZE != size:
        raise RecordError("its directory is damaged.")
    file.seek(0)


def _check_entry(info: zipfile.ZipInfo, limits: Limits) -> None:
    name = info.filename
    if name not in (SESSION, TENSORS) and not _PICTURE.fullmatch(name):
        raise RecordError(f"it holds {shown(name)}, which does not belong in a session.")
    if info.orig_filename != name:
        raise RecordError(f"it holds {shown(info.orig_filename)}, which is no plain name.")
    if info.flag_bits & _ENCRYPTED:
        raise RecordError(f"{shown(name)} in it is encrypted.")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise RecordError(f"{shown(name)} in it is a link or something else that is no file.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RecordError(f"{shown(name)} in it is compressed in a way Zscope does not read.")
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise RecordError(f"{shown(name)} in it has two sizes.")
    if info.file_size > limits.entry_bytes:
        raise RecordError(
            f"{shown(name)} in it unpacks to {info.file_size:,} bytes; "
            f"{limits.entry_bytes:,} are allowed."
        )
    if info.file_size > max(_MIB, limits.ratio * info.compress_size):
        raise RecordError(f"{shown(name)} in it unpacks to far more than its size (a zip bomb).")
