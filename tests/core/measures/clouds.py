"""Clouds of vectors to measure: seeded, so that a failing example can be drawn again."""

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, *shape: int, offset: float = 0.0) -> Tensor:
    """Normal numbers float32, each dimension moved by its own multiple of ``offset``."""
    draw = torch.Generator().manual_seed(seed)
    points = torch.randn(*shape, generator=draw)
    return points + offset * torch.randn(shape[-1], generator=draw)


def rotation(seed: int, width: int) -> Tensor:
    """A random rotation (D, D), float64."""
    drawn = np.random.default_rng(seed).standard_normal((width, width))
    return torch.from_numpy(np.linalg.qr(drawn)[0])
