"""Train one of the shipped demo models again, from its recipe."""

import argparse
from pathlib import Path

from gui.commands import model

REQUIRES = ["requirements.txt"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a training run."""
    parser.add_argument("name", help="which demo model, for example faithful or shortcut")
    parser.add_argument(
        "--out", type=Path, help="folder to write (default: its place in assets/models)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of data and weights (default: 0)")
    parser.add_argument("--steps", type=int, help="training steps (default: the recipe's)")


def run(arguments: argparse.Namespace) -> int:
    """Train and save; an unknown name is told by the recipes themselves."""
    from core import training

    out = arguments.out or model.MODELS / arguments.name
    training.train(arguments.name, out=out, seed=arguments.seed, steps=arguments.steps)
    return 0
