"""An Apple GPU has no doubles: nothing that is computed on the device may become one."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from core.engine.sampling import draw
from core.records import Edit, Settings
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab


class NoDoubles(TorchDispatchMode):
    """Refuses every operation whose result an Apple GPU could not hold."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, torch.Tensor):
                assert one.dtype != torch.float64, func
        return out


@pytest.mark.parametrize("head", ["", "simple"])
def test_a_run_and_its_branches(lab: Lab, head: str) -> None:
    engine = lab("lvr", "sdpa", head)
    options = {"force_latents": True, "budget": 3, "max_new_tokens": 8}
    usual = engine.run(tiny.picture(1), "Where?", **options)
    edits = [Edit("gaussian", steps=[1], dose=1.0), Edit("gaussian", steps=[2], dose=1.0)]
    changed = engine.branches(usual, [[edit] for edit in edits])
    engine.passes.see.clear()
    with NoDoubles():
        again = engine.run(tiny.picture(1), "Where?", **options)
        branches = engine.branches(again, [[edit] for edit in edits])
        engine.score(again, ["left", "right"])
    assert again.token_ids == usual.token_ids
    assert again.logprobs == usual.logprobs
    assert [b.token_ids for b in branches] == [b.token_ids for b in changed]


def test_a_draw_leaves_such_a_device_first() -> None:
    class OnApple(torch.Tensor):
        """Scores that say they are on an Apple GPU."""

        @property
        def device(self) -> torch.device:  # type: ignore[override]
            return torch.device("mps")

        def double(self) -> torch.Tensor:  # type: ignore[override]
            raise TypeError("no float64 on this device")

        def cpu(self) -> torch.Tensor:  # type: ignore[override]
            return self.as_subclass(torch.Tensor)

    scores = torch.randn(50, generator=torch.Generator().manual_seed(0))
    settings = Settings(temperature=1.0, top_p=0.9, seed=3)
    assert draw(scores.as_subclass(OnApple), settings, 4) == draw(scores, settings, 4)
