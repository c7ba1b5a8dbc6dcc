"""The Guide from its first step to its last, and models side by side."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import serve
from tests.gui.fake_engine import FakeEngine

pytestmark = [
    pytest.mark.browser,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
RESULT = "#guide-said .result"


def shipped(folder, names):
    for name in names:
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A page with three stand-in models: faithful, shortcut, words."""
    folder = shipped(tmp_path_factory.mktemp("models"), ("faithful", "shortcut", "words"))
    page, address = serve(lambda name: FakeEngine(model=name), shipped=folder)
    yield address
    page.close(verbose=False)


def step_to(page, title):
    page.keyboard.press("ArrowRight")
    expect(page.locator("#guide-said h2")).to_have_text(title)


def test_the_guide_runs_to_its_end_by_the_arrow_keys(three, tab):
    page = tab(three + "?guide=1", ready=RESULT)
    result = page.locator(RESULT)
    expect(result).to_have_text("It imagined 6 latents and answered “blue”.")
    step_to(page, "Erase the imagination")
    expect(result).to_have_text("All latents zero: the answer “blue” stayed “blue”.")
    expect(page.locator("#guide-shown .verdict")).to_have_text("answer unchanged")
    step_to(page, "Imagine something else")
    expect(result).to_contain_text("which say “yellow”, the answer “blue” stayed “blue”")
    step_to(page, "Not only this picture")
    expect(result).to_have_text("Zeroing all 6 latents changed 0 of 4 answers.")
    step_to(page, "What is in the latents?")
    expect(result).to_contain_text(re.compile(r"mean cosine of -?0\.\d\d"))
    step_to(page, "Another model, the same question")
    expect(page.locator("#guide-shown .model-name h2")).to_have_text("faithful")
    step_to(page, "Erase the imagination")
    expect(result).to_have_text("All latents zero: the answer “blue” turned into “unclear”.")
    step_to(page, "Imagine something else")
    expect(result).to_contain_text("the answer “blue” turned into “yellow”")
    step_to(page, "Not only this picture")
    expect(result).to_contain_text("changed 4 of 4 answers; 4 of the 4 that could follow did")
    step_to(page, "The imagination is a path")
    expect(result).to_have_text("There is no planning picture among the examples.")
    step_to(page, "A sentence in place of latents")
    expect(result).to_have_text("It imagined “The disc is blue.” and answered “blue”.")
    step_to(page, "Put other words in its mouth")
    expect(result).to_contain_text("turned into “yellow”")
    step_to(page, "The same words again")
    expect(result).to_contain_text("the answer “blue” stayed “blue”")
    step_to(page, "Not only this picture")
    expect(result).to_contain_text("sentence changed 4 of 4 answers")
    step_to(page, "Three models, one edit")
    expect(result).to_contain_text("shortcut 0 of 4, faithful 4 of 4, words 4 of 4")
    expect(page.locator('[data-by="1"]')).to_be_disabled()


def test_a_step_goes_on_in_the_studio(three, tab):
    page = tab(three)
    page.get_by_role("tab", name="Guide").click()
    expect(page.locator(RESULT)).to_contain_text("answered “blue”")
    page.click('[data-finding="2"]')
    expect(page.locator(RESULT)).to_contain_text("The disc is blue.")
    page.click('[data-by="1"]')
    expect(page.locator(RESULT)).to_contain_text("turned into “yellow”")
    page.click("#guide-take")
    expect(page.locator("#answers .card .answer")).to_have_text(["blue", "yellow"])
    expect(page.locator("#step")).to_be_disabled()


def test_a_model_that_is_not_there_is_a_sentence_with_its_command(browser, tab, tmp_path):
    page, address = serve(
        lambda name: FakeEngine(model=name), shipped=shipped(tmp_path, ("faithful",))
    )
    try:
        seen = tab(address + "?guide=1", ready=RESULT)
        expect(seen.locator(RESULT)).to_have_text(
            "The demo model “shortcut” is not in assets/models; make it with "
            "`python launch.py train shortcut`."
        )
        seen.click('[data-finding="1"]')
        expect(seen.locator(RESULT)).to_contain_text("answered “blue”")
    finally:
        page.close(verbose=False)


def test_models_stand_side_by_side(three, tab):
    page = tab(three + "?ex=3")
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-question textarea")).to_have_value("What colour is the disc?")
    page.click("#compare-run")
    verdicts = page.locator(".rival .verdict")
    expect(verdicts).to_have_text(["answer flipped", "answer unchanged", "answer flipped"])
    expect(page.locator(".rival .card.then .answer")).to_have_text(["blue"] * 3)
    expect(page.locator(".rival .option")).to_have_count(12)
    expect(page.locator(".rival .receipt")).to_have_count(3)
    page.get_by_label("words: it imagines in a sentence").uncheck()
    page.get_by_label("shortcut: its latents are ignored").uncheck()
    page.click("#compare-run")
    expect(page.locator("#compare-say .trouble")).to_contain_text("two or three models")


def test_the_imagined_sentence_is_rewritten_and_never_run(three, tab):
    page = tab(three + "?model=words&ex=3")
    sentence = page.locator("#edit-text textarea")
    expect(sentence).to_have_value("The disc is blue.")
    expect(page.locator("#edit-mode")).to_be_hidden()
    sentence.fill("yellow <img src=x onerror=\"document.title='pwned'\">")
    page.click("#apply")
    expect(page.locator("#answers .card .answer")).to_have_text(["blue", "yellow"])
    expect(page.locator("#strip")).to_contain_text("<img")
    expect(page.locator(".card.now .said")).to_contain_text("<img src=x")
    assert page.title() == "Zscope"


def test_compare_takes_a_picture_and_an_edit_some_have_not(three, tab, pictures):
    page = tab(three)
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compare-question textarea")).to_have_value("What colour is the disc?")
    page.set_input_files("#compare-picture input[type=file]", pictures / "green.png")
    expect(page.locator("#compare-say")).to_contain_text("New picture")
    page.fill("#compare-question textarea", "What is it? <img src=x onerror=alert(1)>")
    page.locator("#compare-edit input").click()
    page.get_by_role("option", name="Zero").click()
    page.click("#compare-run")
    expect(page.locator(".rival .card.then .answer")).to_have_text(["green"] * 3)
    expect(page.locator(".rival p.note")).to_have_text(
        "“Zero” is an edit of latents, and this model imagines in words."
    )


@pytest.mark.parametrize("tabname", ["Compare", "Guide"])
def test_no_sideways_scroll_on_a_phone(three, tab, tabname):
    page = tab(three, 390, 844)
    page.get_by_role("button", name="More tabs").click()
    page.locator(".overflow-dropdown").get_by_role("button", name=tabname).click()
    if tabname == "Compare":
        page.click("#compare-run")
        expect(page.locator(".rival .verdict")).to_have_count(3)
    else:
        expect(page.locator(RESULT)).to_contain_text("answered")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
