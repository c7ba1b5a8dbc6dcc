"""The study command among several processes, and its flags."""

import argparse

import accelerate
import pytest
import torch

from gui.commands import several, study


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


def test_a_column_is_named_as_ours_and_theirs():
    assert study.column("answer=label") == ("answer", "label")
    with pytest.raises(argparse.ArgumentTypeError):
        study.column("answer")
