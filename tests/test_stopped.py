"""Told to end in the middle of a run, the page keeps what there was and goes with exit code 0."""

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
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
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
        tab = Visitor(address)
        tab.enter()
        tab.open()
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
        code = process.wait(40)
        log.close()
    asking.join(20)
    tab.close()
    assert code == 0, (tmp_path / "log").read_text()
    (kept,) = (tmp_path / "zscope" / "sessions").glob("*.zscope")
    assert load(kept).traces
    assert "Traceback" not in (tmp_path / "log").read_text()
