"""The real page in a real browser, behind it a stand-in engine; nothing may go wrong quietly."""

import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect

from tests.gui.fake_engine import KINDS, FakeEngine, gallery

MODEL = Path(__file__).resolve().parents[2] / "assets" / "models" / "faithful"
needs_model = pytest.mark.skipif(
    not (MODEL / "model.safetensors").is_file(), reason="needs the demo model in assets/models"
)
WAIT = 120_000  # ms, of a page that shares its machine with other work
expect.set_options(timeout=40_000)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(load, state=None, shipped=None):
    """A running page; the caller closes it.

    ``load`` makes the stand-in engine; with ``shipped`` it is told the model's name.
    """
    from gui import app

    options = app.Options(port=free_port(), state=state)
    if shipped is None:
        page = app.build(options, lambda _: load(), gallery, lambda: KINDS)
    else:
        options = replace(options, model=str(shipped / "faithful"))
        page = app.build(options, lambda m: load(m.name), gallery, lambda: KINDS, shipped)
    address = app.launch(page, options)
    page.workshop.start()
    assert page.workshop.done.wait(240)
    return page, address


def serve_model(folder, state=None):
    """A running page with the model of ``folder`` behind it, ready; the caller closes it."""
    from gui import app

    options = app.Options(model=str(folder), port=free_port(), state=state)
    page = app.build(options)
    address = app.launch(page, options)
    page.workshop.start()
    assert page.workshop.done.wait(240)
    assert page.workshop.ready, page.workshop.failure
    return page, address


def upload(page, picture, question, options=""):
    """Put a person's own picture on the Studio's screen, with a question about it."""
    page.set_input_files("#picture input[type=file]", picture)
    expect(page.locator(".say")).to_contain_text("New picture")
    page.fill("#question textarea", question)
    if options:
        page.fill("#options input, #options textarea", options)


@pytest.fixture(scope="module")
def real_site():
    page, address = serve_model(MODEL)
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="session")
def site():
    page, address = serve(FakeEngine)
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="session")
def slow_site():
    """Every latent takes a while, so that there is something to stop."""
    page, address = serve(lambda: FakeEngine(pause=1.0))
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="session")
def mute_site():
    """The model answers without imagining unless a span is forced."""
    page, address = serve(lambda: FakeEngine(emits=False))
    yield address
    page.close(verbose=False)


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """Opens tabs; afterwards no tab may have seen an error or asked another host."""
    contexts, wrong = [], []

    def watch(page):
        page.on(
            "console",
            lambda m: wrong.append(f"console: {m.text}") if m.type == "error" else None,
        )
        page.on("pageerror", lambda e: wrong.append(f"page error: {e}"))
        page.on("request", lambda r: check(r.url))

    def check(url):
        parts = urlparse(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            wrong.append(f"request to {url}")

    def open_tab(address, width=1280, height=720, ready=".card .answer", **context):
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        watch(page)
        page.goto(address)
        page.wait_for_selector(f"{ready} >> visible=true")  # a tab behind may hold one too
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert not wrong, wrong


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Files to upload: a green picture and something that is none."""
    from tests.gui.fake_engine import painted

    folder = tmp_path_factory.mktemp("pictures")
    painted("green").save(folder / "green.png")
    (folder / "broken.png").write_bytes(b"not a picture at all")
    return folder
