"""The Studio: X, Z and Y in three columns, and what each control on them does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from gui import panel
from gui.aim import AIMED, AIMED_STEPS
from gui.components import examples, look, picture, strip, tree
from gui.components.answers import answers_html
from gui.components.modes import mode_html
from gui.components.picture import picture_html
from gui.components.plot import plot
from gui.components.strip import strip_html
from gui.screen import say_html

if TYPE_CHECKING:
    from gui.handlers import Handlers

QUEUE: dict[str, Any] = {"concurrency_limit": None}  # the model has a line of its own
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
# Gradio drops an event while the same one is under way unless told otherwise, and its
# "always_last" sends the first one's data again.
EACH = {**QUIET, "trigger_mode": "multiple"}


class Studio:
    """The widgets, laid out where it is made (inside a ``gr.Blocks`` context).

    Args:
        model: the place in the page's head that names the model.
    """

    def __init__(self, model: gr.HTML) -> None:
        self.key = gr.State(None)
        self.model = model
        with gr.Row(elem_id="studio", equal_height=False):
            with gr.Column(elem_id="x", min_width=240):
                self._lay_x()
            with gr.Column(elem_id="z", min_width=320):
                self._lay_z()
            with gr.Column(elem_id="y", min_width=280):
                self._lay_y()
        self.parts = [
            self.picture, self.strip, self.answers, self.tree, self.inspector, self.say,
            self.look, self.map, self.similarity,
            self.panel.text,
        ]  # fmt: skip

    def _lay_x(self) -> None:
        gr.HTML("<h2><b>X</b> what it is shown</h2>")
        self.picture = gr.HTML(picture_html(""), js_on_load=picture.SCRIPT, elem_id="picture")
        self.look = gr.HTML(
            None, html_template='<div class="look"></div>', js_on_load=look.SCRIPT, elem_id="look"
        )
        self.question = gr.Textbox(
            label="Question", lines=2, max_lines=6, elem_id="question", max_length=4000
        )
        self.options = gr.Textbox(
            label="Answer options, to be scored", placeholder="left, right", max_lines=2,
            elem_id="options",
        )  # fmt: skip
        with gr.Row(elem_id="go"):
            self.run = gr.Button("Run", variant="primary", elem_id="run", interactive=False)
            self.step = gr.Button("Step", elem_id="step", interactive=False)
            self.stop = gr.Button("Stop", elem_id="stop", interactive=False)
        with gr.Accordion("Examples", open=True, elem_id="gallery"):
            self.examples = gr.HTML("", js_on_load=examples.SCRIPT, elem_id="examples")
        with gr.Accordion("How it is run", open=False, elem_id="settings"):
            self.budget = gr.Number(
                label="Latents a span is given (empty: as published)", value=None, precision=0
            )
            self.force = gr.Checkbox(label="Force a span", value=False)
            self.temperature = gr.Slider(0, 2, 0, step=0.05, label="Temperature (0: greedy)")
            self.seed = gr.Number(label="Seed", value=0, precision=0)
            self.longest = gr.Slider(8, 1024, 256, step=8, label="Most tokens said")
            self.system = gr.Textbox(label="System text (empty: the family's)", lines=2)

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
        methods = {"pca": "PCA", "umap": "UMAP"}
        self.map = plot("Map", "map", methods=methods, linked=True, large="atlas-tab")
        note = "cosines, step × step"
        self.similarity = plot("Similarity", "similarity", note, linked=True, large="atlas-tab")

    def wire(self, does: Handlers) -> None:
        """Tie every control to what it does."""
        p, aimed = self.panel, [self.key, self.strip]
        asked = [
            *aimed, self.question, self.options, self.budget, self.force, self.temperature,
            self.seed, self.longest, self.system,
        ]  # fmt: skip
        busy = [*self.parts, self.run, self.step, self.stop, p.apply]
        gr.on(
            [self.run.click, self.question.submit, self.options.submit],
            does.on_run, asked, [*busy, self.examples], js=AIMED, **QUEUE, **QUIET,
        )  # fmt: skip
        asking = {"js": AIMED, **QUEUE, **QUIET}
        self.strip.force(does.on_force, asked, [*busy, self.examples], **asking)
        for wish in (self.step.click, self.strip.step):
            wish(does.on_step, asked, [*busy, self.examples], **asking)
        self.strip.instead(does.on_instead, aimed, self.parts, js=AIMED, queue=False, **EACH)
        self.picture.point(does.on_point, [*aimed, p.onto], busy, **asking)
        self.stop.click(does.on_stop, self.key, busy, queue=False, **QUIET)
        edit = [
            *aimed, p.steps, p.kind, p.strength, p.mode, p.seed, p.donor, p.text, p.onto,
            p.edge,
        ]  # fmt: skip
        p.apply.click(does.on_apply, edit, busy, js=AIMED_STEPS, **QUEUE, **QUIET)
        for name, button in p.quick.items():
            button.click(does.quick(name), [*aimed, p.mode, p.seed], busy, **asking)
        shown = [*self.parts, p.donor]
        picked = [self.inspector, self.look, self.say]
        self.strip.pick(does.on_pick, self.key, picked, queue=False, **EACH)
        self.look.look(does.on_look, aimed, [self.look, self.say], js=AIMED, queue=False, **QUIET)
        self.map.method(
            does.on_method, self.key, [self.map, self.say], concurrency_id="map",
            concurrency_limit=1, **QUIET,
        )  # fmt: skip
        self.strip.undo(does.on_undo, self.key, shown, queue=False, **EACH)
        self.strip.redo(does.on_redo, self.key, shown, queue=False, **EACH)
        self.tree.act(does.on_tree, self.key, shown, queue=False, **EACH)
        p.mode.change(mode_html, p.mode, p.meaning, queue=False, **QUIET)
        p.kind.change(does.on_kind, p.kind, p.fields, queue=False, **QUIET)
        asked_for = [self.question, self.options]
        self.picture.picture(
            does.on_picture, self.key, [*self.parts, self.examples], queue=False, **QUIET
        )
        self.picture.refused(does.on_refused, self.key, self.parts, queue=False, **QUIET)
        self.examples.choose(
            does.on_example, self.key, [*self.parts, self.examples, *asked_for], **QUEUE, **QUIET
        )

    @property
    def opening(self) -> list[Any]:
        """Everything a freshly opened tab is told."""
        p = self.panel
        return [
            self.key, self.model, *self.parts, self.question, self.options, self.examples,
            self.run, self.step, p.kind, p.apply, *p.fields, *p.quick.values(), p.all, p.mode,
            p.meaning,
        ]  # fmt: skip
