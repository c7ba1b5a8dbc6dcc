"""What was done is found again: after a reload, after a crash, in a file, in an address."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import free_port, serve
from tests.gui.fake_engine import FakeEngine

pytestmark = [
    pytest.mark.browser,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import sys
from pathlib import Path
from gui import app
from tests.gui.fake_engine import KINDS, FakeEngine, gallery
options = app.Options(port=int(sys.argv[1]), state=Path(sys.argv[2]))
page = app.build(options, lambda _: FakeEngine(), gallery, lambda: KINDS)
app.launch(page, options)
page.workshop.start()
page.block_thread()
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A page that keeps sessions: its address and the folder they are in."""
    state = tmp_path_factory.mktemp("state")
    page, address = serve(FakeEngine, state)
    yield address, state / "sessions"
    page.close(verbose=False)


def edit(page, name, leaves):
    page.click(f"#quick-{name}")
    expect(page.locator(".leaf")).to_have_count(leaves)


def wait_for_file(folder, newer=0.0):
    """The one session in ``folder``, once it was written after ``newer``."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        files = [f for f in folder.glob("*.zscope") if f.stat().st_mtime > newer]
        if files:
            return files[0]
        time.sleep(0.05)
    raise AssertionError("no session was written")


def test_a_reload_finds_the_branches_again_and_goes_on_editing(kept, tab):
    page = tab(kept[0])
    edit(page, "zero", 2)
    page.click('.leaf:nth-child(2) [data-act="rename"]')
    page.fill("input.rename", "nothing at all")
    page.keyboard.press("Enter")
    expect(page.locator(".leaf.shown .title")).to_have_text("nothing at all")
    page.reload()
    expect(page.locator(".leaf")).to_have_count(2)
    expect(page.locator(".leaf.shown .title")).to_have_text("nothing at all")
    expect(page.locator(".card .answer")).to_have_text(["red", "unclear"])
    edit(page, "noise", 3)


def test_another_visitor_starts_afresh_and_the_file_names_nobody(kept, tab):
    one = tab(kept[0])
    edit(one, "zero", 2)
    other = tab(kept[0])
    expect(other.locator(".leaf")).to_have_count(1)
    names = [one.evaluate("sessionStorage['zscope:session']") for _ in range(1)]
    assert len(names[0]) == 32
    assert names[0] != other.evaluate("sessionStorage['zscope:session']")


def test_a_killed_server_loses_nothing(browser, tab, tmp_path):
    port = free_port()

    def start():
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port), str(tmp_path)], cwd=ROOT, env=env
        )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                return process
            except OSError:
                assert process.poll() is None
                time.sleep(0.2)
        raise AssertionError("the page did not come up")

    server = start()
    context = browser.new_context()
    page = context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{port}/?ex=2")
        page.wait_for_selector(".card .answer", timeout=60_000)
        edit(page, "zero", 2)
        begun = time.time()
        edit(page, "swap", 3)
        wait_for_file(tmp_path / "sessions", begun - 0.5)
        time.sleep(1)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = start()
        page.reload()
        expect(page.locator(".leaf")).to_have_count(3, timeout=60_000)
        expect(page.locator(".leaf.shown .title")).to_contain_text("Latents of example")
        edit(page, "noise", 4)
    finally:
        context.close()
        server.kill()
        server.wait()


def test_a_saved_session_opens_in_another_browser(site, tab, tmp_path):
    page = tab(site + "?ex=3")
    edit(page, "zero", 2)
    with page.expect_download() as download:
        page.click("#session-save")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == ".zscope"
    other = tab(site)
    other.set_input_files("input[type=file][accept*=zscope]", path)
    expect(other.locator(".leaf")).to_have_count(2)
    expect(other.locator(".card .answer")).to_have_text(["blue", "unclear"])
    edit(other, "noise", 3)


def test_a_file_that_is_no_session_loses_nothing(site, tab, tmp_path):
    page = tab(site)
    (tmp_path / "x.zscope").write_bytes(b"not a session")
    page.set_input_files("input[type=file][accept*=zscope]", tmp_path / "x.zscope")
    expect(page.locator(".say.trouble")).to_contain_text("cannot be opened")
    expect(page.locator(".card .answer")).to_have_text("red")


def test_an_address_opens_an_example_with_its_edit(site, tab):
    page = tab(site + "?ex=3&edit=zero")
    expect(page.locator(".card .answer")).to_have_text(["blue", "unclear"])
    page.click("#session-link")
    link = page.locator("dialog.sheet textarea")
    expect(link).to_have_value(f"{site}?ex=3&edit=zero")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.sheet")).to_have_count(0)
    page.click("#session-python")
    expect(link).to_have_value(__import__("re").compile("core.Edit\\('zero'\\)"))
