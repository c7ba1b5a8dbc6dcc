"""The bank that ships beside a demo model: its clean latents over validation scenes.

Step means, resampling, percentiles on receipts and the grey of the maps are all read off it.
"""

from __future__ import annotations

from pathlib import Path

from core import edits, scenes
from core.engine import open_engine
from core.engine.bankfile import NAME
from core.engine.banking import collect_bank
from core.records.bank import BankItem


def write_bank(folder: Path, per_task: int = 40, seed: int = 0) -> Path | None:
    """Collect a checkpoint's latents and write them into its folder.

    Args:
        folder: a finished demo model.
        per_task: validation items of each task.
        seed: of the validation stream.

    Returns:
        The file written, or None for a model that does not imagine in latents.
    """
    engine = open_engine(folder, edits.prepare, device="cpu", dtype="float32")
    if not engine.family.latent:
        return None
    items = [
        item
        for task in scenes.TASKS
        for item in scenes.sample(task, split="validation", seed=seed, n=per_task)
    ]
    source = f"{per_task} validation scenes of each task, seed {seed}, greedy, float32"
    bank = collect_bank(
        engine,
        [(item.render, item.question) for item in items],
        source,
        None,
        None,
        {},
        [BankItem(item.id, item.task, item.question, gold=item.answer) for item in items],
    )
    bank.save(folder / NAME)
    return folder / NAME
