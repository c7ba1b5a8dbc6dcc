"""Two dimensions for the map, from one joint fit so that an arrow is no artefact of fitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def joint_pca(tables: Sequence[Any]) -> tuple[list[Any], tuple[float, float]]:
    """Principal components of all rows of all tables together.

    Args:
        tables: (n_i, D) numbers each; empty ones are allowed.

    Returns:
        the (n_i, 2) coordinates of each table, and the share of the variance on each axis.
        Signs are fixed (the largest loading is positive), so a redraw does not mirror.
    """
    import numpy as np

    arrays = [np.asarray(t, np.float64) for t in tables]
    filled = [a for a in arrays if len(a)]
    if not filled:
        return [np.zeros((0, 2)) for _ in arrays], (0.0, 0.0)
    rows = np.concatenate(filled)
    centre = rows.mean(axis=0)
    _, strengths, axes = np.linalg.svd(rows - centre, full_matrices=False)
    axes = axes[:2]
    if len(axes) < 2:
        axes = np.concatenate([axes, np.zeros((2 - len(axes), rows.shape[1]))])
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    axes = axes * np.where(signs == 0, 1, signs)[:, None]
    total = float((strengths**2).sum()) or 1.0
    shares = [float(s**2) / total for s in strengths[:2]] + [0.0, 0.0]
    points = [(a - centre) @ axes.T if len(a) else np.zeros((0, 2)) for a in arrays]
    return points, (shares[0], shares[1])


def cosines(table: Any) -> Any:
    """Step × step cosine similarity, float array (K, K); 0 where a vector has no length."""
    from gui.pointing import likeness

    return likeness(table, table)
