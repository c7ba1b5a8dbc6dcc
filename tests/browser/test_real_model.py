"""The page with the shipped demo model behind it: from the first example to a person's own file."""

import re
import tarfile

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MODEL, needs_model, serve_model, upload

pytestmark = [
    pytest.mark.browser,
    needs_model,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
WAY = "Which moves lead from the start to the goal?"


@pytest.fixture(scope="module")
def vsp_picture(tmp_path_factory, shared):
    """One picture of the published planning set."""
    folder = tmp_path_factory.mktemp("vsp")
    with tarfile.open(shared / "data" / "vsp_spatial_planning_test.tar.gz") as archive:
        name = next(m.name for m in archive if m.name.endswith(".png"))
        picture = archive.extractfile(name).read()
    (folder / "map.png").write_bytes(picture)
    return folder / "map.png"


def edited(page, selector):
    before = page.locator(".leaf").count()
    page.click(selector)
    expect(page.locator(".leaf")).to_have_count(before + 1, timeout=60_000)


def test_the_example_is_run_edited_and_the_edit_arrives(real_site, tab):
    page = tab(real_site)
    expect(page.locator(".cell").first).to_be_visible()
    expect(page.locator(".card.then .answer:not(.missing)")).to_have_count(1)
    edited(page, "#quick-zero")
    expect(page.locator(".receipt")).to_contain_text("delivered ε 1.00")
    expect(page.locator(".receipt")).to_contain_text("It arrived")
    edited(page, "#quick-swap")
    expect(page.locator(".receipt")).to_contain_text("Swap with donor")
    expect(page.locator(".verdict b")).to_have_text(re.compile("answer"))
    page.click(".cell >> nth=1")
    expect(page.locator("#edit-steps textarea")).to_have_value("2")
    edited(page, "#apply")
    expect(page.locator(".cell.edited")).to_have_count(1)
    expect(page.locator(".cell.edited .mark")).to_contain_text("Gaussian noise 1")


def test_a_selected_latent_is_read_and_its_attention_drawn(real_site, tab):
    page = tab(real_site)
    page.click(".cell >> nth=2")
    expect(page.locator("#inspector h3")).to_have_text("Latent z3")
    for heading in ("Says", "Nearest words", "Layer by layer", "Nearest patches", "in the bank"):
        expect(page.locator("#inspector h4", has_text=heading)).to_have_count(1)
    expect(page.locator("#inspector .read i")).to_have_count(8)
    expect(page.locator("#picture svg.heat")).to_have_count(1)
    mean = page.locator("#picture svg.heat").get_attribute("data-key")
    page.select_option('#look select[data-name="Layer"]', "1")
    expect(page.locator("#picture svg.heat")).not_to_have_attribute("data-key", mean)
    page.locator("#look input[type=range]").fill("0")
    expect(page.locator("#picture svg.heat")).to_have_count(0)


def test_a_latent_is_replaced_while_the_model_runs(real_site, tab):
    page = tab(real_site)
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z1")
    expect(page.locator("#inspector")).to_contain_text("Waiting to be fed: Latent z1")
    page.click("[data-name=zero]")
    expect(page.locator("#inspector .facts")).to_contain_text("norm0.00")
    page.click("#run")
    expect(page.locator(".leaf")).to_have_count(2, timeout=60_000)
    expect(page.locator(".receipt")).to_contain_text("fed by hand while the model was running")


def test_a_vsp_picture_is_uploaded_and_asked_about(real_site, tab, vsp_picture):
    page = tab(real_site)
    upload(page, vsp_picture, f"{WAY} <b>U</b>", "U,R; D,R")
    page.click("#run")
    expect(page.locator(".question-chip")).to_contain_text("<b>U</b>", timeout=60_000)
    expect(page.locator(".option")).to_have_count(2, timeout=60_000)
    expect(page.locator(".card.then .answer")).to_have_count(1)


QUICK = {  # quick button → the words of its receipt
    "zero": "Zero: delivered ε 1.00, no length, so no direction",
    "mean": "mean: delivered ε",
    "noise": "Gaussian noise: delivered ε 1.00",
    "swap": "Swap with donor: delivered ε",
    "shuffle": "Permute: delivered ε",
    "same": "delivered ε",
}


def test_every_quick_edit_is_made_and_receipted(real_site, tab):
    page = tab(real_site)
    steps = page.locator(".cell").count()
    before = page.locator(".card.then .answer").inner_text()
    seen = set()
    for made, (name, words) in enumerate(QUICK.items(), 2):
        page.click(f"#quick-{name}")
        expect(page.locator(".leaf")).to_have_count(made)
        expect(page.locator(".receipt")).to_contain_text(words)
        expect(page.locator(".receipt")).to_contain_text("hidden state")
        expect(page.locator(".cell.edited")).to_have_count(steps)
        expect(page.locator(".card.then .answer")).to_have_text(before)
        after = page.locator(".card.now .answer").inner_text()
        verdict = page.locator(".verdict b").inner_text()
        assert ("flipped" in verdict or "no answer" in verdict) == (after != before), verdict
        seen.add(page.locator(".receipt").inner_text())
    assert len(seen) == len(QUICK)  # each delivered something of its own


@pytest.fixture
def kept_site(tmp_path):
    page, address = serve_model(MODEL, tmp_path / "state")
    yield address
    page.close(verbose=False)


def test_one_sitting_from_an_uploaded_picture_to_the_file_in_another_browser(
    kept_site, tab, vsp_picture, tmp_path
):
    page = tab(kept_site)
    upload(page, vsp_picture, WAY, "U,R; D,R")
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z1")
    page.click("#run")  # on to the end
    expect(page.locator(".card.then .answer")).to_have_count(1)
    expect(page.locator(".option")).to_have_count(2)
    expect(page.locator(".leaf")).to_have_count(1)
    page.click(".cell >> nth=1")
    expect(page.locator("#inspector h3")).to_have_text("Latent z2")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#inspector h3")).to_have_text("Latent z3")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator('.cell[aria-pressed="true"]')).to_have_count(2)
    expect(page.locator("#edit-steps textarea")).to_have_value("3–4")
    edited(page, "#apply")
    expect(page.locator(".cell.edited")).to_have_count(2)
    expect(page.locator(".receipt")).to_contain_text("z3–4, Gaussian noise: delivered ε 1.00")
    page.locator("#edit-onto input").click()
    page.get_by_role("option", name="this branch").click()
    edited(page, "#apply")  # on top of the other
    expect(page.locator(".leaf.shown")).to_have_attribute("style", re.compile("2"))
    edited(page, "#quick-swap")
    page.click('.leaf:nth-child(2) [data-act="compare"]')
    expect(page.locator(".card.then h3")).to_contain_text("Gaussian noise")
    page.locator(".cell").first.focus()
    page.keyboard.press("z")
    expect(page.locator(".card.then h3")).to_have_text("Baseline")
    page.keyboard.press("Shift+Z")
    expect(page.locator(".card.then h3")).to_contain_text("Gaussian noise")
    answers = page.locator(".card .answer").all_inner_texts()
    page.wait_for_timeout(1500)  # the session is written a moment after the last act
    page.reload()
    expect(page.locator(".leaf")).to_have_count(4)
    expect(page.locator(".card .answer")).to_have_text(answers)
    with page.expect_download() as download:
        page.click("#session-save")
    file = tmp_path / "sitting.zscope"
    download.value.save_as(file)
    other = tab(kept_site)
    other.set_input_files("input[type=file][accept*=zscope]", file)
    expect(other.locator(".leaf")).to_have_count(4)
    expect(other.locator(".card .answer")).to_have_text(answers)
    edited(other, "#quick-zero")
    expect(other.locator(".receipt")).to_contain_text("It arrived")


def test_many_points_are_drawn_without_webgl_too(real_site, tab, monkeypatch):
    monkeypatch.setattr("gui.figures.cloud.MANY", 0)
    page = tab(real_site)
    page.evaluate(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return /webgl/.test(kind) ? null : get.call(this, kind, ...rest);"
        "};"
        "delete window.zscopeWebgl;"
    )
    page.click("#atlas-tab-button")
    page.wait_for_selector("#atlas-map .scatterlayer .point", state="attached")
    kinds = "document.querySelector('#atlas-map .js-plotly-plot').data.map((t) => t.type)"
    assert "scattergl" not in page.evaluate(kinds)
    assert page.locator("#atlas-map .scatterlayer .point").count() > 50
