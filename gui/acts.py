"""What a person can do to their visit: run, edit, return, undo. No widget is known here.

Acts change the :class:`~gui.visits.Visit` and raise an error whose message is one sentence.
Those that take time are generators of :class:`~gui.screen.Screen`, drawn as they go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.comparison import is_special
from gui.components.picture import data_uri
from gui.components.strip import Slot, latent_slot, typical_norm
from gui.screen import Screen, going
from gui.wording import branch_title, emission_line

if TYPE_CHECKING:
    from core.records import Edit, Trace
    from gui.visits import Visit
    from gui.workshop import Workshop

PAUSE = 0.08  # seconds between two pictures of a run that is still going


class GuiError(Exception):
    """Something a person asked for that the page cannot do; the message is one sentence."""


def open_picture(visit: Visit, path: str, folder: str) -> None:
    """Take the uploaded picture at ``path``, which must lie in the upload ``folder``.

    Raises:
        GuiError: when the file is not a picture this program can read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    place = Path(path).resolve()
    if not place.is_relative_to(Path(folder).resolve()):
        raise GuiError("That file was not uploaded here; choose the picture again.")
    try:
        with Image.open(place) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except Image.DecompressionBombError:
        raise GuiError("That picture is too large; make it smaller than 80 megapixels.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise GuiError(
            "That file is not a picture this program can read; use a PNG, JPEG, WebP or GIF file."
        ) from None
    visit.image, visit.uri, visit.example = image, data_uri(image), None


def open_example(visit: Visit, workshop: Workshop, index: int) -> None:
    """Put a built-in example on the screen, already run.

    Raises:
        GuiError: when there is no such example.
    """
    if not 0 <= index < len(workshop.items):
        raise GuiError(f"There are {len(workshop.items)} examples; choose one of them.")
    item = workshop.items[index]
    visit.image, visit.uri, visit.example = item.image, data_uri(item.image), index
    visit.asked, visit.options = str(item.question), tuple(str(o) for o in item.options)
    settle(visit, workshop, workshop.example(index))


def settle(visit: Visit, workshop: Workshop, trace: Trace) -> None:
    """A finished run becomes the baseline."""
    visit.begin(trace)
    visit.patches = None
    latent = workshop.engine.family.latent
    with workshop.lock:
        if trace.prompt.grid[0] and trace.spans:
            visit.patches = workshop.engine.patches(trace).numpy()
        score(visit, workshop, trace)
    visit.say = emission_line(trace, latent)


def score(visit: Visit, workshop: Workshop, trace: Trace) -> None:
    """Ask for the options' log-probabilities; the caller holds the workshop's lock."""
    if visit.options and trace.ended_by != "cancelled":
        visit.scores[trace.id] = dict(workshop.engine.score(trace, list(visit.options)))


def parse_options(text: str) -> tuple[str, ...]:
    """Options from “left, right”; with a semicolon anywhere, only semicolons separate."""
    parts = text.split(";" if ";" in text else ",")
    return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))


def format_options(options: tuple[str, ...]) -> str:
    """The text :func:`parse_options` reads back."""
    return ("; " if any("," in o for o in options) else ", ").join(options)


def run(visit: Visit, workshop: Workshop, question: str, **settings: Any) -> Iterator[Screen]:
    """Ask the model, drawing what it feeds while it goes."""
    visit.cancel = threading.Event()
    visit.asked, visit.pending = question, None
    watch = Watch()
    yield going(visit, (), "", "Reading the picture and the question…")
    with workshop.lock:
        stream = workshop.engine.stream(visit.image, question, cancel=visit.cancel, **settings)
        last = time.perf_counter()
        trace = None
        for step in stream:
            watch.see(step)
            trace = step.trace or trace
            if time.perf_counter() - last > PAUSE:
                last = time.perf_counter()
                yield going(visit, watch.places, watch.said, watch.sentence)
    if trace is None:
        raise GuiError("Stopped before anything was said.")
    settle(visit, workshop, trace)


class Watch:
    """What can be drawn of a run that is still going."""

    def __init__(self) -> None:
        self.places: list[Slot] = []
        self.said = ""
        self.sentence = ""
        self._tables: dict[int, list[Any]] = {}

    def see(self, step: Any) -> None:
        """Take in one step of ``engine.stream``."""
        if step.latent is None:
            marker = is_special(step.piece)
            self.places.append(Slot(step.index, "marker" if marker else "word", step.piece))
            self.said += "" if marker else step.piece
            self.sentence = "Answering…"
            return
        table = self._tables.setdefault(step.span or 0, [])
        table.append(step.latent.detach().float().cpu().numpy())
        k = len(table) - 1
        scale = typical_norm([table])
        self.places.append(latent_slot(step.index, step.span or 0, k, table, scale))
        self.sentence = f"Imagining… latent {k + 1}"


def apply(
    visit: Visit, workshop: Workshop, parent: Trace, edits: list[Edit], title: str = ""
) -> None:
    """Branch from ``parent`` and show the branch beside the baseline."""
    visit.cancel = threading.Event()
    with workshop.lock:
        child = workshop.engine.branch(parent, edits, cancel=visit.cancel)
        score(visit, workshop, child)
    visit.grow(child, title or branch_title(tuple(edits), workshop.titles), parent.id)
    visit.say = emission_line(child, workshop.engine.family.latent) if not child.spans else ""


def select(visit: Visit, span: int, steps: list[int]) -> None:
    """Remember which latents are selected; what does not exist is left out."""
    trace = visit.edited or visit.baseline
    if trace is None or not 0 <= span < len(trace.spans):
        return
    kept = sorted({int(s) for s in steps if 0 <= int(s) < len(trace.spans[span])})
    visit.span, visit.steps = span, tuple(kept)


def act_on_branch(visit: Visit, act: str, id: str, text: str = "") -> None:
    """A click in the branch tree: show, compare, rename or delete."""
    if id not in visit.branches:
        raise GuiError("That branch is gone.")
    if act == "show":
        visit.look(visit.base, id)
    elif act == "compare":
        visit.look(id, visit.shown)
    elif act == "rename":
        visit.branches[id].title = text.strip()[:80] or visit.branches[id].title
    elif act == "delete":
        visit.forget(id)
    visit.say = ""
