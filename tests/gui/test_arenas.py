"""Threads share the allocator's arenas, where there are any."""

import ctypes
import re
import subprocess
import sys

import pytest

from gui import arenas

COUNT = """
import ctypes, sys, threading
sys.path.insert(0, {root!r})
from gui.arenas import share_arenas
if {shared}:
    assert share_arenas()
ready = threading.Barrier(17)
held = []
def work():
    held.append(ctypes.CDLL(None).malloc(5000))
    ready.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
[t.start() for t in threads]
ready.wait()
[t.join() for t in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = libc.fdopen(1, b"w")
libc.malloc_info(0, ctypes.c_void_p(out))
libc.fflush(None)
"""


def count(root: str, shared: bool) -> int:
    """How many arenas sixteen threads at once make."""
    code = COUNT.format(root=root, shared=shared)
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return len(re.findall(rb"<heap nr=", made.stdout))


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"),
    reason="only glibc has arenas",
)
def test_sixteen_threads_share_two_arenas(pytestconfig: pytest.Config) -> None:
    root = str(pytestconfig.rootpath)
    assert count(root, shared=False) > arenas.MOST
    assert count(root, shared=True) <= arenas.MOST


def test_without_such_an_allocator_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arenas.ctypes, "CDLL", lambda name: object())
    assert arenas.share_arenas() is False
    monkeypatch.setattr(sys, "platform", "darwin")
    assert arenas.share_arenas() is False
