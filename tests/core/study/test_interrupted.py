"""kill -9 at random moments, and a disk that is full: finished rows are never lost or doubled."""

import errno
import json
import multiprocessing
import os
import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

import core
from core import study
from core.engine import Engine
from core.errors import RecordError
from core.study.arms import Arm, Input, Latent
from core.study.design import Design
from core.study.exports import results_csv
from core.study.items import Items
from core.study.runner import keys_of, rows_of, run_rows
from tests.core.engine import tiny

NUMBER = re.compile(r"-?\d+\.\d+")
KILLS = int(os.environ.get("ZSCOPE_KILLS", "4"))
ARMS = (
    Arm("identity", "identity", z=(Latent("identity"),)),
    Arm("blank picture", "blind", x=Input("blank")),
    Arm("swap", z=(Latent("transplant"),), donor="any"),
    Arm("noise", z=(Latent("gaussian", dose=1.0),)),
)
DESIGN = Design(ARMS, block=2, max_new_tokens=10, budget=3, force_latents=True, resamples=100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=5)
    return core.load(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Items:
    """Twenty rows: the picture of the 17th is damaged, the 5th has no answer."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for place in range(20):
        tiny.picture(place % 7).save(folder / f"{place}.png")
        row = {"image": f"{place}.png", "question": "What colour?", "options": "red|blue"}
        row["answer"] = "" if place == 4 else ("red", "blue")[place % 2]
        rows.append(row)
    (folder / "16.png").write_bytes((folder / "16.png").read_bytes()[:60])
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return study.load_items(folder)


def table(engine: Engine, items: Items, folder: Path) -> str:
    return results_csv(list(rows_of(items, DESIGN, keys_of(engine, DESIGN), folder)))


@pytest.fixture(scope="module")
def whole(engine: Engine, items: Items, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("whole")
    run_rows(engine, items, DESIGN, folder)
    return table(engine, items, folder)


def same(found: str, expected: str) -> None:
    """The same tables but for the last bits of their numbers: a block that was killed between two
    pages of its write is gone on with in smaller batches, whose sums have another order."""
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-4)


def _child(engine: Engine, items: Items, folder: Path) -> None:
    torch.set_num_threads(1)
    run_rows(engine, items, DESIGN, folder)
    os._exit(0)


def test_bad_rows_are_one_sentence_each(items: Items, whole: str):
    assert [(p.line, p.reason) for p in items.problems] == [(5, "there is no answer")]
    assert len(items) == 19
    errors = {line for line in whole.splitlines() if "16.png" in line}
    assert len(errors) == len(DESIGN.arms)
    assert all("damaged or cut short" in line for line in errors)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by forking this one")
def test_killed_at_random_moments(engine: Engine, items: Items, whole: str, tmp_path: Path):
    context, draw = multiprocessing.get_context("fork"), random.Random(1)
    file, before = tmp_path / "rows" / "0.jsonl", b""
    for _ in range(KILLS):
        process = context.Process(target=_child, args=(engine, items, tmp_path))
        process.start()
        time.sleep(draw.uniform(0.02, 0.6))
        process.kill()
        process.join()
        now = file.read_bytes() if file.exists() else b""
        finished = before[: before.rfind(b"\n") + 1]
        assert now.startswith(finished)  # no finished row is ever touched
        before = now
    run_rows(engine, items, DESIGN, tmp_path)
    same(table(engine, items, tmp_path), whole)
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    often = Counter((row["key"], row["draw"]) for row in rows if "error" not in row)
    assert set(often.values()) == {1}


def test_a_full_disk_is_one_sentence_and_the_study_goes_on_later(
    engine: Engine, items: Items, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write, room = os.write, 6000

    def full(file: int, data: bytes) -> int:
        nonlocal room
        if len(data) <= room:
            room -= len(data)
            return write(file, data)
        if room:
            written, room = write(file, data[:room]), 0
            return written
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(RecordError, match="No space left on device"):
            run_rows(engine, items, DESIGN, tmp_path)
    kept = (tmp_path / "rows" / "0.jsonl").read_bytes()
    assert kept.endswith(b"\n")  # the batch that did not fit is taken back as a whole
    run_rows(engine, items, DESIGN, tmp_path)
    assert (tmp_path / "rows" / "0.jsonl").read_bytes().startswith(kept)
    same(table(engine, items, tmp_path), whole)
