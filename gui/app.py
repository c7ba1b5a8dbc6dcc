"""The page: put together, served at once, and given its model while people already look at it."""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
os.environ.setdefault("GRADIO_HEARTBEAT_INTERVAL", "2")  # s until a closed tab is noticed

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from gui import logbook
from gui.arenas import share_arenas
from gui.arrival import KEEP, READ, Arrival
from gui.atlas import Atlas
from gui.autosave import Autosave
from gui.compare import Compare
from gui.connections import make_room
from gui.desks import Desks
from gui.ending import end, leave
from gui.endpoints import Endpoints
from gui.entrance import guard
from gui.folders import clear_strays, keep_uploads_apart
from gui.guide import Guide
from gui.hosting import on_lent_gpu
from gui.options import Options
from gui.picker import Picker
from gui.screen import say_html
from gui.serving import launch
from gui.sessionbar import SessionBar
from gui.sessions import Sessions
from gui.shelf import DEMOS, SHIPPED, Model, Shelf
from gui.studio import Studio
from gui.study import StudyTab
from gui.sweep import SweepTab
from gui.visitors import Visits

SWEEPS = 300  # seconds between two sweeps of uploads that were kept long enough


def build(
    options: Options,
    load: Callable[[Model], Any] | None = None,
    gallery: Callable[[], Sequence[Any]] | None = None,
    kinds: Callable[[], Sequence[Any]] | None = None,
    shipped: Path = SHIPPED,
) -> gr.Blocks:
    """The page, not yet served; ``shelf``, ``visits`` and ``autosave`` hang on it as attributes,
    and ``workshop``, the shelf's first.

    Args:
        options: which model it opens with, and how.
        load, gallery, kinds: make the engine of a model, the examples and the edit kinds; None
            takes Zscope's own.
        shipped: folder of the shipped models.
    """
    share_arenas()  # before there are threads
    state = options.state
    shelf = Shelf(
        first_model(options, shipped),
        load or (lambda model: load_model(model, options)),
        gallery,
        kinds,
        shipped,
        state / "models.json" if state is not None else None,
        options.bounds.waiting,
        options.bounds.together,
    )
    visits = Visits(bounds=options.bounds)
    visits.model = shelf.of
    autosave = Autosave(state / "sessions" if state is not None else None)
    sessions = Sessions(shelf, autosave)
    with gr.Blocks(
        title="Zscope",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(SWEEPS, options.kept),
    ) as page:
        with gr.Row(elem_id="head"):
            gr.HTML('<h1>Zscope</h1><p class="question">Did the answer care?</p>', elem_id="brand")
            model = gr.HTML('<p class="model waking">Waking the model…</p>', elem_id="model")
            bar = SessionBar()
            gr.HTML(
                '<button type="button" data-page="present" title="Presenter mode (p)">Present'
                '</button><button type="button" data-page="theme" title="Light or dark">Theme'
                "</button>",
                elem_id="chrome",
            )
        if autosave.trouble:
            gr.HTML(say_html(autosave.trouble, True), elem_id="not-kept")
        picker = Picker(options.own_models)
        with gr.Tabs(elem_id="tabs", selected="studio") as tabs:
            with gr.Tab("Studio", id="studio"):
                studio = Studio(model)
            with gr.Tab("Atlas", id="atlas", elem_id="atlas-tab") as atlas_tab:
                atlas = Atlas(options.own_models, banks_of(options))
            with gr.Tab("Sweep", id="sweep") as sweep_tab:
                sweep = SweepTab()
            with gr.Tab("Study", id="study") as study_tab:
                study = StudyTab(options.own_models)
            with gr.Tab("Compare", id="compare") as compare_tab:
                compare = Compare()
            with gr.Tab("Guide", id="guide") as guide_tab:
                guide = Guide()
        desks = Desks(studio, shelf, visits, sessions)
        studio.wire(desks)
        bar.wire(desks)
        arrival = Arrival(desks)
        opened = page.load(
            arrival.on_load,
            [arrival.own, arrival.newest],
            [*studio.opening, studio.stop, arrival.own],
            js=READ,
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )
        opened.then(None, arrival.own, None, js=KEEP, show_progress="hidden")
        atlas.wire(desks, atlas_tab)
        sweep.wire(desks, sweep_tab)
        study.wire(desks, study_tab)
        compare.wire(desks, compare_tab)
        guide.wire(desks, tabs, guide_tab, opened)
        picker.wire(desks, bar.models)
        endpoints = Endpoints(shelf, options.bounds)
        endpoints.offer()

        def leave(request: gr.Request) -> None:
            visits.close(request.session_hash)

        visits.when_gone = autosave.leave
        page.unload(leave)
    guard(page)
    page.shelf, page.visits, page.autosave, page.workshop = shelf, visits, autosave, shelf.first
    page.desks, page.endpoints = desks, endpoints
    return page


def first_model(options: Options, shipped: Path) -> Model:
    """The model the page opens with; a shipped one goes by its own name."""
    folder = Path(options.model)
    if folder.resolve().parent == shipped.resolve() and folder.name in DEMOS:
        return Model(folder.name, str(folder), options.family, DEMOS[folder.name])
    return Model(options.model, options.model, options.family)


def banks_of(options: Options) -> Path | None:
    """The user's own folder of banks; None where nothing is kept."""
    return options.state / "banks" if options.state is not None else None


def load_model(model: Model, options: Options) -> Any:
    """The engine of a model, on the page's device."""
    import core

    lent = on_lent_gpu() and model.name not in DEMOS
    engine = core.load(
        model.source,
        family=model.family,
        device="cpu" if on_lent_gpu() and not lent else options.device,
        dtype=options.dtype,
        attention=options.attention,
        revision=options.revision if model.source == options.model else None,
        banks=banks_of(options),
    )
    if not lent:
        return engine
    from gui.lent import LentEngine

    return LentEngine(engine)


def serve(options: Options) -> None:
    """Serve the page until the process is told to end; the model is woken behind it."""
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    make_room()
    uploads = keep_uploads_apart()
    logbook.keep_in(options.state / "log" if options.state is not None else None)
    page = build(options)
    if on_lent_gpu():  # the hosting takes the weights up when the page is served
        page.workshop.warm()
    address = launch(page, options)
    print(f"Zscope is at {address}", flush=True)
    if options.browser:
        import webbrowser

        webbrowser.open(address)
    if not page.workshop.done.is_set():
        page.workshop.start()
    while not ended.wait(60):
        page.visits.expire()
        if uploads is not None:
            clear_strays(uploads)
    end(page)
    leave()
