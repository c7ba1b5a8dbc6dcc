import json

from gui.figures.map import map_figure
from gui.figures.similarity import similarity_figure
from gui.screen import map_of, screen

NAN = float("nan")


def test_the_map_draws_both_runs_and_the_way_between():
    before, after = [(0.0, 0.0), (1.0, 0.0)], [(0.0, 0.0), (2.0, 1.0)]
    figure = map_figure(before, after, [(5.0, 5.0), (NAN, NAN)], "others", (1,), caption="PCA")
    background, base, edited = figure["data"]
    assert background["x"] == [5.0]
    assert base["x"] == [0.0, 1.0]
    assert edited["y"] == [0.0, 1.0]
    assert edited["customdata"] == [[0, 0, 1], [0, 1, 2]]
    arrows = figure["layout"]["annotations"]
    assert [(a["ax"], a["x"]) for a in arrows] == [(1.0, 2.0)]  # the first point did not move
    assert figure["layout"]["meta"]["caption"] == "PCA"


def test_similarity_shows_the_difference_on_one_scale():
    figure = similarity_figure([[1.0, 0.5], [0.5, 1.0]], [[1.0, -0.5], [-0.5, 1.0]], span=1)
    base, edited, change = figure["data"]
    assert change["z"] == [[0.0, -1.0], [-1.0, 0.0]]
    assert {(t["zmin"], t["zmax"]) for t in figure["data"]} == {(-1, 1)}
    assert edited["customdata"][1][0] == [1, 1]
    assert base["text"][0][1] == "baseline<br>z1 × z2: 0.50"


def test_colours_are_fitted_to_like_latents_and_their_ends_written():
    figure = similarity_figure([[1.0, 0.993], [0.993, 1.0]], [[1.0, 0.82], [0.82, 1.0]])
    base, edited, change = figure["data"]
    assert [(t["zmin"], t["zmax"]) for t in (base, edited, change)] == [
        (0.8, 1), (0.8, 1), (-0.2, 0.2)
    ]  # fmt: skip
    said = [words["text"] for words in figure["layout"]["annotations"]]
    assert said == ["baseline", "0.8…1", "edited", "0.8…1", "change", "±0.2"]
    alike = similarity_figure([[1.0, 0.999], [0.999, 1.0]])["data"][0]
    assert (alike["zmin"], alike["z"][0][1]) == (0.95, 0.999)  # next to nothing looks like it


def test_directions_that_do_not_exist_are_left_blank_and_said():
    figure = similarity_figure([[1.0, 0.5], [0.5, 1.0]], [[NAN, NAN], [NAN, NAN]])
    assert figure["data"][1]["z"] == [[None, None], [None, None]]
    assert "undefined" in figure["data"][1]["text"][0][0]
    assert figure["layout"]["xaxis2"]["range"] == [0.5, 2.5]
    said = [words["text"] for words in figure["layout"]["annotations"]]
    assert said.count("no length,<br>no direction") == 2  # the edited one and the difference
    json.dumps(figure, allow_nan=False)


def test_runs_of_different_lengths_are_subtracted_where_both_are():
    figure = similarity_figure([[1.0, 0.5], [0.5, 1.0]], [[1.0]])
    assert figure["data"][2]["z"] == [[0.0]]


def test_a_screen_has_both_figures_in_plain_json(visit, workshop):
    view = screen(visit, workshop)
    json.dumps(view.map, allow_nan=False)
    json.dumps(view.similarity, allow_nan=False)
    assert view.map["layout"]["meta"]["caption"].startswith("PCA, joint fit of 6 points")
    assert len(view.similarity["data"]) == 1
    assert map_of(visit, workshop, "pca") == view.map
