"""Places of a running batch that are given to waiting rows.

Rows of a batch end at different steps. A place that has become free is given to the next waiting
row at once: its prompt and own slots are written over those of the row that ended, nobody else's
are touched. So a batch is as wide as the device has room for until nobody waits any more, however
unlike the answers are; only then does it shrink (:mod:`core.engine.loop`). Where there is room for
one more, who comes while a batch runs gets a place of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from core.engine.cache import BranchCache, Pairs, RowCache, spread
from core.engine.gathering import gathered, shifted
from core.engine.knockout import Cut
from core.engine.plan import Layers
from core.engine.row import Row


@dataclass(frozen=True, eq=False)
class Seat:
    """A row that waits, with what it continues.

    Attributes:
        row: has settled its next token.
        base: what it continues, with its own prompt.
        length: behind so many own slots of it.
        cuts: edges knocked out in it.
        layers: place → keys and values (H, d) a layer, own slots that are exchanged.
    """

    row: Row
    base: RowCache
    length: int = 0
    cuts: tuple[Cut, ...] = ()
    layers: Mapping[int, Layers] = field(default_factory=dict)

    def cache(self) -> RowCache:
        """What the row holds while it waits."""
        own: Pairs = []
        for layer, (keys, _) in enumerate(self.base.prompt):
            pair = self.base.own[layer] if self.length else (keys[:, :, :0],) * 2
            both = [part[:, :, : self.length].clone() for part in pair]
            for slot, layers in self.layers.items():
                both[0][0, :, slot], both[1][0, :, slot] = layers[layer]
            own.append((both[0], both[1]))
        return RowCache(self.base.prompt, own, self.cuts)


def batch(seats: Sequence[Seat]) -> BranchCache:
    """The cache of the rows a batch begins with."""
    lengths = [seat.length for seat in seats]
    if all(seat.base is seats[0].base for seat in seats):
        cache = spread(seats[0].base, lengths)
    else:
        cache = gathered([seat.base for seat in seats], lengths)
    longest = cache.prompt[0][0].shape[2]
    for b, seat in enumerate(seats):
        cache.cuts[b] = shifted(seat.cuts, longest)
        for place, layers in seat.layers.items():
            for (own_k, own_v), (new_k, new_v) in zip(cache.own, layers, strict=True):
                own_k[b, :, place] = new_k
                own_v[b, :, place] = new_v
    return cache


def seat(cache: BranchCache, place: int, new: Seat) -> None:
    """Give row ``place`` of a batch to ``new``."""
    _put_prompt(cache, place, new.base.prompt)
    keys = cache.prompt[0][0]
    cache.lengths[place] = new.length
    cache.reserve(max(cache.lengths) + 1, keys.expand(cache.rows, -1, -1, -1))
    for layer, own in enumerate(cache.own):
        for part, buffer in enumerate(own):
            if new.length:
                buffer[place, :, : new.length] = new.base.own[layer][part][0, :, : new.length]
            for slot, layers in new.layers.items():
                buffer[place, :, slot] = layers[layer][part]
    cache.cuts[place] = shifted(new.cuts, keys.shape[2])


def join(cache: BranchCache, new: Seat) -> None:
    """Make a batch wider by one row, which is given to ``new``."""
    place = cache.rows
    cache.own = [(_one_more(keys), _one_more(values)) for keys, values in cache.own]
    if cache.prompt[0][0].shape[0] > 1:
        cache.prompt = [(_one_more(keys), _one_more(values)) for keys, values in cache.prompt]
        if cache.prompt_mask is not None:
            cache.prompt_mask = _one_more(cache.prompt_mask)
    cache.rows += 1
    cache.lengths = [*cache.lengths, 0]
    cache.cuts = [*cache.cuts, ()]
    cache.editions = [*cache.editions, max(cache.editions) + 1]
    seat(cache, place, new)


def _one_more(rows: Tensor) -> Tensor:
    """(B, …) with a row of zeros behind the others."""
    return torch.cat([rows, rows.new_zeros(1, *rows.shape[1:])])


def _put_prompt(cache: BranchCache, place: int, prompt: Pairs) -> None:
    """Let one row look at another prompt."""
    if prompt is cache.prompt:
        return
    if cache.rows == 1:
        cache.prompt, cache.prompt_mask = prompt, None
        cache.editions[place] += 1
        return
    if cache.prompt[0][0].shape[0] == 1:  # so far all had one between them
        cache.prompt = [
            (k.repeat(cache.rows, 1, 1, 1), v.repeat(cache.rows, 1, 1, 1)) for k, v in cache.prompt
        ]
        if cache.prompt_mask is not None:
            cache.prompt_mask = cache.prompt_mask.repeat(cache.rows, 1)
    held, length = cache.prompt[0][0].shape[2], prompt[0][0].shape[2]
    if length != held and cache.prompt_mask is None:
        device = prompt[0][0].device
        cache.prompt_mask = torch.ones(cache.rows, held, dtype=torch.bool, device=device)
    if length > held:
        more = length - held
        cache.prompt = [(pad(k, (0, 0, more, 0)), pad(v, (0, 0, more, 0))) for k, v in cache.prompt]
        cache.cuts = [shifted(cuts, length) for cuts in cache.cuts]
        assert cache.prompt_mask is not None
        cache.prompt_mask = pad(cache.prompt_mask, (more, 0))
        held = length
    for mine, theirs in zip(cache.prompt, prompt, strict=True):
        for buffer, tensor in zip(mine, theirs, strict=True):
            buffer[place, :, : held - length] = 0  # masked, but 0 × ∞ is no number
            buffer[place, :, held - length :] = tensor[0]
    if cache.prompt_mask is not None:
        cache.prompt_mask[place] = torch.arange(held, device=cache.prompt_mask.device) >= (
            held - length
        )
    cache.editions[place] = max(cache.editions) + 1
