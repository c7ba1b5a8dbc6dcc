"""Between visitors and their widgets: acts are done, failures become sentences, screens updates."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui import acts, logbook
from gui.autosave import UNKEPT
from gui.panel import said
from gui.screen import Screen, say_html, screen
from gui.steps import StepsError
from gui.visitors import Visits
from gui.visits import Visit
from gui.workshop import Workshop

if TYPE_CHECKING:
    from gui.studio import Studio

GONE = "This page was idle for long and its runs were let go; reload it to start afresh."


class Desk:
    """Does acts on visits and tells the page what became of them.

    Args:
        page: the widgets.
        workshop: the model behind the page.
        visits: what visitors have on their screens.
    """

    def __init__(self, page: Studio, workshop: Workshop, visits: Visits) -> None:
        self.page, self.workshop, self.visits = page, workshop, visits

    def paint(self, view: Screen, visit: Visit | None = None) -> dict[Any, Any]:
        """A screen as updates of the components."""
        out = {
            self.page.picture: view.picture,
            self.page.strip: view.strip,
            self.page.answers: view.answers,
            self.page.tree: view.tree,
            self.page.inspector: view.inspector,
            self.page.say: view.say,
            self.page.look: view.look,
            self.page.map: view.map,
            self.page.similarity: view.similarity,
        }
        if visit is not None:
            sentence = said(self.workshop, visit)
            if sentence:
                out[self.page.panel.text] = sentence  # to be rewritten from what it said
        return out

    def busy(self, busy: bool, waits: bool = False) -> dict[Any, Any]:
        latent = self.workshop.engine.family.latent
        return {
            self.page.run: gr.update(interactive=not busy, value="Continue" if waits else "Run"),
            self.page.step: gr.update(interactive=not busy and latent),
            self.page.stop: gr.update(interactive=busy or waits),
            self.page.panel.apply: gr.update(
                interactive=not busy, value="Feed it" if waits else "Apply"
            ),
        }

    def guard(
        self, key: str | None, work: Callable[[Visit], Iterator[Screen] | None], slow: bool = False
    ) -> Iterator[dict[Any, Any]]:
        """Do ``work`` on a visit; whatever goes wrong becomes one sentence on the page."""
        visit = self.visits.get(key)
        if visit is None or not self.workshop.ready:
            sentence = GONE if self.workshop.ready else self.waiting()
            yield {self.page.say: say_html(sentence, True)}
            return
        visit.say, visit.trouble = "", False
        if slow:
            visit.going = True
            yield self.busy(True)
        try:
            if slow:
                yield from self._in_turn(key, visit, work)
            else:
                for view in work(visit) or ():
                    yield self.paint(view)
        except Exception as error:  # the page never shows a traceback
            visit.say, visit.trouble = sentence_of(error), True
        finally:
            visit.going = False if slow else visit.going
            self.visits.settle(visit)
        if not visit.trouble and UNKEPT in visit.beside:
            visit.say, visit.trouble = str(visit.beside.pop(UNKEPT)), True
        out = self.paint(screen(visit, self.workshop), visit)
        yield {**out, **(self.busy(False, visit.pending is not None) if slow else {})}

    def _in_turn(
        self, key: str | None, visit: Visit, work: Callable[[Visit], Iterator[Screen] | None]
    ) -> Iterator[dict[Any, Any]]:
        """Do ``work`` when it is this visit's turn at the model, saying how the line stands."""
        if visit.pending is None:  # a run that waits goes on under the event it was begun with
            visit.cancel = threading.Event()
        if visit.left:
            visit.cancel.set()
        with self.workshop.line.join(key, visit.cancel, self.workshop.beside) as ticket:
            for sentence in ticket.waiting():
                yield {self.page.say: say_html(sentence, False)}
            for view in work(visit) or ():
                yield self.paint(view)

    def now(self, key: str | None, work: Callable[[Visit], None]) -> dict[Any, Any]:
        """:meth:`_guard` for what is done at once."""
        *_, last = self.guard(key, work)
        return last

    def waiting(self) -> str:
        """What is going on while there is no model to ask."""
        return self.workshop.failure or f"The model is not ready yet: {self.workshop.stage}…"


def sentence_of(error: Exception) -> str:
    """One sentence for a person; what is our own mistake goes to the terminal in full."""
    from core.errors import ZscopeError, one_line

    if isinstance(error, (ZscopeError, StepsError, acts.GuiError)):
        return one_line(str(error))
    traceback.print_exception(error, file=sys.stderr)
    logbook.note(error)
    if isinstance(error, MemoryError):
        return "This machine ran out of memory; use a smaller picture, or ask for less at once."
    return (
        f"Something went wrong inside Zscope ({type(error).__name__}); the terminal shows the "
        "details, and nothing on this page was lost."
    )
