"""Which rows go through the model together: as many as there is room for.

What is decoded stands in a queue (:func:`queued`): the longest prompts first and of those the
longest answers, so that whoever comes in later fits and short answers fill the end. The first rows
of a queue make a batch, and a row that ends gives its place to the next
(:mod:`core.engine.seating`). Prompts of very unlike lengths make queues of their own, as padding
costs. What is read in one pass (options) is cut into batches of alike jobs (:func:`packed`). Room
is counted from the device's size, never from what happens to be free: the same jobs always make the
same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from core.engine.passes import Passes

MOST_ROWS = 256
"""Of a pass that reads options."""
WIDEST = {"cuda": 128}
"""Rows of a decoding batch by device, 64 elsewhere: more of them take as much longer as they are
more, and leave nobody to take the place of a row that ends."""
ALIKE = 0.75
"""Share of the longest prompt of a queue that its shortest has at least."""
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


@dataclass(frozen=True)
class Queue:
    """Jobs that are decoded in one batch, one giving its place to the next.

    Attributes:
        order: their places among all jobs.
        width: rows of the batch.
    """

    order: tuple[int, ...]
    width: int


def queues(passes: Passes, loads: Sequence[Load]) -> list[Queue]:
    """:func:`queued` for a model on its device."""
    return queued(loads, slot_bytes(passes), room(passes), widest(passes))


def widest(passes: Passes) -> int:
    """Most rows of a decoding batch on this device."""
    return WIDEST.get(passes.device.type, 64)


def width(passes: Passes, loads: Sequence[Load], most: int) -> int:
    """Rows, at most ``most``, of a batch of jobs like these that there is room for."""
    return _width(loads, slot_bytes(passes), room(passes), most)


def queued(loads: Sequence[Load], slot: int, most_bytes: int, widest: int) -> list[Queue]:
    """Places of ``loads`` by queue, every one in exactly one. Jobs of one row each.

    Args:
        slot: bytes of one slot.
        most_bytes: of the keys and values of one batch; a job that is larger goes alone.
        widest: most rows of a batch.
    """
    order = sorted(range(len(loads)), key=lambda i: (-loads[i].prompt, -loads[i].steps, i))
    groups: list[list[int]] = []
    for i in order:
        if not groups or loads[i].prompt < ALIKE * loads[groups[-1][0]].prompt:
            groups.append([])
        groups[-1].append(i)
    found = []
    for group in groups:
        sharing: dict[int, list[int]] = {}
        for i in group:
            name = loads[i].shares
            sharing.setdefault(-1 - i if name is None else name, []).append(i)
        many = _width([loads[i] for i in group], slot, most_bytes, widest)
        # where a copy of the prompt for every row takes the room, those of one prompt go by
        # themselves: they need no copies
        apart = len(sharing) > 1 and many < min(widest, max(map(len, sharing.values())))
        for part in sharing.values() if apart else [group]:
            fit = _width([loads[i] for i in part], slot, most_bytes, widest)
            found.append(Queue(tuple(part), min(len(part), fit)))
    return found


def _width(loads: Sequence[Load], slot: int, most_bytes: int, widest: int) -> int:
    """Rows like these that fit at once."""
    prompt, steps = max(load.prompt for load in loads), max(load.steps for load in loads)
    slots = most_bytes // slot
    if len({load.shares for load in loads}) == 1 and loads[0].shares is not None:
        fit = (slots - prompt) // max(steps, 1)
    else:
        fit = slots // (prompt + steps)
    return max(1, min(widest, fit))


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
