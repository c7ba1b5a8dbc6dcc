"""What is said where something is on its way, or went wrong in the place of what was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gui.desk import sentence_of
from gui.figures.look import sentence_figure
from gui.screen import say_html


def going(sentence: str) -> str:
    """A line about what is under way."""
    return f'<p class="say calm going-on" role="status">{sentence}</p>'


def safely(make: Callable[[], str]) -> str:
    """What ``make`` gives, or the sentence of what went wrong."""
    try:
        return make()
    except Exception as error:
        return say_html(sentence_of(error), True)


def figure_or_sentence(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The same for a figure."""
    try:
        return make()
    except Exception as error:
        return sentence_figure(sentence_of(error))


def figures_or_sentence(
    make: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for two figures that are made together."""
    try:
        one, other = make()
        return one, other
    except Exception as error:
        said = sentence_figure(sentence_of(error))
        return said, said
