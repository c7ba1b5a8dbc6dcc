"""The report names every figure of the method: drawn with a caption, or left out with a reason."""

import re
from xml.etree import ElementTree

import pytest

import core
from core import study
from core.measures.statistics import Interval
from core.study import arcs, charts, figures, heat, overlay, tiles
from core.study.arms import Arm, Input, Latent
from core.study.design import Design
from core.study.html import figure
from tests.core.engine import tiny

HOSTILE = "<script>alert(1)</script>"
ARMS = (
    Arm("identity", "identity", z=(Latent("identity"),)),
    Arm(f"input {HOSTILE}", "input", x=Input("swap image")),
    Arm("noise 1", "dose", z=(Latent("gaussian", dose=1.0),), declared=False),
)
FIGURES = {f"F{number}" for number in range(1, 22)}


def named(page):
    """(drawn, left out) figures of a page, without their letters."""
    drawn = set(re.findall(r"data-figure='(F\d+)", page))
    return drawn, set(re.findall(r"<p class='absent'>(F\d+)", page))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report of a study of a tiny model, with and without looking at single steps."""
    model = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=7)
    engine = core.load(model, device="cpu", dtype="float32")
    items = study.load_items("scenes", 6)
    out = []
    for inside in (0, 2):
        design = Design(
            ARMS, block=3, max_new_tokens=8, budget=2, force_latents=True, resamples=100,
            inside=inside,
        )  # fmt: skip
        folder = tmp_path_factory.mktemp("study")
        study.write_all(study.run(engine, items, design, folder), folder)
        out.append((folder / "report.html").read_text("utf-8"))
    return out


def test_every_figure_is_drawn_or_left_out_with_a_reason(pages):
    for page in pages:
        drawn, left_out = named(page)
        assert drawn | left_out == FIGURES
        for words in re.findall(r"<p class='absent'>(.*?)</p>", page):
            assert re.fullmatch(r"F\d+ \([^)]+\) is left out: .+\.", words)
    assert {"F6", "F7", "F8", "F12", "F13"} <= named(pages[0])[1]
    assert {"F6", "F7", "F8", "F12"} <= named(pages[1])[0]
    assert {"F11", "F14"} <= named(pages[0])[0]


def test_every_figure_is_saved_with_its_numbers(pages):
    for page in pages:
        for shown in re.findall(r"<figure data-figure='([^']+)'>(.*?)</figure>", page, re.S):
            assert f"download='{shown[0]}.csv'" in shown[1], shown[0]


def test_what_results_were_held_against_is_said_with_where_it_comes_from(pages):
    page = pages[0]
    for name in ("--margin-accuracy", "--least-dose", "--least-emission", "--little", "--level"):
        assert name in page
    assert "Schuirmann 1987" in page


def test_captions_say_how_many_and_which_intervals(pages):
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", pages[1]):
        assert re.search(r"n = \d+|n beside each|One run", caption), caption
        assert (
            "interval" in caption
            or "percentile" in caption
            or "card" in caption
            or ("n = 6 items" in caption)
        ), caption


def test_the_report_is_one_file_that_asks_nobody(pages):
    for page in pages:
        assert HOSTILE not in page
        assert "<script" not in page
        assert not re.findall(r"(?:src|href)=['\"](?!data:)", page)


@pytest.mark.parametrize(
    "drawn",
    [
        heat.heat([[0.5, -1.0], [float("nan"), 0]], [HOSTILE, "b"], ["1", "2"], "t", "d", "a", "u"),
        arcs.arcs(["z1", "z2", "z3"], [(0, 2, 0.5), (1, 2, 0.1)], HOSTILE, "nats"),
        overlay.overlay("data:image/png;base64,AA", (1, 2), [[0.1, 0.2]], HOSTILE, ["latent 1"]),
        tiles.tiles([(HOSTILE, tiles.Tensor([[1.0, 0.5], [0.5, 1.0]]))], "t"),
        charts.series({HOSTILE: [(1, 2, 1, 3), (2, 2, 2, 2)]}, "t", "x", "y"),
    ],
)  # fmt: skip
def test_figures_are_sound_and_escape_what_they_are_told(drawn):
    ElementTree.fromstring(drawn)
    assert HOSTILE not in drawn


def test_numbers_stand_in_their_cells():
    drawn = heat.heat([[0.5, -1.0]], ["a"], ["1", "2"], "t", "down", "across", "nats")
    assert ">0.50<" in drawn
    assert ">-1.00<" in drawn
    assert not heat.heat([[float("nan")]], ["a"], ["1"], "t", "d", "a", "u")
    assert "mean 0.500" in tiles.tiles([("step 1", tiles.Tensor([[1.0, 0.5], [0.5, 1.0]]))], "t")


def test_a_figure_can_be_saved_with_its_numbers():
    page = figure("<svg></svg>", "F6 Steps, n = 3", (["a", "b"], [[1, "x,y"]]))
    assert "download='F6.svg'" in page
    assert "data:text/csv;charset=utf-8,a,b%0A1,%22x,y%22%0A" in page
    assert not figure("", "F6 nothing")


def test_numbers_under_the_axis_of_doses_keep_apart() -> None:
    some = Interval(0.5, 0.4, 0.6)
    drawn = figures.curves(
        {"noise": [(x, some) for x in (0.25, 0.5, 1.0)], "swap": [(0.52, some)]}, "t", "ε", "share"
    )
    assert all(f">{dose}</text>" in drawn for dose in ("0.25", "0.5", "1"))
    assert ">0.52</text>" not in drawn  # it would stand on the other's
