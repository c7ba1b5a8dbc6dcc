"""What a person takes home of a figure: a picture, a drawing, the numbers."""

import csv

import pytest

pytestmark = [
    pytest.mark.browser,
    # gradio sums up its queue's timings with a pandas option that pandas 3 calls outdated.
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


@pytest.fixture(scope="module")
def page(browser, site):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(site + "?ex=1&edit=noise")
    page.wait_for_selector("#similarity .hm >> nth=2", timeout=120_000)
    yield page
    context.close()


def saved(page, figure, kind, folder):
    """The file behind a button of a figure's own toolbar, and its name."""
    page.hover(f"#{figure} .plot")
    with page.expect_download() as download:
        page.click(f'#{figure} .modebar-btn[data-title*="{kind}"]')
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@pytest.mark.parametrize(("figure", "name"), [("map", "Map"), ("similarity", "Similarity")])
def test_a_figure_is_saved_as_a_picture_and_as_a_drawing_on_white(page, tmp_path, figure, name):
    picture = saved(page, figure, "PNG", tmp_path)
    assert picture.name == f"zscope {name}.png"
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    drawing = saved(page, figure, "SVG", tmp_path)
    assert drawing.name == f"zscope {name}.svg"
    text = drawing.read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "fill: rgb(255, 255, 255)" in text


def test_the_numbers_of_the_map_are_saved(page, tmp_path):
    with saved(page, "map", "CSV", tmp_path).open(encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["series", "x", "y", "value"]
    for series in ("baseline", "edited"):
        steps = [row[3] for row in rows if row[0] == series]
        assert steps == ["1", "2", "3", "4", "5", "6"]
    assert all(float(row[1]) == float(row[1]) for row in rows)


def test_the_numbers_of_the_similarity_are_saved(page, tmp_path):
    with saved(page, "similarity", "CSV", tmp_path).open(encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    cosines = {(name, x, y): float(value) for name, x, y, value in rows}
    assert len(cosines) == 3 * 6 * 6
    assert cosines["baseline", "2", "2"] == pytest.approx(1)
    change = cosines["edited", "1", "2"] - cosines["baseline", "1", "2"]
    assert cosines["difference", "1", "2"] == pytest.approx(change, abs=1e-6)
