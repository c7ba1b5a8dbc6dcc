"""How each published model reasons in latents: one file a family, one registry, one protocol."""

from core.families import capimagine, kin, lvr, mirage, monet, qwen  # noqa: F401  (registers)
from core.families.answers import Answer, same
from core.families.protocol import Family, PromptStyle, Vocabulary
from core.families.registry import detect, fits, get, names, register

__all__ = [
    "Answer",
    "Family",
    "PromptStyle",
    "Vocabulary",
    "detect",
    "fits",
    "get",
    "names",
    "register",
    "same",
]
