"""The words behind the latents as a second mediator: Z → T → Y beside Z → Y.

An edit of the latents that is left to run on changes the answer in two ways, straight and
through the words it makes the model say. Beside the free run, the same edit is scored behind
the item's own words (the controlled direct effect of Z given T) and with the answer opened
right behind the latents (no T at all). The difference of the first two, item by item, is what
the words relay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.measures.small_samples import mean_interval
from core.measures.statistics import Interval
from core.study.design import Design
from core.study.effects import plain_value
from core.study.intervals import NOTHING, share
from core.study.mediation import unsure
from core.study.pairs import Pairs, agree


@dataclass(frozen=True)
class Relay:
    """How much of an edit's effect the words carry, in shares of choices changed.

    Attributes:
        arm: the edit's free arm.
        items: items that have the free and the held row.
        free: total effect of the edit.
        held: with the item's own words held.
        relayed: free − held, paired by item.
        at_once: without words, against the item's own latents without words; NaN where that
            was not run.
        spoken: mean number of characters of the words held.
    """

    arm: str
    items: int
    free: Interval
    held: Interval
    relayed: Interval
    at_once: Interval
    spoken: float

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {name: plain_value(value) for name, value in vars(self).items()}


def relays_of(pairs: Mapping[str, Pairs], design: Design) -> list[Relay]:
    """A relay for each edit that was made with its words free and with them held."""
    found = []
    for held in pairs.values():
        if held.arm.words != "held" or not len(held):
            continue
        free = _same_edit(pairs, held, "free")
        if free is None:
            continue
        found.append(_relay(free, held, _same_edit(pairs, held, "none"), design))
    return found


def _same_edit(pairs: Mapping[str, Pairs], held: Pairs, words: str) -> Pairs | None:
    """The arm of the same edit with other words."""
    arm = held.arm
    for other in pairs.values():
        one = other.arm
        same = (one.z, one.donor, one.x, one.parent) == (arm.z, arm.donor, arm.x, arm.parent)
        if same and one.words == words and len(other):
            return other
    return None


def _relay(free: Pairs, held: Pairs, at_once: Pairs | None, design: Design) -> Relay:
    items = {p.base["item"] for p in free.pairs} & {p.base["item"] for p in held.pairs}
    free, kept = free.only(items), held.only(items)
    changed = dict(zip([p.base["item"] for p in free.pairs], free.flipped(), strict=True))
    apart = [
        changed[p.base["item"]]
        - p.mean(float(not agree(r["choice"], p.base["choice"])) for r in p.draws)
        for p in kept.pairs
    ]
    level, seed = design.level, design.seed
    words = [len(p.row["text"]) for p in kept.pairs]
    return Relay(
        arm=free.arm.name,
        items=len(items),
        free=share(free.flipped(), free.clusters, level, design),
        held=share(kept.flipped(), kept.clusters, level, design),
        relayed=unsure(
            mean_interval(apart, kept.clusters, level, design.resamples, seed),
            np.array(apart),
            len(set(kept.clusters)),
            1.0,
        )
        if apart
        else NOTHING,
        at_once=share(at_once.flipped(), at_once.clusters, level, design) if at_once else NOTHING,
        spoken=sum(words) / len(words) if words else 0.0,
    )
