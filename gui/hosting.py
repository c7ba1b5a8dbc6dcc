"""Where the program runs: on somebody's own machine, or as a Space for strangers."""

from __future__ import annotations

import os


def on_space() -> bool:
    """Whether this is a Space, by what its hosting puts into the environment."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM", "").lower() == "spaces"


def on_lent_gpu() -> bool:
    """Whether a GPU is lent here for a call at a time (ZeroGPU)."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
