"""The prompt with other vectors in some of its slots: read again, or exchanged slot by slot.

Latents stand behind the prompt, so a prompt that differs means other keys and values under all
of a run. Read again, whatever stands behind an edited slot sees it. Exchanged, each edited slot
alone is computed against the prompt as it was, and every other slot of the prompt stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.engine.cache import BranchCache, Pairs
from core.engine.store import Held, Live
from core.errors import InputError

if TYPE_CHECKING:
    from core.engine.engine import Engine

SLOTS = 64
"""Slots computed in one pass."""


@dataclass(frozen=True, eq=False)
class Reprompted:
    """A changed prompt.

    Attributes:
        prompt: keys and values (1, H, P, d) a layer.
        last: hidden state (D,) of the last slot, which the first token is chosen from; in an
            exchanged prompt that of the prompt as it was.
        hidden: edited slot → its hidden state before and after, (D,) each.
    """

    prompt: Pairs
    last: Tensor
    hidden: dict[int, tuple[Tensor, Tensor]]


def fed_prompt(engine: Engine, held: Held, fed: Mapping[int, Tensor]) -> Tensor:
    """What a run's prompt was fed: (P, D) on the model's device and in its dtype.

    Args:
        fed: prompt slot → vector (D,) that an edit put there.
    """
    passes = engine.passes
    ids = torch.as_tensor(held.inputs["input_ids"])[0].to(passes.device)
    embeds = passes.embedding(ids).clone()
    picture = ids == passes.config.image_token_id
    if bool(picture.any()):
        embeds[picture] = _patches(engine, held).to(embeds)
    for slot, vector in fed.items():
        embeds[slot] = vector.to(embeds)
    return embeds


def read_prompt(
    engine: Engine, held: Held, fed: Mapping[int, Tensor]
) -> tuple[BranchCache, Tensor]:
    """A run's prompt read again with ``fed`` in its slots: its cache, and hidden states (P, D)."""
    cache, hidden = engine.passes.read(
        fed_prompt(engine, held, fed)[None], _positions(engine, held)
    )
    return cache, hidden[0]


def read_again(engine: Engine, held: Held, live: Live, fed: Mapping[int, Tensor]) -> Reprompted:
    """The prompt read again, ``fed`` in its slots beside what earlier edits put there."""
    before = fed_prompt(engine, held, live.standing.prompt)
    after = before.clone()
    for slot, vector in fed.items():
        after[slot] = vector.to(after)
    positions = _positions(engine, held).expand(-1, 2, -1)
    cache, hidden = engine.passes.read(torch.stack([before, after]), positions)
    prompt = [(k[1:].clone(), v[1:].clone()) for k, v in cache.prompt]
    states = {slot: (hidden[0, slot], hidden[1, slot]) for slot in fed}
    return Reprompted(prompt, hidden[1, -1], states)


def exchange(engine: Engine, held: Held, live: Live, fed: Mapping[int, Tensor]) -> Reprompted:
    """The prompt with the slots of ``fed`` exchanged, each computed against the slots before it
    as they were."""
    before = fed_prompt(engine, held, live.standing.prompt)
    positions = _positions(engine, held)
    prompt = [(k.clone(), v.clone()) for k, v in live.cache.prompt]
    states: dict[int, tuple[Tensor, Tensor]] = {}
    slots = sorted(fed)
    for first in range(0, len(slots), SLOTS):
        some = slots[first : first + SLOTS]
        vectors = torch.stack([*(before[s] for s in some), *(fed[s].to(before) for s in some)])
        cache = _behind(live, [*some, *some])
        hidden = engine.passes.step(cache, vectors[:, None], positions[:, 0, [*some, *some], None])
        for row, slot in enumerate(some):
            edited = row + len(some)
            states[slot] = hidden[row, 0], hidden[edited, 0]
            for (keys, values), (own_k, own_v) in zip(prompt, cache.own, strict=True):
                keys[0, :, slot] = own_k[edited, :, 0]
                values[0, :, slot] = own_v[edited, :, 0]
    return Reprompted(prompt, live.hidden[0], states)


def _behind(live: Live, slots: Sequence[int]) -> BranchCache:
    """A batch whose row b continues the prompt behind its first ``slots[b]`` slots."""
    prompt = live.cache.prompt
    cache = BranchCache(len(prompt), len(slots))
    cache.prompt, cache.decoding = prompt, True
    device = prompt[0][0].device
    length = torch.arange(prompt[0][0].shape[2], device=device)
    cache.prompt_mask = length[None] < torch.tensor(list(slots), device=device)[:, None]
    return cache


def _positions(engine: Engine, held: Held) -> Tensor:
    """Rotary positions (3, 1, P) of the prompt's slots."""
    passes, inputs = engine.passes, held.inputs
    ids = torch.as_tensor(inputs["input_ids"]).to(passes.device)
    if ids.shape[1] != len(held.trace.prompt.input_ids):
        raise InputError("This run's prompt was padded; ask the question by itself to edit it.")
    types = inputs.get("mm_token_type_ids")
    picture = (ids == passes.config.image_token_id).int()
    grid: Any = inputs.get("image_grid_thw")
    positions, _ = passes.model.model.get_rope_index(
        ids,
        mm_token_type_ids=picture if types is None else torch.as_tensor(types).to(passes.device),
        image_grid_thw=None if grid is None else torch.as_tensor(grid).to(passes.device),
        attention_mask=torch.ones_like(ids),
    )
    return torch.as_tensor(positions)


def _patches(engine: Engine, held: Held) -> Tensor:
    if held.patches is None:  # a run from a file, before its picture was looked at again
        held.patches = engine.passes.prefill(held.inputs).patches[0]
    assert held.patches is not None
    return held.patches
