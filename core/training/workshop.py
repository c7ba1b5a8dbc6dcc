"""What all trainings share: the learned words, the frozen tower, the pool of seen pictures.

Made once and kept in a folder outside the repository's history; every part is made again when it is
missing, so a training started anywhere from nothing gives the same models.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration

from core.training import export, formats, pool, tokenizer
from core.training.formats import Format
from core.training.latents import blank, scaled
from core.training.network import Shape, build, latent_length
from core.training.objective import Anchors
from core.training.variants import Variant
from core.training.vision import train_tower

FOLDER = Path(".training")
MERGES = 700  # an upper bound: learning stops when every word of the corpus is one token
ROW_MULTIPLE = 64  # embedding rows are rounded up to this; 5 are left for a family's own tokens
TOWER_STEPS = 1400
SHIPPED = Path("assets/models/faithful")  # holds the common words and tower


@dataclass(frozen=True)
class Workshop:
    """The common ground of all variants.

    Attributes:
        shape: widths and depths.
        learned: the BPE's vocabulary and merges.
        tower: state dict of the frozen vision tower.
        seen: the training pool with its features; `watched`: the validation pool.
    """

    shape: Shape
    learned: dict[str, object]
    tower: dict[str, Tensor]
    seen: pool.Pool
    watched: pool.Pool

    def format(self, family: str) -> Format:
        """A family's format over the common words and its own special tokens."""
        return formats.of(family, tokenizer.tokenizer(self.learned, formats.TOKENS[family]))

    def model(self, format_: Format, seed: int) -> Qwen2_5_VLForConditionalGeneration:
        """A fresh text network under the frozen tower."""
        model = build(self.shape, format_.tokenizer, rows_of(self.learned), seed)
        model.model.visual.load_state_dict(self.tower)
        for weight in model.model.visual.parameters():
            weight.requires_grad_(False)
        model.model.language_model.norm.weight.requires_grad_(False)
        return model

    def anchors(self, model: Qwen2_5_VLForConditionalGeneration) -> Anchors:
        """The constants of the latents' targets."""
        length = latent_length(model)
        directions = scaled(self.watched.features.float(), 1.0)
        mean = scaled(directions.flatten(0, 1).mean(0), length)
        return Anchors(length, blank(self.shape.width, length), mean)


def rows_of(learned: dict[str, object]) -> int:
    """Rows of the embedding: every token, five of a family's own, rounded up."""
    words = len(learned["vocab"])  # type: ignore[arg-type]
    needed = words + len(tokenizer.CHAT_TOKENS) + 5
    return -(-needed // ROW_MULTIPLE) * ROW_MULTIPLE


def open_workshop(
    folder: Path = FOLDER,
    shape: Shape | None = None,
    sizes: dict[str, int] | None = None,
    watched: int = pool.VALIDATION,
    tower_steps: int = TOWER_STEPS,
    shipped: Path | None = SHIPPED,
) -> Workshop:
    """The common ground in `folder`; what is missing there is made first.

    Words and tower are taken from the `shipped` checkpoint where it exists, so that a model trained
    later shares them. With None they are made anew: about 15 CPU-minutes for the tower; drawing and
    looking at the pool takes 5.
    """
    shape = shape or Shape()
    sizes = sizes or pool.SIZES
    folder.mkdir(parents=True, exist_ok=True)
    words = folder / "words.json"
    tower_file = folder / "tower.pt"
    if shipped is not None and (shipped / "model.safetensors").exists() and not words.exists():
        tokenizer.save_learned(tokenizer.learned_by(shipped), words)
        weights, _ = export.read(shipped)
        tower = {
            name.removeprefix("model.visual."): weight
            for name, weight in weights.items()
            if name.startswith("model.visual.")
        }
        torch.save({"tower": tower, "step": tower_steps, "calibrated": True}, tower_file)
    if not words.exists():
        tokenizer.save_learned(tokenizer.learn(formats.corpus(), MERGES), words)
    learned = tokenizer.load_learned(words)
    plain = tokenizer.tokenizer(learned)
    model = build(shape, plain, rows_of(learned), seed=0)
    kept = torch.load(tower_file, weights_only=True) if tower_file.exists() else {"step": 0}
    if kept["step"] < tower_steps and not kept.get("calibrated", False):
        wanted = {task: sizes[task] for task in ("count", "plan")}
        train_tower(model, folder / "pool", tower_steps, sizes=wanted, checkpoint=tower_file)
        kept = torch.load(tower_file, weights_only=True)
    model.model.visual.load_state_dict(kept["tower"])
    if not kept.get("calibrated", False):
        watched_pictures = pool.draw(folder / "pool", "count", "validation", watched)
        calibrate(model, watched_pictures)
        tower = model.model.visual.state_dict()
        torch.save(kept | {"tower": tower, "calibrated": True}, tower_file)
    seen = pool.load(folder / "pool", model, "train", sizes)
    checked = pool.load(folder / "pool", model, "validation", dict.fromkeys(sizes, watched))
    return Workshop(shape, learned, model.model.visual.state_dict(), seen, checked)


@torch.no_grad()
def calibrate(model: Qwen2_5_VLForConditionalGeneration, pictures: Tensor) -> None:
    """Scale the tower's last layer so that an image token is, on average, as long as a latent.

    A latent may then be replaced by an image token (pointing at a place) without a jump in length.
    """
    length = pool.features_of(model, pictures).norm(dim=-1).mean()
    last = model.model.visual.merger.mlp[2]
    last.weight.mul_(latent_length(model) / length)
    last.bias.mul_(latent_length(model) / length)


class LatentHead(nn.Module):
    """LVR's `LVRHead` (lvr, src/model/lvr_heads.py): LayerNorm, Linear, GELU, Linear; same keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_q = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states (..., D) -> latents (..., D)."""
        return self.mlp(self.ln_q(hidden))


def head_of(variant: Variant, shape: Shape, seed: int) -> LatentHead | None:
    """The variant's projection, freshly drawn, or None."""
    if not variant.head:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return LatentHead(shape.width)


def finder_of(variant: Variant, shape: Shape, seed: int) -> nn.Linear | None:
    """The throw-away reader of where two objects are, (..., D) -> (..., 2 D), or None."""
    if not variant.find:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 2)
        return nn.Linear(shape.width, 2 * shape.width)


__all__ = [
    "FOLDER",
    "LatentHead",
    "Workshop",
    "finder_of",
    "head_of",
    "open_workshop",
    "rows_of",
]
