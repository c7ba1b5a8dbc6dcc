"""Answer options of many runs, as tokens and a place, and their scores in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.engine.gathering import gathered
from core.engine.scoring import _common, _tail, spoken
from core.engine.store import Held
from core.errors import InputError

if TYPE_CHECKING:
    from core.engine.engine import Engine


@dataclass(frozen=True, eq=False)
class Asked:
    """One run's options, ready to be scored behind its first ``place`` own slots.

    Attributes:
        options: as they are named in the result.
        rests: token ids of each behind what all share.
        lead: how many of those belong to the words before the option and do not count.
    """

    held: Held
    options: list[str]
    rests: list[list[int]]
    place: int
    lead: int = 0


def prepare_scores(
    engine: Engine, held: Held, options: Sequence[str], lead: str | None = None
) -> Asked:
    """What :func:`core.engine.scoring.score_options` scores, as tokens and a place.

    Args:
        lead: words between the imagination and each option in place of the run's own; their
            own probability does not count.

    Raises:
        InputError: nothing to tell apart, or the run was stopped too early.
    """
    names = list(dict.fromkeys(o.strip() for o in options if o.strip()))
    if not names:
        raise InputError("Give at least one answer option.")
    family, reader = engine.family, engine.reader
    start, written = _tail(engine, held)
    words = spoken(engine, held) if lead is None else lead
    encoded = [reader.encode(words + name + family.answer_closing) for name in names]
    shared = _common([written, *encoded])
    if shared == min(len(e) for e in encoded):
        raise InputError("The options cannot be told apart by this tokenizer.")
    place = min(start + shared, len(engine.live(held).hidden) - 1)
    if place < start:
        raise InputError("This run was stopped before an answer could be scored.")
    silent = 0
    if lead is not None:
        silent = max(0, _common([reader.encode(lead), *encoded]) - (place - start))
    return Asked(held, names, [ids[place - start :] for ids in encoded], place, silent)


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
