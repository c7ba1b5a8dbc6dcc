"""Pictures: every format that is read, damaged, and such as are larger than they look."""

from __future__ import annotations

import io
import random

from PIL import Image

from core.engine.pictures import FORMATS, read_picture
from tests.fuzz.kind import Kind, Unnamed
from tests.fuzz.mutate import spoiled_bytes

MOST = 40_000  # pixels
MODES = ("RGB", "RGBA", "L", "P", "1", "LA", "CMYK", "I;16", "F")


def seeds() -> list[bytes]:
    """A small sound picture of every format and mode that go together."""
    out = []
    for kind in FORMATS:
        for mode in MODES:
            file = io.BytesIO()
            image = Image.effect_noise((9, 7), 60).convert("RGB")
            try:
                (image.convert(mode) if mode != "I;16" else Image.new(mode, (9, 7))).save(
                    file, kind
                )
            except (OSError, ValueError, KeyError):
                continue
            out.append(file.getvalue())
    frames = [Image.new("P", (5, 5), n) for n in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return [*out, file.getvalue()]


def large() -> list[bytes]:
    """Small files of pictures that are too large, too long or too thin."""
    out = []
    for size in ((5000, 5000), (1, 30_000), (30_000, 1), (201, 200)):
        file = io.BytesIO()
        Image.new("1", size).save(file, "PNG")
        out.append(file.getvalue())
    return out


def read(data: bytes) -> None:
    """Read a picture as an upload is read."""
    found = read_picture(data, MOST)
    if found.mode != "RGB" or not 0 < found.width * found.height <= MOST:
        raise Unnamed(f"read as {found.mode}, {found.size}")


def kinds() -> list[Kind]:
    """The sorts of this file."""
    good, huge = seeds(), large()

    def draw(draw: random.Random) -> bytes:
        if draw.random() < 0.05:
            return draw.choice(huge)
        if draw.random() < 0.05:
            return draw.randbytes(draw.randrange(200))
        return spoiled_bytes(draw, draw.choice(good))

    return [Kind("picture", draw, read, 24)]
