"""Where on the picture a latent points: the patch embedding it is most like."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Place = tuple[int, int]


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
