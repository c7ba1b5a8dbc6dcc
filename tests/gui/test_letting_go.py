"""What a visitor leaves behind is let go of, and nobody else's with it."""

import pytest

from core.records import Edit
from gui import acts, asking
from gui.bounds import Bounds
from gui.visitors import Visits
from gui.visits import Visit
from gui.workshop import Workshop
from tests.gui.fake_engine import KINDS, gallery, painted
from tests.gui.holding import HoldingEngine


@pytest.fixture
def shop():
    shop = Workshop(HoldingEngine, gallery, lambda: KINDS)
    shop.warm()
    return shop


@pytest.fixture
def visits(shop):
    visits = Visits()
    visits.model = lambda name: shop
    return visits


def held(shop):
    return set(shop.engine.store._held)


def run(visit, shop, colour="green"):
    visit.image = painted(colour)
    list(asking.ask(visit, shop, "What colour is the disc?"))


def edit(visit, shop, kind="zero", parent=None):
    acts.apply(visit, shop, parent or visit.baseline, [Edit(kind)])
    return visit.edited


def test_a_new_question_lets_the_old_runs_go(shop, visits):
    _, visit = visits.open("tab")
    run(visit, shop)
    edit(visit, shop)
    visits.settle(visit)
    old = set(visit.branches)
    assert old <= held(shop)
    run(visit, shop, "blue")
    visits.settle(visit)
    assert not old & held(shop)
    assert set(visit.branches) <= held(shop)


def test_a_closed_tab_takes_its_runs_and_leaves_the_others(shop, visits):
    _, one = visits.open("one")
    _, two = visits.open("two")
    for visit in (one, two):
        acts.open_example(visit, shop, 0)
        edit(visit, shop)
        visits.settle(visit)
    shared = shop.example(0).id
    mine = set(one.branches) - {shared}
    visits.close("one")
    assert not mine & held(shop)
    assert set(two.branches) <= held(shop)
    visits.close("two")
    assert held(shop) == {shared}


def test_what_a_run_brings_after_its_tab_was_closed_is_let_go(shop, visits):
    _, visit = visits.open("tab")
    before = held(shop)
    visits.close("tab")
    run(visit, shop)  # its last steps came after the tab was gone
    assert held(shop) != before
    visits.settle(visit)
    assert held(shop) == before


def test_a_deleted_branch_stays_while_another_grew_from_it(shop, visits):
    _, visit = visits.open("tab")
    run(visit, shop)
    first = edit(visit, shop)
    second = edit(visit, shop, "permute", first)
    visits.settle(visit)
    visit.forget(first.id)
    visits.settle(visit)
    assert first.id in held(shop)
    visit.forget(second.id)
    visits.settle(visit)
    assert not {first.id, second.id} & held(shop)


def test_the_idle_are_forgotten_on_a_hosted_copy_only(shop, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("gui.visits.time.monotonic", lambda: clock[0])
    for minutes, forgotten in ((0, 0), (30, 1)):
        visits = Visits(bounds=Bounds(idle=minutes))
        visits.model = lambda name: shop
        gone = []
        visits.when_gone = gone.append
        clock[0] = 1000.0
        key, visit = visits.open("still")
        other, _ = visits.open("lively")
        visit.seen = clock[0]
        run(visit, shop)
        visits.settle(visit)
        mine = set(visit.branches)
        clock[0] += 29 * 60
        visits.get(other)
        assert visits.expire() == 0
        clock[0] += 2 * 60
        assert visits.expire() == forgotten
        assert gone == [key] * forgotten
        assert bool(mine & held(shop)) is not bool(forgotten)


def test_a_forgotten_run_is_made_again_when_a_branch_needs_it(shop, visits):
    _, visit = visits.open("tab")
    run(visit, shop)
    child = edit(visit, shop)
    shop.engine.store.clear()
    again = edit(visit, shop)
    assert again.answer == child.answer
    assert visit.baseline.id in held(shop)


def test_ids_and_keys_are_too_long_to_guess(shop, visits):
    keys = {visits.open()[0] for _ in range(50)}
    assert len(keys) == 50
    assert min(map(len, keys)) >= 32
    ids = {shop.engine.run(painted("red"), "What?").id for _ in range(50)}
    assert len(ids) == 50
    assert min(map(len, ids)) >= 32


def test_runs_of_the_other_tabs_of_the_page_go_too(shop, visits):
    key, visit = visits.open("tab")
    subject = Visit()
    visit.beside["compare"] = subject
    subject.beside["running"] = inner = Visit(model="other")
    run(inner, shop)
    visits.settle(visit)
    mine = set(inner.branches)
    assert mine <= held(shop)
    assert "other" in visits.models()
    subject.beside["running"] = later = Visit(model="other")
    run(later, shop)
    visits.settle(visit)
    assert not mine & held(shop)
    assert visits.get(key) is visit
    visits.close("tab")
    assert not set(later.branches) & held(shop)
    assert later.cancel.is_set()
