"""What comes to the page's handlers from outside, looked at before they do.

A browser sends what its own scripts and widgets put together; a stranger may send anything. What
an event carries is held to the kinds of values the page's scripts send, and whatever goes through
a handler uncaught reaches the sender as one sentence.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import gradio as gr

from gui.desk import sentence_of
from gui.errors import GuiError

STRANGE = "The page sent what it never sends by itself; reload it and try again."


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 2**53 and isfinite(value)


def _perhaps(value: Any) -> bool:
    return value is None or _number(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) < 10_000


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 10_000 and all(map(_number, value))


def _rows(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 10_000 and all(
        isinstance(row, list) and len(row) < 16 and all(_number(v) or _text(v) for v in row)
        for row in value
    )  # fmt: skip


FIELDS: dict[str, Callable[[Any], bool]] = {
    "act": _text, "by": _number, "column": _number, "finding": _number, "head": _perhaps,
    "id": _text, "index": _number, "layer": _perhaps, "method": _text, "name": _text,
    "order": _number, "path": _text, "points": _rows, "row": _number, "span": _number,
    "steps": _numbers, "text": _text,
}  # fmt: skip
"""What an event of the page's own scripts may carry, and of what kind each is."""


WIDGETS: tuple[tuple[type, Callable[[Any], bool]], ...] = (
    (gr.Textbox, lambda value: isinstance(value, str)),
    (gr.Number, _number),
    (gr.Slider, _number),
    (gr.Checkbox, lambda value: isinstance(value, bool)),
    (gr.Radio, lambda value: isinstance(value, (str, int, float))),
)
"""What a widget's value is; Gradio itself holds choices to those there are."""


class Told(gr.EventData):
    """An event whose fields are of their kinds; one that is missing is said in a sentence."""

    def __init__(self, event: gr.EventData) -> None:
        carried = event._data
        for name, fits in FIELDS.items():
            if isinstance(carried, dict) and name in carried and not fits(carried[name]):
                raise GuiError(STRANGE)
        super().__init__(event.target, carried if isinstance(carried, dict) else {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._data:
            if name in FIELDS and name != "finding":  # of two gestures of one control
                raise GuiError(STRANGE)
            raise AttributeError(name)
        return self._data[name]


def guard(page: gr.Blocks) -> None:
    """Put every handler of a built page behind this."""
    for block in page.fns.values():
        if block.fn is not None:
            block.fn = guarded(block.fn, block.inputs)


def guarded(handler: Callable[..., Any], inputs: Sequence[Any] = ()) -> Callable[..., Any]:
    """A handler behind this, of the same sort and signature.

    Args:
        inputs: the widgets whose values it is given.
    """
    if inspect.isasyncgenfunction(handler):

        async def does(*given: Any) -> Any:
            with _told():
                async for out in handler(*_checked(given, inputs)):
                    yield out

    elif inspect.isgeneratorfunction(handler):

        def does(*given: Any) -> Any:
            with _told():
                yield from handler(*_checked(given, inputs))

    elif inspect.iscoroutinefunction(handler):

        async def does(*given: Any) -> Any:
            with _told():
                return await handler(*_checked(given, inputs))

    else:

        def does(*given: Any) -> Any:
            with _told():
                return handler(*_checked(given, inputs))

    return functools.wraps(handler)(does)


def _checked(given: tuple[Any, ...], inputs: Sequence[Any]) -> list[Any]:
    values = [each for each in given if not isinstance(each, (gr.EventData, gr.Request))]
    for widget, value in zip(inputs, values, strict=False):
        fits = next((fits for kind, fits in WIDGETS if isinstance(widget, kind)), None)
        if isinstance(widget, gr.Dropdown) and not widget.multiselect:
            fits = _text
        if fits is not None and value is not None and not fits(value):
            raise GuiError(STRANGE)
    return [Told(each) if isinstance(each, gr.EventData) else each for each in given]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        raise gr.Error(sentence_of(error), print_exception=False) from error
