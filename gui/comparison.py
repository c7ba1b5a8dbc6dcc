"""Did the answer care? What changed between a baseline run and an edited one."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Index of the first differing piece; None when both say the same.

    Over what a person sees: :func:`core.measures.divergence.first_divergence` also counts
    markers, which an edit of presence changes without changing a word.
    """
    for i, (a, b) in enumerate(zip(base, edited, strict=False)):
        if a != b:
            return i
    return None if len(base) == len(edited) else min(len(base), len(edited))


def badge(base: Trace, edited: Trace) -> str:
    """A key of :data:`BADGES`."""
    from core.measures.outcome import same_answer

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
