"""Reading an answer, or saying why there is none."""

import pytest

from core.families.answers import opening, parse, same


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It is \\boxed{red}.", "red"),
        ("\\boxed{first} then \\boxed{second}", "second"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{ left, up }", "left, up"),
        ("\\boxed{a}}", "a"),
    ],
)
def test_the_last_box_is_read_with_its_braces_balanced(text: str, answer: str) -> None:
    found = parse(text, "boxed")
    assert (found.text, found.problem) == (answer, None)
    assert text[found.start :].lstrip().startswith(answer)


@pytest.mark.parametrize(
    ("text", "style", "why"),
    [
        ("", "boxed", "said nothing"),
        (" \n", "tag", "said nothing"),
        ("red", "boxed", "no \\boxed"),
        ("\\boxed{red", "boxed", "never closed"),
        ("\\boxed{}", "boxed", "empty"),
        ("\\boxed{done} and \\boxed{ ", "boxed", "never closed"),
        ("red", "tag", "no <answer>"),
        ("<answer>red", "tag", "never closed"),
        ("<answer> </answer>", "tag", "empty"),
        ("<answer></answer>", "letter", "empty"),
    ],
)
def test_without_an_answer_the_reason_is_told(text: str, style: str, why: str) -> None:
    found = parse(text, style)
    assert found.text is None
    assert found.problem is not None
    assert why in found.problem


def test_tags_and_letters() -> None:
    assert parse("<answer>blue star</answer>", "tag").text == "blue star"
    assert parse("<answer>A</answer><answer>B. cat</answer>", "letter").text == "B"
    assert parse("<answer> C) left </answer", "letter").text == "C"


def test_where_an_answer_opens() -> None:
    assert opening("say \\boxed{x}", "boxed") == len("say \\boxed{")
    assert opening("say <answer>x", "tag") == len("say <answer>")
    assert opening("nothing", "boxed") is None


@pytest.mark.parametrize(
    ("answer", "gold", "alike"),
    [
        ("Red.", "red", True),
        (" top  left ", "Top left", True),
        (None, "red", False),
        ("reddish", "red", False),
        ("", "", True),
    ],
)
def test_two_answers_say_the_same(answer: str | None, gold: str, alike: bool) -> None:
    assert same(answer, gold) is alike
