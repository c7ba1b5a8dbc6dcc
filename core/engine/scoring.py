"""Scoring answer options: how likely is each, after the same imagination and the same words?

One pass, one row an option; for many runs, one pass for the options of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from core.engine.asked import Asked, prepare_scores
from core.engine.cache import spread
from core.engine.gathering import gathered
from core.engine.store import Held

if TYPE_CHECKING:
    from core.engine.engine import Engine


def score_options(engine: Engine, held: Held, options: Sequence[str]) -> dict[str, float]:
    """Log-probability (nats) of each option; see :meth:`Engine.score`."""
    asked = prepare_scores(engine, held, options)
    live, passes, place = engine.live(held), engine.passes, asked.place
    first = passes.logits(live.hidden[place][None]).log_softmax(-1)[0]  # predicts place
    rests = asked.rests
    totals = [float(first[rest[0]]) for rest in rests]
    longest = max(len(rest) for rest in rests)
    if longest > 1:
        device = passes.device
        fed = torch.zeros(len(rests), longest - 1, dtype=torch.long, device=device)
        for row, rest in enumerate(rests):
            fed[row, : len(rest) - 1] = torch.tensor(rest[:-1], device=device)
        cache = spread(live.cache, [place] * len(rests))
        positions = held.first_position + place + torch.arange(longest - 1, device=device)
        hidden = passes.step(cache, passes.embedding(fed), positions[None].expand(len(rests), -1))
        logprobs = passes.logits(hidden).log_softmax(-1)  # (options, longest − 1, V)
        for row, rest in enumerate(rests):
            for at, token in enumerate(rest[1:]):
                totals[row] += float(logprobs[row, at, token])
    return dict(zip(asked.options, totals, strict=True))


def score_together(engine: Engine, asked: Sequence[Asked]) -> list[dict[str, float]]:
    """Every option of every run as a row of one pass."""
    passes = engine.passes
    device = passes.device
    lives = [engine.live(one.held) for one in asked]
    places = [one.place for one in asked]
    first = passes.logits(
        torch.stack([live.hidden[place] for live, place in zip(lives, places, strict=True)])
    ).log_softmax(-1)
    totals = [
        [0.0 if one.lead else float(first[job][rest[0]]) for rest in one.rests]
        for job, one in enumerate(asked)
    ]
    longest = max(len(rest) for one in asked for rest in one.rests) - 1
    if longest:
        owners = [
            (job, option) for job, one in enumerate(asked) for option in range(len(one.rests))
        ]
        fed = torch.zeros(len(owners), longest, dtype=torch.long, device=device)
        for row, (job, option) in enumerate(owners):
            rest = asked[job].rests[option]
            fed[row, : len(rest) - 1] = torch.tensor(rest[:-1], device=device)
        cache = gathered(
            [lives[job].cache for job, _ in owners], [places[job] for job, _ in owners]
        )
        starts = torch.tensor(
            [asked[job].held.first_position + places[job] for job, _ in owners], device=device
        )
        positions = starts[:, None] + torch.arange(longest, device=device)
        hidden = passes.step(cache, passes.embedding(fed), positions)
        logprobs = passes.logits(hidden).log_softmax(-1)  # (rows, longest, V)
        for row, (job, option) in enumerate(owners):
            for at, token in enumerate(asked[job].rests[option][1:]):
                if at + 1 >= asked[job].lead:
                    totals[job][option] += float(logprobs[row, at, token])
    return [
        dict(zip(one.options, total, strict=True)) for one, total in zip(asked, totals, strict=True)
    ]
