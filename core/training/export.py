"""A trained model as a folder that transformers, and every other checkpoint's path, can load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import GenerationConfig, Qwen2_5_VLForConditionalGeneration

from core.training.formats import Format
from core.training.pictures import processor
from core.training.variants import Variant

# config.json keys each family's own training code writes, beside the token ids.
FAMILY_KEYS: dict[str, dict[str, Any]] = {
    "monet": {"stage": "sft_stage3", "loss_type": "ForCausalLMLoss"},
    "mirage": {"compress_strategy": "average", "stage": "stage2"},
    "lvr": {
        "lvr_head": True,
        "lvr_head_type": "simple",
        "latent_end_token": False,
        "loss_lvr_fct": "mse",
    },
}


def write(
    folder: Path,
    variant: Variant,
    format_: Format,
    model: Qwen2_5_VLForConditionalGeneration,
    head: nn.Module | None = None,
) -> None:
    """Write config, weights (float16), tokenizer, chat template and processor into `folder`.

    The model in memory stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: weight.detach().half() for name, weight in model.state_dict().items()}
    if head is not None:
        tensors |= {f"lvr_head.{n}": w.detach().half() for n, w in head.state_dict().items()}
    tensors = {name: weight.clone().contiguous() for name, weight in _published(tensors).items()}
    weights = folder / "model.safetensors"
    save_file(tensors, str(weights), metadata={"format": "pt"})
    weights.chmod(0o644)
    settings = model.config.to_dict()
    settings |= {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "dtype": "float16"}
    settings |= FAMILY_KEYS.get(variant.family, {}) | _token_keys(variant, format_)
    settings["zscope"] = {
        "family": variant.family,
        "budget": variant.budget,
        "name": variant.name,
    }
    _json(folder / "config.json", settings)
    end, nothing = format_.encode("<|im_end|>")[0], format_.encode("<|endoftext|>")[0]
    GenerationConfig(
        do_sample=False, eos_token_id=[end, nothing], pad_token_id=nothing, bos_token_id=nothing
    ).save_pretrained(folder)
    format_.tokenizer.save_pretrained(folder)
    processor().save_pretrained(folder)


def read(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The weights that `write` wrote, float32: the model's under its own names, and the head's."""
    model: dict[str, torch.Tensor] = {}
    head: dict[str, torch.Tensor] = {}
    for name, weight in load_file(str(folder / "model.safetensors")).items():
        if name.startswith("lvr_head."):
            head[name.removeprefix("lvr_head.")] = weight.float()
        elif name.startswith("visual."):
            model["model." + name] = weight.float()
        elif name.startswith("model."):
            model[name.replace("model.", "model.language_model.", 1)] = weight.float()
        else:
            model[name] = weight.float()
    return model, head


def _published(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The key layout of released Qwen2.5-VL checkpoints: `visual.*`, `model.*`, `lm_head.*`."""
    renamed = {}
    for name, weight in tensors.items():
        new = name.replace("model.visual.", "visual.", 1)
        renamed[new.replace("model.language_model.", "model.", 1)] = weight
    return renamed


def _token_keys(variant: Variant, format_: Format) -> dict[str, Any]:
    """The ids that the family's own code keeps in config.json, and Mirage's latent size."""
    keys: dict[str, Any] = {}
    for vocabulary in format_.family.vocabularies[:1]:
        roles = vocabulary.strings()
        for role, key in vocabulary.config_keys.items():
            keys[key] = format_.encode(roles.get(role, role))[0]
    if variant.family == "mirage":
        keys["latent_size"] = variant.budget
    if variant.family == "monet":
        keys["answer_start_pattern"] = format_.encode("<|im_start|>assistant")
    return keys


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
