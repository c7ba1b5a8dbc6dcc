"""Models: choose one, see what it takes, load it while the old one stays, put it away again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui import acts
from gui.arrival import told
from gui.desk import GONE, sentence_of
from gui.rivals import label
from gui.screen import say_html
from gui.shelf import DEMOS, Model, missing

if TYPE_CHECKING:
    from gui.desks import Desks
    from gui.visits import Visit

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
DETECT = "detect"
ROOM = 1.25  # what is taken beside the weights while they are loaded and a run is held


class Picker:
    """A button in the head and the panel it opens; :meth:`wire` ties them."""

    def __init__(self, own: bool) -> None:
        """``own``: visitors may load checkpoints of their own, not only those on the list."""
        self.own = own
        with gr.Row(elem_id="models", visible=False) as self.place:
            self.model = gr.Dropdown(
                [], label="Model: from the list, or a hub id or folder" if own else "Model",
                allow_custom_value=own, elem_id="models-name",
            )  # fmt: skip
            self.family = gr.Dropdown(
                [(DETECT, DETECT)], value=DETECT, label="Family", elem_id="models-family",
                visible=own,
            )  # fmt: skip
            self.load = gr.Button("Load", variant="primary", elem_id="models-load")
            self.away = gr.Button("Unload others", elem_id="models-away", visible=own)
            self.about = gr.HTML("", elem_id="models-about")

    def wire(self, desks: Desks, open_button: gr.Button) -> None:
        """Tie the widgets to what they do."""
        self.desks = desks
        key, page = desks.page.key, desks.page
        open_button.click(
            self.on_open, key, [self.place, self.model, self.family, self.about],
            queue=False, **QUIET,
        )  # fmt: skip
        gr.on(
            [self.model.change, self.family.change],
            self.on_look, self.model, self.about, queue=False, trigger_mode="always_last", **QUIET,
        )  # fmt: skip
        self.load.click(
            self.on_load,
            [key, self.model, self.family],
            [*page.opening, page.stop, self.about, self.load, self.place],
            concurrency_id="loading",
            concurrency_limit=2,
            **QUIET,
        )
        self.away.click(self.on_away, key, self.about, queue=False, **QUIET)

    def on_open(self, key: str) -> dict[Any, Any]:
        """Show the panel, or hide it."""
        visit = self.desks.visits.get(key)
        if visit is None:
            return {self.about: say_html(GONE, True)}
        visit.beside["picker"] = not visit.beside.get("picker", False)
        if not visit.beside["picker"]:
            return {self.place: gr.update(visible=False)}
        from core import families

        shelf = self.desks.shelf
        known = [
            (label(model), name)
            for name, model in shelf.models.items()
            if self.own or name in DEMOS or name == shelf.name
        ]
        names = [name for _, name in known]
        here = visit.model if visit.model in names else shelf.name
        return {
            self.place: gr.update(visible=True),
            self.model: gr.update(choices=known, value=here),
            self.family: gr.update(choices=[DETECT, *families.names()], value=DETECT),
            self.about: self._about(here),
        }

    def on_look(self, name: str) -> str:
        """What the chosen model takes."""
        return self._about(name or "")

    def _model(self, name: str, family: str) -> Model:
        """The model a name stands for.

        Raises:
            GuiError: it is not on the list, and only what is on the list may be loaded.
        """
        name = (name or "").strip()
        known = self.desks.shelf.models.get(name)
        if known is not None and (known.name in DEMOS or family in (DETECT, known.family)):
            return known
        if known is None and not self.own:
            raise acts.GuiError("Choose a model from the list.")
        if not name:
            raise acts.GuiError("Choose a model, or type a hub id or a folder.")
        return Model(
            name, known.source if known else name, None if family == DETECT else family, "used here"
        )

    def _about(self, name: str) -> str:
        """A few sentences on the model: is it here, how large, is there room."""
        try:
            model = self._model(name, DETECT)
            rooms = self.desks.shelf.loaded()
            if model.name in rooms and rooms[model.name].ready:
                engine: Any = rooms[model.name].engine
                return f"<p>Loaded. {escape(engine.family.title)}: {escape(_needs(engine))}</p>"
            if model.name in DEMOS and not model.here:
                return f"<p>{escape(missing(model.name))}</p>"
            return f"<p>{escape(estimate(model))}</p>"
        except Exception as error:
            return f"<p>{escape(sentence_of(error))}</p>"

    def on_load(self, key: str, name: str, family: str) -> Iterator[dict[Any, Any]]:
        """Load: the old model stays on the page until the new one answers."""
        desks = self.desks
        visit = desks.visits.get(key)
        if visit is None:
            yield {self.about: say_html(GONE, True)}
            return
        try:
            model = self._model(name, family)
            if model.name in DEMOS and not model.here and model.name not in desks.shelf.loaded():
                raise acts.GuiError(missing(model.name))
        except Exception as error:
            yield {self.about: say_html(sentence_of(error), True)}
            return
        room = desks.shelf.open(model)
        began = time.monotonic()
        yield {self.load: gr.update(interactive=False)}
        while not room.done.wait(0.3):
            seconds = time.monotonic() - began
            yield {self.about: f"<p class='loading'>{escape(room.stage)}… {seconds:.0f} s</p>"}
        if not room.ready:
            yield {
                self.about: say_html(room.failure, True),
                self.load: gr.update(interactive=True),
            }
            return
        desks.shelf.used(model)
        visit.beside["picker"] = False
        yield {
            **self._change(key, visit, model.name),
            self.about: "",
            self.load: gr.update(interactive=True),
            self.place: gr.update(visible=False),
        }

    def _change(self, key: str, visit: Visit, name: str) -> dict[Any, Any]:
        """The same question to another model."""
        desks = self.desks
        desk = desks.at(desks.shelf.of(name))
        visit.cancel.set()
        index, image, asked = visit.example, visit.image, visit.asked

        def work(visit: Visit) -> None:
            visit.model, visit.pending = name, None
            visit.beside.pop("made with", None)
            visit.branches.clear()
            visit.base = visit.shown = visit.patches = None
            visit.past, visit.future, visit.scores = [], [], {}
            if index is not None or image is None:
                acts.open_example(visit, desk.workshop, index or 0)
            else:
                visit.asked = asked
                visit.say = "Another model. Press Run to ask it."

        out = desk.now(key, work)
        desks.sessions.autosave.touch(key)
        return {**out, **told(desk, visit)}

    def on_away(self, key: str) -> str:
        """Unload: every model that nobody's runs belong to."""
        shelf, used = self.desks.shelf, self.desks.visits.models()
        names = [n for n in shelf.loaded() if n not in used and n != shelf.name]
        gone = [n for n in names if shelf.put_away(n)]
        if not gone:
            return "<p>Nothing to unload: every loaded model is in use.</p>"
        return f"<p>Unloaded: {escape(', '.join(Path(n).name for n in gone))}.</p>"


def _needs(engine: Any) -> str:
    return engine.family.needs or "nothing special."


def estimate(model: Model) -> str:
    """What loading a model takes, in one sentence.

    Raises:
        core.errors.CheckpointError: it is not here.
    """
    from core.engine.device import choose
    from core.engine.footprint import footprint

    size, choice = footprint(model.source), choose()
    need = size.bytes_in(choice.dtype_name) * ROOM
    free = free_memory(choice.device)
    about = f"{size.parameters / 1e6:,.1f} million weights; about {gigabytes(need)} as "
    about += f"{choice.dtype_name} on {choice.device}"
    if free is None:
        return f"{about}."
    short = " That is too little." if need > free else ""
    return f"{about}, of {gigabytes(free)} free.{short}"


def gigabytes(amount: float) -> str:
    """Bytes as people say them."""
    return f"{amount / 1e9:.1f} GB" if amount >= 1e8 else f"{amount / 1e6:.0f} MB"


def free_memory(device: str) -> int | None:
    """Free bytes on a device; None where the system does not tell."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(s.split()[1]) * 1024 for s in lines if s.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
