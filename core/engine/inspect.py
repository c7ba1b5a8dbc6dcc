"""Looking inside a finished run: every layer at chosen slots, and where these slots look.

A slot is fed once more against the keys and values it saw when the run was made, so that only
the chosen slots are computed and no attention matrix is ever whole. What is read off comes
through hooks that answer to this pass's own cache alone (another thread's pass goes by unseen)
and are taken off again. Every answer is checked: the last layer must be the hidden state the
run recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.engine.cache import BranchCache, spread
from core.engine.knockout import hidden_edges
from core.engine.store import Held, Live
from core.errors import InputError
from core.records import Trace

if TYPE_CHECKING:
    from core.engine.engine import Engine

SLOTS = 32
"""Slots fed in one pass; each holds a copy of the run's own keys and values."""
ROUNDING = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.03, "8bit": 0.1, "4bit": 0.1}
"""Largest relative difference from the recorded hidden state that is rounding."""

Watch = Callable[[BranchCache], Any]


def layer_states(engine: Engine, trace: Trace, places: Sequence[int]) -> Tensor:
    """The hidden states of chosen slots at every layer.

    Args:
        engine: what made the run.
        trace: the run.
        places: indices into ``trace.token_ids``; latent ``k`` of a span is at ``span.start + k``.
            The last token of a run is never fed and has none.

    Returns:
        float32 (layers + 1, n, D). Row 0 is what was fed, row l the residual stream behind
        layer l, and the last row what the logits were read from: behind the final norm, and in
        a latent slot behind the family's head.

    Raises:
        InputError: no such slot, or the run cannot be recomputed.
    """
    layers = engine.passes.layers
    states = torch.empty(layers + 1, len(places), engine.passes.width)

    def watch(cache: BranchCache, at: slice) -> list[tuple[Any, Callable[..., None]]]:
        def entering(layer: int) -> Callable[..., None]:
            def hook(module: Any, args: Any, kwargs: Any, output: Any) -> None:
                if kwargs.get("branch_cache") is cache:
                    fed = args[0] if args else kwargs["hidden_states"]
                    states[layer, at] = fed[:, -1].float().cpu()

            return hook

        stack = engine.passes.language.layers
        return [(stack[layer], entering(layer)) for layer in range(layers)]

    states[layers] = _feed_again(engine, trace, places, watch)
    return states


def attention_of(engine: Engine, trace: Trace, places: Sequence[int]) -> Tensor:
    """Where chosen slots look: their attention weights, after the softmax.

    Args:
        engine, trace, places: see :func:`layer_states`.

    Returns:
        float32 (layers, heads, n, keys): the prompt's slots, then the run's own, each row
        summing to 1. A slot does not see what comes after it: 0 there, and 0 along edges that
        were cut.
    """
    prompt = len(trace.prompt.input_ids)
    config = engine.passes.config.text_config
    heads, keys = int(config.num_attention_heads), prompt + max(1, len(trace.token_ids) - 1)
    weights = torch.zeros(engine.passes.layers, heads, len(places), keys)

    def watch(cache: BranchCache, at: slice) -> list[tuple[Any, Callable[..., None]]]:
        def looking(layer: int) -> Callable[..., None]:
            def hook(module: Any, args: Any, kwargs: Any, output: Any) -> None:
                if kwargs.get("branch_cache") is cache:
                    fed = args[0] if args else kwargs["hidden_states"]
                    found = _weights(module, fed, kwargs["position_embeddings"], cache, layer)
                    weights[layer, :, at, : found.shape[-1]] = found.transpose(0, 1).cpu()

            return hook

        stack = engine.passes.language.layers
        return [(stack[layer].self_attn, looking(layer)) for layer in range(len(stack))]

    _feed_again(engine, trace, places, watch)
    return weights


def image_slots(engine: Engine, trace: Trace) -> range:
    """The prompt's slots that hold the picture's patches, row by row of ``trace.prompt.grid``.

    Empty for a run without a picture; of several pictures the last, whose grid is recorded.
    """
    token = engine.passes.config.image_token_id
    found = [slot for slot, one in enumerate(trace.prompt.input_ids) if one == token]
    rows, columns = trace.prompt.grid
    if len(found) < rows * columns or not rows * columns:
        return range(0)
    return range(found[-1] + 1 - rows * columns, found[-1] + 1)


def _feed_again(
    engine: Engine,
    trace: Trace,
    places: Sequence[int],
    watch: Callable[[BranchCache, slice], list[tuple[Any, Callable[..., None]]]],
) -> Tensor:
    """Feed the slots at ``places`` with hooks on; returns their last hidden states (n, D)."""
    last = len(trace.token_ids) - 2
    wrong = next((place for place in places if not 0 <= place <= last), None)
    if wrong is not None:
        raise InputError(
            f"Slot {wrong} of this run was never fed to the model; choose one from 0 to {last}."
        )
    hidden = torch.empty(len(places), engine.passes.width)
    with engine.lock:
        held = engine.hold(trace)
        live = engine.live(held)
        for first in range(0, len(places), SLOTS):
            at = slice(first, min(first + SLOTS, len(places)))
            hidden[at] = _feed(engine, held, live, live, places[at], lambda c: watch(c, at))  # noqa: B023
            for row in range(at.start, at.stop):
                if not _same(engine, hidden[row], live.hidden[places[row] + 1]):
                    one = slice(row, row + 1)
                    hidden[one] = _from_parent(
                        engine,
                        held,
                        live,
                        places[row],
                        lambda c: watch(c, one),  # noqa: B023
                    )
    return hidden


def _from_parent(engine: Engine, held: Held, live: Live, place: int, watch: Watch) -> Tensor:
    """A slot whose keys and values were put in while it was computed behind another run's.

    In ``cached`` mode an edited slot is computed against its parent's prefix, and slots that
    were kept are as they were in the parent: so the run's ancestors are tried in turn.
    """
    above = held
    while True:
        parent = engine.store.parent_of(above.trace)
        if parent is None:
            raise InputError(
                f"Slot {place} was computed behind a run that is no longer held, so its layers "
                "cannot be recomputed; run the question again to look inside."
            )
        if place < len(engine.live(parent).hidden) - 1:
            hidden = _feed(engine, held, live, engine.live(parent), [place], watch)
            if _same(engine, hidden[0], live.hidden[place + 1]):
                return hidden
        above = parent


def _feed(
    engine: Engine, held: Held, live: Live, behind: Live, places: Sequence[int], watch: Watch
) -> Tensor:
    """One pass: the run's slots at ``places``, each behind that many own slots of ``behind``."""
    passes = engine.passes
    device = passes.device
    tokens = torch.tensor([held.trace.token_ids[place] for place in places], device=device)
    embeds = passes.embedding(tokens)  # (n, D)
    for row, place in enumerate(places):
        if place in live.vectors:
            embeds[row] = live.vectors[place].to(embeds)
    cache = spread(behind.cache, list(places))
    positions = torch.tensor([[held.first_position + place] for place in places], device=device)
    with _hooked(watch(cache)):
        hidden = passes.step(cache, embeds[:, None], positions)[:, -1]
    latent = [row for row, place in enumerate(places) if place in live.vectors]
    if engine.loaded.head is not None and latent:
        index = torch.tensor(latent, device=hidden.device)
        hidden = hidden.index_copy(0, index, engine.loaded.head(hidden[index]).to(hidden.dtype))
    return hidden.float().cpu()


@contextmanager
def _hooked(hooks: Sequence[tuple[Any, Callable[..., None]]]) -> Iterator[None]:
    """Forward hooks for the length of the block."""
    handles: list[Any] = []
    try:
        for module, hook in hooks:
            handles.append(module.register_forward_hook(hook, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _weights(
    attention: Any,
    fed: Tensor,
    rotation: tuple[Tensor, Tensor],
    cache: BranchCache,
    layer: int,
) -> Tensor:
    """Attention weights (B, heads, P + used) of the slots being fed, from queries and keys."""
    rows, width = fed.shape[0], attention.head_dim
    query = attention.q_proj(fed[:, -1]).view(rows, -1, width)  # (B, heads, d)
    half = width // 2
    turned = torch.cat([-query[..., half:], query[..., :half]], dim=-1)
    cos, sin = (part[:, -1, None] for part in rotation)  # (B, 1, d)
    query = (query * cos + turned * sin) * attention.scaling
    used = max(cache.lengths) + 1
    parts = []
    for keys in (cache.prompt[layer][0], cache.own[layer][0][:, :, :used]):
        grouped = query.view(rows, keys.shape[1], -1, width)  # (B, H, group, d)
        parts.append((grouped @ keys.transpose(2, 3)).reshape(rows, query.shape[1], -1))
    cut = hidden_edges(cache, layer, 1, fed.device)
    if cut is not None:
        parts = [
            part.masked_fill(edges[:, :, 0], float("-inf"))
            for part, edges in zip(parts, cut, strict=True)
        ]
    seen = cache.own_mask(1, fed.device)
    if seen is not None:
        parts[1] = parts[1].masked_fill(~seen[:, :, 0], float("-inf"))
    return torch.softmax(torch.cat(parts, -1).float(), -1)


def _same(engine: Engine, hidden: Tensor, recorded: Tensor) -> bool:
    target = recorded.float().cpu()
    allowed = ROUNDING[engine.choice.dtype_name] * float(target.norm())
    return float((hidden - target).norm()) <= allowed
