"""Checkpoints small enough to build in a test: real folders, random weights, every family.

Everything a hub checkpoint has is there (config, safetensors in the published key layout,
tokenizer, chat template, image processor), so tests go through the front door, ``core.load``.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from transformers import GenerationConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from core import families
from core.training.tokenizer import learn, tokenizer

WIDTH = 32
WORDS = (
    "What colour is the star? Where does the path lead, up or down, left or right? "
    "The answer is \\boxed{red} <answer>blue</answer> count one two three green yellow"
)

# family → the config.json keys its own code writes, beside the token ids
OWN_KEYS: dict[str, dict[str, Any]] = {
    "mirage": {"compress_strategy": "average", "latent_size": 4},
    "lvr": {"lvr_head": False, "lvr_head_type": "simple", "latent_end_token": False},
    "skila": {"sketch_token_num": 3},
}


@cache
def _learned() -> dict[str, object]:
    return learn([WORDS], 60)


def special_tokens(family: str) -> list[str]:
    """The family's own tokens; none for families that have none."""
    known = families.get(family)
    if not known.latent:
        return []
    vocabulary = known.vocabularies[0]
    strings = [vocabulary.start, vocabulary.pad, *vocabulary.markers, vocabulary.end]
    return [text for text in strings if text]


def write_checkpoint(
    folder: Path,
    family: str,
    *,
    seed: int = 0,
    keys: Mapping[str, Any] | None = None,
    extra: Mapping[str, Tensor] | None = None,
    tokens: Sequence[str] | None = None,
    width: int = WIDTH,
) -> Path:
    """Write a checkpoint of ``family`` into ``folder``.

    Args:
        keys: further config.json keys.
        extra: further tensors, e.g. ``lvr_head.*``.
        tokens: special tokens instead of the family's own.
        width: D of the language model.
    """
    words = tokenizer(_learned(), special_tokens(family) if tokens is None else tokens)
    ids = words.get_vocab()
    config = _config(ids, rows=-(-len(words) // 64) * 64, width=width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config).float()
        _draw(model)
    tensors = {_published(n): w.detach().clone() for n, w in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors | dict(extra or {}), folder / "model.safetensors", {"format": "pt"})
    settings = config.to_dict() | {"architectures": ["Qwen2_5_VLForConditionalGeneration"]}
    settings |= OWN_KEYS.get(family, {}) | dict(keys or {})
    (folder / "config.json").write_text(json.dumps(settings))
    end, nothing = ids["<|im_end|>"], ids["<|endoftext|>"]
    GenerationConfig(
        do_sample=False, eos_token_id=[end, nothing], pad_token_id=nothing
    ).save_pretrained(folder)
    words.save_pretrained(folder)
    Qwen2VLImageProcessorPil(
        min_pixels=56 * 56, max_pixels=112 * 112, patch_size=14, temporal_patch_size=2, merge_size=2
    ).save_pretrained(folder)
    return folder


def simple_head(seed: int = 5, width: int = WIDTH) -> dict[str, Tensor]:
    """Tensors of a random ``lvr_head`` of the simple shape, under the published names."""
    draw = torch.Generator().manual_seed(seed)
    return {
        "lvr_head.ln_q.weight": 1 + 0.1 * torch.randn(width, generator=draw),
        "lvr_head.ln_q.bias": 0.1 * torch.randn(width, generator=draw),
        "lvr_head.mlp.0.weight": torch.randn(width, width, generator=draw) / width**0.5,
        "lvr_head.mlp.0.bias": 0.1 * torch.randn(width, generator=draw),
        "lvr_head.mlp.2.weight": torch.randn(width, width, generator=draw) / width**0.5,
        "lvr_head.mlp.2.bias": 0.1 * torch.randn(width, generator=draw),
    }


def gated_head(seed: int = 6, width: int = WIDTH) -> dict[str, Tensor]:
    """Tensors of a random ``lvr_head`` of the GLU shape, under the published names."""
    draw = torch.Generator().manual_seed(seed)
    inner = 2 * width
    out = {}
    for name, (rows, columns) in {
        "gate_proj": (inner, width),
        "up_proj": (inner, width),
        "down_proj": (width, inner),
    }.items():
        out[f"lvr_head.{name}.weight"] = torch.randn(rows, columns, generator=draw) / columns**0.5
        out[f"lvr_head.{name}.bias"] = 0.1 * torch.randn(rows, generator=draw)
    return out


def latent_end(seed: int = 7, width: int = WIDTH) -> dict[str, Tensor]:
    """LVR's latent-end vector: a unit vector times √D, as published."""
    drawn = torch.randn(width, generator=torch.Generator().manual_seed(seed))
    return {"lvr_latent_end_emb": drawn / drawn.norm() * width**0.5}


def picture(seed: int = 0, size: tuple[int, int] = (84, 56)) -> Image.Image:
    """A picture of noise, ``size`` = (width, height)."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def _config(ids: Mapping[str, int], rows: int, width: int) -> Qwen2_5_VLConfig:
    half = width // 4 // 2
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": rows,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [half - 2 * (half // 3), half // 3, half // 3],
                "rope_theta": 10000.0,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": width,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )


@torch.no_grad()
def _draw(model: Qwen2_5_VLForConditionalGeneration) -> None:
    """Weights of a size at which a latent matters and rounding does not grow."""
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            scale = 0.5 if "embed_tokens" in name else weight[0].numel() ** -0.5
            weight.normal_(0.0, scale)
        elif name.endswith("bias"):
            weight.normal_(0.0, 0.1)
        else:
            weight.normal_(1.0, 0.1)


def _published(name: str) -> str:
    """The key layout of released Qwen2.5-VL checkpoints: visual.*, model.*, lm_head.*."""
    name = name.replace("model.visual.", "visual.", 1)
    return name.replace("model.language_model.", "model.", 1)
