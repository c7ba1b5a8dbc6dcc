"""An act that overtakes the news of what was selected: what was seen is edited, or nothing is."""

import re
import threading
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from gui import acts
from gui.handlers import Handlers

pytestmark = [
    pytest.mark.browser,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
STEPS = "#edit-steps textarea, #edit-steps input"
CHANGED = re.compile("still changing when that was pressed")


@pytest.fixture
def held(monkeypatch):
    """Holds the server at an act until the test has seen what it wants to see."""
    doors = []

    def hold(module, name, wanted=lambda *args: True):
        door, does = threading.Event(), getattr(module, name)

        def slow(*args, **more):
            if wanted(*args):
                assert door.wait(60)
            return does(*args, **more)

        monkeypatch.setattr(module, name, slow)
        doors.append(door)
        return door

    yield hold
    for door in doors:
        door.set()


@contextmanager
def deaf(page, event):
    """The server does not hear of an event of the page."""
    route = re.compile(r"/gradio_api/run/predict")
    kept = []

    def take(request):
        data = request.request.post_data_json or {}
        if event in (data.get("event_data") or {}):
            kept.append(request)
        else:
            request.continue_()

    page.route(route, take)
    yield kept
    for request in kept:
        request.continue_()
    page.unroute(route)


def select_by_keyboard(page):
    """z3 and z4, and Apply at once."""
    page.locator(".cell").first.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)


def edited(page):
    """Names of the cells that an edit stands on."""
    return page.locator(".cell.edited .name").all_inner_texts()


def test_apply_edits_what_is_selected_though_the_server_has_not_heard_of_it(site, tab):
    page = tab(site)
    with deaf(page, "order") as unheard:
        select_by_keyboard(page)
        expect(page.locator(STEPS)).to_have_value("3–4")
        page.click("#apply")
        expect(page.locator(".leaf")).to_have_count(2)
        assert edited(page) == ["z3", "z4"]
        assert unheard
    expect(page.locator('.cell[aria-pressed="true"]')).to_have_count(2)
    expect(page.locator(STEPS)).to_have_value("3–4")


def test_apply_edits_the_steps_that_are_typed(site, tab):
    page = tab(site)
    page.click(".cell >> nth=0")
    page.click(".cell >> nth=1", modifiers=["Shift"])
    with deaf(page, "order"):
        page.fill(STEPS, "2, 5-6")
        expect(page.locator('.cell[aria-pressed="true"] .name')).to_have_text(["z2", "z5", "z6"])
        page.click("#apply")
        expect(page.locator(".leaf")).to_have_count(2)
        assert edited(page) == ["z2", "z5", "z6"]


def test_a_latent_is_pointed_that_is_selected_and_no_older_one(site, tab):
    page = tab(site)
    page.click(".cell >> nth=0")
    expect(page.locator("#inspector h3")).to_have_text("Latent z1")
    with deaf(page, "order"):
        page.click(".cell >> nth=4")
        expect(page.locator(".hint")).to_have_text("Click a place to point z5 at it.")
        box = page.locator("#picture img").bounding_box()
        page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.4)
        expect(page.locator(".leaf")).to_have_count(2)
        assert edited(page) == ["z5"]


def test_a_selection_made_while_an_edit_is_under_way_stays(site, tab, held):
    page = tab(site)
    page.click(".cell >> nth=0")
    with deaf(page, "order"):
        door = held(acts, "apply")
        page.click("#apply")
        page.click(".cell >> nth=3")
        door.set()
        expect(page.locator(".leaf")).to_have_count(2)
        assert edited(page) == ["z1"]
        expect(page.locator('.cell[aria-pressed="true"] .name')).to_have_text(["z4"])
        expect(page.locator(STEPS)).to_have_value("4")


def test_the_run_that_is_seen_is_edited_while_another_branch_is_on_its_way(site, tab):
    page = tab(site)
    for made, name in enumerate(("#quick-noise", "#quick-zero"), 2):
        page.click(name)
        expect(page.locator(".leaf")).to_have_count(made)
    page.locator("#edit-onto input").click()
    page.get_by_role("option", name="this branch").click()
    with deaf(page, "act"):
        page.click('.leaf:nth-child(2) [data-act="show"]')  # Noise, which does not come
        expect(page.locator(".leaf.shown")).to_contain_text("Zero")
        page.click("#apply")
        expect(page.locator(".leaf")).to_have_count(4)
        grown = page.locator(".leaf").last  # under Zero, the last of the two
        expect(grown).to_have_class(re.compile("shown"))
        expect(grown).to_have_attribute("style", re.compile("depth:2"))


def test_an_older_question_is_not_asked_of_a_newer_picture(site, tab, held):
    page = tab(site)
    there = page.locator("#picture figure").get_attribute("data-picture")
    painted = Handlers.on_example

    # the server has the new picture already, the page does not show it yet
    door = threading.Event()

    def late(*args, **more):
        out = painted(*args, **more)
        assert door.wait(60)
        return out

    Handlers.on_example = late
    try:
        page.get_by_role("button", name=re.compile("^Example 2:")).click()
        page.click("#run")
        expect(page.locator(".say.trouble")).to_have_text(CHANGED)
    finally:
        Handlers.on_example = painted
        door.set()
    expect(page.locator("#picture figure")).not_to_have_attribute("data-picture", there)


def test_a_choice_for_one_waiting_latent_is_not_taken_for_the_next(site, tab):
    page = tab(site)
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z1")
    with deaf(page, "name") as unheard:
        page.click("[data-name=zero]")  # for z1, and it is late
        page.click("#step")
        expect(page.locator(".cell.waits .name")).to_have_text("z2")
        assert unheard
    expect(page.locator(".say.trouble")).to_have_text(CHANGED)
    expect(page.locator(".cell.waits .mark")).to_have_count(0)
    page.click("#run")
    expect(page.locator("#run")).to_have_text("Run")
    assert edited(page) == []
