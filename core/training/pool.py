"""The pictures a training draws from: rendered once, kept as bytes, later as vision features.

Drawing is slow against a training step, so a fixed pool of training scenes is drawn beforehand and
asked many questions. The truth is not stored: `scenes.stream` gives the same items again.

On disk (`folder/`): `pictures-TASK-SPLIT.pt`, bytes (N, 112, 112, 3) as the checkpoints' processor
shrinks the 448-px pictures, and `features-TASK-SPLIT.pt`, float16 (N, 16, D) of the frozen tower.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from core import scenes
from core.scenes.objects import PICTURE
from core.training.forward import see
from core.training.network import PIXELS
from core.training.pictures import patches, shrink

# Scenes of each task in the pool; counting and planning are the hard ones.
SIZES = {"attribute": 2500, "relative": 3000, "where": 2500, "count": 8000, "plan": 12000}
VALIDATION = 300
POOL_SEED = 1


@dataclass(frozen=True)
class Pool:
    """Items of one split and their pictures' features, row by row.

    Attributes:
        items: the scenes with the question they were drawn for.
        features: (N, 16, D) float16, the frozen tower's.
        rows: task -> the rows that were drawn for it.
    """

    items: list[scenes.Item]
    features: Tensor
    rows: dict[str, range]


def items_of(task: str, split: str, count: int, seed: int = POOL_SEED) -> list[scenes.Item]:
    """The pool's items of one task, the same every time."""
    return list(islice(scenes.stream(task, split, seed), count))


def draw(folder: Path, task: str, split: str, count: int) -> Tensor:
    """The pictures of the pool's items, drawn now or read back: bytes (N, 112, 112, 3)."""
    path = folder / f"pictures-{task}-{split}.pt"
    if path.exists():
        kept = torch.load(path, weights_only=True)
        if len(kept) >= count:
            return kept[:count]
    folder.mkdir(parents=True, exist_ok=True)
    items = items_of(task, split, count)
    drawn = torch.stack([shrink(item.render(_size(split, k))) for k, item in enumerate(items)])
    torch.save(drawn, path)
    return drawn


def _size(split: str, k: int) -> int:
    """Drawing at the final size is five times faster and almost the same picture: training mixes
    the two, four to one; what is measured is always the large picture, shrunk."""
    return PIXELS if split == "train" and k % 5 else PICTURE


@torch.no_grad()
def features_of(model: Qwen2_5_VLForConditionalGeneration, pictures: Tensor) -> Tensor:
    """Vision features (N, 16, D) float32 of shrunken pictures, in pieces of 256."""
    return torch.cat([see(model, patches(piece)) for piece in pictures.split(256)])


def load(
    folder: Path,
    model: Qwen2_5_VLForConditionalGeneration,
    split: str,
    sizes: dict[str, int],
) -> Pool:
    """The pool of a split; what is missing on disk is drawn and looked at first."""
    items: list[scenes.Item] = []
    features: list[Tensor] = []
    rows: dict[str, range] = {}
    for task, count in sizes.items():
        path = folder / f"features-{task}-{split}.pt"
        kept = torch.load(path, weights_only=True) if path.exists() else torch.empty(0)
        if len(kept) < count:
            kept = features_of(model, draw(folder, task, split, count)).half()
            torch.save(kept, path)
        rows[task] = range(len(items), len(items) + count)
        items += items_of(task, split, count)
        features.append(kept[:count])
    return Pool(items, torch.cat(features), rows)
