"""Told to end in the middle of a run, the page keeps what there was and goes with exit code 0.

Whoever ends it waits ten seconds, as Docker and most hosting do; until then it has to be gone,
though tabs hold their connections open and it is told so a second time.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from core.records import load
from gui.commands import ROOT
from tests.gui.visitor import Visitor


def test_sigterm_in_mid_run(tmp_path):
    if not (ROOT / "assets" / "models" / "faithful" / "config.json").is_file():
        pytest.skip("needs the shipped model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "launch.py", "--no-install", "--no-browser", "--port", str(port)],
        cwd=ROOT,
        env={
            **os.environ,
            "XDG_STATE_HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "GRADIO_TEMP_DIR": str(tmp_path / "uploads"),
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        ended = time.monotonic() + 120
        while time.monotonic() < ended:
            try:
                httpx.get(address)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        tabs = [Visitor(address) for _ in range(3)]
        for tab in tabs:
            tab.enter()
            tab.open()
            tab.stay()
        sent = tab.http.post(f"{address}/gradio_api/upload", files={"files": ("a.png", b"x")})
        assert sent.status_code == 200
        assert any(path.is_file() for path in (tmp_path / "uploads").rglob("*"))
        tab.do("apply", edit_kind="zero", edit_steps="all")
        begun = threading.Event()

        def ask():
            try:
                for _ in tab.watch("run", question="What is shown, and where is it?"):
                    begun.set()
            except Exception:
                begun.set()  # the server has gone away, as it was told to

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        assert begun.wait(60)
    finally:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(10)
        finally:
            process.kill()
            log.close()
    asking.join(20)
    for tab in tabs:
        tab.close()
    assert code == 0, (tmp_path / "log").read_text()
    kept = list((tmp_path / "zscope" / "sessions").glob("*.zscope"))
    assert len(kept) == 3
    assert sorted(len(load(path).traces) for path in kept)[:2] == [1, 1]
    assert not any(path.is_file() for path in (tmp_path / "uploads").rglob("*"))
    assert "Traceback" not in (tmp_path / "log").read_text()
