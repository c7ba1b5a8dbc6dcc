"""Asking the model: to the end, or one latent at a time with a hand on each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gui.acts import GuiError, settle
from gui.comparison import is_special
from gui.components.strip import Slot, latent_slot, typical_norm
from gui.screen import Screen, going

if TYPE_CHECKING:
    from gui.visits import Visit
    from gui.workshop import Workshop

STEPWISE = (
    "Feeding latents by hand needs a GPU that stays; here one is lent for a call at a time, so "
    "run the question, then edit its latents."
)
PAUSE = 0.08  # seconds between two pictures of a run that is still going

# What can be fed in place of the pending latent, by name, as a person reads it.
INSTEAD = {"natural": "as imagined", "zero": "zeros", "noise": "noise", "previous": "previous"}


class Watch:
    """What can be drawn of a run that is still going."""

    def __init__(self) -> None:
        self.places: list[Slot] = []
        self.said = ""
        self.sentence = "Reading the picture and the question…"
        self._tables: dict[int, list[Any]] = {}

    def see(self, step: Any) -> None:
        """Take in one step of ``engine.stream``."""
        if step.trace is not None:
            return
        if step.latent is None:
            marker = is_special(step.piece)
            self.places.append(Slot(step.index, "marker" if marker else "word", step.piece))
            self.said += "" if marker else step.piece
            self.sentence = "Answering…"
            return
        table = self._tables.setdefault(step.span, [])
        table.append(step.latent.numpy())
        self.places.append(self._cell(step.index, step.span))
        self.sentence = f"Imagining… latent {len(table)}"

    def put(self, span: int, vector: Any, mark: str) -> None:
        """Another vector stands in the newest latent's place."""
        self._tables[span][-1] = vector
        self.places[-1] = self._cell(self.places[-1].place, span, mark)

    def before(self, span: int) -> Any:
        """The latent fed before the newest, None at a span's first."""
        table = self._tables[span]
        return table[-2] if len(table) > 1 else None

    def fed(self, span: int) -> list[Any]:
        """The latents fed before the newest."""
        return list(self._tables[span][:-1])

    def _cell(self, place: int, span: int, mark: str = "") -> Slot:
        table = self._tables[span]
        return latent_slot(
            place, span, len(table) - 1, table, typical_norm([table[:1]]), None, mark
        )


@dataclass
class Pending:
    """A run that waits before a latent is fed.

    Attributes:
        stream: the engine's generator.
        watch: what was fed so far, the waiting latent last.
        step: the step of the stream that waits.
        vector: (D,) what is fed instead; None feeds what the model imagined.
        chosen: key of :data:`INSTEAD`, ``"patch"``, or ``"edit"`` for one of the panel's.
        shared: whether it goes through the model with others' runs (:mod:`gui.sharing`).
    """

    stream: Any
    watch: Watch = field(default_factory=Watch)
    step: Any = None
    vector: Any = None
    chosen: str = "natural"
    shared: bool = False

    @property
    def natural(self) -> Any:
        """(D,) float32, what the model imagined."""
        return self.step.latent.numpy()

    @property
    def choices(self) -> dict[str, str]:
        """What can be fed instead, here."""
        first = self.watch.before(self.step.span) is None
        return {k: v for k, v in INSTEAD.items() if not (first and k == "previous")}


def ask(
    visit: Visit, workshop: Workshop, question: str, stepwise: bool = False, **settings: Any
) -> Iterator[Screen]:
    """Ask the model, drawing what it feeds while it goes.

    Args:
        question: the person's words.
        stepwise: stop before the next latent is fed; asked again, feed it and go on.
        settings: of ``engine.stream``.
    """
    visit.bounds.check_question(question, settings.get("system"))
    visit.bounds.check_options(visit.options)
    visit.bounds.check_run(settings.get("budget"), settings.get("max_new_tokens"))
    if stepwise and workshop.remote:
        raise GuiError(STEPWISE)
    waiting = visit.pending
    if waiting is None or question != visit.asked:
        if not visit.going:
            visit.cancel = threading.Event()
        visit.asked = question
        shared = not stepwise and workshop.sharing.several()
        model = workshop.sharing if shared else workshop.engine
        stream = model.stream(visit.image, question, cancel=visit.cancel, **settings)
        waiting = Pending(stream, shared=shared)
    visit.pending = None
    yield going(visit, waiting.watch.places, waiting.watch.said, waiting.watch.sentence)
    trace = None
    last = time.perf_counter()
    with nullcontext() if waiting.shared else workshop.lock:
        step = advance(waiting)
        while step is not None:
            waiting.watch.see(step)
            waiting.step, trace = step, step.trace or trace
            if step.latent is not None and stepwise and not visit.cancel.is_set():
                visit.pending = waiting
                return
            if time.perf_counter() - last > PAUSE:
                last = time.perf_counter()
                yield going(visit, waiting.watch.places, waiting.watch.said, waiting.watch.sentence)
            step = advance(waiting)
    if trace is None:
        raise GuiError("Stopped before anything was said.")
    settle(visit, workshop, trace)


def advance(waiting: Pending) -> Any:
    """Feed what waits and take the next step; None at the end."""
    import torch

    sent = None if waiting.vector is None else torch.as_tensor(waiting.vector)
    waiting.vector, waiting.chosen = None, "natural"
    try:
        return waiting.stream.send(sent)
    except StopIteration:
        return None


def stop_waiting(visit: Visit, workshop: Workshop) -> None:
    """End a run that waits; what was said so far is kept."""
    waiting, visit.pending = visit.pending, None
    trace = None
    with workshop.lock:
        step = advance(waiting)
        while step is not None:
            trace = step.trace or trace
            step = advance(waiting)
    if trace is not None:
        settle(visit, workshop, trace)
