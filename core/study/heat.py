"""Heat maps of a report: a number in every cell, colour only beside it.

A diverging scale (blue above 0, orange below) or a rising one (blue); the colour is laid over
the paper with at most :data:`STRONGEST` of its strength, so that the number stays readable on
light and on dark paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from core.study.figures import BLUE, GREY, ORANGE, opened, text

STRONGEST = 0.75
CELL, TALL, LEFT, TOP = 58, 30, 110, 46


def heat(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    down: str,
    across: str,
    unit: str,
    marked: Sequence[Sequence[bool]] = (),
    digits: int | None = None,
    said: Sequence[Sequence[str]] = (),
    left: int = LEFT,
    cell: int = CELL,
    full: float | None = None,
) -> str:
    """A table of numbers as colours and numbers.

    Args:
        values: (rows, columns); NaN cells are left open.
        rows, columns: their names.
        down, across: what rows and columns are.
        unit: of the numbers.
        marked: cells to be framed.
        digits: behind the point; None gives the largest three figures.
        said: what each cell says when it is pointed at, in place of its number.
        left: room for the rows' names, px.
        cell: width of a cell, px.
        full: the number that has the full colour; None for the largest there is.
    """
    known = [abs(v) for row in values for v in row if v == v]
    if not known:
        return ""
    most = full or max(known) or 1.0
    if digits is None:
        digits = min(4, max(0, 2 - math.floor(math.log10(most))))
    wide = max(left + cell * len(columns) + 20, 460)
    high = TOP + TALL * len(rows) + 78
    parts = [opened(wide, high, title)]
    for number, name in enumerate(columns):
        parts.append(text(left + cell * (number + 0.5), TOP - 8, name, "middle", GREY))
    for row, (name, cells) in enumerate(zip(rows, values, strict=True)):
        y = TOP + TALL * row
        parts.append(text(left - 10, y + TALL / 2 + 4, name, "end", GREY))
        for column, value in enumerate(cells):
            if value != value:
                continue
            words = said[row][column] if said else f"{value:.{digits}f} {unit}"
            frame = bool(marked) and marked[row][column]
            parts += [
                f'<rect x="{left + cell * column + 1:.0f}" y="{y + 1:.0f}" width="{cell - 2}" '
                f'height="{TALL - 2}" fill="{BLUE if value >= 0 else ORANGE}" '
                f'fill-opacity="{STRONGEST * abs(value) / most:.3f}" '
                f'stroke="currentColor" stroke-width="{2 if frame else 0.2}">'
                f"<title>{escape(f'{name} × {columns[column]}: {words}')}</title></rect>",
                text(
                    left + cell * (column + 0.5), y + TALL / 2 + 4, _short(value, digits), "middle"
                ),
            ]
    bottom = TOP + TALL * len(rows)
    parts.append(text(left + cell * len(columns) / 2, bottom + 18, across, "middle"))
    parts.append(
        f'<text x="16" y="{TOP + TALL * len(rows) / 2:.0f}" text-anchor="middle" '
        f'fill="currentColor" transform="rotate(-90 16 {TOP + TALL * len(rows) / 2:.0f})">'
        f"{escape(down)}</text>"
    )
    parts += _scale(
        most, min(v for row in values for v in row if v == v) < 0, unit, bottom + 34, left
    )
    return "".join([*parts, "</svg>"])


def _scale(most: float, both: bool, unit: str, y: int, left: int) -> list[str]:
    """The colours beside their numbers."""
    stops = [-1.0, -0.5, 0.0, 0.5, 1.0] if both else [0.0, 0.25, 0.5, 0.75, 1.0]
    parts = []
    for number, stop in enumerate(stops):
        x = left + CELL * number
        parts += [
            f'<rect x="{x}" y="{y}" width="{CELL}" height="12" '
            f'fill="{BLUE if stop >= 0 else ORANGE}" fill-opacity="{STRONGEST * abs(stop):.3f}" '
            f'stroke="currentColor" stroke-width="0.2"/>',
            text(x + CELL / 2, y + 28, f"{stop * most:.3g}", "middle", GREY),
        ]
    return [*parts, text(left + CELL * len(stops) + 10, y + 10, unit, fill=GREY)]


def _short(value: float, digits: int) -> str:
    """A number that fits its cell, “0” where rounding leaves nothing of it."""
    if abs(value) < 0.5 * 10**-digits:
        return "0"
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.0f}"
