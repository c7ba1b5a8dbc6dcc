"""Reading a picture somebody handed in, and bringing it to the size the model is fed."""

from __future__ import annotations

import importlib.machinery
import io
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.engine.processor import LOADING, hide_broken_torchvision
from core.errors import ImageError

MOST_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded (decompression bombs)."""

_IMPORTED: list[Any] = []  # qwen-vl-utils' module, once it is whole

Picture = Image.Image | np.ndarray | str | Path | bytes


FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""What a file may be; Pillow knows more, and some of them start other programs (PostScript)."""


def read_picture(picture: Picture, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """An RGB image from a PIL image, an (H, W, 3) uint8 array, a path or the file's bytes.

    Args:
        picture: what was handed in; of a file the header is read before anything is decoded.
        most_pixels: larger ones are refused.

    Raises:
        ImageError: not a picture, truncated, empty, too large or too long and thin.
    """
    if isinstance(picture, np.ndarray):
        channels = picture.shape[2] if picture.ndim == 3 else 1
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or not 1 <= channels <= 4:
            raise ImageError("A picture given as an array must be uint8 of shape (H, W, 3).")
        if channels == 1:
            picture = picture.reshape(picture.shape[:2])
        picture = Image.fromarray(picture)
    if not isinstance(picture, (Image.Image, str, Path, bytes)):
        raise ImageError("A picture is a PIL image, an array, a path or the bytes of a file.")
    if not isinstance(picture, Image.Image):
        picture = _open(picture, most_pixels)
    _check_size(picture, most_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a camera wrote into the file
            upright = ImageOps.exif_transpose(picture)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            ground = Image.new("RGBA", upright.size, (255, 255, 255, 255))
            upright = Image.alpha_composite(ground, upright.convert("RGBA"))
        return upright.convert("RGB")
    except MemoryError:
        raise
    except Exception as error:  # as below
        raise ImageError("The picture is damaged or cut short; save it again.") from error


def _open(picture: str | Path | bytes, most_pixels: int) -> Image.Image:
    source: Any = io.BytesIO(picture) if isinstance(picture, bytes) else Path(picture)
    name = "The file" if isinstance(picture, bytes) else Path(picture).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's on damaged headers: told below, or harmless
            with Image.open(source, formats=FORMATS) as opened:
                _check_size(opened, most_pixels)
                opened.load()
                return opened.copy()
    except FileNotFoundError as error:
        raise ImageError(f"There is no picture at {picture!s}.") from error
    except (UnidentifiedImageError, IsADirectoryError) as error:
        raise ImageError(f"{name} is not a picture (PNG, JPEG, WebP, …).") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has too many pixels; scale it down.") from error
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # what a decoder raises on damaged bytes is an open list
        raise ImageError(f"{name} is damaged or cut short; save it again.") from error


def _check_size(picture: Image.Image, most_pixels: int) -> None:
    wide, high = picture.size
    if wide < 1 or high < 1:
        raise ImageError("The picture is empty.")
    if wide * high > most_pixels:
        raise ImageError(
            f"The picture has {wide * high / 1e6:.0f} million pixels; at most "
            f"{most_pixels / 1e6:g} million are taken, so scale it down."
        )
    if max(wide, high) > 200 * min(wide, high):
        raise ImageError("The picture is more than 200 times longer than wide; crop it.")


def fit(picture: Image.Image, least: int, most: int, factor: int) -> Image.Image:
    """The picture at the size the model is fed, by qwen-vl-utils.

    Args:
        picture: RGB.
        least, most: bounds on the number of pixels.
        factor: both sides become multiples of this (patch size × merge size).
    """
    message = {
        "type": "image",
        "image": picture,
        "min_pixels": max(least, factor * factor),
        "max_pixels": max(most, factor * factor),
    }
    if not _IMPORTED:
        with LOADING:  # another thread would find half a module, or no stand-in to take away
            _IMPORTED.append(_vision_process())
    fitted: Image.Image = _IMPORTED[0].fetch_image(message, image_patch_size=factor // 2)
    return fitted


def _vision_process() -> Any:
    """qwen_vl_utils.vision_process, importable without torchvision.

    The package imports torchvision at module level for videos. Where none is usable, an
    empty stand-in is put in its place for the time of the import; pictures never touch it.
    """
    if "qwen_vl_utils.vision_process" in sys.modules:
        return sys.modules["qwen_vl_utils.vision_process"]
    if hide_broken_torchvision():
        from qwen_vl_utils import vision_process

        return vision_process
    # transformers must have looked for torchvision before the stand-in appears
    from transformers.utils import is_torchvision_available

    is_torchvision_available()
    names = ("torchvision", "torchvision.io", "torchvision.transforms")
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    for name in names:
        stand_in = types.ModuleType(name)
        stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
        stand_in.__version__ = "0"  # type: ignore[attr-defined]
        stand_in.InterpolationMode = types.SimpleNamespace(BICUBIC=3)  # type: ignore[attr-defined]
        sys.modules[name] = stand_in
        if "." in name:
            setattr(sys.modules["torchvision"], name.split(".")[1], stand_in)
    try:
        from qwen_vl_utils import vision_process
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(hidden)
    return vision_process
