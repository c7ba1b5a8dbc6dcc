"""The Guide's sentences are read off the model at that moment: another model, another sentence."""

import gradio as gr
import pytest

from gui.acts import GuiError
from gui.demonstrations import Show
from gui.findings import FINDINGS
from gui.panel import Panel
from gui.shelf import Model, Shelf
from tests.gui.fake_engine import KINDS, FakeEngine, gallery

NAMES = ("shortcut", "faithful", "words")


@pytest.fixture
def told(tmp_path):
    """What the Guide says at every step, by (finding, step), with given models on its stage."""
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    with gr.Blocks():
        panel = Panel()

    def tell(engines):
        first = Model("shortcut", str(tmp_path / "shortcut"))
        shelf = Shelf(first, lambda m: engines[m.name], gallery, lambda: KINDS, tmp_path)
        show = Show(shelf, panel)
        out = {}
        for f, finding in enumerate(FINDINGS):
            for s, step in enumerate(finding.steps):
                try:
                    out[f, s] = list(step.act(show))[-1]
                except GuiError as error:
                    out[f, s] = str(error)
        return out

    return tell


def engines(**other):
    return {name: FakeEngine(model=name) for name in NAMES} | other


def test_a_model_that_behaves_otherwise_is_told_of_otherwise(told):
    usual = told(engines())
    turned = told(
        engines(shortcut=FakeEngine(model="faithful"), faithful=FakeEngine(model="shortcut"))
    )
    for edited in ((0, 1), (0, 2)):
        assert "stayed" in usual[edited]
        assert "turned into" in turned[edited]
    for edited in ((1, 1), (1, 2)):
        assert "turned into" in usual[edited]
        assert "stayed" in turned[edited]
    assert "changed 0 of 4" in usual[0, 3]
    assert "changed 4 of 4" in turned[0, 3]
    assert usual[2, 4] != turned[2, 4]
    assert "shortcut 0 of 4, faithful 4 of 4" in usual[2, 4]
    assert "shortcut 4 of 4, faithful 0 of 4" in turned[2, 4]


def test_what_is_imagined_is_counted_and_quoted(told):
    fewer = FakeEngine(model="shortcut")
    fewer.budget = 3
    mute = FakeEngine(model="faithful", emits=False)
    said = told(engines(shortcut=fewer, faithful=mute))
    assert said[0, 0].startswith("It imagined 3 latents and answered")
    assert "all 3 latents" in said[0, 3]
    assert said[1, 0].endswith("without imagining latents.")
    assert said[2, 0].startswith("It imagined “The disc is")
