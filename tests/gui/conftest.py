"""A stand-in engine and its runs, for tests of what the page is made of."""

from pathlib import Path

import pytest

from tests.gui.fake_engine import KINDS, FakeEngine, gallery, painted

ASSETS = Path(__file__).resolve().parents[2] / "assets"


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def trace(engine):
    return engine.run(painted("red"), "What colour is the disc?")


@pytest.fixture
def workshop():
    from gui.workshop import Workshop

    shop = Workshop(FakeEngine, gallery, lambda: KINDS)
    shop.warm()
    assert shop.ready
    return shop


@pytest.fixture
def visit(workshop):
    from gui import acts
    from gui.visits import Visit

    visit = Visit()
    acts.open_example(visit, workshop, 0)
    return visit
