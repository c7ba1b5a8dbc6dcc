"""Sessions on disk: a ``.zscope`` file holds traces, their pictures and some free-form data.

The file is a zip of three kinds of entries, and nothing else may be in it:

- ``session.json``: ``{"format": "zscope", "version": 1, "traces": [...], "meta": {...}}``,
  a trace as :mod:`core.records.packing` packs it;
- ``tensors.safetensors``: every latent, hidden state, edit value and donor, float32, once each;
- ``images/<fingerprint>.png``: the pictures, RGB (:func:`core.records.picture.fingerprint`).

What was saved comes back exactly: floats and tensors bit for bit, texts character for character
except characters that cannot be shown (see :mod:`core.records.checks`). Raw ``logits`` are not
saved. Nothing in the file is ever executed or unpickled; opening one checks every field and
every size against :class:`Limits` before memory is taken for it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import LargeZipFile, ZipFile

from PIL import Image
from torch import Tensor

from core.errors import RecordError
from core.records import container
from core.records.atomic import replacing
from core.records.checks import anything, name, parse_json, shown
from core.records.coherence import check_family_tree
from core.records.limits import Limits
from core.records.packing import pack
from core.records.picture import fingerprint, from_png, png_pixels, to_png
from core.records.schema import trace_reader, unpack
from core.records.tensors import check_tensor, decode, encode
from core.records.trace import Trace

__all__ = ["FORMAT", "VERSION", "Limits", "Session", "load", "pack", "save", "unpack"]

FORMAT, VERSION = "zscope", 1

Source = str | os.PathLike[str] | bytes | bytearray | IO[bytes]


@dataclass(frozen=True, eq=False)
class Session:
    """What a ``.zscope`` file holds.

    Attributes:
        traces: in the order they were saved. Their ids are those in the file: a program that
            keeps traces of several people gives them new ones before it files them by id.
        images: the pictures by ``Prompt.image_hash``; a trace's picture may be missing.
        meta: whatever JSON was saved with them.
    """

    traces: tuple[Trace, ...]
    images: dict[str, Image.Image]
    meta: dict[str, Any]


def save(
    path_or_file: str | os.PathLike[str] | IO[bytes],
    traces: Sequence[Trace],
    images: Mapping[str, Image.Image] | None = None,
    meta: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
) -> None:
    """Write a session.

    A path is replaced in one step once everything is on the disk: a failed or interrupted save
    leaves the file that was there.

    Args:
        path_or_file: where to, or a binary file to write into.
        traces: any number; lineages, edits and spans that share tensors store them once.
        images: pictures by ``Prompt.image_hash``, which is their fingerprint.
        meta: JSON values to keep with them.
        limits: the limits under which it is to open again.

    Raises:
        RecordError: when something in it would not open again, or it cannot be written.
    """
    limits = limits or Limits()
    try:
        entries = _entries(traces, dict(images or {}), dict(meta or {}), limits)
        if isinstance(path_or_file, (str, os.PathLike)):
            with replacing(path_or_file) as file:
                container.write(file, entries)
        else:
            container.write(path_or_file, entries)
    except RecordError as error:
        raise RecordError(f"The session cannot be saved: {error}") from error
    except (OSError, ValueError, LargeZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordError(
            f"{_label(path_or_file)} could not be written ({reason}); "
            "choose another place or make room there."
        ) from error


def load(source: Source, limits: Limits | None = None) -> Session:
    """Read a session from a path, its bytes, or a binary file.

    Raises:
        RecordError: with one sentence naming what is wrong with it.
    """
    limits = limits or Limits()
    try:
        with _opened(source, limits) as (file, size):
            return _read(file, size, limits)
    except RecordError as error:
        raise RecordError(f"{_label(source)} cannot be opened: {error}") from error
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise RecordError(f"{_label(source)} cannot be opened: {reason}.") from error
    except container.DAMAGE as error:
        raise RecordError(f"{_label(source)} cannot be opened: its zip is damaged.") from error


def _read(file: IO[bytes], size: int, limits: Limits) -> Session:
    archive, names = container.directory(file, size, limits)
    with archive:
        plain = parse_json(container.read(archive, container.SESSION), container.SESSION, limits)
        _check_version(plain)
        packed = plain["traces"]
        if type(packed) is not list or len(packed) > limits.traces:
            raise RecordError(f"its traces are not a list of at most {limits.traces:,}.")
        if type(plain["meta"]) is not dict:
            raise RecordError("meta is not an object.")
        meta = anything(limits)(plain["meta"], "meta")
        tensors = decode(container.read(archive, container.TENSORS), limits)
        traces = _read_traces(packed, tensors, limits)
        return Session(traces, _read_images(archive, names, limits), meta)


def _check_version(plain: dict[str, Any]) -> None:
    if plain.get("format") != FORMAT or type(plain.get("version")) is not int:
        raise RecordError("it is not a session of Zscope.")
    if plain["version"] != VERSION:
        raise RecordError(
            f"it is of format {shown(plain['version'])} and this program reads {VERSION}; "
            "update Zscope."
        )
    if plain.keys() != {"format", "version", "traces", "meta"}:
        raise RecordError("session.json does not have the four fields of a session.")


def _read_traces(
    packed: list[Any], tensors: Mapping[str, Tensor], limits: Limits
) -> tuple[Trace, ...]:
    reader = trace_reader(tensors, limits)
    traces = tuple([reader(entry, f"traces[{i}]") for i, entry in enumerate(packed)])
    check_family_tree(traces)
    return traces


def _read_images(archive: ZipFile, names: list[str], limits: Limits) -> dict[str, Image.Image]:
    images: dict[str, Image.Image] = {}
    pixels = 0
    for entry in names:
        image_hash = container.picture_hash(entry)
        if image_hash is None:
            continue
        data = container.read(archive, entry)
        try:
            pixels += png_pixels(data, limits)
            if pixels > limits.all_pixels:
                raise RecordError(f"the pictures have more than {limits.all_pixels:,} pixels.")
            image = from_png(data, limits)
            if fingerprint(image) != image_hash:
                raise RecordError("its pixels are not those its name was made from.")
        except RecordError as error:
            raise RecordError(f"picture {image_hash[:12]}…: {error}") from error
        images[image_hash] = image
    return images


def _entries(
    traces: Sequence[Trace],
    images: Mapping[str, Image.Image],
    meta: dict[str, Any],
    limits: Limits,
) -> list[tuple[str, bytes]]:
    packed: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    for trace in traces:
        plain, own = pack(trace)
        packed.append(plain)
        for key, tensor in own.items():
            if key not in tensors:
                check_tensor(tensor, f"a tensor of trace {shown(trace.id)}", limits)
                tensors[key] = tensor
    if len(packed) > limits.traces:
        raise RecordError(f"it has {len(packed):,} traces; {limits.traces:,} are allowed.")
    # Read back before it is written: what is saved opens.
    _read_traces(packed, tensors, limits)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "traces": packed,
        "meta": anything(limits)(meta, "meta"),
    }
    session = json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
    parse_json(session, container.SESSION, limits)
    entries = [(container.SESSION, session), (container.TENSORS, encode(tensors))]
    for image_hash, image in images.items():
        name(pattern="[0-9a-f]{64}")(image_hash, "the name of a picture")
        if fingerprint(image) != image_hash:
            raise RecordError(f"picture {image_hash[:12]}… is not the one that name was made from.")
        entries.append((container.picture_name(image_hash), to_png(image)))
    _check_sizes(entries, images, limits)
    return entries


def _check_sizes(
    entries: list[tuple[str, bytes]], images: Mapping[str, Image.Image], limits: Limits
) -> None:
    pixels = [image.width * image.height for image in images.values()]
    for amount, most, what in (
        (len(entries), limits.entries, "files"),
        (max(len(data) for _, data in entries), limits.entry_bytes, "bytes in one file"),
        (sum(len(data) for _, data in entries), limits.all_bytes, "bytes"),
        (max(pixels, default=0), limits.image_pixels, "pixels in one picture"),
        (sum(pixels), limits.all_pixels, "pixels"),
    ):
        if amount > most:
            raise RecordError(f"it has {amount:,} {what}; {most:,} are allowed.")


@contextmanager
def _opened(source: Source, limits: Limits) -> Iterator[tuple[IO[bytes], int]]:
    if isinstance(source, (bytes, bytearray)):
        yield BytesIO(source), len(source)
    elif isinstance(source, (str, os.PathLike)):
        # a pipe would block on being opened, and a device has no size
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise RecordError("it is not a file.")
        with open(source, "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    else:
        data = source.read(limits.file_bytes + 1)
        yield BytesIO(data), len(data)


def _label(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return shown(Path(source).name)
    return "The session file"
