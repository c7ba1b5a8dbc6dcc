"""Pictures that were seen before: another question about one skips the vision tower.

Only pictures that were seen alone are kept, and only questions about one picture look here. A
picture's embeddings in a batch may differ from those alone in the last bits, and what a question
gets must not depend on what was asked before it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import torch
from torch import Tensor

from core.engine.recent import Recent

MOST_BYTES = 256 * 2**20  # some forty pictures of 1,000 tokens of a 7B model


class Sight(Recent[bytes, Tensor]):
    """Merged patch embeddings by picture, the longest unused ones dropped first.

    Args:
        see: the vision tower: pixels and (pictures, 3) grids → (n, D).
        most_bytes: how much is kept.
    """

    def __init__(self, see: Callable[[Tensor, Tensor], Tensor], most_bytes: int = MOST_BYTES):
        super().__init__(most_bytes)
        self._see = see

    def __call__(self, pixels: Tensor, grid: Tensor) -> Tensor:
        """Embeddings (n, D) of all pictures, one after the other.

        Args:
            pixels: patches as the processor cut them, of all pictures.
            grid: (pictures, 3) patches in time, height and width.
        """
        if grid.shape[0] != 1:
            return self._see(pixels, grid)
        key = _key(pixels, grid)
        found = self.find(key)
        if found is None:
            found = self._see(pixels, grid)
            self.keep(key, found)
        return found


def _key(pixels: Tensor, grid: Tensor) -> bytes:
    numbers = pixels.detach().cpu().contiguous()
    size = str((tuple(numbers.shape), numbers.dtype, grid.tolist())).encode()
    return sha256(size + numbers.view(torch.uint8).numpy().tobytes()).digest()
