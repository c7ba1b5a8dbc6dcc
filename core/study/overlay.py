"""A picture with, beside it, how strongly each latent looks at each of its patches."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.study.figures import ORANGE, opened, text

SIDE, GAP, TOP = 104, 10, 44
ACROSS = 8
"""Panels a line."""


def overlay(
    picture: str,
    grid: tuple[int, int],
    over: Sequence[Sequence[float]],
    title: str,
    names: Sequence[str],
) -> str:
    """The picture, then once for each latent with its attention laid over.

    Colour is relative to the strongest patch of all panels; each panel carries the share of the
    attention that falls on the picture, and each patch its own.

    Args:
        picture: a data URL.
        grid: (rows, columns) of the patches.
        over: (K, rows · columns) attention.
        names: of the panels, K.
    """
    rows, columns = grid
    if not picture.startswith("data:image/") or not rows * columns or not over:
        return ""
    most = max((v for panel in over for v in panel), default=0.0) or 1.0
    tall = round(min(2.0, max(0.5, rows / columns)) * SIDE)
    panels = len(over) + 1
    across = min(ACROSS + 1, panels)
    down = -(-panels // across)
    parts = [
        opened(20 + (SIDE + GAP) * across, TOP + (tall + 38) * down, title),
    ]
    for panel in range(panels):
        x = 10 + (SIDE + GAP) * (panel % across)
        y = TOP + (tall + 38) * (panel // across)
        parts.append(
            f'<image href="{escape(picture)}" x="{x}" y="{y}" width="{SIDE}" height="{tall}" '
            'preserveAspectRatio="none"/>'
        )
        if not panel:
            parts.append(text(x, y - 6, "the picture"))
            continue
        weights, name = over[panel - 1], names[panel - 1]
        parts.append(text(x, y - 6, name))
        parts.append(f'<rect x="{x}" y="{y}" width="{SIDE}" height="{tall}" opacity="0.55"/>')
        for place, weight in enumerate(weights):
            row, column = divmod(place, columns)
            parts.append(
                f'<rect x="{x + SIDE * column / columns:.1f}" y="{y + tall * row / rows:.1f}" '
                f'width="{SIDE / columns:.1f}" height="{tall / rows:.1f}" fill="{ORANGE}" '
                f'opacity="{0.85 * weight / most:.3f}"><title>{escape(name)}, patch {row + 1}, '
                f"{column + 1}: {weight:.2%}</title></rect>"
            )
        parts.append(text(x, y + tall + 14, f"{sum(weights):.0%}"))
    return "".join([*parts, "</svg>"])
