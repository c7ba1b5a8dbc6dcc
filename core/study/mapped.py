"""The latents on a plane: by task, with edited ones over them, and among patches and words (F10).

Principal axes, which are a projection and nothing else; what a plane cannot show stands beside
it as a number: how pure the neighbourhoods are in the space itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from core.measures.neighbours import purity
from core.measures.pca import fit_axes
from core.study import charts
from core.study.behind import digits
from core.study.html import absent, figure
from core.study.keeping import APART
from core.study.study import Study

NEAR = 10
"""Neighbours whose labels are compared."""
MOST_EDITS = 5
OFF = 99.0
"""Percentile among clean latents beyond which an edit is off the manifold."""
Place = tuple[float, float]


def mapped(table: Tensor, tasks: Sequence[str], around: Mapping[str, Tensor], study: Study) -> str:
    """F10 and F10b.

    Args:
        table: (N, K, D) latents of the base runs, and the task of each item.
        around: what :class:`core.study.keeping.Kept` keeps of the first items.
    """
    return _by_task(table, tasks, around, study) + _among(table, around)


def _by_task(
    table: Tensor, tasks: Sequence[str], around: Mapping[str, Tensor], study: Study
) -> str:
    count, steps, width = table.shape
    axes = fit_axes(table.reshape(-1, width))
    placed = axes.place(table.reshape(-1, width)).reshape(count, steps, 2)
    groups: dict[str, list[Place]] = {}
    courses: dict[str, list[Tensor]] = {}
    for one, task in zip(placed, tasks, strict=True):
        groups.setdefault(task or "items", []).extend(_places(one))
        courses.setdefault(task or "items", []).append(one)
    paths = [_places(torch.stack(found).mean(0)) for found in courses.values()]
    edited = {
        _badge(arm, study): _places(axes.place(found)) for arm, found in _edited(around).items()
    }
    shares = " and ".join(f"{share:.0%}" for share in axes.shares)
    last = purity(table[:, -1], tasks, min(NEAR, count - 1))
    said = f"PCA of all steps together; the axes carry {shares} of the variance"
    near = (
        f" In the space itself {last.value:.0%} of the {last.k} nearest at the last step have the "
        f"same task (chance {last.chance:.0%})."
    )
    beside = ""
    if edited:
        beside = (
            " Crosses: what edits of the content put in their place, placed by the same axes, "
            "with the median percentile of their Mahalanobis distance among clean latents; "
            f"beyond the {OFF:g}th an edit is off the manifold."
        )
    everything = {**groups, **edited}
    return figure(
        charts.cloud(
            groups, paths, "F10  Latents on their first two principal axes, by task", said, edited
        ),
        f"F10 Latents of n = {count} items on their first two principal axes, by task; lines: the "
        f"mean course over the steps.{beside}{near} A map, no evidence: distances off its plane "
        "are not seen; no interval.",
        _rows(everything),
    )


def _among(table: Tensor, around: Mapping[str, Tensor]) -> str:
    """Latents among the picture's patches and the question's words: one joint fit."""
    kinds: dict[str, list[Tensor]] = {"picture's patches": [], "question's words": []}
    for name, found in around.items():
        kind = {"patches": "picture's patches", "words": "question's words"}.get(
            name.split(APART)[0]
        )
        if kind is not None and len(found):
            kinds[kind].append(found)
    items = len(kinds["question's words"])
    if not all(kinds.values()):
        return absent(
            "F10b (latents among patches and words)",
            "this study kept no patches and words of its runs.",
        )
    width = table.shape[-1]
    groups = {name: torch.cat(found) for name, found in kinds.items()}
    groups = {"latents": table[:items].reshape(-1, width), **groups}
    every = torch.cat(list(groups.values()))
    axes = fit_axes(every)
    labels = [name for name, found in groups.items() for _ in range(len(found))]
    near = purity(every, labels, min(NEAR, len(every) - 1), "cosine")
    shares = " and ".join(f"{share:.0%}" for share in axes.shares)
    lengths = ", ".join(f"{k} {float(v.norm(dim=-1).median()):.3g}" for k, v in groups.items())
    places = {name: _places(axes.place(found)) for name, found in groups.items()}
    return figure(
        charts.cloud(
            places,
            [],
            "F10b  Latents among the picture's patches and the question's words",
            f"joint PCA; the axes carry {shares} of the variance",
        ),
        f"F10b Latents, the patches of their pictures and the words of their questions as they "
        f"are fed, on the principal axes of all of them together; n = {items} items, no interval. "
        f"Median lengths: {lengths}. In the space itself {near.value:.0%} of the {near.k} nearest "
        f"by cosine are of the same kind (chance {near.chance:.0%}).",
        _rows(places),
    )


def _edited(around: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Arm → the latents it put in (n, D), of a few arms."""
    found: dict[str, list[Tensor]] = {}
    for name, latents in around.items():
        kind, *rest = name.split(APART)
        if kind == "edited":
            found.setdefault(rest[0], []).append(latents)
    return {arm: torch.cat(all_) for arm, all_ in list(found.items())[:MOST_EDITS]}


def _badge(arm: str, study: Study) -> str:
    """An arm's name with where its latents stand among clean ones."""
    effect = study.effects.get(arm)
    percentile = effect.dose.get("percentile", float("nan")) if effect is not None else float("nan")
    if percentile != percentile:
        return arm
    return f"{arm}: percentile {percentile:.0f}{', off' * (percentile > OFF)}"


def _places(found: Tensor) -> list[Place]:
    return [(float(x), float(y)) for x, y in found]


def _rows(groups: Mapping[str, Sequence[Place]]) -> tuple[list[str], list[list[str]]]:
    return ["group", "axis 1", "axis 2"], [
        [name, digits(x), digits(y)] for name, group in groups.items() for x, y in group
    ]
