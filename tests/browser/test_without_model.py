"""No model is there: the page opens on recorded runs, which can be looked at in every way."""

import pytest
from playwright.sync_api import expect

from gui.recordings import FOLDER
from tests.browser.conftest import serve

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not list(FOLDER.glob("*.zscope")), reason="needs the recorded runs in assets/recorded"
    ),
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


def absent():
    from core.errors import CheckpointError

    raise CheckpointError("There is no checkpoint in nowhere; give another folder.")


def test_recorded_runs_are_looked_at_without_a_model(tab):
    page, address = serve(absent)
    try:
        seen = tab(address)
        expect(seen.locator(".say.trouble")).to_contain_text("no checkpoint in nowhere")
        expect(seen.locator(".say")).to_contain_text("everything works but asking and editing")
        for control in ("#run", "#step", "#apply", "#quick-zero"):
            expect(seen.locator(control)).to_be_disabled()
        expect(seen.locator(".leaf")).to_have_count(4)
        seen.wait_for_selector("#map .scatterlayer .trace")
        seen.click(".cell >> nth=2")
        expect(seen.locator("#inspector h4", has_text="Layer by layer")).to_have_count(1)
        expect(seen.locator("#picture svg.heat")).to_have_count(1)
        seen.click('.leaf:nth-child(3) [data-act="show"]')
        expect(seen.locator(".leaf.shown .title")).to_have_text("Zero")
        task = seen.locator('.examples:has([data-example="7"])').first.get_attribute("data-task")
        seen.click(f'#examples [data-task="{task}"] >> nth=0')
        seen.click('#examples [data-example="7"]')
        expect(seen.locator("#question textarea")).not_to_have_value("What colour is the square?")
        expect(seen.locator(".verdict")).to_have_text("answer unchanged")
    finally:
        page.close(verbose=False)
