"""Models of a real size with random weights, for benchmarks: speed does not depend on values.

``demo`` is a shipped model as it is. ``3b`` and ``7b`` have the sizes of Qwen2.5-VL's published
configurations; their weights are drawn on the device, nothing is fetched. ``layers`` cuts the
language model, which is said wherever the shape is named.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

import core
from core import families
from core.edits import prepare
from core.engine import Engine
from core.engine.attention import use_kernel
from core.engine.captured import decoding_mode
from core.engine.device import choose
from core.engine.loading import Loaded
from core.engine.machine import TokenIds
from core.engine.processor import hide_broken_torchvision

ROOT = Path(__file__).resolve().parent.parent
IMAGE, VISION_START, VISION_END = 151655, 151652, 151653

SETTLED = 3
"""Passes of an answer that are not timed."""
POOL = (1 << 22) - 3  # no multiple of a width, so that rows differ
SIZES: dict[str, dict[str, int]] = {
    "3b": {"hidden": 2048, "inner": 11008, "layers": 36, "heads": 16, "kv": 2, "words": 151936},
    "7b": {"hidden": 3584, "inner": 18944, "layers": 28, "heads": 28, "kv": 4, "words": 152064},
}


@dataclass(frozen=True, eq=False)
class Bench:
    """An engine with its name, and how its time is read.

    Attributes:
        name: the shape in words, cuts included.
        engine: the model.
        image: id of the image token.
    """

    name: str
    engine: Engine
    image: int

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.engine.passes.device

    def clock(self) -> float:
        """Seconds: of the device's work on a GPU, of this process's own on a CPU that others
        use too, of the wall where several threads share the work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif torch.get_num_threads() == 1:
            return time.process_time()
        return time.perf_counter()

    def seconds(self, action: Callable[[], object], repeat: int, cold: bool = False) -> float:
        """Median seconds of ``action``, unless ``cold`` after one unmeasured call."""
        if not cold:
            action()
        taken = []
        for _ in range(repeat):
            start = self.clock()
            action()
            taken.append(self.clock() - start)
        return median(taken)

    def stamps(self, owner: Any, name: str, say: Callable[[], object]) -> list[float]:
        """When each call of a method began, while ``say`` makes one answer with it."""
        usual, found = getattr(owner, name), list[float]()

        @wraps(usual)
        def watched(*args: Any, **kwargs: Any) -> Any:
            found.append(self.clock())
            return usual(*args, **kwargs)

        setattr(owner, name, watched)
        try:
            say()
        finally:
            setattr(owner, name, usual)
        return found

    def step_seconds(
        self, owner: Any, name: str, say: Callable[[], object], repeat: int, skip: int = SETTLED
    ) -> float:
        """Median seconds from one pass to the next, over all steps of some answers.

        Args:
            owner, name: the method that makes a pass; looked at, not changed.
            say: makes one answer.
            skip: first passes that are not timed: the prompt's, and libraries set themselves up.
        """
        found = []
        for _ in range(repeat):
            found += [b - a for a, b in pairwise(self.stamps(owner, name, say)[skip:])]
        return median(found)

    def question(self, tokens: int, seed: int = 0, words: int = 36) -> dict[str, Tensor]:
        """Prompt tensors: ``words`` random words around a picture of noise of ``tokens``."""
        draw = torch.Generator().manual_seed(seed)
        config = self.engine.passes.config
        high = max(n for n in range(1, int(tokens**0.5) + 1) if tokens % n == 0)
        most = min(self.engine.passes.vocabulary, config.image_token_id, 500)
        said = torch.randint(0, most, (words,), generator=draw)
        start, end = config.vision_start_token_id, config.vision_end_token_id
        picture = [start, *[config.image_token_id] * tokens, end]
        ids = torch.cat([said[:12], torch.tensor(picture), said[12:]])[None]
        grid = torch.tensor([[1, 2 * high, 2 * tokens // high]])
        vision = config.vision_config
        patch = 3 * vision.temporal_patch_size * vision.patch_size**2
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == config.image_token_id).int(),
            "pixel_values": torch.randn(4 * tokens, patch, generator=draw),
            "image_grid_thw": grid,
        }


def asked_for(about: str) -> argparse.ArgumentParser:
    """The arguments every benchmark on a shape takes; `about` is its docstring."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--shape", choices=["demo", "3b", "7b"], default="demo")
    parser.add_argument("--layers", type=int, help="of the language model; all on a GPU")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def made(options: argparse.Namespace, decode: str = "auto") -> Bench:
    """The bench these arguments ask for; without a GPU a large shape is cut to four layers."""
    torch.set_num_threads(options.threads)
    layers = options.layers
    if layers is None and options.shape != "demo" and not torch.cuda.is_available():
        layers = 4  # what fits a usual memory; said in the shape's name
    return bench(options.shape, options.device, options.dtype, layers, decode)


def bench(
    shape: str,
    device: str = "auto",
    dtype: str = "auto",
    layers: int | None = None,
    decode: str = "auto",
) -> Bench:
    """An engine of a shape.

    Args:
        shape: ``"demo"``, ``"3b"``, ``"7b"``.
        layers: of the language model; None for all of them.
    """
    choice = choose(device, dtype)
    if shape == "demo":
        engine = core.load(
            ROOT / "assets/models/faithful", device=device, dtype=dtype, decode=decode
        )
        name = f"demo (192 wide, 4 layers, {engine.choice.dtype_name}, {engine.choice.device})"
        return Bench(name, engine, int(engine.passes.config.image_token_id))
    hide_broken_torchvision()
    from transformers import Qwen2_5_VLForConditionalGeneration
    from transformers.initialization import no_init_weights

    size, cut = SIZES[shape], layers or SIZES[shape]["layers"]
    depth = 32 if cut == size["layers"] else 2
    was = torch.get_default_dtype()
    torch.set_default_dtype(choice.dtype)
    try:
        with torch.device(choice.device), no_init_weights():
            model = Qwen2_5_VLForConditionalGeneration(_config(size, cut, depth, shape == "3b"))
    finally:
        torch.set_default_dtype(was)
    _draw(model)
    model.eval().requires_grad_(False)
    mode = decoding_mode(decode, model, "sdpa")
    use_kernel(model, "sdpa")
    engine = Engine(
        Loaded(model, model.config.to_dict(), None, None, None),
        None,
        families.get("monet"),
        TokenIds(start=151666, end=151667, pad=151665),  # no end of text: it runs to its length
        choice,
        prepare,
        name=shape,
        attention="sdpa",
        decode=mode,
        budget=10,
    )
    name = f"{shape}, {choice.dtype_name}, {choice.device}"
    if cut != size["layers"]:
        name = f"{shape} cut to {cut} of {size['layers']} layers (vision to {depth} of 32), "
        name += f"{choice.dtype_name}, {choice.device}"
    return Bench(name, engine, IMAGE)


@torch.no_grad()
def _draw(model: torch.nn.Module) -> None:
    """Weights at which numbers stay of one size; buffers are made by their modules.

    The same few million draws over and over: billions of them take a CPU minutes.
    """
    torch.manual_seed(0)
    pool = torch.randn(POOL, device=next(model.parameters()).device)
    for weight in model.parameters():
        if weight.dim() == 1:
            weight.fill_(1.0)
            continue
        drawn = (pool * weight[0].numel() ** -0.5).to(weight.dtype)
        for part in weight.view(-1).split(POOL):
            part.copy_(drawn[: len(part)])


def _config(size: dict[str, int], layers: int, depth: int, tied: bool) -> Any:
    from transformers import Qwen2_5_VLConfig

    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": size["words"],
            "hidden_size": size["hidden"],
            "intermediate_size": size["inner"],
            "num_hidden_layers": layers,
            "num_attention_heads": size["heads"],
            "num_key_value_heads": size["kv"],
            "max_position_embeddings": 128000,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": tied,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [16, 24, 24],
                "rope_theta": 1000000.0,
            },
        },
        vision_config={
            "depth": depth,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "out_hidden_size": size["hidden"],
            "patch_size": 14,
            "spatial_merge_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [7, 15, 23, 31] if depth == 32 else [depth - 1],
        },
        image_token_id=IMAGE,
        video_token_id=151656,
        vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
        tie_word_embeddings=tied,
    )
