"""The numbers on a receipt, against the same numbers worked out by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from core.engine import Engine
from core.engine.dose import dose
from core.records import MODES, Bank, Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

ASKED: dict[str, Any] = {"force_latents": True, "budget": 4, "max_new_tokens": 10}


@pytest.fixture
def engine(lab: Lab) -> Engine:
    return lab("monet-sft")


@pytest.fixture
def parent(engine: Engine) -> Trace:
    return engine.run(tiny.picture(1), "What colour?", **ASKED)


@pytest.fixture
def donor(engine: Engine) -> Trace:
    return engine.run(tiny.picture(5), "Where does the path lead?", **ASKED)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a.double() @ b.double() / (a.double().norm() * b.double().norm()))


@pytest.mark.parametrize("mode", ["pinned", "cached"])
def test_epsilon_cosine_ratio_and_hidden_change(engine: Engine, parent: Trace, mode: str) -> None:
    edit = Edit("manual", [0, 2], mode=mode, values=torch.randn(2, tiny.WIDTH))
    child = engine.branch(parent, [edit])
    receipt = child.receipts[0]
    assert (receipt.kind, receipt.mode, receipt.span) == ("manual", mode, 0)
    old, new = parent.spans[0], child.spans[0]
    assert [d.step for d in receipt.doses] == [0, 2]
    for at in receipt.doses:
        z, fed = old.latents[at.step], new.latents[at.step]
        h, now = old.hidden[at.step], new.hidden[at.step]
        assert torch.equal(fed, edit.values[at.step // 2])  # type: ignore[index]
        assert at.epsilon == pytest.approx(float((fed - z).norm() / z.norm()), rel=1e-5)
        assert at.cosine == pytest.approx(cosine(z, fed), abs=1e-6)
        assert at.norm_ratio == pytest.approx(float(fed.norm() / z.norm()), rel=1e-5)
        assert at.hidden_change == pytest.approx(float((now - h).norm() / h.norm()), rel=1e-4)
        assert at.percentile is None
    assert receipt.epsilon == pytest.approx(sum(d.epsilon for d in receipt.doses) / 2)


@pytest.mark.parametrize("mode", MODES)
def test_what_each_kind_promises_is_what_is_delivered(
    engine: Engine, parent: Trace, donor: Trace, mode: str
) -> None:
    def delivered(edit: Edit) -> tuple[Any, Tensor]:
        child = engine.branch(parent, [edit])
        return child.receipts[0].doses, child.spans[0].latents

    doses, _ = delivered(Edit("gaussian", mode=mode, dose=0.37))
    assert [d.epsilon for d in doses] == pytest.approx([0.37] * 4, rel=1e-5)
    doses, _ = delivered(Edit("gaussian", mode=mode, dose=0.9, renorm=True))
    assert [d.norm_ratio for d in doses] == pytest.approx([1.0] * 4, rel=1e-5)
    doses, _ = delivered(Edit("rotate", mode=mode, angle=60.0))
    assert [d.cosine for d in doses] == pytest.approx([0.5] * 4, abs=1e-5)
    assert [d.norm_ratio for d in doses] == pytest.approx([1.0] * 4, rel=1e-5)
    assert [d.epsilon for d in doses] == pytest.approx([2 * math.sin(math.pi / 6)] * 4, rel=1e-5)
    doses, fed = delivered(Edit("zero", mode=mode))
    assert [(d.epsilon, d.cosine, d.norm_ratio) for d in doses] == [(1.0, 0.0, 0.0)] * 4
    assert not fed.any()
    doses, fed = delivered(Edit("swap", mode=mode, donor=donor))
    assert torch.equal(fed, donor.spans[0].latents)
    doses, fed = delivered(Edit("slerp", mode=mode, donor=donor, fraction=1.0, steps=[0]))
    z, other = parent.spans[0].latents[0], donor.spans[0].latents[0]
    assert cosine(fed[0], other) == pytest.approx(1.0, abs=1e-5)
    assert float(fed[0].norm()) == pytest.approx(float(z.norm()), rel=1e-5)
    doses, fed = delivered(Edit("slerp", mode=mode, donor=donor, fraction=0.25, steps=[0]))
    quarter = math.acos(cosine(z, other)) / 4
    assert doses[0].cosine == pytest.approx(math.cos(quarter), abs=1e-5)
    _, fed = delivered(Edit("permute", mode=mode, order=[3, 2, 1, 0]))
    assert torch.equal(fed, parent.spans[0].latents.flip(0))
    _, fed = delivered(Edit("repeat_first", mode=mode))
    assert torch.equal(fed, parent.spans[0].latents[:1].expand(4, -1))
    _, fed = delivered(Edit("shared", mode=mode))
    assert torch.equal(fed, parent.spans[0].latents.mean(0).expand(4, -1))
    _, fed = delivered(Edit("token", mode=mode, token=17))
    assert torch.equal(fed, engine.embed(17).expand(4, -1))
    _, fed = delivered(Edit("filler", mode=mode))
    assert torch.equal(fed, engine.embed(engine.ids.pad).expand(4, -1))
    rows, columns = parent.prompt.grid
    _, fed = delivered(Edit("patch", mode=mode, patch=(rows - 1, columns - 1)))
    assert torch.equal(fed, engine.patches(parent)[-1].expand(4, -1))


def test_a_patch_is_the_one_at_that_place_of_the_picture(engine: Engine, parent: Trace) -> None:
    """Rows and columns are the picture's: only the patch whose pixels changed is another."""
    image = tiny.picture(1)  # 84 × 56 px: 3 columns, 2 rows of merged patches
    assert parent.prompt.grid == (2, 3)
    changed = image.copy()
    changed.paste((0, 0, 0), (56, 28, 84, 56))
    other = engine.run(changed, "What colour?", **ASKED)
    moved = (engine.patches(parent) - engine.patches(other)).norm(dim=-1).view(2, 3)
    assert int(moved.argmax()) == 1 * 3 + 2


def test_a_drawn_permutation_moves_every_step(engine: Engine, parent: Trace) -> None:
    natural = parent.spans[0].latents
    for seed in range(6):
        fed = engine.branch(parent, [Edit("permute", seed=seed, mode="pinned")]).spans[0].latents
        found = [next(k for k in range(4) if torch.equal(natural[k], vector)) for vector in fed]
        assert sorted(found) == [0, 1, 2, 3]
        assert all(k != place for place, k in enumerate(found))


def test_percentiles_and_means_come_from_the_bank(engine: Engine, parent: Trace) -> None:
    latents = torch.randn(50, 3, tiny.WIDTH, generator=torch.Generator().manual_seed(0))
    engine.bank = Bank(latents)
    mean = latents.mean(0)
    child = engine.branch(parent, [Edit("step_mean", mode="pinned")])
    # the bank has three steps; its last serves for later ones
    assert torch.allclose(child.spans[0].latents, mean[[0, 1, 2, 2]], atol=1e-6)
    assert [d.percentile for d in child.receipts[0].doses] == [0.0] * 4
    child = engine.branch(parent, [Edit("global_mean", mode="pinned")])
    assert torch.allclose(child.spans[0].latents[0], latents.flatten(0, 1).mean(0), atol=1e-6)
    values = latents[:4, 1] * 1.0
    child = engine.branch(parent, [Edit("manual", [1], values=values[0], mode="pinned")])
    away = (latents[:, 1] - mean[1]).norm(dim=-1)
    nearer = float((away < away[0]).float().mean()) * 100
    assert child.receipts[0].percentile == pytest.approx(nearer, abs=2.01)
    child = engine.branch(parent, [Edit("gaussian", [0], dose=50.0)])
    assert child.receipts[0].percentile == 100.0
    child = engine.branch(parent, [Edit("resample", mode="pinned", seed=1)])
    assert [d.norm_ratio for d in child.receipts[0].doses] == pytest.approx([1.0] * 4, rel=1e-5)


def test_noise_depends_on_seed_span_and_step_alone(engine: Engine, parent: Trace) -> None:
    def fed(**given: Any) -> Tensor:
        return engine.branch(parent, [Edit("gaussian", mode="pinned", **given)]).spans[0].latents

    whole = fed(seed=1)
    assert torch.equal(fed(seed=1, steps=[2])[2], whole[2])
    assert torch.equal(fed(seed=1, dose=1.0), whole)
    assert not torch.equal(fed(seed=2)[2], whole[2])
    twice = (fed(seed=1, dose=2.0) - parent.spans[0].latents) / 2
    assert torch.allclose(twice, whole - parent.spans[0].latents, atol=1e-5)


def test_a_dose_of_nothing_on_nothing() -> None:
    nothing, something = torch.zeros(3), torch.tensor([3.0, 0.0, 4.0])
    assert dose(0, nothing, nothing).epsilon == 0.0
    assert dose(0, nothing, something).epsilon == math.inf
    still = dose(2, something, something.clone())
    assert (still.epsilon, still.cosine, still.norm_ratio) == (0.0, 1.0, 1.0)
    turned = dose(1, something, -something)
    assert (turned.epsilon, turned.cosine, turned.norm_ratio) == (2.0, -1.0, 1.0)
