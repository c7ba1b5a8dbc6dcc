"""Edit distance against its definition; where two runs part."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.measures.divergence import edit_distance, first_divergence, relative_edit_distance
from core.records import Prompt, Settings, Span, Trace

few = settings(max_examples=60, deadline=None)
words = st.text("ab", max_size=7)


def by_definition(a: str, b: str) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        same = a[i - 1] == b[j - 1]
        return min(
            distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (not same)
        )

    return distance(len(a), len(b))


@given(words, words, words)
@few
def test_edit_distance_is_the_definition_and_a_distance(a: str, b: str, c: str):
    assert edit_distance(a, b) == by_definition(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert 0 <= relative_edit_distance(a, b) <= 1


def test_edit_distance_by_hand():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance((1, 2, 3), ()) == 3
    assert relative_edit_distance("", "") == 0
    assert relative_edit_distance("ab", "") == 1


def trace(tokens: str, latent: tuple[int, int] = (0, 0)) -> Trace:
    """A run that says ``tokens``, letter by letter, with latent slots from–to."""
    start, stop = latent
    spans = ()
    if stop > start:
        vectors = torch.zeros(stop - start, 2)
        spans = (Span(start, vectors, vectors, "count"),)
    ids = tuple(map(ord, tokens))
    return Trace(
        Prompt(), "monet", "m", Settings(), ids, ids, tuple(tokens), spans, (0.0,) * len(ids)
    )


@pytest.mark.parametrize(
    ("base", "edited", "expected"),
    [
        ("abc", "abc", None),
        ("abc", "abd", (2, 2, 2, "c", "d")),
        ("abc", "ab", (2, 2, None, "c", None)),
        ("", "x", (0, None, 0, None, "x")),
        ("", "", None),
    ],
)
def test_first_divergence(base: str, edited: str, expected: tuple[object, ...] | None):
    found = first_divergence(trace(base), trace(edited))
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (
        found.index, found.base_place, found.edited_place, found.base_token, found.edited_token
    ) == expected  # fmt: skip


def test_latent_slots_are_passed_over_whatever_they_record():
    assert first_divergence(trace("s??ab", (1, 3)), trace("s!!!!ab", (1, 5))) is None
    found = first_divergence(trace("s??ab", (1, 3)), trace("s!ac", (1, 2)))
    assert found is not None
    assert (found.index, found.base_place, found.edited_place) == (2, 4, 3)
