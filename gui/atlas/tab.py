"""The Atlas tab: its widgets tied to what they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui.atlas.banked import Banked
from gui.atlas.layout import Layout
from gui.atlas.likeness import Likeness
from gui.atlas.mapped import Mapped
from gui.atlas.selected import Selected
from gui.atlas.view import Visitors
from gui.components.steps import steps_html
from gui.desk import GONE
from gui.figures.look import sentence_figure
from gui.likeness import NO_LATENTS, NO_RUN
from gui.screen import edit_mark

if TYPE_CHECKING:
    from gui.desks import Desks
    from gui.visits import Visit
    from gui.workshop import Workshop

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
EACH = {**QUIET, "trigger_mode": "multiple"}
LONG = {"concurrency_id": "atlas", "concurrency_limit": 16}


class Atlas:
    """The tab's widgets, laid out where it is made; :meth:`wire` ties them.

    Args:
        builds: a bank may be built here; on a hosted copy it may not.
        own: the user's own folder of banks; None where nothing is kept there.
    """

    def __init__(self, builds: bool = True, own: Path | None = None) -> None:
        self.layout, self._own = Layout(builds), own

    def wire(self, desks: Desks, tab: gr.Tab) -> None:
        """Tie the widgets to what they do."""
        layout, key = self.layout, desks.page.key
        self._visitors = visitors = Visitors(desks)
        self._likeness = likeness = Likeness(layout, visitors)
        self._bank = Banked(layout, visitors, desks, self._own)
        mapped = Mapped(layout, visitors)
        # side by side, so that the map does not wait for the grid
        opens = [
            (self.on_show, [layout.steps, layout.about, layout.matrix, layout.build, layout.stop]),
            (mapped.on_shown, [layout.map, layout.status, layout.nearest]),
            (likeness.on_items, [layout.panels, layout.collapse, layout.facts]),
        ]
        for shows, outputs in opens:
            tab.select(shows, key, outputs, **LONG, **QUIET)
        self._wire_map(mapped, key)
        self._wire_figures(Selected(layout, visitors, likeness), key)
        built = self._wire_bank(key, tab)
        for shows, outputs in opens:
            built.then(shows, key, outputs, **LONG, **QUIET)
        built.then(self._bank.on_kinds, key, desks.page.panel.kind, **QUIET)

    def _wire_map(self, mapped: Mapped, key: gr.State) -> None:
        layout = self.layout
        gr.on(
            [w.input for w in (layout.method, layout.placed, layout.beside)], mapped.on_map,
            [key, layout.method, layout.by, layout.placed, layout.beside],
            [layout.map, layout.status, layout.nearest], **LONG, **EACH,
        )  # fmt: skip
        layout.by.input(mapped.on_colour, [key, layout.by], layout.map, queue=False, **EACH)

    def _wire_figures(self, selected: Selected, key: gr.State) -> None:
        layout = self.layout
        gr.on(
            [layout.which.input, layout.kind.input], self._likeness.on_kind,
            [key, layout.which, layout.kind], [layout.matrix, layout.panels, layout.collapse],
            queue=False, **EACH,
        )  # fmt: skip
        for figure in (layout.map, layout.matrix, layout.panels, layout.steps):
            figure.mark(
                selected.on_mark, key, [layout.map, layout.matrix, layout.panels, layout.nearest],
                queue=False, **EACH,
            )  # fmt: skip

    def _wire_bank(self, key: gr.State, tab: gr.Tab) -> Any:
        """Ties the bank; what follows a built one is chained to what this gives."""
        layout, bank = self.layout, self._bank
        said = [layout.about, layout.build, layout.stop, layout.bank_say]
        tab.select(bank.on_watch, key, said, **LONG, **QUIET)
        layout.stop.click(bank.on_stop, key, None, queue=False, **QUIET)
        return layout.build.click(
            bank.on_build, [key, layout.place, layout.count], said, **LONG, **QUIET
        )

    def on_show(self, key: str) -> dict[Any, Any]:
        """The tab was opened: the run's own latents and their similarity."""
        found = self._visitors.ready(key)
        if found is None:
            return {self.layout.matrix: sentence_figure(GONE)}
        visit, workshop, _ = found
        return {
            self.layout.steps: _steps(visit, workshop),
            **self._bank.state(workshop),
            **self._likeness.matrix(found),
        }


def _steps(visit: Visit, workshop: Workshop) -> str:
    base = visit.baseline if visit.edited is not None else None
    titles = workshop.titles
    return steps_html(
        visit.edited or visit.baseline, base, visit.span, visit.steps,
        lambda edit: edit_mark(edit, titles), NO_LATENTS if visit.baseline else NO_RUN,
    )  # fmt: skip
