"""Connections that ask for nothing are closed, and there is room for many.

A server that waits for as long as it takes until a request's head is whole can be kept from
everybody else by somebody who opens connections and says nothing on them.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

SILENT = 30.0  # seconds in which a new connection has to send the head of a request
OPEN = 65_536  # connections and files at once, where the system lets a program have so many


def make_room(most: int = OPEN) -> int:
    """Let this process open as many files as it may; how many, 0 where there is no such bound."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


class Silence:
    """Looks after the connections of a served page.

    Args:
        server: of uvicorn; its protocols have a ``cycle`` from a request's head on.
        silent: seconds, see :data:`SILENT`.
    """

    def __init__(self, server: Any, silent: float = SILENT) -> None:
        self._server, self._silent = server, silent
        self._since: dict[Any, float] = {}

    def sweep(self) -> int:
        """Close what was silent for too long; how many. To be called on the server's loop."""
        now, gone = time.monotonic(), 0
        waiting = [each for each in self._server.server_state.connections if _waits(each)]
        self._since = {each: self._since.get(each, now) for each in waiting}
        for each, since in self._since.items():
            if now - since > self._silent:
                each.transport.abort()
                gone += 1
        return gone

    def begin(self) -> None:
        """Sweep from now on, on the server's own loop."""
        (loop,) = {listening.get_loop() for listening in self._server.servers}
        asyncio.run_coroutine_threadsafe(self.keep(), loop)

    async def keep(self) -> None:
        """Sweep for as long as the page is served."""
        while True:
            await asyncio.sleep(self._silent / 3)
            self.sweep()


def _waits(connection: Any) -> bool:
    """Whether a request's head is waited for, its first or, half there, its next."""
    cycle = connection.cycle
    if cycle is None:
        return connection.transport is not None
    timed = connection.timeout_keep_alive_task is not None  # uvicorn closes it by itself
    return bool(cycle.response_complete) and not timed
