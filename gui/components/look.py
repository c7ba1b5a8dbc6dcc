"""Where the selected latent looks: its attention drawn over the picture, as light on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gui.reading import Reading

SCRIPT = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
GROUPS = {"image": "picture", "question": "question", "latents": "latents", "words": "words"}


def look_value(
    reading: Reading | None,
    step: int = 0,
    live: bool = True,
    looks: Sequence[float] = (),
    layer: int | None = None,
    head: int | None = None,
) -> dict[str, Any] | None:
    """What the script draws; None when there is nothing to draw.

    Args:
        reading: of the selected latent.
        step: its number, from 0.
        live: the model is there, so that one layer and one head can be asked for.
        looks: attention on each patch where ``layer`` or ``head`` was chosen.
        layer, head: what was chosen; None for the mean.
    """
    if reading is None or not reading.looks:
        return None
    return {
        "name": f"z{step + 1}",
        "rows": reading.grid[0],
        "columns": reading.grid[1],
        "heat": [round(v, 6) for v in looks or reading.looks],
        "layers": reading.depth[0] if live else 0,
        "heads": reading.depth[1] if live else 0,
        "layer": layer,
        "head": head,
        "shares": [[GROUPS.get(name, name), value] for name, value in reading.shares],
    }
