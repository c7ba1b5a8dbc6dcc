"""The looks of all items together as curves: over steps, over exits, over layers.

The unit is the item; items on one picture are resampled together. These runs are exploratory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.measures.influence import area_over_curve, early_exit
from core.measures.statistics import Interval
from core.records.edit import MODES
from core.study.design import Design
from core.study.inside.look import Look
from core.study.intervals import mean_of, share

Value = Callable[[Mapping[str, Any]], float]
Line = list[tuple[float, Interval]]
NAN = float("nan")


def flipped(point: Mapping[str, Any]) -> float:
    """1 where the choice is another one."""
    return float(point["flipped"])


def response(looks: Sequence[Look]) -> tuple[str, str, Value]:
    """(name, unit, value) of the finest outcome these items have: the logit difference of the
    run's own choice, or, without options, the KL over its answer's words."""
    scored = any(point["d_ld"] == point["d_ld"] for look in looks for point in look.of("step"))
    if scored:
        return "Δ logit difference of the run's own choice", "nats", lambda p: float(p["d_ld"])
    return "KL(base ‖ edited) over the answer's words", "nats", lambda p: float(p["token"])


def mean_over(
    looks: Sequence[Look],
    design: Design,
    value: Value,
    wanted: Callable[[Mapping[str, Any]], bool],
    rate: bool = False,
) -> Interval:
    """Mean over items of a value at the one point each has that is wanted."""
    values = values_of(looks, value, wanted)
    names = [look.cluster or look.item for look in looks]
    if rate:
        return share(values, names, design.level, design)
    return mean_of(values, names, design.level, design)


def step_profile(
    looks: Sequence[Look], design: Design, value: Value, rate: bool = False
) -> dict[str, Line]:
    """F6: each latent changed alone, by what becomes of the later ones; and the sham."""
    count = max((look.steps for look in looks), default=0)
    out: dict[str, Line] = {}
    for name, series, mode in (*((m, "step", m) for m in MODES), ("sham", "sham", "")):
        out[name] = [
            (
                float(step + 1),
                mean_over(
                    looks,
                    design,
                    value,
                    lambda p, s=step, r=series, m=mode: (  # type: ignore[misc]
                        p["series"] == r and p["step"] == s and m in ("", p["mode"])
                    ),
                    rate,
                ),
            )
            for step in range(count)
        ]
    return out


def relayed(
    looks: Sequence[Look], design: Design, value: Value
) -> list[tuple[int, list[Interval]]]:
    """What a step's effect owes to later latents: (step, [TSE − E, E − K]), paired by item."""
    names = [look.cluster or look.item for look in looks]
    out = []
    for step in range(max((look.steps for look in looks), default=0)):
        by_mode = [
            values_of(
                looks,
                value,
                lambda p, s=step, m=mode: (  # type: ignore[misc]
                    p["series"] == "step" and p["step"] == s and p["mode"] == m
                ),
            )
            for mode in MODES
        ]
        apart = [by_mode[0] - by_mode[1], by_mode[1] - by_mode[2]]
        out.append((step + 1, [mean_of(one, names, design.level, design) for one in apart]))
    return out


@dataclass(frozen=True, eq=False)
class Exits:
    """F8: the answer after k of K latents, k = 0 … K.

    Attributes:
        items, apart: items of the commonest K, and those of another.
        reached: S(k), share of items whose right answer was there after k latents or fewer.
        right: share right after exactly k.
        same: share that says after k what it says in full.
        area: area over the curve of ``same``, k < K (Lanham et al. 2023).
    """

    items: int
    apart: int
    reached: Line
    right: Line
    same: Line
    area: Interval


def exits_of(looks: Sequence[Look], design: Design) -> Exits | None:
    """F8 over the items that were changed; None where none was."""
    found = [look for look in looks if look.of("exit")]
    if not found:
        return None
    count = Counter(look.steps for look in found).most_common(1)[0][0]
    kept = [look for look in found if look.steps == count]
    right, same = [], []
    for look in kept:
        by_count = {point["count"]: point for point in look.of("exit")}
        right.append(
            [bool(by_count[k]["right"]) if k in by_count else False for k in range(count + 1)]
        )
        same.append(
            [not by_count[k]["flipped"] if k in by_count else False for k in range(count + 1)]
        )
    names = [look.cluster or look.item for look in kept]
    hits = torch.tensor(right)
    ever = early_exit(hits)
    firsts = ever.first.numpy()

    def line(table: Any) -> Line:
        rates = np.asarray(table, np.float64)
        return [
            (float(k), share(rates[:, k], names, design.level, design)) for k in range(count + 1)
        ]

    by_then = np.stack([(firsts >= 0) & (firsts <= k) for k in range(count + 1)], axis=1)
    lost = np.array([area_over_curve(torch.tensor([row[:count]])) for row in same])
    area = mean_of(lost, names, design.level, design)
    return Exits(len(kept), len(found) - len(kept), line(by_then), line(right), line(same), area)


def edge_profile(looks: Sequence[Look], design: Design) -> dict[str, Line]:
    """F12: relative change of the probability of the run's own choice, (p_ko − p) / p, with an
    edge cut in one window of layers; at the window's middle, counted from 1."""
    return {
        edge: [
            (
                (first + stop + 1) / 2,
                mean_over(looks, design, _relative, _window(edge, first, stop)),
            )
            for first, stop in windows_of(looks, edge)[0]
        ]
        for edge in edges_of(looks)
    }


def edges_everywhere(looks: Sequence[Look], design: Design) -> dict[str, Interval]:
    """F12: the same with the edge cut in all layers."""
    return {
        edge: mean_over(looks, design, _relative, _window(edge, *whole))
        for edge in edges_of(looks)
        for whole in [windows_of(looks, edge)[1]]
    }


def edges_of(looks: Sequence[Look]) -> list[str]:
    """Names of the edges that were cut."""
    return list(
        dict.fromkeys(p["series"] for look in looks for p in look.points if "→" in p["series"])
    )


def window_name(window: tuple[int, int], whole: tuple[int, int]) -> str:
    """Layers counted from 1: “3”, “3–6”, “all”."""
    first, stop = window
    if window == whole:
        return "all"
    return f"{first + 1}" if stop == first + 1 else f"{first + 1}–{stop}"


def windows_of(looks: Sequence[Look], series: str) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """The windows a series was made in, without the whole stack, and the whole stack."""
    found = sorted(
        {(int(p["layers"][0]), int(p["layers"][1])) for look in looks for p in look.of(series)}
    )
    whole = (0, max((look.layers for look in looks), default=0))
    inside = [window for window in found if window != whole]
    return inside or [whole], whole


def _window(edge: str, first: int, stop: int) -> Callable[[Mapping[str, Any]], bool]:
    return lambda p: p["series"] == edge and tuple(p["layers"]) == (first, stop)


def _relative(point: Mapping[str, Any]) -> float:
    return float(point["d_p"])


def values_of(
    looks: Sequence[Look], value: Value, wanted: Callable[[Mapping[str, Any]], bool]
) -> Any:
    """One value an item, NaN where it has no such point, (n,)."""
    out = []
    for look in looks:
        found = [value(point) for point in look.points if wanted(point)]
        known = [one for one in found if one == one]
        out.append(sum(known) / len(known) if known else NAN)
    return np.array(out, np.float64)
