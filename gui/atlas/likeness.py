"""How alike the latents are: the matrix of a run, the grid across items, and collapse."""

from __future__ import annotations

from typing import Any

from gui.atlas.layout import Layout
from gui.atlas.saying import figure_or_sentence, figures_or_sentence, safely
from gui.atlas.view import BETWEEN, WITHIN, Seen, Visitors
from gui.desk import GONE
from gui.figures.look import sentence_figure
from gui.geometry import facts_html
from gui.likeness import across_figures, between_figure, kinds, within_figure


class Likeness:
    """Handlers of the matrix and of what stands across items."""

    def __init__(self, layout: Layout, visitors: Visitors) -> None:
        self._layout, self._visitors = layout, visitors

    def on_items(self, key: str) -> dict[Any, Any]:
        """What the items have in common."""
        layout, found = self._layout, self._visitors.ready(key)
        if found is None:
            return {layout.facts: ""}
        facts = safely(lambda: facts_html(found.workshop))
        return {**self.across(found), layout.facts: facts}

    def on_kind(self, key: str, which: str, kind: str) -> dict[Any, Any]:
        """Another matrix, or another reading of the cosine."""
        found = self._visitors.now(key)
        if found is None:
            return {self._layout.matrix: sentence_figure(GONE)}
        view = found.view
        known = [name for _, name in kinds()]
        same = view.kind == kind
        view.matrix = which if which in (WITHIN, BETWEEN) else WITHIN
        view.kind = kind if kind in known else "raw"
        if same:
            return self.matrix(found)
        return {**self.matrix(found), **self.across(found)}

    def matrix(self, seen: Seen) -> dict[Any, Any]:
        """The matrix as it is chosen, for its widget."""
        draw = within_figure if seen.view.matrix == WITHIN else between_figure
        figure = figure_or_sentence(lambda: draw(seen.visit, seen.workshop, seen.view.kind))
        return {self._layout.matrix: figure}

    def across(self, seen: Seen) -> dict[Any, Any]:
        """The grid across items and the curve of collapse, for their widgets."""
        visit, workshop, view = seen
        grid, curve = figures_or_sentence(
            lambda: across_figures(visit, workshop, view.kind, view.items)
        )
        return {self._layout.panels: grid, self._layout.collapse: curve}
