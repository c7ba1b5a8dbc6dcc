"""Where on the picture a latent points: the patch embedding it is most like."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from core.records import Trace
    from gui.visits import Visit

Place = tuple[int, int]
KEPT = 512  # trails kept for one visit


def trail(latents: Tensor, patches: Tensor, grid: tuple[int, int]) -> list[Place | None]:
    """(row, column) of the patch each latent is nearest to, in the order of the steps.

    Args:
        latents: (K, D).
        patches: (rows·columns, D), row by row.
        grid: rows and columns.

    Returns:
        None for a latent without length, which points nowhere.
    """
    return [best[0][0] if best else None for best in nearest_places(latents, patches, grid, 1)]


def trail_of(visit: Visit, trace: Trace, span: int) -> list[Place | None]:
    """The trail of one span, from memory or a session file where it is known already."""
    kept: dict[tuple[str, int], list[Place | None]] = visit.beside.setdefault("trails", {})
    if (trace.id, span) not in kept:
        if visit.patches is None or not len(visit.patches):
            return []
        while len(kept) >= KEPT:
            kept.pop(next(iter(kept)))
        latents = trace.spans[span].latents
        kept[(trace.id, span)] = trail(latents, visit.patches, trace.prompt.grid)
    return kept[(trace.id, span)]


def nearest_places(
    latents: Tensor, patches: Tensor, grid: tuple[int, int], count: int
) -> list[list[tuple[Place, float]]]:
    """For each latent its ``count`` likest patches with their cosines, likest first."""
    from core.measures.similarity import cosine

    if not len(latents) or not len(patches) or not grid[1]:
        return [[] for _ in latents]
    out: list[list[tuple[Place, float]]] = []
    for row in cosine(latents, patches):
        if bool(row.isnan().all()):
            out.append([])
            continue
        values, places = row.nan_to_num(-2.0).topk(min(count, len(row)))
        out.append(
            [
                ((i // grid[1], i % grid[1]), v)
                for i, v in zip(places.tolist(), values.tolist(), strict=True)
            ]
        )
    return out


def can_point(visit: Visit) -> bool:
    """Whether the patches at hand are those of the picture that is asked about."""
    from core.records.picture import fingerprint

    base = visit.baseline
    if base is None or visit.patches is None or visit.image is None:
        return False
    return base.prompt.image_hash == fingerprint(visit.image)
