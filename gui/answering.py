"""A call from a program: the model it names, the run it asks for and the edits it gives.

Nothing in a call is believed: what is not understood is refused in one sentence, and what a
call made is forgotten when it ends.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.acts import GuiError
from gui.bounds import Bounds
from gui.calls import while_wanted
from gui.desk import sentence_of
from gui.shelf import DEMOS

if TYPE_CHECKING:
    from core.records import Edit, Trace
    from gui.shelf import Shelf
    from gui.workshop import Workshop

FIELDS = (
    "kind", "steps", "span", "mode", "seed", "dose", "angle", "fraction", "renorm", "order",
    "count", "token", "patch", "text", "layers", "part", "source", "target", "places",
    "values", "donor",
)  # fmt: skip


WORDS: dict[str, tuple[type, str]] = {
    "image": (str, "text: base64 or a data: address"), "question": (str, "text"),
    "model": (str, "text"), "example": (int, "a whole number"), "seed": (int, "a whole number"),
    "max_new_tokens": (int, "a whole number"), "force": (bool, "true or false"),
    "latents": (bool, "true or false"), "options": (list, "a list of texts"),
}  # fmt: skip
"""What a call's words are."""


class Answering:
    """What an endpoint needs to answer a call.

    Args:
        shelf: the models; only loaded and shipped ones answer.
        bounds: how much a call may ask for.
    """

    def __init__(self, shelf: Shelf, bounds: Bounds) -> None:
        self.shelf, self.bounds = shelf, bounds

    def models(self) -> list[str]:
        """Names of the models that answer."""
        rooms = self.shelf.loaded()
        return [
            name
            for name, model in self.shelf.models.items()
            if (name in rooms and rooms[name].ready) or (name in DEMOS and model.here)
        ]

    @contextmanager
    def turn(
        self, model: str, **words: Any
    ) -> Iterator[tuple[Workshop, set[str], threading.Event]]:
        """A turn at a model; the runs filed in the set are forgotten when the call ends.

        The event is set when the caller went away or cancelled, also while it waits in line.

        Args:
            model: the name that was given.
            words: what else was given, by the names of :data:`WORDS`.
        """
        made: set[str] = set()
        with _told(), while_wanted() as cancel:
            for name, value in {"model": model, **words}.items():
                kind, said = WORDS[name]
                if type(value) is not kind:
                    raise GuiError(f"The field “{name}” must be {said}.")
            room = self._room(model)
            with room.line.join(cancel=cancel, beside=room.beside) as ticket:
                ticket.take()
                try:
                    yield room, made, cancel
                finally:
                    room.let_go(made)

    def _room(self, name: str) -> Workshop:
        name = name or self.shelf.name
        if name not in self.models():
            raise GuiError(f"There is no model “{name}”; the endpoint models lists them.")
        return self.shelf.get(name)

    def ask(
        self, room: Workshop, made: set[str], cancel: threading.Event, image: str, question: str,
        example: int, force: bool, seed: int, longest: int,
    ) -> Trace:  # fmt: skip
        """The run that is asked for, in a turn.

        Raises:
            GuiError: what was given cannot be understood, or is too much.
            Cancelled: the caller went away.
        """
        self.bounds.check_question(question)
        self.bounds.check_run(max_new_tokens=longest)
        picture: Any = _decoded(image, self.bounds) if image else None
        if example:
            item = self.example(example)
            picture = item.image if picture is None else picture
            question = question or str(item.question)
        trace: Trace = room.sharing.run(
            picture, question, force_latents=force, seed=seed, max_new_tokens=longest,
            cancel=cancel,
        )  # fmt: skip
        made.add(trace.id)
        return _whole(trace, cancel)

    def example(self, number: int) -> Any:
        """The built-in example of a number, from 1."""
        if not 1 <= number <= len(self.shelf.gallery):
            raise GuiError(f"There are {len(self.shelf.gallery)} examples; give 1 to that.")
        return self.shelf.gallery[number - 1]

    def edit(
        self, room: Workshop, made: set[str], cancel: threading.Event, base: Trace,
        edits: list[dict] | None,
    ) -> Trace:  # fmt: skip
        """The run that edits make of a run, in a turn; raises as :meth:`ask` does."""
        if not isinstance(edits, list) or not edits:
            raise GuiError(f"Give a list of 1 to {self.bounds.edits} edits.")
        self.bounds.check_edits(edits)
        wanted = [self._read(room, entry) for entry in edits]
        self.bounds.check_edit_counts(wanted)
        child = room.sharing.branch(base, wanted, cancel)
        made.add(child.id)
        return _whole(child, cancel)

    def _read(self, room: Workshop, entry: dict) -> Edit:
        from core.records import Edit

        if not isinstance(entry, dict) or "kind" not in entry:
            raise GuiError("An edit is an object with at least a kind, such as {“kind”: “zero”}.")
        unknown = sorted(set(map(str, entry)) - set(FIELDS))
        if unknown:
            raise GuiError(f"An edit has no field “{unknown[0]}”.")
        words = dict(entry)
        if "donor" in words:
            number = words["donor"]
            if type(number) is not int:
                raise GuiError("A donor is the number of a built-in example.")
            self.example(number)
            words["donor"] = room.example(number - 1)
        try:
            return Edit(**words)
        except (TypeError, ValueError) as error:
            raise GuiError(f"The edit “{words['kind']}” is not put right: {error}.") from error


def _whole(trace: Trace, cancel: threading.Event) -> Trace:
    """A run nobody stopped: nothing more is made of one whose caller went away."""
    from core.errors import Cancelled

    if cancel.is_set():
        raise Cancelled("The call was stopped by its caller.")
    return trace


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong reaches the caller as one sentence."""
    try:
        yield
    except Exception as error:
        raise gr.Error(sentence_of(error), print_exception=False) from error


def _decoded(image: str, bounds: Bounds) -> Any:
    """The picture in a base64 text; no address is ever fetched."""
    from core.engine.pictures import read_picture

    body = image.partition(",")[2] if image.startswith("data:") else image
    bounds.check_upload(len(body) * 3 // 4)
    try:
        data = base64.b64decode(body, validate=True)
        return read_picture(data, bounds.pixels * 1_000_000)
    except ValueError as error:  # binascii's own is one; letters beyond ASCII raise the plain one
        raise GuiError("The picture must be base64 or a data: address.") from error
