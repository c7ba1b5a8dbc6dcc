"""The shape of a demo model: a genuine but very small Qwen2.5-VL, and how its weights begin.

Every shipped checkpoint is a `Qwen2_5_VLForConditionalGeneration` with the same tower and the same
text network, so that what differs between two of them is what they were taught, never how they
are built. The initialisation keeps a fed-back latent on the scale of a token's embedding: the final
norm's gain is a constant that training leaves alone, so every latent has the same length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

PATCH = 14
MERGE = 2
SIDE = 4  # merged tokens along one side of a picture: a 4 x 4 lattice
IMAGE_TOKENS = SIDE * SIDE
PIXELS = SIDE * MERGE * PATCH  # 112


@dataclass(frozen=True)
class Shape:
    """Widths and depths. `gain` is the final norm's constant: a latent is gain * sqrt(D) long."""

    width: int = 192
    layers: int = 4
    heads: int = 4
    key_heads: int = 2
    hidden: int = 512
    vision_width: int = 128
    vision_depth: int = 5
    vision_heads: int = 4
    vision_hidden: int = 320
    theta: float = 100.0
    gain: float = 0.5
    embedding_std: float = 0.5


def configuration(shape: Shape, tokenizer: Tokenizer, vocabulary: int) -> Qwen2_5_VLConfig:
    """The configuration of a demo model over `vocabulary` embedding rows."""
    half = shape.width // shape.heads // 2
    section = [half - 2 * (half // 3), half // 3, half // 3]

    def identity(token: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(token))

    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.key_heads,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
            "bos_token_id": identity("<|endoftext|>"),
            "eos_token_id": identity("<|im_end|>"),
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": section,
                "rope_theta": shape.theta,
            },
        },
        vision_config={
            "depth": shape.vision_depth,
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_hidden,
            "num_heads": shape.vision_heads,
            "out_hidden_size": shape.width,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "window_size": PIXELS,
            "fullatt_block_indexes": list(range(shape.vision_depth)),
        },
        image_token_id=identity("<|image_pad|>"),
        video_token_id=identity("<|video_pad|>"),
        vision_start_token_id=identity("<|vision_start|>"),
        vision_end_token_id=identity("<|vision_end|>"),
        tie_word_embeddings=False,
    )


def build(
    shape: Shape, tokenizer: Tokenizer, vocabulary: int, seed: int
) -> Qwen2_5_VLForConditionalGeneration:
    """A freshly initialised float32 model; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(configuration(shape, tokenizer, vocabulary))
        model = model.float()
        initialise(model, shape)
    return model


@torch.no_grad()
def initialise(model: Qwen2_5_VLForConditionalGeneration, shape: Shape) -> None:
    """Draw every weight in place. Matrices: fan-in^-1/2 * 0.8; a block's outputs half of that."""
    for name, weight in model.named_parameters():
        if name.endswith("embed_tokens.weight"):
            weight.normal_(0.0, shape.embedding_std)
        elif weight.dim() > 1:
            fan_in = weight[0].numel()
            ends_block = any(part in name for part in ("o_proj", "down_proj", "attn.proj"))
            weight.normal_(0.0, (0.4 if ends_block else 0.8) / math.sqrt(fan_in))
        elif name.endswith("bias"):
            weight.zero_()
        else:
            weight.fill_(1.0)
    model.model.language_model.norm.weight.fill_(shape.gain)


def latent_length(model: Qwen2_5_VLForConditionalGeneration) -> float:
    """The Euclidean length every fed-back hidden state has (the final norm's gain fixes it)."""
    gain = model.model.language_model.norm.weight
    return float(gain.norm())
