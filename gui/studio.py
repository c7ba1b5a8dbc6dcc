"""The Studio: X, Z and Y in three columns, and what each control on them does."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from gui import acts, panel
from gui.components import examples, picture, strip, tree
from gui.components.answers import answers_html
from gui.components.examples import examples_html
from gui.components.picture import picture_html
from gui.components.plot import Plot
from gui.components.strip import strip_html
from gui.forms import make_edit
from gui.screen import Screen, say_html, screen
from gui.steps import StepsError, format_steps
from gui.visits import Visit, Visits
from gui.workshop import Workshop

QUEUE = {"concurrency_id": "model", "concurrency_limit": 1}
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
GONE = "This page was idle for long and its runs were let go; reload it to start afresh."


class Studio:
    """Lays the page out (inside a ``gr.Blocks`` context) and wires it.

    Args:
        workshop: the model behind the page.
        visits: the server-side store of what visitors have on their screens.
    """

    def __init__(self, workshop: Workshop, visits: Visits) -> None:
        self.workshop, self.visits = workshop, visits
        self.key = gr.State(None)
        self.model: gr.HTML | None = None
        with gr.Row(elem_id="studio", equal_height=False):
            with gr.Column(elem_id="x", min_width=240):
                self._lay_x()
            with gr.Column(elem_id="z", min_width=320):
                self._lay_z()
            with gr.Column(elem_id="y", min_width=280):
                self._lay_y()
        self.parts = [
            self.picture, self.strip, self.answers, self.tree, self.inspector, self.say,
            self.map, self.similarity,
            self.panel.steps,
        ]  # fmt: skip
        self._wire()

    def _lay_x(self) -> None:
        gr.HTML("<h2><b>X</b> what it is shown</h2>")
        self.picture = gr.HTML(picture_html(""), js_on_load=picture.SCRIPT, elem_id="picture")
        self.question = gr.Textbox(
            label="Question", lines=2, max_lines=6, elem_id="question", max_length=4000
        )
        self.options = gr.Textbox(
            label="Answer options, to be scored", placeholder="left, right", elem_id="options"
        )
        with gr.Row(elem_id="go"):
            self.run = gr.Button("Run", variant="primary", elem_id="run", interactive=False)
            self.stop = gr.Button("Stop", elem_id="stop", interactive=False)
        with gr.Accordion("How it is run", open=False, elem_id="settings"):
            self.budget = gr.Number(
                label="Latents a span is given (empty: as published)", value=None, precision=0
            )
            self.force = gr.Checkbox(label="Force a span", value=False)
            self.temperature = gr.Slider(0, 2, 0, step=0.05, label="Temperature (0: greedy)")
            self.seed = gr.Number(label="Seed", value=0, precision=0)
            self.longest = gr.Slider(8, 1024, 256, step=8, label="Most tokens said")
            self.system = gr.Textbox(label="System text (empty: the family's)", lines=2)
        with gr.Accordion("Examples", open=True, elem_id="gallery"):
            self.examples = gr.HTML("", js_on_load=examples.SCRIPT)

    def _lay_z(self) -> None:
        with gr.Row(elem_id="z-head"):
            gr.HTML("<h2><b>Z</b> what it imagines</h2>")
            self.say = gr.HTML(say_html("", False), elem_id="say")
        self.strip = gr.HTML(strip_html("", (0, 0), ()), js_on_load=strip.SCRIPT, elem_id="strip")
        self.panel = panel.Panel()
        with gr.Row(elem_id="below"):
            self.tree = gr.HTML("", js_on_load=tree.SCRIPT, elem_id="tree")
            self.inspector = gr.HTML("", elem_id="inspector")

    def _lay_y(self) -> None:
        gr.HTML("<h2><b>Y</b> what it answers</h2>")
        self.answers = gr.HTML(answers_html(None, None, {}), js_on_load=None, elem_id="answers")
        self.map = Plot("Map", "map", "one PCA fit for both")
        self.similarity = Plot("Similarity", "similarity", "cosines, step × step, −1 to 1")

    def _wire(self) -> None:
        p = self.panel
        asked = [
            self.key, self.question, self.options, self.budget, self.force, self.temperature,
            self.seed, self.longest, self.system,
        ]  # fmt: skip
        busy = [*self.parts, self.run, self.stop, p.apply]
        gr.on(
            [self.run.click, self.question.submit, self.options.submit],
            self.on_run, asked, [*busy, self.examples], **QUEUE, **QUIET,
        )  # fmt: skip
        self.strip.force(self.on_force, asked, [*busy, self.examples], **QUEUE, **QUIET)
        self.stop.click(self.on_stop, self.key, None, queue=False, **QUIET)
        edit = [
            self.key, p.kind, p.steps, p.strength, p.mode, p.seed, p.donor, p.text, p.onto,
        ]  # fmt: skip
        p.apply.click(self.on_apply, edit, busy, **QUEUE, **QUIET)
        for name, button in p.quick.items():
            button.click(self._quick(name), [self.key, p.mode, p.seed], busy, **QUEUE, **QUIET)
        shown = [*self.parts, p.donor]
        self.strip.pick(self.on_pick, self.key, self.parts, queue=False, **QUIET)
        for plot in (self.map, self.similarity):
            plot.point(self.on_pick, self.key, self.parts, queue=False, **QUIET)
        self.strip.undo(self.on_undo, self.key, shown, queue=False, **QUIET)
        self.strip.redo(self.on_redo, self.key, shown, queue=False, **QUIET)
        self.tree.act(self.on_tree, self.key, shown, queue=False, **QUIET)
        p.kind.change(self.on_kind, p.kind, p.fields, queue=False, **QUIET)
        asked_for = [self.question, self.options]
        self.picture.picture(
            self.on_picture, self.key, [*self.parts, self.examples], queue=False, **QUIET
        )
        self.picture.refused(self.on_refused, self.key, self.parts, queue=False, **QUIET)
        self.examples.choose(
            self.on_example, self.key, [*self.parts, self.examples, *asked_for], **QUEUE, **QUIET
        )

    @property
    def opening(self) -> list[Any]:
        """Everything a freshly opened tab is told."""
        p = self.panel
        return [
            self.key, self.model, *self.parts, self.question, self.options, self.examples,
            self.run, p.kind, p.apply, *p.fields, *p.quick.values(),
        ]  # fmt: skip

    # What the page is told ---------------------------------------------------------------

    def paint(self, view: Screen, visit: Visit | None = None) -> dict[Any, Any]:
        """A screen as updates of the components."""
        out = {
            self.picture: view.picture,
            self.strip: view.strip,
            self.answers: view.answers,
            self.tree: view.tree,
            self.inspector: view.inspector,
            self.say: view.say,
            self.map: view.map,
            self.similarity: view.similarity,
        }
        if visit is not None:
            out[self.panel.steps] = format_steps(visit.steps) if visit.steps else "all"
        return out

    def _busy(self, busy: bool) -> dict[Any, Any]:
        return {
            self.run: gr.update(interactive=not busy),
            self.stop: gr.update(interactive=busy),
            self.panel.apply: gr.update(interactive=not busy),
        }

    def _guard(
        self, key: str | None, work: Callable[[Visit], Iterator[Screen] | None], slow: bool = False
    ) -> Iterator[dict[Any, Any]]:
        """Do ``work`` on a visit; whatever goes wrong becomes one sentence on the page."""
        visit = self.visits.get(key)
        if visit is None or not self.workshop.ready:
            sentence = GONE if self.workshop.ready else self.waiting()
            yield {self.say: say_html(sentence, True)}
            return
        visit.say, visit.trouble = "", False
        if slow:
            yield self._busy(True)
        try:
            for view in work(visit) or ():
                yield self.paint(view)
        except Exception as error:  # the page never shows a traceback
            visit.say, visit.trouble = sentence_of(error), True
        out = self.paint(screen(visit, self.workshop), visit)
        yield {**out, **(self._busy(False) if slow else {})}

    def _now(self, key: str | None, work: Callable[[Visit], None]) -> dict[Any, Any]:
        """:meth:`_guard` for what is done at once."""
        *_, last = self._guard(key, work)
        return last

    def waiting(self) -> str:
        """What is going on while there is no model to ask."""
        return self.workshop.failure or f"The model is not ready yet: {self.workshop.stage}…"

    # Acts ---------------------------------------------------------------------------------

    async def on_load(self, request: gr.Request) -> AsyncIterator[dict[Any, Any]]:
        """A tab was opened: wait for the model, saying so, then show an example already run."""
        key, visit = self.visits.open(request.session_hash)
        while not self.workshop.done.is_set():
            sentence = f"Waking the model: {self.workshop.stage}…"
            yield {self.key: key, self.say: say_html(sentence, False)}
            await asyncio.sleep(0.25)
        if not self.workshop.ready:
            yield {self.key: key, self.say: say_html(self.workshop.failure, True)}
            return
        index = example_of(dict(request.query_params), len(self.workshop.items))

        def show(visit: Visit) -> None:
            if index is not None:
                acts.open_example(visit, self.workshop, index)

        out = await asyncio.to_thread(self._now, key, show)
        engine = self.workshop.engine
        yield {
            **out,
            self.key: key,
            self.model: model_html(engine),
            self.question: visit.asked,
            self.options: acts.format_options(visit.options),
            self.examples: examples_html(self.workshop.thumbnails, visit.example),
            self.run: gr.update(interactive=True),
            **self.panel.fill(self.workshop, visit),
        }

    def on_run(
        self, key: str, question: str, options: str, budget: float | None, force: bool,
        temperature: float, seed: float, longest: float, system: str,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        """Run: ask the model about the picture."""

        def work(visit: Visit) -> Iterator[Screen]:
            visit.options = acts.parse_options(options or "")
            yield from acts.run(
                visit, self.workshop, question or "",
                budget=None if budget is None else int(budget), force_latents=bool(force),
                temperature=float(temperature), seed=int(seed or 0),
                max_new_tokens=int(longest), system=(system or "").strip() or None,
            )  # fmt: skip

        yield from self._guard(key, work, slow=True)

    def on_force(self, key: str, *rest: Any) -> Iterator[dict[Any, Any]]:
        """The remedy of a run that did not imagine: the same with a forced span."""
        question, options, budget, _, *others = rest
        yield from self.on_run(key, question, options, budget, True, *others)

    def on_stop(self, key: str) -> None:
        """Stop: honoured within one step of the model."""
        visit = self.visits.get(key)
        if visit is not None:
            visit.cancel.set()

    def on_apply(
        self, key: str, kind: str, steps: str, strength: float, mode: str, seed: float,
        donor: str | None, text: str, onto: str,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        """Apply: the edit of the panel, on the baseline or on the branch that is shown."""

        def work(visit: Visit) -> None:
            parent = visit.edited if onto == panel.SHOWN and visit.edited else visit.baseline
            if parent is None:
                raise acts.GuiError("Run a question first; then there is something to edit.")
            giver = self.panel.donor_trace(donor, visit, self.workshop)
            edit = make_edit(
                self.workshop.kind(kind), parent, steps or "", visit.span, mode, strength,
                int(seed or 0), giver, text or "",
            )  # fmt: skip
            acts.apply(visit, self.workshop, parent, [edit])

        yield from self._guard(key, work, slow=True)

    def _quick(self, name: str) -> Callable[..., Iterator[dict[Any, Any]]]:
        def on_quick(key: str, mode: str, seed: float) -> Iterator[dict[Any, Any]]:
            def work(visit: Visit) -> None:
                if visit.baseline is None:
                    raise acts.GuiError("Run a question first; then there is something to edit.")
                edit, title = self.panel.quick_edit(
                    name, visit, self.workshop, mode, int(seed or 0)
                )
                acts.apply(visit, self.workshop, visit.baseline, [edit], title)

            yield from self._guard(key, work, slow=True)

        return on_quick

    def on_pick(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """Latents were selected in the strip."""
        return self._now(key, lambda v: acts.select(v, int(event.span), list(event.steps)))

    def on_undo(self, key: str) -> dict[Any, Any]:
        """Back to what was on the screen before."""
        return self._then_donors(key, lambda visit: void(visit.undo()))

    def on_redo(self, key: str) -> dict[Any, Any]:
        """Forward again."""
        return self._then_donors(key, lambda visit: void(visit.redo()))

    def on_tree(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A click in the branch list."""
        act, id, text = str(event.act), str(event.id), str(event.text)
        return self._then_donors(key, lambda visit: acts.act_on_branch(visit, act, id, text))

    def _then_donors(self, key: str, work: Callable[[Visit], None]) -> dict[Any, Any]:
        out = self._now(key, work)
        visit = self.visits.get(key)
        return out if visit is None else {**out, **self.panel.donors(self.workshop, visit)}

    def on_kind(self, kind: str) -> dict[Any, Any]:
        """Another edit was chosen: its sentence and its fields."""
        return self.panel.show(self.workshop.kind(kind)) if kind else {}

    def on_picture(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A picture was uploaded."""
        folder = get_upload_folder()

        def work(visit: Visit) -> None:
            acts.open_picture(visit, str(event.path), folder)
            visit.say = "New picture. Press Run to ask about it."

        out = self._now(key, work)
        return {**out, self.examples: examples_html(self.workshop.thumbnails, None)}

    def on_refused(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """The browser did not take a file."""

        def work(visit: Visit) -> None:
            raise acts.GuiError(
                f"“{str(event.name)[:80]}” could not be taken; choose a picture of at most 50 MB."
            )

        return self._now(key, work)

    def on_example(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A built-in example was chosen."""
        out = self._now(
            key, lambda visit: acts.open_example(visit, self.workshop, int(event.index))
        )
        visit = self.visits.get(key)
        if visit is None:
            return out
        return {
            **out,
            self.examples: examples_html(self.workshop.thumbnails, visit.example),
            self.question: visit.asked,
            self.options: acts.format_options(visit.options),
        }


def void(_: object) -> None:
    """Drop a value where an act must return nothing."""


def sentence_of(error: Exception) -> str:
    """One sentence for a person; what is our own mistake goes to the terminal in full."""
    from core.errors import ZscopeError

    if isinstance(error, (ZscopeError, StepsError, acts.GuiError)):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    return (
        f"Something went wrong inside Zscope ({type(error).__name__}); the terminal shows the "
        "details, and nothing on this page was lost."
    )


def example_of(query: dict[str, str], count: int) -> int | None:
    """Index of the example an address asks for (``?ex=3``, counted from 1); None without any."""
    if not count:
        return None
    asked = query.get("ex", "")
    return min(max(int(asked), 1), count) - 1 if asked.isdecimal() and len(asked) < 6 else 0


def model_html(engine: Any) -> str:
    """The model's name and how it runs, for the head of the page."""
    from html import escape

    notes = " · ".join(escape(n) for n in engine.notes)
    return (
        f'<p class="model"><b>{escape(engine.name)}</b> <span>{escape(engine.family.title)}</span>'
        f"<small>{notes}</small></p>"
    )
