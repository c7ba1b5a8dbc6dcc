"""What a freshly opened tab shows: its own session, the screen its address names, or an example."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui import acts
from gui.components.examples import examples_html
from gui.links import edit_of, example_of, named
from gui.oneclick import one_click
from gui.recordings import first_screen
from gui.screen import say_html, screen
from gui.shelf import DEMOS
from gui.workshop import LOADING

if TYPE_CHECKING:
    from core.records.archive import Session
    from gui.desks import Desks
    from gui.handlers import Handlers
    from gui.visits import Visit
    from gui.workshop import Workshop

# The names of this tab's session and of the newest one; a browser may forbid both.
READ = """() => {
  const read = (box) => {
    try { return box().getItem("zscope:session") || ""; } catch { return ""; }
  };
  return [read(() => sessionStorage), read(() => localStorage)];
}"""
KEEP = """(name) => {
  if (!name) return;
  for (const box of [() => sessionStorage, () => localStorage]) {
    try { box().setItem("zscope:session", name); } catch { continue; }
  }
}"""


class Arrival:
    """Opens tabs.

    Args:
        desks: the Studio's handlers, with the models and the sessions behind them.
    """

    def __init__(self, desks: Desks) -> None:
        self.desks = desks
        self.own = gr.Textbox(visible=False)
        self.newest = gr.Textbox(visible=False)

    async def on_load(
        self, own: str, newest: str, request: gr.Request
    ) -> AsyncIterator[dict[Any, Any]]:
        """A tab was opened: wait for the model, saying so, then show what belongs there."""
        desks, page = self.desks, self.desks.page
        key, visit = desks.visits.open(request.session_hash)
        query = dict(request.query_params)
        session, name = await asyncio.to_thread(self._kept, own, newest, query)
        model, room = desks.sessions.room(session) if session else self._asked(query)
        visit.model = model
        early = session is None and not named(query)
        while not room.done.is_set():
            sentence = f"Waking the model: {room.stage}…"
            out: dict[Any, Any] = {}
            if early and room.stage == LOADING:
                early = False
                out = await asyncio.to_thread(self._meanwhile, model or desks.shelf.name, room)
            yield {**out, page.key: key, page.say: say_html(sentence, False)}
            await asyncio.sleep(0.2)
        if not room.ready and session is not None:  # the runs can be looked at all the same
            visit.model, room = desks.sessions.recorded(session)
        why = ""
        if not room.ready:
            why = room.failure
            recordings = await asyncio.to_thread(desks.sessions.recordings)
            if recordings is None:
                yield {page.key: key, page.say: say_html(why, True)}
                return
            visit.model, room = recordings
        desk = desks.at(room)

        def show(visit: Visit) -> None:
            if session is not None:
                desks.sessions.show(visit, session, room, fresh=False)
            else:
                self._open(desk, visit, query)
            if why:
                visit.say, visit.trouble = f"{why} {visit.say}", True

        out = await asyncio.to_thread(desk.now, key, show)
        name = desks.sessions.begin(key, visit, named(query), name)
        desks.sessions.autosave.touch(key)
        yield {**out, page.key: key, self.own: name, **told(desk, visit)}

    def _meanwhile(self, model: str, room: Workshop) -> dict[Any, Any]:
        """What the first example will look like, drawn while its model is still loading."""
        from core.errors import ZscopeError
        from gui.handlers import Handlers

        try:
            found = first_screen(model, room) if model in DEMOS else None
        except ZscopeError:  # an unreadable file costs the early look, nothing else
            return {}
        if found is None:
            return {}
        visit, recorded = found
        page = self.desks.page
        desk = Handlers(page, recorded, self.desks.visits)
        shown = desk.paint(screen(visit, recorded), visit)
        return {
            **shown,
            page.question: visit.asked,
            page.options: acts.format_options(visit.options),
        }

    def _kept(self, own: str, newest: str, query: Mapping[str, str]) -> tuple[Session | None, str]:
        """The session this tab goes on with, and its name."""
        autosave, asked = self.desks.sessions.autosave, named(query)
        for name in dict.fromkeys((own, newest)):
            if name != own and (asked or autosave.taken(name)):
                continue  # another tab's, or the address asks for something of its own
            session = autosave.find(name)
            if session is not None and (not asked or session.meta.get("link") == asked):
                return session, name
        return None, ""

    def _asked(self, query: Mapping[str, str]) -> tuple[str, Workshop]:
        """The model an address asks for, among those that are here; else the page's first."""
        shelf, name = self.desks.shelf, query.get("model", "")
        if name in DEMOS and (name in shelf.loaded() or shelf.models[name].here):
            return name, shelf.open(shelf.models[name])
        if shelf.first.remote and not shelf.first.has(0):  # nothing to show without a GPU
            demo = next((model for model in shelf.models.values() if model.demo_here), None)
            if demo is not None:
                return demo.name, shelf.open(demo)
        return "", shelf.first

    def _open(self, desk: Handlers, visit: Visit, query: Mapping[str, str]) -> None:
        """An example, with the edit the address asks for already done."""
        index = example_of(query, len(desk.workshop.thumbnails))
        if index is None:
            return
        acts.open_example(visit, desk.workshop, index)
        edit = "" if getattr(desk.workshop.engine, "recorded", False) else edit_of(query)
        if edit and visit.baseline is not None:
            made, title = one_click(edit, visit, desk.workshop, desk.page.panel)
            acts.apply(visit, desk.workshop, visit.baseline, [made], title)


def told(desk: Handlers, visit: Visit) -> dict[Any, Any]:
    """Updates of everything on the page that depends on the model and the question."""
    page, room = desk.page, desk.workshop
    recorded = getattr(room.engine, "recorded", False)
    out = {
        page.model: model_html(room.engine),
        page.question: visit.asked,
        page.options: acts.format_options(visit.options),
        page.examples: examples_html(room.thumbnails, visit.example),
        page.run: gr.update(interactive=not recorded, value="Run"),
        page.step: gr.update(interactive=bool(room.engine.family.latent) and not recorded),
        page.stop: gr.update(interactive=False),
        **page.panel.fill(room, visit),
    }
    if recorded:
        for button in (page.panel.apply, *page.panel.quick.values()):
            out[button] = {**out[button], "interactive": False}
    return out


def model_html(engine: Any) -> str:
    """The model's name and how it runs, for the head of the page."""
    name = escape(Path(engine.name).name)
    notes = "".join(f"<li>{escape(note)}</li>" for note in engine.notes)
    return (
        f'<details class="model"><summary><b>{name}</b> {escape(engine.family.title)}</summary>'
        f"<ul>{notes}</ul></details>"
    )
