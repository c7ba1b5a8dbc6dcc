"""Where on the picture a latent points: the patch embedding it is most like."""

from __future__ import annotations

from typing import Any


def likeness(latents: Any, patches: Any) -> Any:
    """Cosine similarity of every latent with every patch.

    Args:
        latents: (K, D) numbers.
        patches: (P, D) numbers.

    Returns:
        float array (K, P); 0 where a vector has no length.
    """
    import numpy as np

    z, p = np.asarray(latents, np.float64), np.asarray(patches, np.float64)
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-9)
    p = p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), 1e-9)
    return z @ p.T


def trail(latents: Any, patches: Any, grid: tuple[int, int]) -> list[tuple[int, int]]:
    """(row, column) of the patch each latent is nearest to, in the order of the steps."""
    if not len(latents) or not len(patches) or not grid[1]:
        return []
    places = likeness(latents, patches).argmax(axis=1)
    return [(int(i) // grid[1], int(i) % grid[1]) for i in places]
