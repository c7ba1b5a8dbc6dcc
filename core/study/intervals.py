"""Intervals of what an arm changed: by item where items stand alone, by cluster where not.

Single right-or-wrong items have the score intervals of rates (Wilson) and of paired changes
(:mod:`core.measures.paired`). Clusters and draws have the bootstrap of
:mod:`core.measures.small_samples`; where nothing varies it would be certain of itself, and the
clusters' number alone says how unsure it has to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.measures.paired import paired_change
from core.measures.small_samples import mean_interval
from core.measures.statistics import Interval, wilson
from core.study.design import Design
from core.study.pairs import Array, Pairs

NOTHING = Interval(float("nan"), float("nan"), float("nan"))
"""Where there is nothing to be estimated from."""


def accuracy_change(pairs: Pairs, level: float, design: Design) -> Interval:
    """Δ accuracy: score intervals for single pairs, bootstrap by cluster otherwise.

    Where no item of any cluster changes the bootstrap would be certain; then one item a
    cluster stands for it, which is the most clusters can tell.
    """
    if not len(pairs):
        return NOTHING
    base, right = pairs.base_right(), pairs.right()
    if not pairs.clustered:
        return paired_change(base, right, level)
    found = mean_interval(right - base, pairs.clusters, level, design.resamples, design.seed)
    if found.low < found.high:
        return found
    first = list(
        {name: place for place, name in reversed(list(enumerate(pairs.clusters)))}.values()
    )
    single = paired_change(base[first], base[first], level)
    return Interval(
        found.estimate, found.estimate + single.low, found.estimate + single.high, level
    )


def share(values: Array, clusters: Sequence[str], level: float, design: Design) -> Interval:
    """Mean of values in [0, 1] (NaN left out): Wilson, or bootstrap by cluster."""
    known = ~np.isnan(values)
    values, names = values[known], [c for c, k in zip(clusters, known, strict=True) if k]
    n = len(values)
    if not n:
        return NOTHING
    single = len(set(names)) == n and bool(np.isin(values, (0.0, 1.0)).all())
    if single:
        return wilson(round(float(values.sum())), n, level)
    found = mean_interval(values, names, level, design.resamples, design.seed)
    if found.low < found.high:
        return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))
    groups = len(set(names))
    return replace(wilson(round(found.estimate * groups), groups, level), estimate=found.estimate)


def mean_of(values: Array, clusters: Sequence[str], level: float, design: Design) -> Interval:
    """Mean with its interval by cluster; NaN items are left out."""
    if not np.isfinite(values).any():
        return NOTHING
    return mean_interval(values, clusters, level, design.resamples, design.seed)
