"""A run that has no latents, word by word: how likely each word was, and what came next to it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from math import exp
from typing import TYPE_CHECKING

from gui.comparison import is_special
from gui.components.strip import share

if TYPE_CHECKING:
    from core.records import Trace

MOST = 120  # words that are listed


def wordwise_html(trace: Trace, label: Callable[[int], str] | None) -> str:
    """The list as HTML.

    Args:
        label: a token's id as text; None where no model is there to tell, and then only the words
            themselves are listed.
    """
    imagined = range(*trace.imagined) if trace.imagined else range(0)
    rows: dict[str, list[str]] = {"Imagined": [], "Said": []}
    for place, (piece, logprob) in enumerate(zip(trace.pieces, trace.logprobs, strict=True)):
        if is_special(piece) or not piece.strip():
            continue
        group = rows["Imagined" if place in imagined else "Said"]
        if len(group) < MOST:
            group.append(_row(piece, exp(logprob), _other(trace, place, label)))
    body = "".join(
        f"<section><h4>{name}</h4><ul class='wordwise'>{''.join(group)}</ul></section>"
        for name, group in rows.items()
        if group
    )
    return (
        "<h3>Word by word</h3><p class='quiet'>The probability the model gave each word as it "
        f"came, and its likeliest other.</p><div class='words-read'>{body}</div>"
    )


def _other(trace: Trace, place: int, label: Callable[[int], str] | None) -> tuple[str, float]:
    """The likeliest other token at a place, and its probability; ("", 0) where unknown."""
    if label is None or place >= len(trace.top):
        return "", 0.0
    for token, logprob in trace.top[place]:
        if token != trace.token_ids[place]:
            return label(token), exp(logprob)
    return "", 0.0


def _row(piece: str, likely: float, other: tuple[str, float]) -> str:
    word, second = _shown(piece), ""
    if other[0]:
        likely_too = escape(share(other[1]))
        second = f"<small>or <code>{_shown(other[0])}</code><span>{likely_too}</span></small>"
    return (
        f"<li><code>{word}</code><i><b style='width:{100 * min(likely, 1.0):.1f}%'></b></i>"
        f"<span>{escape(share(likely))}</span>{second}</li>"
    )


def _shown(piece: str) -> str:
    return escape(piece.strip().replace("\n", "⏎") or "␣")
