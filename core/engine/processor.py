"""Tokenizer and image processor of a checkpoint, with or without torchvision.

transformers' ``AutoProcessor`` insists on a video processor, which needs torchvision; this
program shows pictures, and torchvision beside a CPU torch is often broken. The tokenizer and
the image processor are therefore loaded by themselves: where a *working* torchvision is
present transformers uses it, otherwise the PIL path (pixel values differ by at most 0.03).
A torchvision that cannot be imported is hidden before transformers looks for it, because it
would otherwise take every vision class down with it.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import CheckpointError

# Models are woken in threads beside each other; modules, the default dtype and transformers' own
# switches are the process's. Held while a checkpoint is read.
LOADING = threading.RLock()

# Qwen2.5-VL's template for pictures and text, used when a checkpoint brings none of its own
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Processor:
    """What turns text and pictures into tensors. ``images`` is None for a folder without one."""

    tokenizer: Any
    images: Any
    template: str


def hide_broken_torchvision() -> bool:
    """Make an unusable torchvision invisible; call before transformers' vision classes load.

    Returns:
        Whether a usable torchvision is there.
    """
    if "torchvision" in sys.modules:
        return sys.modules["torchvision"] is not None
    if importlib.util.find_spec("torchvision") is None:
        return False
    try:
        import torchvision  # noqa: F401
    except Exception:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules["torchvision"] = None  # type: ignore[assignment]
        return False
    return True


def load_processor(source: str, revision: str | None = None) -> Processor | None:
    """The processor of a folder or hub id; None when it has no tokenizer (tensors only).

    Raises:
        CheckpointError: when a tokenizer is there but cannot be read.
    """
    hide_broken_torchvision()
    from transformers import AutoImageProcessor, AutoTokenizer

    folder = Path(source)
    if folder.is_dir() and not any(
        (folder / name).exists() for name in ("tokenizer.json", "vocab.json")
    ):
        return None
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
    except Exception as error:
        raise CheckpointError(
            f"The tokenizer of {source} cannot be read ({type(error).__name__}); copy the files "
            "of the model it was made from."
        ) from error
    try:
        images = AutoImageProcessor.from_pretrained(source, revision=revision)
    except Exception as error:  # a stranger's file may hold anything
        raise CheckpointError(
            f"{source} has no image processor that can be read; copy preprocessor_config.json of "
            "the model it was made from."
        ) from error
    template = getattr(tokenizer, "chat_template", None) or TEMPLATE
    return Processor(tokenizer, images, template)
