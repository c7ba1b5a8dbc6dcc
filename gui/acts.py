"""What a person can do to their visit: run, edit, return, undo. No widget is known here.

Acts change the :class:`~gui.visits.Visit` and raise an error whose message is one sentence.
Asking the model, which is drawn as it goes, is :mod:`gui.asking`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gui.components.picture import data_uri
from gui.errors import GuiError
from gui.wording import branch_title, emission_line

if TYPE_CHECKING:
    from core.records import Edit, Trace
    from gui.visits import Visit
    from gui.workshop import Workshop


def open_picture(visit: Visit, path: str, folder: str) -> None:
    """Take the uploaded picture at ``path``, which must lie in the upload ``folder``.

    Raises:
        GuiError: when the file lies elsewhere; core.errors.ImageError: when it is no picture.
    """
    from core.engine.pictures import read_picture

    place = Path(path).resolve()
    if not place.is_relative_to(Path(folder).resolve()):
        raise GuiError("That file was not uploaded here; choose the picture again.")
    visit.bounds.check_upload(place.stat().st_size)
    try:
        image = read_picture(place.read_bytes(), visit.bounds.pixels * 1_000_000)
    finally:
        place.unlink(missing_ok=True)  # what is shown is kept with the visit, under its key
    visit.image, visit.uri, visit.example = image, data_uri(image), None
    visit.pending = None


def open_example(visit: Visit, workshop: Workshop, index: int) -> None:
    """Put a built-in example on the screen, already run.

    Raises:
        GuiError: when there is no such example.
    """
    recorded = getattr(workshop, "show_example", None)
    if recorded is not None:  # no model here: its examples are runs out of files
        recorded(visit, index)
        return
    if not 0 <= index < len(workshop.items):
        raise GuiError(f"There are {len(workshop.items)} examples; choose one of them.")
    item = workshop.items[index]
    visit.image, visit.uri, visit.example = item.image, data_uri(item.image), index
    visit.pending = None
    visit.asked, visit.options = str(item.question), tuple(str(o) for o in item.options)
    if workshop.has(index):
        settle(visit, workshop, workshop.example(index))
    else:
        visit.clear()
        visit.say = "Press Run to ask: a GPU is lent for it, which counts as your use of it."


def settle(visit: Visit, workshop: Workshop, trace: Trace) -> None:
    """A finished run becomes the baseline.

    A run whose latents a person replaced on the way stands beside the baseline instead, where
    that answers the same question about the same picture.
    """
    base, latent = visit.baseline, workshop.engine.family.latent
    if trace.edits and base is not None and base.prompt == trace.prompt and not base.edits:
        score(visit, workshop, trace)
        visit.grow(trace, branch_title(trace.edits, workshop.titles), base.id)
        visit.say = emission_line(trace, latent)
        return
    visit.begin(trace)
    visit.patches = None
    with workshop.lock:
        if trace.prompt.grid[0] and trace.spans:
            visit.patches = workshop.engine.patches(trace)
    score(visit, workshop, trace)
    visit.say = emission_line(trace, latent)


def score(visit: Visit, workshop: Workshop, trace: Trace) -> None:
    """Ask for the options' log-probabilities.

    A run that cannot be scored is shown all the same: it has no bars.
    """
    from core.errors import InputError

    if visit.options and trace.ended_by != "cancelled":
        try:
            visit.scores[trace.id] = workshop.sharing.score(trace, list(visit.options))
        except InputError:
            visit.scores.pop(trace.id, None)


def parse_options(text: str) -> tuple[str, ...]:
    """Options from “left, right”; with a semicolon anywhere, only semicolons separate."""
    parts = text.split(";" if ";" in text else ",")
    return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))


def format_options(options: tuple[str, ...]) -> str:
    """The text :func:`parse_options` reads back."""
    return ("; " if any("," in o for o in options) else ", ").join(options)


def apply(
    visit: Visit, workshop: Workshop, parent: Trace, edits: list[Edit], title: str = ""
) -> None:
    """Branch from ``parent`` and show the branch beside the baseline.

    A run the engine has forgotten meanwhile is made known to it again first.
    """
    from gui.keeping import pictures

    visit.bounds.check_edits(edits)
    visit.bounds.check_edit_counts(edits)
    visit.pending = None
    if not visit.going:
        visit.cancel = threading.Event()
    held = pictures(visit)
    held.take(visit.image)
    image = held.by_hash.get(parent.prompt.image_hash)
    with workshop.lock:
        workshop.recall(parent, image, [b.trace for b in visit.branches.values()])
    child = workshop.sharing.branch(parent, edits, visit.cancel)
    score(visit, workshop, child)
    visit.grow(child, title or branch_title(tuple(edits), workshop.titles), parent.id)
    visit.say = emission_line(child, workshop.engine.family.latent) if not child.spans else ""


def select(visit: Visit, span: int, steps: list[int], order: float | None = None) -> None:
    """Remember which latents are selected; what does not exist is left out.

    Args:
        order: later selections have higher ones; an earlier one that arrives late is ignored.
    """
    if order is not None:
        if order < visit.picked:
            return
        visit.picked = order
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
