"""Rows as pairs: each item's base beside what an arm made of it, draws averaged.

The unit of every test is the item. Random draws and donors are nested in it and averaged here,
before anything is tested; they never count as further items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.families.answers import same
from core.measures.outcome import logit_difference, option_shift
from core.study.arms import Arm
from core.study.rows import Row

Array = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Pair:
    """One item under one arm: its base row and the arm's rows, one a draw."""

    base: Row
    draws: tuple[Row, ...]

    @property
    def row(self) -> Row:
        """The first draw's row."""
        return self.draws[0]

    def mean(self, values: Iterable[float]) -> float:
        """Mean over draws, NaN where no draw has a value."""
        kept = [value for value in values if value == value]
        return sum(kept) / len(kept) if kept else NAN


@dataclass(frozen=True, eq=False)
class Pairs:
    """An arm over all items that have both rows.

    Attributes:
        arm: the arm.
        pairs: in the order of the items.
        skipped: why rows are missing → how many items.
        silent: base rows of items whose base run did not imagine, for intention to treat.
    """

    arm: Arm
    pairs: tuple[Pair, ...]
    skipped: dict[str, int] = field(default_factory=dict)
    silent: tuple[Row, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def clusters(self) -> list[str]:
        """What each item belongs to."""
        return [pair.base["cluster"] or pair.base["item"] for pair in self.pairs]

    @property
    def clustered(self) -> bool:
        """Whether some cluster has several items, or some item several draws."""
        names = self.clusters
        return len(set(names)) < len(names) or any(len(p.draws) > 1 for p in self.pairs)

    def base_right(self) -> Array:
        """1 where the base was right, (n,)."""
        return np.array([float(pair.base["right"]) for pair in self.pairs])

    def right(self) -> Array:
        """Share of draws that were right, (n,)."""
        return np.array([p.mean(float(r["right"]) for r in p.draws) for p in self.pairs])

    def flipped(self) -> Array:
        """Share of draws whose choice is not the base's, (n,)."""
        return np.array(
            [
                p.mean(float(not agree(r["choice"], p.base["choice"])) for r in p.draws)
                for p in self.pairs
            ]
        )

    def logit(self) -> Array:
        """Change of the logit difference of the right option, nats (n,); NaN without scores."""
        return np.array([p.mean(_change(p.base, r) for r in p.draws) for p in self.pairs])

    def shift(self) -> Array:
        """Total variation between the distributions over the options, (n,)."""
        return np.array([p.mean(_shift(p.base, r) for r in p.draws) for p in self.pairs])

    def follows(self) -> Array:
        """Share of draws whose choice is the donor's answer, NaN where base says it already."""
        return np.array([p.mean(follow(p.base, r) for r in p.draws) for p in self.pairs])

    def doses(self, name: str) -> Array:
        """A figure of the receipts (``epsilon``, ``cosine``, ``hidden`` …), (n,)."""
        return np.array([p.mean(_receipt(r, name) for r in p.draws) for p in self.pairs])

    def only(self, items: set[str]) -> Pairs:
        """The same arm over some of the items."""
        kept = tuple(pair for pair in self.pairs if pair.base["item"] in items)
        silent = tuple(row for row in self.silent if row["item"] in items)
        return Pairs(self.arm, kept, self.skipped, silent)


def agree(a: str | None, b: str | None) -> bool:
    """Whether two answers are the same; two that could not be read are."""
    return a is b if a is None or b is None else same(a, b)


def follow(base: Row, row: Row) -> float:
    """1 where the choice is the expected one and the base's was not; NaN where that is open."""
    expected = row.get("expected")
    if not expected or agree(base["choice"], expected):
        return NAN
    return float(agree(row["choice"], expected))


def pair_up(rows: Sequence[Row], arms: Sequence[Arm]) -> dict[str, Pairs]:
    """Rows of one study by arm.

    Args:
        rows: as :func:`core.study.runner.rows_of` gives them.
        arms: the design's, the base first. An arm that opens the answer at once is compared
            with the item's own latents doing so (the ``reference`` arm).
    """
    bases = {row["item"]: row for row in rows if row["arm"] == arms[0].name and "choice" in row}
    at_once = next((arm.name for arm in arms if arm.role == "reference"), None)
    wordless = {row["item"]: row for row in rows if row["arm"] == at_once and "choice" in row}
    by_arm: dict[str, dict[str, list[Row]]] = {arm.name: {} for arm in arms}
    for row in rows:
        by_arm[row["arm"]].setdefault(row["item"], []).append(row)
    return {
        arm.name: _arm(
            arm,
            by_arm[arm.name],
            wordless if arm.words == "none" and arm.role != "reference" else bases,
        )
        for arm in arms
    }


def _arm(arm: Arm, found: dict[str, list[Row]], bases: dict[str, Row]) -> Pairs:
    pairs, skipped, silent = [], Counter[str](), []
    for item, rows in found.items():
        base = bases.get(item)
        made = tuple(row for row in rows if "choice" in row)
        if base is None:
            skipped[rows[0].get("error", "the base has no row")] += 1
        elif made:
            pairs.append(Pair(base, made))
        elif arm.z and not base["imagined"]:
            silent.append(base)
        else:
            skipped[rows[0].get("skipped") or rows[0].get("error") or "no row"] += 1
    return Pairs(arm, tuple(pairs), dict(skipped), tuple(silent))


def _change(base: Row, row: Row) -> float:
    gold, before, after = base["gold"], base["scores"], row["scores"]
    if gold not in before or gold not in after or len(before) < 2:
        return NAN
    return logit_difference(after, gold) - logit_difference(before, gold)


def _shift(base: Row, row: Row) -> float:
    if not base["scores"] or base["scores"].keys() != row["scores"].keys():
        return NAN
    return option_shift(base["scores"], row["scores"]).total_variation


def _receipt(row: Row, name: str) -> float:
    """A figure of a row's receipts, averaged over the spans that were changed."""
    found = [receipt.get(name) for receipt in row.get("receipts") or ()]
    values = [float(value) for value in found if value is not None]
    return sum(values) / len(values) if values else NAN
