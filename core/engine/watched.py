"""Whether somebody looks into a model's modules while they run, or does their work for them."""

from __future__ import annotations

from typing import Any


class Watch:
    """Asks the modules of a model whether a forward hook hangs on one, or its forward is another.

    The tables asked are the modules' own, so what comes later is found, and asking is quick
    enough to be done before every pass.
    """

    def __init__(self, model: Any) -> None:
        self._hooks: list[dict[int, Any]] = []
        self._own: list[dict[str, Any]] = []
        for module in model.modules():
            self._hooks += [module._forward_hooks, module._forward_pre_hooks]
            self._own.append(vars(module))

    @property
    def anybody(self) -> bool:
        """Whether passes have to go through the modules, as somebody minds them."""
        return any(self._hooks) or any("forward" in own for own in self._own)
