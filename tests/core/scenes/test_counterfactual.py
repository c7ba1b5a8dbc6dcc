"""The counterfactual of an item differs from it in one thing, and so does the answer."""

import itertools

import numpy as np
import pytest

from core import scenes

OBJECT_TASKS = scenes.TASKS[:-1]


def items_of(task: str, count: int = 150) -> list[scenes.Item]:
    return list(itertools.islice(scenes.stream(task, "train", seed=11), count))


@pytest.mark.parametrize("task", scenes.TASKS)
def test_same_question_same_options_another_answer(task: str):
    for item in items_of(task) + scenes.sample(task, n=20):
        other = item.counterfactual
        assert (other.question, other.options) == (item.question, item.options)
        assert other.answer != item.answer
        assert {item.answer, other.answer} <= set(item.options)
        assert other.split == item.split == other.scene.split
        assert item.is_correct(item.answer)
        assert not item.is_correct(other.answer)
        assert not other.is_correct(item.answer)


@pytest.mark.parametrize("task", scenes.TASKS)
def test_it_leads_back(task: str):
    for item in items_of(task, 20):
        assert item.counterfactual.id != item.id
        assert item.counterfactual.counterfactual == item


@pytest.mark.parametrize("task", OBJECT_TASKS)
def test_one_attribute_of_one_object_differs(task: str):
    for item in items_of(task):
        pairs = zip(item.scene.figures, item.other.figures, strict=True)
        changed = [(a, b) for a, b in pairs if a != b]
        assert len(changed) == 1
        ((before, after),) = changed
        keys = [
            k
            for k in ("cell", "shape", "colour", "look")
            if getattr(before, k) != getattr(after, k)
        ]
        assert len(keys) == 1
        expected = {"relative": {"cell"}, "where": {"cell"}}.get(task, {"shape", "colour"})
        assert keys[0] in expected
        assert item.scene.backdrop == item.other.backdrop


def test_one_square_or_the_place_of_the_goal_differs():
    kinds = set()
    for item in items_of("plan"):
        before, after = np.array(item.scene.rows), np.array(item.other.rows)
        where = np.argwhere(before != after)
        kinds.add(len(where))
        if len(where) == 1:
            assert {before[tuple(where[0])], after[tuple(where[0])]} == {0, -1}
        else:
            assert {before[tuple(w)] for w in where} == {0, 2}
            assert {after[tuple(w)] for w in where} == {0, 2}
        assert (item.scene.offset, item.scene.look) == (item.other.offset, item.other.look)
    assert kinds == {1, 2}


@pytest.mark.parametrize("task", scenes.TASKS)
def test_the_pictures_differ_only_where_the_scenes_do(task: str):
    for item in items_of(task, 6):
        difference = np.abs(
            np.asarray(item.image, dtype=int) - np.asarray(item.counterfactual.image, dtype=int)
        ).max(axis=2)
        cells = difference.reshape(4, 112, 4, 112).max(axis=(1, 3)) > 40
        assert 1 <= cells.sum() <= 2
