"""An arm changes every span of a run that opened several, whatever it does and however."""

from pathlib import Path

import pytest
import torch

import core
from core.engine import Engine
from core.errors import InputError
from core.records import Trace
from core.study import spans
from core.study.arms import Arm, Latent
from core.study.items import StudyItem
from core.study.jobs import Job, job_of
from core.study.parents import Donor
from core.study.spans import change_all
from tests.core.engine import tiny
from tests.core.engine.scripts import saying

TWO = "xSxxxxxxSxxxxxxxxxxx"
ITEM = StudyItem("item", "What colour?", "red", None)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=3)
    return core.load(folder, device="cpu", dtype="float32")


@pytest.fixture
def parent(engine: Engine) -> Trace:
    found = saying(engine, TWO)
    assert [len(span) for span in found.spans] == [4, 4]
    return found


@pytest.fixture
def donor(engine: Engine) -> Trace:
    return saying(engine, TWO, seed=2)


def job(engine: Engine, parent: Trace, donor: Trace | None = None, **edit: object) -> Job:
    arm = Arm("arm", z=(Latent(**edit),), donor="any" if donor else "")  # type: ignore[arg-type]
    given = Donor(donor, "donor", None) if donor else None
    return job_of(engine, ITEM, 0, arm, 0, parent, given, seed=0)


def changed(engine: Engine, one: Job) -> tuple[Trace, tuple]:
    found = change_all(engine, [one])[0]
    assert isinstance(found, tuple), found
    return found


@pytest.mark.parametrize("mode", ["propagate", "pinned", "cached"])
def test_content_arrives_in_both_spans_in_every_mode(engine: Engine, parent: Trace, mode: str):
    made, receipts = changed(engine, job(engine, parent, kind="gaussian", dose=1.0, mode=mode))
    assert [(r.span, r.mode) for r in receipts] == [(0, mode), (1, mode)]
    assert len(made.spans) == 2
    for receipt in receipts:
        assert len(receipt.doses) == 4
        assert receipt.epsilon == pytest.approx(1.0, abs=1e-4)
    for ours, theirs in zip(made.spans, parent.spans, strict=True):
        assert bool(((ours.latents - theirs.latents).norm(dim=1) > 1e-3).all())


@pytest.mark.parametrize("mode", ["propagate", "cached"])
def test_a_swap_takes_the_donors_span_of_the_same_number(
    engine: Engine, parent: Trace, donor: Trace, mode: str
):
    made, _ = changed(engine, job(engine, parent, donor, kind="transplant", mode=mode))
    for ours, theirs in zip(made.spans, donor.spans, strict=True):
        assert torch.equal(ours.latents, theirs.latents)


def test_slots_of_both_spans_are_the_donors(engine: Engine, parent: Trace, donor: Trace):
    made, receipts = changed(engine, job(engine, parent, donor, kind="slot", mode="cached"))
    assert [receipt.span for receipt in receipts] == [0, 1]
    ours, theirs = (engine.live(engine.hold(t)).cache.own for t in (made, donor))
    places = [p for span in parent.spans for p in range(span.start, span.stop)]
    for (key, value), (other_key, other_value) in zip(ours, theirs, strict=True):
        assert torch.equal(value[0, :, places], other_value[0, :, places])
        assert torch.allclose(key[0, :, places], other_key[0, :, places], atol=1e-5)


def test_the_answer_is_cut_off_from_both_spans(engine: Engine, parent: Trace):
    one = job(engine, parent, kind="knockout", source="answer", target="latents")
    made, receipts = changed(engine, one)
    assert [receipt.span for receipt in receipts] == [0, 1]
    cuts = engine.live(engine.hold(made)).cache.cuts
    assert [cut.own for cut in cuts] == [(s.start, s.stop) for s in parent.spans]
    # nothing that is done to the second span's content reaches what is said behind it
    after = engine.branch(made, [core.Edit("gaussian", dose=4.0, mode="cached", span=1)])
    behind = made.spans[1].stop + 1
    assert torch.equal(engine.logits(after)[behind:], engine.logits(made)[behind:])


def test_the_answer_is_cut_off_from_the_picture_behind_the_last_span(engine: Engine, parent: Trace):
    one = job(engine, parent, kind="knockout", source="answer", target="image")
    made, receipts = changed(engine, one)
    assert len(receipts) == 1
    for ours, theirs in zip(made.spans, parent.spans, strict=True):
        assert torch.equal(ours.latents, theirs.latents)


@pytest.mark.parametrize("kind", ["markers", "delete"])
def test_no_latent_is_left(engine: Engine, parent: Trace, kind: str):
    made, receipts = changed(engine, job(engine, parent, kind=kind))
    assert made.spans == ()
    assert len(receipts) >= 2


def test_every_span_is_cut_short(engine: Engine, parent: Trace):
    made, _ = changed(engine, job(engine, parent, kind="truncate", count=1))
    assert [len(span) for span in made.spans] == [1] * len(made.spans)
    assert len(made.spans) >= 2


def test_where_the_donor_opened_fewer_the_means_stand_in(engine: Engine, parent: Trace):
    donor = saying(engine, "xSxxxxxxxxxx", seed=2)
    assert len(donor.spans) == 1
    without = change_all(engine, [job(engine, parent, donor, kind="transplant")])[0]
    assert isinstance(without, InputError)
    assert "nothing for span 2" in str(without)
    slots = change_all(engine, [job(engine, parent, donor, kind="slot", mode="cached")])[0]
    assert isinstance(slots, InputError)
    bank = engine.build_bank([(tiny.picture(3), "What colour?")], "one", force_latents=True)
    try:
        made, _ = changed(engine, job(engine, parent, donor, kind="transplant"))
        assert torch.equal(made.spans[0].latents, donor.spans[0].latents)
        means = torch.stack([bank.at(bank.mean, k) for k in range(4)])
        assert torch.allclose(made.spans[1].latents, means)
    finally:
        engine.bank = None


def test_a_run_of_endless_spans_is_left_out_and_says_so(
    engine: Engine, parent: Trace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(spans, "MOST", 1)
    found = change_all(engine, [job(engine, parent, kind="gaussian", dose=1.0, mode="cached")])[0]
    assert "more than 1 spans" in str(found)


def test_runs_go_together_as_alone(engine: Engine, parent: Trace, donor: Trace):
    """What is made on the way is forgotten."""
    jobs = [job(engine, run, kind="gaussian", dose=1.0, mode="cached") for run in (parent, donor)]
    names: list[str] = []
    together = change_all(engine, jobs, made=names)
    assert len(names) == 4
    held = {name for name in names if engine.store.by_id(name) is not None}
    assert held == {found[0].id for found in together}  # type: ignore[index]
    for one, found in zip(jobs, together, strict=True):
        assert found[0].token_ids == changed(engine, one)[0].token_ids  # type: ignore[index]


def test_the_engine_alone_is_the_path(tmp_path: Path, engine: Engine, parent: Trace):
    """Branching by hand, span after span, gives what the study's chain gives."""
    made, _ = changed(engine, job(engine, parent, kind="zero", mode="cached"))
    first = engine.branch(parent, [core.Edit("zero", mode="cached")])
    second = engine.branch(first, [core.Edit("zero", mode="cached", span=1)])
    assert made.token_ids == second.token_ids
    assert torch.equal(engine.logits(made), engine.logits(second))
