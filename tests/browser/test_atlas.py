"""The Atlas really used: a bank built behind the page, a map drawn again, latents selected."""

import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MODEL, needs_model, serve_model

pytestmark = [
    pytest.mark.browser,
    needs_model,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
UNDER = """() => [...document.querySelectorAll('#atlas-map .annotation-text')]
    .map((node) => node.textContent).join(' ')"""


@pytest.fixture(scope="module")
def bankless_site(tmp_path_factory):
    """The page with a copy of the demo model that has no bank yet."""
    folder = tmp_path_factory.mktemp("models") / "copy"
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("bank*"))
    page, address = serve_model(folder)
    yield address, folder
    page.close(verbose=False)


def under_the_map(page, text):
    """Wait until the line under the map says ``text``."""
    page.wait_for_function(f"(text) => ({UNDER})().includes(text)", arg=text, timeout=120_000)


def lasso(page, selector):
    """Draw a lasso around everything a figure shows."""
    page.evaluate(
        "(s) => window.Plotly.relayout(document.querySelector(s), {dragmode: 'select'})",
        f"{selector} .js-plotly-plot",
    )
    box = page.locator(f"{selector} .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4, steps=4)
    page.mouse.up()


def test_a_bank_is_built_mapped_coloured_and_selected_from(bankless_site, tab):
    address, folder = bankless_site
    page = tab(address, height=1000)
    expect(page.locator("#strip .cell")).to_have_count(8)
    page.click("#atlas-tab-button")
    page.click("#atlas-bank > button")
    expect(page.locator("#atlas-bank-about")).to_contain_text("no bank")
    page.fill("#atlas-bank-count input", "10")
    page.click("#atlas-build")
    expect(page.locator("#atlas-bank-say")).to_contain_text("Built: 10 items", timeout=120_000)
    assert (folder / "bank.safetensors").is_file()
    under_the_map(page, "PCA, joint fit of 88 points, seed 0")
    expect(page.locator("#atlas-panels .cartesianlayer .heatmaplayer image")).to_have_count(8)
    expect(page.locator("#atlas-facts")).to_contain_text("participation ratio")

    page.locator("#atlas-by label", has_text="task").click()
    expect(page.locator("#atlas-map .legendtext", has_text="plan")).to_have_count(1)
    page.locator("#atlas-method label", has_text="UMAP").click()
    under_the_map(page, "UMAP, joint fit of 88 points")
    expect(page.locator("#atlas-map .legendtext", has_text="plan")).to_have_count(1)

    lasso(page, "#atlas-map")
    expect(page.locator("#atlas-nearest")).to_contain_text("80 latents of 10 items of the bank")
    expect(page.locator('#atlas-steps .cell[aria-pressed="true"]')).to_have_count(8)
    page.click("#atlas-steps .cell >> nth=2")
    expect(page.locator('#atlas-steps .cell[aria-pressed="true"]')).to_have_count(1)
    expect(page.locator("#atlas-nearest h4").first).to_have_text("z3 of baseline")
    page.locator('#tabs button[role="tab"]', has_text="Studio").click()
    expect(page.locator('#strip .cell[aria-pressed="true"]')).to_have_count(1)
    expect(page.locator("#edit-steps textarea, #edit-steps input")).to_have_value("3")
