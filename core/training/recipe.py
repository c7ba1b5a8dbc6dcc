"""Train one demo model from nothing, or from where it was stopped, to a shipped folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from core.errors import InputError
from core.training import card, clean, export, probe
from core.training.loop import Run, begin, proceed
from core.training.variants import VARIANTS, Variant
from core.training.workshop import FOLDER, Workshop, open_workshop


def variant_of(name: str, steps: int | None = None) -> Variant:
    """The configuration called `name`, its schedule scaled to `steps` in all.

    Raises:
        InputError: for an unknown name.
    """
    if name not in VARIANTS:
        raise InputError(f"There is no demo model {name!r}; choose one of {', '.join(VARIANTS)}.")
    variant = VARIANTS[name]
    if steps is None:
        return variant
    own = round(steps * variant.own / (variant.own + variant.forced))
    return replace(variant, forced=steps - own, own=own)


def train(
    name: str,
    out: Path | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    folder: Path | str = FOLDER,
    deadline: float | None = None,
    per_task: int = 500,
    edited: int = 100,
    workshop: Workshop | None = None,
    source: Path | str | None = None,
    device: str = "auto",
) -> Path:
    """Train a variant and write its folder with its card -> the folder.

    The common tower, the pool of pictures and the variant it begins from are made first when they
    are missing. Interrupted, it goes on from its last checkpoint.

    Args:
        name: one of `VARIANTS`.
        out: the folder to write, `assets/models/NAME` by default.
        steps: length of the schedule instead of the variant's own.
        seed: of weights, rows and noise.
        folder: where checkpoints and the pool are kept.
        deadline: `time.time()` at which to stop; the state is kept and what there is written.
        per_task, edited: test items for the card's accuracy, and how many of them are edited; 0
            writes no card.
        workshop: the common ground when it is open already.
        source: weights to begin from instead of the variant's own beginning: a training checkpoint
            or a shipped folder, for instance the model itself, to train it further. The tower in
            `folder` must be the one it was trained on.
        device: where the text network is trained: "auto" for a CUDA GPU where there is one. The
            common tower is always trained, and the card always measured, on the CPU.

    Raises:
        InputError: for an unknown name, or a device that is not there.
    """
    torch.set_num_threads(1)
    variant = variant_of(name, steps)
    folder = Path(folder)
    shop = workshop or open_workshop(folder)
    start = Path(source) if source is not None else None
    if start is None and variant.begin:
        start = checkpoint_of(folder, variant.begin, seed)
        if not start.exists():
            train(
                variant.begin,
                folder / variant.begin,
                seed=seed,
                folder=folder,
                deadline=deadline,
                per_task=0,
                workshop=shop,
                device=device,
            )
    run = begin(variant, shop, seed, checkpoint_of(folder, name, seed), start, place(device))
    proceed(run, shop, seed, checkpoint_of(folder, name, seed), deadline=deadline)
    target = Path(out) if out is not None else Path("assets/models") / name
    ship(run, shop, target, seed, per_task, edited)
    return target


def place(device: str) -> torch.device:
    """The device called `device`; "auto" is a CUDA GPU where there is one, else the CPU.

    Raises:
        InputError: there is no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"There is no device {device!r} to train on here.") from error
    return torch.device(device)


def checkpoint_of(folder: Path, name: str, seed: int) -> Path:
    """Where the training state of a variant is kept."""
    return folder / f"{name}-{seed}.pt"


def ship(run: Run, shop: Workshop, target: Path, seed: int, per_task: int, edited: int) -> None:
    """Write the folder of a run as it stands; its bank and card too unless `per_task` is 0."""
    for part in (run.model, run.head):
        if part is not None:
            part.cpu()
    anchors = run.anchors.to(torch.device("cpu"))
    found = probe.probe(run.variant, run.format, run.model, run.head, shop.watched, anchors)
    print(probe.shown(found), flush=True)
    export.write(target, run.variant, run.format, run.model, run.head)
    if per_task:
        clean.write_bank(target)
        figures = card.profile(target, run.variant, per_task, edited, seed=0)
        card.write(target, run.variant, figures, seed, run.seconds)
