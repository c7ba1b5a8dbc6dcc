"""Y: the baseline's and the edited answer side by side, and whether the answer cared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from gui.comparison import BADGES, badge, first_divergence, words
from gui.wording import answer_line, arrival_line, receipt_line

if TYPE_CHECKING:
    from core.records import Trace


def answers_html(
    base: Trace | None,
    edited: Trace | None,
    titles: Mapping[str, str],
    names: tuple[str, str] = ("Baseline", "Edited"),
    scores: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {}),
    partial: str = "",
) -> str:
    """The answers' side of the page.

    Args:
        base: the run compared with; None before the first run.
        edited: the branch; None before the first edit.
        titles: edit kind → title.
        names: headings of the two cards.
        scores: log-probability of each answer option, of the two runs.
        partial: words said so far by a run that is still going.
    """
    if base is None:
        said = escape(partial) if partial else "The answer appears here."
        return (
            f'<div class="verdict quiet">Did the answer care?</div><p class="said going">{said}</p>'
        )
    left, right = words(base).pieces, words(edited).pieces if edited else ()
    split = first_divergence(left, right) if edited else None
    cards = [_card(names[0], base, left, split, "then")]
    if edited is not None:
        cards.append(_card(names[1], edited, right, split, "now"))
    else:
        imagined = bool(base.spans) or base.imagined is not None
        invitation = (
            "Choose an edit and press Apply." if imagined else "Nothing was imagined to be edited."
        )
        cards.append(
            '<section class="card empty" aria-label="Edited answer"><h3>Edited</h3>'
            f"<p>{invitation}</p></section>"
        )
    return (
        _verdict(base, edited)
        + f'<div class="cards">{"".join(cards)}</div>'
        + option_bars(scores[0], scores[1] if edited is not None else {})
        + (_receipts(edited, titles) if edited is not None else "")
    )


def _verdict(base: Trace, edited: Trace | None) -> str:
    if edited is None:
        return '<div class="verdict quiet" role="status">Did the answer care?</div>'
    key = badge(base, edited)
    return f'<div class="verdict {key}" role="status"><b>{escape(BADGES[key])}</b></div>'


def _card(name: str, trace: Trace, pieces: Sequence[str], split: int | None, side: str) -> str:
    """One answer; the first divergent token is marked."""
    shown = []
    for i, piece in enumerate(pieces):
        begun = any(shown)
        bare = piece.lstrip(" ") if begun else piece.lstrip()
        if begun:
            shown.append(" " * (len(piece) - len(bare)))
        if split is not None and i == split:
            shown.append(f'<mark title="first token that differs">{escape(bare)}</mark>')
        else:
            shown.append(escape(bare))
    if split is not None and split >= len(pieces):
        shown.append('<mark title="the other answer goes on here">∅</mark>')
    known = "" if trace.answer is not None else " missing"
    return (
        f'<section class="card {side}" aria-label="{escape(name, quote=True)} answer">'
        f"<h3>{escape(name)}</h3>"
        f'<p class="answer{known}">{escape(answer_line(trace))}</p>'
        f'<p class="said">{"".join(shown)}</p></section>'
    )


def option_bars(base: Mapping[str, float], edited: Mapping[str, float]) -> str:
    """Paired bars: each option's probability among the options, before and after."""
    if not base:
        return ""
    from core.measures.outcome import renormalised

    left, right = renormalised(base), renormalised(edited)
    rows = []
    for option, p in left.items():
        q = right.get(option)
        label = f"{option}: baseline {p:.1%}, log-probability {base[option]:.2f}"
        if q is not None:
            label += f"; edited {q:.1%}, log-probability {edited[option]:.2f}"
        rows.append(
            f'<div class="option" role="img" aria-label="{escape(label, quote=True)}" '
            f'title="{escape(label, quote=True)}"><span class="what">{escape(option)}</span>'
            f'<span class="pair"><i class="then" style="width:{100 * p:.1f}%"></i>'
            + (f'<i class="now" style="width:{100 * q:.1f}%"></i>' if q is not None else "")
            + f'</span><span class="figures"><span>{p:.0%}</span>'
            + (f'<span class="now">{q:.0%}</span>' if q is not None else "")
            + "</span></div>"
        )
    return '<div class="options"><h3>Probability among the options</h3>' + "".join(rows) + "</div>"


def _receipts(edited: Trace, titles: Mapping[str, str]) -> str:
    lines = []
    for receipt in edited.receipts:
        line = escape(receipt_line(receipt, dict(titles)))
        arrival = escape(arrival_line(receipt))
        lines.append(f"<p>{line}.{' ' + arrival if arrival else ''}</p>")
    if not lines:
        return ""
    return f'<div class="receipt" aria-label="Receipt"><h3>Receipt</h3>{"".join(lines)}</div>'
