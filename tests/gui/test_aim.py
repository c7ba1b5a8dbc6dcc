"""What a page tells of its screen is believed only where it can be understood and is still so."""

import gradio as gr
import pytest

from gui import app
from gui.aim import CHANGED, aim_of, check_seen, seen_of
from gui.compare import Compare
from gui.components.picture import mark_of
from gui.errors import GuiError
from gui.visits import Visit
from tests.gui.fake_engine import KINDS, FakeEngine, gallery, painted

SEEN = {
    "base": "a", "shown": "b", "span": 0, "steps": [1, 2], "order": 7, "waits": "", "picture": "",
}  # fmt: skip


def test_what_was_seen_is_read_as_it_was_told():
    aim = aim_of(SEEN, Visit())
    assert (aim.base, aim.shown, aim.steps, aim.order) == ("a", "b", (1, 2), 7.0)


def test_a_program_that_sees_nothing_means_what_the_visit_holds():
    visit = Visit(span=1, steps=(3,), uri="data:image/png;base64,AA")
    aim = aim_of("<div class='strip'></div>", visit)
    assert (aim.span, aim.steps) == (1, (3,))
    aim.check_picture(visit)


@pytest.mark.parametrize(
    "wrong", [{}, {**SEEN, "span": "x"}, {**SEEN, "steps": 4}, {**SEEN, "order": None}]
)
def test_what_cannot_be_understood_is_refused(wrong):
    with pytest.raises(GuiError, match="still changing"):
        aim_of(wrong, Visit())


def test_another_picture_and_another_waiting_latent_are_refused():
    visit = Visit(uri="data:image/png;base64,AA")
    with pytest.raises(GuiError, match="still changing"):
        aim_of({**SEEN, "picture": mark_of("data:image/png;base64,AB")}, visit).check_picture(visit)
    with pytest.raises(GuiError, match="still changing"):
        aim_of({**SEEN, "waits": "0:1"}, visit).check_waiting(visit)
    with pytest.raises(GuiError, match="Run a question first"):
        aim_of(SEEN, visit).run(visit)


def test_the_strip_hands_back_what_the_visit_shows():
    assert seen_of(Visit(picked=5.0)) == {"base": "", "shown": "", "waits": "", "order": "5.0"}


def test_only_what_was_seen_and_is_otherwise_now_is_refused():
    check_seen({"seen": ""}, "b", CHANGED)
    check_seen("markup", "b", CHANGED)
    check_seen({"seen": "b"}, "b", CHANGED)
    with pytest.raises(GuiError, match="still changing"):
        check_seen({"seen": "a"}, "b", CHANGED)


def test_every_column_of_a_comparison_is_of_one_picture(tmp_path, monkeypatch):
    page = app.build(
        app.Options(port=None), lambda _: FakeEngine(), gallery, lambda: KINDS, tmp_path
    )
    page.workshop.warm()
    key, visit = page.visits.open()
    first, other = painted("green"), painted("red")
    visit.image, visit.asked = first, "What?"
    seen = []
    with gr.Blocks():
        compare = Compare()
    compare.desks = page.desks

    def answered(subject, *rest):
        seen.append(subject.image)
        compare.subject(key).image = other  # an example is chosen while the first is asked
        return ""

    monkeypatch.setattr("gui.compare.answered", answered)
    monkeypatch.setattr(type(compare), "_room", lambda self, name: page.workshop)
    monkeypatch.setattr("gui.compare.columns_html", lambda *args: "")
    list(compare.on_run(key, None, "What?", "", ["one", "two"], "none"))
    assert seen == [first, first]
    said = [
        out[compare.say] for out in compare.on_run(key, {"seen": "0"}, "?", "", ["one"], "none")
    ]
    assert "still changing" in said[-1]
