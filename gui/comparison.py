"""Did the answer care? What changed between a baseline run and an edited one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records import Trace

BADGES = {
    "unchanged": "answer unchanged",
    "flipped": "answer flipped",
    "reworded": "text changed, answer unchanged",
    "lost": "no answer any more",
    "unparsed": "text changed, no answer to compare",
    "stopped": "stopped before the answer",
}


@dataclass(frozen=True)
class Words:
    """What a run said: the pieces of its text, latent slots and special tokens left out.

    Attributes:
        pieces: the text tokens in order.
        places: index of each in ``Trace.token_ids``.
    """

    pieces: tuple[str, ...]
    places: tuple[int, ...]


def is_special(piece: str) -> bool:
    """Whether a token is a marker and says nothing: ``<|im_end|>``, ``<abs_vis_token>``."""
    return len(piece) > 2 and piece.startswith("<") and piece.endswith(">")


def words(trace: Trace) -> Words:
    """The text tokens of a run."""
    kept = [
        (piece, place)
        for place, (piece, latent) in enumerate(zip(trace.pieces, trace.is_latent, strict=True))
        if not latent and not is_special(piece)
    ]
    return Words(tuple(p for p, _ in kept), tuple(i for _, i in kept))


def first_divergence(base: Sequence[str], edited: Sequence[str]) -> int | None:
    """Index of the first differing piece; None when both say the same."""
    for i, (a, b) in enumerate(zip(base, edited, strict=False)):
        if a != b:
            return i
    return None if len(base) == len(edited) else min(len(base), len(edited))


def same_answer(a: str | None, b: str | None) -> bool:
    """Whether two parsed answers are the same apart from case, spacing and a full stop."""
    if a is None or b is None:
        return a is b
    return " ".join(a.casefold().split()).rstrip(".") == " ".join(b.casefold().split()).rstrip(".")


def badge(base: Trace, edited: Trace) -> str:
    """A key of :data:`BADGES`."""
    if edited.ended_by == "cancelled":
        return "stopped"
    same_text = first_divergence(words(base).pieces, words(edited).pieces) is None
    if base.answer is None or edited.answer is None:
        if same_text:
            return "unchanged"
        return "lost" if base.answer is not None else "unparsed"
    if not same_answer(base.answer, edited.answer):
        return "flipped"
    return "unchanged" if same_text else "reworded"


def shares(scores: Mapping[str, float]) -> dict[str, float]:
    """Log-probabilities of the options → their probabilities among each other (sum 1)."""
    if not scores:
        return {}
    top = max(scores.values())
    weights = {o: math.exp(s - top) for o, s in scores.items()}
    total = sum(weights.values())
    return {o: w / total for o, w in weights.items()}
