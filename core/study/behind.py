"""The numbers behind a figure, as head and rows of the CSV it is saved with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.measures.statistics import Interval

Numbers = tuple[list[str], list[list[Any]]]


def of_forest(
    rows: Iterable[tuple[str, Interval, str]], what: str, scale: float = 1.0, note: str = "note"
) -> Numbers:
    """Estimates with their intervals.

    Args:
        rows: (label, interval, note), as :func:`core.study.figures.forest` draws them.
        what: the number's name and unit.
        scale: factor from the interval's unit to that one.
        note: name of the last column.
    """
    said = [
        [label, *(digits(scale * v) for v in (i.estimate, i.low, i.high)), words]
        for label, i, words in rows
        if i.estimate == i.estimate
    ]
    return ["label", what, "low", "high", note], said


def of_series(
    lines: Mapping[str, Iterable[tuple[float, float, float, float]]], across: str, up: str
) -> Numbers:
    """Lines of (x, value, low, high), as :func:`core.study.charts.series` draws them."""
    said = [
        [name, digits(x), *(digits(v) for v in rest)]
        for name, line in lines.items()
        for x, *rest in line
    ]
    return ["series", across, up, "low", "high"], said


def of_table(
    values: Sequence[Sequence[float]], rows: Sequence[str], columns: Sequence[str], down: str,
    across: str, what: str,
) -> Numbers:  # fmt: skip
    """A table of numbers, a cell a row; open cells are left out."""
    said = [
        [row, column, digits(value)]
        for row, cells in zip(rows, values, strict=True)
        for column, value in zip(columns, cells, strict=True)
        if value == value
    ]
    return [down, across, what], said


def digits(value: float) -> str:
    """Six figures; nothing where there is no number."""
    return f"{value:.6g}" if value == value else ""
