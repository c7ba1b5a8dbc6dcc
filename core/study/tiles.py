"""Large square maps as small pictures, a panel each: the published grid of cosines.

A cell is one pixel of a PNG that the figure enlarges, so that a hundred items a panel cost a few
kilobytes; each panel says its mean, and a scale says what the colours are. The same scale as
:mod:`core.study.heat`: blue above 0, orange below, white at 0.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.study.figures import GREY, opened, text

SIDE, GAP, TOP, ACROSS = 190, 22, 46, 4
HIGH, MIDDLE, LOW = (0, 114, 178), (255, 255, 255), (230, 159, 0)
OPEN = (119, 119, 119)


def tiles(panels: Sequence[tuple[str, Tensor]], title: str) -> str:
    """Panels of cosines in [−1, 1], four a line.

    Args:
        panels: (name, (N, N)); NaN cells are grey. Beside the name stands the mean of the pairs.
    """
    if not panels:
        return ""
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    high = TOP + down * (SIDE + GAP + 14) + 40
    parts = [opened(20 + (SIDE + GAP) * max(across, 3), high, title)]
    for place, (name, panel) in enumerate(panels):
        x = 10 + (SIDE + GAP) * (place % across)
        y = TOP + (SIDE + GAP + 14) * (place // across)
        parts += [
            text(x, y - 6, f"{name}: mean {mean_of_pairs(panel):.3f}"),
            f'<image href="{picture(panel)}" x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" '
            'preserveAspectRatio="none" style="image-rendering: pixelated"/>',
        ]
    y = high - 40
    scale = np.linspace(-1, 1, 201)[None].repeat(2, 0)
    parts.append(
        f'<image href="{_png(_coloured(scale))}" x="10" y="{y}" width="300" height="12" '
        'preserveAspectRatio="none"/>'
    )
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        parts.append(text(10 + 150 * (value + 1), y + 28, f"{value:g}", "middle", GREY))
    return "".join([*parts, text(326, y + 10, "cosine", fill=GREY), "</svg>"])


def mean_of_pairs(panel: Tensor) -> float:
    """Mean over the pairs of different items, NaN without any."""
    table = panel.double().numpy()
    known = table[~np.eye(len(table), dtype=bool) & ~np.isnan(table)]
    return float(known.mean()) if len(known) else float("nan")


def picture(panel: Tensor) -> str:
    """A panel as a data URL of a PNG, a pixel a cell."""
    return _png(_coloured(panel.double().numpy()))


def _coloured(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    share = np.abs(np.nan_to_num(values)).clip(0, 1)[..., None]
    end = np.where((values >= 0)[..., None], np.array(HIGH), np.array(LOW))
    table = np.array(MIDDLE) * (1 - share) + end * share
    table[np.isnan(values)] = OPEN
    return np.asarray(table.round(), np.uint8)


def _png(table: NDArray[np.uint8]) -> str:
    out = io.BytesIO()
    Image.fromarray(table).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
