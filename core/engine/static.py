"""A cache that stays where it is: fixed shapes at fixed addresses, for a captured step.

A CUDA graph replays kernels on the addresses they were recorded with. So a batch that is to be
decoded that way moves in here: its prompt and its own slots are copied into buffers rounded up
to a few sizes, what is beyond them is masked, and how many slots each row holds is a number on
the device. The batch's own part *is* then these buffers, so that rows are copied out and
continued as everywhere else. One batch lives here at a time; another that needs the place gets
it, and the first takes its slots along.

Shapes: prompt (R, H, P, d) with R = 1 where all rows share it, own (B, H, C, d), B, P and C
rounded up (:class:`Shape`).
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine.cache import BranchCache, Pairs

FEW_ROWS = 8


@dataclass(frozen=True)
class Shape:
    """Sizes of a batch, rounded up so that few of them have to be captured.

    Attributes:
        rows: B, a power of two.
        shared: all rows have one prompt.
        prompt: P, at most a quarter more than needed.
        own: C; many rows at most an eighth more than needed, as theirs is the memory that
            counts, few rows in larger steps, so that a long answer is not recorded over and over.
    """

    rows: int
    shared: bool
    prompt: int
    own: int

    @classmethod
    def of(cls, cache: BranchCache) -> Shape:
        """The shape a batch needs for one more slot a row."""
        prompts, _, length, _ = cache.prompt[0][0].shape
        slots = max(cache.lengths) + 1
        fine = max(16, _power(slots) // 8)
        own = max(64, _power(slots)) if cache.rows <= FEW_ROWS else _up(slots, fine)
        return cls(_power(cache.rows), prompts == 1, _up(length, max(64, _power(length) // 8)), own)

    def nbytes(self, cache: BranchCache) -> int:
        """Bytes of the buffers, for a model whose keys and values ``cache`` holds."""
        keys = cache.prompt[0][0]
        slots = (1 if self.shared else self.rows) * self.prompt + self.rows * self.own
        return 2 * len(cache.prompt) * slots * keys.shape[1] * keys.shape[3] * keys.element_size()


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def _power(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()


class StaticCache(BranchCache):
    """Buffers of one shape, and the batch that lives in them.

    Args:
        shape: their sizes.
        like: a batch of the model, for heads, width, dtype and device.
    """

    def __init__(self, shape: Shape, like: BranchCache) -> None:
        super().__init__(len(like.prompt), shape.rows)
        keys = like.prompt[0][0]
        heads, width = keys.shape[1], keys.shape[3]
        prompts = 1 if shape.shared else shape.rows
        self.shape = shape
        self.decoding = True
        self.prompt = [
            (
                keys.new_zeros(prompts, heads, shape.prompt, width),
                keys.new_zeros(prompts, heads, shape.prompt, width),
            )
            for _ in like.prompt
        ]
        self.own = [
            (
                keys.new_zeros(shape.rows, heads, shape.own, width),
                keys.new_zeros(shape.rows, heads, shape.own, width),
            )
            for _ in like.prompt
        ]
        device = keys.device
        self.held = torch.zeros(shape.rows, dtype=torch.long, device=device)
        self.hidden_prompt = torch.ones(
            prompts, 1, 1, shape.prompt, dtype=torch.bool, device=device
        )
        self._every = torch.arange(shape.rows, device=device)
        self._slots = torch.arange(shape.own, device=device)
        self._hidden_own: Tensor | None = None
        self._lent: Pairs = []
        self._guest: weakref.ref[BranchCache] | None = None
        self._copied: list[weakref.ref[Tensor]] = []
        self._editions: list[int] = []
        self._counted: list[int] = []

    # -- inside a captured step: no host number may enter ----------------------------------

    def update(
        self, keys: Tensor, values: Tensor, layer_idx: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values (B, H, 1, d) behind what each row holds."""
        if layer_idx == 0:
            self._hidden_own = (self._slots > self.held[:, None])[:, None, None, :]
        own_keys, own_values = self.own[layer_idx]
        own_keys[self._every, :, self.held] = keys[:, :, 0]
        own_values[self._every, :, self.held] = values[:, :, 0]
        return own_keys, own_values

    def used(self, fresh: int) -> int:
        """Own slots a pass looks at: all there are, the empty ones masked."""
        return self.shape.own

    def unseen(self, fresh: int, device: torch.device) -> tuple[Tensor | None, Tensor | None]:
        """Prompt and own slots that are empty, (R, 1, 1, P) and (B, 1, 1, C)."""
        return self.hidden_prompt, self._hidden_own

    # -- outside of it ---------------------------------------------------------------------

    def house(self, cache: BranchCache) -> None:
        """Let ``cache`` live here; whoever does now takes its own slots along."""
        guest = self._guest() if self._guest is not None else None
        if guest is not cache or cache.own is not self._lent:
            self._move_out(guest, cache)
            self._take_prompt(cache)
            self._take_own(cache)
        elif cache.editions != self._editions:
            self._take_prompt(cache)
        if self._counted != cache.lengths:
            lengths = [*cache.lengths, *[0] * (self.shape.rows - cache.rows)]
            self.held.copy_(torch.tensor(lengths))
            self._counted = list(cache.lengths)

    def count(self) -> None:
        """One slot more in every row; the step has added it to ``held`` itself."""
        self._counted = [n + 1 for n in self._counted]

    def _move_out(self, guest: BranchCache | None, cache: BranchCache) -> None:
        if guest is not None and guest is not cache and guest.own is self._lent:
            guest.own = [(k.clone(), v.clone()) for k, v in guest.own]
        self._guest = weakref.ref(cache)

    def _take_prompt(self, cache: BranchCache) -> None:
        length = cache.prompt[0][0].shape[2]
        tensors = [t for pair in cache.prompt for t in pair]
        known = len(tensors) == len(self._copied) and all(
            ref() is tensor for ref, tensor in zip(self._copied, tensors, strict=True)
        )
        count = cache.prompt[0][0].shape[0]
        pairs = list(zip(self.prompt, cache.prompt, strict=True))
        if not known:
            for mine, theirs in pairs:
                for buffer, tensor in zip(mine, theirs, strict=True):
                    buffer[:count, :, :length] = tensor
                    buffer[:, :, length:] = 0  # masked, but 0 × ∞ is no number
            self._copied = [weakref.ref(tensor) for tensor in tensors]
        elif count > 1:  # some rows may have been given to others since
            for row in (r for r in range(count) if cache.editions[r] != self._editions[r]):
                for mine, theirs in pairs:
                    for buffer, tensor in zip(mine, theirs, strict=True):
                        buffer[row, :, :length] = tensor[row]
        self._editions = list(cache.editions)
        self.hidden_prompt.fill_(True)
        if cache.prompt_mask is None:
            self.hidden_prompt[..., :length] = False
        else:
            self.hidden_prompt[: cache.prompt_mask.shape[0], 0, 0, :length] = ~cache.prompt_mask

    def _take_own(self, cache: BranchCache) -> None:
        used = max(cache.lengths)
        for layer, mine in enumerate(self.own):
            for part, buffer in enumerate(mine):
                if used:
                    buffer[: cache.rows, :, :used] = cache.own[layer][part][:, :, :used]
                buffer[:, :, used:] = 0
        self._lent = [(k[: cache.rows], v[: cache.rows]) for k, v in self.own]
        cache.own = self._lent
        cache.capacity = self.shape.own
        self._counted = []
