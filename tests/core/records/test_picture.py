"""A picture goes by its pixels: name, PNG, and PNGs that are not what they say."""

import hashlib
import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from core.errors import RecordError
from core.records.limits import Limits
from core.records.picture import fingerprint, from_png, png_pixels, to_png

LIMITS = Limits()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, layout: bytes = b"\x08\x02\x00\x00\x00") -> bytes:
    frame = chunk(b"IHDR", struct.pack(">II", width, height) + layout)
    return b"\x89PNG\r\n\x1a\n" + frame + b"".join(chunks)


END = chunk(b"IEND", b"")


def test_the_fingerprint_is_of_size_and_rgb_bytes(picture):
    expected = hashlib.sha256(b"5x3:RGB:" + bytes(range(45))).hexdigest()
    assert fingerprint(picture) == expected
    assert fingerprint(picture.transpose(Image.Transpose.ROTATE_90)) != expected
    assert fingerprint(Image.frombytes("RGB", (3, 5), bytes(range(45)))) != expected


def test_other_modes_go_by_their_rgb():
    grey = Image.new("L", (4, 4), 77)
    assert fingerprint(grey) == fingerprint(grey.convert("RGB"))
    assert from_png(to_png(grey), LIMITS).tobytes() == bytes([77]) * 48


def test_png_keeps_every_pixel_and_nothing_else(picture):
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "where I live", zip=True)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=told, icc_profile=b"profile")
    with Image.open(io.BytesIO(file.getvalue())) as carrying:
        data = to_png(carrying)
    assert b"Comment" not in data
    assert b"profile" not in data
    back = from_png(data, LIMITS)
    assert (back.mode, back.size, back.tobytes()) == ("RGB", (5, 3), picture.tobytes())
    assert png_pixels(data, LIMITS) == 15


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a PNG"),
        (b"GIF89a" + bytes(100), "not a PNG"),
        (png(100_000, 100_000, chunk(b"IDAT", b"x"), END), "100000 × 100000 is outside"),
        (png(0, 5, chunk(b"IDAT", b"x"), END), "0 × 5 is outside"),
        (png(2**31, 2**31, chunk(b"IDAT", b"x"), END), "is outside"),
        (png(2, 2, chunk(b"IDAT", b"x"), END, layout=b"\x10\x02\0\0\0"), "plain 8-bit RGB"),
        (png(2, 2, chunk(b"IDAT", b"x"), END, layout=b"\x08\x06\0\0\0"), "plain 8-bit RGB"),
        (png(2, 2, chunk(b"IDAT", b"x"), END, layout=b"\x08\x02\0\0\1"), "plain 8-bit RGB"),
        (png(2, 2, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6))), END), "besides"),
        (png(2, 2, chunk(b"acTL", bytes(8)), chunk(b"IDAT", b"x"), END), "besides"),
        (png(2, 2, chunk(b"IDAT", bytes(40))), "cut off"),
        (png(2, 2, chunk(b"IDAT", b"x"), END, b"more"), "follows its end"),
        (png(2, 2, chunk(b"IDAT", b"x"), END), "pixels are damaged"),
        (png(9, 9, chunk(b"IDAT", zlib.compress(bytes(9))), END), "pixels are damaged"),
    ],
)
def test_what_is_no_picture_of_ours(data, told):
    with pytest.raises(RecordError) as caught:
        from_png(data, LIMITS)
    assert told in str(caught.value)


def test_a_wrong_checksum_is_seen(picture):
    data = bytearray(to_png(picture))
    data[50] ^= 1
    with pytest.raises(RecordError):
        from_png(bytes(data), LIMITS)


def test_a_picture_larger_than_allowed_is_not_decoded(picture):
    with pytest.raises(RecordError, match="outside"):
        from_png(to_png(picture), Limits(image_pixels=14))
