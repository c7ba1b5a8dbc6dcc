"""Whether whoever called an endpoint still waits for it.

Gradio ends nothing that has begun: a caller that cancels or goes away is told of on its queue
alone, while the work goes on. So the queue is looked at while the work is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gradio.context import LocalContext

LOOK = 0.1  # seconds between two looks at the queue
# Whether a call that does not come through Gradio's queue is still wanted (gui.tools).
WANTED: ContextVar[Callable[[], bool] | None] = ContextVar("WANTED", default=None)


@contextmanager
def while_wanted() -> Iterator[threading.Event]:
    """An event that is set once the call this is used in is wanted no more.

    Outside a call, as when a program uses the methods themselves, nothing sets it.
    """
    cancel, ended = threading.Event(), threading.Event()
    wanted = _asker()
    if wanted is None:
        yield cancel
        return

    def look() -> None:
        while not ended.wait(LOOK):
            if not wanted():
                cancel.set()
                return

    threading.Thread(target=look, name="caller", daemon=True).start()
    try:
        yield cancel
    finally:
        ended.set()


def _asker() -> Callable[[], bool] | None:
    """What tells whether the call of this thread is still wanted; None outside one."""
    told = WANTED.get()
    if told is not None:
        return told
    page, id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if page is None or id is None:
        return None
    queue = page._queue
    event = queue.event_ids_to_events.get(id)
    if event is None:
        return None

    def wanted() -> bool:
        waits = queue.pending_event_ids_session.get(event.session_hash, ())
        return bool(event.alive) and id in waits

    return wanted
