"""Eight visitors at once: each sees what they would see alone, and nothing is left of them.

``benchmarks/soak.py`` does the same with a real model, longer, and prints figures.
"""

import importlib.util
import time
from pathlib import Path

import pytest

from gui import app
from gui.bounds import Bounds
from tests.gui.fake_engine import KINDS, gallery
from tests.gui.holding import HoldingEngine

pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
VISITORS, ACTIONS = 8, 8


@pytest.fixture(scope="module")
def soak():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "soak.py"
    spec = importlib.util.spec_from_file_location("soak", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    options = app.Options(port=None, model="stand-in", bounds=Bounds.hosted())
    nothing = tmp_path_factory.mktemp("models")
    page = app.build(options, lambda _: HoldingEngine(pause=0.01), gallery, lambda: KINDS, nothing)
    page.address = app.launch(page, options)
    page.workshop.start()
    assert page.workshop.done.wait(60)
    yield page
    page.close(verbose=False)


def test_many_at_once_see_what_each_would_alone(page, soak):
    engine = page.workshop.engine
    plans = [soak.plan(seed, ACTIONS, len(page.workshop.items)) for seed in range(VISITORS)]
    workers = [soak.Worker(page, acts) for acts in plans]
    soak.at_once(page, workers)
    assert [w.failed for w in workers] == [""] * VISITORS
    assert soak.settled(page)
    assert engine.at_once == 0  # one at a time, whoever asks
    examples = {run.id for run in page.workshop._runs.values()}
    assert set(engine.store._held) <= examples
    assert all(len(w.saw) == ACTIONS for w in workers)
    for worker, acts in zip(workers[:3], plans, strict=False):
        alone = soak.Worker(page, acts)
        alone.work()
        assert alone.failed == ""
        assert soak.same(alone.saw, worker.saw)
    assert soak.settled(page)
    assert set(engine.store._held) <= examples


def test_a_long_session_gathers_nothing(page, soak):
    worker = soak.Worker(page, [])
    worker.enter(0)
    kept = page.app.state_holder.session_data[worker.tab.session]
    for seed in range(90):
        worker.do("edit", "gaussian", seed)
    assert len(worker.visit.branches) == page.visits.bounds.branches
    assert len(page.workshop.engine.store) <= page.visits.bounds.branches + 8
    assert len(kept.blocks_config.blocks) < len(page.blocks) + 200
    worker.tab.close()
    assert soak.settled(page)


def test_what_gradio_keeps_of_closed_tabs_is_let_go_of(page, soak, monkeypatch):
    from datetime import timedelta

    monkeypatch.setattr("gui.tidying.LAST", timedelta(0))
    stays = soak.Worker(page, [])
    stays.enter(0)
    held = page.app.state_holder.session_data
    for _ in range(3):
        comes = soak.Worker(page, [])
        comes.enter(1)
        comes.tab.close()
    ended = time.monotonic() + 30
    while len(held) > 1 and time.monotonic() < ended:
        stays.do("example", 0)
    assert set(held) == {stays.tab.session}
    stays.tab.close()
    assert soak.settled(page)
