"""The columns of Compare: which models can stand in one, and what stands in it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from gui import acts, asking
from gui.oneclick import one_click
from gui.panel import QUICK
from gui.shelf import Model, Shelf
from gui.still import still_answers, still_strip
from gui.visits import Visit

if TYPE_CHECKING:
    from gui.panel import Panel
    from gui.workshop import Workshop


def choices(shelf: Shelf) -> list[tuple[str, str]]:
    """(label, name) of the models that can be compared: those that are here."""
    rooms = shelf.loaded()
    return [
        (label(model), name)
        for name, model in shelf.models.items()
        if (name in rooms and not rooms[name].failure) or (name in shelf.demos and model.here)
    ]


def label(model: Model) -> str:
    """A model's name with a few words about it."""
    return f"{model.name}: {model.about}" if model.about else model.name


def columns_html(shelf: Shelf, cells: dict[str, str]) -> str:
    """The columns, the models' names above them."""
    parts = []
    for name, body in cells.items():
        model, room = shelf.models[name], shelf.loaded().get(name)
        engine: Any = room.engine if room is not None else None
        family = f" · {engine.family.title}" if engine is not None else ""
        about = escape(f"{model.about}{family}".removeprefix(" · "))
        parts.append(
            f'<section class="rival" aria-label="{escape(name, quote=True)}">'
            f"<header><h2>{escape(name)}</h2><p>{about}</p></header>{body}</section>"
        )
    return f'<div class="rivals" style="--columns:{len(parts)}">{"".join(parts)}</div>'


def answered(subject: Visit, room: Workshop, edit: str, model: str, panel: Panel) -> str:
    """One model's column: the question asked of it, and the edit made.

    Args:
        subject: what is asked about.
        room: the model's, in its turn.
        edit: key of :data:`gui.panel.QUICK`, or anything else for no edit.
        model: the model's name.
        panel: makes the edit.
    """
    own = Visit(
        image=subject.image, uri=subject.uri, asked=subject.asked, options=subject.options,
        example=subject.example, model=model, bounds=subject.bounds,
    )  # fmt: skip
    index, items = subject.example, room.items
    subject.beside["running"] = own
    if index is not None and items and subject.asked == str(items[index].question):
        options = own.options
        acts.open_example(own, room, index)
        if options != own.options and own.baseline is not None:
            own.options = options
            acts.score(own, room, own.baseline)
    else:
        for _ in asking.ask(own, room, subject.asked):
            if subject.cancel.is_set():
                own.cancel.set()
    note = ""
    if edit in QUICK and own.baseline is not None and not subject.cancel.is_set():
        try:
            made, title = one_click(edit, own, room, panel)
            acts.apply(own, room, own.baseline, [made], title)
        except acts.GuiError as error:
            note = f'<p class="note">{escape(str(error))}</p>'
    return f'{still_strip(own, room)}{note}<div class="said-by">{still_answers(own, room)}</div>'
