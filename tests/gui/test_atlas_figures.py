"""The Atlas's figures on numbers, down to none at all."""

import json
import re

import pytest

from gui.cloud import Point
from gui.figures.bank import BY
from gui.figures.cloud import cloud_figure
from gui.figures.look import plain, sentence_figure
from gui.figures.matrix import Row, matrix_figure
from gui.figures.panels import collapse_figure, panels_figure
from gui.figures.points import Group

NAN = float("nan")


def bank(n, steps=2):
    points = [
        Point("bank", f"item {i}", k, "plan" if i % 2 else "where", "left" if i % 3 else "right")
        for i in range(n)
        for k in range(steps)
    ]
    return Group("bank", points, [(float(i), float(i % 5)) for i in range(len(points))])


def run(role, places, span=0, name="baseline"):
    return Group(role, [Point("run", name, k, "", "", span) for k in range(len(places))], places)


def traces(figure, name):
    return [t for t in figure["data"] if t["name"] == name]


def sound(figure):
    """Plain JSON, with a row of customdata for every point."""
    json.dumps(figure, allow_nan=False)
    for trace in figure["data"]:
        if trace["type"].startswith("scatter") and "customdata" in trace:
            assert len(trace["customdata"]) == len(trace["x"]) == len(trace["y"])
    return figure


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("n", [0, 1, 2, 4, 40])
def test_a_map_of_any_size_in_any_colours(by, n):
    figure = sound(cloud_figure([bank(n), run("before", [(0.0, 0.0), None])], by))
    drawn = [t for t in figure["data"] if t["type"] == "scatter" and t.get("meta") != "run"]
    assert sum(len(t["x"]) for t in drawn) == 2 * n
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < high


def test_points_without_a_place_leave_gaps_and_no_arrow():
    before, after = [(0.0, 0.0), (1.0, 1.0), None], [(0.0, 0.0), (2.0, 3.0), (4.0, 4.0)]
    figure = sound(cloud_figure([bank(0), run("before", before), run("after", after)]))
    assert traces(figure, "baseline")[0]["x"] == [0.0, 1.0, None]
    arrows = [a for a in figure["layout"]["annotations"] if a.get("showarrow")]
    # the first step did not move and the third has no place before
    assert [(a["ax"], a["ay"], a["x"], a["y"]) for a in arrows] == [(1.0, 1.0, 2.0, 3.0)]


def test_colours_by_task_are_one_a_task_and_answers_end_in_others():
    figure = cloud_figure([bank(12)], "task")
    assert [t["name"] for t in figure["data"]] == ["plan", "where"]
    assert len({t["marker"]["color"] for t in figure["data"]}) == 2
    many = [Point("bank", str(i), 0, "", f"answer {i}") for i in range(30)]
    figure = cloud_figure([Group("bank", many, [(float(i), 0.0) for i in range(30)])], "answer")
    assert figure["data"][0]["name"] == "others"
    assert sum(len(t["x"]) for t in figure["data"]) == 30


def test_selected_latents_have_rings_and_captions_stand_under_the_map():
    figure = sound(
        cloud_figure(
            [bank(3), run("before", [(0.0, 0.0), (9.0, 9.0)])],
            caption=["PCA, joint fit of 8 points, seed 0."],
            view="pca",
            chosen=(0, (1,)),
            marked=[("item 1", 0)],
        )
    )
    assert len(traces(figure, "selected")[0]["x"]) == 1
    edges = traces(figure, "baseline")[0]["marker"]["line"]["width"]
    assert edges[1] > edges[0]
    assert any("seed 0" in a["text"] for a in figure["layout"]["annotations"])
    assert figure["layout"]["meta"]["view"] == "pca"


def test_numbers_stand_only_where_they_do_not_cover_each_other():
    places = [(0.0, 0.0), (0.01, 0.0), (10.0, 10.0)]
    trace = traces(cloud_figure([bank(0), run("before", places)]), "baseline")[0]
    assert trace["text"] == ["1", "", "3"]


def test_many_points_are_drawn_by_webgl():
    assert cloud_figure([bank(2000)])["data"][0]["type"] == "scattergl"
    assert cloud_figure([bank(20)])["data"][0]["type"] == "scatter"


def test_what_somebody_wrote_is_no_markup():
    evil = "<b>%{x}</b>"
    group = Group("bank", [Point("bank", evil, 0, evil, evil)], [(0.0, 0.0)])
    figures = [cloud_figure([group], by) for by in BY]
    figures.append(cloud_figure([Group("word", [Point("word", evil)], [(0.0, 0.0)])]))
    figures.append(cloud_figure([run("before", [(0.0, 0.0)], name=evil)]))
    rows = [Row(evil)]
    figures.append(matrix_figure(rows, rows, [[1.0]]))
    figures.append(panels_figure([[[1.0]]], [evil], [evil]))
    for figure in figures:
        for trace in figure["data"]:
            shown = [trace["name"], str(trace.get("text")), str(trace.get("hovertext"))]
            assert not any("<b>" in text for text in shown)
        assert "<b>%" not in json.dumps(figure["layout"])
    assert plain("a<b & %") == "a&lt;b &amp; &#37;"


def test_a_matrix_frames_what_is_selected_and_leaves_nothing_as_zero():
    rows = [Row("z1", "before", 0, 0), Row("z2", "before", 0, 1), Row("left")]
    values = [[1.0, 0.5, NAN], [0.5, 1.0, 0.25], [NAN, 0.25, 1.0]]
    figure = sound(matrix_figure(rows, rows, values, "raw", ["What it is."], (1,), numbers=True))
    (heat,) = figure["data"]
    assert heat["z"][0] == [1.0, 0.5, None]
    assert heat["text"][0][2] == "z1 × left: undefined"
    assert heat["customdata"][1][0][:2] == [0, 1]
    boxes = figure["layout"]["shapes"]
    # a row and a column framed, and a line each way between latents and words
    assert len(boxes) == 4
    assert [a["text"] for a in figure["layout"]["annotations"]][1:] == ["1.00", "1.00", "1.00"]


def test_an_empty_matrix_and_one_latent_are_figures_too():
    sound(matrix_figure([], [], []))
    sound(matrix_figure([Row("z1", "before", 0, 0)], [Row("z′1", "after", 0, 0)], [[NAN]]))


@pytest.mark.parametrize("steps", [0, 1, 3, 4, 9])
def test_a_panel_a_step_with_tasks_in_order(steps):
    grid = [[[1.0, 0.2], [0.2, NAN]]] * steps
    figure = sound(panels_figure(grid, ["a", "b"], ["plan", "where"], means=[0.2] * steps))
    assert len(figure["data"]) == steps
    titles = [a["text"] for a in figure["layout"]["annotations"]]
    assert titles == [f"<b>z{k + 1}</b>  mean 0.20" for k in range(steps)]
    for k in range(steps):
        tail = "" if k == 0 else str(k + 1)
        low, high = figure["layout"][f"yaxis{tail}"]["domain"]
        left, right = figure["layout"][f"xaxis{tail}"]["domain"]
        assert 0 <= low < high <= 1
        assert 0 <= left < right <= 1
    if steps:
        assert figure["layout"]["yaxis"]["ticktext"] == ["plan", "where"]
        assert figure["data"][0]["z"][1][1] is None


def test_the_curve_has_the_words_line_and_survives_gaps():
    figure = sound(collapse_figure([0.5, NAN], [0.1, NAN], [0.9, NAN], 0.2, within=[0.7]))
    assert traces(figure, "words of the answers")[0]["y"] == [0.2, 0.2]
    assert traces(figure, "items, mean of pairs")[0]["y"] == [0.5, None]
    assert not traces(sound(collapse_figure([0.5], [0.1], [0.9], None)), "words of the answers")
    sound(collapse_figure([], [], []))
    low, _ = sound(collapse_figure([-1.5], [-2.0], [0.0]))["layout"]["yaxis"]["range"]
    assert low < -2.0


def test_a_sentence_is_a_figure():
    figure = sound(sentence_figure("There are no latents to map yet."))
    assert re.sub("<br>", " ", figure["layout"]["annotations"][0]["text"]).startswith("There are")
