"""do(X): what is done to an item's picture before the model sees it.

Every edit is a pure function of the picture, the strength and a seed, so that a study that is
run again shows the model the same pixels. Strengths are relative to the picture's size or to
the range of a channel, so that they mean the same for every picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from core.errors import InputError
from core.study.items import Box

Change = Callable[[Image.Image, float, Box | None, int], Image.Image]


def blank(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """Mid grey of the same size: what the question alone is worth."""
    return Image.new("RGB", picture.size, (127, 127, 127))


def blur(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """Gaussian blur; ``strength`` is its radius as a share of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(strength * min(picture.size)))


def noise(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """Gaussian pixel noise; ``strength`` is its standard deviation as a share of 255."""
    pixels = np.asarray(picture, np.float64)
    drawn = np.random.default_rng(seed).normal(0.0, 255 * strength, pixels.shape)
    return Image.fromarray(np.clip(pixels + drawn, 0, 255).round().astype(np.uint8))


def downscale(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """Shrunk to 1/``strength`` of its sides and enlarged again."""
    wide, high = (max(1, round(side / strength)) for side in picture.size)
    small = picture.resize((wide, high), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """JPEG compression; ``strength`` is 1 minus the quality as a share of 100."""
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=max(1, round(100 * (1 - strength))))
    with Image.open(file) as again:
        return again.convert("RGB")


def shuffle(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """The picture cut into ``strength``² tiles in a random order: its colours, not its layout."""
    tiles = max(2, round(strength))
    wide, high = picture.width // tiles, picture.height // tiles
    if not wide or not high:
        return picture.copy()
    corners = [(column * wide, row * high) for row in range(tiles) for column in range(tiles)]
    sources = Random(seed).sample(corners, len(corners))
    out = picture.copy()
    for (x, y), (u, v) in zip(corners, sources, strict=True):
        out.paste(picture.crop((u, v, u + wide, v + high)), (x, y))
    return out


def evidence(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """The evidence box filled with the picture's mean colour.

    Raises:
        InputError: the item has no box.
    """
    return _filled(picture, _boxed(box, picture))


def elsewhere(picture: Image.Image, strength: float, box: Box | None, seed: int) -> Image.Image:
    """A box of the evidence's size at a random place that overlaps it least, filled likewise.

    The control of :func:`evidence`: of sixty-four places drawn the one with the least overlap.

    Raises:
        InputError: the item has no box, or one too large to leave another place.
    """
    left, top, right, bottom = _boxed(box, picture)
    wide, high = right - left, bottom - top
    rng = Random(seed)
    best: tuple[int, Box] | None = None
    for _ in range(64):
        x = rng.randint(0, picture.width - wide)
        y = rng.randint(0, picture.height - high)
        shared = max(0, min(right, x + wide) - max(left, x)) * max(
            0, min(bottom, y + high) - max(top, y)
        )
        if best is None or shared < best[0]:
            best = shared, (x, y, x + wide, y + high)
        if not shared:
            break
    assert best is not None
    if best[0] > 0.25 * wide * high:
        raise InputError("the evidence box leaves no room for an equal box elsewhere")
    return _filled(picture, best[1])


def _boxed(box: Box | None, picture: Image.Image) -> Box:
    if box is None:
        raise InputError("the item has no evidence box")
    left, top = max(0, box[0]), max(0, box[1])
    right, bottom = min(picture.width, box[2]), min(picture.height, box[3])
    if right <= left or bottom <= top:
        raise InputError("the evidence box lies outside the picture")
    return left, top, right, bottom


def _filled(picture: Image.Image, box: Box) -> Image.Image:
    mean = np.asarray(picture, np.float64).reshape(-1, 3).mean(0).round().astype(int)
    out = picture.copy()
    out.paste((int(mean[0]), int(mean[1]), int(mean[2])), box)
    return out


CHANGES: dict[str, Change] = {
    "blank": blank,
    "blur": blur,
    "noise": noise,
    "downscale": downscale,
    "jpeg": jpeg,
    "shuffle": shuffle,
    "evidence": evidence,
    "elsewhere": elsewhere,
}


def change(
    kind: str, picture: Image.Image, strength: float, box: Box | None, seed: int
) -> Image.Image:
    """The changed picture; see the function named after ``kind``."""
    return CHANGES[kind](picture.convert("RGB"), strength, box, seed)
