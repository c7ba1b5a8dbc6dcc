"""Which families there are, and which one a checkpoint belongs to.

A third party adds a family with :func:`register`, the same door the built-in ones use.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from core.errors import FamilyError
from core.families.protocol import Family, Vocabulary

_families: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Make ``family`` known under its name.

    Raises:
        ValueError: when another family already has the name.
    """
    if family.name in _families and _families[family.name] != family:
        raise ValueError(f"A family named {family.name!r} is registered already.")
    _families[family.name] = family
    return family


def names() -> tuple[str, ...]:
    """The names of all families, in the order they were registered."""
    return tuple(_families)


def get(name: str) -> Family:
    """The family called ``name``.

    Raises:
        FamilyError: when there is none; the sentence lists the names.
    """
    if name not in _families:
        raise FamilyError(f"Family “{name}” is unknown; choose one of {', '.join(names())}.")
    return _families[name]


def detect(tokens: Collection[str], config: Mapping[str, Any]) -> Family:
    """The family a checkpoint belongs to, by its added tokens and config keys.

    Args:
        tokens: strings of the tokenizer's vocabulary (its added tokens are enough).
        config: config.json as a mapping.

    Raises:
        FamilyError: when several families fit equally well; the sentence lists them.
    """
    own = config.get("zscope")
    if isinstance(own, Mapping) and own.get("family"):
        return get(str(own["family"]))
    fitting = [
        family
        for family in _families.values()
        if family.latent
        and not family.only_by_name
        and (any(fits(v, tokens) for v in family.vocabularies) or _hinted(family, config))
    ]
    hinted = [family for family in fitting if _hinted(family, config)]
    fitting = hinted or fitting
    if len(fitting) > 1:
        choices = ", ".join(family.name for family in fitting)
        raise FamilyError(
            f"This checkpoint's tokens fit several families; name one with family=: {choices}."
        )
    if fitting:
        return fitting[0]
    return get("qwen2.5-vl")


def fits(vocabulary: Vocabulary, tokens: Collection[str]) -> bool:
    """Whether every token string of ``vocabulary`` is among ``tokens``."""
    return all(text in tokens for text in vocabulary.strings().values())


def _hinted(family: Family, config: Mapping[str, Any]) -> bool:
    return any(key in config for key in family.config_hints)
