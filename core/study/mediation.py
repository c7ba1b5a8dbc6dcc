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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.measures.resampling import bootstrap_mean, bootstrap_ratio, clustered
from core.measures.statistics import Interval, wilson
from core.study.design import Design
from core.study.effects import LEAST_ITEMS, NOTHING, plain_value
from core.study.pairs import NAN, Array, Pair, Pairs, agree
from core.study.rows import Row


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

    def mean(values: Array) -> Interval:
        if not len(values):
            return NOTHING
        found = bootstrap_mean(values, names, level, resamples, seed)
        return unsure(found, values, len(set(names)), 1.0)

    total, direct, indirect = b - a, c - a, d - a
    effect = mean(total)
    excludes = len(total) >= LEAST_ITEMS and not (effect.low <= 0 <= effect.high)

    def ratio(part: Array) -> Interval:
        if not excludes:
            return NOTHING
        top, _ = clustered(part, names)
        bottom, _ = clustered(total, names)
        found = bootstrap_ratio(top, bottom, level, resamples, seed)
        whole = np.concatenate([part, total])
        return unsure(found, whole, len(set(names)), abs(float(total.mean())))

    return Split(
        outcome=outcome,
        locus=locus,
        items=len(a),
        apart=apart + int((~whole).sum()),
        total=effect,
        direct=mean(direct),
        indirect=mean(indirect),
        total_indirect=mean(total - direct),
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


def splits_of(pairs: Mapping[str, Pairs], design: Design) -> dict[str, Split]:
    """The mediation analyses a study's arms allow, on log-odds and on choices.

    The cross is found by what the arms do: a changed input, the same with the base's latents,
    and the base with the changed input's latents.
    """
    found: dict[str, Split] = {}
    for name, total in pairs.items():
        arm = total.arm
        if arm.x is None or arm.z:
            continue
        direct = _cross(pairs, total, parent="x", donor="base")
        indirect = _cross(pairs, total, parent="base", donor="x")
        if direct is None or indirect is None:
            continue
        cells = _cells(total, direct, indirect)
        fixed = _controlled(pairs, total)
        gated = [p for p in total.pairs if bool(p.base["imagined"]) != bool(p.row["imagined"])]
        for scale in ("logit", "choice"):
            values = {k: [_outcome(scale, row, t) for row, t in cell] for k, cell in cells.items()}
            table = {k: np.array(v, np.float64) for k, v in values.items()}
            apart = len(total) - len(cells["own"])
            clusters = [row["cluster"] or row["item"] for row, _ in cells["own"]]
            made = split(
                table["own"],
                table["changed"],
                table["changed own"],
                table["own changed"],
                clusters,
                design.level,
                design.resamples,
                design.seed,
                outcome=WORDS[scale],
                locus=indirect.arm.locus,
                apart=apart,
                controlled=None if fixed is None else _differences(scale, cells["own"], *fixed),
            )
            if made.items:
                found[f"{name}, {scale}"] = replace(
                    made, gated=len(gated), gate=_gate(scale, gated, design)
                )
    return found


WORDS = {
    "logit": "log-odds of the changed input's answer against the item's own, nats",
    "choice": "share of choices that are the changed input's answer",
}


def _cross(pairs: Mapping[str, Pairs], total: Pairs, parent: str, donor: str) -> Pairs | None:
    for other in pairs.values():
        arm = other.arm
        fits = arm.x == total.arm.x and bool(arm.z) and arm.parent == parent
        if fits and arm.donor == donor and len(arm.z) == 1 and arm.locus in ("content", "text"):
            return other
    return None


Cell = list[tuple[Row, tuple[str, str]]]
"""Rows with (own answer, the changed input's answer)."""


def _controlled(
    pairs: Mapping[str, Pairs], total: Pairs
) -> tuple[dict[str, Row], dict[str, Row]] | None:
    """Rows of one edit without a donor on both inputs, by item: (changed, own)."""
    for other in pairs.values():
        arm = other.arm
        if arm.x != total.arm.x or arm.parent != "x" or arm.donor or not arm.z:
            continue
        for own in pairs.values():
            same = own.arm.z == arm.z and own.arm.x is None and own.arm.words == arm.words
            if same and not own.arm.donor:
                changed, kept = ({p.base["item"]: p.row for p in one.pairs} for one in (other, own))
                return changed, kept
    return None


def _differences(
    scale: str, cell: Cell, changed: dict[str, Row], own: dict[str, Row]
) -> list[float]:
    """m(x′, z*) − m(x, z*) of each item, NaN where one of them is missing."""
    out = []
    for row, answers in cell:
        name = row["item"]
        if name in changed and name in own:
            out.append(
                _outcome(scale, changed[name], answers) - _outcome(scale, own[name], answers)
            )
        else:
            out.append(NAN)
    return out


def _gate(scale: str, gated: Sequence[Pair], design: Design) -> Interval:
    """TE where the changed input opens or closes the gate; nothing below two items."""
    if len(gated) < 2:
        return NOTHING
    found = []
    for pair in gated:
        answers = _answers(pair)
        found.append(_outcome(scale, pair.row, answers) - _outcome(scale, pair.base, answers))
    names = [pair.base["cluster"] or pair.base["item"] for pair in gated]
    return bootstrap_mean(found, names, design.level, design.resamples, design.seed)


def _answers(pair: Pair) -> tuple[str, str]:
    """(own answer, the changed input's answer)."""
    return pair.base["gold"], pair.row.get("expected") or pair.row["choice"] or ""


def _cells(total: Pairs, direct: Pairs, indirect: Pairs) -> dict[str, Cell]:
    """Rows of the items that have all four, with (own answer, changed answer)."""
    by_item = [{p.base["item"]: p.row for p in one.pairs} for one in (total, direct, indirect)]
    cells: dict[str, Cell] = {"own": [], "changed": [], "changed own": [], "own changed": []}
    for pair in total.pairs:
        rows = [known.get(pair.base["item"]) for known in by_item]
        if any(row is None for row in rows):
            continue
        answers = _answers(pair)
        for cell, row in zip(cells.values(), (pair.base, *rows), strict=True):
            assert row is not None
            cell.append((row, answers))
    return cells


def _outcome(scale: str, row: Row, answers: tuple[str, str]) -> float:
    """m of one cell: rises as the answer turns to the changed input's."""
    own, other = answers
    if agree(own, other):
        return NAN
    if scale == "choice":
        return float(agree(row["choice"], other))
    scores = row["scores"]
    return scores[other] - scores[own] if own in scores and other in scores else NAN
