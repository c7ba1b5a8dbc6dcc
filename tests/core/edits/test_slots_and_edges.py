"""Edits behind the content: keys and values of latent slots, and the edges from and to them."""

import pytest
import torch

import core
from core import Edit
from core.edits.slot import rotated
from core.engine.selfcheck import recompute_difference
from core.errors import EditError
from tests.core.engine import tiny

QUESTION = "What colour is the star?"


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def engine(request, tmp_path_factory):
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("monet"), "monet")
    return core.load(folder, device="cpu", dtype="float32", attention=request.param)


def run(engine, seed=0, question=QUESTION, size=(84, 56)):
    picture = tiny.picture(seed, size)
    return engine.run(picture, question, budget=5, force_latents=True, max_new_tokens=14)


def change(engine, child, parent, first):
    """max |Δlogit| from pass ``first`` on, over the passes both have."""
    a, b = engine.logits(child), engine.logits(parent)
    count = min(len(a), len(b))
    return float((a[first:count] - b[first:count]).abs().max())


class TestSlots:
    def test_own_slots_put_back_change_nothing(self, engine):
        trace = run(engine)
        child = engine.branch(trace, [Edit("slot", donor=trace)])
        assert torch.equal(engine.logits(child), engine.logits(trace))
        assert child.receipts[0].epsilon == 0

    def test_only_what_follows_the_span_sees_a_donors_slots(self, engine):
        trace, donor = run(engine), run(engine, seed=1)
        child = engine.branch(trace, [Edit("slot", donor=donor)])
        stop = trace.spans[0].stop
        assert torch.equal(child.spans[0].latents, trace.spans[0].latents)
        assert torch.equal(child.spans[0].hidden, trace.spans[0].hidden)
        assert change(engine, child, trace, stop + 1) > 1e-3
        assert child.receipts[0].epsilon > 0.1
        assert child.receipts[0].mode == "cached"

    def test_window_part_and_steps_bound_what_moves(self, engine):
        trace, donor = run(engine), run(engine, seed=1)
        held = engine.live(engine.hold(trace)).cache
        other = engine.live(engine.hold(donor)).cache
        edit = Edit("slot", donor=donor, layers=(1, 2), part="values", steps=[2])
        child = engine.branch(trace, [edit])
        place = trace.spans[0].start + 2
        cache = engine.live(engine.hold(child)).cache
        for layer in range(len(cache.own)):
            for part in (0, 1):
                now, before = cache.own[layer][part], held.own[layer][part]
                stop = trace.spans[0].stop
                moved = (now[:, :, :stop] != before[:, :, :stop]).any(1).any(-1)[0]
                expected = [place] if (layer, part) == (1, 1) else []
                assert moved.nonzero()[:, 0].tolist() == expected
        assert torch.equal(cache.own[1][1][:, :, place], other.own[1][1][:, :, place])

    def test_a_key_moved_on_is_the_key_of_the_new_position(self, engine):
        class Here:
            pass

        context = Here()
        context.engine = engine
        keys = torch.randn(2, engine.live(engine.hold(run(engine))).cache.own[0][0].shape[-1])
        twice = rotated(context, rotated(context, keys, 5), 7)
        torch.testing.assert_close(twice, rotated(context, keys, 12))
        torch.testing.assert_close(rotated(context, rotated(context, keys, 9), -9), keys)
        assert rotated(context, keys, 0) is keys

    def test_a_donor_at_another_position_is_rotated_there(self, engine):
        # the same picture and latents behind a longer question: content equal, position not
        trace = run(engine)
        donor = run(engine, question="Where does the path lead, up or down?")
        shift = (
            engine.hold(trace).first_position
            + trace.spans[0].start
            - engine.hold(donor).first_position
            - donor.spans[0].start
        )
        assert shift != 0
        child = engine.branch(trace, [Edit("slot", donor=donor)])
        place = trace.spans[0].start
        cache = engine.live(engine.hold(child)).cache
        other = engine.live(engine.hold(donor)).cache

        class Here:
            pass

        context = Here()
        context.engine = engine
        there = donor.spans[0].start
        expected = rotated(context, other.own[0][0][0, :, there], shift)
        torch.testing.assert_close(cache.own[0][0][0, :, place], expected)

    def test_what_cannot_be_moved_is_refused(self, engine):
        trace, donor = run(engine), run(engine, seed=1)
        with pytest.raises(EditError, match="holds"):
            engine.branch(trace, [Edit("slot", donor=donor.spans[0].latents)])
        with pytest.raises(EditError, match="window"):
            engine.branch(trace, [Edit("slot", donor=donor, layers=(2, 2))])
        with pytest.raises(EditError, match="moves"):
            Edit("slot", donor=donor, part="queries")


class TestKnockout:
    @pytest.mark.parametrize("mode", ["propagate", "pinned", "cached"])
    def test_with_answer_to_latents_cut_no_latent_edit_reaches_the_answer(self, engine, mode):
        trace = run(engine)
        cut = engine.branch(trace, [Edit("knockout", source="answer", target="latents")])
        child = engine.branch(cut, [Edit("gaussian", dose=3.0, mode=mode)])
        first = cut.spans[0].stop + 1
        assert change(engine, child, cut, first) == 0
        assert child.receipts[0].hidden_change > 0
        open_ = engine.branch(trace, [Edit("gaussian", dose=3.0, mode=mode)])
        assert change(engine, open_, trace, first) > 1e-3

    @pytest.mark.parametrize(
        ("source", "target"),
        [
            ("answer", "latents"),
            ("answer", "image"),
            ("answer", "question"),
            ("latents", "image"),
            ("latents", "question"),
            ("latents", "latents"),
        ],
    )
    def test_every_edge_can_be_cut_and_a_full_recompute_agrees(self, engine, source, target):
        trace = run(engine)
        edit = Edit("knockout", source=source, target=target)
        child = engine.branch(trace, [edit])
        span = trace.spans[0]
        before = span.stop if source == "answer" else span.start
        assert torch.equal(engine.logits(child)[: before + 1], engine.logits(trace)[: before + 1])
        assert change(engine, child, trace, before + 1) > 1e-4
        assert recompute_difference(engine, child) < 1e-4

    def test_a_window_of_layers_cuts_less_than_all(self, engine):
        trace = run(engine)
        layers = engine.passes.layers
        whole = engine.branch(trace, [Edit("knockout", layers=(0, layers))])
        every = engine.branch(trace, [Edit("knockout")])
        part = engine.branch(trace, [Edit("knockout", layers=(layers - 1, layers))])
        assert torch.equal(engine.logits(whole), engine.logits(every))
        first = trace.spans[0].stop + 1
        assert change(engine, part, trace, first) > 0
        assert change(engine, part, whole, first) > 0

    def test_batched_knockouts_equal_single_ones(self, engine):
        trace = run(engine)
        lists = [
            [Edit("knockout", target=target, layers=(first, first + 1))]
            for target in ("latents", "image")
            for first in range(engine.passes.layers)
        ]
        many = engine.branches(trace, [*lists, [Edit("zero")]])
        for edits, child in zip(lists, many, strict=False):
            single = engine.branch(trace, edits)
            assert single.token_ids == child.token_ids
            assert change(engine, child, single, 0) < 1e-4

    def test_a_dropped_cache_comes_back_with_its_cuts(self, engine):
        cut = engine.branch(run(engine), [Edit("knockout")])
        before = engine.logits(cut)
        engine.store.drop_live()
        assert torch.equal(engine.logits(cut), before)
        child = engine.branch(cut, [Edit("zero")])
        assert change(engine, child, cut, cut.spans[0].stop + 1) == 0

    def test_options_are_scored_under_the_cut(self, engine):
        trace = run(engine)
        cut = engine.branch(trace, [Edit("knockout", target="image")])
        options = ["red", "blue"]
        assert engine.score(cut, options) != engine.score(trace, options)

    def test_unknown_groups_are_refused(self, engine):
        with pytest.raises(EditError, match="none of them"):
            engine.branch(run(engine), [Edit("knockout", target="weather")])
