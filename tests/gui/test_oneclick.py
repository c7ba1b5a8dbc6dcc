"""The quick row of a model that imagines in words: another picture's sentence, in one click."""

from gui import acts, app
from tests.gui.fake_engine import KINDS, FakeEngine, gallery


def test_one_click_puts_another_pictures_sentence_in(tmp_path):
    page = app.build(
        app.Options(port=None),
        lambda _: FakeEngine(model="words"),
        gallery,
        lambda: KINDS,
        tmp_path,
    )
    page.workshop.warm()
    assert page.workshop.ready, page.workshop.failure
    key, visit = page.visits.open()
    acts.open_example(visit, page.workshop, 0)
    box = page.desks.page.panel
    offered = box.fill(page.workshop, visit)
    shown = [name for name, button in box.quick.items() if offered[button]["visible"]]
    assert shown == ["swap"]
    list(page.desks.quick("swap")(key, None, "propagate", 0))
    assert [b.title for b in visit.branches.values()] == ["Baseline", "Sentence of example 2"]
    assert [e.kind for e in visit.edited.edits] == ["text"]
