"""The acts as MCP tools, called by a client of the protocol's own package."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from gui import app
from gui.bounds import Bounds
from gui.commands.page import free_port
from tests.gui.fake_engine import KINDS, gallery
from tests.gui.holding import HoldingEngine

MODEL = Path(__file__).resolve().parents[2] / "assets" / "models" / "faithful"
LONG = 400  # latents, far more than are imagined before anybody goes away


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    options = app.Options(
        port=free_port("127.0.0.1", 7900), model="stand-in", bounds=Bounds.hosted()
    )
    nothing = tmp_path_factory.mktemp("models")
    engine = HoldingEngine()
    page = app.build(options, lambda _: engine, gallery, lambda: KINDS, nothing)
    page.address = app.launch(page, options).rstrip("/")
    page.workshop.start()
    assert page.workshop.done.wait(60)
    yield page
    page.close(verbose=False)


def at(site, work):
    """What ``work`` gives for a session of the protocol."""

    async def go():
        async with (
            streamable_http_client(f"{site.address}/gradio_api/mcp/") as (receive, send, _),
            ClientSession(receive, send) as session,
        ):
            await session.initialize()
            return await work(session)

    with ThreadPoolExecutor(1) as aside:  # a driver of browsers may run a loop in this thread
        return aside.submit(asyncio.run, go()).result()


def call(site, name, **arguments):
    said = at(site, lambda session: session.call_tool(name, arguments))
    assert not said.isError, said.content[0].text
    assert json.loads(said.content[0].text) == said.structuredContent.get(
        "result", said.structuredContent
    )
    return said.structuredContent


def test_five_tools_are_listed_and_say_what_they_take(site):
    tools = {t.name: t for t in at(site, lambda session: session.list_tools()).tools}
    assert list(tools) == ["models", "examples", "run", "branch", "score"]
    branch = tools["branch"]
    assert branch.description.startswith("Ask a question, edit what the model imagined")
    assert "Returns: The run before" in branch.description
    properties = branch.inputSchema["properties"]
    assert list(properties)[:4] == ["image", "question", "edits", "example"]
    assert properties["edits"]["description"].endswith('{"kind": "swap", "donor": 2}.')
    assert properties["seed"] == {
        "default": 0,
        "type": "integer",
        "description": "seeds sampling.",
    }
    assert tools["score"].inputSchema["required"] == ["options"]
    for tool in tools.values():
        said = tool.inputSchema.get("properties", {}).values()
        assert all(one["description"] for one in said)


def test_an_assistant_asks_edits_and_scores(site):
    (model,) = call(site, "models")["result"]
    assert model["loaded"]
    assert [e["answer"] for e in call(site, "examples")["result"]][:2] == ["red", "green"]
    run = call(site, "run", example=3)
    assert (run["answer"], run["spans"][0]["steps"]) == ("blue", 6)
    said = call(site, "branch", example=1, edits=[{"kind": "swap", "donor": 3}])
    assert said["verdict"] == "flipped"
    assert said["edited"]["answer"] == "blue"
    assert said["receipts"][0]["kind"] == "swap"
    scores = call(site, "score", options=["red", "blue"], example=1)
    assert scores["red"] > scores["blue"]


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("run", {"question": "x", "model": "/etc"}, "There is no model “/etc”"),
        ("run", {"question": "x" * 3000}, "at most 2,000"),
        ("run", {"example": "one"}, "'one' is not of type 'integer'"),
        ("run", {"example": 1, "temperature": 2}, "'temperature' was unexpected"),
        ("score", {"example": 1}, "'options' is a required property"),
        ("branch", {"example": 1, "edits": [{"kind": "zero"}] * 17}, "There are 17 edits at once"),
        ("build_bank", {}, "There is no tool “build_bank”"),
    ],
)
def test_a_mistake_is_one_sentence(site, name, arguments, sentence):
    said = at(site, lambda session: session.call_tool(name, arguments))
    assert said.isError
    (text,) = said.content
    assert sentence in text.text
    assert "Traceback" not in text.text


@pytest.mark.skipif(not (MODEL / "model.safetensors").is_file(), reason="needs the demo model")
def test_an_assistant_asks_and_edits_the_shipped_model(tmp_path):
    import core
    from core.scenes import gallery as scenes

    options = app.Options(port=free_port("127.0.0.1", 7900), model=str(MODEL))
    page = app.build(options)
    page.address = app.launch(page, options).rstrip("/")
    page.workshop.start()
    try:
        assert page.workshop.done.wait(240)
        assert page.workshop.ready, page.workshop.failure
        plain = core.load(MODEL)
        item = scenes()[0]
        trace = plain.run(item.image, item.question)
        said = call(page, "run", example=1)
        assert said["answer"] == trace.answer
        assert said["spans"][0]["steps"] == len(trace.spans[0])
        child = plain.branch(trace, [core.Edit("zero")])
        said = call(page, "branch", example=1, edits=[{"kind": "zero"}])
        assert said["edited"]["answer"] == child.answer
        assert said["baseline"]["answer"] == trace.answer
        (receipt,) = said["receipts"]
        assert len(receipt["doses"]) == len(trace.spans[0])
        for dose, same in zip(receipt["doses"], child.receipts[0].doses, strict=True):
            assert dose["epsilon"] == pytest.approx(1)
            assert dose["hidden_change"] == pytest.approx(same.hidden_change, rel=1e-3)
    finally:
        page.close(verbose=False)


def test_a_caller_that_hangs_up_frees_the_model(site):
    engine = site.workshop.engine
    ordinary, engine.budget, engine.pause, engine.steps = engine.budget, LONG, 0.05, 0
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "run", "arguments": {"example": 2}},
    }
    accept = {"accept": "application/json, text/event-stream"}

    def hang_up():
        brief = httpx.Timeout(5, read=1)
        with contextlib.suppress(httpx.ReadTimeout):
            httpx.post(f"{site.address}/gradio_api/mcp/", json=body, headers=accept, timeout=brief)

    asked = threading.Thread(target=hang_up)
    try:
        asked.start()
        until = time.monotonic() + 60
        while engine.steps < 3:
            assert time.monotonic() < until
            time.sleep(0.02)
        asked.join(60)
        while len(site.shelf.line):
            assert time.monotonic() < until
            time.sleep(0.02)
        assert engine.steps < LONG
    finally:
        engine.budget, engine.pause = ordinary, 0


def test_who_looks_with_a_browser_or_by_a_foreign_name_is_told(site):
    seen = httpx.get(f"{site.address}/gradio_api/mcp/")
    assert (seen.status_code, seen.json()["error"]) == (
        405,
        "This address is for MCP clients, over streamable HTTP.",
    )
    foreign = httpx.post(
        f"{site.address}/gradio_api/mcp/", json={}, headers={"host": "evil.example"}
    )
    assert foreign.status_code == 421


def test_a_page_with_a_password_asks_for_it_here_too(tmp_path):
    options = app.Options(
        port=free_port("127.0.0.1", 7900),
        model="stand-in",
        auth=lambda name, word: (name, word) == ("ada", "söp:a"),
    )
    page = app.build(options, lambda _: HoldingEngine(), gallery, lambda: KINDS, tmp_path)
    address = app.launch(page, options).rstrip("/") + "/gradio_api/mcp/"
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    try:
        for wrong in (None, ("ada", "wrong"), ("", "")):
            assert httpx.post(address, json=body, headers=accept, auth=wrong).status_code == 401
        good = httpx.post(address, json=body, headers=accept, auth=("ada", "söp:a"))
        assert len(good.json()["result"]["tools"]) == 5
    finally:
        page.close(verbose=False)


def test_a_page_that_is_not_asked_this_way_does_not_import_the_protocol():
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from gui.commands.page import import_gradio; import_gradio(); "
            "import gui.app, gui.tools; print([m for m in sys.modules if m.split('.')[0]=='mcp'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "[]"
