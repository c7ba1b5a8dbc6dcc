"""The study command among several processes, and its flags."""

import argparse

import accelerate
import pytest
import torch

from core.study.design import Design, Margins
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


def test_the_flags_begin_where_a_design_does():
    """The parser must not load what a design needs, so its numbers are written there again."""
    parser = argparse.ArgumentParser()
    study.add_flags(parser)
    asked, usual = vars(parser.parse_args([])), Design(())
    for name in (
        "seed", "block", "budget", "max_new_tokens", "force_latents", "alignment", "level",
        "least_emission", "least_dose", "little",
    ):  # fmt: skip
        assert asked[name] == getattr(usual, name), name
    margins = {name: asked[f"margin_{name}"] for name in ("accuracy", "flips", "logit")}
    assert Margins(**margins) == usual.margins
