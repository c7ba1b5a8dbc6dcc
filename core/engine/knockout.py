"""Attention knockout: edges between groups of slots cut, in a window of layers.

A cut sets the scores of some queries on some keys to −∞ before the softmax (Geva et al.
2023), so that exactly nothing flows along those edges. It belongs to a row and stays with it:
what is branched from a knocked-out run is knocked out too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from core.engine.cache import BranchCache


@dataclass(frozen=True, eq=False)
class Cut:
    """Edges that carry nothing.

    Attributes:
        queries: (first, stop) own places that look; ``stop`` −1 means all from the first on.
        own: (first, stop) own places they do not see; a slot always sees itself.
        prompt: bool (P,), prompt slots they do not see, or None.
        layers: (first, stop) of the window.
    """

    queries: tuple[int, int]
    own: tuple[int, int] = (0, 0)
    prompt: Tensor | None = None
    layers: tuple[int, int] = (0, 1 << 30)

    def looks(self, place: int, layer: int) -> bool:
        """Whether the slot at ``place`` is cut off at ``layer``."""
        first, stop = self.queries
        inside = first <= place and (stop < 0 or place < stop)
        return inside and self.layers[0] <= layer < self.layers[1]


def hidden_edges(
    cache: BranchCache, layer: int, fresh: int, device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Edges of this pass that are cut at ``layer``.

    Returns:
        Bool (B, 1, q, P) over the prompt and (B, 1, q, used) over own slots, True where cut;
        None when nothing is.
    """
    if not any(cache.cuts):
        return None
    rows = cache.rows
    used = max(cache.lengths) + fresh
    length = cache.prompt[layer][0].shape[2]
    prompt = torch.zeros(rows, 1, fresh, length, dtype=torch.bool, device=device)
    own = torch.zeros(rows, 1, fresh, used, dtype=torch.bool, device=device)
    any_cut = False
    for row, cuts in enumerate(cache.cuts):
        for cut in cuts:
            for q in range(fresh):
                place = cache.lengths[row] + q
                if not cut.looks(place, layer):
                    continue
                any_cut = True
                own[row, 0, q, cut.own[0] : cut.own[1]] = True
                own[row, 0, q, place] = False
                if cut.prompt is not None:
                    prompt[row, 0, q] |= cut.prompt.to(device)
    return (prompt, own) if any_cut else None
