"""Attention over a shared prompt and each row's own slots.

Registered with transformers under ``zscope|NAME`` beside the kernel called NAME: the prompt
pass runs that kernel unchanged; a decode pass, recognised by the cache it brings, runs
:func:`shared_prompt`. The model object itself carries no state of a run.

One softmax over the concatenated scores makes the result the ordinary attention; only the
order of the sums differs from a single matrix product. ``"eager"`` is the reference kernel:
it computes everything in the published order, at the price of copying the prompt's keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.engine.cache import BranchCache
from core.engine.knockout import hidden_edges

PREFIX = "zscope|"


def shared_prompt(query: Tensor, cache: BranchCache, layer: int, scaling: float) -> Tensor:
    """Attention of new slots over the prompt and over their row's own slots.

    Args:
        query: (B, Hq, q, d), rotated.
        cache: holds prompt (R, H, P, d) and own (B, H, used, d) keys and values, the new
            slots' already among them.
        layer: which layer's.
        scaling: factor on the scores.

    Returns:
        (B, q, Hq, d)
    """
    rows, query_heads, fresh, width = query.shape
    prompt_keys, prompt_values = cache.prompt[layer]
    used = cache.used(fresh)
    own_keys, own_values = (t[:, :, :used] for t in cache.own[layer])
    heads = own_keys.shape[1]
    group = query_heads // heads
    q = query.reshape(rows, heads, group * fresh, width) * scaling  # (B, H, g·q, d)
    shared = prompt_keys.shape[0] == 1 and rows > 1
    if shared:
        # one product for all rows: (H, B·g·q, d) @ (H, d, P)
        flat = q.transpose(0, 1).reshape(heads, -1, width)
        at_prompt = _scores(flat, prompt_keys[0])
        at_prompt = at_prompt.view(heads, rows, group * fresh, -1).transpose(0, 1)
    else:
        at_prompt = _scores(q, prompt_keys)
    at_own = _scores(q, own_keys)  # (B, H, g·q, used)
    prompt_unseen, own_unseen = cache.unseen(fresh, query.device)
    if prompt_unseen is not None:
        at_prompt = at_prompt.masked_fill(prompt_unseen, float("-inf"))
    if own_unseen is not None:
        # queries are ordered group-major: repeat the (q, used) mask once a group
        own_unseen = own_unseen.repeat(1, 1, group, 1) if fresh > 1 else own_unseen
        at_own = at_own.masked_fill(own_unseen, float("-inf"))
    edges = hidden_edges(cache, layer, fresh, query.device)
    if edges is not None:
        at_prompt = at_prompt.masked_fill(edges[0].repeat(1, 1, group, 1), float("-inf"))
        at_own = at_own.masked_fill(edges[1].repeat(1, 1, group, 1), float("-inf"))
    scores = torch.cat([at_prompt, at_own], -1)
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    length = at_prompt.shape[-1]
    on_prompt, on_own = weights[..., :length], weights[..., length:]
    if shared:
        flat = on_prompt.transpose(0, 1).reshape(heads, rows * group * fresh, -1)
        seen = (flat @ prompt_values[0]).view(heads, rows, group * fresh, width).transpose(0, 1)
    else:
        seen = on_prompt @ prompt_values
    seen = seen + on_own @ own_values
    return seen.reshape(rows, query_heads, fresh, width).transpose(1, 2)


def _scores(query: Tensor, keys: Tensor) -> Tensor:
    """(…, n, d) on (…, k, d) → (…, n, k), not rounded to 16 bits where a GPU can leave them.

    Scores of some tens rounded to bfloat16 are off by tenths; the fused kernels of the prompt
    pass never round them.
    """
    turned = keys.transpose(-1, -2)
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        lead = query.shape[:-2]
        flat = query.reshape(-1, *query.shape[-2:]), turned.reshape(-1, *turned.shape[-2:])
        return torch.bmm(*flat, out_dtype=torch.float32).view(*lead, query.shape[-2], -1)
    return query @ turned


def reference(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float, divided: bool
) -> tuple[Tensor, Tensor]:
    """Attention written out, in the order of operations of the published implementations.

    Latents feed back into themselves, so a rounding difference of one unit in the first can
    grow to thousands of times that in the tenth. Checking a loop against a published run
    therefore needs the published arithmetic: transformers up to 4.51 *divided* the scores by
    √d, later versions multiply by 1/√d.

    Args:
        query: (B, Hq, q, d).
        key, value: (B, H, k, d).
        mask: added to the scores, (B, 1, q, k), or None.
        scaling: 1/√d.
        divided: divide by √d instead of multiplying.

    Returns:
        Output (B, q, Hq, d) and weights (B, Hq, q, k).
    """
    group = query.shape[1] // key.shape[1]
    key, value = (t.repeat_interleave(group, dim=1) for t in (key, value))
    scores = query @ key.transpose(2, 3)
    scores = scores / math.sqrt(query.shape[-1]) if divided else scores * scaling
    if mask is not None:
        scores = scores + mask
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return (weights @ value).transpose(1, 2).contiguous(), weights


def _whole(
    cache: BranchCache, layer: int, fresh: int, like: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Prompt and own slots as one sequence: keys, values (B, H, P + used, d) and their mask."""
    used = max(cache.lengths) + fresh
    rows = cache.rows
    parts = []
    for prompt, own in zip(cache.prompt[layer], cache.own[layer], strict=True):
        parts.append(torch.cat([prompt.expand(rows, -1, -1, -1), own[:, :, :used]], dim=2))
    own_mask = cache.own_mask(fresh, like.device)
    edges = hidden_edges(cache, layer, fresh, like.device)
    if own_mask is None and cache.prompt_mask is None and edges is None:
        return parts[0], parts[1], None
    length = cache.prompt[layer][0].shape[2]
    if own_mask is None:
        own_mask = torch.ones(rows, 1, fresh, used, dtype=torch.bool, device=like.device)
    seen = torch.ones(rows, 1, fresh, length, dtype=torch.bool, device=like.device)
    if cache.prompt_mask is not None:
        seen = cache.prompt_mask[:, None, None, :].expand(-1, 1, fresh, -1)
    seen = torch.cat([seen, own_mask], dim=-1)
    if edges is not None:
        seen = seen & ~torch.cat(edges, dim=-1)
    least = torch.finfo(like.dtype).min
    mask = torch.zeros(seen.shape, dtype=like.dtype, device=like.device).masked_fill(~seen, least)
    return parts[0], parts[1], mask


def use_kernel(model: Any, kernel: str, divided: bool = False) -> None:
    """Let a native Qwen2.5-VL model attend through this module.

    Args:
        model: ``Qwen2_5_VLForConditionalGeneration``.
        kernel: ``"sdpa"``, ``"flash_attention_2"`` (prompt pass; decode passes share the
            prompt), or ``"eager"``: :func:`reference` throughout.
        divided: with ``"eager"``, the order of operations of transformers up to 4.51.
    """
    name = _install(kernel, divided)
    model.model.language_model.config._attn_implementation = name
    if kernel == "eager":
        model.model.visual.config._attn_implementation = name


def _install(kernel: str, divided: bool) -> str:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    name = PREFIX + kernel + ("-divided" if divided and kernel == "eager" else "")
    if name in ALL_ATTENTION_FUNCTIONS:
        return name

    def written_out(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        cache = kwargs.get("branch_cache")
        if cache is not None and cache.decoding:
            layer = int(module.layer_idx)  # type: ignore[arg-type]
            key, value, attention_mask = _whole(cache, layer, query.shape[2], query)
        return reference(query, key, value, attention_mask, scaling, divided)

    def shared(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        cache = kwargs.pop("branch_cache", None)
        if cache is None or not cache.decoding:
            inner: Callable[..., tuple[Tensor, Tensor | None]] = ALL_ATTENTION_FUNCTIONS[kernel]
            return inner(module, query, key, value, attention_mask, **kwargs)
        layer = int(module.layer_idx)  # type: ignore[arg-type]
        return shared_prompt(query, cache, layer, kwargs["scaling"]), None

    AttentionInterface.register(name, written_out if kernel == "eager" else shared)
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[kernel])
    return name
