"""Small pieces of HTML that the report and the page share; every text in them is escaped."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from core.measures.statistics import Interval

NUMBER = re.compile(r"[+−-]?\d[-+−\d.,%e]*( \([-+−\d.,%e]+ to [-+−\d.,%e]+\))?")
"""A number, with its interval where it has one."""


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


def figure(
    drawn: str,
    caption: str,
    numbers: tuple[Sequence[str], Sequence[Sequence[Any]]] | None = None,
) -> str:
    """A figure with its caption, and links that save it and the numbers behind it.

    Args:
        drawn: SVG, or "" for nothing to show, which gives "".
        caption: what it shows, of how many, with which intervals; begins with its number.
        numbers: head and rows of its CSV.
    """
    if not drawn:
        return ""
    name = caption.split(maxsplit=1)[0].rstrip(":.")
    links = (
        [_link(f"{name}.svg", "image/svg+xml", drawn, "SVG")] if drawn.count("<svg") == 1 else []
    )
    if numbers is not None:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([numbers[0], *numbers[1]])
        links.append(_link(f"{name}.csv", "text/csv", out.getvalue(), "CSV"))
    saved = f" <span class='save'>{' '.join(links)}</span>" if links else ""
    return (
        f"<figure data-figure='{escape(name)}'>{drawn}"
        f"<figcaption>{escape(caption)}{saved}</figcaption></figure>"
    )


def absent(name: str, why: str) -> str:
    """A figure that is not there, and the reason."""
    return f"<p class='absent'>{escape(f'{name} is left out: {why}')}</p>"


def _link(name: str, kind: str, words: str, said: str) -> str:
    held = f"data:{kind};charset=utf-8,{quote(words, safe='/:=,;()')}"
    return f"<a download='{escape(name)}' href='{held}'>{said}</a>"


def interval(value: Interval, scale: float = 1.0, digits: int = 1, signed: bool = True) -> str:
    """“+1.2 (−0.3 to +2.6)”, or a dash where there is no estimate."""
    if value.estimate != value.estimate:
        return "–"
    sign = "+" if signed else ""
    values = [round(scale * v, digits) + 0.0 for v in (value.estimate, value.low, value.high)]
    return "{:{s}.{d}f} ({:{s}.{d}f} to {:{s}.{d}f})".format(*values, d=digits, s=sign)


def number(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def _cell(cell: Any) -> str:
    words = str(cell)
    kind = " class='n'" if NUMBER.fullmatch(words) else ""
    kind = " class='t'" if len(words) >= 60 else kind
    kind = " class='fail'" if words == "FAILED" else kind
    return f"<td{kind}>{escape(words)}</td>"
