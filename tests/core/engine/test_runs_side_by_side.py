"""Runs that interleave, run in threads, are stopped, or are fed by hand."""

import threading
from collections.abc import Generator
from typing import Any

import pytest
import torch
from torch import Tensor

from core.engine import Engine
from core.engine.step import Step
from core.errors import EditError, ZscopeError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import saying

ASKED: dict[str, Any] = {"force_latents": True, "budget": 4, "max_new_tokens": 12}
FIRST = (tiny.picture(1), "What colour?")
SECOND = (tiny.picture(2, (112, 84)), "Where does the path lead, up or down?")


def same(a: Trace, b: Trace) -> bool:
    return (
        a.token_ids == b.token_ids
        and a.logprobs == b.logprobs
        and all(torch.equal(x.latents, y.latents) for x, y in zip(a.spans, b.spans, strict=True))
    )


def last(stream: Generator[Step, Tensor | None, None]) -> Trace:
    return next(step.trace for step in stream if step.trace is not None)


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["monet", "lvr"])
def test_two_streams_step_by_step_are_the_runs_they_are_alone(
    lab: Lab, family: str, kernel: str
) -> None:
    engine = lab(family, kernel)
    alone = [engine.run(*FIRST, **ASKED), engine.run(*SECOND, **ASKED)]
    streams = [engine.stream(*FIRST, **ASKED), engine.stream(*SECOND, **ASKED)]
    ended: list[Trace | None] = [None, None]
    while None in ended:
        for index, stream in enumerate(streams):
            step = next(stream, None)
            if step is not None and step.trace is not None:
                ended[index] = step.trace
    for one, two in zip(alone, ended, strict=True):
        assert two is not None
        assert same(one, two)


def test_branches_in_the_middle_of_a_stream_disturb_nothing(lab: Lab) -> None:
    engine = lab("monet-sft")
    alone = engine.run(*FIRST, **ASKED)
    other = engine.run(*SECOND, **ASKED)
    stream = engine.stream(*FIRST, **ASKED)
    for step in stream:
        if step.trace is not None:
            assert same(alone, step.trace)
            return
        engine.branches(other, [[Edit("zero")], [Edit("identity", steps=[2], mode="cached")]])


def test_two_threads_get_what_one_gets(lab: Lab) -> None:
    engine = lab("monet")
    alone = [engine.run(*FIRST, **ASKED), engine.run(*SECOND, **ASKED)]
    edits = [Edit("gaussian", steps=[1], dose=1.0)]
    branched = [engine.branch(trace, edits) for trace in alone]
    found: list[list[tuple[Trace, Trace]]] = [[], []]

    def work(index: int) -> None:
        for _ in range(4):
            trace = engine.run(*(FIRST, SECOND)[index], **ASKED)
            found[index].append((trace, engine.branch(trace, edits)))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(2):
        assert len(found[index]) == 4
        for trace, child in found[index]:
            assert same(trace, alone[index])
            assert same(child, branched[index])


def test_a_stream_tells_every_slot_before_it_is_fed(lab: Lab) -> None:
    engine = lab("monet-sft")
    alone = engine.run(*FIRST, **ASKED)
    steps = list(engine.stream(*FIRST, **ASKED))
    assert [step.token_id for step in steps[:-1]] == list(alone.token_ids[:-1])
    assert [step.index for step in steps[:-1]] == list(range(len(alone.token_ids) - 1))
    latents = [step for step in steps if step.latent is not None]
    assert [(s.span, s.step) for s in latents] == [(0, k) for k in range(4)]
    assert torch.equal(torch.stack([s.latent for s in latents]), alone.spans[0].latents)
    assert same(alone, steps[-1].trace)


def by_hand(engine: Engine, sent: dict[int, Tensor]) -> Trace:
    stream = engine.stream(*FIRST, **ASKED)
    answer = None
    while True:
        step = stream.send(answer) if answer is not None else next(stream)
        answer = sent.get(step.step) if step.latent is not None else None
        if step.trace is not None:
            return step.trace


def test_a_vector_sent_into_a_stream_is_fed_and_recorded_as_an_edit(lab: Lab) -> None:
    engine = lab("monet-sft")
    parent = engine.run(*FIRST, **ASKED)
    draw = torch.Generator().manual_seed(0)
    sent = {k: 3 * torch.randn(tiny.WIDTH, generator=draw) for k in (1, 3)}
    live = by_hand(engine, sent)
    edits = [Edit("manual", steps=[k], values=vector) for k, vector in sent.items()]
    child = engine.branch(parent, edits)
    assert live.token_ids == child.token_ids
    assert float((engine.logits(live) - engine.logits(child)).abs().max()) <= 1e-5
    assert torch.equal(live.spans[0].latents[1], sent[1])
    assert [(e.kind, e.steps, e.span) for e in live.edits] == [
        ("manual", (1,), 0),
        ("manual", (3,), 0),
    ]
    for ours, theirs in zip(live.receipts, child.receipts, strict=True):
        assert ours.epsilon == pytest.approx(theirs.epsilon, rel=1e-4)
        assert ours.cosine == pytest.approx(theirs.cosine, abs=1e-4)
    # what was fed by hand is a run like any other: branched from, dropped, replayed
    before = engine.logits(live)
    assert same(live, engine.branch(live, [Edit("identity")]))
    engine.store.drop_live()
    assert torch.equal(engine.logits(live), before)


@pytest.mark.parametrize(
    "vector", [torch.zeros(5), torch.full((tiny.WIDTH,), float("nan")), torch.zeros(0)]
)
def test_a_vector_that_cannot_be_fed_is_told_and_the_engine_goes_on(
    lab: Lab, vector: Tensor
) -> None:
    engine = lab("monet-sft")
    with pytest.raises(EditError):
        by_hand(engine, {1: vector})
    assert engine.run(*FIRST, **ASKED).spans


class After(threading.Event):
    """An event that reads as set from the n-th look on."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("looks", [0, 1, 3, 7])
def test_stop_is_honoured_within_one_step(lab: Lab, looks: int) -> None:
    engine = lab("monet-sft")
    whole = engine.run(*FIRST, **ASKED)
    trace = engine.run(*FIRST, **ASKED, cancel=After(looks))
    assert trace.ended_by == "cancelled"
    assert len(trace.token_ids) == looks + 1  # the prompt pass has chosen the first
    assert trace.token_ids == whole.token_ids[: looks + 1]
    stopped = threading.Event()
    for seen, step in enumerate(engine.stream(*FIRST, **ASKED, cancel=stopped)):
        if seen == looks:
            stopped.set()
        if step.trace is not None:
            assert step.trace.ended_by == "cancelled"
            assert len(step.trace.token_ids) <= looks + 2
            break


def test_stopped_branches_keep_what_they_have(lab: Lab) -> None:
    engine = lab("monet-sft")
    parent = engine.run(*FIRST, **ASKED)
    lists = [[Edit("gaussian", steps=[k], dose=1.0)] for k in range(3)]
    whole = engine.branches(parent, lists)
    cut = engine.branches(parent, lists, cancel=After(2))
    for full, part in zip(whole, cut, strict=True):
        assert part.ended_by == "cancelled"
        assert part.token_ids == full.token_ids[: len(part.token_ids)]
        assert len(part.token_ids) < len(full.token_ids)
        assert part.receipts


def test_a_stopped_run_can_be_branched_from_after_it_was_dropped(lab: Lab) -> None:
    engine = lab("monet-sft")
    trace = engine.run(*FIRST, **ASKED, cancel=After(7))
    before = engine.logits(trace)
    child = engine.branch(trace, [Edit("identity")])
    engine.store.drop_live()
    assert torch.equal(engine.logits(trace), before)
    assert engine.branch(trace, [Edit("identity")]).token_ids == child.token_ids


def test_common_random_numbers_make_the_identity_branch_the_same_draw(lab: Lab) -> None:
    engine = lab("monet-sft")
    hot: dict[str, Any] = {"temperature": 1.5, "top_p": 0.9, "top_k": 40}
    runs = [engine.run(*FIRST, **ASKED, **hot, seed=seed) for seed in range(4)]
    assert len({run.token_ids for run in runs}) > 1
    assert engine.run(*FIRST, **ASKED, **hot, seed=2).token_ids == runs[2].token_ids
    for run in runs:
        for mode in ("propagate", "pinned", "cached"):
            assert same(run, engine.branch(run, [Edit("identity", steps=[1], mode=mode)]))


def test_the_stream_of_a_broken_question_says_so(lab: Lab) -> None:
    with pytest.raises(ZscopeError):
        next(lab("monet").stream(*FIRST, max_new_tokens=0))


def test_a_processor_goes_with_the_run_into_its_branches(lab: Lab) -> None:
    engine = lab("monet-sft")
    run = saying(engine, "xSxxxxyxyxyxy", longest=13)
    assert same(run, engine.branch(run, [Edit("identity", steps=[2])]))
