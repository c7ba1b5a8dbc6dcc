import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.steps import StepsError, format_steps, parse_steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("2-3", (1, 2)),
        ("2–3, 5", (1, 2, 4)),
        ("z1", (0,)),
        ("1 - 2  4", (0, 1, 3)),
        ("6,1,6", (0, 5)),
        ("all", None),
        ("", None),
    ],
)
def test_people_write_steps_from_one(text, steps):
    assert parse_steps(text, 6) == steps


@pytest.mark.parametrize("text", ["0", "7", "3-2", "two", "1-", ",", "2-9", "-1", "1e3"])
def test_what_names_no_step_is_one_sentence(text):
    with pytest.raises(StepsError, match=r"\.$"):
        parse_steps(text, 6)


@given(st.sets(st.integers(0, 40), min_size=1))
def test_what_is_shown_reads_back(steps):
    assert parse_steps(format_steps(sorted(steps)), 41) == tuple(sorted(steps))


def test_ranges_are_joined():
    assert format_steps((4, 1, 2)) == "2–3, 5"
    assert format_steps(None) == "all"
