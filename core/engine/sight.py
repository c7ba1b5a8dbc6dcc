"""Pictures that were seen before: another question about one skips the vision tower.

Only pictures that were seen alone are kept, and only questions about one picture look here. A
picture's embeddings in a batch may differ from those alone in the last bits, and what a question
gets must not depend on what was asked before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock

import torch
from torch import Tensor

MOST_BYTES = 256 * 2**20  # some forty pictures of 1,000 tokens of a 7B model


class Sight:
    """Merged patch embeddings by picture, the longest unused ones dropped first.

    Args:
        see: the vision tower: pixels and (pictures, 3) grids → (n, D).
        most_bytes: how much is kept.
    """

    def __init__(self, see: Callable[[Tensor, Tensor], Tensor], most_bytes: int = MOST_BYTES):
        self.most_bytes = most_bytes
        self._see = see
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()
        self._lock = Lock()

    def __call__(self, pixels: Tensor, grid: Tensor) -> Tensor:
        """Embeddings (n, D) of all pictures, one after the other.

        Args:
            pixels: patches as the processor cut them, of all pictures.
            grid: (pictures, 3) patches in time, height and width.
        """
        if grid.shape[0] != 1:
            return self._see(pixels, grid)
        key = _key(pixels, grid)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        found = self._see(pixels, grid)
        with self._lock:
            self._kept[key] = found
            while self._kept and self.nbytes > self.most_bytes:
                self._kept.popitem(last=False)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes held on the device."""
        return sum(kept.nbytes for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()


def _key(pixels: Tensor, grid: Tensor) -> bytes:
    numbers = pixels.detach().cpu().contiguous()
    size = str((tuple(numbers.shape), numbers.dtype, grid.tolist())).encode()
    return sha256(size + numbers.view(torch.uint8).numpy().tobytes()).digest()
