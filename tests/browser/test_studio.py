"""What a person does in the Studio, done with mouse and keyboard."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import upload

pytestmark = [
    pytest.mark.browser,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
EVIL = "<img src=x onerror=\"document.title='pwned'\">"


def answers(page):
    return [text.strip() for text in page.locator(".card .answer").all_inner_texts()]


def apply(page, selector="#apply"):
    """Press a button that edits, and wait for the branch."""
    before = page.locator(".leaf").count()
    page.click(selector)
    expect(page.locator(".leaf")).to_have_count(before + 1)


def test_the_page_opens_on_an_example_already_run(site, tab):
    page = tab(site)
    expect(page.locator(".cell")).to_have_count(6)
    assert answers(page) == ["red"]
    expect(page.locator("#question textarea")).to_have_value("What colour is the disc?")
    expect(page.locator(".option")).to_have_count(4)
    expect(page.locator("#stop")).to_be_disabled()


def test_an_address_opens_its_example(site, tab):
    page = tab(site + "?ex=3")
    assert answers(page) == ["blue"]


def test_one_click_selects_and_shift_extends(site, tab):
    page = tab(site)
    page.click(".cell >> nth=1")
    expect(page.locator("#edit-steps textarea, #edit-steps input")).to_have_value("2")
    expect(page.locator("#inspector")).to_contain_text("Latent z2")
    page.click(".cell >> nth=3", modifiers=["Shift"])
    expect(page.locator("#edit-steps textarea, #edit-steps input")).to_have_value("2–4")
    expect(page.locator('.cell[aria-pressed="true"]')).to_have_count(3)


def test_the_keyboard_selects_edits_and_undoes(site, tab):
    page = tab(site)
    steps = page.locator("#edit-steps textarea, #edit-steps input")
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(steps).to_have_value("3")
    page.keyboard.press("Shift+ArrowRight")
    expect(steps).to_have_value("3–4")
    apply(page)
    expect(page.locator(".cell.edited")).to_have_count(2)
    page.locator(".cell").first.focus()
    page.keyboard.press("z")
    expect(page.locator(".cell.edited")).to_have_count(0)
    page.keyboard.press("Shift+Z")
    expect(page.locator(".cell.edited")).to_have_count(2)
    page.locator(".cell").first.focus()
    page.keyboard.press("e")
    expect(page.locator("#edit-kind input")).to_be_focused()


def test_an_edit_stands_beside_the_baseline_with_its_receipt(site, tab):
    page = tab(site)
    apply(page, "#quick-zero")
    assert answers(page) == ["red", "unclear"]
    expect(page.locator(".verdict")).to_have_text("answer flipped")
    expect(page.locator(".card mark")).to_have_count(2)
    expect(page.locator(".receipt")).to_contain_text("z1–6, Zero: delivered ε 1.00")
    expect(page.locator(".receipt")).to_contain_text("It arrived")
    expect(page.locator(".option i.now")).to_have_count(4)


@pytest.mark.parametrize("name", ["noise", "swap", "shuffle", "same"])
def test_quick_edits(site, tab, name):
    page = tab(site)
    apply(page, f"#quick-{name}")
    expect(page.locator(".cell.edited")).to_have_count(6)
    flipped = name == "swap"
    expect(page.locator(".verdict")).to_have_text(
        "answer flipped" if flipped else re.compile("answer unchanged")
    )


def test_an_edit_that_cannot_be_made_is_one_sentence(site, tab):
    page = tab(site)
    page.fill("#edit-steps input, #edit-steps textarea", "9")
    page.click("#apply")
    expect(page.locator(".say.trouble")).to_have_text(
        "“9” is not among this run's latents z1 to z6."
    )
    assert answers(page) == ["red"]


def test_branches_are_shown_compared_renamed_and_deleted(site, tab):
    page = tab(site)
    apply(page, "#quick-zero")
    apply(page, "#quick-noise")
    page.click('.leaf:nth-child(2) [data-act="show"]')
    expect(page.locator(".leaf.shown")).to_contain_text("Zero")
    page.click('.leaf:nth-child(3) [data-act="compare"]')
    expect(page.locator(".card.then h3")).to_have_text("Noise")
    page.click('.leaf:nth-child(2) [data-act="rename"]')
    page.fill("input.rename", EVIL)
    page.keyboard.press("Enter")
    expect(page.locator(".leaf:nth-child(2) .title")).to_have_text(EVIL)
    page.click('.leaf:nth-child(3) [data-act="delete"]')
    expect(page.locator(".leaf")).to_have_count(2)
    expect(page.locator(".card.then .answer")).to_have_text("red")


def test_a_person_uploads_a_picture_and_asks(site, tab, pictures):
    page = tab(site)
    upload(page, pictures / "green.png", f"What is this? {EVIL}")
    page.click("#run")
    expect(page.locator(".card .answer")).to_have_text("green")
    expect(page.locator(".chip.question-chip")).to_contain_text("<img src=x")
    assert page.title() == "Zscope"


def test_a_file_that_is_no_picture_loses_nothing(site, tab, pictures):
    page = tab(site)
    page.set_input_files("#picture input[type=file]", pictures / "broken.png")
    expect(page.locator(".say.trouble")).to_contain_text("not a picture")
    assert answers(page) == ["red"]


def test_the_name_of_a_file_is_shown_and_not_run(site, tab, tmp_path):
    page = tab(site)
    file = tmp_path / EVIL.replace("/", "")
    file.write_text("no picture")
    page.set_input_files("#picture input[type=file]", file)
    expect(page.locator(".say.trouble")).to_contain_text("“<img src=x")
    assert page.title() == "Zscope"


def test_an_empty_question_is_one_sentence(site, tab):
    page = tab(site)
    page.fill("#question textarea", " ")
    page.click("#run")
    expect(page.locator(".say.trouble")).to_have_text("Nothing was asked; type a question.")
    expect(page.locator("#run")).to_be_enabled()


def test_stop_stops_within_a_step_and_keeps_what_there_is(slow_site, tab):
    page = tab(slow_site)
    page.click("#run")
    expect(page.locator(".strip .going")).to_be_visible()
    page.wait_for_selector(".cell >> nth=1")
    page.click("#stop")
    there = page.locator(".cell").count()
    expect(page.locator(".say")).to_contain_text("Stopped")
    assert 2 <= page.locator(".cell").count() <= there + 1 < 6
    expect(page.locator("#run")).to_be_enabled()


def test_step_waits_with_a_hand_on_each_latent(site, tab):
    page = tab(site)
    page.click("#step")
    expect(page.locator(".cell.waits")).to_have_text(re.compile("z1"))
    assert page.locator("[data-name=previous]").count() == 0
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z2")
    page.click("[data-name=zero]")
    expect(page.locator(".cell.waits .mark")).to_have_text("zeros")
    expect(page.locator("#run")).to_have_text("Continue")
    page.click("#run")
    expect(page.locator(".leaf")).to_have_count(2)
    expect(page.locator(".leaf.shown .title")).to_contain_text("at z2")
    expect(page.locator(".cell.edited")).to_have_count(1)
    expect(page.locator("#run")).to_have_text("Run")


def test_the_latent_that_waits_takes_the_edits_of_the_panel(site, tab):
    page = tab(site)
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z1")
    expect(page.locator("#apply")).to_have_text("Feed it")
    page.click("#quick-swap")
    expect(page.locator(".cell.waits .mark")).to_have_text(re.compile("Latents of example"))
    page.click("#quick-shuffle")
    expect(page.locator(".say.trouble")).to_have_text(re.compile("needs a finished run"))
    page.click("#apply")
    expect(page.locator(".cell.waits .mark")).to_have_text(re.compile("Gaussian noise"))
    page.click("#run")
    expect(page.locator(".leaf.shown .title")).to_contain_text("at z1")
    expect(page.locator("#apply")).to_have_text("Apply")


def test_stop_ends_a_run_that_waits(site, tab):
    page = tab(site)
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z1")
    page.click("#step")
    expect(page.locator(".cell.waits .name")).to_have_text("z2")
    page.click("#stop")
    expect(page.locator(".say")).to_contain_text("Stopped")
    expect(page.locator("#run")).to_have_text("Run")
    expect(page.locator("#stop")).to_be_disabled()


def test_a_click_on_the_picture_points_the_latent_there(site, tab):
    page = tab(site)
    page.click(".cell >> nth=2")
    expect(page.locator(".hint")).to_have_text("Click a place to point z3 at it.")
    box = page.locator("#picture img").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.4)
    expect(page.locator(".leaf.shown .title")).to_contain_text("row 2, column 4")
    expect(page.locator("svg.trail")).to_have_attribute(
        "aria-label", re.compile("z3 is nearest to row ., column 4")
    )


def test_the_map_and_the_similarity_follow_the_edit_and_lead_back(site, tab):
    page = tab(site)
    page.wait_for_selector("#map .scatterlayer .trace")
    assert page.locator("#similarity .hm").count() == 1
    apply(page, "#quick-noise")
    expect(page.locator("#similarity .hm")).to_have_count(3)
    expect(page.locator("#map .annotation-arrow-g")).to_have_count(6)
    expect(page.locator("#map small")).to_contain_text("PCA, joint fit of")
    page.click(".cell >> nth=1")
    expect(page.locator("#inspector h3")).to_have_text("Latent z2")
    place = page.locator("#map .scatterlayer .trace").last.locator(".point").nth(4)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#inspector h3")).to_have_text(re.compile(r"Latent z\d"))


def test_figures_take_the_theme(site, tab):
    page = tab(site, color_scheme="light")
    ink = "document.querySelector('#map .xtitle').style.fill"
    page.wait_for_selector("#map .xtitle")
    light = page.evaluate(ink)
    page.click('[data-page="theme"]')
    page.wait_for_function(f"{ink} !== {light!r}")


def test_no_imagination_is_a_state_with_a_remedy(mute_site, tab):
    page = tab(mute_site)
    expect(page.locator(".remedy")).to_contain_text("without imagining")
    page.click(".remedy button")
    expect(page.locator(".cell")).to_have_count(6)


def test_two_visitors_do_not_see_each_other(site, tab):
    one, two = tab(site), tab(site + "?ex=2")
    apply(one, "#quick-zero")
    expect(two.locator(".leaf")).to_have_count(1)
    apply(two, "#quick-noise")
    assert answers(one) == ["red", "unclear"]
    assert answers(two)[0] == "green"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_sideways_scroll_on_a_phone(site, tab, scheme):
    page = tab(site, 390, 844, color_scheme=scheme)
    apply(page, "#quick-noise")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


def test_a_projector_shows_apply_and_both_answers_without_scrolling(site, tab):
    page = tab(site)
    apply(page, "#quick-zero")
    page.wait_for_selector("#similarity .hm")
    shown = ("#apply", ".card.now .answer", ".receipt", "#run", "#similarity .plot", ".leaf.shown")
    for selector in shown:
        box = page.locator(selector).bounding_box()
        assert box["y"] + box["height"] <= 720, selector


def test_presenter_mode_shows_the_whole_story_on_a_projector(site, tab):
    page = tab(site + "?ex=1&edit=noise&present=1")
    page.wait_for_selector("#similarity .hm >> nth=2")
    shown = ["#picture img", "#strip .span", "#quick", ".verdict", ".receipt", "#map .plot"]
    page.click(".cell >> nth=1")
    expect(page.locator("#apply")).to_be_visible()
    for selector in [*shown, "#similarity .plot", "#apply"]:
        box = page.locator(selector).bounding_box()
        assert box["y"] + box["height"] <= 720, selector


def test_theme_is_kept_and_presenter_mode_hides_the_rest(site, tab):
    page = tab(site, color_scheme="light")
    page.click('[data-page="theme"]')
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    page.wait_for_selector(".card .answer")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.locator(".cell").first.focus()
    page.keyboard.press("p")
    expect(page.locator("#gallery")).to_be_hidden()
