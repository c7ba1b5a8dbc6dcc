"""A batched forward pass over a Qwen2.5-VL's own parameters, written for training.

transformers' forward is right but slow here: its vision tower attends picture by picture, and its
cache cannot carry gradients from an answer back through the latents that led to it. This one takes
the same parameters, keeps keys and values as plain tensors, and lets a later segment (a latent, an
answer) run over an earlier one's. The tests hold its logits to transformers' within 1e-5.

Shapes: B items, L positions of a segment, P positions already kept, D width, H heads, d head width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from core.training.network import IMAGE_TOKENS, SIDE

Kept = list[tuple[Tensor, Tensor]]  # per layer: keys and values, each (B, key heads, P, d)


class Layer(NamedTuple):
    """One decoder layer's weights, packed so that a segment needs four matrix products."""

    norm_in: Tensor
    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    norm_mlp: Tensor
    gate_up: Tensor
    down: Tensor


class Packed(NamedTuple):
    """A text network ready to run; pack again after every optimiser step."""

    layers: list[Layer]
    norm: Tensor
    head: Tensor
    embedding: Tensor
    heads: int
    key_heads: int
    inverse_frequency: Tensor
    section: list[int]


def pack(model: Qwen2_5_VLForConditionalGeneration) -> Packed:
    """Gather the text network's weights. Gradients flow through to the model's own parameters."""
    text = model.model.language_model
    layers = []
    for block in text.layers:
        attention, mlp = block.self_attn, block.mlp
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        layers.append(
            Layer(
                block.input_layernorm.weight,
                torch.cat([p.weight for p in projections]),
                torch.cat([p.bias for p in projections]),
                attention.o_proj.weight,
                block.post_attention_layernorm.weight,
                torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
                mlp.down_proj.weight,
            )
        )
    config = model.config.text_config
    return Packed(
        layers,
        text.norm.weight,
        model.lm_head.weight,
        text.embed_tokens.weight,
        config.num_attention_heads,
        config.num_key_value_heads,
        text.rotary_emb.inv_freq,
        list(config.rope_parameters["mrope_section"]),
    )


def rotation(packed: Packed, positions: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin (B, 1, L, d) of positions (3, B, L): axis t, h, w take a section each."""
    angles = positions[..., None].float() * packed.inverse_frequency  # (3, B, L, d/2)
    parts = angles.split(packed.section, dim=-1)
    mixed = torch.cat([part[axis % 3] for axis, part in enumerate(parts)], dim=-1)
    both = torch.cat([mixed, mixed], dim=-1).unsqueeze(1)
    return both.cos(), both.sin()


def run(
    packed: Packed,
    embeddings: Tensor,
    turn: tuple[Tensor, Tensor],
    mask: Tensor | None,
    kept: Kept | None = None,
    last: int | None = None,
    middle: list[Tensor] | None = None,
) -> tuple[Tensor, Kept]:
    """One segment (B, L, D) after what is kept -> hidden states after the final norm, and all kept.

    `turn` is `rotation` of the segment's positions. `mask` (B, 1, L, P + L), true where a query may
    look, or None where every query sees all. `last` returns only that many final positions: the
    top layer's queries and MLP are then computed for those alone. `middle`, when given, receives
    the residual stream halfway up, of the positions that are returned.
    """
    hidden = embeddings
    cos, sin = turn
    keep: Kept = []
    for index, layer in enumerate(packed.layers):
        x = F.rms_norm(hidden, layer.norm_in.shape, layer.norm_in, 1e-6)
        queries, keys, values = _project(packed, layer, x)
        queries, keys = _turn(queries, cos, sin), _turn(keys, cos, sin)
        if kept is not None:
            before = kept[index]
            keys = torch.cat([before[0], keys], dim=2)
            values = torch.cat([before[1], values], dim=2)
        keep.append((keys, values))
        seen = mask
        if last is not None and index == len(packed.layers) - 1:
            queries, hidden = queries[:, :, -last:], hidden[:, -last:]
            seen = None if mask is None else mask[:, :, -last:]
        mixed = _attend(queries, keys, values, seen)
        hidden = hidden + F.linear(mixed.transpose(1, 2).flatten(2), layer.out)
        x = F.rms_norm(hidden, layer.norm_mlp.shape, layer.norm_mlp, 1e-6)
        gate, up = F.linear(x, layer.gate_up).chunk(2, dim=-1)
        hidden = hidden + F.linear(F.silu(gate) * up, layer.down)
        if middle is not None and index == len(packed.layers) // 2:
            middle.append(hidden if last is None else hidden[:, -last:])
    return F.rms_norm(hidden, packed.norm.shape, packed.norm, 1e-6), keep


def _project(packed: Packed, layer: Layer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    batch, length, width = x.shape
    size = width // packed.heads
    all_heads = F.linear(x, layer.qkv, layer.qkv_bias)
    all_heads = all_heads.view(batch, length, -1, size).transpose(1, 2)
    return all_heads.split([packed.heads, packed.key_heads, packed.key_heads], dim=1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    if queries.device.type != "cpu":
        return F.scaled_dot_product_attention(
            queries, keys.to(queries), values.to(queries), attn_mask=mask, enable_gqa=True
        )
    # In float32 even under autocast: the CPU kernel's bfloat16 backward is several times slower.
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(
            queries.float(), keys.float(), values.float(), attn_mask=mask, enable_gqa=True
        )


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def image_positions(start: int) -> Tensor:
    """Positions (3, 16) of a picture whose first token follows `start` text positions."""
    cell = torch.arange(IMAGE_TOKENS)
    return torch.stack([torch.zeros_like(cell), cell // SIDE, cell % SIDE]) + start


def see(model: Qwen2_5_VLForConditionalGeneration, patches: Tensor) -> Tensor:
    """Pictures as the processor's flattened patches (B, 64, 1176) -> features (B, 16, D)."""
    tower = model.model.visual
    heads = model.config.vision_config.num_heads
    projection = tower.patch_embed.proj.weight
    hidden = F.linear(patches, projection.flatten(1)).float()  # (B, 64, C)
    batch, length, _ = hidden.shape
    cos, sin = _tower_rotation(tower.rotary_pos_emb.inv_freq)
    for block in tower.blocks:
        x = F.rms_norm(hidden, block.norm1.weight.shape, block.norm1.weight, 1e-6)
        qkv = F.linear(x, block.attn.qkv.weight, block.attn.qkv.bias)
        queries, keys, values = qkv.view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = _attend(_turn(queries, cos, sin), _turn(keys, cos, sin), values, None)
        mixed = mixed.transpose(1, 2).flatten(2)
        hidden = hidden + F.linear(mixed, block.attn.proj.weight, block.attn.proj.bias)
        x = F.rms_norm(hidden, block.norm2.weight.shape, block.norm2.weight, 1e-6)
        hidden = hidden + block.mlp(x)
    x = F.rms_norm(hidden, tower.merger.ln_q.weight.shape, tower.merger.ln_q.weight, 1e-6)
    return tower.merger.mlp(x.reshape(batch, IMAGE_TOKENS, -1))


def _tower_rotation(inverse_frequency: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin (64, d) of the patches' rows and columns, in the merger's 2 x 2 block order."""
    side = 2 * SIDE
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")

    def blocked(grid: Tensor) -> Tensor:
        return grid.reshape(SIDE, 2, SIDE, 2).transpose(1, 2).flatten().float()

    angles = torch.cat(
        [
            blocked(rows)[:, None] * inverse_frequency,
            blocked(columns)[:, None] * inverse_frequency,
        ],
        dim=-1,
    )
    both = torch.cat([angles, angles], dim=-1)
    return both.cos(), both.sin()
