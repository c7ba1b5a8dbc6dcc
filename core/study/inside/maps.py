"""The looks of all items together as maps: layer × step patching, influence between steps.

A map's cells are many and few items are looked into, so only cells that stand out of all of
them together are marked (max-|T|, Westfall & Young 1993).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.measures.influence import influence, principal_graph
from core.measures.multiplicity import max_t
from core.measures.resampling import bootstrap_ratio, clustered
from core.measures.statistics import Interval
from core.study.design import Design
from core.study.inside.look import Look
from core.study.inside.profiles import values_of, window_name, windows_of
from core.study.intervals import NOTHING, mean_of


@dataclass(frozen=True, eq=False)
class Map:
    """A map of cells, each a mean over items.

    Attributes:
        rows, columns: what they are called.
        cells: mean and interval, a row each.
        stands_out: whether a cell does, of all cells together at 5 % familywise.
        items: how many.
    """

    rows: list[str]
    columns: list[str]
    cells: list[list[Interval]]
    stands_out: list[list[bool]]
    items: int

    @property
    def values(self) -> list[list[float]]:
        """The means."""
        return [[cell.estimate for cell in row] for row in self.cells]


def patch_map(looks: Sequence[Look], design: Design) -> Map | None:
    """F13: nats by which the donor's answer gains on the run's own when one slot's keys and
    values become the donor's in one window of layers; last row and column: all of them."""
    found = [look for look in looks if look.of("patch")]
    if not found:
        return None
    inside, whole = windows_of(found, "patch")
    steps = [*range(max(look.steps for look in found)), -1]
    windows = [*inside, whole] if whole not in inside else list(inside)
    names = [look.cluster or look.item for look in found]
    cells, columns = [], []
    for first, stop in windows:
        row = []
        for step in steps:
            values = values_of(
                found,
                lambda p: float(p["toward"]),
                lambda p, s=step, w=(first, stop): (  # type: ignore[misc]
                    p["series"] == "patch" and p["step"] == s and tuple(p["layers"]) == w
                ),
            )
            columns.append(values)
            row.append(mean_of(values, names, design.level, design))
        cells.append(row)
    table = np.stack(columns, axis=1)
    known = ~np.isnan(table).any(axis=1)
    marks = np.zeros(len(columns), bool)
    if len({name for name, k in zip(names, known, strict=True) if k}) > 1:
        kept = [name for name, k in zip(names, known, strict=True) if k]
        marks = max_t(table[known], kept, design.resamples, design.seed)[1] < 0.05
    wide = len(steps)
    return Map(
        [window_name(w, whole) for w in windows],
        [f"{step + 1}" if step >= 0 else "all" for step in steps],
        cells,
        [list(map(bool, marks[at : at + wide])) for at in range(0, len(marks), wide)],
        int(known.sum()),
    )


@dataclass(frozen=True, eq=False)
class Influence:
    """F7: which step weighs on which.

    Attributes:
        weights: (K, K) mean KL in nats; row: latent changed, column: read after that many.
        edges: (from, to, weight) worth drawing, counted from 1; K + 1 is not there, the last
            column is the answer.
        items: how many.
        locality, early_out, late_in, span: see :class:`core.measures.influence`, each a ratio of
            means with a bootstrap interval by cluster.
    """

    weights: list[list[float]]
    edges: list[tuple[int, int, float]]
    items: int
    total: Interval
    locality: Interval
    early_out: Interval
    late_in: Interval
    span: Interval


def influence_map(looks: Sequence[Look], design: Design) -> Influence | None:
    """F7 over the items of the commonest K; None where none was changed."""
    found = [look for look in looks if look.influence]
    if not found:
        return None
    count = Counter(look.steps for look in found).most_common(1)[0][0]
    kept = [look for look in found if look.steps == count]
    tables = np.array([look.influence for look in kept], np.float64)  # (n, K, K + 1)
    square = np.concatenate([tables, np.full((len(kept), 1, count + 1), np.nan)], axis=1)
    weights = influence(torch.from_numpy(square))  # (K + 1, K + 1)
    known = np.nan_to_num(tables)
    steps, reads = np.arange(count)[:, None], np.arange(count + 1)[None]
    names = [look.cluster or look.item for look in kept]
    parts = {
        "locality": known * (reads == steps + 1),
        "early_out": known * (steps == 0),
        "late_in": known * (reads == count),
        "span": known * (reads - steps),
    }
    whole = known.sum((1, 2))
    ratios = {}
    for name, part in parts.items():
        top, _ = clustered(part.sum((1, 2)), names)
        bottom, _ = clustered(whole, names)
        ratios[name] = (
            bootstrap_ratio(top, bottom, design.level, design.resamples, design.seed)
            if whole.sum() > 0
            else NOTHING
        )
    return Influence(
        weights=[row[1:] for row in weights[:count].tolist()],
        edges=[(t + 1, s, w) for t, s, w in principal_graph(weights)],
        items=len(kept),
        total=mean_of(whole, names, design.level, design),
        **ratios,
    )
