"""Where two texts part: edit distance, and the first word that differs between two runs.

A guard, not evidence: a changed text may give the same answer, an unchanged one may hide a
changed mind (methodology Y10).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from core.records import Trace


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Levenshtein distance: fewest insertions, deletions and substitutions from a to b."""
    if len(a) < len(b):
        a, b = b, a
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
            diagonal, row[j] = row[j], best
    return row[-1]


def relative_edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Edit distance over the longer length, in [0, 1]; 0 for two empty ones."""
    longest = max(len(a), len(b))
    return edit_distance(a, b) / longest if longest else 0.0


@dataclass(frozen=True)
class Divergence:
    """The first words in which two runs differ.

    Attributes:
        index: how many tokens outside the latent spans they have in common.
        base_place, edited_place: index into each trace's ``token_ids``, or None where that run
            has already ended.
        base_token, edited_token: the two tokens as text, None likewise.
    """

    index: int
    base_place: int | None
    edited_place: int | None
    base_token: str | None
    edited_token: str | None


def first_divergence(base: Trace, edited: Trace) -> Divergence | None:
    """Where two runs part in what they say; None when they say the same to the end.

    Latent slots are passed over: what a family records in them is a pad or an accident of
    sampling, and an edit may change how many there are.
    """
    one, other = _words(base), _words(edited)
    for index in range(max(len(one), len(other))):
        here = one[index] if index < len(one) else None
        there = other[index] if index < len(other) else None
        if (
            here is not None
            and there is not None
            and (base.token_ids[here] == edited.token_ids[there])
        ):
            continue
        return Divergence(
            index,
            here,
            there,
            None if here is None else base.pieces[here],
            None if there is None else edited.pieces[there],
        )
    return None


def _words(trace: Trace) -> list[int]:
    return [place for place, latent in enumerate(trace.is_latent) if not latent]
