"""From a hub id or a folder to a model, with every weight accounted for.

The native transformers class is used whatever the checkpoint calls its own: a subclass would
silently skip the renaming of the old key layout and leave the language model randomly
initialised. Keys the native class does not know are loaded by hand if a family explains them
(LVR's head and latent-end vector); any other missing or unexpected weight is an error that
names it. Only safetensors are read, never a pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.engine.device import Choice
from core.engine.head import EXTRA_PREFIXES, Head, build_head
from core.engine.processor import hide_broken_torchvision
from core.errors import CheckpointError, InputError, MemoryShortage

KERNELS = ("sdpa", "eager", "flash_attention_2")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with what came along.

    Attributes:
        model: native ``Qwen2_5_VLForConditionalGeneration`` in evaluation mode.
        config: config.json as a mapping, unknown keys included.
        head: the checkpoint's latent head, or None.
        latent_end: LVR's latent-end vector (D,), or None.
        revision: commit of a hub checkpoint, or None.
    """

    model: Any
    config: Mapping[str, Any]
    head: Head | None
    latent_end: Tensor | None
    revision: str | None


def load_model(
    source: str, choice: Choice, attention: str = "sdpa", revision: str | None = None
) -> Loaded:
    """Load ``source`` onto ``choice.device``.

    Args:
        source: folder or hub id.
        choice: device and dtype.
        attention: kernel of the prompt pass: ``"sdpa"``, ``"eager"``, ``"flash_attention_2"``.
        revision: commit of a hub checkpoint.

    Raises:
        CheckpointError: when it is not a Qwen2.5-VL checkpoint with all its weights.
        MemoryShortage: when the device cannot hold it.
    """
    hide_broken_torchvision()
    if attention not in KERNELS:
        raise CheckpointError(f"Attention “{attention}” is unknown; choose {', '.join(KERNELS)}.")
    from transformers import Qwen2_5_VLForConditionalGeneration
    from transformers.utils import logging

    stored = quantisation(choice)
    # transformers logs half a page for old config layouts; what matters is checked below
    was_bar = logging.is_progress_bar_enabled()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        config = _config(source, revision)
        model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            source,
            config=config,
            revision=revision,
            dtype=choice.dtype,
            attn_implementation=attention,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # accounted for below, by name
            device_map={"cpu": None, "all": "auto"}.get(choice.device, choice.device),
            **stored,
        )
    except torch.OutOfMemoryError as error:
        raise MemoryShortage(
            f"{source} does not fit on {choice.device}; choose a smaller dtype or device cpu."
        ) from error
    except CheckpointError:
        raise
    except Exception as error:  # a stranger's file: transformers and safetensors raise anything
        raise CheckpointError(_why_not(source, error)) from error
    finally:
        logging.set_verbosity(verbosity)
        if was_bar:
            logging.enable_progress_bar()
    extras = _account_for(source, report)
    model.eval().requires_grad_(False)
    plain = config.to_dict()
    tensors = _read_extras(source, extras) if extras else {}
    head = build_head(tensors, plain)
    if head is not None:
        head = head.to(model.device, choice.dtype).eval().requires_grad_(False)
    latent_end = tensors.get("lvr_latent_end_emb")
    _check_width(source, int(embedding_table(model).weight.shape[1]), head, latent_end)
    if latent_end is not None:
        latent_end = latent_end.to(model.device, choice.dtype)
    commit = getattr(config, "_commit_hash", None)
    return Loaded(model, plain, head, latent_end, commit)


def quantisation(choice: Choice) -> dict[str, Any]:
    """What ``from_pretrained`` is told about storing weights in fewer bits; nothing as a rule.

    The output layer and the vision tower keep their precision: the one is what measures read,
    the other what a picture becomes.

    Raises:
        InputError: the library that does it is not there.
    """
    if not choice.quantised:
        return {}
    if find_spec("bitsandbytes") is None:
        raise InputError(
            f"Weights in {choice.quantised} need the package bitsandbytes; install it, or choose "
            "another dtype."
        )
    from transformers import BitsAndBytesConfig

    kept = ["lm_head", "model.visual"]  # from the start of a name, as transformers matches them
    if choice.quantised == "8bit":
        made = BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    else:
        made = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=choice.dtype,
            llm_int8_skip_modules=kept,
        )
    return {"quantization_config": made}


def _config(source: str, revision: str | None) -> Any:
    from transformers import AutoConfig

    folder = Path(source).expanduser()
    if folder.is_dir() and not (folder / "config.json").exists():
        raise CheckpointError(f"{source} holds no config.json, so it is not a checkpoint folder.")
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
    except Exception as error:  # a stranger's file may hold anything
        if folder.is_dir():
            raise CheckpointError(
                f"config.json of {source} cannot be read ({first_line(error)})."
            ) from error
        raise CheckpointError(
            f"“{source}” is neither a folder here nor a hub id that can be reached; check the "
            "spelling, or the network."
        ) from error
    if config.model_type != "qwen2_5_vl":
        raise CheckpointError(
            f"{source} is a “{config.model_type}” checkpoint; this program runs Qwen2.5-VL "
            "checkpoints and their fine-tunes (model_type qwen2_5_vl)."
        )
    return config


def _why_not(source: str, error: Exception) -> str:
    folder = Path(source)
    if folder.is_dir() and not list(folder.glob("*.safetensors")):
        if list(folder.glob("*.bin")) or list(folder.glob("*.pt*")):
            return (
                f"{source} holds its weights as pickles, which can run code when opened; "
                "convert them to safetensors first."
            )
        return f"{source} holds no weights (no .safetensors file)."
    return f"The weights of {source} cannot be loaded ({first_line(error)})."


def first_line(error: Exception) -> str:
    """The first line of an error's message without its full stop, or its name."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


def _check_width(source: str, width: int, head: Head | None, latent_end: Tensor | None) -> None:
    if head is not None and head.width != width:
        raise CheckpointError(
            f"The lvr_head of {source} is {head.width} wide, its language model {width}."
        )
    if latent_end is not None and tuple(latent_end.shape) != (width,):
        raise CheckpointError(
            f"lvr_latent_end_emb of {source} has the shape {tuple(latent_end.shape)}; it must be "
            f"({width},)."
        )


def _account_for(source: str, report: Mapping[str, Any]) -> list[str]:
    """The unexpected keys a family explains; anything else unaccounted for is an error."""
    missing = sorted(report.get("missing_keys", ()))
    unexpected = sorted(report.get("unexpected_keys", ()))
    mismatched = [str(entry[0]) for entry in report.get("mismatched_keys", ())]
    explained = [key for key in unexpected if key.startswith(EXTRA_PREFIXES)]
    unknown = [key for key in unexpected if key not in explained]
    for names, what in (
        (missing, "lacks the weight"),
        (mismatched, "has a wrong shape for the weight"),
        (unknown, "holds a weight nothing here uses:"),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise CheckpointError(f"{source} {what} {names[0]}{more}, so it was not loaded.")
    return explained


def _read_extras(source: str, keys: list[str]) -> dict[str, Tensor]:
    from safetensors import safe_open
    from transformers.utils.hub import cached_files

    folder = Path(source)
    if folder.is_dir():
        files = sorted(folder.glob("*.safetensors"))
    else:
        found = cached_files(
            source, ["model.safetensors"], _raise_exceptions_for_missing_entries=False
        )
        if not found:
            from huggingface_hub import snapshot_download

            found = sorted(Path(snapshot_download(source)).glob("*.safetensors"))
        files = [Path(f) for f in found]
    tensors: dict[str, Tensor] = {}
    for file in files:
        with safe_open(str(file), framework="pt") as opened:
            for key in set(keys) & set(opened.keys()):
                tensors[key] = opened.get_tensor(key)
    return tensors


def embedding_table(model: Any) -> nn.Embedding:
    """The token embedding of the language model."""
    table: nn.Embedding = model.model.language_model.embed_tokens
    return table
