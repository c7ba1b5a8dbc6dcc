"""Edited slots computed one by one, each against the run as it was before any of them changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.engine.cache import RowCache, spread
from core.engine.plan import Layers, Prepared
from core.engine.store import Held, Live

if TYPE_CHECKING:
    from core.engine.engine import Engine


def recompute_slots(
    engine: Engine, held: Held, live: Live, plans: Sequence[Prepared]
) -> list[tuple[dict[int, Tensor], dict[int, Layers]]]:
    """``cached`` mode: hidden states and keys and values of edited slots, each computed
    against the parent's own prefix, so that nothing but the answer sees the edit.

    Returns:
        Per plan: place → hidden (D,), and place → per layer keys and values (H, d).
    """
    found: list[tuple[dict[int, Tensor], dict[int, Layers]]] = [({}, {}) for _ in plans]
    jobs = [
        (index, place, vector)
        for index, prepared in enumerate(plans)
        for place, vector in prepared.plan.slots.items()
    ]
    # one plan alone is run slot by slot: the same shapes as in the parent's own decoding,
    # which is what makes an identity edit bit-exact
    size = 1 if len(plans) == 1 else 64
    for clean, chunk in _chunks(held, live, jobs, size):
        cache = spread(clean, [place for _, place, _ in chunk])
        table = engine.passes.embedding.weight
        embeds = torch.stack([vector.to(table.device, table.dtype) for _, _, vector in chunk])
        positions = torch.tensor(
            [[held.first_position + place] for _, place, _ in chunk], device=table.device
        )
        hidden = engine.passes.step(cache, embeds[:, None], positions)[:, -1]
        if engine.loaded.head is not None:
            hidden = engine.loaded.head(hidden).to(hidden.dtype)
        for b, (index, place, _) in enumerate(chunk):
            found[index][0][place] = hidden[b]
            found[index][1][place] = [(k[b, :, place], v[b, :, place]) for k, v in cache.own]
    return found


Job = tuple[int, int, Tensor]
"""Which plan, which place, what is fed there."""


def _chunks(
    held: Held, live: Live, jobs: Sequence[Job], size: int
) -> Iterator[tuple[RowCache, Sequence[Job]]]:
    """Jobs with the cache their slots are computed against, at most ``size`` at a time."""
    spans = held.trace.spans
    by_span: dict[int, list[Job]] = {}
    for job in jobs:
        span = next(i for i, s in enumerate(spans) if s.start <= job[1] < s.stop)
        by_span.setdefault(span, []).append(job)
    for span, its in by_span.items():
        for at in range(0, len(its), size):
            yield live.standing.clean.get(span, live.cache), its[at : at + size]
