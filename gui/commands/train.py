"""Train one of the shipped demo models again, from its recipe."""

import argparse
from pathlib import Path

from gui.commands import ROOT, model

REQUIRES = ["requirements.txt"]


def step_count(value: str) -> int:
    """A number of training steps, at least one."""
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise argparse.ArgumentTypeError(f"{value!r} is no number of steps")
    return int(value)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a training run."""
    parser.add_argument("name", help="which demo model, for example faithful or shortcut")
    parser.add_argument(
        "--out", type=Path, help="folder to write (default: its place in assets/models)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of data and weights (default: 0)")
    parser.add_argument(
        "--steps", type=step_count, help="length of the schedule (default: the recipe's)"
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda or cuda:1 (default: a GPU where there is one)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train and save; stopped, the next run goes on from the last checkpoint."""
    from core import training

    out = arguments.out or model.MODELS / arguments.name
    written = training.train(
        arguments.name,
        out=out,
        seed=arguments.seed,
        steps=arguments.steps,
        folder=ROOT / ".training",
        device=arguments.device,
    )
    print(f"Written to {written}: open it with `python launch.py --model {written}`.")
    return 0
