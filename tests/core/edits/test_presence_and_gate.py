"""Whether, and how many, latents there are: truncate, extend, delete, markers, forbid, force."""

from typing import Any

import pytest
import torch

from core.engine import Engine
from core.errors import EditError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import saying
from tests.core.engine.test_cached_decode import difference, recomputed

FAMILIES = ["monet", "monet-sft", "mirage", "ilvr", "lvr", "skila"]
ASKED: dict[str, Any] = {"force_latents": True, "budget": 5, "max_new_tokens": 16}


@pytest.fixture(params=FAMILIES)
def engine(request: pytest.FixtureRequest, lab: Lab) -> Engine:
    return lab(request.param)


@pytest.fixture
def parent(engine: Engine) -> Trace:
    return engine.run(tiny.picture(1), "What colour?", **ASKED)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_truncate_keeps_the_first_latents_and_goes_on(
    engine: Engine, parent: Trace, count: int
) -> None:
    child = engine.branch(parent, [Edit("truncate", count=count)])
    assert torch.equal(child.spans[0].latents, parent.spans[0].latents[:count])
    assert len(child.spans[0]) == count
    if engine.family.emit == "forced":
        assert child.token_ids[child.spans[0].stop] == engine.ids.end
    # what a run with that budget says
    shorter = engine.run(tiny.picture(1), "What colour?", **{**ASKED, "budget": count})
    assert child.token_ids == shorter.token_ids
    assert difference(engine.logits(child), engine.logits(shorter)) <= 1e-4


def test_extend_goes_on_where_the_span_ended(engine: Engine, parent: Trace) -> None:
    child = engine.branch(parent, [Edit("extend", count=8)])
    assert len(child.spans[0]) == 8
    assert torch.equal(child.spans[0].latents[:5], parent.spans[0].latents)
    longer = engine.run(tiny.picture(1), "What colour?", **{**ASKED, "budget": 8})
    assert child.token_ids == longer.token_ids
    assert difference(engine.logits(child), engine.logits(longer)) <= 1e-4


@pytest.mark.parametrize("family", ["monet", "monet-sft", "skila", "laser"])
def test_extend_passes_an_end_the_model_chose(lab: Lab, family: str) -> None:
    engine = lab(family)
    parent = saying(engine, "SxxExxxx" if family != "laser" else "xxyExxxx", longest=12, budget=4)
    had = len(parent.spans[0])
    assert parent.spans[0].ended_by == "end token"
    child = engine.branch(parent, [Edit("extend", count=had + 2)])
    assert len(child.spans[0]) == had + 2


def test_a_later_span_has_its_usual_length_again(lab: Lab) -> None:
    for family in ("monet", "monet-sft", "lvr", "skila"):
        engine = lab(family)
        script = "S" + "x" * 7 + "S" + "x" * 20
        parent = saying(engine, script, longest=24, budget=3)
        assert [len(s) for s in parent.spans] == [3, 3]
        # the script stands by place, so the second start is said two places later in the span
        child = engine.branch(parent, [Edit("extend", count=4)])
        assert [len(s) for s in child.spans] == [4, 3]
        child = engine.branch(parent, [Edit("truncate", count=1, span=1)])
        assert [len(s) for s in child.spans] == [3, 1]
        again = engine.branch(child, [Edit("gaussian", [0], span=0)])
        assert [len(s) for s in again.spans] == [3, 1]


def test_a_span_begun_by_a_start_token_inside_another_is_resized(lab: Lab) -> None:
    for family in ("monet-sft", "ilvr", "capimagine-loop"):
        engine = lab(family)
        parent = saying(engine, "SxxSxxxxxxxxx", longest=14, budget=6)
        first, second = parent.spans
        assert first.ended_by == "restart"
        child = engine.branch(parent, [Edit("truncate", count=2, span=1)])
        assert [len(s) for s in child.spans[:2]] == [len(first), 2]
        child = engine.branch(parent, [Edit("extend", count=len(second) + 2, span=1)])
        assert [len(s) for s in child.spans[:2]] == [len(first), len(second) + 2]


def test_delete_leaves_no_slot_behind(engine: Engine, parent: Trace) -> None:
    child = engine.branch(parent, [Edit("delete")])
    ids, span = engine.ids, parent.spans[0]
    lead = span.start if engine.family.start_slot == "latent" else span.start - 1
    after = span.stop
    while parent.token_ids[after] in (ids.end, *ids.markers):
        after += 1
    assert child.token_ids[:lead] == parent.token_ids[:lead]
    assert child.token_ids[lead] == parent.token_ids[after]
    assert not any(child.is_latent[: lead + 1])
    whole = recomputed(engine, engine.hold(parent).inputs, child)
    assert difference(engine.logits(child), whole) <= 1e-4


def test_markers_alone_are_what_is_left(engine: Engine, parent: Trace) -> None:
    child = engine.branch(parent, [Edit("markers")])
    ids, span = engine.ids, parent.spans[0]
    lead = span.start if engine.family.start_slot == "latent" else span.start - 1
    assert child.token_ids[lead] == ids.start
    assert child.token_ids[lead + 1] == ids.end
    assert not any(child.is_latent[: lead + 2])
    whole = recomputed(engine, engine.hold(parent).inputs, child)
    assert difference(engine.logits(child), whole) <= 1e-4


def test_forbid_bans_the_start_token_for_good(engine: Engine, parent: Trace) -> None:
    child = engine.branch(parent, [Edit("forbid")])
    assert not child.spans
    assert engine.ids.start not in child.sampled_ids
    if engine.family.prompt.before_start:  # the forced words in front of the span stay
        assert child.token_ids[0] == parent.token_ids[0]
        return
    asked = {k: v for k, v in ASKED.items() if k != "force_latents"}
    never = engine.run(tiny.picture(1), "What colour?", **asked, forbid_latents=True)
    assert child.token_ids == never.token_ids
    assert difference(engine.logits(child), engine.logits(never)) <= 1e-4


def test_force_makes_the_model_begin_with_its_start_token(engine: Engine, parent: Trace) -> None:
    asked = {k: v for k, v in ASKED.items() if k != "force_latents"}
    free = engine.run(tiny.picture(1), "What colour?", **asked, forbid_latents=True)
    with pytest.raises(EditError, match="no latent span"):
        engine.branch(free, [Edit("zero")])
    forced = engine.branch(free, [Edit("force")])
    assert forced.token_ids[: len(parent.token_ids)] == parent.token_ids
    assert difference(engine.logits(forced), engine.logits(parent)) <= 1e-4


def test_structural_edits_stand_alone(engine: Engine, parent: Trace) -> None:
    with pytest.raises(EditError, match="stands alone"):
        engine.branch(parent, [Edit("delete"), Edit("zero")])


def test_resizing_is_refused_where_it_makes_no_sense(lab: Lab) -> None:
    engine = lab("monet-sft")
    parent = engine.run(tiny.picture(1), "What colour?", **ASKED)
    for edit in (
        Edit("truncate"),
        Edit("truncate", count=0),
        Edit("truncate", count=5),
        Edit("truncate", count=9),
        Edit("extend", count=5),
        Edit("extend", count=10**6),
        Edit("extend"),
        Edit("truncate", count=2, span=1),
    ):
        with pytest.raises(EditError):
            engine.branch(parent, [edit])
