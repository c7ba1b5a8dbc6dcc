"""The captured step, run without a graph: the same tokens and latents as the eager one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from core.engine import Engine, captured
from core.engine.captured import Captured, decoding_mode
from core.engine.prompts import batched
from core.engine.static import Shape
from core.errors import InputError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import Saying, saying
from tests.core.engine.test_cached_decode import LATENT, QUESTIONS, SCRIPTS, difference

EDITS = {
    "one latent": [Edit("gaussian", steps=[1], dose=0.8)],
    "last latent": [Edit("gaussian", steps=[2], dose=0.8)],
    "pinned": [Edit("gaussian", steps=[1], dose=0.8, mode="pinned")],
    "cached": [Edit("gaussian", steps=[1], dose=0.8, mode="cached")],
    "fewer": [Edit("truncate", count=1)],
}


@contextmanager
def decoded(engine: Engine, mode: str) -> Iterator[Captured]:
    """The engine decodes in another mode for a while."""
    passes, usual = engine.passes, engine.passes.captured
    passes.captured = Captured(passes.language, mode)
    try:
        yield passes.captured
    finally:
        passes.captured = usual


def both(engine: Engine, work: Callable[[], list[Trace]], mode: str = "static") -> None:
    """What ``work`` gives eagerly and captured is the same; something was captured."""
    usual = work()
    before = [engine.logits(trace) for trace in usual]
    with decoded(engine, mode) as steps:
        again = work()
        assert len(steps) > 0, steps.refused
    for a, b, logits in zip(usual, again, before, strict=True):
        assert a.token_ids == b.token_ids
        assert a.ended_by == b.ended_by
        assert difference(logits, engine.logits(b)) <= 1e-4
        for x, y in zip(a.spans, b.spans, strict=True):
            assert difference(x.latents, y.latents) <= 1e-4


@pytest.mark.parametrize("family", [*LATENT, "lvr+simple", "lvr+glu"])
def test_a_run_is_the_same(lab: Lab, family: str) -> None:
    name, _, head = family.partition("+")
    engine = lab(name, "sdpa", head)
    both(engine, lambda: [saying(engine, "xSxxxxxxxSxxEx", longest=20)])


def test_a_batch_of_other_lengths_is_the_same(lab: Lab) -> None:
    engine = lab("monet-sft")
    together = batched([engine.prompt(*question).inputs for question in QUESTIONS])
    options: dict[str, Any] = {"max_new_tokens": 14, "budget": 3}

    def work() -> list[Trace]:
        processor = Saying(engine, together["input_ids"], SCRIPTS)
        return list(engine.decode(together, logits_processor=processor, **options))

    both(engine, work)


@pytest.mark.parametrize("part", ["both", "keys", "values"])
def test_slots_of_another_run_are_the_same(lab: Lab, part: str) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=16)
    donor = saying(engine, "xSxxxxxxx", longest=16, seed=2)
    edits = [
        [Edit("slot", donor=donor, part=part)],
        [Edit("slot", donor=donor, part=part, layers=(1, 2), steps=[1])],
    ]

    def work() -> list[Trace]:
        made = [engine.branch(trace, edits[0]), *engine.branches(trace, edits, keep=True)]
        # a branch of a run whose slots were exchanged keeps them
        other = Edit("gaussian", steps=[2], dose=0.8, mode="cached")
        return [*made, engine.branch(made[2], [other])]

    both(engine, work)


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_branch_is_the_same(lab: Lab, name: str) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=16)
    both(engine, lambda: [engine.branch(trace, EDITS[name])])


def test_branches_of_branches_in_one_batch_are_the_same(lab: Lab) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=16)

    def work() -> list[Trace]:
        first = engine.branches(trace, list(EDITS.values()), keep=True)
        return first + [engine.branch(child, EDITS["one latent"]) for child in first[:2]]

    both(engine, work)


def test_many_rows_outgrow_their_buffers_and_shrink(lab: Lab) -> None:
    engine = lab("monet")
    run: dict[str, Any] = {"budget": 3, "force_latents": True, "max_new_tokens": 40}
    trace = engine.run(tiny.picture(0), "Where?", **run)
    edits = [[Edit("gaussian", steps=[1], dose=d / 4, seed=d)] for d in range(10)]
    usual = engine.branches(trace, edits, keep=True)
    with decoded(engine, "static") as captured:
        again = engine.branches(trace, edits, keep=True)
        sizes = {(shape.rows, shape.own) for shape in captured._steps}
    assert [t.token_ids for t in usual] == [t.token_ids for t in again]
    assert {(16, 16), (16, 32)} <= sizes


def test_runs_that_take_turns_keep_their_own_slots(lab: Lab) -> None:
    engine = lab("monet-sft")
    options: dict[str, Any] = {"budget": 3, "force_latents": True, "max_new_tokens": 12}
    questions = [(tiny.picture(0), "Where?"), (tiny.picture(1), "Which?")]
    alone = [engine.run(*question, **options) for question in questions]
    with decoded(engine, "static") as captured:
        streams = [engine.stream(*question, **options) for question in questions]
        last: dict[int, Trace] = {}
        while len(last) < len(streams):
            for index, stream in enumerate(streams):
                step = next(stream, None)
                if step is not None and step.trace is not None:
                    last[index] = step.trace
        assert len(captured) == 1
    for index, trace in last.items():
        assert trace.token_ids == alone[index].token_ids
        assert difference(engine.logits(trace), engine.logits(alone[index])) <= 1e-4
        edit = EDITS["one latent"]
        assert engine.branch(trace, edit).token_ids == engine.branch(alone[index], edit).token_ids


def test_hooks_and_cut_edges_are_left_to_the_eager_step(lab: Lab) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=12)
    with decoded(engine, "static") as captured:
        handle = engine.passes.language.layers[0].register_forward_hook(lambda *_: None)
        engine.branch(trace, EDITS["one latent"])
        assert len(captured) == 0
        handle.remove()
        engine.branch(trace, [Edit("knockout", source="answer", target="latents")])
        assert len(captured) == 0
        engine.branch(trace, EDITS["one latent"])
        assert len(captured) == 1


def test_a_step_that_cannot_be_recorded_is_done_eagerly(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=12)
    usual = engine.branch(trace, EDITS["one latent"])

    def fails(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr("core.engine.captured.StaticCache", fails)
    with decoded(engine, "static") as captured:
        again = engine.branch(trace, EDITS["one latent"])
    assert again.token_ids == usual.token_ids
    assert "not permitted" in captured.refused


def test_shapes_give_way_to_newer_ones(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = lab("monet-sft")
    trace = saying(engine, "xSxxxxxxx", longest=12)
    usual = engine.branches(trace, [EDITS["one latent"]] * 3)
    monkeypatch.setattr("core.engine.captured.ALL_BYTES", 1)
    with decoded(engine, "static") as captured:
        alone = engine.branch(trace, EDITS["one latent"])
        together = engine.branches(trace, [EDITS["one latent"]] * 3)
        assert len(captured) == 1
    assert {t.token_ids for t in [alone, *together]} == {usual[0].token_ids}


def test_sizes_are_rounded_so_that_few_are_captured() -> None:
    from core.engine.cache import BranchCache

    def shape(rows: int, prompts: int, length: int, held: int) -> Shape:
        cache = BranchCache(1, rows)
        cache.prompt = [(torch.zeros(prompts, 1, length, 1),) * 2]
        cache.lengths = [held] * rows
        return Shape.of(cache)

    assert shape(1, 1, 1060, 0) == shape(1, 1, 1100, 60) == Shape(1, True, 1280, 64)
    assert shape(50, 1, 1060, 41) == Shape(64, True, 1280, 48)
    assert shape(50, 50, 300, 41) == Shape(64, False, 320, 48)
    assert all(shape(1, 1, n, 0).prompt <= max(n + 63, 1.25 * n) for n in range(1, 5000, 37))


def test_what_cannot_be_captured_is_said() -> None:
    class Model:
        device = torch.device("cpu")

    assert decoding_mode("auto", Model(), "sdpa") == "eager"
    assert decoding_mode("static", Model(), "sdpa") == "static"
    with pytest.raises(InputError, match="CUDA"):
        decoding_mode("graph", Model(), "sdpa")
    with pytest.raises(InputError, match="reference attention"):
        decoding_mode("static", Model(), "eager")
    with pytest.raises(InputError, match="unknown"):
        decoding_mode("fast", Model(), "sdpa")


@pytest.mark.parametrize("wrong", [False, True])
def test_a_recording_is_believed_once_its_first_slot_agrees(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    engine = lab("monet", "sdpa")
    replayed = []

    class Recording:
        def __init__(self, step: Any) -> None:
            self.step = step

        def replay(self) -> None:
            replayed.append(wrong)
            self.step._pass()
            if wrong:
                self.step.hidden.mul_(1.2)

    class Recorded(captured._Step):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self._graph = Recording(self)

    monkeypatch.setattr(captured, "_Step", Recorded)
    usual = saying(engine, SCRIPTS[0], longest=20)
    with decoded(engine, "static") as steps:
        again = saying(engine, SCRIPTS[0], longest=20)
        assert (len(steps) == 0) == wrong
        assert ("does not give" in steps.refused) == wrong
    assert again.token_ids == usual.token_ids
    assert difference(engine.logits(usual), engine.logits(again)) <= 1e-4
    assert (len(replayed) > 5) != wrong
