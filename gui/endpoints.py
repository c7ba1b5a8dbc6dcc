"""What the page does, for programs: five endpoints that take and give plain JSON.

They hold nothing between calls. A call names a picture and a question, or a built-in example,
and the edits to be made; what comes back tells everything that was measured.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.acts import GuiError
from gui.bounds import Bounds
from gui.calls import while_wanted
from gui.comparison import badge
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


class Endpoints:
    """The endpoints, put on a page by :meth:`offer`.

    Args:
        shelf: the models; only loaded and shipped ones answer.
        bounds: how much a call may ask for.
    """

    def __init__(self, shelf: Shelf, bounds: Bounds | None = None) -> None:
        self.shelf, self.bounds = shelf, bounds or Bounds()

    def offer(self) -> None:
        """Add them to the ``gr.Blocks`` that is being built."""
        for name in ("models", "examples"):
            gr.api(getattr(self, name), api_name=name, queue=False)
        for name in ("run", "branch", "score"):
            gr.api(getattr(self, name), api_name=name, concurrency_limit=None)

    def models(self) -> list[dict]:
        """List the models that can be asked.

        Returns:
            One entry a model: its name, what it is for, whether it is loaded, and its family.
        """
        rooms = self.shelf.loaded()
        out = []
        for name, model in self.shelf.models.items():
            ready = name in rooms and rooms[name].ready
            if ready or (name in DEMOS and model.here):
                family = rooms[name].engine.family.name if ready else None
                out.append({"name": name, "about": model.about, "loaded": ready, "family": family})
        return out

    def examples(self) -> list[dict]:
        """List the built-in examples.

        Returns:
            One entry an example: its number (from 1), task, question, answer options and true
            answer.
        """
        return [
            {
                "example": i,
                "task": str(item.task),
                "question": str(item.question),
                "options": [str(o) for o in item.options],
                "answer": str(item.answer),
            }
            for i, item in enumerate(self.shelf.gallery, 1)
        ]

    def run(
        self,
        image: str = "",
        question: str = "",
        example: int = 0,
        model: str = "",
        force: bool = False,
        seed: int = 0,
        max_new_tokens: int = 256,
        latents: bool = False,
    ) -> dict:
        """Ask a model a question about a picture and see what it imagines before it answers.

        Args:
            image: the picture, base64 or a data: address; leave empty with an example.
            question: the question; with an example, empty takes the example's own.
            example: number of a built-in example, from 1; 0 for none.
            model: name of a model from `models`; empty for the one the page opened with.
            force: make the model imagine.
            seed: seeds sampling.
            max_new_tokens: the most tokens said.
            latents: also return the latent vectors.

        Returns:
            Answer, text, tokens, and each latent span with the norms of its vectors.
        """
        with self._turn(model) as (room, made, cancel):
            trace = self._ask(
                room, made, cancel, image, question, example, force, seed, max_new_tokens
            )
            return plain(trace, latents)

    def branch(
        self,
        image: str = "",
        question: str = "",
        edits: list[dict] | None = None,
        example: int = 0,
        model: str = "",
        force: bool = False,
        seed: int = 0,
        max_new_tokens: int = 256,
        latents: bool = False,
    ) -> dict:
        """Ask a question, edit what the model imagined, and let it go on: does the answer change?

        Args:
            image: the picture, base64 or a data: address; leave empty with an example.
            question: the question; with an example, empty takes the example's own.
            edits: a list such as [{"kind": "gaussian", "steps": [1, 2], "dose": 1.0}]; steps
                count from 0 and leaving them out means all. A donor is the number of a built-in
                example: {"kind": "swap", "donor": 2}.
            example: number of a built-in example, from 1; 0 for none.
            model: name of a model from `models`; empty for the one the page opened with.
            force: make the model imagine.
            seed: seeds sampling.
            max_new_tokens: the most tokens said.
            latents: also return the latent vectors.

        Returns:
            The run before ("baseline") and after ("edited"), a verdict, and for each edit a
            receipt of the dose that was delivered.
        """
        with self._turn(model) as (room, made, cancel):
            base = self._ask(
                room, made, cancel, image, question, example, force, seed, max_new_tokens
            )
            child = self._edit(room, made, cancel, base, edits)
            return {
                "baseline": plain(base, latents),
                "edited": plain(child, latents),
                "verdict": badge(base, child),
                "receipts": [asdict(receipt) for receipt in child.receipts],
            }

    def score(
        self,
        options: list[str],
        image: str = "",
        question: str = "",
        edits: list[dict] | None = None,
        example: int = 0,
        model: str = "",
        force: bool = False,
    ) -> dict:
        """Log-probability of each answer option after the model's own, or edited, imagination.

        Args:
            options: the answers to compare, such as ["left", "right"].
            image: the picture, base64 or a data: address; leave empty with an example.
            question: the question; with an example, empty takes the example's own.
            edits: as in `branch`; leave out to score the run as it was.
            example: number of a built-in example, from 1; 0 for none.
            model: name of a model from `models`; empty for the one the page opened with.
            force: make the model imagine.

        Returns:
            Option to log-probability in nats.
        """
        with self._turn(model) as (room, made, cancel):
            self.bounds.check_options(options)
            trace = self._ask(room, made, cancel, image, question, example, force, 0, 256)
            trace = self._edit(room, made, cancel, trace, edits) if edits else trace
            with room.lock:
                return dict(room.engine.score(trace, [str(o) for o in options]))

    @contextmanager
    def _turn(self, model: str) -> Iterator[tuple[Workshop, set[str], threading.Event]]:
        """A turn at a model; the runs filed in the set are forgotten when the call ends.

        The event is set when the caller went away or cancelled, also while it waits in line.
        """
        made: set[str] = set()
        with _told(), while_wanted() as cancel:
            room = self._room(model)
            with room.line.join(cancel=cancel) as ticket:
                ticket.take()
                try:
                    yield room, made, cancel
                finally:
                    room.let_go(made)

    def _room(self, name: str) -> Workshop:
        name = name or self.shelf.name
        if name not in [m["name"] for m in self.models()]:
            raise GuiError(f"There is no model “{name}”; the endpoint models lists them.")
        return self.shelf.get(name)

    def _ask(
        self, room: Workshop, made: set[str], cancel: threading.Event, image: str, question: str,
        example: int, force: bool, seed: int, longest: int,
    ) -> Trace:  # fmt: skip
        self.bounds.check_question(question)
        self.bounds.check_run(max_new_tokens=longest)
        picture: Any = _decoded(image, self.bounds) if image else None
        if example:
            item = self._item(example)
            picture = item.image if picture is None else picture
            question = question or str(item.question)
        with room.lock:
            trace: Trace = room.engine.run(
                picture, question, force_latents=force, seed=seed, max_new_tokens=longest,
                cancel=cancel,
            )  # fmt: skip
        made.add(trace.id)
        return _whole(trace, cancel)

    def _item(self, number: int) -> Any:
        if not 1 <= number <= len(self.shelf.gallery):
            raise GuiError(f"There are {len(self.shelf.gallery)} examples; give 1 to that.")
        return self.shelf.gallery[number - 1]

    def _edit(
        self, room: Workshop, made: set[str], cancel: threading.Event, base: Trace,
        edits: list[dict] | None,
    ) -> Trace:  # fmt: skip
        if not isinstance(edits, list) or not edits:
            raise GuiError(f"Give a list of 1 to {self.bounds.edits} edits.")
        self.bounds.check_edits(edits)
        wanted = [self._one(room, entry) for entry in edits]
        self.bounds.check_edit_counts(wanted)
        with room.lock:
            child: Trace = room.engine.branch(base, wanted, cancel=cancel)
        made.add(child.id)
        return _whole(child, cancel)

    def _one(self, room: Workshop, entry: dict) -> Edit:
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
            self._item(number)
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


def plain(trace: Trace, latents: bool = False) -> dict:
    """A run as JSON."""
    spans = []
    for span in trace.spans:
        entry: dict[str, Any] = {
            "start": span.start,
            "steps": len(span),
            "ended_by": span.ended_by,
            "norms": [round(v, 4) for v in span.latents.norm(dim=1).tolist()],
        }
        if latents:
            entry["latents"] = span.latents.tolist()
        spans.append(entry)
    return {
        "answer": trace.answer,
        "answer_problem": trace.answer_problem,
        "text": trace.text,
        "pieces": list(trace.pieces),
        "token_ids": list(trace.token_ids),
        "spans": spans,
        "imagined": "".join(trace.pieces[slice(*trace.imagined)]) if trace.imagined else None,
        "ended_by": trace.ended_by,
        "model": trace.model,
        "family": trace.family,
    }
