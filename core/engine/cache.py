"""Keys and values of a run: one prompt that branches share, and what each row said since.

The prompt is by far the longer part (hundreds to thousands of image tokens against a few
dozen generated ones), and every branch of a run has the same one. It is therefore kept once,
never copied and never written to after the prompt pass; only the *own* part, the generated
slots, exists per row. Memory per extra branch is that of its own tokens.

Shapes: prompt keys and values (R, H, P, d) with R = 1 (shared by all rows) or R = B (each row
its own); own keys and values (B, H, capacity, d), of which row b uses the first ``lengths[b]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.engine.knockout import Cut

Pairs = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class RowCache:
    """The cache of one finished row: prompt (1, H, P, d) and own (1, H, n, d) pairs a layer,
    and the edges that were cut while it was made."""

    prompt: Pairs
    own: Pairs
    cuts: tuple[Cut, ...] = ()

    @property
    def length(self) -> int:
        """Number of own slots."""
        return int(self.own[0][0].shape[2]) if self.own else 0

    @property
    def own_bytes(self) -> int:
        """Bytes of the own part; the prompt is shared with the parent."""
        return sum(k.nbytes + v.nbytes for k, v in self.own)

    @property
    def prompt_bytes(self) -> int:
        """Bytes of the shared prompt."""
        return sum(k.nbytes + v.nbytes for k, v in self.prompt)


class BranchCache:
    """The cache a batch decodes with. Speaks the part of transformers' cache protocol that
    Qwen2.5-VL's attention uses (``update`` and ``get_seq_length``)."""

    def __init__(self, layers: int, rows: int) -> None:
        self.rows = rows
        self.prompt: Pairs = []
        self.prompt_mask: Tensor | None = None  # (R, P) bool, None when nothing is padded
        self.own: Pairs = []
        self.lengths: list[int] = [0] * rows
        self.cuts: list[tuple[Cut, ...]] = [()] * rows
        self.editions: list[int] = [0] * rows  # grows when a row is given another prompt
        self.decoding = False
        self.expected = 0  # slots of a prompt that is read in parts
        self.read = 0  # and those of it that were
        self._read_from = 0
        self._layers = layers
        self.capacity = 0
        self._places: tuple[Tensor, Tensor] | None = None  # (B, 1), (B, q) of this pass
        self._mask: tuple[tuple[object, ...], Tensor] | None = None

    # -- transformers' side ---------------------------------------------------------------

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Slots held so far, the longest row's."""
        if self.expected and not self.decoding:
            return self.read
        prompt = self.prompt[0][0].shape[2] if self.prompt else 0
        return int(prompt) + (max(self.lengths) if self.lengths else 0)

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """Where the next query stands; the prompt pass starts at 0."""
        return self.get_seq_length(layer_idx)

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Length and offset of the keys a mask has to cover."""
        return self.get_seq_length(layer_idx) + query_length, 0

    def update(
        self, keys: Tensor, values: Tensor, layer_idx: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Store one layer's new keys and values (B, H, q, d).

        During the prompt pass they become the prompt, and all of it so far is returned; afterwards
        they are written behind each row's own slots and the own part is returned.
        """
        if not self.decoding:
            return self._read(keys, values, layer_idx)
        fresh = keys.shape[2]
        if layer_idx == 0:
            self.reserve(max(self.lengths) + fresh, keys)
            if not self.even:
                rows = torch.arange(self.rows, device=keys.device)[:, None]
                starts = torch.tensor(self.lengths, device=keys.device)[:, None]
                self._places = rows, starts + torch.arange(fresh, device=keys.device)
        own_keys, own_values = self.own[layer_idx]
        if self.even:
            at = self.lengths[0]
            own_keys[:, :, at : at + fresh] = keys
            own_values[:, :, at : at + fresh] = values
        else:
            assert self._places is not None  # set when layer 0 was updated in this pass
            rows, slots = (place.to(keys.device) for place in self._places)
            own_keys.transpose(1, 2)[rows, slots] = keys.transpose(1, 2)
            own_values.transpose(1, 2)[rows, slots] = values.transpose(1, 2)
        used = max(self.lengths) + fresh
        return own_keys[:, :, :used], own_values[:, :, :used]

    def _read(self, keys: Tensor, values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """One layer's part of the prompt."""
        if not self.expected:  # all of it at once
            self.prompt.append((keys, values))
            return keys, values
        if layer == len(self.prompt):
            rows, heads, _, width = keys.shape
            whole = keys.new_empty(rows, heads, self.expected, width)
            self.prompt.append((whole, torch.empty_like(whole)))
        if layer == 0:
            self._read_from, self.read = self.read, self.read + keys.shape[2]
        all_keys, all_values = self.prompt[layer]
        all_keys[:, :, self._read_from : self.read] = keys
        all_values[:, :, self._read_from : self.read] = values
        return all_keys[:, :, : self.read], all_values[:, :, : self.read]

    # -- the engine's side ----------------------------------------------------------------

    @property
    def even(self) -> bool:
        """Whether all rows hold the same number of own slots."""
        return len(set(self.lengths)) <= 1

    def own_mask(self, fresh: int, device: torch.device) -> Tensor | None:
        """Which own slots each of ``fresh`` new queries sees: (B, 1, fresh, used) or None.

        None when every query sees all of them (one new slot, rows of equal length).
        """
        if fresh == 1 and self.even:
            return None
        asked = (*self.lengths, fresh, device)
        if self._mask is None or self._mask[0] != asked:  # the same for every layer of a pass
            used = max(self.lengths) + fresh
            last = torch.tensor(self.lengths, device=device)[:, None] + torch.arange(
                fresh, device=device
            )
            slots = torch.arange(used, device=device)
            self._mask = asked, (slots[None, None, :] <= last[:, :, None])[:, None]
        return self._mask[1]

    def used(self, fresh: int) -> int:
        """Own slots a pass over ``fresh`` new ones looks at."""
        return max(self.lengths) + fresh

    def unseen(self, fresh: int, device: torch.device) -> tuple[Tensor | None, Tensor | None]:
        """What new slots may not look at: prompt slots (R, 1, 1, P) and own slots
        (B, 1, fresh, used), True where hidden; None where nothing is."""
        prompt, own = self.prompt_mask, self.own_mask(fresh, device)
        return (
            None if prompt is None else ~prompt.to(device)[:, None, None, :],
            None if own is None else ~own,
        )

    def advance(self, fresh: int) -> None:
        """Count ``fresh`` slots as held, after the last layer has written them."""
        self.lengths = [n + fresh for n in self.lengths]

    def rewind(self, lengths: Sequence[int]) -> None:
        """Forget what stands behind ``lengths`` own slots of each row."""
        self.lengths = list(lengths)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        index = torch.tensor(list(rows))
        self.own = [_some(pair, index) for pair in self.own]
        if self.prompt[0][0].shape[0] > 1:
            self.prompt = [_some(pair, index) for pair in self.prompt]
            if self.prompt_mask is not None:
                self.prompt_mask = self.prompt_mask[index.to(self.prompt_mask.device)]
        self.lengths = [self.lengths[r] for r in rows]
        self.cuts = [self.cuts[r] for r in rows]
        self.editions = [self.editions[r] for r in rows]
        self.rows = len(self.lengths)

    def row(self, index: int) -> RowCache:
        """A copy of one row's own part, with the shared (or its own, unpadded) prompt."""
        length = self.lengths[index]
        own = [
            (k[index : index + 1, :, :length].clone(), v[index : index + 1, :, :length].clone())
            for k, v in self.own
        ]
        alone = self.prompt[0][0].shape[0] == 1
        if alone and self.prompt_mask is None:
            return RowCache(self.prompt, own, self.cuts[index])
        at = 0 if alone else index  # the last row that is left of a padded batch is padded too
        prompt = [(k[at : at + 1], v[at : at + 1]) for k, v in self.prompt]
        if self.prompt_mask is not None:
            seen = self.prompt_mask[at]
            prompt = [(k[:, :, seen], v[:, :, seen]) for k, v in prompt]
        return RowCache([(k.clone(), v.clone()) for k, v in prompt], own, self.cuts[index])

    def reserve(self, slots: int, like: Tensor) -> None:
        """Make room for ``slots`` own slots a row; ``like`` (B, H, …, d) says how wide they are."""
        if slots <= self.capacity and self.own:
            return
        capacity = -(-max(32, slots + slots // 8) // 8) * 8
        rows, heads, _, width = like.shape
        for layer in range(self._layers):  # old and new are never all there at once
            near = self.prompt[layer][0]  # layers may lie on several devices
            pair = tuple(near.new_zeros(rows, heads, capacity, width) for _ in range(2))
            if layer == len(self.own):
                self.own.append((pair[0], pair[1]))
                continue
            for new, old in zip(pair, self.own[layer], strict=True):
                new[:, :, : old.shape[2]] = old
            self.own[layer] = pair[0], pair[1]
        self.capacity = capacity


def _some(pair: tuple[Tensor, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    index = rows.to(pair[0].device)
    return pair[0].index_select(0, index), pair[1].index_select(0, index)


def spread(base: RowCache, lengths: Sequence[int]) -> BranchCache:
    """A batch whose row b continues ``base`` behind its first ``lengths[b]`` own slots.

    The prompt is shared, not copied; ``base`` is not touched by what the batch does.
    """
    cache = BranchCache(len(base.prompt), len(lengths))
    cache.prompt = base.prompt
    cache.decoding = True
    longest = max(lengths)
    like = base.prompt[0][0].expand(len(lengths), -1, -1, -1)
    cache.reserve(longest + 1, like)
    if base.own:
        for (keys, values), (old_keys, old_values) in zip(cache.own, base.own, strict=True):
            keys[:, :, :longest] = old_keys[:, :, :longest]
            values[:, :, :longest] = old_values[:, :, :longest]
    cache.lengths = list(lengths)
    cache.cuts = [base.cuts] * len(lengths)
    return cache
