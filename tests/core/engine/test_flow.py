"""Branches handed over as they end: those made alone, whatever else is made or goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
import torch

from core.engine import Engine, branching, packing
from core.engine.flow import flow
from core.errors import EditError, MemoryShortage
from core.records import Edit, Trace
from tests.core.engine.conftest import Lab
from tests.core.engine.test_cached_decode import QUESTIONS
from tests.core.engine.test_refill import same, widest

LISTS = [
    *[[Edit("gaussian", steps=[step], dose=dose)] for dose in (0.4, 1.5) for step in range(4)],
    [Edit("gaussian", steps=[1], dose=0.7, mode="cached")],
    [Edit("knockout", source="answer", target="latents")],
    *[[Edit("truncate", count=count)] for count in (1, 2, 3)],
    [Edit("markers")],
    [Edit("gaussian", steps=[1, 2], dose=0.7, mode="pinned")],
    [Edit("sham", steps=[0], dose=0.5)],
    [Edit("sham", steps=[1], dose=2.0, mode="cached")],
]


LENGTHS = [7, 16, 9, 21, 8, 12, 18]


@contextmanager
def ending(engine: Engine) -> Iterator[None]:
    """Branches say very unlike numbers of words, in the order in which they are begun."""
    usual, count = branching.fork_row, iter(range(1000))

    def fork_row(*args: Any, **more: Any) -> Any:
        row = usual(*args, **more)
        row.forced = {row.place + LENGTHS[next(count) % len(LENGTHS)]: engine.ids.eos[0]}
        return row

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(branching, "fork_row", fork_row)
        yield


def parent(engine: Engine) -> Trace:
    return engine.run(*QUESTIONS[1], budget=4, force_latents=True, max_new_tokens=30)


def made(engine: Engine, run: Trace, most: int, **more: Any) -> tuple[list[Any], list[int]]:
    """What came of every list, in their order; and how many were handed over at a time."""
    found: dict[int, Any] = {}
    handed = []
    for some in flow(engine, run, more.pop("lists", LISTS), most, **more):
        assert not found.keys() & {place for place, _ in some}
        found.update(some)
        handed.append(len(some))
    return [found[place] for place in sorted(found)], handed


def test_each_is_the_branch_made_alone_and_no_place_stays_empty(lab: Lab) -> None:
    engine = lab("monet")
    run = parent(engine)
    with ending(engine):
        alone = [engine.branch(run, edits) for edits in LISTS]
    assert len({len(child.token_ids) for child in alone}) > 4
    with widest(3) as seen, ending(engine):
        children, handed = made(engine, run, 3)
    assert len(handed) > 4
    for one, other in zip(alone, children, strict=True):
        same(engine, one, other)
        assert (one.edits, one.parent) == (other.edits, other.parent)
        assert other.receipts[0].epsilon == pytest.approx(one.receipts[0].epsilon, abs=1e-4)
        if one.spans:  # held like any run: it can be branched from
            keep = [Edit("identity", mode=one.edits[0].mode)]
            same(engine, engine.branch(one, keep), engine.branch(other, keep))
    full = [lengths for lengths in seen if len(lengths) == 3]
    assert len(seen) - len(full) <= max(len(child.token_ids) for child in alone) + 1
    assert any(len(set(lengths)) > 1 for lengths in full)


def test_what_was_read_can_be_forgotten_while_the_rest_goes_on(lab: Lab) -> None:
    engine = lab("monet")
    run, held = parent(engine), []
    before = len(engine.store)
    making = flow(engine, run, LISTS, 2)
    while True:
        with ending(engine):
            some = next(making, None)
        if some is None:
            break
        held.append(len(engine.store) - before)
        engine.store.forget(*(one.id for _, one in some if isinstance(one, Trace)))
        other = engine.run(*QUESTIONS[2], budget=2, force_latents=True, max_new_tokens=4)
        engine.store.forget(run.id, other.id)  # it goes on from what it holds
        before = min(before, len(engine.store))
    assert sum(held) >= len(LISTS) - 1
    assert max(held) <= 3


def test_a_stop_keeps_what_ended_and_hands_over_no_other(lab: Lab) -> None:
    engine, stop = lab("monet"), Event()
    run = parent(engine)
    found: list[Any] = []
    with ending(engine):
        alone = [engine.branch(run, edits) for edits in LISTS]
    before = len(engine.store)
    with widest(4) as seen, ending(engine):
        for some in flow(engine, run, LISTS, 4, stop):
            found += some
            stop.set()
            steps = len(seen)
    assert len(seen) <= steps + 1
    assert 0 < len(found) < 5
    assert len(engine.store) - before == len(found)
    for place, child in found:
        same(engine, alone[place], child)


def test_what_cannot_be_made_takes_no_other_with_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet")
    run = parent(engine)
    lists = list(LISTS[:7])
    lists[1:1] = [[Edit("zero", steps=[99])]]  # is refused before it begins
    lists[4:4] = [[Edit("gaussian", steps=[2], dose=1.0, seed=99)]]  # goes wrong on the way
    usual = engine.editor

    def editor(engine: Engine, held: Any, edits: Any) -> Any:
        prepared = usual(engine, held, edits)
        if edits[0].seed != 99:
            return prepared
        return replace(prepared, plan=replace(prepared.plan, replace=wrong))

    def wrong(span: int, step: int, vector: Any) -> Any:
        if step == 3:
            raise EditError("Choose a smaller dose.")
        return vector

    monkeypatch.setattr(engine, "editor", editor)
    children, _ = made(engine, run, 4, lists=lists)
    assert [place for place, one in enumerate(children) if not isinstance(one, Trace)] == [1, 4]
    assert isinstance(children[1], EditError)
    assert isinstance(children[4], EditError)
    for edits, one in zip(lists, children, strict=True):
        if isinstance(one, Trace):
            same(engine, engine.branch(run, edits), one)


@pytest.mark.parametrize("fit", [0, 1, 2])
def test_where_memory_runs_out_fewer_go_at_a_time(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    engine = lab("monet")
    run = parent(engine)
    alone = [engine.branch(run, edits) for edits in LISTS[:6]]
    usual = engine.passes.decode

    def full(cache: Any, *fed: Any) -> Any:
        if cache.rows > fit:
            raise torch.OutOfMemoryError
        return usual(cache, *fed)

    monkeypatch.setattr(engine.passes, "decode", full)
    children, _ = made(engine, run, 6, lists=LISTS[:6])
    monkeypatch.undo()
    for one, other in zip(alone, children, strict=True):
        if fit:
            same(engine, one, other)
        else:
            assert isinstance(other, MemoryShortage)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_one_that_is_too_large_to_be_prepared_is_left_out(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    engine = lab("monet")
    run = parent(engine)
    lists = [*LISTS[:3], [Edit("gaussian", steps=[2], dose=1.0, seed=99)], *LISTS[3:5]]
    alone = [engine.branch(run, edits) for edits in lists]
    usual = engine.editor

    def editor(engine: Engine, held: Any, edits: Any) -> Any:
        if edits[0].seed == 99:
            raise torch.OutOfMemoryError
        return usual(engine, held, edits)

    monkeypatch.setattr(engine, "editor", editor)
    children, _ = made(engine, run, most, lists=lists)
    assert [isinstance(one, MemoryShortage) for one in children] == [n == 3 for n in range(6)]
    for n, (one, other) in enumerate(zip(alone, children, strict=True)):
        if n != 3:
            same(engine, one, other)


def test_prompts_of_their_own_go_apart_where_copies_would_take_the_room(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet")
    run = parent(engine)
    lists = [LISTS[0], LISTS[1], LISTS[-2], LISTS[-1], LISTS[2], LISTS[3]]
    alone = [engine.branch(run, edits) for edits in lists]
    slots = 2 * len(run.prompt.input_ids) + 4 * len(run.token_ids)
    monkeypatch.setattr(packing, "LEAST_ROOM", packing.slot_bytes(engine.passes) * slots)
    held: list[tuple[int, int]] = []
    usual = engine.passes.decode

    def watched(cache: Any, *fed: Any) -> Any:
        held.append((cache.prompt[0][0].shape[0], cache.rows))
        return usual(cache, *fed)

    monkeypatch.setattr(engine.passes, "decode", watched)
    children, _ = made(engine, run, 4, lists=lists)
    monkeypatch.undo()
    for one, other in zip(alone, children, strict=True):
        same(engine, one, other)
    assert max(prompts for prompts, _ in held) <= 2
    assert max(rows for _, rows in held) > 1
