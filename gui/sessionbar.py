"""Save, Open, Copy as Python and Copy link: four small buttons in the head of the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.arrival import told
from gui.components import sheet
from gui.desk import GONE, sentence_of
from gui.errors import GuiError
from gui.links import link
from gui.screen import say_html
from gui.scripting import Script, source_of

if TYPE_CHECKING:
    from gui.desks import Desks

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
ROOT = Path(__file__).resolve().parent.parent
FETCH = "() => setTimeout(() => document.querySelector('#session-file')?.click(), 60)"


class SessionBar:
    """The buttons; :meth:`wire` ties them once the Studio is there."""

    def __init__(self) -> None:
        with gr.Row(elem_id="session"):
            self.models = gr.Button("Models", size="sm", elem_id="models-open")
            self.save = gr.Button("Save", size="sm", elem_id="session-save")
            self.open = gr.UploadButton(
                "Open", size="sm", file_types=[".zscope"], type="binary", elem_id="session-open"
            )
            self.python = gr.Button("Python", size="sm", elem_id="session-python")
            self.link = gr.Button("Link", size="sm", elem_id="session-link")
            self.file = gr.DownloadButton("Saved", visible="hidden", elem_id="session-file")
            self.sheet = gr.HTML(None, js_on_load=sheet.SCRIPT, elem_id="sheet")

    def wire(self, desks: Desks) -> None:
        """Tie the buttons to what they do."""
        self.desks = desks
        page = desks.page
        saved = self.save.click(self.on_save, page.key, [self.file, page.say], queue=False, **QUIET)
        saved.success(None, None, None, js=FETCH, show_progress="hidden")
        self.open.upload(
            self.on_open, [page.key, self.open], [*page.opening, page.stop],
            concurrency_id="model", concurrency_limit=1, **QUIET,
        )  # fmt: skip
        for button, act in ((self.python, self.on_python), (self.link, self.on_link)):
            button.click(act, page.key, [self.sheet, page.say], queue=False, **QUIET)

    def _try(self, key: str | None, work: Any) -> dict[Any, Any]:
        """Do ``work`` on the visit; a failure is one sentence."""
        visit = self.desks.visits.get(key)
        if visit is None:
            return {self.desks.page.say: say_html(GONE, True)}
        try:
            updates: dict[Any, Any] = work(visit)
            return updates
        except Exception as error:
            return {self.desks.page.say: say_html(sentence_of(error), True)}

    def on_save(self, key: str) -> dict[Any, Any]:
        """Save: the branches as one file, downloaded."""
        return self._try(key, lambda v: {self.file: self.desks.sessions.download(v)})

    def on_open(self, key: str, data: bytes) -> dict[Any, Any]:
        """Open: a saved session takes the place of what is on the screen."""
        desks = self.desks

        def work(visit: Any) -> dict[Any, Any]:
            from core.records import load

            if not isinstance(data, bytes):  # no widget of the page sends nothing
                raise GuiError("No file came with it; choose a .zscope file.")
            session = load(data, visit.bounds.records())
            name, room = desks.sessions.room(session)
            room.done.wait()
            if not room.ready:
                name, room = desks.sessions.recorded(session)

            def show(visit: Any) -> None:
                desks.sessions.show(visit, session, room, fresh=True)
                visit.model = name

            desk = desks.at(room)
            out = desk.now(key, show)
            desks.sessions.autosave.touch(key)
            return {**out, **told(desk, visit)}

        return self._try(key, work)

    def on_python(self, key: str) -> dict[Any, Any]:
        """Copy as Python: a script that gives what is on the screen."""
        desks = self.desks

        def work(visit: Any) -> dict[Any, Any]:
            room = desks.shelf.of(visit.model)
            path = desks.sessions.autosave.path(key)
            text = Script(
                visit, room, source_of(room.engine, ROOT), str(path or "session.zscope")
            ).text()
            note = "Paste it into Python started in Zscope's folder."
            if path is None and "session.zscope" in text:
                note = "Save the session as session.zscope beside it first."
            return {self.sheet: {"title": "As Python", "text": text, "note": note}}

        return self._try(key, work)

    def on_link(self, key: str) -> dict[Any, Any]:
        """Copy link: an address that opens what is on the screen."""
        note = "Whoever opens this address at a running Zscope sees this screen."

        def work(visit: Any) -> dict[Any, Any]:
            text = link(visit, self.desks.shelf.name)
            return {self.sheet: {"title": "Link", "text": text, "note": note}}

        return self._try(key, work)
