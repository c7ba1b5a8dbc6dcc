"""The latents that a study kept beside its rows, read again for its figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

MOST = 100
"""Items whose latents are compared with one another, as published."""


def latents_of(
    folder: str | Path, what: str = "latents", most: int = MOST, items: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """Item id → latents (K, D) that a study kept, or its ``"sites"``; {} where it kept none.

    Args:
        most: items at most, in the order of the data.
        items: only these; None for all that are there.
    """
    wanted = None if items is None else set(items)
    found: dict[str, Tensor] = {}
    paths = (path for path in (Path(folder) / what).glob("*.safetensors") if path.stem.isdigit())
    for path in sorted(paths, key=lambda one: int(one.stem)):
        try:
            kept = load_file(path)
        except (SafetensorError, OSError):
            continue
        found |= {name: one for name, one in kept.items() if wanted is None or name in wanted}
        if len(found) >= most:
            break
    return dict(list(found.items())[:most])
