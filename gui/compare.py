"""Compare: two or three models, the same picture, question and edit, side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder

from gui import acts
from gui.aim import CHANGED, check_seen, seen_at
from gui.components import examples, picture
from gui.components.examples import examples_html
from gui.components.invite import invite_html
from gui.components.picture import mark_of, picture_html
from gui.desk import GONE, sentence_of
from gui.panel import QUICK
from gui.rivals import answered, choices, columns_html
from gui.screen import say_html
from gui.studio import QUEUE
from gui.visits import Visit

if TYPE_CHECKING:
    from gui.desks import Desks
    from gui.workshop import Workshop

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
FEWEST, MOST = 2, 3
NO_EDIT = "none"
BEFORE = invite_html(
    "Whose answer cares?",
    "Each ticked model is asked the same question about the same picture, its imagination is "
    "edited the same way, and all of them stand side by side.",
    {
        "Asked": "what each imagines and answers by itself",
        "Edited": "what each answers once another picture's imagination stands in its place",
        "Read": "which answer followed, with the dose that was delivered",
    },
    "Compare the ticked models",
    "#compare-run",
)


class Compare:
    """The tab's widgets, laid out where it is made; :meth:`wire` ties them."""

    def __init__(self) -> None:
        with gr.Row(elem_id="compare", equal_height=False):
            with gr.Column(elem_id="compare-asked", min_width=240):
                self.picture = gr.HTML(
                    picture_html(""), js_on_load=picture.SCRIPT, elem_id="compare-picture"
                )
                self.question = gr.Textbox(
                    label="Question", lines=2, max_lines=6, max_length=4000,
                    elem_id="compare-question",
                )  # fmt: skip
                self.options = gr.Textbox(
                    label="Answer options, to be scored", placeholder="left, right",
                    elem_id="compare-options",
                )  # fmt: skip
                self.models = gr.CheckboxGroup(
                    [], label="Models, two or three", elem_id="compare-models"
                )
                self.edit = gr.Dropdown(
                    [("no edit", NO_EDIT), *((label, n) for n, (_, _, label) in QUICK.items())],
                    value="swap", label="Edit of all latents", elem_id="compare-edit",
                )  # fmt: skip
                with gr.Row(elem_id="compare-go"):
                    self.run = gr.Button("Compare", variant="primary", elem_id="compare-run")
                    self.stop = gr.Button("Stop", elem_id="compare-stop", interactive=False)
                with gr.Accordion("Examples", open=True, elem_id="compare-gallery"):
                    self.examples = gr.HTML("", js_on_load=examples.SCRIPT)
            with gr.Column(elem_id="compare-shown", min_width=320):
                self.say = gr.HTML(say_html("", False), elem_id="compare-say")
                self.columns = gr.HTML(BEFORE, elem_id="columns")

    def wire(self, desks: Desks, tab: gr.Tab) -> None:
        """Tie the widgets to what they do."""
        self.desks = desks
        key = desks.page.key
        subject = [self.picture, self.question, self.options, self.examples, self.say]
        tab.select(self.on_show, key, [*subject, self.models], queue=False, **QUIET)
        asked = [key, self.picture, self.question, self.options, self.models, self.edit]
        shown = [self.columns, self.say, self.run, self.stop]
        gr.on(
            [self.run.click, self.question.submit, self.options.submit],
            self.on_run, asked, shown, js=seen_at("#compare-picture", "picture"), **QUEUE, **QUIET,
        )  # fmt: skip
        self.stop.click(self.on_stop, key, None, queue=False, **QUIET)
        self.examples.choose(self.on_example, key, subject, queue=False, **QUIET)
        self.picture.picture(self.on_picture, key, subject, queue=False, **QUIET)
        self.picture.refused(self.on_refused, None, self.say, queue=False, **QUIET)

    def subject(self, key: str | None) -> Visit | None:
        """What is asked about here; at first what the Studio shows."""
        visit = self.desks.visits.get(key)
        if visit is None:
            return None
        if "compare" not in visit.beside:
            visit.beside["compare"] = Visit(
                image=visit.image, uri=visit.uri, asked=visit.asked, options=visit.options,
                example=visit.example, bounds=visit.bounds,
            )  # fmt: skip
        found: Visit = visit.beside["compare"]
        return found

    def on_show(self, key: str) -> dict[Any, Any]:
        """The tab was opened."""
        subject = self.subject(key)
        if subject is None:
            return {self.say: say_html(GONE, True)}
        known = choices(self.desks.shelf)
        if "models" not in subject.beside:
            subject.beside["models"] = [name for _, name in known][:MOST]
        chosen = [n for n in subject.beside["models"] if n in [name for _, name in known]]
        return {**self._told(subject), self.models: gr.update(choices=known, value=chosen)}

    def _told(self, subject: Visit, sentence: str = "", trouble: bool = False) -> dict[Any, Any]:
        size = subject.image.size if subject.image is not None else (1, 1)
        room = self.desks.shelf.first
        return {
            self.picture: picture_html(subject.uri, size),
            self.question: subject.asked,
            self.options: acts.format_options(subject.options),
            self.examples: examples_html(room.thumbnails, subject.example),
            self.say: say_html(sentence, trouble),
        }

    def on_example(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A built-in example was chosen."""
        subject, index = self.subject(key), int(event.index)
        items = self.desks.shelf.first.items
        if subject is None or not 0 <= index < len(items):
            return {self.say: say_html(GONE, True)}
        item = items[index]
        subject.image, subject.uri = item.image, picture.data_uri(item.image)
        subject.example, subject.asked = index, str(item.question)
        subject.options = tuple(str(o) for o in item.options)
        return self._told(subject)

    def on_picture(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """A picture was uploaded."""
        subject = self.subject(key)
        if subject is None:
            return {self.say: say_html(GONE, True)}
        try:
            acts.open_picture(subject, str(event.path), get_upload_folder())
        except Exception as error:
            return self._told(subject, sentence_of(error), True)
        return self._told(subject, "New picture. Press Compare to ask about it.")

    def on_refused(self, event: gr.EventData) -> str:
        """The browser did not take a file."""
        name = str(event.name)[:80]
        return say_html(f"“{name}” could not be taken; choose a picture of at most 50 MB.", True)

    def on_stop(self, key: str) -> None:
        """Stop: honoured within one step of the model."""
        subject = self.subject(key)
        if subject is not None:
            subject.cancel.set()
            running = subject.beside.get("running")
            if running is not None:
                running.cancel.set()

    def on_run(
        self, key: str, seen: Any, question: str, options: str, names: list[str], edit: str
    ) -> Iterator[dict[Any, Any]]:
        """Compare: the same question and edit to each model, one after the other."""
        subject = self.subject(key)
        idle = {self.run: gr.update(interactive=True), self.stop: gr.update(interactive=False)}
        if subject is None:
            yield {self.say: say_html(GONE, True), **idle}
            return
        try:
            check_seen(seen, mark_of(subject.uri), CHANGED)
            if not FEWEST <= len(names or ()) <= MOST:
                raise acts.GuiError("Choose two or three models to compare.")
        except acts.GuiError as error:
            yield {self.say: say_html(sentence_of(error), True), **idle}
            return
        subject.beside["models"] = list(names)
        subject.options = acts.parse_options(options or "")
        subject.asked, subject.cancel = question or "", threading.Event()
        subject = replace(subject)  # every column is of this, whatever is chosen meanwhile
        cells = dict.fromkeys(names, "<p class='going'>waiting</p>")
        yield {
            self.columns: columns_html(self.desks.shelf, cells),
            self.say: say_html("", False),
            self.run: gr.update(interactive=False),
            self.stop: gr.update(interactive=True),
        }
        for name in names:
            if subject.cancel.is_set():
                cells[name] = "<p class='going'>stopped</p>"
                continue
            cells[name] = "<p class='going'>asking</p>"
            yield {self.columns: columns_html(self.desks.shelf, cells)}
            try:
                room = self._room(name)
                with room.line.join(key, subject.cancel) as ticket:
                    for sentence in ticket.waiting():
                        yield {self.say: say_html(sentence, False)}
                    yield {self.say: say_html("", False)}
                    cells[name] = answered(subject, room, edit, name, self.desks.page.panel)
            except Exception as error:
                cells[name] = (
                    f"<p class='say trouble' role='alert'>{escape(sentence_of(error))}</p>"
                )
            finally:
                self._settle(key)
            yield {self.columns: columns_html(self.desks.shelf, cells)}
        said = "Stopped." if subject.cancel.is_set() else ""
        yield {
            self.columns: columns_html(self.desks.shelf, cells),
            self.say: say_html(said, False),
            **idle,
        }

    def _settle(self, key: str) -> None:
        """Runs of an earlier column or comparison need not be held."""
        visit = self.desks.visits.get(key)
        if visit is not None:
            self.desks.visits.settle(visit)

    def _room(self, name: str) -> Workshop:
        shelf = self.desks.shelf
        if name not in [n for _, n in choices(shelf)]:
            raise acts.GuiError("Choose models from the list.")
        return shelf.get(name)
