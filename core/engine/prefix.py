"""Prompts that begin alike: the beginning's keys and values, kept for the next question.

Questions about one picture share everything up to the picture's end: system text and image
tokens, thousands of slots, against some dozens of the question. A long beginning is read by
itself, *whether or not it is kept*, and the question behind it. So what a question gets does not
depend on what was asked before: the same passes over the same numbers, some of them not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine.cache import Pairs
from core.engine.recent import Recent

LEAST = 1024
"""Slots of a beginning that is worth a pass of its own."""
MOST_BYTES = 1 << 30


def beginning(is_image: Tensor) -> int:
    """Slots up to the end of a prompt's last picture, the token that closes it included.

    Args:
        is_image: bool (1, P).

    Returns:
        0 where the beginning is too short, or nothing comes behind it.
    """
    places = is_image[0].nonzero()
    if not len(places):
        return 0
    stop = int(places[-1]) + 2
    return stop if LEAST <= stop < is_image.shape[1] else 0


@dataclass(frozen=True, eq=False)
class _Kept:
    features: Tensor
    pairs: Pairs

    @property
    def nbytes(self) -> int:
        return sum(k.nbytes + v.nbytes for k, v in self.pairs)


class Prefixes(Recent[tuple[tuple[int, ...], int], _Kept]):
    """Beginnings by their ids and pictures, the longest unused ones dropped first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(most_bytes)

    def get(self, ids: Tensor, features: Tensor) -> Pairs | None:
        """Keys and values (1, H, n, d) a layer of a beginning (n,) with these patches (m, D).

        The patches are known by being the very tensor: a picture seen again is the same one
        (:mod:`core.engine.sight`), and what is kept here keeps it alive.
        """
        found = self.find((tuple(ids.tolist()), id(features)))
        return None if found is None else found.pairs

    def put(self, ids: Tensor, features: Tensor, pairs: Pairs) -> None:
        """Keep a beginning."""
        self.keep((tuple(ids.tolist()), id(features)), _Kept(features, pairs))


def joined(pairs: Pairs, length: int) -> Pairs:
    """Room for ``length`` slots that begins with ``pairs``, which stay as they are."""
    out: Pairs = []
    for keys, values in pairs:
        both = []
        for old in (keys, values):
            rows, heads, held, width = old.shape
            new = torch.empty(rows, heads, length, width, dtype=old.dtype, device=old.device)
            new[:, :, :held] = old
            both.append(new)
        out.append((both[0], both[1]))
    return out
