"""Whose turn it is on the device, and one clear sentence when the device is full.

Everything an engine computes is computed in its turn: two threads never use the device at the
same instant, and a device without room is the same error wherever it ran out.
"""

from __future__ import annotations

from threading import RLock
from types import TracebackType

import torch

from core.errors import MemoryShortage


class Turn:
    """A lock that one thread may take several times over."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> Turn:
        self._lock.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Pass the turn on.

        Raises:
            MemoryShortage: in the place of torch's own error.
        """
        self._lock.release()
        if error is not None and is_shortage(error):
            raise MemoryShortage(
                "The device ran out of memory; use a smaller picture, fewer branches at once, or a "
                "smaller dtype."
            ) from error


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory ran out; a CPU says it as a plain RuntimeError."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
