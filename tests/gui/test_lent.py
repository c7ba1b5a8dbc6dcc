"""The page where a GPU is lent a call at a time: each call a process that is gone afterwards."""

import multiprocessing
import sys
import threading
import types

import pytest

import core
from core.errors import Cancelled, InputError, QuestionError
from core.records import Edit
from core.scenes import gallery
from gui import acts, asking
from gui.lent import LentEngine, lent
from gui.visits import Visit
from gui.workshop import Workshop

FAITHFUL = "assets/models/faithful"


@pytest.fixture(scope="module")
def engine(request):
    folder = request.config.rootpath / FAITHFUL
    if not (folder / "config.json").is_file():
        pytest.skip("needs the shipped model")
    return core.load(folder, device="cpu")


@pytest.fixture
def calls():
    return []


@pytest.fixture
def hosting(monkeypatch, calls):
    """A stand-in for the hosting's package that keeps its promises: a forked process a call."""
    context = multiprocessing.get_context("fork")

    def gpu(duration):
        def decorate(task):
            def lend(request):
                calls.append((request["call"], duration(request)))
                queue = context.SimpleQueue()

                def work():
                    for reply in task(request):
                        queue.put(reply)
                    queue.put(None)

                process = context.Process(target=work)
                process.start()
                try:
                    while (reply := queue.get()) is not None:
                        yield reply
                finally:
                    process.terminate()
                    process.join()

            return lend

        return decorate

    spaces = types.ModuleType("spaces")
    spaces.GPU = gpu
    monkeypatch.setitem(sys.modules, "spaces", spaces)


@pytest.fixture
def shop(engine, hosting):
    shop = Workshop(lambda: LentEngine(engine), lambda: gallery()[:3])
    shop.warm()
    assert shop.ready, shop.failure
    return shop


def test_the_answers_are_those_of_a_gpu_that_stays(engine, shop, calls):
    assert calls == []  # nothing is asked before somebody wants it
    item = shop.items[0]
    visit = Visit()
    acts.open_example(visit, shop, 0)
    assert visit.baseline is None
    assert calls == []
    assert "Press Run" in visit.say
    screens = list(asking.ask(visit, shop, str(item.question)))
    assert screens
    acts.apply(visit, shop, visit.baseline, [Edit("gaussian", dose=1.0, seed=2)])
    acts.apply(visit, shop, visit.edited, [Edit("zero", steps=[0])])
    assert [name for name, _ in calls] == ["run", "score", "branches", "score", "branches", "score"]
    assert all(10 <= seconds <= 120 for _, seconds in calls)
    base = engine.run(item.image, str(item.question))
    first = engine.branch(base, [Edit("gaussian", dose=1.0, seed=2)])
    second = engine.branch(first, [Edit("zero", steps=[0])])
    got = [branch.trace for branch in visit.branches.values()]
    assert [t.token_ids for t in got] == [t.token_ids for t in (base, first, second)]
    assert visit.scores[got[2].id] == pytest.approx(engine.score(second, item.options), abs=1e-4)
    assert visit.patches.shape == engine.patches(base).shape


def test_a_visitor_who_leaves_is_forgotten_here_too(shop):
    visit = Visit()
    acts.open_example(visit, shop, 1)
    list(asking.ask(visit, shop, str(shop.items[1].question)))
    ids = set(visit.branches)
    assert ids <= set(shop.engine.store._held)
    shop.let_go(ids)
    assert not ids & set(shop.engine.store._held)


def test_recorded_runs_are_shown_without_a_gpu(engine, hosting, calls, tmp_path):
    from core.records import save

    items = gallery()[:2]
    runs = [engine.run(item.image, str(item.question)) for item in items[:1]]
    save(tmp_path / "run.zscope", runs, {runs[0].prompt.image_hash: items[0].image.convert("RGB")})
    shop = Workshop(lambda: LentEngine(engine), lambda: items, recorded=[tmp_path / "run.zscope"])
    shop.warm()
    assert shop.has(0)
    assert not shop.has(1)
    visit = Visit()
    visit.options = ()
    shop.items[0].options  # noqa: B018
    acts.open_example(visit, shop, 0)
    assert visit.baseline.token_ids == runs[0].token_ids
    assert [name for name, _ in calls] == ["score"]
    acts.apply(visit, shop, visit.baseline, [Edit("zero")])
    there = engine.branch(engine.adopt(runs[0], items[0].image), [Edit("zero")])
    assert visit.edited.token_ids == there.token_ids


def test_what_cannot_be_done_is_one_sentence(engine, shop, calls):
    visit = Visit()
    acts.open_example(visit, shop, 0)
    with pytest.raises(acts.GuiError, match="a call at a time"):
        list(asking.ask(visit, shop, "What?", stepwise=True))
    assert calls == []
    with pytest.raises(QuestionError):
        shop.engine.run(visit.image, "  ")
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Cancelled):
        shop.engine.run(visit.image, "What?", cancel=stopped)
    unknown = engine.run(visit.image, "What?", max_new_tokens=2)
    with pytest.raises(InputError):
        shop.engine.branch(unknown, [Edit("zero")])


def test_elsewhere_it_is_the_plain_function(engine, monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)
    item = gallery()[0]
    run = LentEngine(engine, lent(engine)).run(item.image, str(item.question))
    assert run.token_ids == engine.run(item.image, str(item.question)).token_ids
