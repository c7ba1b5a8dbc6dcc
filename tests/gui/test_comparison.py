from dataclasses import replace

import pytest

from core.records import Edit
from gui.comparison import badge, first_divergence, words


def test_words_leave_out_latents_and_markers(trace):
    said = words(trace)
    assert "".join(said.pieces) == " The thing is red. \\boxed{red}"
    assert all(not trace.is_latent[place] for place in said.places)


@pytest.mark.parametrize(
    ("a", "b", "place"),
    [("abc", "abc", None), ("abc", "abd", 2), ("ab", "abc", 2), ("", "a", 0), ("", "", None)],
)
def test_first_divergence(a, b, place):
    assert first_divergence(a, b) == place


def test_badges(engine, trace):
    same = engine.branch(trace, [Edit("identity")])
    other = engine.branch(trace, [Edit("zero")])
    assert badge(trace, same) == "unchanged"
    assert badge(trace, other) == "flipped"
    reworded = replace(same, pieces=("<s>", *same.pieces[1:-2], "!", same.pieces[-1]))
    assert badge(trace, reworded) == "reworded"
    assert badge(trace, replace(other, answer=None)) == "lost"
    assert badge(replace(trace, answer=None), other) == "unparsed"
    assert badge(trace, replace(same, ended_by="cancelled")) == "stopped"
