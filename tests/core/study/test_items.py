"""Data sets of other people: found by column name, and bad rows said by line, not dropped."""

import json
from pathlib import Path

import pytest
from PIL import Image

from core import scenes
from core.errors import InputError, RecordError
from core.study.items import of_scene
from core.study.tables import load_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (40, 30), colour).save(tmp_path / name)
    return tmp_path


GOOD = {"image": "a.png", "question": "Which colour?", "answer": "red", "options": ["red", "blue"]}


def lines(folder: Path, *rows: object) -> Path:
    path = folder / "items.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def test_json_lines_with_every_column(folder: Path):
    row = {**GOOD, "id": "x1", "task": "colour", "image_id": "p", "bbox": [1, 2, 11, 12]}
    item = load_items(lines(folder, row))[0]
    assert (item.id, item.task, item.cluster, item.box) == ("x1", "colour", "p", (1, 2, 11, 12))
    assert item.options == ("red", "blue")
    assert item.judge(" Red. ")
    assert not item.judge("blue")
    assert item.picture().size == (40, 30)


def test_bad_rows_are_said_by_line_and_the_rest_is_read(folder: Path):
    items = load_items(
        lines(
            folder,
            GOOD,
            "{broken",
            {**GOOD, "answer": ""},
            {**GOOD, "image": "none.png"},
            {**GOOD, "answer": "green"},
            {**GOOD, "question": " "},
            {**GOOD, "bbox": [5, 5, 5, 5]},
            "[1, 2]",
            {**GOOD, "image": "b.png", "answer": "blue"},
        )
    )
    assert [item.answer for item in items] == ["red", "blue"]
    reasons = dict(items.problems)
    assert sorted(reasons) == [2, 3, 4, 5, 6, 7, 8]
    assert "JSON" in reasons[2]
    assert "answer" in reasons[3]
    assert "none.png" in reasons[4]
    assert "none of the options" in reasons[5]


def test_a_letter_names_its_option(folder: Path):
    rows = (
        {**GOOD, "answer": "B"},
        {"image": "a.png", "question": "?", "answer": "A", "A": "x", "B": "y"},
    )
    assert [item.answer for item in load_items(lines(folder, *rows))] == ["blue", "x"]


def test_columns_of_another_name(folder: Path):
    row = {"bild": "a.png", "frage": "Farbe?", "antwort": "rot"}
    path = lines(folder, row)
    with pytest.raises(RecordError, match=r"Line 1: there is no question"):
        load_items(path)
    names = {"image": "bild", "question": "frage", "answer": "antwort"}
    assert load_items(path, columns=names)[0].question == "Farbe?"
    with pytest.raises(InputError, match="no column"):
        load_items(path, columns={"colour": "x"})


def test_csv_json_and_a_folder_say_the_same(folder: Path):
    (folder / "items.csv").write_text(
        "image,question,answer,options\na.png,Which colour?,red,red|blue\nb.png,short\n"
    )
    (folder / "other.json").write_text(json.dumps({"data": [GOOD]}))
    first, second = load_items(folder), load_items(folder / "other.json")
    assert first[0].options == second[0].options == ("red", "blue")
    assert first.problems[0].line == 3
    lines(folder, GOOD)
    assert load_items(folder).source == "items.jsonl"  # JSON Lines before CSV


def test_a_conversation_is_read_by_its_first_exchange(folder: Path):
    row = {
        "image": "a.png",
        "conversations": [
            {"from": "human", "value": "<image>\nWhich colour?"},
            {"from": "gpt", "value": "I see. \\boxed{red}"},
        ],
    }
    item = load_items(lines(folder, row))[0]
    assert (item.question, item.answer) == ("Which colour?", "red")


def test_the_same_id_twice_stays_two_items(folder: Path):
    items = load_items(lines(folder, {**GOOD, "id": "x"}, {**GOOD, "id": "x"}))
    assert [item.id for item in items] == ["x", "x#2"]


def test_what_is_no_data_set_is_one_sentence(folder: Path):
    for place in (folder / "none", folder, folder / "a.png", lines(folder, "no")):
        with pytest.raises(RecordError) as said:
            load_items(place)
        assert "\n" not in str(said.value)


def test_shipped_scenes_take_turns_and_know_their_counterfactual():
    items = load_items("scenes:where,count", 6)
    assert [item.task for item in items] == ["where", "count"] * 3
    item = items[0]
    assert item.judge(item.answer)
    assert not item.judge(item.counterfactual.answer)
    assert item.counterfactual.picture().tobytes() != item.picture().tobytes()


def test_a_scenes_donor_answers_this_question():
    one, other = (of_scene(item) for item in scenes.sample("where", n=2))
    assert one.transfer(other) == other.answer
    assert of_scene(scenes.sample("count", n=1)[0]).transfer(one) is None


def test_planning_maps_in_the_published_layout(tmp_path: Path):
    scenes.vsp.write(scenes.sample("plan", n=3), tmp_path / "set")
    items = load_items(tmp_path / "set")
    assert len(items) == 3
    assert items[0].judge(f"\\boxed{{{items[0].answer}}}")
    assert not items[0].judge("\\boxed{}")
