"""A checkpoint as an engine: loading, prompts, the one decode loop, cache branches."""

from core.engine.engine import Engine
from core.engine.open import open_engine
from core.engine.selfcheck import selfcheck
from core.engine.step import Step

__all__ = ["Engine", "Step", "open_engine", "selfcheck"]
