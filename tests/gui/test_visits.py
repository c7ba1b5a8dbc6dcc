import copy

from core.records import Edit
from gui.visitors import Visits
from gui.visits import Visit


def test_keys_cannot_be_guessed_and_the_idle_go_first():
    visits = Visits(most=2)
    keys = [visits.open(f"s{i}")[0] for i in range(2)]
    assert len(set(keys)) == 2
    assert min(map(len, keys)) >= 32
    visits.get(keys[0])
    third, _ = visits.open("s2")
    assert visits.get(keys[1]) is None
    assert visits.get(keys[0]) is not None
    assert visits.get(third) is not None


def test_a_closed_tab_is_freed_and_its_run_stopped():
    visits = Visits()
    key, visit = visits.open("tab")
    visits.close("tab")
    assert visits.get(key) is None
    assert len(visits) == 0
    assert visit.cancel.is_set()


def test_visits_do_not_share_anything():
    one, two = Visit(), Visit()
    one.branches["x"] = None
    one.past.append((None, None))
    one.cancel.set()
    assert not two.branches
    assert not two.past
    assert not two.cancel.is_set()


def test_undo_and_redo_walk_the_screen(engine, trace):
    visit = Visit()
    visit.begin(trace)
    first = engine.branch(trace, [Edit("zero")])
    second = engine.branch(trace, [Edit("permute")])
    visit.grow(first, "first", trace.id)
    visit.grow(second, "second", trace.id)
    assert visit.undo()
    assert visit.edited is first
    assert visit.undo()
    assert visit.edited is None
    assert not visit.undo()
    assert visit.redo()
    assert visit.edited is first
    visit.forget(second.id)
    assert not visit.redo()
    assert visit.shown == first.id


def test_forgetting_what_is_shown_falls_back(engine, trace):
    visit = Visit()
    visit.begin(trace)
    child = engine.branch(trace, [Edit("zero")])
    visit.grow(child, "zero", trace.id)
    visit.forget(child.id)
    assert visit.shown == visit.base == trace.id
    visit.forget(trace.id)
    assert visit.baseline is trace


def test_traces_survive_a_deep_copy(trace):
    twin = copy.deepcopy(trace)
    assert twin.id == trace.id
    assert twin.spans[0].latents.equal(trace.spans[0].latents)
