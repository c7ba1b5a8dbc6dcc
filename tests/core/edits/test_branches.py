"""Many branches in one batch are the branches one by one, and leave their parent as it was."""

from typing import Any

import pytest
import torch

from core import edits
from core.engine import Engine
from core.records import MODES, Bank, Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.scripts import saying

ASKED: dict[str, Any] = {"force_latents": True, "budget": 4, "max_new_tokens": 12}


def every_kind(engine: Engine, parent: Trace, donor: Trace) -> dict[str, list[Edit]]:
    """Every kind there is, each at other steps."""
    draw = torch.Generator().manual_seed(1)
    filled: dict[str, dict[str, Any]] = {
        "gaussian": {"dose": 0.7, "seed": 3},
        "rotate": {"angle": 50.0},
        "swap": {"donor": donor},
        "slerp": {"donor": donor, "fraction": 0.4},
        "steer": {"donor": donor, "dose": 0.6},
        "slot": {"donor": donor},
        "permute": {"order": [2, 0, 1], "steps": [0, 1, 2]},
        "token": {"token": " the"},
        "filler": {"token": "?"},
        "patch": {"patch": (1, 0)},
        "manual": {"values": torch.randn(tiny.WIDTH, generator=draw)},
        "truncate": {"count": 2},
        "extend": {"count": 6},
        "text": {"text": "a path"},
        "sham": {"dose": 0.7, "seed": 3},
        "picture": {"values": engine.see(tiny.picture(3), parent), "fraction": 0.7},
    }
    out: dict[str, list[Edit]] = {}
    for at, kind in enumerate(edits.kinds()):
        given = {"steps": [at % 4]} if kind.locus in ("content", "slot") else {}
        given |= filled.get(kind.name, {})
        out[kind.name] = [Edit(kind.name, **given)]
    return out


def bank() -> Bank:
    return Bank(torch.randn(20, 4, tiny.WIDTH, generator=torch.Generator().manual_seed(2)))


def assert_close(engine: Engine, a: Trace, b: Trace) -> None:
    assert a.token_ids == b.token_ids
    assert a.ended_by == b.ended_by
    assert float((engine.logits(a) - engine.logits(b)).abs().max()) <= 1e-4
    for x, y in zip(a.spans, b.spans, strict=True):
        assert (x.start, x.ended_by) == (y.start, y.ended_by)
        assert float((x.latents - y.latents).abs().max()) <= 1e-4
        assert float((x.hidden - y.hidden).abs().max()) <= 1e-4
    for one, two in zip(a.receipts, b.receipts, strict=True):
        assert one.epsilon == pytest.approx(two.epsilon, abs=1e-4)
        assert one.note == two.note


@pytest.mark.parametrize(
    ("family", "kernel"),
    [
        ("monet", "sdpa"),
        ("monet-sft", "eager"),
        ("mirage", "sdpa"),
        ("lvr+simple", "eager"),
        ("skila", "sdpa"),
    ],
)
def test_all_kinds_in_all_modes_together_equal_one_by_one(
    lab: Lab, family: str, kernel: str
) -> None:
    name, _, head = family.partition("+")
    engine = lab(name, kernel, head)
    engine.bank = bank()
    parent = engine.run(tiny.picture(1), "What colour?", **ASKED)
    donor = engine.run(tiny.picture(2, (112, 56)), "Where does the path lead?", **ASKED)
    lists: list[list[Edit]] = []
    for kind, edit in every_kind(engine, parent, donor).items():
        if kind == "text":
            continue
        modal = edits.get(kind).locus in ("content", "prompt")
        for mode in MODES if modal else MODES[:1]:
            lists.append([Edit(**{**vars(edit[0]), "mode": mode})])
    together = engine.branches(parent, lists)
    for edit_list, child in zip(lists, together, strict=True):
        single = engine.branch(parent, edit_list)
        assert_close(engine, child, single)
        assert child.parent == parent.id
        assert child.lineage == (tuple(edit_list),)
        assert child.prompt == parent.prompt


def test_more_branches_than_fit_one_pass_equal_single_ones(lab: Lab) -> None:
    engine = lab("monet-sft")
    parent = saying(engine, "xxSxxxxxxx", longest=12)
    lists = [
        [Edit("gaussian", steps=[k % 4], dose=0.1 * k, seed=k, mode=MODES[k % 3])]
        for k in range(70)
    ]
    together = engine.branches(parent, lists)
    assert len(together) == 70
    for k in range(0, 70, 6):
        assert_close(engine, together[k], engine.branch(parent, lists[k]))
    assert len({child.id for child in together}) == 70


def test_several_edits_at_several_steps_in_one_branch(lab: Lab) -> None:
    engine = lab("monet-sft")
    parent = engine.run(tiny.picture(1), "What colour?", **ASKED)
    for mode in MODES:
        many = [
            Edit("zero", steps=[0], mode=mode),
            Edit("gaussian", steps=[0, 2], dose=0.5, mode=mode, seed=4),
            Edit("rotate", steps=[2], angle=20, mode=mode),
        ]
        child = engine.branch(parent, many)
        other, plain = engine.branches(parent, [many, [Edit("zero", steps=[0], mode=mode)]])
        assert_close(engine, child, other)
        assert [len(r.doses) for r in child.receipts] == [1, 2, 1]
        # zero first, then noise relative to what is there: nothing
        assert torch.equal(child.spans[0].latents[0], torch.zeros(tiny.WIDTH))
        assert torch.equal(plain.spans[0].latents[0], torch.zeros(tiny.WIDTH))


@pytest.mark.parametrize(("family", "kernel"), [("monet", "sdpa"), ("lvr", "eager")])
def test_the_parent_stays_bit_equal(lab: Lab, family: str, kernel: str) -> None:
    engine = lab(family, kernel)
    parent = saying(engine, "xSxxxxxxxSxxExx", longest=15)
    live = engine.live(engine.hold(parent))
    before = [t.clone() for pair in (*live.cache.prompt, *live.cache.own) for t in pair]
    hidden, logits = [h.clone() for h in live.hidden], engine.logits(parent)
    donor = engine.run(tiny.picture(2), "Count.", **ASKED)
    for kind, edit in every_kind(engine, parent, donor).items():
        if "bank" not in edits.get(kind).needs and kind != "text":
            engine.branches(parent, [edit, [Edit("zero", mode="cached")], [Edit("identity")]])
    after = [t for pair in (*live.cache.prompt, *live.cache.own) for t in pair]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(hidden, live.hidden, strict=True))
    assert torch.equal(engine.logits(parent), logits)


def test_branches_that_end_at_different_times_are_each_whole(lab: Lab) -> None:
    engine = lab("monet-sft")
    parent = saying(engine, "xSxxxxxxxx", longest=14)
    lists = [
        [Edit("truncate", count=1)],
        [Edit("extend", count=9)],
        [Edit("forbid")],
        [Edit("identity")],
        [Edit("delete")],
    ]
    together = engine.branches(parent, lists)
    for edit_list, child in zip(lists, together, strict=True):
        assert_close(engine, child, engine.branch(parent, edit_list))


def test_children_that_were_not_kept_are_replayed(lab: Lab) -> None:
    engine = lab("monet")
    parent = engine.run(tiny.picture(1), "What colour?", **ASKED)
    lists = [[Edit("gaussian", steps=[k % 4], seed=k)] for k in range(20)]
    children = engine.branches(parent, lists)
    assert all(engine.hold(child).live is None for child in children)
    single = engine.branch(parent, lists[7])
    assert_close(engine, children[7], single)
    deeper = [Edit("zero", steps=[2])]
    assert_close(engine, engine.branch(children[7], deeper), engine.branch(single, deeper))


def test_no_edit_lists_make_no_branches(lab: Lab) -> None:
    engine = lab("monet")
    assert engine.branches(engine.run(tiny.picture(1), "What?", **ASKED), []) == []
