"""Parquet in and out, tables of strangers, data sets of the hub."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ImageError, RecordError
from core.study import load_items
from core.study.exports import COLUMNS, results_csv, results_parquet
from tests.core.engine import tiny
from tests.core.study.fabricated import dosed, row


def png(number: int) -> bytes:
    file = io.BytesIO()
    tiny.picture(number).save(file, format="PNG")
    return file.getvalue()


def parquet(path: Path, rows: list[dict], group: int = 2) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def test_pictures_inside_a_parquet_file_are_opened_when_they_are_looked_at(tmp_path: Path):
    rows = [
        {
            "image": {"bytes": png(n) if n != 3 else b"no picture", "path": f"{n}.png"},
            "question": f"What colour is {n}?",
            "answer": "red" if n % 2 else "blue",
            "options": ["red", "blue"],
        }
        for n in range(5)
    ]
    rows[4]["answer"] = ""
    items = load_items(parquet(tmp_path / "items.parquet", rows))
    assert [item.question for item in items] == [f"What colour is {n}?" for n in range(4)]
    assert [(p.line, p.reason) for p in items.problems] == [(5, "there is no answer")]
    for number in (2, 0, 1):  # in any order, over row groups
        assert items[number].picture().tobytes() == tiny.picture(number).convert("RGB").tobytes()
    with pytest.raises(ImageError, match=r"items\.parquet, row 4"):
        items[3].picture()
    assert len({item.cluster for item in items}) == 4


def test_a_folder_with_a_parquet_table_and_picture_files(tmp_path: Path):
    tiny.picture(1).save(tmp_path / "a.png")
    rows = [{"img": "a.png", "question": "What?", "label": 3}]
    parquet(tmp_path / "metadata.parquet", rows)
    (item,) = load_items(tmp_path)
    assert (item.answer, item.cluster) == ("3", "a.png")


def test_a_damaged_parquet_file_is_one_sentence(tmp_path: Path):
    path = tmp_path / "items.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(RecordError, match=r"items\.parquet cannot be read as parquet"):
        load_items(path)


def test_a_strangers_table_reads_only_what_came_with_it(tmp_path: Path):
    secret = tmp_path / "secret.png"
    tiny.picture(1).save(secret)
    folder = tmp_path / "given"
    folder.mkdir()
    tiny.picture(2).save(folder / "own.png")
    names = ["own.png", str(secret), "../secret.png"]
    (folder / "items.jsonl").write_text(
        "".join(
            json.dumps({"image": name, "question": "What?", "answer": "a"}) + "\n" for name in names
        )
    )
    items = load_items(folder, inside=True)
    assert [item.cluster for item in items] == ["own.png"]
    assert {p.reason for p in items.problems} == {"the picture does not come with the table"}
    assert len(load_items(folder)) == 3


def test_a_data_set_of_the_hub_is_its_parquet_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    for split in ("train", "test"):
        (tmp_path / "default" / split).mkdir(parents=True)
        rows = [{"question": f"{split}?", "answer": "yes"}]
        parquet(tmp_path / "default" / split / "0000.parquet", rows)
    asked: list[tuple] = []

    def fetched(repo: str, **more: object) -> str:
        asked.append((repo, more["revision"]))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    assert [item.question for item in load_items("hub:someone/set")] == ["test?"]
    assert [item.question for item in load_items("hub:someone/set:train")] == ["train?"]
    assert asked[0] == ("someone/set", "refs/convert/parquet")
    with pytest.raises(RecordError, match="no split “dev”"):
        load_items("hub:someone/set:dev")


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    def offline(repo: str, **more: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(RecordError, match=r"cannot be fetched from the hub \(ConnectionError\)"):
        load_items("hub:someone/set")


def test_results_are_the_same_in_both_formats():
    rows = [
        row(0, "base", "red"),
        row(1, "swap", None, receipts=dosed(0.5), expected="=blue", aligned=True),
        {"key": "k", "item": "item2", "arm": "swap", "draw": 0, "skipped": "why"},
    ]
    table = pq.read_table(io.BytesIO(results_parquet(rows)))
    assert table.column_names == list(COLUMNS)
    found = table.to_pylist()
    assert found[1]["epsilon"] == 0.5
    assert found[1]["expected"] == "=blue"
    assert found[1]["choice"] is None
    assert json.loads(found[0]["scores"])["red"] == 4.0
    assert (found[2]["skipped"], found[2]["right"]) == ("why", None)
    lines = results_csv(rows).splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert ",'=blue," in lines[2]  # no formula in a spreadsheet
