"""A latent as a bar code: the same vector looks the same, the zero vector looks flat.

The vector is projected by a fixed random matrix, so nobody has tuned what is shown, and a bar
is dark where the projection is positive and light where it is negative.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

BARS = 24
SEED = 20261122


@lru_cache(maxsize=8)
def projection(width: int) -> np.ndarray:
    """The fixed (width, BARS) matrix; each column has expected length 1 on a unit vector."""
    import numpy as np

    return np.random.default_rng(SEED).standard_normal((width, BARS)) / width**0.5


def bars(vector: Any, scale: float) -> list[float]:
    """``BARS`` numbers in [-1, 1]; ``scale`` is the vector length that fills the range.

    Args:
        vector: (D,) numbers.
        scale: typically the median norm of the unedited run, above 0.
    """
    import numpy as np

    values = np.asarray(vector, dtype=np.float64)
    code = values @ projection(values.shape[0]) * values.shape[0] ** 0.5 / max(scale, 1e-9)
    return [float(v) for v in np.clip(np.nan_to_num(code) / 2, -1, 1)]


def barcode_svg(rows: list[list[float]], names: list[str]) -> str:
    """Bar codes under one another; unbroken stripes mean equal vectors.

    Args:
        rows: one list of ``BARS`` numbers a row, in [-1, 1].
        names: a CSS class for each row.
    """
    height = 24 // len(rows) if len(rows) > 1 else 24
    stripes = []
    for r, (row, name) in enumerate(zip(rows, names, strict=True)):
        stripes += [
            f'<rect x="{i * 3}" y="{r * height}" width="3" height="{height}" '
            f'style="opacity:{0.5 + 0.5 * v:.2f}" class="{name}"/>'
            for i, v in enumerate(row)
        ]
    return (
        f'<svg class="barcode" viewBox="0 0 {BARS * 3} {height * len(rows)}" '
        'preserveAspectRatio="none" aria-hidden="true">' + "".join(stripes) + "</svg>"
    )
