"""Payloads over HTTP: what a browser or a program could send to any control of the page."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path
from typing import Any

import httpx

from gui import app, logbook
from gui.bounds import Bounds
from tests.fuzz.kind import Kind, Unnamed
from tests.fuzz.mutate import spoiled_bytes, value
from tests.gui.fake_engine import KINDS, gallery
from tests.gui.holding import HoldingEngine
from tests.gui.visitor import Refused, Visitor

SKIPPED = ("on_build", "on_start")  # long work: it would run on behind the next inputs
JSON = {"content-type": "application/json"}


class Site:
    """A served page with a stand-in model, one visitor, and an ear for our own mistakes."""

    def __init__(self, folder: Path) -> None:
        options = app.Options(port=free_port(), model="stand-in", bounds=Bounds.hosted())
        self.page = app.build(options, lambda _: HoldingEngine(), gallery, lambda: KINDS, folder)
        self.address = app.launch(self.page, options).rstrip("/")
        self.page.workshop.start()
        self.page.workshop.done.wait(120)
        self.heard: list[str] = []
        self.wrap()
        self._visitor: Visitor | None = None
        self._used = 0
        config = httpx.get(f"{self.address}/config").json()
        self.controls = [
            d for d in config["dependencies"]
            if d["backend_fn"] and not str(d["api_name"]).startswith(SKIPPED)
            and not any(t[1] in ("unload", "tick") for t in d["targets"])
        ]  # fmt: skip

    def wrap(self) -> None:
        """Hear of errors that are nobody's but ours, caught by the page or not."""
        noted = logbook.note

        def note(error: BaseException) -> None:
            self.heard.append(f"{type(error).__name__}: {error}")
            noted(error)

        logbook.note = note
        for block in self.page.fns.values():
            if block.fn is not None:
                block.fn = listening(block.fn, self.heard)

    @property
    def visitor(self) -> Visitor:
        """A tab, a fresh one after some hundred inputs."""
        if self._visitor is None or self._used > 200:
            if self._visitor is not None:
                self.page.visits.close(self._visitor.session)
                self._visitor.close()
            self._visitor, self._used = Visitor(self.address), 0
            self._visitor.enter()
            self._visitor.open()
        self._used += 1
        return self._visitor

    def control(self, draw: random.Random) -> tuple[dict[str, Any], list[Any], Any]:
        """A control of the page, its values and what its event carries, some of them spoiled."""
        control = draw.choice(self.controls)
        tab = self.visitor
        row = [tab.values.get(i) for i in control["inputs"]]
        for place in draw.sample(range(len(row)), min(len(row), draw.choice([0, 1, 1, 2]))):
            row[place] = value(draw)
        told = {"index": draw.randrange(6), "steps": [0, 1], "span": 0, "order": 1, "row": 0,
                "column": 1, "act": draw.choice(["show", "compare", "rename", "delete"]),
                "id": draw.choice([*self.page.visits._visits, "x"]), "text": "t"}  # fmt: skip
        for name in draw.sample(sorted(told), draw.randrange(3)):
            told[name] = value(draw)
        return control, row, told if draw.random() < 0.9 else value(draw)

    def send(self, given: tuple[dict[str, Any], list[Any], Any]) -> None:
        """Work a control; it answers, or Gradio refuses what no widget of it could send."""
        self.heard.clear()
        try:
            for _ in self.visitor._send(*given):
                pass
        except (Refused, httpx.InvalidURL, ValueError):
            pass  # refused, or not even JSON
        self.well()

    def body(self, draw: random.Random) -> tuple[str, bytes]:
        """A request that no page ever made."""
        plain: Any = {
            "data": [value(draw) for _ in range(draw.randrange(4))],
            "fn_index": draw.choice([*range(len(self.controls)), -1, 10**6, "0", None]),
            "session_hash": draw.choice(["x", None, 3, "a" * 5000, "../x", ""]),
            "event_data": value(draw), "trigger_id": value(draw),
        }  # fmt: skip
        for name in draw.sample(sorted(plain), draw.randrange(3)):
            plain[name] = value(draw)
        data = json.dumps(plain if draw.random() < 0.9 else value(draw)).encode()
        path = draw.choice(["queue/join", "run/predict", "run/branch", "call/run", "api/score",
                            "component_server", "cancel", "reset", "upload", "process_events",
                            "stream/x/0", "proxy=http://x"])  # fmt: skip
        return path, spoiled_bytes(draw, data, 2) if draw.random() < 0.3 else data

    def post(self, given: tuple[str, bytes]) -> None:
        """Post it: an answer comes, and the page stands."""
        self.heard.clear()
        path, data = given
        answer = httpx.post(f"{self.address}/gradio_api/{path}", content=data, headers=JSON)
        if "Traceback" in answer.text or "/gui/" in answer.text:
            raise Unnamed(f"{path}: {answer.status_code} {answer.text[:300]}")
        self.well()

    def well(self) -> None:
        """Nothing of ours went wrong, and nothing is left in the line."""
        if self.heard:
            raise Unnamed("; ".join(self.heard))

    def close(self) -> None:
        """End it."""
        if self._visitor is not None:
            self._visitor.close()
        self.page.close(verbose=False)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(fn: Any, heard: list[str]) -> Any:
    """A handler of the page that says what went through it uncaught."""
    import functools
    import inspect

    import gradio as gr

    def hear(error: BaseException) -> None:
        if isinstance(error, Exception) and not isinstance(error, gr.Error):
            heard.append(f"uncaught {type(error).__name__}: {error}")

    if inspect.isasyncgenfunction(fn):

        @functools.wraps(fn)
        async def later(*given: Any, **named: Any) -> Any:
            try:
                async for out in fn(*given, **named):
                    yield out
            except Exception as error:
                hear(error)
                raise

        return later
    if inspect.isgeneratorfunction(fn):

        @functools.wraps(fn)
        def one_by_one(*given: Any, **named: Any) -> Any:
            try:
                yield from fn(*given, **named)
            except Exception as error:
                hear(error)
                raise

        return one_by_one
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def awaited(*given: Any, **named: Any) -> Any:
            try:
                return await fn(*given, **named)
            except Exception as error:
                hear(error)
                raise

        return awaited

    @functools.wraps(fn)
    def at_once(*given: Any, **named: Any) -> Any:
        try:
            return fn(*given, **named)
        except Exception as error:
            hear(error)
            raise

    return at_once


def kinds(site: Site) -> list[Kind]:
    """The sorts of this file."""
    return [
        Kind("controls of the page", site.control, site.send, 3),
        Kind("requests", site.body, site.post, 3),
    ]
