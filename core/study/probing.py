"""What can be read off latents: linear probes of the answer, step by step, with control tasks.

A logistic regression reads the right answer from the latents of one step, over the items; it is
always asked about pictures it was not fitted on (folds by picture). Beside it stand what such a
probe finds where there is nothing: the same with answers dealt out anew within each task
(a control task, Hewitt & Liang 2019), which keeps whatever the task alone gives away. Their
difference, paired by item, is the selectivity. The same probe reads the mean of the picture's
patches (is it in the input?) and the hidden state the first word behind the latents is read
from (does it arrive downstream?). That something can be read does not say that it is used.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.measures.small_samples import mean_interval
from core.measures.statistics import Interval
from core.study.design import Design
from core.study.effects import plain_value
from core.study.intervals import share
from core.study.rows import Row

FEWEST = 60
"""Items below which no probe is fitted."""
FOLDS = 5
CONTROLS = 5
"""Times the answers are dealt out anew."""
MOST_WIDE = 64
"""Principal components a probe sees; more of them than items would let it learn by heart."""


@dataclass(frozen=True)
class Probe:
    """A probe at one site.

    Attributes:
        site: “latent 1” …, “picture” or “downstream”.
        items, answers: how many items, and different answers among them.
        accuracy: share read rightly on pictures the probe was not fitted on.
        control: the same where answers were dealt out anew, mean over the deals.
        selectivity: accuracy − control, paired by item.
    """

    site: str
    items: int
    answers: int
    accuracy: Interval
    control: Interval
    selectivity: Interval

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {name: plain_value(value) for name, value in vars(self).items()}


def probes(
    latents: Mapping[str, Tensor],
    sites: Mapping[str, Tensor],
    base: Sequence[Row],
    design: Design,
) -> list[Probe]:
    """A probe a step, one of the picture and one behind the latents; [] with too few items.

    Answers that fewer than five items have (paths over a map) are left out: nothing could be
    learned of them from other pictures.

    Args:
        latents: item id → (K, D), the base runs' own.
        sites: item id → (2, D): picture, downstream.
        base: rows of the base arm.
        design: level and seed.
    """
    rows = answers_of(latents, base)
    steps = min((len(latents[row["item"]]) for row in rows), default=0)
    if len(rows) < FEWEST or not steps:
        return []
    gold = np.array([f"{row['task']}: {row['gold']}" for row in rows])
    tasks = np.array([row["task"] for row in rows])
    names = [row["cluster"] or row["item"] for row in rows]
    if len(set(gold)) < 2 or len(set(names)) < FOLDS:
        return []
    tables = {
        f"latent {step + 1}": np.stack([latents[row["item"]][step].numpy() for row in rows])
        for step in range(steps)
    }
    if all(row["item"] in sites for row in rows):
        both = np.stack([sites[row["item"]].numpy() for row in rows])  # (n, 2, D)
        tables |= {"picture": both[:, 0], "downstream": both[:, 1]}
    return [_probe(site, table, gold, tasks, names, design) for site, table in tables.items()]


def answers_of(kept: Mapping[str, Tensor], base: Sequence[Row]) -> list[Row]:
    """Rows of the items that vectors are kept of, whose answer a few others share."""
    rows = [row for row in base if row["item"] in kept and row["gold"]]
    times = Counter((row["task"], row["gold"]) for row in rows)
    return [row for row in rows if times[row["task"], row["gold"]] >= FOLDS]


def _probe(
    site: str,
    table: NDArray[np.float32],
    gold: NDArray[np.str_],
    tasks: NDArray[np.str_],
    names: list[str],
    design: Design,
) -> Probe:
    right = _read(table, gold, names)
    draw = np.random.default_rng(design.seed)
    anew = [_read(table, dealt(gold, tasks, draw), names) for _ in range(CONTROLS)]
    control = np.mean(anew, axis=0)
    level = design.level
    return Probe(
        site=site,
        items=len(gold),
        answers=len(set(gold)),
        accuracy=share(right, names, level, design),
        control=mean_interval(control, names, level, design.resamples, design.seed),
        selectivity=mean_interval(right - control, names, level, design.resamples, design.seed),
    )


def dealt(
    gold: NDArray[np.str_], tasks: NDArray[np.str_], draw: np.random.Generator
) -> NDArray[np.str_]:
    """The answers dealt out anew within each task."""
    out = gold.copy()
    for task in np.unique(tasks):
        inside = np.flatnonzero(tasks == task)
        out[inside] = gold[draw.permutation(inside)]
    return out


def _read(
    table: NDArray[np.float32], labels: NDArray[np.str_], names: list[str]
) -> NDArray[np.float64]:
    """1 where a probe fitted on other pictures reads the label, (n,)."""
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    right = np.zeros(len(labels))
    values = table.astype(np.float64)
    for fitted, asked in GroupKFold(FOLDS).split(values, labels, names):
        wide = min(MOST_WIDE, values.shape[1], len(fitted) - 1)
        if len(set(labels[fitted])) < 2:
            continue
        probe = make_pipeline(
            PCA(wide, svd_solver="full"), StandardScaler(), LogisticRegression(C=0.1, max_iter=200)
        )
        with warnings.catch_warnings():
            # latents that are all the same have no principal components, and few steps suffice
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe.fit(values[fitted], labels[fitted])
            right[asked] = probe.predict(values[asked]) == labels[asked]
    return right
