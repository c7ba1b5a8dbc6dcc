"""Small pieces of HTML that the report and the page share; every text in them is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from core.measures.statistics import Interval


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; cells that begin like numbers are set to the right."""
    top = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def paragraph(words: str) -> str:
    """A paragraph."""
    return f"<p>{escape(words)}</p>"


def interval(value: Interval, scale: float = 1.0, digits: int = 1, signed: bool = True) -> str:
    """“+1.2 (−0.3 to +2.6)”, or a dash where there is no estimate."""
    if value.estimate != value.estimate:
        return "–"
    sign = "+" if signed else ""
    values = [scale * v for v in (value.estimate, value.low, value.high)]
    return "{:{s}.{d}f} ({:{s}.{d}f} to {:{s}.{d}f})".format(*values, d=digits, s=sign)


def number(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def _cell(cell: Any) -> str:
    words = str(cell)
    kind = " class='n'" if words[:1] in "+-−0123456789" and len(words) < 40 else ""
    kind = " class='t'" if len(words) >= 60 else kind
    kind = " class='fail'" if words == "FAILED" else kind
    return f"<td{kind}>{escape(words)}</td>"
