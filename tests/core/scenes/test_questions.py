"""Questions as structures: put to other scenes, and answered from another item's evidence."""

import itertools

import pytest

from core import scenes
from core.scenes.objects import Figure, ObjectScene
from core.scenes.questions import Question

SCENE = ObjectScene(
    (
        Figure(1, "star", "red"),
        Figure(3, "circle", "blue"),
        Figure(9, "heart", "red"),
        Figure(14, "square", "green"),
    )
)


def first(task: str, count: int) -> list[scenes.Item]:
    return list(itertools.islice(scenes.stream(task, "train", seed=4), count))


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        (
            Question("attribute", "shape", "star"),
            "red",
            "The star is red at row 1, column 2.",
        ),
        (
            Question("attribute", "colour", "blue"),
            "circle",
            "The blue object is a circle at row 1, column 4.",
        ),
        (
            Question("where", "shape", "heart"),
            "row 3, column 2",
            "The heart is at row 3, column 2.",
        ),
        (
            Question("relative", "shape", "star", "circle"),
            "left",
            "The star is at row 1, column 2 and the circle is at row 1, column 4.",
        ),
        (Question("relative", "shape", "heart", "star"), "below", None),
        (Question("count", "colour", "red"), "2", "There are 2 red objects."),
        (Question("count", "shape", "circle"), "1", "There is 1 circle."),
        (Question("count", "shape", "cross"), "0", "There are 0 crosses."),
    ],
)
def test_answers_and_sentences_follow_from_the_scene(
    question: Question, answer: str, sentence: str | None
):
    assert scenes.answer_for(question, SCENE) == answer
    if sentence is not None:
        assert scenes.sentence_for(question, SCENE) == sentence


@pytest.mark.parametrize(
    "question",
    [
        Question("attribute", "colour", "red"),
        Question("where", "shape", "cross"),
        Question("relative", "shape", "star", "square"),
        Question("plan"),
    ],
)
def test_a_question_that_the_scene_leaves_open_has_no_answer(question: Question):
    with pytest.raises(ValueError, match=r"exactly one|share no|needs a board"):
        scenes.answer_for(question, SCENE)


def test_a_plan_is_put_in_a_sentence():
    board = scenes.Board(((1, 0, 0), (-1, -1, 0), (2, 0, 0)), offset=(1, 0))
    said = scenes.sentence_for(Question("plan"), board)
    assert said == "The path goes through (2,1), (2,2), (2,3), (3,3), (4,3), (4,2), (4,1)."


def test_an_item_transferred_from_itself_keeps_its_answer():
    for task in scenes.TASKS:
        for item in first(task, 40):
            assert item.transferred_from(item) == item.answer
            assert item.transferred_from(item.counterfactual) == item.counterfactual.answer


def test_a_donor_of_another_question_gives_its_region():
    colour = next(i for i in first("attribute", 50) if i.asked.by == "shape")
    place = first("where", 1)[0]
    figure = next(f for f in place.scene.figures if (f.cell,) == place.target_cells)
    assert colour.transferred_from(place) == figure.colour
    assert place.transferred_from(colour) == (
        f"row {colour.target_cells[0] // 4 + 1}, column {colour.target_cells[0] % 4 + 1}"
    )
    assert first("relative", 1)[0].transferred_from(place) is None
    assert first("count", 1)[0].transferred_from(place) is None
    assert first("plan", 1)[0].transferred_from(place) is None
    assert place.transferred_from(first("plan", 1)[0]) is None


def test_answers_in_words_are_compared_without_their_dress():
    item = first("where", 1)[0]
    assert item.is_correct(f"  {item.answer.upper()}. ")
    assert item.is_correct(item.answer.replace(" ", "  "))
    assert not item.is_correct("")
    assert not item.is_correct(f"not {item.answer}")
    plan = first("plan", 1)[0]
    assert plan.is_correct(plan.answer.replace(",", " ").lower())
    assert not plan.is_correct("")


def test_target_cells_are_in_the_order_of_the_question():
    for item in first("relative", 30):
        cells = {getattr(f, item.asked.by): f.cell for f in item.scene.figures}
        assert item.target_cells == (cells[item.asked.name], cells[item.asked.other])
    for item in first("count", 30):
        assert list(item.target_cells) == sorted(item.target_cells)
        assert str(len(item.target_cells)) == item.answer
