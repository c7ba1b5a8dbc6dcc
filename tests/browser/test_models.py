"""Choosing another model: what it takes, the old one until it is ready, and back again."""

import json
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import serve
from tests.gui.fake_engine import FakeEngine

pytestmark = [
    pytest.mark.browser,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


def plain_or_latent(name):
    """A stand-in; the one called ``direct`` has no latents at all."""
    engine = FakeEngine(model=name, emits=name != "direct")
    if name == "direct":
        engine.family = SimpleNamespace(**{**vars(engine.family), "latent": False})
    return engine


def checkpoints(folder, *names):
    """Folders that look like checkpoints of two million weights."""
    header = json.dumps(
        {"w": {"dtype": "F16", "shape": [2_000_000], "data_offsets": [0, 4_000_000]}}
    )
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
        data = len(header).to_bytes(8, "little") + header.encode() + bytes(4_000_000)
        (folder / name / "model.safetensors").write_bytes(data)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    checkpoints(folder, "faithful", "shortcut")
    state = tmp_path_factory.mktemp("state")
    page, address = serve(lambda name: FakeEngine(model=name), state, folder)
    yield address
    page.close(verbose=False)


def choose(page, name):
    page.click("#models-open")
    page.locator("#models-name input").click()
    page.get_by_role("option", name=name).click()


def test_another_model_answers_the_same_question(shelf, tab):
    page = tab(shelf + "?ex=2")
    choose(page, "shortcut")
    expect(page.locator("#models-about")).to_contain_text("2.0 million weights; about 10 MB")
    page.click("#models-load")
    expect(page.locator("#models-load")).to_be_hidden()
    expect(page.locator("#answers .card .answer")).to_have_text("green")
    page.click("#quick-zero")
    expect(page.locator("#answers .verdict")).to_have_text("answer unchanged")
    page.reload()
    expect(page.locator("#answers .verdict")).to_have_text("answer unchanged")
    page.click("#models-open")
    expect(page.locator("#models-about")).to_contain_text("Loaded.")


def test_a_model_without_edits_says_so_and_is_unloaded_once_nobody_uses_it(tmp_path, tab):
    folder = tmp_path / "models"
    checkpoints(folder, "faithful", "direct")
    page, address = serve(plain_or_latent, shipped=folder)
    try:
        seen = tab(address + "?model=direct&ex=2")
        expect(seen.locator("#edit-sentence")).to_have_text(
            "This model does not imagine, so there is nothing to edit."
        )
        expect(seen.locator(".card.empty")).to_contain_text("Nothing was imagined")
        for control in ("#apply", "#edit-kind", "#edit-steps", "#quick-zero"):
            expect(seen.locator(control)).to_be_hidden()
        choose(seen, "faithful")
        seen.click("#models-load")
        expect(seen.locator("#apply")).to_be_visible()
        seen.click("#quick-zero")
        expect(seen.locator(".leaf")).to_have_count(2)
        seen.click("#models-open")
        seen.click("#models-away")
        expect(seen.locator("#models-about")).to_contain_text("Unloaded: direct.")
    finally:
        page.close(verbose=False)


def test_what_cannot_be_loaded_says_why_and_the_old_model_stays(shelf, tab):
    page = tab(shelf)
    choose(page, "words")
    expect(page.locator("#models-about")).to_contain_text("python launch.py train words")
    page.click("#models-load")
    expect(page.locator("#models-about .trouble")).to_contain_text("not in assets/models")
    page.locator("#models-name input").fill("/nowhere/at all")
    page.keyboard.press("Enter")
    expect(page.locator("#models-about")).to_contain_text("neither a folder here nor a hub id")
    page.click("#quick-noise")
    expect(page.locator(".leaf")).to_have_count(2)
