"""The end of the page's process: what was done is kept, what is being done stops, and it goes.

Whoever ends a process waits a few seconds and then kills it (Docker and most hosting: ten). A
server that waits for the connections of all open tabs, and Python for each thread that answers a
request, take longer than that. So sessions are written first and everything is told to stop; what
has not ended a moment later ends with the process.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

STEP = 1.0  # seconds for what is at work to stop: a step of a small model, not of every one
CLOSE = 1.0  # seconds for the server to let go of its connections, and of uploads on the disk
LATEST = 4.0  # seconds after the sessions were written at which the process ends, come what may


def end(page: Any) -> None:
    """Keep the sessions, stop what is at work, and close the served page.

    A run that stops in time is kept as far as it came, like one that was stopped by hand.
    """
    page.autosave.settle()
    threading.Thread(target=_at_the_latest, name="the latest", daemon=True).start()
    page.visits.stop_all()
    ended = time.monotonic() + STEP
    while page.visits.at_work() and time.monotonic() < ended:
        time.sleep(0.02)
    page.autosave.settle()
    close(page)


def close(page: Any) -> None:
    """Close the server, in bounded time; uploads are deleted from the disk with it."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # that it cut somebody short
    if page.server is not None:
        page.server.config.timeout_graceful_shutdown = CLOSE / 2
    closing = threading.Thread(target=page.close, args=(False,), name="closing", daemon=True)
    closing.start()
    closing.join(CLOSE)


def leave(code: int = 0) -> None:
    """End the process now, without waiting for threads that are still at work.

    Python's own end would wait for each that answers a request, and take the ground from under
    those that compute, which some libraries answer with a crash.
    """
    _quietly(atexit._run_exitfuncs)  # public links are closed and folders of our own deleted
    _out(code)


def _at_the_latest() -> None:
    time.sleep(LATEST)
    _out(0)


def _out(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        _quietly(stream.flush)
    os._exit(code)


def _quietly(act: Callable[[], Any]) -> None:
    with suppress(Exception):  # nobody is left to be told
        act()
