"""Sweep: one run, many doses, steps, exits and layers; how much it takes to move the answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.acts import GuiError
from gui.aim import check_seen, seen_at
from gui.components.invite import invite_html
from gui.components.modes import SHORT
from gui.components.plot import plot
from gui.desk import GONE, sentence_of
from gui.progress import about_html, bar_html, ending, progress_html
from gui.screen import say_html
from gui.sweeping import FIGURES, KINDS, Asked, plan, subject
from gui.swept import figure

if TYPE_CHECKING:
    from core.study.sweep import Sweep
    from gui.desks import Desks
    from gui.line import Ticket
    from gui.visits import Visit
    from gui.workshop import Workshop

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
START = Asked()
OTHER = "The Studio shows another run than stood here, so it is named now; press Sweep once more."
NOTES = {
    "doses": "flips and shifts against the dose that was delivered, with their controls",
    "steps": "which latent matters, by what becomes of the later ones",
    "exits": "how many latents the answer needs",
    "edges": "who has to look at whom, and in which layers",
    "slots": "another run's slots put in, one window of layers and one latent at a time",
}


BEFORE = invite_html(
    "How much does it take to move this answer?",
    "One run, many doses, steps and layers, each with its control: a sham of the same dose where "
    "nothing should matter, a matched random direction, another picture.",
    {title: NOTES[name] for name, title in FIGURES.items()},
    "Sweep this run",
    "#sweep-run",
)


@dataclass
class View:
    """What one visitor has here.

    Attributes:
        cancel: stops the sweep that is under way.
        going: one is.
        asked: what it was asked for.
    """

    cancel: threading.Event = field(default_factory=threading.Event)
    going: bool = False
    asked: Asked = START


class SweepTab:
    """The tab's widgets, laid out where it is made; :meth:`wire` ties them."""

    def __init__(self) -> None:
        with gr.Row(elem_id="sweep", equal_height=False):
            with gr.Column(elem_id="sweep-asked", min_width=240):
                self._lay_asked()
            with gr.Column(elem_id="sweep-shown", min_width=320):
                self.say = gr.HTML(BEFORE, elem_id="sweep-say")
                self.plots = {
                    name: plot(title, f"sweep-figure-{name}", NOTES[name])
                    for name, title in FIGURES.items()
                }

    def _lay_asked(self) -> None:
        self.about = gr.HTML("", elem_id="sweep-about")
        self.figures = gr.CheckboxGroup(
            [(title, name) for name, title in FIGURES.items()], value=list(FIGURES),
            label="Figures", elem_id="sweep-figures",
        )  # fmt: skip
        with gr.Row(elem_id="sweep-go"):
            self.run = gr.Button("Sweep", variant="primary", elem_id="sweep-run")
            self.stop = gr.Button("Stop", elem_id="sweep-stop", interactive=False)
        self.progress = gr.HTML("", elem_id="sweep-progress")
        self.kind = gr.Dropdown(
            [(title, name) for name, title in KINDS.items()], value=START.kind,
            label="Edit of the latents", elem_id="sweep-kind",
        )  # fmt: skip
        self.doses = gr.Textbox(
            START.doses, label="Doses ε, in each latent's own length", elem_id="sweep-doses",
            max_length=400,
        )  # fmt: skip
        with gr.Row(elem_id="sweep-numbers"):
            self.steps = gr.Textbox(
                START.steps, label="Latents", elem_id="sweep-steps", max_length=200
            )
            self.draws = gr.Number(
                START.draws, label="Draws", precision=0, minimum=1, elem_id="sweep-draws"
            )
            self.seed = gr.Number(START.seed, label="Seed", precision=0, elem_id="sweep-seed")
            self.width = gr.Number(
                START.width, label="Layers a window", precision=0, minimum=1,
                elem_id="sweep-width",
            )  # fmt: skip
        self.mode = gr.Dropdown(
            [(title, name) for name, title in SHORT.items()], value=START.mode,
            label="Later latents", elem_id="sweep-mode",
        )  # fmt: skip

    def wire(self, desks: Desks, tab: gr.Tab) -> None:
        """Tie the widgets to what they do."""
        self.desks = desks
        key = desks.page.key
        shown = [self.about, self.say, self.progress, self.run, self.stop, *self.plots.values()]
        tab.select(self.on_show, key, shown, queue=False, **QUIET)
        asked = [
            key, self.about, self.figures, self.kind, self.steps, self.mode, self.doses, self.draws,
            self.seed, self.width,
        ]  # fmt: skip
        gr.on(
            [self.run.click, self.doses.submit, self.steps.submit],
            self.on_run, asked, shown, js=seen_at("#sweep-about", "run"), concurrency_id="sweep",
            concurrency_limit=4, **QUIET,
        )  # fmt: skip
        self.stop.click(self.on_stop, key, None, queue=False, **QUIET)

    def _view(self, visit: Visit) -> View:
        found: View = visit.beside.setdefault("sweep", View())
        return found

    def on_show(self, key: str) -> dict[Any, Any]:
        """The tab was opened: which run would be swept."""
        visit = self.desks.visits.get(key)
        if visit is None:
            return {self.say: say_html(GONE, True)}
        view = self._view(visit)
        if view.going:
            return {self.say: gr.skip()}
        try:
            about = subject(visit, self._room(visit))
        except Exception as error:
            return {self.about: "", self.say: say_html(sentence_of(error), False)}
        said = BEFORE if view.asked is START else say_html("", False)
        return {self.about: about_html(about), self.say: said}

    def on_stop(self, key: str) -> None:
        """Stop: honoured within one step of the model."""
        visit = self.desks.visits.get(key)
        if visit is not None:
            self._view(visit).cancel.set()

    def on_run(
        self, key: str, seen: Any, figures: list[str], kind: str, steps: str, mode: str, doses: str,
        draws: float | None, seed: float | None, width: float | None,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        """Sweep: everything that is ticked, a figure after the other."""
        visit = self.desks.visits.get(key)
        if visit is None:
            yield {self.say: say_html(GONE, True)}
            return
        view = self._view(visit)
        if view.going:
            return
        view.asked = Asked(
            tuple(name for name in FIGURES if name in (figures or ())),
            kind if kind in KINDS else START.kind,
            steps or "", mode if mode in SHORT else START.mode, doses or "",
            int(draws or 0), int(seed or 0), int(width or 0),
        )  # fmt: skip
        view.cancel, view.going = threading.Event(), True
        yield {
            self.run: gr.update(interactive=False), self.stop: gr.update(interactive=True),
            self.say: say_html("", False), self.progress: bar_html("Preparing…"),
        }  # fmt: skip
        last: dict[Any, Any] = {}
        try:
            room = self._room(visit)
            with room.line.join(key, view.cancel) as ticket:
                for sentence in ticket.waiting():
                    yield {self.progress: bar_html(sentence)}
                yield from self._sweep(key, seen, visit, view, room, ticket)
        except Exception as error:
            last = {self.say: say_html(sentence_of(error), True), self.progress: ""}
        finally:
            view.going = False
        yield {
            **last, self.run: gr.update(interactive=True), self.stop: gr.update(interactive=False),
        }  # fmt: skip

    def _room(self, visit: Visit) -> Workshop:
        room = self.desks.shelf.of(visit.model)
        if not room.ready:
            raise GuiError(room.failure or f"The model is not ready yet: {room.stage}…")
        return room

    def _sweep(
        self, key: str, seen: Any, visit: Visit, view: View, room: Workshop, ticket: Ticket
    ) -> Iterator[dict[Any, Any]]:
        from core.study.sweep import sweep

        asked = view.asked
        if not asked.figures:
            raise GuiError("Tick at least one figure.")
        about = subject(visit, room)
        yield {self.about: about_html(about)}
        check_seen(seen, about.place, OTHER)
        about, wanted = plan(asked, about, visit, room)
        total = sum(len(wishes) for wishes in wanted.values())
        visit.bounds.check_sweep(total)
        finished: list[Sweep] = []
        for name, wishes in wanted.items():
            state: Sweep | None = None
            making = sweep(room.engine, about.trace, wishes, about.options, view.cancel)
            while True:
                with room.lock:
                    state = next(making, None)
                if state is None:
                    break
                drawn = figure(name, asked, about, state)
                so_far = [*finished, state]
                yield {self.plots[name]: drawn, self.progress: progress_html(so_far, total)}
                if state.done == state.total or state.stopped:
                    finished.append(state)
                if self.desks.visits.get(key) is None:  # the tab was closed
                    view.cancel.set()
                for sentence in ticket.let_others():  # between two chunks
                    yield {self.progress: bar_html(sentence)}
            if view.cancel.is_set():
                break
        yield {
            self.progress: progress_html(finished, total, ended=True),
            self.say: say_html(ending(asked, wanted, finished), False),
        }
