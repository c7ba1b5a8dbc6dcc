"""X: the picture, where it can be dropped, pasted or chosen, with the latents' trail over it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from gui.steps import format_steps

if TYPE_CHECKING:
    from PIL import Image

SCRIPT = (Path(__file__).parent / "picture.js").read_text(encoding="utf-8")
UNCHOSEN = "Each latent's nearest patch."
SHOWN = 640  # longest side in px of the copy the page shows


def data_uri(image: Image.Image, longest: int = SHOWN) -> str:
    """A copy of at most ``longest`` px as a ``data:`` address, so that no file is served."""
    copy = image.convert("RGB")
    copy.thumbnail((longest, longest))
    buffer = io.BytesIO()
    drawn = copy.getcolors(4096) is not None  # few colours: a drawing, which JPEG would smear
    copy.save(buffer, "PNG" if drawn else "JPEG", quality=88)
    kind = "png" if drawn else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def mark_of(uri: str) -> str:
    """A short mark of a picture's ``data:`` address, by which two are told apart."""
    return f"{crc32(uri.encode()):08x}" if uri else ""


def picture_html(
    uri: str,
    size: tuple[int, int] = (1, 1),
    grid: tuple[int, int] = (0, 0),
    trail: Sequence[tuple[int, int] | None] = (),
    selected: Sequence[int] = (),
    pointing: str = "",
    span: int = 0,
) -> str:
    """The picture's place as HTML.

    Args:
        uri: the picture's ``data:`` address; "" before one is chosen.
        size: its width and height; only their ratio counts.
        grid: rows and columns of patches as the model sees them.
        trail: (row, column) of the patch each latent of the span is nearest to, in order; None
            for a latent that points nowhere.
        selected: selected steps.
        pointing: what a click on a place does, in words; "" when it does nothing. With ``{}`` in
            it, it does so once latents are selected, whose names stand there.
        span: which span the trail is of.
    """
    choose = (
        '<button type="button" class="choose" data-act="choose">'
        f"{'Change picture' if uri else 'Choose a picture'}</button>"
        '<input type="file" accept="image/*" class="file" tabindex="-1" '
        'aria-label="Picture file">'
    )
    if not uri:
        return (
            '<figure class="picture empty" tabindex="-1"><p>Drop or paste a picture here.</p>'
            f"</figure>{choose}"
        )
    overlay = _overlay(size, grid, trail, selected) if trail and grid[0] else ""
    state, hint = f' data-picture="{mark_of(uri)}"', ""
    on = bool(pointing and grid[0])
    if on:
        waits = "{}" in pointing
        state += f' data-rows="{grid[0]}" data-columns="{grid[1]}" data-span="{span}"'
        state += f' data-point="{escape(pointing, quote=True)}"' if waits else ""
        names = f"z{format_steps(selected)}" if selected else ""
        said = f"Click a place to {pointing.replace('{}', names)}."
        hint = f'<p class="hint">{escape(said) if names or not waits else UNCHOSEN}</p>'
        on = bool(names) or not waits
    return (
        f'<figure class="picture{" pointing" if on else ""}"{state}>'
        f'<img src="{escape(uri, quote=True)}" alt="the picture asked about" draggable="false">'
        f"{overlay}</figure>{hint}{choose}"
    )


def _overlay(
    size: tuple[int, int],
    grid: tuple[int, int],
    trail: Sequence[tuple[int, int] | None],
    selected: Sequence[int],
) -> str:
    """Numbered marks on the patches, joined in the order of the latents."""
    width, height = 400.0, 400.0 * size[1] / max(size[0], 1)
    across, down = width / grid[1], height / grid[0]
    seen: dict[tuple[int, int], list[int]] = {}
    known = [(k, place) for k, place in enumerate(trail) if place is not None]
    for k, place in known:
        seen.setdefault(place, []).append(k)
    points = [((c + 0.5) * across, (r + 0.5) * down) for _, (r, c) in known]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = []
    for (row, column), steps in seen.items():
        x, y = (column + 0.5) * across, (row + 0.5) * down
        on = any(k in selected for k in steps)
        label = numbers(steps)
        half = max(13.0, 5.0 * len(label) + 5)
        marks.append(
            f'<g class="pinned{" on" if on else ""}" data-steps="{",".join(map(str, steps))}">'
            f'<rect x="{column * across:.1f}" y="{row * down:.1f}" width="{across:.1f}" '
            f'height="{down:.1f}" class="patch"/>'
            f'<rect x="{x - half:.1f}" y="{y - 13:.1f}" width="{2 * half:.1f}" height="26" '
            f'rx="13" class="pin"/>'
            f'<text x="{x:.1f}" y="{y + 5:.1f}" class="pin-name">{label}</text></g>'
        )
    said = "; ".join(f"z{k + 1} is nearest to row {r + 1}, column {c + 1}" for k, (r, c) in known)
    return (
        f'<svg class="trail" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(said, quote=True)}">'
        f'<polyline points="{line}" class="way-edge"/><polyline points="{line}" class="way"/>'
        f"{''.join(marks)}</svg>"
    )


def numbers(steps: Sequence[int]) -> str:
    """Steps from 0 as short labels from 1: “1–4”, “2,5”."""
    labels = [k + 1 for k in steps]
    if len(labels) > 2 and labels == list(range(labels[0], labels[-1] + 1)):
        return f"{labels[0]}–{labels[-1]}"
    return ",".join(str(n) for n in labels)
