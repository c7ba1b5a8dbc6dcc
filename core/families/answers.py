"""Reading the answer out of what a model said, with the reason when there is none.

Most apparent "flips" in published ablations were parser artefacts, so a parser here never
guesses: it returns the answer or says why it cannot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A parsed answer, or None with the reason."""

    text: str | None
    problem: str | None = None
    start: int = -1
    """Index of the answer's first character in the text it was read from."""


def parse(text: str, style: str) -> Answer:
    """Read the answer of ``style`` ``"boxed"``, ``"tag"`` or ``"letter"`` from ``text``."""
    if not text.strip():
        return Answer(None, "The model said nothing.")
    return _boxed(text) if style == "boxed" else _tagged(text, first_letter=style == "letter")


def _boxed(text: str) -> Answer:
    """The content of the last ``\\boxed{…}``, braces balanced."""
    opening = text.rfind("\\boxed{")
    if opening < 0:
        return Answer(None, "The text holds no \\boxed{} answer.")
    start = opening + len("\\boxed{")
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            inside = text[start:place].strip()
            return Answer(inside, None, start) if inside else Answer(None, "\\boxed{} is empty.")
    return Answer(None, "The last \\boxed{ is never closed.")


def _tagged(text: str, first_letter: bool) -> Answer:
    """What stands between the last ``<answer>`` and the next ``</answer``."""
    opening = text.rfind("<answer>")
    if opening < 0:
        return Answer(None, "The text holds no <answer>.")
    start = opening + len("<answer>")
    closing = text.find("</answer", start)
    if closing < 0:
        return Answer(None, "The last <answer> is never closed.")
    inside = text[start:closing].strip()
    if not inside:
        return Answer(None, "<answer></answer> is empty.")
    # the published LVR scorer reads the first character of the first word
    return Answer(inside.split()[0][0] if first_letter else inside, None, start)


def opening(text: str, style: str) -> int | None:
    """Index behind the last opening of an answer, closed or not; None when there is none."""
    mark = "\\boxed{" if style == "boxed" else "<answer>"
    place = text.rfind(mark)
    return None if place < 0 else place + len(mark)


def same(answer: str | None, gold: str) -> bool:
    """Whether two answers say the same: case, white space and a final stop do not count."""
    return answer is not None and _plain(answer) == _plain(gold)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().rstrip(".").casefold()
