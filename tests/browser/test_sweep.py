"""Sweep, used as a person would: with the shipped model, and stopped half way."""

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
NAMES = ("Dose–response", "Step profile", "Early exit", "Knockout by layer window",
         "Layer × step patching")  # fmt: skip
DRAWN = "#sweep-figure-{} .js-plotly-plot .main-svg"


def opened(page):
    expect(page.locator(".card.then .answer:not(.missing)")).to_have_count(1)
    page.get_by_role("tab", name="Sweep").click()
    expect(page.locator("#sweep-about .subject")).to_contain_text("Baseline")
    return page


def only(page, *wanted):
    for name in NAMES:
        page.get_by_label(name).set_checked(name in wanted)


def swept(page):
    page.click("#sweep-run")
    expect(page.locator("#sweep-progress")).to_contain_text("branches in", timeout=120_000)


def test_every_figure_is_drawn_and_says_what_it_shows(real_site, tab):
    page = opened(tab(real_site))
    only(page, *NAMES)
    page.get_by_label("Doses").fill("0.5, 2")
    page.get_by_label("Draws").fill("2")
    page.get_by_label("Draws").press("Tab")
    swept(page)
    for name in ("doses", "steps", "exits", "edges", "slots"):
        expect(page.locator(DRAWN.format(name)).first).to_be_visible()
        said = page.evaluate(
            f"document.querySelector('#sweep-figure-{name} .plot').layout.annotations[0].text"
        )
        assert "faithful, K = 8" in said
        assert "seed 0" in said
        assert "temperature 0" in said
    doses = page.evaluate(
        "document.querySelector('#sweep-figure-doses .plot').data.map(t => [t.name, t.x, t.y])"
    )
    first = {name: (x, y) for name, x, y in doses[:3]}
    assert [round(x, 2) for x in first["latents, random direction"][0]] == [0.5, 2.0]
    assert first["sham: words of the system text"][1] == [0, 0]
    assert first["picture swapped"][1][-1] == 1
    # what is drawn while a sweep goes on is what is there in the end
    for _, x, y in doses:
        assert len(x) == len(y)
        assert x == sorted(x)
    expect(page.locator("#sweep-say")).to_have_text("")
    with page.expect_download() as file:
        page.hover("#sweep-figure-doses .plot")
        page.click('#sweep-figure-doses [data-title="Save the numbers as CSV"]')
    lines = Path(file.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"series","x","y","quantity","asked dose","low","high","draws"'
    assert len(lines) == 1 + 4 * (2 + 2 + 4)


def test_stop_keeps_what_is_finished(real_site, tab):
    page = opened(tab(real_site))
    only(page, "Early exit", "Step profile")
    page.get_by_label("Draws").fill("60")
    page.get_by_label("Draws").press("Tab")
    page.click("#sweep-run")
    expect(page.locator("#sweep-progress")).to_contain_text(
        re.compile(r"[1-9]\d* of [\d,]+ branches, \d+ a second, about \d+ s left"), timeout=60_000
    )
    page.click("#sweep-stop")
    expect(page.locator("#sweep-say")).to_contain_text("Stopped; what was finished is kept.")
    expect(page.locator("#sweep-run")).to_be_enabled()
    expect(page.locator(DRAWN.format("steps")).first).to_be_visible()
    note = "document.querySelector('#sweep-figure-steps .plot').layout.annotations[0].text"
    page.wait_for_function(f"{note}.includes('stopped after')")


def test_what_cannot_be_swept_is_one_sentence(real_site, tab):
    page = opened(tab(real_site))
    page.get_by_label("Doses").fill("much")
    page.click("#sweep-run")
    expect(page.locator("#sweep-say .trouble")).to_contain_text("“much” is no list of doses")
    only(page)
    page.get_by_label("Doses").fill("1")
    page.click("#sweep-run")
    expect(page.locator("#sweep-say .trouble")).to_contain_text("Tick at least one figure")
