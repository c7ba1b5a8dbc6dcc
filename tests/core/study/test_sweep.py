"""Sweeps of one run: what they make, what they keep when stopped, and what is known of the
shipped models."""

import math
import threading
from functools import cache
from pathlib import Path

import pytest
import torch

import core
from core import Edit
from core.engine import Engine
from core.errors import InputError
from core.measures.outcome import option_shift
from core.measures.response import levels, potency, responses
from core.records import Trace
from core.scenes import gallery
from core.study import wishes
from core.study.sweep import Sweep, Wish, finished, sweep
from tests.core.engine import tiny

MODELS = Path(__file__).resolve().parents[3] / "assets" / "models"
ITEM, OTHERS = 0, (1, 2, 3, 4)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("sweep"), "monet", seed=3)
    return core.load(folder, device="cpu", dtype="float32")


def run(engine: Engine, budget: int = 3, seed: int = 0) -> Trace:
    return engine.run(
        tiny.picture(seed), "What colour?", budget=budget, force_latents=True, max_new_tokens=10
    )


@cache
def shipped(name: str) -> Engine:
    if not (MODELS / name / "model.safetensors").is_file():
        pytest.skip(f"needs the demo model {name} in assets/models")
    return core.load(MODELS / name, device="cpu", dtype="float32")


@cache
def example(name: str) -> Trace:
    item = gallery()[ITEM]
    trace = shipped(name).run(item.image, item.question)
    assert trace.answer == item.answer
    return trace


def options() -> tuple[str, ...]:
    return tuple(gallery()[ITEM].options)


@cache
def doses(name: str) -> Sweep:
    engine, trace = shipped(name), example(name)
    pictures = [engine.see(gallery()[n].image, trace) for n in OTHERS]
    wanted = wishes.doses("gaussian", (0.1, 1.0, 4.0), draws=4, pictures=pictures)
    return finished(sweep(engine, trace, wanted, options()))


def half(found: Sweep, series: str):
    rows = [(p.wish.dose, p.epsilon, p.wish.draw, p.reading) for p in found.of(series)]
    return potency(responses(rows, lambda r: float(r.flipped)))


class TestWhatIsMade:
    def test_each_point_is_its_branch_read_against_the_base(self, small: Engine):
        trace = run(small)
        wanted = wishes.doses("gaussian", (0.5, 2.0), draws=2)
        found = finished(sweep(small, trace, wanted, ["red", "blue"], chunk=3))
        assert found.done == found.total == 8
        assert not found.refused
        base = small.score(trace, ["red", "blue"])
        for wish, point in zip(wanted, found.points, strict=True):
            assert point.wish is wish
            child = small.branch(trace, wish.edits)
            assert point.epsilon == pytest.approx(child.receipts[0].epsilon, abs=1e-5)
            assert point.epsilon == pytest.approx(wish.dose, rel=1e-3)
            assert point.arrived > 1e-4
            scores = small.score(child, ["red", "blue"])
            shift = option_shift(base, scores)
            assert point.reading.kl == pytest.approx(shift.kl, abs=1e-4)
            table, edited = small.forced_logits([trace, child], trace)
            moved = core.measures.outcome.token_kl(table, edited).mean()
            assert point.reading.token_kl == pytest.approx(float(moved), abs=1e-4)

    def test_the_engine_forgets_what_was_read(self, small: Engine):
        trace = run(small)
        before = len(small.store)
        finished(sweep(small, trace, wishes.steps("gaussian", 1.0, 3, draws=1)))
        assert len(small.store) == before

    def test_steer_delivers_its_dose_toward_the_donor(self, small: Engine):
        trace, donor = run(small), run(small, seed=4)
        edit = Edit("steer", dose=0.3, donor=donor, steps=[1], mode="cached")
        child = small.branch(trace, [edit])
        (dose,) = child.receipts[0].doses
        assert dose.epsilon == pytest.approx(0.3, abs=1e-5)
        z, to = trace.spans[0].latents[1], donor.spans[0].latents[1]
        now = z + 0.3 * z.norm() * (to - z) / (to - z).norm()
        table = small.live(small.hold(child)).vectors[trace.spans[0].start + 1]
        torch.testing.assert_close(table, now, atol=1e-5, rtol=1e-5)
        wanted = wishes.doses("steer", (1.0,), draws=3, donors=[donor])
        assert [w.series for w in wanted].count(wishes.LATENTS) == 1
        assert [w.series for w in wanted].count(wishes.RANDOM) == 3
        assert [w.series for w in wanted].count(wishes.SHAM) == 3

    def test_exits_steps_edges_and_patches_cover_all_there_is(self, small: Engine):
        trace, donor = run(small), run(small, seed=4)
        layers = small.passes.layers
        exits = finished(sweep(small, trace, wishes.exits(3)))
        assert [p.wish.count for p in exits.points] == [0, 1, 2, 3]
        assert exits.points[-1].reading.token_kl == pytest.approx(0, abs=1e-6)
        steps = finished(sweep(small, trace, wishes.steps("gaussian", 1.0, 3, draws=1)))
        cells = {(p.wish.step, p.wish.mode) for p in steps.of(wishes.LATENTS)}
        assert cells == {(k, m) for k in range(3) for m in ("propagate", "pinned", "cached")}
        edges = finished(sweep(small, trace, wishes.knockouts(layers)))
        assert not edges.refused
        assert {p.wish.series for p in edges.points} == {f"{a} → {b}" for a, b in wishes.EDGES}
        assert all(p.wish.layers is not None for p in edges.points)
        patches = finished(sweep(small, trace, wishes.patches(donor, 3, layers)))
        assert len(patches.points) == (layers + 1) * 4
        assert not patches.refused

    @pytest.mark.parametrize("layers", [1, 2, 28])
    def test_windows_slide_over_all_layers(self, layers: int):
        assert wishes.windows(layers, 1) == [(n, n + 1) for n in range(layers)]
        assert wishes.windows(layers, 100) == [(0, layers)]
        for first, stop in wishes.windows(layers, 2):
            assert 0 <= first < stop <= layers

    def test_what_a_run_does_not_allow_is_told_beside_the_rest(self, small: Engine):
        trace = run(small)
        wanted = [
            Wish("a", (Edit("gaussian", dose=1.0),)),
            Wish("b", (Edit("gaussian", dose=1.0, steps=[99]),)),
            Wish("a", (Edit("zero"),)),
        ]
        found = finished(sweep(small, trace, wanted))
        assert [p.wish for p in found.points] == [wanted[0], wanted[2]]
        ((wish, why),) = found.refused
        assert wish is wanted[1]
        assert "outside the span" in why

    def test_none_one_and_two_doses_and_one_latent(self, small: Engine):
        trace = run(small, budget=1)
        for some in ((), (1.0,), (0.5, 2.0)):
            wanted = wishes.doses("gaussian", some, draws=1)
            found = finished(sweep(small, trace, wanted))
            assert found.done == len(wanted) == 2 * len(some)
            rows = [(p.wish.dose, p.epsilon, 0, p.reading) for p in found.of(wishes.LATENTS)]
            assert len(levels(responses(rows, lambda r: r.token_kl))) == len(some)
        exits = finished(sweep(small, trace, wishes.exits(1)))
        assert [p.wish.count for p in exits.points] == [0, 1]

    def test_what_cannot_be_swept_is_said(self, small: Engine):
        with pytest.raises(InputError, match="0 or more"):
            wishes.doses("gaussian", (-1.0,))
        with pytest.raises(InputError, match="at least one draw"):
            wishes.doses("gaussian", (1.0,), draws=0)
        with pytest.raises(InputError, match="donor"):
            wishes.doses("steer", (1.0,))
        blind = small.run(tiny.picture(0), "What?", forbid_latents=True, max_new_tokens=6)
        found = finished(sweep(small, blind, wishes.doses("gaussian", (1.0,), draws=1)))
        assert not found.points
        assert "no latent span" in found.refused[0][1]


class TestStop:
    def test_what_is_finished_is_kept(self, small: Engine):
        trace, cancel = run(small), threading.Event()
        wanted = wishes.doses("gaussian", (0.5, 1.0, 2.0), draws=4)
        making = sweep(small, trace, wanted, cancel=cancel, chunk=8)
        first = next(making)
        assert (first.done, first.stopped) == (8, False)
        assert first.rate > 0
        assert first.left == pytest.approx((24 - 8) / first.rate)
        cancel.set()
        last = finished(making)
        assert last.stopped
        assert last.points == first.points

    def test_a_stop_inside_a_chunk_is_honoured_within_one_step(self, small: Engine, monkeypatch):
        trace, cancel = run(small), threading.Event()
        passes = []
        usual = small.passes.step

        def counted(cache, embeds, positions):
            passes.append(embeds.shape[0])
            if len(passes) == 2:
                cancel.set()
            return usual(cache, embeds, positions)

        wanted = wishes.doses("gaussian", (1.0,), draws=4)
        making = sweep(small, trace, wanted, cancel=cancel)
        monkeypatch.setattr(small.passes, "step", counted)
        passes.clear()
        last = finished(making)
        assert last.stopped
        assert not last.points
        # reading the base takes a pass before the branches' first
        assert len(passes) <= 3


class TestShippedModels:
    def test_faithful_turns_at_a_finite_dose_and_the_sham_does_not(self):
        found = doses("faithful")
        assert half(found, wishes.LATENTS).reached
        assert half(found, wishes.PICTURE).reached
        assert not half(found, wishes.SHAM).reached

    def test_shortcut_is_flat_while_its_positive_control_is_not(self):
        found = doses("shortcut")
        assert len(found.of(wishes.LATENTS)) == 12
        for point in found.of(wishes.LATENTS):
            assert point.epsilon == pytest.approx(point.wish.dose, rel=1e-3)
            assert point.arrived > 1e-4
            assert not point.reading.flipped
            assert point.reading.kl < 0.05  # nats; the picture moves whole nats
        swapped = found.of(wishes.PICTURE)
        assert half(found, wishes.PICTURE).reached
        assert max(p.reading.kl for p in swapped) > 1.0

    def test_slot_reacts_to_its_slots_and_not_to_its_latents(self):
        engine, trace = shipped("slot"), example("slot")
        found = doses("slot")
        assert not half(found, wishes.LATENTS).reached
        assert half(found, wishes.PICTURE).reached
        donor = next(
            run
            for run in (engine.run(gallery()[n].image, gallery()[n].question) for n in OTHERS)
            if run.answer != trace.answer and run.answer in options()
        )
        layers, count = engine.passes.layers, len(trace.spans[0])
        patched = finished(sweep(engine, trace, wishes.patches(donor, count, layers), options()))
        whole = next(
            p for p in patched.points if p.wish.layers == (0, layers) and p.wish.step == -1
        )
        assert whole.reading.flipped
        assert whole.reading.choice == donor.answer

    @pytest.mark.parametrize("name", ["faithful", "shortcut", "slot"])
    def test_with_answer_to_latents_cut_every_latent_edit_changes_exactly_nothing(self, name: str):
        engine, trace = shipped(name), example(name)
        cut = engine.branch(trace, [Edit("knockout", source="answer", target="latents")])
        first = cut.spans[0].stop + 1
        before = engine.logits(cut)[first:]
        edits = [
            Edit("gaussian", dose=4.0, seed=s, mode=mode)
            for mode in ("propagate", "pinned", "cached")
            for s in range(3)
        ] + [Edit("zero"), Edit("step_mean") if engine.bank else Edit("repeat_first")]
        for edit in edits:
            child = engine.branch(cut, [edit])
            assert child.token_ids[first - 1 :] == cut.token_ids[first - 1 :]
            assert float((engine.logits(child)[first:] - before).abs().max()) == 0
            assert child.receipts[0].hidden_change > 0 or edit.kind == "repeat_first"

    def test_faithfuls_answer_is_there_after_its_first_latents(self):
        engine, trace = shipped("faithful"), example("faithful")
        found = finished(sweep(engine, trace, wishes.exits(len(trace.spans[0])), options()))
        assert found.points[0].reading.flipped  # no latent at all
        assert not found.points[-1].reading.flipped
        assert found.points[-1].reading.kl == pytest.approx(0, abs=1e-6)

    def test_only_the_edge_from_the_answer_to_the_latents_carries_faithfuls_answer(self):
        engine, trace = shipped("faithful"), example("faithful")
        layers = engine.passes.layers
        found = finished(sweep(engine, trace, wishes.knockouts(layers), options()))
        whole = {p.wish.series: p.reading for p in found.points if p.wish.layers == (0, layers)}
        assert whole["answer → latents"].flipped
        assert not whole["answer → image"].flipped
        assert not math.isnan(whole["answer → image"].probability)
