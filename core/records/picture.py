"""Pictures in a session file: the name a picture goes by, and its way through PNG."""

from __future__ import annotations

import hashlib
import struct
from io import BytesIO

from PIL import Image

from core.errors import RecordError
from core.records.limits import Limits

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# 8 bits a channel, RGB, deflate, adaptive filters, not interlaced: all that to_png writes
_LAYOUT = b"\x08\x02\x00\x00\x00"


def fingerprint(image: Image.Image) -> str:
    """The name of a picture: SHA-256, in hex, of its size and its RGB bytes.

    The hash is taken over ``f"{width}x{height}:RGB:"`` followed by the bytes row by row, three
    a pixel; another mode is converted to RGB first.
    """
    rgb = _as_rgb(image)
    width, height = rgb.size
    start = hashlib.sha256(f"{width}x{height}:RGB:".encode("ascii"))
    start.update(rgb.tobytes())
    return start.hexdigest()


def to_png(image: Image.Image) -> bytes:
    """The picture's RGB pixels as PNG, without any other information the image carries."""
    rgb = _as_rgb(image)
    bare = Image.frombytes("RGB", rgb.size, rgb.tobytes())  # leaves text, EXIF, profile behind
    out = BytesIO()
    bare.save(out, format="PNG", compress_level=1)
    return out.getvalue()


def png_pixels(data: bytes, limits: Limits) -> int:
    """Pixels a PNG will decode to, read off its frame without decoding anything.

    Raises:
        RecordError: when it is not a PNG as :func:`to_png` writes it, or larger than allowed.
    """
    if len(data) < 57 or data[:8] != _SIGNATURE or data[8:16] != b"\x00\x00\x00\rIHDR":
        raise RecordError("it is not a PNG picture.")
    width, height = struct.unpack(">II", data[16:24])
    if data[24:29] != _LAYOUT:
        raise RecordError("it is not a plain 8-bit RGB picture.")
    pixels: int = width * height
    if not pixels or pixels > limits.image_pixels:
        raise RecordError(
            f"its size of {width} × {height} is outside what is allowed "
            f"(1 to {limits.image_pixels:,} pixels)."
        )
    _check_chunks(data)
    return pixels


def from_png(data: bytes, limits: Limits) -> Image.Image:
    """The RGB picture in ``data``.

    Raises:
        RecordError: when it is damaged, is not plain RGB, or is larger than allowed.
    """
    png_pixels(data, limits)
    try:
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            image.load()
            return _as_rgb(image).copy()
    except Exception as error:  # the decoder's own list is open: struct, zlib, SyntaxError …
        raise RecordError("its pixels are damaged.") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _check_chunks(data: bytes) -> None:
    # Only the frame, the pixels and the end: compressed texts, colour profiles and animation
    # frames are other ways of making a decoder work, and to_png writes none of them.
    place = 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8].ljust(8, b"\0"))
        place += 12 + length
        expected = (b"IHDR",) if place == 33 else (b"IDAT", b"IEND")
        if kind not in expected or place > len(data):
            raise RecordError("it holds something besides pixels, or is cut off.")
        if kind == b"IEND" and place != len(data):
            raise RecordError("something follows its end.")
    if data[-8:-4] != b"IEND":
        raise RecordError("it is cut off.")
