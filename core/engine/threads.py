"""One thread for a small pass on a CPU, all there are for a large one.

A pass is some dozens of parallel regions a layer, and each of them costs a start and an end of all
threads, whatever it computes: a decode step of a small model is faster on one (2.3 ms against 2.7
on two virtual cores, and 11 where other work shares them), the prompt pass and the vision tower
gain by several. In float32 a product of a few slots gains nothing from a second thread however
wide it is (one slot, 3584 → 18944: 17.4 ms against 16.9), in 16 bits it does (13.5 against 8.1).

What a process was given (``OMP_NUM_THREADS``, ``torch.set_num_threads``, ``--threads``) is the most
that is used. Which passes are small follows from their sizes alone, so that the same run is
computed the same way every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

SMALL = 1 << 24
"""Multiplications of a pass's largest product, below which threads cost more than they bring."""
FEW = 8
"""Slots of a product in float32 below which a second thread brings nothing."""
WIDE = 1 << 21
"""Numbers of the largest weight in 16 bits from which on reading it pays a second thread."""


def small(slots: int, config: Any, dtype: torch.dtype) -> bool:
    """Whether a pass over so many slots, all rows together, is to run on one thread.

    Args:
        config: the language model's, for its sizes.
        dtype: of its weights.
    """
    weight = config.hidden_size * config.intermediate_size
    if dtype.itemsize == 2:
        return weight < WIDE and slots * weight < SMALL
    return slots < FEW or slots * weight < SMALL


@contextmanager
def one() -> Iterator[None]:
    """Run what is inside on one thread; afterwards there are as many as before."""
    given = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(given)


def as_many_as_pay(
    slots: int, config: Any, dtype: torch.dtype, device: torch.device
) -> AbstractContextManager[None]:
    """Run what is inside on one thread where :func:`small` says so; elsewhere nothing changes."""
    if device.type != "cpu" or torch.get_num_threads() == 1 or not small(slots, config, dtype):
        return nullcontext()
    return one()
