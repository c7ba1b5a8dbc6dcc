"""A page with a password: nothing is answered, begun or held open without it."""

import httpx
import pytest

from gui import app
from tests.gui.fake_engine import KINDS, gallery
from tests.gui.holding import HoldingEngine

pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
BODY = {"data": [], "fn_index": 0, "session_hash": "x", "event_id": "x"}
GETS = (
    "config", "gradio_api/info", "gradio_api/openapi.json", "gradio_api/queue/data?session_hash=x",
    "gradio_api/queue/status", "gradio_api/heartbeat/x", "gradio_api/file=/etc/passwd",
    "gradio_api/upload_progress?upload_id=x", "gradio_api/call/run/x", "gradio_api/login_check",
)  # fmt: skip
POSTS = ("queue/join", "run/models", "api/models", "call/models", "cancel", "reset", "mcp")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    options = app.Options(
        port=None, model="stand-in", auth=lambda name, word: (name, word) == ("ada", "söp:a")
    )
    nothing = tmp_path_factory.mktemp("models")
    page = app.build(options, lambda _: HoldingEngine(), gallery, lambda: KINDS, nothing)
    yield app.launch(page, options).rstrip("/")
    page.close(verbose=False)


def test_nothing_is_told_without_it(address):
    for path in GETS:
        assert httpx.get(f"{address}/{path}").status_code == 401, path
    for path in POSTS:
        assert httpx.post(f"{address}/gradio_api/{path}", json=BODY).status_code == 401, path
    sent = httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.png", b"x")})
    assert sent.status_code == 401
    page = httpx.get(address).text  # asks for it, and shows nothing of the page
    assert "What colour" not in page
    assert '"components":[]' in page or "auth_required" in page


@pytest.mark.parametrize("word", ["wrong", "söp:a ", "x" * 2_000_000])
def test_a_wrong_one_does_not_open(address, word):
    tried = httpx.post(f"{address}/login", data={"username": "ada", "password": word})
    assert tried.status_code in (400, 413)
    assert "set-cookie" not in tried.headers or "access-token" not in tried.headers["set-cookie"]


def test_with_it_the_page_is_there_and_stays(address):
    with httpx.Client(base_url=address) as browser:
        browser.cookies.set("of another program", "{not a cookie; [")
        browser.get("/")
        assert browser.post("/login", data={"username": "ada", "password": "söp:a"}).is_success
        assert browser.get("/config").is_success
        with browser.stream("GET", "/gradio_api/heartbeat/mine") as beat:
            assert beat.status_code == 200
            assert "ALIVE" in next(beat.iter_text())
        assert browser.post("/gradio_api/cancel", json={**BODY, "session_hash": "mine"}).is_success
        browser.get("/logout")
        assert browser.get("/gradio_api/heartbeat/mine").status_code == 401
