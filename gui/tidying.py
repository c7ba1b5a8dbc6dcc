"""What Gradio would keep of every event for as long as a tab is open, let go of.

Each update of a component makes it anew, and of those Gradio 6.31 keeps all but one under a name
of their own, with their values: half a megabyte an edit here. It also keeps a line on every
event that ever was, and of every tab that was closed what it showed, two megabytes each, as long
as there is room for more tabs. None of it is read again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

EVENTS = 1000  # events whose timings are kept
SPARE = 64  # components of a tab's own that are left until there are more
LAST = timedelta(seconds=10)  # for the last of a closed tab's events to end


def tidy(page: Any, session: str) -> int:
    """Drop what the tab ``session`` and closed tabs have gathered; how much.

    To be called on the server's own event loop, where Gradio changes these itself.
    """
    dropped = 0
    kept = page.app.state_holder.session_data.get(session)
    if kept is not None and len(kept.blocks_config.blocks) > len(page.blocks) + SPARE:
        for key in [k for k in kept.blocks_config.blocks if k not in page.blocks]:
            del kept.blocks_config.blocks[key]
            kept.config_values.pop(key, None)
            dropped += 1
    dropped += _forget_closed(page)
    told = page._queue.event_analytics
    while len(told) > EVENTS:
        del told[next(iter(told))]
        dropped += 1
    return dropped


def forget_info(page: Any) -> None:
    """Drop what was written about the endpoints with the address that somebody asked at."""
    page.app.api_info = None
    page.app.page_api_info.clear()


def _forget_closed(page: Any) -> int:
    holder = page.app.state_holder
    still = datetime.now() - LAST
    gone = [
        tab
        for tab, state in holder.session_data.items()
        if state.is_closed and holder.time_last_used.get(tab, still) <= still
    ]
    for tab in gone:
        del holder.session_data[tab]
        holder.time_last_used.pop(tab, None)
    return len(gone)
