"""The generator gives the same items everywhere, keeps the splits apart and leaks no answer."""

import hashlib
import itertools
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core import scenes
from core.errors import InputError
from core.scenes import sampling
from core.scenes.questions import split_words
from core.scenes.split import split_of

ROOT = Path(__file__).resolve().parents[3]
DIGEST = """
import hashlib
from core import scenes
found = hashlib.sha256()
for task in scenes.TASKS:
    for item in scenes.sample(task, n=3, seed=7):
        found.update(repr((item.id, item.question, item.answer, item.options, item.scene)).encode())
        found.update(item.image.tobytes() + item.counterfactual.render(112).tobytes())
print(found.hexdigest())
"""


def first(task: str, split: str, count: int, seed: int = 0) -> list[scenes.Item]:
    return list(itertools.islice(scenes.stream(task, split, seed), count))


@pytest.mark.parametrize("task", scenes.TASKS)
def test_an_item_does_not_depend_on_how_many_are_asked_for(task: str):
    assert scenes.sample(task, n=4) == scenes.sample(task, n=9)[:4]
    assert scenes.sample(task, n=4) != scenes.sample(task, n=4, seed=1)


def test_other_processes_draw_the_same_bytes_whatever_their_hash_seed():
    digests = set()
    for hash_seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        digests.add(
            subprocess.run(
                [sys.executable, "-c", DIGEST],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
        )
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_items_are_those_that_models_were_trained_and_judged_on():
    """A change of this digest is a change of every split: the shipped cards would be void."""
    found = hashlib.sha256()
    for task in scenes.TASKS:
        for split in scenes.SPLITS:
            for item in first(task, split, 3):
                found.update(f"{item.id}|{item.question}|{item.answer}|{item.options}".encode())
                found.update(f"{item.scene.canonical}|{item.other.canonical}".encode())
    assert found.hexdigest() == "43f937e6ced55110b7c982e5896a5bb71613733c38756eee0e4c6a2b4f9880eb"


@pytest.mark.parametrize("task", scenes.TASKS)
def test_no_scene_or_counterfactual_is_in_two_splits(task: str):
    held = 80 if task == "plan" else 200
    counts = {"train": 1500, "validation": held, "test": held}
    shown = {
        split: {
            text
            for item in first(task, split, count, seed=3)
            for text in (item.scene.canonical, item.other.canonical)
        }
        for split, count in counts.items()
    }
    for a, b in itertools.combinations(scenes.SPLITS, 2):
        assert not shown[a] & shown[b]
    for split, texts in shown.items():
        assert {split_of(text) for text in texts} == {split}


def test_looks_do_not_move_a_scene_to_another_split():
    items = first("where", "test", 5)
    bare = [scenes.ObjectScene(tuple(reversed(item.scene.figures))) for item in items]
    assert [scene.split for scene in bare] == ["test"] * 5
    board = first("plan", "test", 1)[0].scene
    assert scenes.Board(board.rows).split == "test"


@pytest.mark.parametrize("task", scenes.TASKS)
def test_a_sample_repeats_no_scene(task: str):
    items = scenes.sample(task, n=150, seed=2)
    assert len({item.scene.canonical for item in items}) == 150
    assert len({item.id for item in items}) == 150


@pytest.mark.parametrize(("task", "answers"), [("relative", 4), ("where", 16), ("count", 7)])
def test_answers_are_balanced(task: str, answers: int):
    counts = Counter(item.answer for item in first(task, "train", 3000))
    assert len(counts) == answers
    assert max(counts.values()) < 1.4 * 3000 / answers
    assert min(counts.values()) > 0.65 * 3000 / answers


def test_attribute_answers_are_balanced_within_each_question():
    items = first("attribute", "train", 3000)
    for by, values in (("shape", scenes.COLOURS), ("colour", scenes.SHAPES)):
        counts = Counter(item.answer for item in items if item.asked.by == by)
        assert set(counts) == set(values)
        assert max(counts.values()) < 1.4 * counts.total() / 6


def test_test_answers_are_balanced_too():
    for task, fair in (("relative", 1 / 4), ("count", 1 / 7), ("attribute", 1 / 12)):
        counts = Counter(item.answer for item in first(task, "test", 500))
        assert max(counts.values()) < 1.5 * 500 * fair


def test_path_lengths_are_balanced_and_fit_eight_latents():
    items = first("plan", "train", 1500)
    for size, longest in ((3, 5), (4, 7)):
        lengths = Counter(item.answer.count(",") + 1 for item in items if item.scene.size == size)
        assert set(lengths) == set(range(1, longest + 1))
        assert max(lengths.values()) < 1.5 * lengths.total() / longest
    assert max(len(item.target_cells) for item in items) == 8
    assert max(len(item.counterfactual.target_cells) for item in items) <= 8
    most_common = Counter(item.answer for item in items).most_common(1)[0][1]
    assert most_common < 0.08 * len(items)


@pytest.mark.parametrize("task", scenes.TASKS)
def test_neither_the_order_nor_the_name_tells_the_answer(task: str):
    items = first(task, "train", 1200)
    size = Counter(len(item.options) for item in items).most_common(1)[0][0]
    places = Counter(item.options.index(item.answer) for item in items if len(item.options) == size)
    assert len(places) == size
    assert max(places.values()) < 1.35 * places.total() / size
    for item in items:
        assert 3 <= len(item.options) <= 6
        assert len(set(item.options)) == len(item.options)
        assert item.id.rsplit("-", 1)[0] == f"{task}-train"
        assert len(item.id.rsplit("-", 1)[1]) == 12


def test_plan_options_do_not_single_the_answer_out_by_its_form():
    """Each of the two answers has a companion of the same length with as many turns."""
    for item in first("plan", "train", 300):
        forms = [
            (len(option), sum(a != b for a, b in itertools.pairwise(option.split(","))))
            for option in item.options
        ]
        assert len(forms) == 4
        assert set(Counter(forms).values()) in ({2}, {4})


@pytest.mark.parametrize("task", scenes.TASKS)
def test_every_text_is_made_of_the_closed_vocabulary(task: str):
    words = set(scenes.WORDS)
    for item in first(task, "validation", 100):
        for text in (item.question, item.answer, item.sentence, *item.options):
            assert set(split_words(text)) <= words


def test_the_vocabulary_is_no_larger_than_what_is_said():
    said = set()
    for task in scenes.TASKS:
        for item in first(task, "train", 400):
            for text in (item.question, item.answer, item.sentence, *item.options):
                said.update(split_words(text))
    assert set(scenes.WORDS) - said <= {"7", "8", "9"}


def test_the_gallery_is_the_head_of_every_test_stream():
    items = scenes.gallery()
    assert len(items) == 24
    assert {item.task for item in items} == set(scenes.TASKS)
    assert {item.split for item in items} == {"test"}
    assert items[:5] == scenes.sample("attribute", n=5)
    assert items[-4:] == scenes.sample("plan", n=4)


def test_larger_boards_come_only_when_asked_for():
    assert {item.scene.size for item in scenes.sample("plan", n=40)} == {3, 4}
    five = scenes.sample("plan", n=5, size=5)
    assert {item.scene.size for item in five} == {5}
    assert five == scenes.sample("plan", n=5, sizes=(5,))
    assert all(item.target_cells == () for item in five)
    assert all(item.is_correct(item.answer) for item in five)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"task": "sing"}, "sing"),
        ({"task": "plan", "split": "dev"}, "dev"),
        ({"task": "plan", "size": 9}, "9"),
        ({"task": "plan", "sizes": ()}, "sizes"),
    ],
)
def test_what_is_not_offered_is_refused_in_one_sentence(arguments: dict, word: str):
    with pytest.raises(InputError, match=word):
        scenes.sample(**arguments)


def test_a_split_that_is_too_small_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "_BARREN", 15)
    with pytest.raises(InputError, match="ask for fewer"):
        scenes.sample("plan", n=5000, size=3)
