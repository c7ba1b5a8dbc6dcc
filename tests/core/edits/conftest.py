"""Edits are tried on the engine's own tiny checkpoints."""

from tests.core.engine.conftest import lab, workshop

__all__ = ["lab", "workshop"]
