"""Which rows go through the model together: as many as there is room for, likely to end together.

Many jobs are sorted by the length of their prompts and by how much they are expected to say, and
cut where the next would not fit. Alike prompts waste nothing on padding; alike answers end at
nearly the same step, so that a batch is full to its end and then gives way to the next (a batch
that is half through goes on in a smaller one, :mod:`core.engine.loop`). Room is counted from the
device's size, never from what happens to be free: the same jobs always make the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from core.engine.passes import Passes

MOST_ROWS = 256
LEAST_ROOM = 512 << 20
SHARE = 0.4
"""Of a GPU's memory behind the weights; the rest is for kept runs and the passes themselves."""


@dataclass(frozen=True)
class Load:
    """What one job takes.

    Attributes:
        rows: of a batch.
        prompt: slots of its prompt.
        steps: own slots each row is expected to hold in the end.
        shares: what names the prompt, where rows can share it; None where each has its own.
    """

    rows: int
    prompt: int
    steps: int
    shares: int | None = None


def room(passes: Passes) -> int:
    """Bytes that the keys and values of one batch may take."""
    device = passes.device
    if device.type != "cuda":
        return LEAST_ROOM
    total = torch.cuda.get_device_properties(device).total_memory
    weights = sum(w.nbytes for w in passes.model.parameters() if w.device == device)
    return max(LEAST_ROOM, int(SHARE * (total - weights)))


def slot_bytes(passes: Passes) -> int:
    """Bytes of the keys and values of one slot, all layers."""
    config = passes.config.text_config
    width = config.hidden_size // config.num_attention_heads
    size = passes.embedding.weight.element_size()
    return 2 * passes.layers * int(config.num_key_value_heads * width) * size


def packed(
    loads: Sequence[Load], slot: int, most_bytes: int, most_rows: int = MOST_ROWS
) -> list[list[int]]:
    """Places of ``loads`` by batch, every one in exactly one.

    Args:
        slot: bytes of one slot.
        most_bytes: of one batch; a job that is larger goes alone.
        most_rows: of one batch.
    """
    first: dict[int, int] = {}
    for i, load in enumerate(loads):
        if load.shares is not None:
            first.setdefault(load.shares, i)

    def place(i: int) -> tuple[int, ...]:
        load = loads[i]
        if load.shares is None:
            return load.prompt, load.steps, i
        return load.prompt, first[load.shares], load.steps, i  # who shares a prompt is together

    order = sorted(range(len(loads)), key=place)
    parts: list[list[int]] = []
    for i in order:
        part = [*parts[-1], i] if parts else []
        if part and _fits([loads[j] for j in part], slot, most_bytes, most_rows):
            parts[-1] = part
        else:
            parts.append([i])
    return parts


def _fits(loads: Sequence[Load], slot: int, most_bytes: int, most_rows: int) -> bool:
    rows = sum(load.rows for load in loads)
    names = {load.shares for load in loads}
    one = len(names) == 1 and None not in names
    prompts = max(load.prompt for load in loads) * (1 if one else rows)
    own = max(load.steps for load in loads) * rows
    return rows <= most_rows and (prompts + own) * slot <= most_bytes
