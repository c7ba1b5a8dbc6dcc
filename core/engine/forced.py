"""Teacher-forced logits: what a run would have said at each of another run's answer tokens.

An edited run may say other words than its base, and then their logits stand at different
places and cannot be compared. Forced, the base's words are fed behind the edited run's own
imagination, so that row u of both predicts the same word (methodology Y9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.engine.gathering import gathered
from core.engine.store import Held
from core.errors import InputError
from core.records import Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

ROWS = 64
"""Runs forced in one pass."""


def behind(trace: Trace) -> int:
    """Place of the first token behind what a run imagined; 0 when it did not imagine."""
    if trace.imagined is not None:
        return trace.imagined[1]
    return max((span.stop for span in trace.spans), default=0)


def unfinished(trace: Trace) -> bool:
    """Whether a run ended inside its span, so that nothing stands behind what it imagined."""
    return bool(trace.spans) and trace.spans[-1].ended_by in ("length", "cancelled", "eos")


def answer_tokens(engine: Engine, base: Trace) -> tuple[int, int]:
    """(first, stop) places of a run's words behind its imagination: markers at their head and
    the end of the text are left out."""
    silent, first, stop = engine.reader.silent, behind(base), len(base.token_ids)
    if unfinished(base):
        return first, first
    while stop > first and base.token_ids[stop - 1] in silent:
        stop -= 1
    while first < stop and base.token_ids[first] in silent:
        first += 1
    return first, stop


def forced_logits(engine: Engine, traces: Sequence[Trace], base: Trace) -> list[Tensor]:
    """Logits over ``base``'s answer tokens behind each run's imagination; see
    :meth:`Engine.forced_logits`."""
    first, stop = answer_tokens(engine, base)
    if first >= stop:
        raise InputError("This run said no words behind its imagination that could be forced.")
    fed = list(base.token_ids[behind(base) : stop])  # the last one is predicted, never fed
    skipped = first - behind(base)
    out: list[Tensor] = []
    for at in range(0, len(traces), ROWS):
        helds = [engine.hold(trace) for trace in traces[at : at + ROWS]]
        out += [rows[skipped:].cpu() for rows in _force(engine, helds, fed)]
    return out


def _force(engine: Engine, helds: Sequence[Held], fed: Sequence[int]) -> Tensor:
    """Raw logits (runs, n, V) that predict ``fed`` (n) behind each run's imagination."""
    passes = engine.passes
    lives = [engine.live(held) for held in helds]
    places = [behind(held.trace) for held in helds]
    if any(unfinished(held.trace) for held in helds):
        raise InputError("A run that ended inside its span has no words to be compared.")
    states = torch.stack([live.hidden[p] for live, p in zip(lives, places, strict=True)])[:, None]
    if len(fed) > 1:
        device = passes.device
        words = torch.tensor([list(fed[:-1])] * len(helds), device=device)
        starts = [held.first_position + p for held, p in zip(helds, places, strict=True)]
        positions = torch.tensor(starts, device=device)[:, None] + torch.arange(
            len(fed) - 1, device=device
        )
        cache = gathered([live.cache for live in lives], places)
        hidden = passes.step(cache, passes.embedding(words), positions)
        states = torch.cat([states, hidden], dim=1)
    return passes.logits(states)
