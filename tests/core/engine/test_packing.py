"""Batches of jobs: all in, none over its room, alike ones together, always the same."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engine import branching, packing, together
from core.engine.packing import Load, packed
from core.records import Edit
from tests.core.engine.conftest import Lab
from tests.core.engine.jobs import loads
from tests.core.engine.test_cached_decode import QUESTIONS, difference


@settings(deadline=None, max_examples=60)
@given(loads(most_rows=5), st.integers(100, 20_000), st.integers(1, 16))
def test_every_job_is_in_one_batch_that_fits(
    jobs: list[Load], most_bytes: int, most_rows: int
) -> None:
    parts = packed(jobs, 2, most_bytes, most_rows)
    assert sorted(i for part in parts for i in part) == list(range(len(jobs)))
    assert parts == packed(jobs, 2, most_bytes, most_rows)
    for part in parts:
        if len(part) == 1:
            continue
        rows = sum(jobs[i].rows for i in part)
        names = {jobs[i].shares for i in part}
        copies = 1 if len(names) == 1 and None not in names else rows
        slots = copies * max(jobs[i].prompt for i in part)
        slots += rows * max(jobs[i].steps for i in part)
        assert rows <= most_rows
        assert 2 * slots <= most_bytes


def test_alike_prompts_and_answers_go_together() -> None:
    jobs = [Load(1, 900, 5), Load(1, 100, 50), Load(1, 890, 40), Load(1, 110, 5)]
    assert packed(jobs, 1, 2000) == [[1, 3], [2, 0]]


def test_who_shares_a_prompt_is_not_torn_apart() -> None:
    jobs = [Load(1, 1000, 10, shares=n % 2) for n in range(6)]
    assert packed(jobs, 1, 1100) == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("fit", [0, 2, 100])
def test_small_batches_give_what_large_ones_give(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    engine = lab("monet-sft")
    runs = engine.run_many(QUESTIONS, budget=3, force_latents=True, max_new_tokens=8)
    edit = [Edit("gaussian", steps=[1], dose=1.0)]
    alone = [engine.branch(run, edit) for run in runs]
    batches: list[int] = []
    begin = branching.batch
    monkeypatch.setattr(
        branching, "batch", lambda first: batches.append(len(first)) or begin(first)
    )
    longest = max(len(run.prompt.input_ids) + len(run.token_ids) for run in runs)
    room = packing.slot_bytes(engine.passes) * longest * fit
    monkeypatch.setattr(packing, "LEAST_ROOM", room)
    made = together.branches(engine, [(run, edit) for run in runs])
    assert len(made) == len(runs)
    assert max(batches) <= max(1, fit)
    assert (max(batches) > 1) == (fit > 1)
    for one, many in zip(alone, made, strict=True):
        assert not isinstance(many, Exception)
        assert many.parent == one.parent
        assert many.token_ids == one.token_ids
        assert difference(engine.logits(many), engine.logits(one)) <= 1e-4


def test_questions_beyond_the_room_wait_for_a_place(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet-sft")
    options = {"budget": 3, "force_latents": True, "max_new_tokens": 6}
    usual = engine.run_many(QUESTIONS, **options)
    slots = packing.slot_bytes(engine.passes) * 106 * 3
    monkeypatch.setattr(packing, "LEAST_ROOM", slots)
    sizes: list[int] = []
    prefill = engine.passes.prefill
    monkeypatch.setattr(
        engine.passes,
        "prefill",
        lambda inputs: sizes.append(len(inputs["input_ids"])) or prefill(inputs),
    )
    again = engine.run_many(QUESTIONS, **options)
    assert len(sizes) > 1
    assert sum(sizes) == len(QUESTIONS)
    for a, b in zip(usual, again, strict=True):
        assert a.prompt == b.prompt
        assert a.token_ids == b.token_ids


def test_room_on_a_processor_does_not_depend_on_what_is_free(lab: Lab) -> None:
    passes = lab("monet-sft").passes
    assert packing.room(passes) == packing.LEAST_ROOM
    keys = passes.prefill({"input_ids": torch.tensor([[5, 6, 7]])}).cache.prompt
    assert packing.slot_bytes(passes) == sum(k.nbytes + v.nbytes for k, v in keys) // 3
