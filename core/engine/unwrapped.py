"""The decoder's arithmetic without the modules around it, for passes on a CPU.

A step of a small model is bound by calls: of 1.9 ms (192 wide, four layers, one thread) about half
is spent between operations, in module calls, decorators, checks and look-ups. Here a pass is the
same operations on the same tensors in the same order, one after the other, so its results are
the modules' to the last bit; what the decoder is made of was looked up once.

A decoder made of anything else than what is written out here (quantised or adapted weights,
another rotary scheme, parts on several devices), or one that somebody looks into or gave another
forward, runs as its modules do; so does one whose first pass here comes out otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from core.engine.attention import PREFIX, shared_prompt
from core.engine.cache import BranchCache
from core.engine.watched import Watch


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights of one decoder layer; ``*_b`` are biases, ``*norm`` factors (D,)."""

    norm: Tensor
    q: Tensor
    q_b: Tensor
    k: Tensor
    k_b: Tensor
    v: Tensor
    v_b: Tensor
    o: Tensor
    mlp_norm: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor


class Unwrapped:
    """One decoder's passes, where they can be made without its modules.

    Args:
        language: transformers' ``Qwen2_5_VLTextModel``.

    Attributes:
        refused: why its modules are called, "" where they need not be.
        trusted: a pass was found to give what the modules give.
    """

    def __init__(self, language: Any) -> None:
        self.refused = _refusal(language)
        self.trusted = False
        if self.refused:
            return
        self._config = config = language.config
        self._watch = Watch(language)
        self._layers = [_layer(layer) for layer in language.layers]
        self._norm: Tensor = language.norm.weight
        self._epsilon = float(language.norm.variance_epsilon)
        self._heads = int(config.num_attention_heads)
        self._groups = int(config.num_key_value_heads)
        self._width = int(config.hidden_size) // self._heads
        self._scaling = float(language.layers[0].self_attn.scaling)
        self._frequencies: Tensor = language.rotary_emb.inv_freq

    def can(self, positions: Tensor) -> bool:
        """Whether a pass at these positions can be made here now."""
        if self.refused or positions.ndim != 2 or self._watch.anybody:
            return False
        kernel: str = self._config._attn_implementation
        return kernel.startswith(PREFIX) and "eager" not in kernel and self._norm.device == _CPU

    def __call__(self, cache: BranchCache, embeds: Tensor, positions: Tensor) -> Tensor:
        """Feed (B, q, D) behind the rows of a decoding ``cache``, which counts nothing.

        Args:
            positions: (B, q) rotary positions, the same on all three axes.

        Returns:
            Hidden states (B, q, D), post-norm.
        """
        rows, fresh, _ = embeds.shape
        heads, groups, width = self._heads, self._groups, self._width
        cos, sin = self._turns(positions, embeds.dtype)
        x = embeds
        for index, layer in enumerate(self._layers):
            h = self._normed(x, layer.norm)
            # queries and keys are turned together
            turning = torch.cat([linear(h, layer.q, layer.q_b), linear(h, layer.k, layer.k_b)], -1)
            turning = turning.view(rows, fresh, heads + groups, width).transpose(1, 2)
            turned = turning * cos + turning.roll(width // 2, -1) * sin
            values = linear(h, layer.v, layer.v_b).view(rows, fresh, groups, width).transpose(1, 2)
            cache.update(turned[:, heads:], values, index)
            seen = shared_prompt(turned[:, :heads], cache, index, self._scaling)
            x = x + linear(seen.reshape(rows, fresh, -1), layer.o)
            h = self._normed(x, layer.mlp_norm)
            x = x + linear(silu(linear(h, layer.gate)) * linear(h, layer.up), layer.down)
        return self._normed(x, self._norm)

    def compare(self, found: Tensor, expected: Tensor) -> None:
        """Take note of whether a pass came out as the modules make it, to the last bit."""
        self.trusted = torch.equal(found, expected)
        if not self.trusted:
            self.refused = "its first pass differs from that of its modules"

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        """Root-mean-square norm, in float32."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self._epsilon)
        return weight * wide.to(x.dtype)

    def _turns(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and sines (B, 1, q, d) of the rotary angles; sines carry the sign with which
        the other half of a vector comes in, so that the halves need only change places."""
        angles = (positions[..., None].float() * self._frequencies)[:, None]
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([cos, cos], -1).to(dtype), torch.cat([-sin, sin], -1).to(dtype)


_CPU = torch.device("cpu")


def _layer(layer: Any) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    return Layer(
        layer.input_layernorm.weight,
        attention.q_proj.weight,
        attention.q_proj.bias,
        attention.k_proj.weight,
        attention.k_proj.bias,
        attention.v_proj.weight,
        attention.v_proj.bias,
        attention.o_proj.weight,
        layer.post_attention_layernorm.weight,
        mlp.gate_proj.weight,
        mlp.up_proj.weight,
        mlp.down_proj.weight,
    )


def _refusal(language: Any) -> str:
    """Why this decoder is not what is written out here; "" when it is."""
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as published

    known = {
        nn.Linear,
        nn.Embedding,
        nn.ModuleList,
        published.Qwen2_5_VLTextModel,
        published.Qwen2_5_VLDecoderLayer,
        published.Qwen2_5_VLAttention,
        published.Qwen2_5_VLRMSNorm,
        published.Qwen2_5_VLRotaryEmbedding,
        published.Qwen2MLP,
    }
    for module in language.modules():
        if type(module) not in known and "silu" not in type(module).__name__.lower():
            return f"it holds a {type(module).__name__}"
    if language.config.hidden_act != "silu":
        return f"its activation is {language.config.hidden_act}"
    if language.rotary_emb.rope_type != "default":
        return f"its rotary scheme is {language.rotary_emb.rope_type}"
    weights = list(language.parameters())
    if len({w.dtype for w in weights}) > 1 or len({w.device for w in weights}) > 1:
        return "its weights differ in kind or place"
    return "it is being trained" if language.training else ""
