"""A branch of a branch is that branch with one thing more changed."""

from typing import Any

import pytest
import torch

from core.engine import Engine
from core.errors import EditError
from core.records import MODES, Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

ASKED: dict[str, Any] = {"force_latents": True, "budget": 5, "max_new_tokens": 14}


@pytest.fixture(params=["monet", "lvr"])
def engine(request: pytest.FixtureRequest, lab: Lab) -> Engine:
    return lab(request.param)


@pytest.fixture
def root(engine: Engine) -> Trace:
    return engine.run(tiny.picture(1), "What colour?", **ASKED)


def vector(seed: int) -> torch.Tensor:
    return torch.randn(tiny.WIDTH, generator=torch.Generator().manual_seed(seed))


def close(engine: Engine, a: Trace, b: Trace) -> bool:
    return a.token_ids == b.token_ids and bool(
        (engine.logits(a) - engine.logits(b)).abs().max() <= 1e-5
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [(1, 3), (3, 1)])
def test_two_edits_in_turn_are_both_edits_at_once(
    engine: Engine, root: Trace, mode: str, order: tuple[int, int]
) -> None:
    edits = {k: Edit("manual", [k], values=vector(k), mode=mode) for k in order}
    child = engine.branch(root, [edits[order[0]]])
    grandchild = engine.branch(child, [edits[order[1]]])
    at_once = engine.branch(root, [edits[1], edits[3]])
    for k in order:
        assert torch.equal(grandchild.spans[0].latents[k], vector(k))
    assert close(engine, grandchild, at_once)
    assert grandchild.parent == child.id
    assert [len(edits) for edits in grandchild.lineage] == [1, 1]


def test_a_later_edit_of_the_same_step_takes_its_place(engine: Engine, root: Trace) -> None:
    child = engine.branch(root, [Edit("manual", [2], values=vector(1))])
    grandchild = engine.branch(child, [Edit("manual", [2], values=vector(2))])
    assert close(engine, grandchild, engine.branch(root, [Edit("manual", [2], values=vector(2))]))
    before, after = vector(1), vector(2)
    wanted = float((after - before).norm() / before.norm())
    assert grandchild.receipts[0].epsilon == pytest.approx(wanted, rel=1e-5)


def test_an_edit_in_front_of_a_truncation_leaves_it_truncated(engine: Engine, root: Trace) -> None:
    child = engine.branch(root, [Edit("truncate", count=3)])
    grandchild = engine.branch(child, [Edit("manual", [0], values=vector(4))])
    assert len(grandchild.spans[0]) == 3
    other = engine.branch(root, [Edit("manual", [0], values=vector(4))])
    assert close(engine, grandchild, engine.branch(other, [Edit("truncate", count=3)]))


def test_what_a_pinned_edit_held_stays_held(engine: Engine, root: Trace) -> None:
    child = engine.branch(root, [Edit("manual", [2], values=vector(5), mode="pinned")])
    grandchild = engine.branch(child, [Edit("manual", [0], values=vector(6))])
    latents = grandchild.spans[0].latents
    assert torch.equal(latents[0], vector(6))
    assert not torch.equal(latents[1], root.spans[0].latents[1])  # was free, is recomputed
    assert torch.equal(latents[2], vector(5))
    assert torch.equal(latents[3:], root.spans[0].latents[3:])


def test_a_knockout_stays_in_force(engine: Engine, root: Trace) -> None:
    """With every edge to the latents cut, no edit of a latent reaches the answer."""
    child = engine.branch(root, [Edit("knockout", source="answer", target="latents")])
    stop = root.spans[0].stop
    grandchild = engine.branch(child, [Edit("zero", mode="cached")])
    ours, theirs = engine.logits(grandchild), engine.logits(child)
    # the last latent's own pass predicts the first token behind the span
    assert torch.equal(ours[stop + 1 :], theirs[stop + 1 :])


def test_slots_computed_one_by_one_are_not_decoded_again(engine: Engine, root: Trace) -> None:
    donor = engine.run(tiny.picture(3), "Where does the path lead?", **ASKED)
    for made in (Edit("zero", [1], mode="cached"), Edit("slot", [1], donor=donor)):
        child = engine.branch(root, [made])
        for edit in (Edit("zero", [3]), Edit("zero", [0], mode="pinned")):
            with pytest.raises(EditError, match="one by one"):
                engine.branch(child, [edit])
        assert engine.branch(child, [Edit("gaussian", [3], mode="cached")]).receipts
        assert engine.branch(child, [Edit("forbid")]).spans == ()
    swapped = engine.branch(root, [Edit("slot", [1], donor=donor)])
    with pytest.raises(EditError, match="swapped"):
        engine.branch(swapped, [Edit("zero", [1], mode="cached")])


def test_cached_edits_of_two_steps_do_not_see_each_other(engine: Engine, root: Trace) -> None:
    one = Edit("manual", [0], values=vector(7), mode="cached")
    two = Edit("manual", [2], values=vector(8), mode="cached")
    child = engine.branch(engine.branch(root, [one]), [two])
    alone = engine.branch(root, [two])
    assert torch.equal(child.spans[0].hidden[2], alone.spans[0].hidden[2])


def test_a_deleted_span_takes_its_edits_with_it_and_leaves_the_others(lab: Lab) -> None:
    from tests.core.engine.scripts import saying

    engine = lab("monet-sft")
    root = saying(engine, "SxxxxxxxxSxxxxxxx", longest=20, budget=3)
    child = engine.branch(root, [Edit("manual", [1], values=vector(9), span=1)])
    grandchild = engine.branch(child, [Edit("delete")])
    if grandchild.spans:  # the words moved; where a span comes again its edit does too
        assert torch.equal(grandchild.spans[0].latents[1], vector(9))
    assert all(not torch.equal(s.latents[1], vector(9)) for s in grandchild.spans[1:])


def test_the_whole_family_is_replayed_after_it_was_dropped(engine: Engine, root: Trace) -> None:
    child = engine.branch(root, [Edit("gaussian", [1], dose=1.0, mode="pinned")])
    grandchild = engine.branch(child, [Edit("rotate", [3], angle=80.0)])
    last = engine.branch(grandchild, [Edit("truncate", count=4)])
    before = [engine.logits(t) for t in (root, child, grandchild, last)]
    engine.store.drop_live()
    after = [engine.logits(t) for t in (last, grandchild, child, root)][::-1]
    for a, b in zip(before, after, strict=True):
        assert torch.equal(a, b)
