"""The crosses a study's arms allow: which rows are the four cells of a mediation analysis.

A cross is found by what arms do: a changed input, the same with what the base imagined, and the
base with what the changed input made it imagine. It is looked for at each locus, for content
and slots carry different things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core.measures.small_samples import mean_interval
from core.measures.statistics import Interval
from core.study.design import Design
from core.study.intervals import NOTHING
from core.study.mediation import Split, split
from core.study.pairs import NAN, Pair, Pairs, agree
from core.study.rows import Row

WORDS = {
    "logit": "log-odds of the changed input's answer against the item's own, nats",
    "choice": "share of choices that are the changed input's answer",
}
LOCI = {("content", "text"): "", ("slot",): " at the slots"}
"""Where imaginations are exchanged → what a split's name says of it."""
Cell = list[tuple[Row, tuple[str, str]]]
"""Rows with (own answer, the changed input's answer)."""


def splits_of(pairs: Mapping[str, Pairs], design: Design) -> dict[str, Split]:
    """The mediation analyses a study's arms allow, on log-odds and on choices."""
    found: dict[str, Split] = {}
    for name, total in pairs.items():
        if total.arm.x is None or total.arm.z:
            continue
        for loci, where in LOCI.items():
            direct = _cross(pairs, total, loci, parent="x", donor="base")
            indirect = _cross(pairs, total, loci, parent="base", donor="x")
            if direct is not None and indirect is not None:
                for scale, made in _both(pairs, total, direct, indirect, design).items():
                    found[f"{name}{where}, {scale}"] = made
    return found


def _both(
    pairs: Mapping[str, Pairs], total: Pairs, direct: Pairs, indirect: Pairs, design: Design
) -> dict[str, Split]:
    """One cross on both scales; nothing where no item has all cells."""
    cells = _cells(total, direct, indirect)
    fixed = _controlled(pairs, total) if indirect.arm.locus != "slot" else None
    gated = [p for p in total.pairs if bool(p.base["imagined"]) != bool(p.row["imagined"])]
    clusters = [row["cluster"] or row["item"] for row, _ in cells["own"]]
    found = {}
    for scale in ("logit", "choice"):
        values = {k: [_outcome(scale, row, t) for row, t in cell] for k, cell in cells.items()}
        table = {k: np.array(v, np.float64) for k, v in values.items()}
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
            apart=len(total) - len(cells["own"]),
            controlled=None if fixed is None else _differences(scale, cells["own"], *fixed),
        )
        if made.items:
            gate = _gate(scale, gated, design)
            found[scale] = replace(made, gated=len(gated), gate=gate)
    return found


def _cross(
    pairs: Mapping[str, Pairs], total: Pairs, loci: Sequence[str], parent: str, donor: str
) -> Pairs | None:
    """The arm that exchanges whole imaginations between the base and ``total``'s input."""
    for other in pairs.values():
        arm = other.arm
        fits = arm.x == total.arm.x and len(arm.z) == 1 and arm.locus in loci
        whole = fits and arm.z[0].part == "both" and arm.z[0].steps is None
        if whole and (arm.parent, arm.donor, arm.words) == (parent, donor, "free"):
            return other
    return None


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
    return mean_interval(found, names, design.level, design.resamples, design.seed)


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
