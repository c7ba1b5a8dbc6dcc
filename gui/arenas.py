"""Threads share the memory allocator's arenas, so that what one gave back serves another.

glibc gives every thread an arena of its own, up to eight a core, and what is freed in one stays in
it. Many visitors are many threads: with eight of them at work memory grew by a seventh in 400
actions, with two arenas by a fifteenth.
"""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8  # of glibc's malloc.h
MOST = 2


def share_arenas(most: int = MOST) -> bool:
    """Let all threads that begin from now on share ``most`` arenas; whether that could be set.

    Elsewhere than on Linux with glibc there are no such arenas, and nothing is done.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_ARENA_MAX, most))
