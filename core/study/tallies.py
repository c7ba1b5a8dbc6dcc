"""What happened in an arm, counted: how answers moved, how runs fared, what dose arrived."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from core.study.pairs import Pairs, agree
from core.study.rows import Row


def flows(pairs: Pairs) -> dict[str, int]:
    """How answers moved, in items, by the first draw."""
    found = dict.fromkeys(("R→R", "R→W", "W→R", "W→W", "W→W′"), 0)
    for pair in pairs.pairs:
        was, now = pair.base["right"], pair.row["right"]
        name = f"{'R' if was else 'W'}→{'R' if now else 'W'}"
        if name == "W→W" and not agree(pair.base["choice"], pair.row["choice"]):
            name = "W→W′"
        found[name] += 1
    return found


def health_of(rows: Sequence[Row]) -> dict[str, float]:
    """Shares of runs that imagined, whose answer could not be read, that looped or were cut."""
    if not rows:
        return {}
    return {
        "imagined": average([float(row["imagined"]) for row in rows]),
        "latents": average([float(sum(row["latents"])) for row in rows]),
        "unread": average([float(row["answer"] is None) for row in rows]),
        "repeats": average([float(row["repeats"]) for row in rows]),
        "cut off": average([float(row["ended"] == "length") for row in rows]),
        "length": average([float(row["length"]) for row in rows]),
    }


def doses_of(pairs: Pairs) -> dict[str, float]:
    """Mean ε, cosine and hidden change, the least that arrived, the median percentile."""
    epsilon = pairs.doses("epsilon")
    if not len(epsilon) or np.isnan(epsilon).all():
        return {}
    hidden, percentile = pairs.doses("hidden"), pairs.doses("percentile")
    arrived = hidden[(epsilon > 1e-6) & ~np.isnan(hidden)]
    return {
        "epsilon": average(epsilon),
        "cosine": average(pairs.doses("cosine")),
        "hidden": average(hidden),
        "least hidden": float(arrived.min()) if len(arrived) else float("nan"),
        "percentile": float(np.nanmedian(percentile))
        if np.isfinite(percentile).any()
        else float("nan"),
    }


def average(values: ArrayLike) -> float:
    """Mean of what is a number, NaN where nothing is."""
    kept = np.asarray(values, np.float64)
    kept = kept[~np.isnan(kept)]
    return float(kept.mean()) if len(kept) else float("nan")
