"""Connections on which nothing is asked are closed; those at work and those that rest are not."""

import socket
import time
from contextlib import suppress
from types import SimpleNamespace

import httpx
import pytest

from gui import app, connections
from tests.gui.fake_engine import KINDS, FakeEngine, gallery

HEAD = "GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
def test_half_a_head_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(connections.Silence.__init__, "__defaults__", (0.3,))
    options = app.Options(port=None, model="stand-in")
    page = app.build(options, lambda _: FakeEngine(), gallery, lambda: KINDS, tmp_path)
    address = httpx.URL(app.launch(page, options))
    try:
        held = [socket.create_connection((address.host, address.port), 20) for _ in range(3)]
        held[0].sendall(HEAD.encode())
        held[1].sendall((HEAD + "\r\n" + HEAD).encode())  # a whole request, and half of the next
        with httpx.stream("GET", f"{address}gradio_api/heartbeat/x", timeout=20) as beat:
            parts = beat.iter_text()
            assert "ALIVE" in next(parts)
            for each in held:
                with each, suppress(ConnectionError):
                    while each.recv(10_000):  # until it is closed
                        pass
            assert "ALIVE" in next(parts)
    finally:
        page.close(verbose=False)


def test_who_is_answered_or_rests_between_two_requests_is_left_alone():
    closed = []

    class Connection:
        def __init__(self, name, complete=None, timed=False):
            self.cycle = None if complete is None else SimpleNamespace(response_complete=complete)
            self.transport = SimpleNamespace(abort=lambda: closed.append(name))
            self.timeout_keep_alive_task = object() if timed else None

    open_ = {
        Connection("silent"), Connection("at work", False), Connection("rests", True, True),
        Connection("half of the next", True),
    }  # fmt: skip
    server = SimpleNamespace(server_state=SimpleNamespace(connections=open_))
    silence = connections.Silence(server, 0.02)
    assert silence.sweep() == 0
    time.sleep(0.05)
    assert silence.sweep() == 2
    assert sorted(closed) == ["half of the next", "silent"]


def test_as_many_files_as_the_system_allows(monkeypatch):
    resource = pytest.importorskip("resource")
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: (100, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: asked.append(limits))
    assert connections.make_room() == 1000
    assert connections.make_room(500) == 500
    assert connections.make_room(50) == 100
    assert asked == [(1000, 1000), (500, 1000)]
