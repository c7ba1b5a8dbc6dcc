"""What a branch holds as its parent had it: tokens, machine states and the vectors fed."""

from __future__ import annotations

from collections.abc import Iterable

from core.edits.context import Context
from core.engine.plan import Scripted


def held_places(context: Context, places: Iterable[int]) -> dict[int, Scripted]:
    """The parent's slots at ``places``, latents with the vectors they were fed."""
    trace, live = context.trace, context.engine.live(context.held)
    return {
        place: Scripted(
            trace.token_ids[place],
            trace.sampled_ids[place],
            live.states[place],
            live.vectors.get(place),
        )
        for place in places
    }


def closing(context: Context, stop: int) -> dict[int, Scripted]:
    """The token behind a span that stops at ``stop`` where it is the span's end token, which a
    span that is held is held with."""
    tokens = context.trace.token_ids
    closed = stop < len(tokens) and tokens[stop] == context.engine.ids.end
    return held_places(context, [stop]) if closed else {}
