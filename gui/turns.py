"""A lock that is given in the order in which it was asked for.

Whoever decodes for several visitors holds the engine for a step at a time. With an ordinary lock
the same thread would take it again before anybody who waits had woken, for as long as new wishes
come.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """Taken with ``with``, by one thread at a time and by none twice over."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> Turns:
        with self._guard:
            if not self._held:
                self._held = True
                return self
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()  # until it is handed over
        except BaseException:  # as when a person interrupts: it is nobody's who is gone
            with self._guard:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    raise
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._held
