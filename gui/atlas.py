"""Atlas: where the latents lie, how alike they are, and what a bank says is normal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from gui import acts
from gui.banker import SCENES, Banker
from gui.cloud import Cloud, gather
from gui.components import steps
from gui.components.nearest import nearest_html
from gui.components.plot import plot
from gui.components.steps import steps_html
from gui.desk import GONE, sentence_of
from gui.figures.cloud import BY, Group, cloud_figure, sentence_figure
from gui.geometry import facts_html
from gui.likeness import NO_LATENTS, NO_RUN, across_figures, between_figure, kinds, within_figure
from gui.mapping import FROZEN, JOINT, Maps, Superseded, fit, places
from gui.nearby import neighbourhoods, of_bank, taken
from gui.screen import edit_mark, say_html

if TYPE_CHECKING:
    from core.measures.projection import Projection
    from gui.desks import Desks
    from gui.visits import Visit
    from gui.workshop import Workshop

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
EACH = {**QUIET, "trigger_mode": "multiple"}
METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
BESIDE = {"branches": "all branches", "patches": "image patches", "words": "words"}
LOOK = 0.4  # seconds between two looks at a fit or a bank that is under way
ARRIVING = 5.0  # seconds a first run is waited for
WITHIN, BETWEEN = "within", "between"


@dataclass
class View:
    """What one visitor has chosen here.

    Attributes:
        marked: (item, step) of the bank's selected latents.
        maps: finished maps and the one on its way.
        cloud, parts: what is on the map now.
    """

    method: str = "pca"
    by: str = "step"
    placed: str = JOINT
    beside: tuple[str, ...] = ()
    matrix: str = WITHIN
    kind: str = "raw"
    marked: list[tuple[str, int]] = field(default_factory=list)
    maps: Maps = field(default_factory=Maps)
    cloud: Cloud = field(default_factory=Cloud)
    parts: list[Projection] = field(default_factory=list)


class Atlas:
    """The tab's widgets, laid out where it is made; :meth:`wire` ties them.

    Args:
        builds: a bank may be built here; on a hosted copy it may not.
        own: the user's own folder of banks; None where nothing is kept there.
    """

    def __init__(self, builds: bool = True, own: Path | None = None) -> None:
        self.builds, self.own = builds, own
        self._bankers: dict[Workshop, Banker] = {}
        with gr.Column(elem_id="atlas"):
            with gr.Row(elem_id="atlas-head"):
                self.steps = gr.HTML("", js_on_load=steps.SCRIPT, elem_id="atlas-steps")
                with gr.Accordion("The bank", open=False, elem_id="atlas-bank"):
                    self._lay_bank()
            with gr.Row(elem_id="atlas-map-row"):
                with gr.Column(elem_id="atlas-left", min_width=320):
                    self._lay_map()
                with gr.Column(elem_id="atlas-right", min_width=320):
                    self._lay_matrix()
            with gr.Row(elem_id="atlas-grid-row"):
                with gr.Column(elem_id="atlas-panels-column", min_width=320):
                    self.panels = plot("Across items, step by step", "atlas-panels")
                with gr.Column(elem_id="atlas-collapse-column", min_width=280):
                    self.collapse = plot("Collapse", "atlas-collapse")
                    self.facts = gr.HTML("", elem_id="atlas-facts")

    def _lay_bank(self) -> None:
        self.about = gr.HTML("", elem_id="atlas-bank-about")
        with gr.Row(elem_id="atlas-bank-go"):
            self.place = gr.Textbox(
                SCENES, label="Items: “scenes”, or a folder or table of pictures and questions",
                elem_id="atlas-bank-place", interactive=self.builds, max_length=1000,
            )  # fmt: skip
            self.count = gr.Number(
                200, label="How many", precision=0, minimum=1, elem_id="atlas-bank-count",
                interactive=self.builds,
            )  # fmt: skip
            self.build = gr.Button("Build", elem_id="atlas-build", interactive=self.builds)
            self.stop = gr.Button("Stop", elem_id="atlas-stop", interactive=False)
        self.bank_say = gr.HTML(say_html("", False), elem_id="atlas-bank-say")

    def _lay_map(self) -> None:
        with gr.Row(elem_id="atlas-map-choices", elem_classes="choices"):
            self.method = gr.Radio(
                [(title, key) for key, title in METHODS.items()], value="pca", label="Map",
                elem_id="atlas-method", elem_classes="pills",
            )  # fmt: skip
            self.by = gr.Radio(
                list(BY), value="step", label="Colour", elem_id="atlas-by", elem_classes="pills"
            )
        with gr.Row(elem_id="atlas-map-more", elem_classes="choices"):
            self.placed = gr.Radio(
                [("one joint fit", JOINT), ("bank fitted, runs placed", FROZEN)], value=JOINT,
                label="Placed by", elem_id="atlas-placed", elem_classes="pills",
            )  # fmt: skip
            self.beside = gr.CheckboxGroup(
                [(title, key) for key, title in BESIDE.items()], label="Also",
                elem_id="atlas-beside", elem_classes="pills",
            )  # fmt: skip
        self.map = plot("Map of the latents", "atlas-map")
        self.status = gr.HTML("", elem_id="atlas-status")
        self.nearest = gr.HTML("", elem_id="atlas-nearest")

    def _lay_matrix(self) -> None:
        with gr.Row(elem_id="atlas-matrix-choices", elem_classes="choices"):
            self.which = gr.Radio(
                [("within the run", WITHIN), ("before × after", BETWEEN)], value=WITHIN,
                label="Similarity", elem_id="atlas-which", elem_classes="pills",
            )  # fmt: skip
            self.kind = gr.Radio(
                kinds(), value="raw", label="Cosine", elem_id="atlas-kind", elem_classes="pills"
            )
        self.matrix = plot("Similarity of steps", "atlas-matrix")

    def wire(self, desks: Desks, tab: gr.Tab) -> None:
        """Tie the widgets to what they do."""
        self.desks = desks
        key = desks.page.key
        long = {"concurrency_id": "atlas", "concurrency_limit": 16}
        bank = [self.about, self.build, self.stop, self.bank_say]
        # side by side, so that the map does not wait for the grid
        there = [self.steps, self.about, self.matrix, self.build, self.stop]
        opens = [
            (self.on_show, there),
            (self.on_map_shown, [self.map, self.status, self.nearest]),
            (self.on_items, [self.panels, self.collapse, self.facts]),
            (self.on_watch, bank),
        ]
        for shows, outputs in opens:
            tab.select(shows, key, outputs, **long, **QUIET)
        chosen = [key, self.method, self.by, self.placed, self.beside]
        moved = [self.map, self.status, self.nearest]
        gr.on(
            [w.input for w in (self.method, self.placed, self.beside)],
            self.on_map, chosen, moved, **long, **EACH,
        )  # fmt: skip
        self.by.input(self.on_colour, [key, self.by], self.map, queue=False, **EACH)
        gr.on(
            [self.which.input, self.kind.input], self.on_kind, [key, self.which, self.kind],
            [self.matrix, self.panels, self.collapse], queue=False, **EACH,
        )  # fmt: skip
        for figure in (self.map, self.matrix, self.panels, self.steps):
            figure.mark(
                self.on_mark, key, [self.map, self.matrix, self.panels, self.nearest],
                queue=False, **EACH,
            )  # fmt: skip
        built = self.build.click(
            self.on_build, [key, self.place, self.count], bank, **long, **QUIET
        )
        for shows, outputs in opens[:3]:
            built.then(shows, key, outputs, **long, **QUIET)
        built.then(self.on_kinds, key, desks.page.panel.kind, **QUIET)
        self.stop.click(self.on_stop, key, None, queue=False, **QUIET)

    # -- what is there ---------------------------------------------------------------------

    def _at(self, key: str | None) -> tuple[Visit, Workshop, View] | None:
        visit = self.desks.visits.get(key)
        if visit is None:
            return None
        view = visit.beside.setdefault("atlas", View())
        return visit, self.desks.shelf.of(visit.model), view

    def banker(self, workshop: Workshop) -> Banker:
        """The one that builds a model's bank; one a model, whoever asks."""
        known = {*self.desks.shelf.loaded().values(), workshop}
        self._bankers = {w: b for w, b in self._bankers.items() if w in known}
        return self._bankers.setdefault(workshop, Banker(workshop, self.own))

    # -- showing ---------------------------------------------------------------------------

    def _ready(self, key: str) -> tuple[Visit, Workshop, View] | None:
        """Once the model is there, however early the tab was opened; None when it never will be."""
        found = self._at(key)
        while found is not None and not found[1].done.wait(LOOK):
            found = self._at(key)
        # a page that was just opened gets its first run a moment after the model
        until = time.monotonic() + ARRIVING
        while found is not None and found[0].baseline is None and time.monotonic() < until:
            time.sleep(0.1)
            found = self._at(key)
        return found if found is not None and found[1].ready else None

    def on_show(self, key: str) -> dict[Any, Any]:
        """The tab was opened: the run's own latents and their similarity."""
        found = self._ready(key)
        if found is None:
            return {self.matrix: sentence_figure(GONE)}
        visit, workshop, view = found
        return {
            self.steps: self._steps(visit, workshop),
            self.about: bank_html(workshop, self.builds),
            **self._buttons(self.banker(workshop).busy),
            self.matrix: self._matrix(visit, workshop, view),
        }

    def on_map_shown(self, key: str) -> Iterator[dict[Any, Any]]:
        """The map, as it was chosen last."""
        found = self._at(key)
        if found is not None and not found[1].done.is_set():
            yield {self.status: _going(f"The model is not ready yet: {found[1].stage}…")}
        found = self._ready(key)
        if found is None:
            room = self._at(key)
            yield {self.status: say_html(room[1].failure if room else GONE, True)}
            return
        yield from self._map(*found)

    def on_items(self, key: str) -> dict[Any, Any]:
        """What the items have in common."""
        found = self._ready(key)
        if found is None:
            return {self.facts: ""}
        visit, workshop, view = found
        marked = {item for item, _ in view.marked}
        grid, curve = self._figures(lambda: across_figures(visit, workshop, view.kind, marked))
        facts = self._safely(lambda: facts_html(workshop))
        return {self.panels: grid, self.collapse: curve, self.facts: facts}

    def on_watch(self, key: str) -> Iterator[dict[Any, Any]]:
        """A bank that is being built for somebody is watched by everybody."""
        found = self._ready(key)
        banker = self.banker(found[1]) if found is not None else None
        if found is not None and banker is not None and banker.busy:
            yield from self._watch(banker, found[1])
        else:
            yield {self.bank_say: gr.skip()}

    def _steps(self, visit: Visit, workshop: Workshop) -> str:
        base = visit.baseline if visit.edited is not None else None
        titles = workshop.titles
        return steps_html(
            visit.edited or visit.baseline, base, visit.span, visit.steps,
            lambda edit: edit_mark(edit, titles), NO_LATENTS if visit.baseline else NO_RUN,
        )  # fmt: skip

    def _safely(self, make: Any) -> Any:
        """What ``make`` gives, or the sentence of what went wrong."""
        try:
            return make()
        except Exception as error:
            return say_html(sentence_of(error), True)

    def _figure(self, make: Any) -> dict[str, Any]:
        """The same for a figure."""
        try:
            figure: dict[str, Any] = make()
            return figure
        except Exception as error:
            return sentence_figure(sentence_of(error))

    def _likeness(self, visit: Visit, workshop: Workshop, view: View) -> dict[Any, Any]:
        marked = {item for item, _ in view.marked}
        across = self._figures(lambda: across_figures(visit, workshop, view.kind, marked))
        return {self.matrix: self._matrix(visit, workshop, view), self.panels: across[0],
                self.collapse: across[1]}  # fmt: skip

    def _figures(self, make: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            one, other = make()
            return one, other
        except Exception as error:
            said = sentence_figure(sentence_of(error))
            return said, said

    def _matrix(self, visit: Visit, workshop: Workshop, view: View) -> dict[str, Any]:
        draw = within_figure if view.matrix == WITHIN else between_figure
        return self._figure(lambda: draw(visit, workshop, view.kind))

    # -- the map ---------------------------------------------------------------------------

    def on_map(
        self, key: str, method: str, by: str, placed: str, beside: list[str]
    ) -> Iterator[dict[Any, Any]]:
        """Another method, another way to place, more or fewer points."""
        found = self._at(key)
        if found is None or not found[1].ready:
            yield {self.status: say_html(GONE, True)}
            return
        visit, workshop, view = found
        view.method = method if method in METHODS else "pca"
        view.placed = placed if placed in (JOINT, FROZEN) else JOINT
        view.by = by if by in BY else "step"
        view.beside = tuple(name for name in BESIDE if name in (beside or ()))
        yield from self._map(visit, workshop, view)

    def _map(self, visit: Visit, workshop: Workshop, view: View) -> Iterator[dict[Any, Any]]:
        """The map: a finished one at once; else PCA now and the one asked for behind it."""
        try:
            view.cloud = cloud = gather(visit, workshop, view.beside)
            if not sum(len(group) for group in cloud.groups):
                yield {self.map: sentence_figure("There are no latents to map yet."),
                       self.status: "", self.nearest: ""}  # fmt: skip
                return
            asked = (cloud.key, view.method, view.placed)
            parts = view.maps.get(asked)
            if parts is None and view.method == "pca":
                parts = fit(cloud, "pca", view.placed)
                view.maps.keep(asked, parts)
            if parts is not None:
                if view.maps.fit is not None:
                    view.maps.fit.stop()
                yield self._drawn(visit, workshop, view, parts)
                return
            yield from self._behind(visit, workshop, view, cloud, asked)
        except Exception as error:
            yield {self.map: sentence_figure(sentence_of(error)),
                   self.status: say_html(sentence_of(error), True)}  # fmt: skip

    def _behind(
        self, visit: Visit, workshop: Workshop, view: View, cloud: Cloud, asked: Any
    ) -> Iterator[dict[Any, Any]]:
        """PCA on the screen while the map that was asked for is computed in its thread."""
        going = view.maps.begin(cloud, view.method, view.placed)
        title = METHODS[view.method]
        first = fit(cloud, "pca", view.placed)
        yield {
            **self._drawn(visit, workshop, view, first),
            self.status: _going(f"PCA meanwhile; {title} is being computed…"),
        }
        while not going.done.wait(LOOK):
            if view.maps.fit is not going:
                return  # another map was asked for
            share = f" {going.share:.0%}" if 0 < going.share < 1 else ""
            seconds = time.monotonic() - going.began
            yield {self.status: _going(
                f"PCA meanwhile; {title}{share}, {going.stage}, {seconds:.0f} s"
            )}  # fmt: skip
        if view.maps.fit is not going or isinstance(going.error, Superseded):
            return
        if going.error is not None:
            yield {self.status: say_html(sentence_of(going.error), True)}
            return
        view.maps.keep(asked, going.parts)
        yield self._drawn(visit, workshop, view, going.parts)

    def _drawn(
        self, visit: Visit, workshop: Workshop, view: View, parts: list[Projection]
    ) -> dict[Any, Any]:
        """A finished map with the numbers under it and the neighbours beside it."""
        view.parts = parts
        return {
            self.map: self._cloud(visit, view),
            self.status: "",
            self.nearest: self._safely(lambda: self._nearest(visit, workshop, view)),
        }

    def _cloud(self, visit: Visit, view: View) -> dict[str, Any]:
        first = view.parts[0]
        axes = ("", "")
        if first.shares is not None:
            axes = (f"PC 1, {first.shares[0]:.0%} of the variance", f"PC 2, {first.shares[1]:.0%}")
        groups = [
            Group(role, points, at)
            for role, points, at in zip(
                view.cloud.roles, view.cloud.groups, places(view.cloud, view.parts), strict=True
            )
        ]
        shown = (visit.span, visit.steps)
        named = f"{first.method}{view.placed}{hash(view.cloud.key)}"
        lines = caption_of(view.cloud, view.parts, visit.edited is not None)
        return cloud_figure(groups, view.by, lines, axes, named, shown, view.marked)

    def on_colour(self, key: str, by: str) -> Any:
        """The same map in other colours, where it was and as near as it was."""
        found = self._at(key)
        if found is None or not found[2].parts:
            return gr.skip()
        visit, _, view = found
        view.by = by if by in BY else "step"
        return self._figure(lambda: self._cloud(visit, view))

    # -- similarity ------------------------------------------------------------------------

    def on_kind(self, key: str, which: str, kind: str) -> dict[Any, Any]:
        """Another matrix, or another reading of the cosine."""
        found = self._at(key)
        if found is None or not found[1].ready:
            return {self.matrix: sentence_figure(GONE)}
        visit, workshop, view = found
        known = [name for _, name in kinds()]
        same = view.kind == kind
        view.matrix = which if which in (WITHIN, BETWEEN) else WITHIN
        view.kind = kind if kind in known else "raw"
        if same:
            return {self.matrix: self._matrix(visit, workshop, view)}
        return self._likeness(visit, workshop, view)

    # -- selecting -------------------------------------------------------------------------

    def on_mark(self, key: str, event: gr.EventData) -> dict[Any, Any]:
        """Points were clicked or taken with a lasso, in any of the figures."""
        found = self._at(key)
        if found is None or not found[1].ready or not found[2].parts:
            return {self.nearest: ""}
        visit, workshop, view = found
        own, bank = told(event.points)
        if own:
            span = own[0][0]
            # the Studio's strip says so too, and its word is the one that is dated
            acts.select(visit, span, [k for s, k in own if s == span])
        before = {item for item, _ in view.marked}
        if bank or not own:
            view.marked = bank
        marked = {item for item, _ in view.marked}
        out = {
            self.map: self._figure(lambda: self._cloud(visit, view)),
            self.matrix: self._matrix(visit, workshop, view),
            self.nearest: self._safely(lambda: self._nearest(visit, workshop, view)),
        }
        if marked != before:
            across = self._figures(lambda: across_figures(visit, workshop, view.kind, marked))
            out[self.panels] = across[0]
        return out

    def _nearest(self, visit: Visit, workshop: Workshop, view: View) -> str:
        cloud, at = view.cloud, places(view.cloud, view.parts)
        known = {(p.item, p.step): p for p in cloud.groups[0]}
        marked = [known[m] for m in view.marked if m in known]
        if len(marked) == 1:
            return nearest_html(of_bank(cloud, at, marked[0].item, marked[0].step))
        bank = getattr(workshop.engine, "bank", None)
        step = visit.steps[-1] if visit.steps else 0
        blocks = neighbourhoods(cloud, at, step, bank) if cloud.groups[0] else []
        said = f'<p class="soft">{taken(marked)}</p>' if marked else ""
        none = "The neighbours of a latent in the space itself stand here; there are none yet."
        return said + nearest_html(blocks, none)

    # -- the bank --------------------------------------------------------------------------

    def on_build(self, key: str, place: str, count: float | None) -> Iterator[dict[Any, Any]]:
        """Build a bank behind the page; the old one serves until the new one is there."""
        found = self._at(key)
        if found is None or not found[1].ready:
            yield {self.bank_say: say_html(GONE, True)}
            return
        _, workshop, _ = found
        family: Any = workshop.engine.family
        if not self.builds:
            sentence = (
                "A hosted copy keeps the bank it came with; run Zscope yourself to build one."
            )
            yield {self.bank_say: say_html(sentence, True)}
            return
        if not family.latent or getattr(workshop.engine, "recorded", False):
            sentence = "This model imagines no latents here, so there is no bank to build."
            yield {self.bank_say: say_html(sentence, True)}
            return
        banker = self.banker(workshop)
        banker.start(place or SCENES, int(count or 200))
        yield from self._watch(banker, workshop)

    def _watch(self, banker: Banker, workshop: Workshop) -> Iterator[dict[Any, Any]]:
        """A bank on its way, to its end."""
        while not banker.wait(LOOK):
            yield {self.bank_say: _going(banker.progress()), **self._buttons(True)}
        yield {
            self.about: bank_html(workshop, self.builds),
            self.bank_say: say_html(banker.said, banker.trouble),
            **self._buttons(False),
        }

    def _buttons(self, busy: bool) -> dict[Any, Any]:
        return {
            self.build: gr.update(interactive=self.builds and not busy),
            self.stop: gr.update(interactive=busy),
        }

    def on_stop(self, key: str) -> None:
        """Stop building."""
        found = self._at(key)
        if found is not None:
            self.banker(found[1]).stop()

    def on_kinds(self, key: str) -> Any:
        """Edits that need a bank are offered once there is one."""
        found = self._at(key)
        if found is None or not found[1].ready:
            return gr.skip()
        offered = self.desks.page.panel.offered(found[1])
        return gr.update(choices=[(kind.title, kind.name) for kind in offered])


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


def caption_of(cloud: Cloud, parts: list[Projection], edited: bool) -> list[str]:
    """How a map was made and how far to believe it, line by line."""
    first, last = parts[0], parts[-1]
    made = [first.caption if len(parts) == 1 else f"{first.caption}; {last.fit}"]
    if edited and len(parts) == 1:
        made.append("Arrows lead from before to after; both lie in this one fit.")
    elif edited:
        made.append("Arrows lead from before to after; both were placed by the frozen fit.")
    quality = first.quality
    if quality.trustworthiness == quality.trustworthiness:
        made.append(
            f"Trustworthiness {quality.trustworthiness:.2f}, neighbours kept "
            f"{quality.overlap:.2f} (k = {quality.k}"
            + (f", {quality.asked:,} points asked)." if quality.asked < quality.points else ").")
        )
    else:
        made.append("Too few points for trustworthiness.")
    notes = " ".join(note for note in (*cloud.notes, *(part.note for part in parts)) if note)
    return [
        ". ".join(made[:1]) + ".",
        " ".join(made[1:]),
        cloud.source,
        *([notes] if notes else []),
    ]


def bank_html(workshop: Workshop, builds: bool) -> str:
    """The bank in a line: what it was taken from, how large, and its settings' hash."""
    from html import escape

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


def _going(sentence: str) -> str:
    return f'<p class="say calm going-on" role="status">{sentence}</p>'
