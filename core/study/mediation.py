"""The split of an input's effect into what goes through the latents and what goes past them.

With x the item, x′ the changed input, Z(·) the latents each gives, and m an outcome::

    TE  = E[ m(x′, Z(x′)) − m(x, Z(x)) ]      total effect
    NDE = E[ m(x′, Z(x))  − m(x, Z(x)) ]      natural direct effect
    NIE = E[ m(x, Z(x′))  − m(x, Z(x)) ]      natural indirect effect
    TIE = TE − NDE                            total indirect effect
    INT = TE − NDE − NIE                      interaction; 0 only where the paths add
    CDE = E[ m(x′, z*) − m(x, z*) ]           controlled direct effect at a fixed z*

(Robins & Greenland 1992; Pearl 2001.) Every term is observed: Y(x, Z(x′)) is simply run, by
putting the latents of one run into the other, so no cross-world assumption is needed. The
proportion mediated is given only where the total effect's interval excludes 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.measures.paired import paired_change
from core.measures.resampling import clustered
from core.measures.small_samples import mean_interval, ratio_interval
from core.measures.statistics import Interval, wilson
from core.study.effects import LEAST_ITEMS, plain_value
from core.study.intervals import NOTHING
from core.study.pairs import Array


@dataclass(frozen=True)
class Split:
    """A mediation analysis.

    Attributes:
        outcome: what m is, in words.
        locus: where latents were exchanged.
        items: items that have all four cells.
        apart: items left out because one of the two runs did not imagine or a cell is missing.
        gated: those of them where just one of the two runs imagined: the input changed whether
            there is a mediator at all, so they are a stratum of their own.
        gate: TE among them.
        total, direct, indirect, total_indirect, interaction: TE, NDE, NIE, TIE, INT.
        controlled: CDE at the step means, or NaN.
        pure, whole: NIE/TE and TIE/TE, NaN where TE's interval covers 0.
    """

    outcome: str
    locus: str
    items: int
    apart: int
    total: Interval
    direct: Interval
    indirect: Interval
    total_indirect: Interval
    interaction: Interval
    controlled: Interval
    pure: Interval
    whole: Interval
    gated: int = 0
    gate: Interval = NOTHING

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {name: plain_value(value) for name, value in vars(self).items()}


def split(
    own: ArrayLike,
    changed: ArrayLike,
    changed_own: ArrayLike,
    own_changed: ArrayLike,
    clusters: Sequence[str] | None = None,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
    outcome: str = "outcome",
    locus: str = "content",
    apart: int = 0,
    controlled: ArrayLike | None = None,
) -> Split:
    """Effects from the four cells of the cross.

    Args:
        own: m(x, Z(x)), (n,).
        changed: m(x′, Z(x′)).
        changed_own: m(x′, Z(x)).
        own_changed: m(x, Z(x′)).
        clusters: what each item belongs to.
        controlled: m(x′, z*) − m(x, z*) of the same items, or None.
    """
    a, b, c, d = (np.asarray(v, np.float64) for v in (own, changed, changed_own, own_changed))
    whole = ~np.isnan(a + b + c + d)
    names = [str(k) for k in range(len(a))] if clusters is None else list(clusters)
    names = [name for name, keep in zip(names, whole, strict=True) if keep]
    a, b, c, d = a[whole], b[whole], c[whole], d[whole]
    fixed = None if controlled is None else np.asarray(controlled, np.float64)[whole]

    counted = all(bool(np.isin(cell, (0.0, 1.0)).all()) for cell in (a, b, c, d))
    alone = counted and len(set(names)) == len(names)

    def mean(values: Array) -> Interval:
        if not len(values):
            return NOTHING
        found = mean_interval(values, names, level, resamples, seed)
        return unsure(found, values, len(set(names)), 1.0)

    def between(before: Array, after: Array) -> Interval:
        # choices of single items are paired rates, which have an interval of their own
        return paired_change(before, after, level) if alone and len(a) else mean(after - before)

    total, direct, indirect = b - a, c - a, d - a
    effect = between(a, b)
    excludes = len(total) >= LEAST_ITEMS and not (effect.low <= 0 <= effect.high)

    def ratio(part: Array) -> Interval:
        if not excludes:
            return NOTHING
        top, _ = clustered(part, names)
        bottom, _ = clustered(total, names)
        found = ratio_interval(top, bottom, level, resamples, seed)
        both = np.concatenate([part, total])
        return unsure(found, both, len(set(names)), abs(float(total.mean())))

    return Split(
        outcome=outcome,
        locus=locus,
        items=len(a),
        apart=apart + int((~whole).sum()),
        total=effect,
        direct=between(a, c),
        indirect=between(a, d),
        total_indirect=between(c, b),
        interaction=mean(total - direct - indirect),
        controlled=NOTHING if fixed is None or np.isnan(fixed).all() else mean(fixed),
        pure=ratio(indirect),
        whole=ratio(total - direct),
    )


def unsure(found: Interval, values: Array, clusters: int, whole: float) -> Interval:
    """A bootstrap of choices that all went one way is certain of itself; nobody else may be.

    Then the interval is as wide as that of a rate of 0 among so many clusters (Wilson).

    Args:
        whole: what one deviating item of each would change the estimate by, at most 1.
    """
    if found.low < found.high or not bool(np.isin(values, (-1.0, 0.0, 1.0)).all()):
        return found
    room = wilson(0, clusters, found.level).high / max(whole, 1e-9)
    return Interval(found.estimate, found.estimate - room, found.estimate + room, found.level)
