"""Edits of the prompt: the sham, which should not matter, and the swapped picture, which should."""

import pytest
import torch
from PIL import Image

import core
from core import Edit
from core.engine.selfcheck import recompute_difference
from core.errors import EditError, InputError
from core.records import Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

MODES = ("propagate", "pinned", "cached")


def run(engine: core.engine.Engine, seed: int = 0, budget: int = 4) -> Trace:
    return engine.run(
        tiny.picture(seed),
        "What colour is the star?",
        budget=budget,
        force_latents=True,
        max_new_tokens=12,
    )


def other_picture(engine: core.engine.Engine, trace: Trace) -> torch.Tensor:
    return engine.see(tiny.picture(7, (100, 40)), trace)


def edits(engine: core.engine.Engine, trace: Trace, mode: str) -> list[Edit]:
    return [
        Edit("sham", dose=1.0, mode=mode, seed=3),
        Edit("picture", values=other_picture(engine, trace), mode=mode),
    ]


@pytest.fixture(scope="module", params=[("monet", "sdpa"), ("mirage", "eager"), ("lvr", "sdpa")])
def engine(request: pytest.FixtureRequest, lab: Lab) -> core.engine.Engine:
    return lab(request.param[0], request.param[1])


@pytest.mark.parametrize("mode", MODES)
def test_the_dose_is_delivered_and_arrives_where_the_receipt_says(engine, mode: str):
    trace = run(engine)
    sham = engine.branch(trace, [Edit("sham", dose=0.7, mode=mode, steps=[1, 2], seed=5)])
    receipt = sham.receipts[0]
    assert (receipt.kind, receipt.mode, len(receipt.doses)) == ("sham", mode, 2)
    for dose in receipt.doses:
        assert dose.epsilon == pytest.approx(0.7, abs=1e-4)
        assert dose.hidden_change > 1e-3
        token = trace.prompt.input_ids[dose.place]
        assert token != engine.passes.config.image_token_id
        assert token not in engine.reader.silent
    assert len({dose.place for dose in receipt.doses}) == 2
    swapped = engine.branch(trace, edits(engine, trace, mode)[1:]).receipts[0]
    assert swapped.epsilon > 0.1
    assert swapped.hidden_change > 1e-3


def test_propagate_is_a_run_on_the_changed_prompt(engine):
    trace = run(engine)
    for edit in edits(engine, trace, "propagate"):
        child = engine.branch(trace, [edit])
        assert recompute_difference(engine, child) < 1e-4
        assert not torch.equal(child.spans[0].latents, trace.spans[0].latents)


def test_pinned_feeds_the_parents_latents_behind_the_changed_prompt(engine):
    trace = run(engine)
    for edit in edits(engine, trace, "pinned"):
        child = engine.branch(trace, [edit])
        assert recompute_difference(engine, child) < 1e-4
        assert torch.equal(child.spans[0].latents, trace.spans[0].latents)
        assert not torch.equal(child.spans[0].hidden, trace.spans[0].hidden)


def test_cached_changes_nothing_between_the_edit_and_the_answer(engine):
    trace = run(engine)
    stop = trace.spans[0].stop
    base = engine.live(engine.hold(trace)).cache
    for edit in edits(engine, trace, "cached"):
        child = engine.branch(trace, [edit])
        now = engine.live(engine.hold(child)).cache
        places = {d.place for d in child.receipts[0].doses}
        if edit.kind == "picture":
            token = engine.passes.config.image_token_id
            places = {p for p, t in enumerate(trace.prompt.input_ids) if t == token}
        for layer in range(len(base.own)):
            for part in (0, 1):
                own, before = now.own[layer][part], base.own[layer][part]
                assert torch.equal(own[:, :, :stop], before[:, :, :stop])
                moved = (now.prompt[layer][part] != base.prompt[layer][part]).any(1).any(-1)[0]
                assert set(moved.nonzero()[:, 0].tolist()) == places
        assert torch.equal(engine.logits(child)[: stop + 1], engine.logits(trace)[: stop + 1])
        assert not torch.equal(engine.logits(child)[stop + 1], engine.logits(trace)[stop + 1])


def test_a_slot_exchanged_alone_is_what_a_prompt_changed_there_gives_it(engine):
    trace = run(engine)
    alone = engine.branch(trace, [Edit("sham", dose=1.0, places=[4], mode="cached")])
    again = engine.branch(trace, [Edit("sham", dose=1.0, places=[4], mode="propagate")])
    one, two = (engine.live(engine.hold(t)).cache.prompt for t in (alone, again))
    for (k1, v1), (k2, v2) in zip(one, two, strict=True):
        torch.testing.assert_close(k1[:, :, 4], k2[:, :, 4], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(v1[:, :, 4], v2[:, :, 4], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_no_dose_changes_nothing(engine, mode: str):
    trace = run(engine)
    same = engine.patches(trace)
    for edit in (
        Edit("sham", dose=0.0, mode=mode),
        Edit("picture", values=same, mode=mode),
        Edit("picture", values=same + 1, fraction=0.0, mode=mode),
    ):
        child = engine.branch(trace, [edit])
        assert child.token_ids == trace.token_ids
        difference = (engine.logits(child) - engine.logits(trace)).abs().max()
        assert float(difference) < 1e-4
        assert child.receipts[0].epsilon == pytest.approx(0, abs=1e-6)
        assert child.receipts[0].hidden_change == pytest.approx(0, abs=1e-5)


def test_beside_other_branches_as_alone(engine):
    trace = run(engine)
    lists = [[Edit("gaussian", dose=1.0)], [Edit("zero", mode="cached")]]
    lists += [[edit] for mode in MODES for edit in edits(engine, trace, mode)]
    for one, made in zip(lists, engine.branches(trace, lists, keep=True), strict=True):
        single = engine.branch(trace, one)
        assert made.token_ids == single.token_ids
        difference = (engine.logits(made) - engine.logits(single)).abs().max()
        assert float(difference) < 1e-4
    kept = engine.live(engine.hold(engine.branches(trace, lists[:3], keep=True)[0]))
    assert kept.cache.prompt is engine.live(engine.hold(trace)).cache.prompt


def test_a_dropped_cache_comes_back_with_its_prompt(engine):
    trace = run(engine)
    for mode in MODES:
        for edit in edits(engine, trace, mode):
            child = engine.branch(trace, [edit])
            before = engine.logits(child)
            engine.store.drop_live()
            torch.testing.assert_close(engine.logits(child), before, atol=1e-4, rtol=1e-4)


def test_what_is_branched_from_a_sham_keeps_it(engine):
    trace = run(engine)
    sham = engine.branch(trace, [Edit("sham", dose=1.0)])
    child = engine.branch(sham, [Edit("gaussian", dose=0.5, steps=[1])])
    assert recompute_difference(engine, child) < 1e-4
    both = engine.branch(sham, [Edit("sham", dose=1.0, seed=1, places=[5])])
    assert recompute_difference(engine, both) < 1e-4
    alone = engine.branch(trace, [Edit("sham", dose=1.0, mode="cached")])
    with pytest.raises(EditError, match="one by one"):
        engine.branch(alone, [Edit("gaussian", dose=1.0, steps=[1])])
    inside = engine.branch(alone, [Edit("gaussian", dose=1.0, steps=[1], mode="cached")])
    assert inside.receipts[0].hidden_change > 0


def test_what_cannot_be_done_is_said(engine):
    trace = run(engine)
    with pytest.raises(EditError, match="slots of the prompt"):
        engine.branch(trace, [Edit("sham", places=[10_000])])
    with pytest.raises(EditError, match=r"engine\.see"):
        engine.branch(trace, [Edit("picture")])
    with pytest.raises(EditError, match="tokens and this one"):
        engine.branch(trace, [Edit("picture", values=torch.zeros(1, engine.passes.width))])
    blind = engine.run(None, "Which?", budget=2, force_latents=True, max_new_tokens=8)
    with pytest.raises(EditError, match="no picture"):
        engine.branch(blind, [Edit("picture", values=torch.zeros(1, engine.passes.width))])
    with pytest.raises(InputError, match="no picture"):
        engine.see(Image.new("RGB", (56, 56)), blind)


def test_another_picture_has_a_token_for_each_of_this_one(engine):
    trace = run(engine)
    assert other_picture(engine, trace).shape == engine.patches(trace).shape
    torch.testing.assert_close(engine.see(tiny.picture(0), trace), engine.patches(trace))
