"""Points taken in any figure of the Atlas: steps of the run, latents of the bank."""

from __future__ import annotations

from typing import Any

import gradio as gr

from gui import acts
from gui.atlas.drawing import map_figure, neighbours_html
from gui.atlas.layout import Layout
from gui.atlas.likeness import Likeness
from gui.atlas.saying import figure_or_sentence, safely
from gui.atlas.view import Visitors


class Selected:
    """The handler of a click or a lasso."""

    def __init__(self, layout: Layout, visitors: Visitors, likeness: Likeness) -> None:
        self._layout, self._visitors, self._likeness = layout, visitors, likeness

    def on_mark(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """Points were clicked or taken with a lasso, in any of the figures."""
        layout, found = self._layout, self._visitors.now(key)
        if found is None or not found.view.parts:
            return {layout.nearest: ""}
        visit, _, view = found
        own, bank = told(event.points)
        if own:
            span = own[0][0]
            # the Studio's strip says so too, dated the same; an older word may come later
            order = getattr(event, "order", None)
            acts.select(visit, span, [k for s, k in own if s == span], order and float(order))
        before = view.items
        if bank or not own:
            view.marked = bank
        out = {
            layout.map: figure_or_sentence(lambda: map_figure(visit, view)),
            **self._likeness.matrix(found),
            layout.nearest: safely(lambda: neighbours_html(found)),
        }
        if view.items != before:
            out[layout.panels] = self._likeness.across(found)[layout.panels]
        return out


def told(points: Any) -> tuple[list[tuple[int, int]], list[tuple[str, int]]]:
    """What a page says was selected: (span, step) of runs, (item, step) of the bank.

    Anything else in it is passed over; it comes from a browser.
    """
    own: list[tuple[int, int]] = []
    bank: list[tuple[str, int]] = []
    for entry in points if isinstance(points, list) else []:
        if not isinstance(entry, list) or len(entry) < 4:
            continue
        span, step, kind, item = entry[:4]
        if not all(isinstance(n, int) for n in (span, step)) or step < 0:
            continue
        if kind == "run":
            own.append((span, step))
        elif kind == "bank":
            bank.append((str(item)[:500], step))
    return own, list(dict.fromkeys(bank))
