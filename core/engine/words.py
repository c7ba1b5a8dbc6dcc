"""What a run holds at its own words: the hidden states a latent is compared with fairly.

A latent is a hidden state of the last layer fed back. How alike two of them are means little
until it is known how alike two unrelated hidden states of that layer are, and words of the
answer are such states, read at the same site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.errors import InputError

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.records import Trace


def word_places(engine: Engine, trace: Trace) -> list[int]:
    """Slots of a run (indices into ``trace.token_ids``) that hold words: no latent, no marker,
    no special token, and not the last token, which is never fed."""
    latent = {span.start + k for span in trace.spans for k in range(len(span))}
    ids, tokenizer = engine.ids, engine.reader.tokenizer
    silent = {ids.start, ids.end, ids.pad, *ids.markers, *ids.eos}
    if tokenizer is not None:
        silent |= set(tokenizer.all_special_ids)
    return [
        place
        for place, token in enumerate(trace.token_ids[:-1])
        if place not in latent and token not in silent
    ]


def word_states(engine: Engine, trace: Trace, places: list[int] | None = None) -> Tensor:
    """The last layer's hidden states at chosen slots, behind the final norm: float32 (n, D).

    Args:
        engine: what made the run.
        trace: the run; its states are computed again when they were dropped.
        places: indices into ``trace.token_ids``; None takes :func:`word_places`.

    Raises:
        InputError: the run is no longer held, or a slot was never fed.
    """
    places = word_places(engine, trace) if places is None else places
    last = len(trace.token_ids) - 2
    if any(not 0 <= place <= last for place in places):
        raise InputError(f"A slot of this run that was fed is one from 0 to {last}.")
    with engine.lock:
        hidden = engine.live(engine.hold(trace)).hidden
        found = [hidden[place + 1].float().cpu() for place in places]
    return torch.stack(found) if found else torch.zeros(0, engine.passes.width)
