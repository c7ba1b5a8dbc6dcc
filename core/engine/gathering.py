"""Rows of several runs as one batch: their prompts side by side, padded on the left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from core.engine.cache import BranchCache, Pairs, RowCache
from core.engine.knockout import Cut


def gathered(bases: Sequence[RowCache], lengths: Sequence[int]) -> BranchCache:
    """A batch whose row b continues ``bases[b]`` behind its first ``lengths[b]`` own slots.

    One prompt is shared; several are put side by side, padded on the left.
    """
    first = bases[0]
    cache = BranchCache(len(first.prompt), len(bases))
    cache.decoding = True
    cache.cuts = [base.cuts for base in bases]
    if all(base.prompt is first.prompt for base in bases):
        cache.prompt = first.prompt
    else:
        _side_by_side(cache, bases)
    longest = max(lengths)
    like = first.prompt[0][0].expand(len(bases), -1, -1, -1)
    cache.reserve(longest + 1, like)
    for layer, (keys, values) in enumerate(cache.own):
        for row, (base, length) in enumerate(zip(bases, lengths, strict=True)):
            if length:
                keys[row, :, :length] = base.own[layer][0][0, :, :length]
                values[row, :, :length] = base.own[layer][1][0, :, :length]
    cache.lengths = list(lengths)
    return cache


def _side_by_side(cache: BranchCache, bases: Sequence[RowCache]) -> None:
    known = {id(base.prompt): base.prompt for base in bases}
    place = {name: row for row, name in enumerate(known)}
    sizes = [prompt[0][0].shape[2] for prompt in known.values()]
    longest = max(sizes)
    device = bases[0].prompt[0][0].device
    index = torch.tensor([place[id(base.prompt)] for base in bases], device=device)
    prompt: Pairs = []
    for layer in range(len(bases[0].prompt)):
        pair = []
        for part in (0, 1):
            rows = [
                torch.nn.functional.pad(
                    p[layer][part][0], (0, 0, longest - p[layer][part].shape[2], 0)
                )
                for p in known.values()
            ]
            stacked = torch.stack(rows)
            pair.append(stacked.index_select(0, index.to(stacked.device)))
        prompt.append((pair[0], pair[1]))
    cache.prompt = prompt
    if len(set(sizes)) > 1:
        seen = torch.arange(longest, device=device)[None]
        starts = torch.tensor([longest - size for size in sizes], device=device)[:, None]
        cache.prompt_mask = (seen >= starts).index_select(0, index)
    cache.cuts = [shifted(base.cuts, longest) for base in bases]


def shifted(cuts: Sequence[Cut], longest: int) -> tuple[Cut, ...]:
    """Cuts of a prompt that was padded on the left to ``longest`` slots."""
    return tuple(
        cut
        if cut.prompt is None
        else replace(
            cut, prompt=torch.nn.functional.pad(cut.prompt, (longest - len(cut.prompt), 0))
        )
        for cut in cuts
    )
