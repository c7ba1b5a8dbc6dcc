"""Vision first: the common tower learns what is in each cell, then is frozen for every model.

Dense supervision (`core.training.cells`) through one linear head that is thrown away. All demo
models share the result, so none of them sees better than another.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration

from core.training import pool
from core.training.cells import HEADS, labels
from core.training.forward import see
from core.training.optimiser import Optimiser
from core.training.pictures import patches

BATCH = 64
SAVE_EVERY = 100
# Counting is what a tower learns last: it gets most pictures and twice the weight.
SHARE = {"count": 0.7, "plan": 0.3}
WEIGHT = {"same shape": 2.0, "same colour": 2.0}


def loss_of(scores: Tensor, truth: Tensor) -> Tensor:
    """Sum over the heads of each head's cross-entropy: scores (B, 16, all), truth (B, 16, 10)."""
    parts = scores.float().split(list(HEADS.values()), dim=-1)
    losses = [
        WEIGHT.get(name, 1.0)
        * F.cross_entropy(part.flatten(0, 1), truth[..., k].flatten(), ignore_index=-1)
        for k, (name, part) in enumerate(zip(HEADS, parts, strict=True))
        if bool((truth[..., k] >= 0).any())
    ]
    return torch.stack(losses).sum()


@torch.no_grad()
def accuracy(
    model: Qwen2_5_VLForConditionalGeneration, head: nn.Linear, pictures: Tensor, truth: Tensor
) -> dict[str, float]:
    """Share of cells answered right, by question."""
    scores = head(pool.features_of(model, pictures))
    found = {}
    for k, (name, part) in enumerate(
        zip(HEADS, scores.split(list(HEADS.values()), -1), strict=True)
    ):
        asked = truth[..., k] >= 0
        right = (part.argmax(-1) == truth[..., k])[asked]
        found[name] = float(right.float().mean()) if right.numel() else float("nan")
    return found


def train_tower(
    model: Qwen2_5_VLForConditionalGeneration,
    folder: Path,
    steps: int = 1500,
    seed: int = 0,
    sizes: dict[str, int] | None = None,
    checkpoint: Path | None = None,
) -> dict[str, float]:
    """Train `model`'s tower in place on the pool's pictures -> validation accuracy by question.

    Args:
        folder: the pool's folder.
        steps: batches of 64 pictures.
        sizes: pictures of each task; the whole pool by default.
        checkpoint: where to keep the state every 100 steps; resumed from when it exists.
    """
    sizes = sizes or pool.SIZES
    pictures, truth = _data(folder, "train", sizes)
    weights = torch.cat([torch.full((n,), SHARE.get(task, 0.2) / n) for task, n in sizes.items()])
    watched, watched_truth = _data(folder, "validation", {t: min(n, 100) for t, n in sizes.items()})
    torch.manual_seed(seed)
    head = nn.Linear(model.config.text_config.hidden_size, sum(HEADS.values()))
    tower = model.model.visual
    named = [(f"visual.{name}", weight) for name, weight in tower.named_parameters()]
    optimiser = Optimiser([*named, *head.named_parameters()], steps, rate=2e-3, matrix_rate=4e-3)
    first = 0
    if checkpoint is not None and checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        tower.load_state_dict(kept["tower"])
        head.load_state_dict(kept["head"])
        optimiser.restore(kept["optimiser"])
        first = kept["step"]
    began = time.time()
    for step in range(first, steps):
        draw = torch.Generator().manual_seed(seed * 1_000_003 + step)
        rows = torch.multinomial(weights, BATCH, replacement=True, generator=draw)
        with torch.autocast("cpu", torch.bfloat16):
            scores = head(see(model, patches(pictures[rows])))
        loss = loss_of(scores, truth[rows])
        optimiser.descend(loss, step)
        if step % 50 == 0:
            print(
                f"tower {step} loss {float(loss.detach()):.3f} {time.time() - began:.0f}s",
                flush=True,
            )
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            found = accuracy(model, head, watched, watched_truth)
            print("  " + " ".join(f"{k} {v:.3f}" for k, v in found.items()), flush=True)
            if checkpoint is not None:
                state = {"tower": tower.state_dict(), "head": head.state_dict(), "step": step + 1}
                torch.save({**state, "optimiser": optimiser.state()}, checkpoint)
    return accuracy(model, head, watched, watched_truth)


def _data(folder: Path, split: str, sizes: dict[str, int]) -> tuple[Tensor, Tensor]:
    pictures = torch.cat([pool.draw(folder, task, split, n) for task, n in sizes.items()])
    truth = torch.stack(
        [labels(i.scene) for t, n in sizes.items() for i in pool.items_of(t, split, n)]
    )
    return pictures, truth
