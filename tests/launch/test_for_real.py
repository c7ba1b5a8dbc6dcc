"""launch.py of the checkout itself: the real page and the doctor."""

import signal
import socket
import subprocess
import sys
import urllib.request
from importlib import metadata

import pytest

from gui.commands.model import DEFAULT
from tests.launch.house import ROOT


def test_the_real_page_is_up_before_torch_is_imported():
    told = "import sys, gui.app; print('torch' in sys.modules or 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_the_real_page_answers_and_ends_when_told_to(signal_number: int):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, ROOT / "launch.py", "--no-install", "--no-browser", "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        address = process.stdout.readline().decode().split()[-1]
        with urllib.request.urlopen(address) as reply:
            assert b"Zscope" in reply.read()
        process.send_signal(signal_number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()


@pytest.mark.skipif(not DEFAULT.is_dir(), reason="the default demo model is not here")
def test_the_doctor_finds_the_instrument_sound():
    command = [sys.executable, ROOT / "launch.py", "doctor", "--no-install", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert said["device"].startswith("cpu, float32: Device cpu: asked for.")
    assert "monet" in said["families"]
    assert f"torch {metadata.version('torch')}" in said["versions"]
    assert "assets/models/faithful" in done.stdout
    assert sum(line.startswith("  pass") for line in done.stdout.splitlines()) >= 4
    assert "FAIL" not in done.stdout
