"""The Sweep tab's figures and sentences, without a model."""

import json
import math
from types import SimpleNamespace

import pytest

from core.measures.response import Reading, Said
from core.study import wishes
from core.study.sweep import Point, Sweep, Wish
from gui.acts import GuiError
from gui.bounds import OutOfBounds
from gui.progress import ending, progress_html
from gui.steps import StepsError
from gui.sweeping import FIGURES, Asked, Subject, parse_doses, plan, step_dose, subject
from gui.swept import caption, figure

NAN = float("nan")
BASE = Said("red", {"red": -0.1, "blue": -2.5})


def read(flipped=False, probability=0.9, kl=0.2):
    choice = "blue" if flipped else "red"
    scores = {"red": -0.5, "blue": -1.0}
    return Reading(choice, flipped, probability, 1.5, kl, NAN, NAN, scores)


def points(wanted, **more):
    return tuple(Point(w, w.dose, 0.1, NAN, read(**more)) for w in wanted)


def swept(wanted, done=None, stopped=False, **more):
    made = points(wanted if done is None else wanted[:done], **more)
    series = tuple(dict.fromkeys(w.series for w in wanted))
    return Sweep(BASE, made, (), len(wanted), series, 2.0, stopped)


@pytest.fixture
def about(trace):
    return Subject(trace, "A <b>branch</b>", 0, ("red", "blue"), "demo", 4)


def wanted(name, about):
    return {
        "doses": wishes.doses("gaussian", (0.5, 2.0), draws=2),
        "steps": wishes.steps("gaussian", 2.0, about.count, draws=2),
        "exits": wishes.exits(about.count),
        "edges": wishes.knockouts(4),
        "slots": [
            Wish("patch", (), step=s, layers=w, mode="cached")
            for w in [*wishes.windows(4, 1), (0, 4)]
            for s in (0, 1, -1)
        ],
    }[name]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_plain_json_and_says_what_it_shows(name, about):
    made = figure(name, Asked(draws=2), about, swept(wanted(name, about)))
    json.dumps(made, allow_nan=False)
    said = made["layout"]["annotations"][0]["text"]
    assert f"demo, K = {about.count}" in said
    assert "A &lt;b&gt;branch&lt;/b&gt;" in said
    assert "seed" in said
    assert "temperature" in said


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_fills_has_lists_that_only_grow(name, about):
    def lists(one, path=()):
        if isinstance(one, dict):
            return {k: v for key, x in one.items() for k, v in lists(x, (*path, key)).items()}
        if isinstance(one, list):
            inner = {k: v for n, x in enumerate(one) for k, v in lists(x, (*path, n)).items()}
            return {path: len(one), **inner}
        return {}

    some = wanted(name, about)
    before = {}
    for done in range(1, len(some) + 1, 3):
        now = lists(figure(name, Asked(draws=2), about, swept(some, done))["data"])
        assert all(now.get(path, -1) >= size for path, size in before.items())
        before = now


@pytest.mark.parametrize("name", FIGURES)
def test_one_branch_makes_a_smaller_figure_and_none_makes_none(name, about):
    some = wanted(name, about)
    assert figure(name, Asked(draws=1), about, swept(some, 0)) is None
    json.dumps(figure(name, Asked(draws=1), about, swept(some, 1)), allow_nan=False)


def test_a_dose_response_has_the_controls_on_one_axis(about):
    made = figure("doses", Asked(draws=2), about, swept(wanted("doses", about)))
    names = [t["name"] for t in made["data"][:2]]
    assert names == ["latents, random direction", "sham: words of the system text"]
    assert made["layout"]["xaxis2"]["matches"] == "x"
    assert made["data"][0]["x"] == [0.5, 2.0]
    assert made["data"][0]["y"] == [0.0, 0.0]
    assert "ε50 not reached below ε = 2 (0 of 2 draws turned there)" in str(made["layout"])


def test_without_options_words_are_measured_instead(about):
    from dataclasses import replace

    bare = replace(about, options=())
    made = figure("doses", Asked(draws=2), bare, swept(wanted("doses", about)))
    titles = [made["layout"][f"yaxis{n}"]["title"]["text"] for n in ("", "2", "3", "4")]
    assert titles[2:] == ["KL per answer word, nats", "ΔNLL per answer word, nats"]


def test_a_knockouts_change_is_relative_to_the_base(about):
    made = figure("edges", Asked(), about, swept(wanted("edges", about), probability=0.5))
    p = math.exp(-0.1) / (math.exp(-0.1) + math.exp(-2.5))
    assert made["data"][0]["y"][0] == pytest.approx((0.5 - p) / p)
    assert made["layout"]["xaxis"]["ticktext"] == ["1", "2", "3", "4", "all"]


def test_a_patch_toward_the_donors_answer_is_above_nothing(about):
    from dataclasses import replace

    donor = SimpleNamespace(answer="blue")
    toward = replace(about, donor=donor, donor_title="example 2")
    made = figure("slots", Asked(), toward, swept(wanted("slots", about)))
    (map_,) = made["data"]
    assert map_["z"][0][0] == pytest.approx((-1.0 + 0.5) - (-2.5 + 0.1))
    assert map_["x"] == ["z1", "z2", "all"]
    assert map_["y"] == ["1", "2", "3", "4", "all"]
    assert map_["zmin"] == -map_["zmax"]


def test_a_stopped_figure_says_so(about):
    assert "stopped after 3 of" in caption(about, swept(wanted("exits", about), 3, stopped=True))


def test_progress_shows_rate_and_time_left(about):
    some = swept(wanted("doses", about), 4)
    assert "4 of 20 branches, 2 a second, about 8 s left" in progress_html([some], 20)
    assert "4 of 4 branches in 2.0 s" in progress_html([some], 4, ended=True)


def test_what_is_missing_in_the_end_is_said(about):
    some = wanted("doses", about)
    asked = Asked(figures=("doses", "slots"))
    whole = swept(some)
    assert ending(asked, {"doses": some, "slots": []}, [whole, whole]) == ""
    assert "no slots could be patched" in ending(asked, {"doses": some}, [whole])
    stopped = ending(asked, {"doses": some, "slots": []}, [swept(some, 2, stopped=True)])
    assert "Stopped; what was finished is kept." in stopped
    refused = Sweep(BASE, (), ((some[0], "It cannot be."),), 1, (), 1.0)
    assert "One branch could not be made: It cannot be." in ending(
        asked, {"doses": some}, [refused]
    )


def test_doses_as_people_write_them():
    assert parse_doses("0.1, 1;4 1") == (0.1, 1.0, 4.0)
    assert parse_doses("") == ()
    for wrong in ("much", "-1", "inf", "nan", "1e9"):
        with pytest.raises(GuiError):
            parse_doses(wrong)
    assert step_dose((0.1, 1.0, 4.0)) == 1.0
    assert step_dose(()) == 2.0


def test_what_cannot_be_swept_is_one_sentence(visit, workshop):
    with pytest.raises(GuiError, match="not loaded on this machine"):
        subject(visit, workshop)  # a stand-in is no engine
    visit.clear()
    with pytest.raises(GuiError, match="Run a question in the Studio first"):
        subject(visit, workshop)


def test_what_cannot_be_planned_is_one_sentence(visit, workshop, about):
    with pytest.raises(StepsError):
        plan(Asked(steps="99"), about, visit, workshop)
    with pytest.raises(GuiError, match="at least one draw"):
        plan(Asked(draws=0), about, visit, workshop)
    _, made = plan(Asked(figures=("exits", "edges")), about, visit, workshop)
    assert list(made) == ["exits", "edges"]


def test_a_hosted_copy_gives_what_is_ticked_at_first():
    from gui.bounds import Bounds

    asked, latents, layers = Asked(), 8, 4  # as the demo models have
    pictures = [None] * asked.draws
    made = [
        wishes.doses(asked.kind, parse_doses(asked.doses), asked.draws, pictures=pictures),
        wishes.steps(asked.kind, 2.0, latents, asked.draws),
        wishes.exits(latents),
        wishes.knockouts(layers, asked.width),
    ]
    patched = (layers + 1) * (latents + 1)
    Bounds.hosted().check_sweep(sum(map(len, made)) + patched)


@pytest.mark.parametrize("figures", [("doses",), ("steps",)])
def test_a_sweep_of_too_many_draws_is_refused_before_it_is_made(
    visit, workshop, about, figures, monkeypatch
):
    made = []
    monkeypatch.setattr(wishes, "doses", lambda *a, **k: made.append(a))
    monkeypatch.setattr(wishes, "steps", lambda *a, **k: made.append(a))
    with pytest.raises(OutOfBounds, match="cells; at most 4,096 are computed here"):
        plan(Asked(figures=figures, draws=10**9), about, visit, workshop)
    assert made == []
