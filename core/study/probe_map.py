"""Where in the model the answer can be read off: a probe a layer and latent step (F15).

A ridge classifier (least squares on one-of-many targets) reads the right answer from the hidden
state of one latent's slot behind one layer, over the items, always on pictures it was not
fitted on. Its fit is a matrix that does not depend on the answers, so the same fit is asked
about hundreds of answers dealt out anew within each task: their mean is the control task (Hewitt
& Liang 2019), and the largest of their standardised scores over all cells is what a cell has to
beat to stand out of all of them at 5 % familywise (Westfall & Young 1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.measures.small_samples import mean_interval
from core.measures.statistics import Interval
from core.study.design import Design
from core.study.probing import FEWEST, FOLDS, answers_of, dealt
from core.study.rows import Row

Array = NDArray[np.float64]
DEALS = 200
"""Times the answers are dealt out anew."""
RIDGE = 0.3
"""Added to the Gram matrix's diagonal, whose own mean is 1."""


@dataclass(frozen=True, eq=False)
class ProbeMap:
    """Probes by layer and step.

    Attributes:
        depths: what each row is: how many layers lie before the state that is read.
        steps: K.
        items, answers: how many items, and different answers among them.
        accuracy, control: (rows, K) share read rightly, and the same with dealt answers.
        selectivity: (rows, K) their difference, paired by item.
        stands_out: (rows, K) cells beyond what any cell reaches in 95 % of the deals.
    """

    depths: tuple[int, ...]
    steps: int
    items: int
    answers: int
    accuracy: tuple[tuple[float, ...], ...]
    control: tuple[tuple[float, ...], ...]
    selectivity: tuple[tuple[Interval, ...], ...]
    stands_out: tuple[tuple[bool, ...], ...]


def probe_map(
    layers: Mapping[str, Tensor], base: Sequence[Row], design: Design, depths: Sequence[int]
) -> ProbeMap | None:
    """Probes at every kept depth and step; None with too few items.

    Args:
        layers: item id → (L′, K, D′) hidden states of the latents' slots.
        base: rows of the base arm.
        design: level, seed and resamples.
        depths: the L′ numbers of layers before each state.
    """
    rows = answers_of(layers, base)
    steps = min((layers[row["item"]].shape[1] for row in rows), default=0)
    if len(rows) < FEWEST or not steps:
        return None
    gold = np.array([f"{row['task']}: {row['gold']}" for row in rows])
    tasks = np.array([row["task"] for row in rows])
    names = [row["cluster"] or row["item"] for row in rows]
    if len(set(gold)) < 2 or len(set(names)) < FOLDS:
        return None
    draw = np.random.default_rng(design.seed)
    labels = np.stack([gold, *(dealt(gold, tasks, draw) for _ in range(DEALS))])  # (1 + P, n)
    _, codes = np.unique(labels, return_inverse=True)
    codes = codes.reshape(labels.shape)
    states = np.stack([layers[row["item"]][:, :steps].double().numpy() for row in rows])
    shape = len(depths), steps
    accuracy, control, scores = np.zeros(shape), np.zeros(shape), np.zeros((1 + DEALS, *shape))
    selectivity: list[tuple[Interval, ...]] = []
    for row in range(len(depths)):
        cells = []
        for step in range(steps):
            right = _read(states[:, row, step], codes, names)  # (1 + P, n)
            shares, chance = right.mean(1), right[1:].mean(0)
            spread = float(shares[1:].std(ddof=1)) or 1.0
            accuracy[row, step], control[row, step] = shares[0], chance.mean()
            scores[:, row, step] = (shares - shares[1:].mean()) / spread
            cells.append(
                mean_interval(right[0] - chance, names, design.level, design.resamples, design.seed)
            )
        selectivity.append(tuple(cells))
    beyond = float(np.quantile(scores[1:].max((1, 2)), 0.95))
    return ProbeMap(
        depths=tuple(depths),
        steps=steps,
        items=len(rows),
        answers=len(set(gold)),
        accuracy=_tuples(accuracy),
        control=_tuples(control),
        selectivity=tuple(selectivity),
        stands_out=tuple(tuple(bool(v > beyond) for v in line) for line in scores[0]),
    )


def _read(table: Array, codes: NDArray[np.int64], names: list[str]) -> Array:
    """1.0 where a probe fitted on other pictures reads the label: (P, n) for labels (P, n)."""
    from sklearn.model_selection import GroupKFold

    right = np.zeros(codes.shape)
    kinds = int(codes.max()) + 1
    targets = np.eye(kinds)[codes]  # (P, n, kinds)
    for fitted, asked in GroupKFold(FOLDS).split(table, codes[0], names):
        own = table[fitted]
        spread = own.std(0)
        scale = np.where(spread > 1e-9 * (1e-30 + np.abs(own).max()), spread, np.inf)
        one, other = ((table[part] - own.mean(0)) / scale for part in (fitted, asked))
        width = max(1, int(np.isfinite(scale).sum()))
        gram = one @ one.T / width
        weights = np.linalg.solve(
            gram + RIDGE * np.eye(len(fitted)), one @ other.T / width
        ).T  # (asked, fitted)
        mean = targets[:, fitted].mean(1, keepdims=True)
        said = weights @ (targets[:, fitted] - mean) + mean  # (P, asked, kinds)
        right[:, asked] = said.argmax(-1) == codes[:, asked]
    return right


def _tuples(table: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in table)
