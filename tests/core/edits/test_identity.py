"""The control that must do nothing: an identity edit is bit-equal, wherever it is put."""

from itertools import product
from typing import Any

import pytest
import torch

from core import families
from core.engine import Engine
from core.errors import EditError
from core.records import MODES, Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import saying

LATENT = [name for name in families.names() if families.get(name).latent]
KERNELS = ("sdpa", "eager")
TWO_SPANS = "xSxxxxxxSxxExxx"
ASKED: dict[str, Any] = {"force_latents": True, "budget": 5, "max_new_tokens": 12}


def assert_the_same(engine: Engine, child: Trace, parent: Trace) -> None:
    assert child.token_ids == parent.token_ids
    assert child.sampled_ids == parent.sampled_ids
    assert child.logprobs == parent.logprobs
    assert child.top == parent.top
    assert child.ended_by == parent.ended_by
    assert child.text == parent.text
    assert torch.equal(engine.logits(child), engine.logits(parent))
    assert [(s.start, s.ended_by) for s in child.spans] == [
        (s.start, s.ended_by) for s in parent.spans
    ]
    for a, b in zip(child.spans, parent.spans, strict=True):
        assert torch.equal(a.latents, b.latents)
        assert torch.equal(a.hidden, b.hidden)


def assert_no_dose(child: Trace) -> None:
    for receipt in child.receipts:
        assert receipt.doses
        for dose in receipt.doses:
            assert (dose.epsilon, dose.hidden_change) == (0.0, 0.0)
            assert dose.cosine == 1.0
            assert dose.norm_ratio == pytest.approx(1.0)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", [*LATENT, "lvr+simple"])
def test_identity_is_bit_equal(lab: Lab, family: str, kernel: str) -> None:
    name, _, head = family.partition("+")
    engine = lab(name, kernel, head)
    parent = saying(engine, TWO_SPANS, longest=18)
    assert len(parent.spans) >= 1
    for span, mode in product(range(len(parent.spans)), MODES):
        for steps in (None, [len(parent.spans[span]) - 1]):
            child = engine.branch(parent, [Edit("identity", steps, span, mode)])
            assert_the_same(engine, child, parent)
            assert_no_dose(child)


@pytest.mark.parametrize("family", ["monet", "lvr"])
def test_identity_is_bit_equal_after_other_branches_were_made(lab: Lab, family: str) -> None:
    engine = lab(family)
    parent = engine.run(tiny.picture(1), "What colour?", **ASKED)
    for mode in MODES:
        identity = [Edit("identity", steps=[1, 3], mode=mode)]
        engine.branches(parent, [[Edit("gaussian", seed=s, mode=mode)] for s in range(5)])
        engine.branch(parent, [Edit("truncate", count=2)])
        assert_the_same(engine, engine.branch(parent, identity), parent)
        engine.store.drop_live()
        assert_the_same(engine, engine.branch(parent, identity), parent)


@pytest.mark.parametrize(
    ("family", "kernel"),
    [("monet", "sdpa"), ("monet-sft", "eager"), ("mirage", "sdpa"), ("lvr", "eager")],
)
@pytest.mark.parametrize(
    "made",
    [
        Edit("gaussian", steps=[2], dose=1.0),
        Edit("gaussian", steps=[1, 3], dose=1.0, mode="pinned"),
        Edit("zero", steps=[0]),
        Edit("truncate", count=3),
        Edit("extend", count=7),
        Edit("knockout", source="latents", target="latents"),
    ],
    ids=lambda edit: f"{edit.kind}-{edit.mode}",
)
def test_identity_is_bit_equal_on_children_and_grandchildren(
    lab: Lab, family: str, made: Edit, kernel: str
) -> None:
    engine = lab(family, kernel)
    root = engine.run(tiny.picture(1), "What colour?", **ASKED)
    child = engine.branch(root, [made])
    assert child.token_ids != root.token_ids or not torch.equal(
        engine.logits(child), engine.logits(root)
    )
    made_again = {mode: engine.branch(child, [Edit("identity", mode=mode)]) for mode in MODES}
    engine.store.drop_live()
    for mode, grandchild in made_again.items():
        assert_the_same(engine, grandchild, child)
        assert_no_dose(grandchild)
        assert_the_same(engine, engine.branch(grandchild, [Edit("identity", mode=mode)]), child)


@pytest.mark.parametrize("family", ["monet-sft", "lvr"])
def test_identity_is_bit_equal_on_a_branch_made_in_cached_mode(lab: Lab, family: str) -> None:
    engine = lab(family)
    root = engine.run(tiny.picture(1), "What colour?", **ASKED)
    for made in (Edit("gaussian", steps=[1], mode="cached"), Edit("zero", mode="cached")):
        child = engine.branch(root, [made])
        grandchild = engine.branch(child, [Edit("identity", mode="cached")])
        assert_the_same(engine, grandchild, child)
        assert_the_same(engine, engine.branch(grandchild, [Edit("identity", mode="cached")]), child)
        for mode in ("propagate", "pinned"):
            with pytest.raises(EditError, match="one by one"):
                engine.branch(child, [Edit("identity", mode=mode)])
