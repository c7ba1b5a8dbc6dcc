"""The page: put together, served at once, and given its model while people already look at it."""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from gui.handlers import Handlers
from gui.studio import Studio
from gui.theme import HEAD, START, theme
from gui.visits import Visits
from gui.workshop import Workshop

ROOT = Path(__file__).resolve().parent.parent
LARGEST_FILE = "50mb"


@dataclass(frozen=True)
class Options:
    """How the page is served, and which model stands behind it.

    Attributes:
        model: folder or hub id of the checkpoint.
        family: name of its family; None detects it.
        device, dtype, attention: as :func:`core.load` takes them.
        host, port: where the page is served.
        share: also make a public link through Gradio's relay.
        browser: open the page in the default browser.
    """

    model: str = "assets/models/faithful"
    family: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "sdpa"
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    browser: bool = False


def build(
    options: Options,
    load: Callable[[], Any] | None = None,
    gallery: Callable[[], Sequence[Any]] | None = None,
    kinds: Callable[[], Sequence[Any]] | None = None,
) -> gr.Blocks:
    """The page, not yet served; ``workshop`` and ``visits`` hang on it as attributes.

    Args:
        options: which model.
        load, gallery, kinds: make the engine, the examples and the edit kinds; None takes
            Zscope's own.
    """
    workshop = Workshop(load or (lambda: load_model(options)), gallery, kinds)
    visits = Visits()
    with gr.Blocks(title="Zscope", analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="head"):
            gr.HTML('<h1>Zscope</h1><p class="question">Did the answer care?</p>', elem_id="brand")
            model = gr.HTML('<p class="model waking">Waking the model…</p>', elem_id="model")
            gr.HTML(
                '<button type="button" data-page="present" title="Presenter mode (p)">Present'
                '</button><button type="button" data-page="theme" title="Light or dark">Theme'
                "</button>",
                elem_id="chrome",
            )
        studio = Studio(model)
        does = Handlers(studio, workshop, visits)
        studio.wire(does)
        page.load(
            does.on_load,
            None,
            studio.opening,
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )

        def leave(request: gr.Request) -> None:
            visits.close(request.session_hash)

        page.unload(leave)
    page.workshop, page.visits = workshop, visits
    return page


def load_model(options: Options) -> Any:
    """The engine of the options' checkpoint."""
    import core

    return core.load(
        options.model,
        family=options.family,
        device=options.device,
        dtype=options.dtype,
        attention=options.attention,
    )


def launch(page: gr.Blocks, options: Options) -> str:
    """Serve a built page without blocking; its address."""
    _, url, shared = page.launch(
        server_name=options.host,
        server_port=options.port,
        share=options.share,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        theme=theme(),
        css_paths=[ROOT / "assets" / "style.css"],
        js=START,
        head=HEAD,
        max_file_size=LARGEST_FILE,
    )
    return shared or url


def serve(options: Options) -> None:
    """Serve the page until the process is told to end; the model is woken behind it."""
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    page = build(options)
    address = launch(page, options)
    print(f"Zscope is at {address}", flush=True)
    if options.browser:
        import webbrowser

        webbrowser.open(address)
    page.workshop.start()
    ended.wait()
    page.close(verbose=False)
