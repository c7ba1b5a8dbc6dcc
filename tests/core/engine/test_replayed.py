"""The captured step as a recording that knows addresses only, replayed as a CUDA graph is.

A graph runs the kernels it saw again, on the addresses it saw. :class:`Recording` does that on a
CPU: every operation of one pass is kept with its tensors; a replay runs them on the same tensors
and writes what comes out where it was the first time. No Python of the step runs. So a host number
that was baked in, a buffer that moved, an input that is not looked at would each give other words.
"""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core.engine import captured, together
from core.engine.prompts import batched
from core.records import Edit
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import Saying, saying
from tests.core.engine.test_cached_decode import LATENT, QUESTIONS, difference
from tests.core.engine.test_captured import both, decoded
from tests.core.engine.test_refill import EDIT, parents, widest

READS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")
"""Operations that wait for the device, which no capture survives."""


class Recording(TorchDispatchMode):
    """What one pass did."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.replays = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in READS, f"{name} waits for the device"
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, tensors(out)))
        return out

    def replay(self) -> None:
        self.replays += 1
        for func, args, kwargs, outs in self.calls:
            for old, new in zip(outs, tensors(func(*args, **kwargs)), strict=True):
                if new.data_ptr() != old.data_ptr():  # no view, and not written in place
                    old.copy_(new)


def tensors(found: Any) -> list[Tensor]:
    """The tensors an operation gave."""
    if isinstance(found, Tensor):
        return [found]
    return (
        [one for part in found for one in tensors(part)] if isinstance(found, tuple | list) else []
    )


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """Every step is a recording from its first pass on; all recordings that were made."""
    made: list[Recording] = []

    class Step(captured._Step):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            with torch.no_grad():
                self._pass()  # what happens on first use
                with Recording() as recording:
                    self._pass()
            self._graph = recording  # type: ignore[assignment]
            made.append(recording)

    monkeypatch.setattr(captured, "_Step", Step)
    return made


@pytest.mark.parametrize("family", [*LATENT, "lvr+simple", "lvr+glu"])
def test_a_run(lab: Lab, recorded: list[Recording], family: str) -> None:
    name, _, head = family.partition("+")
    engine = lab(name, "sdpa", head)
    both(engine, lambda: [saying(engine, "xSxxxxxxxSxxEx", longest=20)])
    assert sum(recording.replays for recording in recorded) >= 19


def test_branches_of_many_runs_that_take_each_others_places(
    lab: Lab, recorded: list[Recording]
) -> None:
    engine = lab("monet-sft")
    runs = parents(engine)
    alone = [engine.branch(run, EDIT) for run in runs]
    with widest(3), decoded(engine, "static") as steps:
        many = together.branches(engine, [(run, EDIT) for run in runs])
        assert len(steps) > 0, steps.refused
    for one, other in zip(alone, many, strict=True):
        assert not isinstance(other, Exception)
        assert one.token_ids == other.token_ids
        assert difference(engine.logits(one), engine.logits(other)) <= 1e-4
    assert sum(recording.replays for recording in recorded) > 10


@pytest.mark.parametrize("mode", ["pinned", "cached", "slot", "knockout"])
def test_edited_branches(lab: Lab, recorded: list[Recording], mode: str) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=16)
    donor = saying(engine, "xSxxxxxxx", longest=16, seed=2)
    if mode == "slot":
        edit = Edit("slot", donor=donor, layers=(0, 1), part="both")
    elif mode == "knockout":
        edit = Edit("knockout", source="answer", target="latents")
    else:
        edit = Edit("gaussian", steps=[1], dose=0.8, mode=mode)
    if mode != "knockout":
        both(engine, lambda: engine.branches(trace, [[edit]] * 3))
        return
    with decoded(engine, "static") as steps:  # cut edges are left to the eager step, which is said
        engine.branches(trace, [[edit]] * 3)
        assert len(steps) == 0
        assert "cut" in steps.refused


def test_a_batch_of_other_lengths(lab: Lab, recorded: list[Recording]) -> None:
    engine = lab("lvr")
    inputs = batched([engine.prompt(*question).inputs for question in QUESTIONS[:3]])

    def work() -> list[Any]:
        processor = Saying(engine, inputs["input_ids"], ["xSxxxxxxx", "xxxSxExx", "xxxxxxQ"])
        return list(engine.decode(inputs, logits_processor=processor, max_new_tokens=12, budget=3))

    both(engine, work)


def test_a_recording_in_which_a_number_was_baked_is_found_out(
    lab: Lab, recorded: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet")
    usual = captured.through_modules

    def baked(language: Any, cache: Any, embeds: Tensor, positions: Tensor) -> Tensor:
        return usual(language, cache, embeds, torch.full_like(positions, 3))

    real = engine.run(tiny.picture(1), "Where?", force_latents=True, max_new_tokens=6)
    with decoded(engine, "static") as steps, monkeypatch.context() as patch:
        made = captured._Step.__init__

        def wrong(self: Any, language: Any, cache: Any, like: Tensor, run: Any) -> None:
            made(self, language, cache, like, baked)
            self._run = baked

        patch.setattr(captured._Step, "__init__", wrong)
        again = engine.run(tiny.picture(1), "Where?", force_latents=True, max_new_tokens=6)
        assert len(steps) == 0
        assert "does not give" in steps.refused
    assert again.token_ids == real.token_ids


def test_the_step_is_one_graph_for_the_compiler(lab: Lab) -> None:
    """No graph break, and no recompilation while a run goes on."""
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=14)
    compiled = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    fused = torch.compile(captured.through_modules, dynamic=False, fullgraph=True, backend=backend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captured, "through_modules", fused)
        both(engine, lambda: [engine.branch(trace, [Edit("gaussian", steps=[1], dose=0.8)])])
    torch._dynamo.reset()
    assert len(compiled) == 1
