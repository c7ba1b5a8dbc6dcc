"""Rows as a study would write them, from a formula instead of a model."""

from collections.abc import Sequence
from typing import Any

from core.study.arms import Arm
from core.study.rows import Row

OPTIONS = ("red", "blue", "green")


def row(
    item: int,
    arm: str,
    choice: str | None,
    gold: str = "red",
    sure: float = 4.0,
    imagined: bool = True,
    **more: Any,
) -> Row:
    scores = {option: (sure if option == choice else 0.0) for option in OPTIONS}
    return {
        "key": f"{arm}{item}",
        "item": f"item{item}",
        "arm": arm,
        "draw": 0,
        "task": "colour",
        "cluster": f"picture{item}",
        "gold": gold,
        "answer": choice,
        "choice": choice,
        "right": choice == gold,
        "said right": choice == gold,
        "scores": scores,
        "text": "",
        "ended": "eos",
        "length": 9,
        "latents": [4] if imagined else [],
        "imagined": imagined,
        "repeats": False,
        **more,
    }


def dosed(epsilon: float = 1.0, hidden: float | None = 0.5) -> list[dict[str, Any]]:
    return [{"epsilon": epsilon, "cosine": 0.5, "hidden": hidden, "percentile": 90.0}]


def answers(arm: Arm, choices: Sequence[str | None], **more: Any) -> list[Row]:
    """A row an item; ``more`` values that are lists are taken item by item."""
    out = []
    for place, choice in enumerate(choices):
        here = {k: (v[place] if isinstance(v, list) else v) for k, v in more.items()}
        out.append(row(place, arm.name, choice, **here))
    return out
