"""The bank of a model's clean latents: what it is, and building another behind the page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.atlas.layout import Layout
from gui.atlas.saying import going
from gui.atlas.view import LOOK, Visitors
from gui.banker import SCENES, Banker
from gui.desk import GONE
from gui.screen import say_html

if TYPE_CHECKING:
    from gui.desks import Desks
    from gui.workshop import Workshop


class Banked:
    """Handlers of the bank.

    Args:
        own: the user's own folder of banks; None where nothing is kept there.
    """

    def __init__(
        self, layout: Layout, visitors: Visitors, desks: Desks, own: Path | None = None
    ) -> None:
        self._layout, self._visitors, self._desks, self._own = layout, visitors, desks, own
        self._bankers: dict[Workshop, Banker] = {}

    def banker(self, workshop: Workshop) -> Banker:
        """The one that builds a model's bank; one a model, whoever asks."""
        known = {*self._desks.shelf.loaded().values(), workshop}
        self._bankers = {w: b for w, b in self._bankers.items() if w in known}
        return self._bankers.setdefault(workshop, Banker(workshop, self._own))

    def state(self, workshop: Workshop) -> dict[Any, Any]:
        """The bank in words and its buttons, for their widgets."""
        about = bank_html(workshop, self._layout.builds)
        return {self._layout.about: about, **self._buttons(self.banker(workshop).busy)}

    def on_watch(self, key: str) -> Iterator[dict[Any, Any]]:
        """A bank that is being built for somebody is watched by everybody."""
        found = self._visitors.ready(key)
        banker = self.banker(found.workshop) if found is not None else None
        if found is not None and banker is not None and banker.busy:
            yield from self._watch(banker, found.workshop)
        else:
            yield {self._layout.bank_say: gr.skip()}

    def on_build(self, key: str, place: str, count: float | None) -> Iterator[dict[Any, Any]]:
        """Build a bank behind the page; the old one serves until the new one is there."""
        say, found = self._layout.bank_say, self._visitors.now(key)
        if found is None:
            yield {say: say_html(GONE, True)}
            return
        workshop = found.workshop
        family: Any = workshop.engine.family
        if not self._layout.builds:
            sentence = (
                "A hosted copy keeps the bank it came with; run Zscope yourself to build one."
            )
            yield {say: say_html(sentence, True)}
            return
        if not family.latent or getattr(workshop.engine, "recorded", False):
            sentence = "This model imagines no latents here, so there is no bank to build."
            yield {say: say_html(sentence, True)}
            return
        banker = self.banker(workshop)
        banker.start(place or SCENES, int(count or 200))
        yield from self._watch(banker, workshop)

    def on_stop(self, key: str) -> None:
        """Stop building."""
        found = self._visitors.at(key)
        if found is not None:
            self.banker(found.workshop).stop()

    def on_kinds(self, key: str) -> Any:
        """Edits that need a bank are offered once there is one."""
        found = self._visitors.now(key)
        if found is None:
            return gr.skip()
        offered = self._desks.page.panel.offered(found.workshop)
        return gr.update(choices=[(kind.title, kind.name) for kind in offered])

    def _watch(self, banker: Banker, workshop: Workshop) -> Iterator[dict[Any, Any]]:
        """A bank on its way, to its end."""
        layout = self._layout
        while not banker.wait(LOOK):
            yield {layout.bank_say: going(banker.progress()), **self._buttons(True)}
        yield {
            layout.about: bank_html(workshop, layout.builds),
            layout.bank_say: say_html(banker.said, banker.trouble),
            **self._buttons(False),
        }

    def _buttons(self, busy: bool) -> dict[Any, Any]:
        return {
            self._layout.build: gr.update(interactive=self._layout.builds and not busy),
            self._layout.stop: gr.update(interactive=busy),
        }


def bank_html(workshop: Workshop, builds: bool) -> str:
    """The bank in a line: what it was taken from, how large, and its settings' hash."""
    engine: Any = workshop.engine
    bank = getattr(engine, "bank", None)
    if bank is None:
        stale = next((n for n in getattr(engine, "notes", ()) if "bank kept" in n.lower()), "")
        none = "There is no bank of this model's clean latents yet"
        more = "; build one here." if builds else "."
        return f'<p class="soft">{escape(stale or none + more)}</p>'
    items, count, width = bank.latents.shape
    settings = f"settings {bank.hash}" if bank.hash else "settings unknown"
    return (
        f"<p><b>{items} items × {count} latents</b> of width {width}: {escape(bank.source)}. "
        f'<span class="soft">{settings}</span></p>'
    )
