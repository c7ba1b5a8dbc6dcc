"""Study, used as a person would: declared, started, stopped, taken up again, read and saved."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import needs_model

pytestmark = [
    pytest.mark.browser,
    needs_model,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
ITEMS, BLOCK = 24, 8
ROWS = re.compile(r"([\d,]+) of ([\d,]+) rows, [\d.]+ a second, \d+ (s|min) left")
DRAWN = "#study-{} .js-plotly-plot .main-svg"
BEYOND = """least => {
  const said = document.querySelector("#study-progress").innerText;
  const found = said.match(/([\\d,]+) of [\\d,]+ rows/);
  return said.includes("is done") || (found && Number(found[1].replace(",", "")) > least);
}"""


def declared(page):
    """The tab with data, preset and margins chosen; and the number of arms."""
    page.get_by_role("tab", name="Study").click()
    expect(page.locator("#study-plan")).to_contain_text("items ×")
    for task in ("count", "plan"):
        page.locator("#study-tasks").get_by_label(task).uncheck()
    page.locator("#study-count input").fill(str(ITEMS))
    page.locator("#study-count input").blur()
    expect(page.locator("#study-plan")).to_contain_text(f"{ITEMS} items ×")
    page.get_by_label("Answers changed, %").fill("10")
    return int(re.search(r"× (\d+) arms", page.locator("#study-plan").inner_text()).group(1))


def test_a_study_is_stopped_taken_up_again_read_and_saved(real_site, tab):
    page = tab(real_site, ready="[role=tab]")
    arms = declared(page)
    said = page.locator("#study-progress")
    expect(said).to_contain_text("Declare the margins first")

    page.click("#study-start")
    expect(said).to_contain_text(ROWS, timeout=120_000)
    expect(page.locator("#study-start")).to_be_disabled()
    page.wait_for_function(BEYOND, arg=BLOCK * arms)  # the first block is on the disk
    page.click("#study-stop")
    expect(said).to_contain_text("Start goes on where it stopped", timeout=120_000)
    stopped = re.search(r"after (\d+) of (\d+) rows", said.inner_text())
    assert BLOCK * arms <= int(stopped[1]) < int(stopped[2]) == ITEMS * arms
    expect(page.locator("#study-body .found")).to_be_visible()  # what there is, read as it is

    page.click("#study-start")
    expect(said).to_contain_text("The study is done: ", timeout=240_000)
    expect(page.locator("#study-start")).to_be_enabled()
    for name in ("forest", "split"):
        expect(page.locator(DRAWN.format(name)).first).to_be_visible()
    verdict = page.locator("#study-body .found b").inner_text()
    assert verdict in said.inner_text()
    expect(page.locator("#study-body .found")).to_contain_text("10.0% of answers changed")
    for figure in ("F1", "F3", "F9", "F11", "F18", "F21"):
        expect(page.locator(f"#study-body [data-figure='{figure}']").first).to_be_visible()
    expect(page.locator("#study-body .absent").first).to_contain_text("is left out: ")

    with page.expect_download() as file:
        page.locator("#study-files").get_by_role("link").last.click()
    report = Path(file.value.path()).read_text("utf-8")
    assert verdict in report
    assert "data-figure='F3'" in report
    assert "<script" not in report
