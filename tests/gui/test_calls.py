"""A program that goes away or cancels frees the model, and the next one is served."""

import time

import httpx
import pytest
from gradio_client import Client

from gui import app
from tests.gui.fake_engine import KINDS, gallery
from tests.gui.holding import HoldingEngine

pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
LONG = 400  # latents, far more than are imagined before anybody goes away


@pytest.fixture
def site(tmp_path):
    engine = HoldingEngine(pause=0.05)
    options = app.Options(port=None, model="stand-in")
    page = app.build(options, lambda _: engine, gallery, lambda: KINDS, tmp_path)
    page.address = app.launch(page, options)
    page.workshop.start()
    assert page.workshop.done.wait(60)
    engine.budget, engine.steps = LONG, 0
    yield page
    page.close(verbose=False)


def begun(site):
    deadline = time.monotonic() + 60
    while site.workshop.engine.steps < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def freed(site):
    """The model is free long before the run would have ended, and keeps nothing of it."""
    held = len(site.workshop.engine.store)
    deadline = time.monotonic() + 60
    while len(site.shelf.line):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert site.workshop.engine.steps < LONG
    assert len(site.workshop.engine.store) <= held
    site.workshop.engine.budget = 2
    assert Client(site.address, verbose=False).predict(example=2, api_name="/run")["answer"]


def test_a_program_that_goes_away(site):
    base = f"{site.address.rstrip('/')}/gradio_api/call/run"
    row = ["", "", 1, "", False, 0, 256, False]
    name = httpx.post(base, json={"data": row}).json()["event_id"]
    with httpx.stream("GET", f"{base}/{name}", timeout=60):
        begun(site)
    freed(site)


def test_a_program_that_cancels(site):
    job = Client(site.address, verbose=False).submit(example=1, api_name="/run")
    begun(site)
    job.cancel()
    freed(site)
