"""The study command among several processes, and its flags."""

import argparse
import subprocess
import sys
from pathlib import Path

import accelerate
import pytest
import torch

from gui.commands import several, study

ROOT = Path(__file__).resolve().parents[2]

TWO = r"""
import os
from gui.commands.several import processes, wait
place, of = processes()
os.write(1, f"{place} {of}\n".encode())  # one write: two processes share the pipe
wait()
"""


def test_alone_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert several.processes() is None


def test_processes_on_a_machine_without_accelerator_are_told_apart(monkeypatch):
    """Not told that they are the CPU's, accelerate would take each for the only one."""
    asked = []

    class State:
        process_index, num_processes = 1, 2

        def __init__(self, cpu: bool) -> None:
            asked.append(cpu)

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(accelerate, "PartialState", State)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert several.processes() == (1, 2)
    assert asked == [True]


def test_two_started_processes_know_their_places(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{TWO}")
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
            "--master_port", "0", "--standalone", str(script),
        ],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    if torch.cuda.is_available():
        pytest.skip("with an accelerator this would need two of them")
    assert sorted(done.stdout.split("\n"))[-2:] == ["0 2", "1 2"]


def test_a_column_is_named_as_ours_and_theirs():
    assert study.column("answer=label") == ("answer", "label")
    with pytest.raises(argparse.ArgumentTypeError):
        study.column("answer")
