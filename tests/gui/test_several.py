"""Several processes that a launcher was asked for, also where it starts only one."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gui.commands import Mistake, several, study
from gui.commands.several import Wished, read
from tests.core.engine import tiny

ROOT = Path(__file__).resolve().parents[2]
STUDY = ["launch.py", "study", "--items", "5", "--num_processes", "7"]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (["accelerate", "launch", "--cpu", "--num_processes", "2", *STUDY], Wished(2)),
        (["/a/python", "/b/accelerate", "launch", "--num-processes=3", *STUDY], Wished(3)),
        (["python", "-m", "accelerate.commands.launch", "--num_processes", "2", *STUDY], Wished(2)),
        (
            ["accelerate-launch", "--num_processes=4", "--num_machines=2", "--machine_rank=1",
             "--main_process_ip=10.0.0.1", "--main_process_port=29501", *STUDY],
            Wished(4, 2, 1, "10.0.0.1", 29501),
        ),
        (["accelerate", "launch", "--cpu", *STUDY], None),
        (["accelerate", "launch", "--cpu", "--num_processes", "1", *STUDY], None),
        (["bash", "-c", "python launch.py study"], None),
    ],
)  # fmt: skip
def test_what_the_launcher_was_asked_for(command: list[str], found: Wished | None):
    assert read(command) == found


def test_who_is_told_its_place_starts_nobody(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    for name in several.COUNTS:
        monkeypatch.setenv(name, "2")
        assert several.wished() is None
        monkeypatch.delenv(name)


def test_alone_nobody_is_wished_for(monkeypatch):
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    assert several.wished() is None


def test_machines_that_cannot_meet_are_a_mistake():
    with pytest.raises(Mistake, match="evenly"):
        several.start(Wished(3, 2))
    with pytest.raises(Mistake, match="main_process_ip"):
        several.start(Wished(4, 2))


def test_one_that_fails_ends_the_others(monkeypatch, tmp_path):
    """The second waits for ever; without its fellow it never would be done."""
    script = tmp_path / "one.py"
    script.write_text(
        "import os, sys, time\nsys.exit(3) if os.environ['RANK'] == '0' else time.sleep(600)\n"
    )
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert several.start(Wished(2)) == 3


@pytest.mark.timeout(1800)  # three starts of everything, on a machine that may be busy
def test_accelerate_on_processors_gives_what_one_process_gives(tmp_path, monkeypatch):
    """The whole command, from the launcher to the results: the same to the byte."""
    model = tiny.write_checkpoint(tmp_path / "model", "monet", seed=3)
    rows = []
    for place in range(5):
        tiny.picture(place).save(tmp_path / f"{place}.png")
        answer = ("red", "blue")[place % 2]
        row = {"image": f"{place}.png", "question": "What colour?", "options": "red|blue"}
        rows.append(json.dumps({**row, "answer": answer}) + "\n")
    (tmp_path / "items.jsonl").write_text("".join(rows))
    tail = [
        "study", "--model", str(model), "--data", str(tmp_path / "items.jsonl"), "--block", "2",
        "--arms", "identity;noise;swap, other answer", "--max-new-tokens", "10", "--budget", "3",
        "--force-latents", "--inside", "0", "--device", "cpu",
    ]  # fmt: skip
    for name in (*several.COUNTS, "ACCELERATE_USE_CPU"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run(
        [
            sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
            str(ROOT / "launch.py"), *tail, "--out", str(tmp_path / "two"),
        ],
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    parser = argparse.ArgumentParser()
    study.add_flags(parser)
    assert study.run(parser.parse_args([*tail[1:], "--out", str(tmp_path / "one")])) == 0
    written = {name: sorted((tmp_path / name / "rows").iterdir()) for name in ("one", "two")}
    assert [[file.name for file in files] for files in written.values()] == [
        ["0.jsonl"],
        ["0.jsonl", "1.jsonl"],
    ]
    lines = {
        name: sorted(line for file in files for line in file.read_bytes().splitlines())
        for name, files in written.items()
    }
    assert len(lines["one"]) == 5 * 4
    assert lines["one"] == lines["two"]
    for file in ("results.csv", "effects.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
