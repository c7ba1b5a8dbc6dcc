"""The training loop: seeded, resumed from its last checkpoint, stopped by a deadline.

One loop for every variant: rows are drawn, the objective is computed, the optimiser descends. With
`variant.forced` steps the latents' targets are fed in (one parallel pass, fast); then for
`variant.own` steps the model's own latents, with gradients running through them.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration

from core.training import export
from core.training.formats import Format
from core.training.forward import pack
from core.training.objective import Anchors, loss_of
from core.training.optimiser import Optimiser
from core.training.rows import Rows, draw
from core.training.variants import Variant
from core.training.workshop import Workshop, finder_of, head_of

SAVE_EVERY = 150
CPU = torch.device("cpu")


@dataclass
class Run:
    """A training under way: owns the model, its head and its optimiser."""

    variant: Variant
    format: Format
    model: Qwen2_5_VLForConditionalGeneration
    head: nn.Module | None
    finder: nn.Module | None
    optimiser: Optimiser
    anchors: Anchors
    device: torch.device
    step: int = 0
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Length of the schedule."""
        return self.variant.forced + self.variant.own


def begin(
    variant: Variant,
    workshop: Workshop,
    seed: int,
    checkpoint: Path,
    source: Path | None = None,
    device: torch.device = CPU,
) -> Run:
    """A run on `device` at its first step, or where `checkpoint` left it.

    `source` is what it begins from, a training checkpoint or a shipped folder; its text network is
    taken over, its special tokens' embeddings too (each family's stand in the same rows), and its
    head and finder where it has them.
    """
    format_ = workshop.format(variant.family)
    model = workshop.model(format_, seed)
    head = head_of(variant, workshop.shape, seed)
    finder = finder_of(variant, workshop.shape, seed)
    anchors = workshop.anchors(model).to(device)
    for part in (model, head, finder):
        if part is not None:
            part.to(device)
    named = [(n, w) for n, w in model.named_parameters() if w.requires_grad]
    if head is not None:
        named += [(f"head.{n}", w) for n, w in head.named_parameters()]
    if finder is not None:
        named += [(f"finder.{n}", w) for n, w in finder.named_parameters()]
    steps = variant.forced + variant.own
    optimiser = Optimiser(named, steps, variant.rate, variant.matrix_rate)
    run = Run(variant, format_, model, head, finder, optimiser, anchors, device)
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True, map_location="cpu")
        model.load_state_dict(kept["model"])
        if head is not None:
            head.load_state_dict(kept["head"])
        if finder is not None:
            finder.load_state_dict(kept["finder"])
        optimiser.restore(kept["optimiser"])
        run.step, run.seconds = kept["step"], kept["seconds"]
    elif source is not None:
        _take_over(run, source)
    return run


def _take_over(run: Run, source: Path) -> None:
    if source.is_dir():
        weights, head = export.read(source)
        kept: dict[str, dict[str, Tensor]] = {"model": weights, "head": head}
    else:
        kept = torch.load(source, weights_only=True, map_location="cpu")
    run.model.load_state_dict(kept["model"])
    for part, name in ((run.head, "head"), (run.finder, "finder")):
        if part is not None and kept.get(name):
            part.load_state_dict(kept[name])


def save(run: Run, checkpoint: Path) -> None:
    """Write the run's state, first beside the file: a killed process leaves the last one."""
    state = {
        "model": run.model.state_dict(),
        "head": run.head.state_dict() if run.head is not None else {},
        "finder": run.finder.state_dict() if run.finder is not None else {},
        "optimiser": run.optimiser.state(),
        "step": run.step,
        "seconds": run.seconds,
    }
    fresh = checkpoint.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(checkpoint)


def loss_at(run: Run, rows: Rows, noise: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a run's next step over these rows, and its parts."""
    # What the objective makes anew, masks and positions, is to stand where the model does.
    with torch.device(run.device) if run.device != CPU else nullcontext():
        return loss_of(
            run.variant,
            run.format,
            pack(run.model),
            rows.to(run.device),
            run.anchors,
            noise,
            run.step >= run.variant.forced,
            run.head,
            run.finder,
        )


def proceed(
    run: Run,
    workshop: Workshop,
    seed: int,
    checkpoint: Path,
    until: int | None = None,
    deadline: float | None = None,
) -> dict[str, float]:
    """Train to the end of the schedule -> means of the loss's parts over the last steps.

    Args:
        until: stop before this step instead.
        deadline: stop when `time.time()` passes it; the state is saved.
    """
    last = run.steps if until is None else min(until, run.steps)
    recent: dict[str, float] = {}
    began = time.time()
    while run.step < last and (deadline is None or time.time() < deadline):
        rows = draw(run.variant, run.format, workshop.seen, Random(f"{seed}/{run.step}"))
        noise = torch.Generator(run.device).manual_seed(seed * 1_000_003 + run.step)
        with torch.autocast(run.device.type, torch.bfloat16):
            loss, parts = loss_at(run, rows, noise)
        run.optimiser.descend(loss, run.step)
        run.step += 1
        for name, part in parts.items():
            recent[name] = 0.95 * recent.get(name, float(part)) + 0.05 * float(part)
        if run.step % 25 == 0:
            shown = " ".join(f"{name} {part:.3f}" for name, part in recent.items())
            spent = run.seconds + time.time() - began
            print(f"{run.variant.name} {run.step}/{run.steps} {spent:.0f}s {shown}", flush=True)
        if run.step % SAVE_EVERY == 0:
            run.seconds, began = run.seconds + time.time() - began, time.time()
            save(run, checkpoint)
    run.seconds += time.time() - began
    save(run, checkpoint)
    return recent
