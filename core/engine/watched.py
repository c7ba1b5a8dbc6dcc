"""Whether somebody looks into a model's modules while they run."""

from __future__ import annotations

from typing import Any


def hooks_of(model: Any) -> list[dict[int, Any]]:
    """The tables of forward hooks of every module of ``model``; one that is not empty is a look.

    The tables are the modules' own, so asking is looking through a list, and a hook that comes
    later is found.
    """
    tables: list[dict[int, Any]] = []
    for module in model.modules():
        tables += [module._forward_hooks, module._forward_pre_hooks]
    return tables
