"""Rows outlive whatever ends a study."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from core.errors import RecordError
from core.study.rows import RowFile, read_rows

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
import sys
from pathlib import Path
from core.study.rows import RowFile, read_rows
folder = Path(sys.argv[1])
with RowFile(folder) as file:
    start = len(list(read_rows(folder)))
    print("ready", flush=True)
    for batch in range(start // 3, 100_000):
        file.append([{"key": f"{batch}-{n}", "text": "ü" * 400} for n in range(3)])
"""


def test_a_torn_last_line_is_taken_away(tmp_path: Path):
    with RowFile(tmp_path) as file:
        file.append([{"key": "a"}, {"key": "b"}])
    path = tmp_path / "rows" / "0.jsonl"
    whole = path.read_bytes()
    for cut in range(1, 6):
        path.write_bytes(whole + b'{"key": "c", "text"'[: cut * 3])
        with RowFile(tmp_path) as file:
            assert path.read_bytes() == whole
            assert file.size == len(whole)
    path.write_bytes(b'{"key": "a')
    with RowFile(tmp_path):
        assert path.read_bytes() == b""


def test_lines_that_are_no_rows_are_passed_over(tmp_path: Path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "0.jsonl").write_text(
        '{"key": "a"}\n\x00\x00garbage\n[1]\n{"key": "b"}\n{"ke'
    )
    assert [row["key"] for row in read_rows(tmp_path)] == ["a", "b"]


def test_two_studies_do_not_write_to_one_file(tmp_path: Path):
    with RowFile(tmp_path), pytest.raises(RecordError, match="Another study"):
        RowFile(tmp_path)
    RowFile(tmp_path, rank=1).close()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write, left = os.write, [40]

    def short(handle: int, data: bytes) -> int:
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        count = write(handle, bytes(data)[: left[0]])
        left[0] -= count
        return count

    with RowFile(tmp_path) as file:
        file.append([{"key": "a"}])
        before = file.path.read_bytes()
        monkeypatch.setattr(os, "write", short)
        with pytest.raises(RecordError, match="No space left on device") as said:
            file.append([{"key": "b" * 100}])
        assert "\n" not in str(said.value)
        assert file.path.read_bytes() == before
        monkeypatch.undo()
        file.append([{"key": "c"}])
    assert [row["key"] for row in read_rows(tmp_path)] == ["a", "c"]


def test_kill_at_any_moment_loses_at_most_the_batch_in_flight(tmp_path: Path):
    """Killed again and again: whole batches only, each once, in order, none lost."""
    rng, kills = Random(0), int(os.environ.get("ZSCOPE_KILLS", "3"))
    path = tmp_path / "rows" / "0.jsonl"
    kept = b""
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.0, 0.15))
        child.kill()
        child.wait()
        child.stdout.close()
        now = path.read_bytes()
        assert now.startswith(kept)
        with RowFile(tmp_path):
            pass
        kept = path.read_bytes()
        keys = [json.loads(line)["key"] for line in kept.splitlines()]
        assert keys == [f"{n // 3}-{n % 3}" for n in range(len(keys))]
