"""A built page put on an address, behind its doorway."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from gui.connections import Silence
from gui.doorway import Doorway
from gui.options import LOOPBACK, Options
from gui.requested import ROOM, Intake
from gui.theme import HEAD, START, theme
from gui.tidying import forget_info, tidy
from gui.tools import Tools

ROOT = Path(__file__).resolve().parent.parent
STYLES = ("style.css", "beside.css", "study.css", "atlas.css", "sweep.css")
THREADS = 80  # those who wait in line hold one each


def launch(page: gr.Blocks, options: Options) -> str:
    """Serve a built page without blocking; its address."""
    file = options.bounds.upload * 1_000_000
    doorway = Middleware(
        Doorway,
        options.hosted,
        LOOPBACK if options.alone else None,
        4 * file // 3 + ROOM,  # as base64
        Intake(file * options.bounds.visitors, options.kept),
        (lambda cookies: logged_in(page, cookies)) if options.auth is not None else None,
        tidy=lambda tab: tidy(page, tab),
        forget=lambda: forget_info(page),
    )
    tools = Middleware(Tools, page.endpoints, options.auth)
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
        css_paths=[ROOT / "assets" / name for name in STYLES],
        js=START,
        head=HEAD,
        max_file_size=f"{options.bounds.upload}mb",
        max_threads=THREADS,
        state_session_capacity=8 * options.bounds.visitors,
        auth=options.auth,
        mcp_server=False,  # Gradio's own calls the page through its door again; see gui.tools
        app_kwargs={"middleware": [doorway, tools]},
    )
    Silence(page.server).begin()
    return shared or url


def logged_in(page: gr.Blocks, cookies: dict[str, str]) -> bool:
    """Whether a browser with these cookies gave a name and a password."""
    names = (f"access-token-{page.app.cookie_id}", f"access-token-unsecure-{page.app.cookie_id}")
    return any(cookies.get(name) in page.app.tokens for name in names)
