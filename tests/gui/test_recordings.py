from pathlib import Path

import pytest

from gui import acts
from gui.inspection import read
from gui.panel import Panel
from gui.reading import readings
from gui.recordings import FOLDER, RecordedRoom, first_screen, record
from gui.screen import screen
from gui.visits import Visit
from tests.gui.fake_engine import KINDS, FakeEngine, gallery

SHIPPED = sorted(FOLDER.glob("*.zscope"))


@pytest.fixture
def recorded(workshop, tmp_path) -> Path:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        panel = Panel()
    paths = list(record(workshop, "faithful", panel, tmp_path))
    assert [p.stem for p in paths] == ["faithful-1-attribute", "faithful-2-where"]
    return tmp_path


def test_recorded_runs_are_examples_without_a_model(recorded, workshop):
    room = RecordedRoom(workshop, recorded)
    assert room.ready
    assert [model for model, _, _ in room.thumbnails] == ["faithful"] * 2
    visit = Visit()
    acts.open_example(visit, room, 1)
    assert [b.title for b in visit.branches.values()] == [
        "Baseline", "Noise", "Zero", "Latents of example 4",
    ]  # fmt: skip
    assert visit.edited.answer != visit.baseline.answer
    assert visit.scores[visit.base]
    visit.steps = (2,)
    view = screen(visit, room)
    assert "recorded run" in view.say
    assert 'class="trail"' in view.picture
    assert "Nearest patches" in view.inspector
    assert view.map["data"]
    assert len(readings(visit)) == sum(len(b.trace.spans[0]) for b in visit.branches.values())
    assert read(visit, room, visit.baseline, 0, 0).patches
    with pytest.raises(acts.GuiError, match="2 recorded runs"):
        acts.open_example(visit, room, 2)


def test_a_recorded_run_cannot_be_edited_and_says_why(recorded, workshop):
    from core.errors import CheckpointError
    from core.records import Edit

    room, visit = RecordedRoom(workshop, recorded), Visit()
    acts.open_example(visit, room, 0)
    with pytest.raises(CheckpointError, match="recorded"):
        acts.apply(visit, room, visit.baseline, [Edit("zero")])


def test_the_first_run_is_there_before_its_model(recorded, workshop):
    visit, room = first_screen("faithful", workshop) if SHIPPED else (None, None)
    if visit is not None:
        assert list(visit.branches) == [visit.base]
        assert room.ready
    assert first_screen("nobody", workshop) is None


@pytest.mark.skipif(not SHIPPED, reason="needs the recorded runs in assets/recorded")
def test_the_shipped_runs_open_and_were_read_whole(workshop):
    room = RecordedRoom(workshop)
    assert len(room) == len(SHIPPED)
    for index in range(len(room)):
        visit = Visit()
        room.show_example(visit, index)
        assert visit.image is not None
        for branch in visit.branches.values():
            if not branch.trace.spans:
                assert branch.trace.imagined  # in words: there is no latent to look at
                continue
            reading = read(visit, room, branch.trace, 0, 0)
            assert reading.layers
            assert reading.looks
            assert sum(v for _, v in reading.shares) == pytest.approx(1, abs=1e-3)


def test_a_model_that_imagines_in_words_is_recorded_with_the_edits_it_has(tmp_path, workshop):
    import gradio as gr

    from gui.workshop import Workshop

    with gr.Blocks(analytics_enabled=False):
        panel = Panel()
    speaks = Workshop(lambda: FakeEngine(model="words"), gallery, lambda: KINDS)
    speaks.warm()
    list(record(workshop, "faithful", panel, tmp_path))
    list(record(speaks, "words", panel, tmp_path))
    room, visit = RecordedRoom(workshop, tmp_path), Visit()
    index = [model for model, _, _ in room.thumbnails].index("words")
    acts.open_example(visit, room, index)
    assert [b.title for b in visit.branches.values()] == ["Baseline", "Sentence of example 2"]
    view = screen(visit, room)
    assert "remedy" not in view.strip
    assert 'class="chip imagined"' in view.strip
    assert "Word by word" in view.inspector
