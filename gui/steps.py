"""Latent steps as people write them (1-based, “2-3, 5”) and as programs index them (0-based)."""

from __future__ import annotations

import re
from collections.abc import Sequence

ALL = ("", "all", "*")


class StepsError(ValueError):
    """The text names no steps; the message is a sentence for a person."""


def parse_steps(text: str, count: int) -> tuple[int, ...] | None:
    """Steps named by ``text``, counted from 0, in rising order; None for all of them.

    Args:
        text: e.g. ``"2-3, 5"``, ``"z1"``, ``"all"`` or nothing (all).
        count: how many latents there are.

    Raises:
        StepsError: when the text is not a list of steps between 1 and ``count``.
    """
    plain = text.strip().lower().replace("–", "-").replace("z", "")
    if plain in ALL:
        return None
    steps: set[int] = set()
    for part in re.split(r"[,\s]+", re.sub(r"\s*-\s*", "-", plain)):
        if not part:
            continue
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part)
        if match is None:
            raise StepsError(f"“{_quoted(text)}” names no steps; write for instance 2-3, 5 or all.")
        first = int(match[1])
        last = int(match[2] or first)
        if not 1 <= first <= last <= count:
            raise StepsError(f"“{part}” is not among this run's latents z1 to z{count}.")
        steps.update(range(first - 1, last))
    if not steps:
        raise StepsError(f"“{_quoted(text)}” names no steps; write for instance 2-3, 5 or all.")
    return tuple(sorted(steps))


def _quoted(text: str) -> str:
    """What can be shown of a text, on one line."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:40]).strip()


def format_steps(steps: Sequence[int] | None) -> str:
    """0-based steps as 1-based ranges: ``(1, 2, 4)`` → ``"2–3, 5"``; None → ``"all"``."""
    if steps is None:
        return "all"
    parts: list[list[int]] = []
    for step in sorted(set(steps)):
        if parts and step == parts[-1][1] + 1:
            parts[-1][1] = step
        else:
            parts.append([step, step])
    return ", ".join(str(a + 1) if a == b else f"{a + 1}–{b + 1}" for a, b in parts)
