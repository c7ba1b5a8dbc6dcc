"""What becomes of the steps behind an edited one: recomputed, pinned, or cached."""

from typing import Any

import pytest
import torch
from torch import Tensor

from core import families
from core.engine import Engine
from core.records import MODES, Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import saying

ASKED: dict[str, Any] = {"force_latents": True, "budget": 5, "max_new_tokens": 14}


def slots(engine: Engine, trace: Trace) -> list[Tensor]:
    """Per layer and kind the own keys or values (n, H, d) of a run."""
    own = engine.live(engine.hold(trace)).cache.own
    return [t[0].transpose(0, 1) for pair in own for t in pair]


@pytest.fixture(params=["monet", "monet-sft", "mirage", "lvr", "lvr+simple", "skila"])
def engine(request: pytest.FixtureRequest, lab: Lab) -> Engine:
    name, _, head = request.param.partition("+")
    return lab(name, "sdpa", head)


@pytest.fixture
def parent(engine: Engine) -> Trace:
    return engine.run(tiny.picture(1), "What colour?", **ASKED)


def test_cached_changes_nothing_between_the_edit_and_the_answer(
    engine: Engine, parent: Trace
) -> None:
    span = parent.spans[0]
    for steps in ([1], [0, 3], [len(span) - 1], list(range(len(span)))):
        child = engine.branch(parent, [Edit("gaussian", steps, mode="cached", dose=2.0)])
        edited = {span.start + step for step in steps}
        for ours, theirs in zip(slots(engine, child), slots(engine, parent), strict=True):
            for place in range(span.stop):
                same = torch.equal(ours[place], theirs[place])
                assert same == (place not in edited), f"place {place}"
        assert len(child.spans[0]) == len(span)
        assert child.token_ids[: span.stop] == parent.token_ids[: span.stop]
        untouched = [k for k in range(len(span)) if k not in steps]
        assert torch.equal(child.spans[0].latents[untouched], span.latents[untouched])
        assert torch.equal(child.spans[0].hidden[untouched], span.hidden[untouched])
        assert not torch.equal(
            engine.logits(child)[span.stop :], engine.logits(parent)[span.stop :]
        )


def test_pinned_feeds_the_parents_vectors_behind_the_edit(engine: Engine, parent: Trace) -> None:
    span = parent.spans[0]
    child = engine.branch(parent, [Edit("gaussian", [1], mode="pinned", dose=2.0)])
    ours = child.spans[0]
    assert len(ours) == len(span)
    assert torch.equal(ours.latents[[0, 2, 3, 4]], span.latents[[0, 2, 3, 4]])
    assert not torch.equal(ours.latents[1], span.latents[1])
    assert child.token_ids[: span.stop] == parent.token_ids[: span.stop]
    # their inputs are held, what they compute is not: they see the edit through attention
    assert bool((ours.hidden[2:] != span.hidden[2:]).any(-1).all())
    for a, b in zip(slots(engine, child)[2:], slots(engine, parent)[2:], strict=True):
        assert not torch.equal(a[span.start + 2], b[span.start + 2])


def test_propagate_recomputes_what_follows(engine: Engine, parent: Trace) -> None:
    span = parent.spans[0]
    child = engine.branch(parent, [Edit("gaussian", [1], dose=2.0)])
    ours = child.spans[0]
    assert torch.equal(ours.latents[0], span.latents[0])
    assert bool((ours.latents[1:] != span.latents[1:]).any(-1).all())
    head, first = engine.loaded.head, families.get(parent.family).start_slot
    assert head is None or first == "embed"
    # each later latent is what the slot before it computed
    assert torch.equal(ours.latents[2:], ours.hidden[1:-1])


@pytest.mark.parametrize("mode", MODES)
def test_an_edit_with_a_dose_is_always_seen_where_it_was_put(
    engine: Engine, parent: Trace, mode: str
) -> None:
    edits = [
        Edit("gaussian", mode=mode, dose=1e-3),
        Edit("zero", mode=mode),
        Edit("rotate", mode=mode, angle=1.0),
        Edit("permute", mode=mode),
        Edit("token", mode=mode, token=" the"),
        Edit("patch", mode=mode, patch=(0, 1)),
    ]
    for child in engine.branches(parent, [[edit] for edit in edits]):
        doses = child.receipts[0].doses
        assert [dose.step for dose in doses] == list(range(5))
        for dose in doses:
            assert dose.epsilon > 0
            assert dose.hidden_change is not None
            assert dose.hidden_change > 0


@pytest.mark.parametrize("mode", MODES)
def test_the_second_span_is_edited_and_the_first_left_alone(lab: Lab, mode: str) -> None:
    engine = lab("monet-sft")
    parent = saying(engine, "xSxxxxxxSxxxxxxx", longest=18)
    first, second = parent.spans
    child = engine.branch(parent, [Edit("gaussian", [1], span=1, mode=mode, dose=1.0)])
    assert torch.equal(child.spans[0].latents, first.latents)
    assert torch.equal(child.spans[1].latents[0], second.latents[0])
    assert not torch.equal(child.spans[1].latents[1], second.latents[1])
    assert child.receipts[0].span == 1
    assert child.token_ids[: second.start + 1] == parent.token_ids[: second.start + 1]


def test_pinned_keeps_the_length_of_a_span_that_ended_by_itself(lab: Lab) -> None:
    for family in ("monet", "monet-sft", "skila"):
        engine = lab(family)
        parent = saying(engine, "xSxxExxx", longest=9, budget=8)
        span = parent.spans[0]
        assert span.ended_by == "end token"
        for mode in ("pinned", "cached"):
            child = engine.branch(parent, [Edit("zero", [0], mode=mode)])
            assert len(child.spans[0]) == len(span)
            assert child.token_ids[span.stop] == engine.ids.end


def test_an_edit_of_a_span_the_run_ended_in(lab: Lab) -> None:
    """A run cut off inside its span can be edited, but not where only an answer would see it."""
    engine = lab("monet-sft")
    parent = saying(engine, "xSxxxx", longest=5, budget=8)
    assert parent.spans[0].ended_by == "length"
    for mode in ("propagate", "pinned"):
        child = engine.branch(parent, [Edit("zero", [0], mode=mode)])
        assert child.receipts[0].hidden_change is not None
        assert child.receipts[0].hidden_change > 0
        assert len(child.token_ids) == 5
