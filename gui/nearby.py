"""The neighbours of the selected latents in the space itself, and what a lasso took."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gui.components.nearest import Near, Neighbourhood

if TYPE_CHECKING:
    from torch import Tensor

    from core.records.bank import Bank
    from gui.cloud import Cloud, Point

SHOWN = 5


def neighbourhoods(
    cloud: Cloud, places: list[Any], step: int, bank: Bank | None
) -> list[Neighbourhood]:
    """Of step ``step`` of the baseline and the branch, among the bank's latents.

    Args:
        places: the coordinates of each group on the map that is shown.
    """
    out = []
    for group in cloud.of("before", "after"):
        points, table = cloud.groups[group], cloud.tables[group]
        row = next((n for n, p in enumerate(points) if p.step == step), None)
        if row is None or not bool(table[row].isfinite().all()):
            continue
        role = cloud.roles[group]
        name = "baseline" if role == "before" else points[row].item
        out.append(
            Neighbourhood(
                f"z{step + 1} of {name}",
                role,
                distance_facts(bank, step, table[row]),
                nearest_to(cloud, places, table[row], places[group][row]),
            )
        )
    return out


def of_bank(cloud: Cloud, places: list[Any], item: str, step: int) -> list[Neighbourhood]:
    """Of one latent of the bank, itself left out."""
    points = cloud.groups[0]
    row = next((n for n, p in enumerate(points) if (p.item, p.step) == (item, step)), None)
    if row is None:
        return []
    found = nearest_to(cloud, places, cloud.tables[0][row], places[0][row], row)
    return [Neighbourhood(points[row].name, "bank", _about(points[row]), found)]


def nearest_to(
    cloud: Cloud, places: list[Any], vector: Tensor, at: Any, leave: int | None = None
) -> list[Near]:
    """The nearest of the bank's points to a vector (D,) that stands at ``at`` on the map."""
    import torch

    from core.measures.neighbours import nearest
    from core.measures.similarity import cosine

    points, table = cloud.groups[0], cloud.tables[0]
    kept = [n for n in torch.isfinite(table).all(-1).nonzero().flatten().tolist() if n != leave]
    if not kept:
        return []
    found, lengths = nearest(table[kept], SHOWN, vector[None])
    rows = [kept[n] for n in found[0].tolist()]
    cosines = cosine(vector[None], table[rows])[0].tolist()
    on_map: set[int] = set()
    if at is not None:
        here = [(n, places[0][n]) for n in kept if places[0][n] is not None]
        here.sort(key=lambda entry: (entry[1][0] - at[0]) ** 2 + (entry[1][1] - at[1]) ** 2)
        on_map = {n for n, _ in here[:SHOWN]}
    return [
        Near(points[n].name, points[n].task, points[n].answer, length, same, n in on_map)
        for n, length, same in zip(rows, lengths[0].tolist(), cosines, strict=True)
    ]


def distance_facts(bank: Bank | None, step: int, vector: Tensor) -> str:
    """How far from the bank's step a latent is, as percentiles of the bank's own distances."""
    if bank is None or bank.latents.shape[-1] != len(vector):
        return ""
    percentile = bank.percentile(step, vector)
    line = f"distance from the bank's mean: percentile {percentile:.0f}"
    covariance = _covariance(bank, min(step, bank.latents.shape[1] - 1))
    if covariance is not None:
        line += f"; Mahalanobis, shrunk covariance: percentile {covariance.percentile(vector):.0f}"
    return line


@lru_cache(maxsize=64)
def _covariance(bank: Bank, step: int) -> Any:
    from core.errors import InputError
    from core.measures.covariance import shrunk_covariance

    try:
        return shrunk_covariance(bank.latents[:, step])
    except InputError:
        return None


def taken(points: list[Point]) -> str:
    """What a lasso took of the bank, in a sentence."""
    tasks = Counter(p.task for p in points if p.task)
    steps = Counter(p.step for p in points)
    by_task = ", ".join(f"{name} {count}" for name, count in tasks.most_common())
    by_step = ", ".join(f"z{step + 1} {count}" for step, count in sorted(steps.items()))
    what = "1 latent" if len(points) == 1 else f"{len(points)} latents"
    items = len({p.item for p in points})
    said = f"{what} of {items} {'item' if items == 1 else 'items'} of the bank selected."
    return " ".join(
        part
        for part in (
            said,
            f"By task: {by_task}." if by_task else "",
            f"By step: {by_step}." if by_step else "",
        )
        if part
    )


def _about(point: Point) -> str:
    return ", ".join(
        p for p in (point.task, f"answered {point.answer}" if point.answer else "") if p
    )
