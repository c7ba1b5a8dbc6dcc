"""The map: shown, chosen anew, recoloured; a slow one is fitted behind a quick one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from gui.atlas.drawing import map_figure, neighbours_html
from gui.atlas.layout import BESIDE, METHODS, Layout
from gui.atlas.saying import figure_or_sentence, going, safely
from gui.atlas.view import LOOK, Seen, Visitors
from gui.cloud import gather
from gui.desk import GONE, sentence_of
from gui.figures.bank import BY
from gui.figures.look import sentence_figure
from gui.mapping import FROZEN, JOINT, Superseded, fit
from gui.screen import say_html


class Mapped:
    """Handlers of the map."""

    def __init__(self, layout: Layout, visitors: Visitors) -> None:
        self._layout, self._visitors = layout, visitors

    def on_shown(self, key: str) -> Iterator[dict[Any, Any]]:
        """The map, as it was chosen last."""
        status, visitors = self._layout.status, self._visitors
        found = visitors.at(key)
        if found is not None and not found.workshop.done.is_set():
            yield {status: going(f"The model is not ready yet: {found.workshop.stage}…")}
        found = visitors.ready(key)
        if found is None:
            room = visitors.at(key)
            yield {status: say_html(room.workshop.failure if room else GONE, True)}
            return
        yield from self._map(found)

    def on_map(
        self, key: str, method: str, by: str, placed: str, beside: list[str]
    ) -> Iterator[dict[Any, Any]]:
        """Another method, another way to place, more or fewer points."""
        found = self._visitors.now(key)
        if found is None:
            yield {self._layout.status: say_html(GONE, True)}
            return
        view = found.view
        view.method = method if method in METHODS else "pca"
        view.placed = placed if placed in (JOINT, FROZEN) else JOINT
        view.by = by if by in BY else "step"
        view.beside = tuple(name for name in BESIDE if name in (beside or ()))
        yield from self._map(found)

    def on_colour(self, key: str, by: str) -> Any:
        """The same map in other colours, where it was and as near as it was."""
        found = self._visitors.at(key)
        if found is None or not found.view.parts:
            return gr.skip()
        found.view.by = by if by in BY else "step"
        return figure_or_sentence(lambda: map_figure(found.visit, found.view))

    def _map(self, seen: Seen) -> Iterator[dict[Any, Any]]:
        """The map: a finished one at once; else PCA now and the one asked for behind it."""
        layout, view = self._layout, seen.view
        try:
            view.cloud = cloud = gather(seen.visit, seen.workshop, view.beside)
            if not sum(len(group) for group in cloud.groups):
                yield {layout.map: sentence_figure("There are no latents to map yet."),
                       layout.status: "", layout.nearest: ""}  # fmt: skip
                return
            asked = (cloud.key, view.method, view.placed)
            parts = view.maps.get(asked)
            if parts is None and view.method == "pca":
                parts = fit(cloud, "pca", view.placed)
                view.maps.keep(asked, parts)
            if parts is not None:
                if view.maps.fit is not None:
                    view.maps.fit.stop()
                yield self._drawn(seen, parts)
                return
            yield from self._behind(seen, asked)
        except Exception as error:
            yield {layout.map: sentence_figure(sentence_of(error)),
                   layout.status: say_html(sentence_of(error), True)}  # fmt: skip

    def _behind(self, seen: Seen, asked: Any) -> Iterator[dict[Any, Any]]:
        """PCA on the screen while the map that was asked for is computed in its thread."""
        status, view, cloud = self._layout.status, seen.view, seen.view.cloud
        fitting = view.maps.begin(cloud, view.method, view.placed)
        title = METHODS[view.method]
        first = fit(cloud, "pca", view.placed)
        yield {
            **self._drawn(seen, first),
            status: going(f"PCA meanwhile; {title} is being computed…"),
        }
        while not fitting.done.wait(LOOK):
            if view.maps.fit is not fitting:
                return  # another map was asked for
            share = f" {fitting.share:.0%}" if 0 < fitting.share < 1 else ""
            seconds = time.monotonic() - fitting.began
            yield {status: going(
                f"PCA meanwhile; {title}{share}, {fitting.stage}, {seconds:.0f} s"
            )}  # fmt: skip
        if view.maps.fit is not fitting or isinstance(fitting.error, Superseded):
            return
        if fitting.error is not None:
            yield {status: say_html(sentence_of(fitting.error), True)}
            return
        view.maps.keep(asked, fitting.parts)
        yield self._drawn(seen, fitting.parts)

    def _drawn(self, seen: Seen, parts: list[Any]) -> dict[Any, Any]:
        """A finished map with the numbers under it and the neighbours beside it."""
        seen.view.parts = parts
        return {
            self._layout.map: map_figure(seen.visit, seen.view),
            self._layout.status: "",
            self._layout.nearest: safely(lambda: neighbours_html(seen)),
        }
