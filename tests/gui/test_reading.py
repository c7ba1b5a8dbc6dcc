import json
import math
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace

import pytest
import torch

from core.records import Bank, Edit, load
from gui import acts
from gui.components.inspector import inspector_html, share, word
from gui.components.look import look_value
from gui.components.strip import brief, slots, strip_html
from gui.figures.map import map_figure, together
from gui.inspection import read, read_selected
from gui.keeping import fill_visit, save_visit
from gui.reading import Reading, reading_of, readings
from gui.screen import inspected, looked
from gui.visits import Visit

FULL = Reading(
    1.5, 20.0, 99.5, 0.3, None, ((" blue", 0.9),), (("blau", 0.4),), (((" red", 0.5),),),
    ((1, 2, 0.8),), (("count → 3", 2, 0.7),), (1, 2), (0.25, 0.1), (4, 8),
    (("image", 0.35), ("question", 0.65)), (0.1, 0.2), "",
)  # fmt: skip


def test_a_reading_holds_what_the_run_holds_and_the_change(visit, workshop):
    acts.apply(visit, workshop, visit.baseline, [Edit("zero", steps=[1])])
    visit.steps = (1,)
    seen = read_selected(visit, workshop)
    assert seen.norm == 0
    assert seen.change == pytest.approx(1)
    assert seen.patches == ()  # nothing is near to the zero vector
    visit.steps = (0,)
    seen = read_selected(visit, workshop)
    assert seen.change == 0
    assert [c for _, _, c in seen.patches] == sorted((c for *_, c in seen.patches), reverse=True)
    visit.steps = ()
    assert read_selected(visit, workshop) is None
    assert "Select a latent" in inspected(visit, workshop)
    assert looked(visit, workshop) is None


def test_the_bank_says_how_far_from_normal(visit, workshop):
    latents = visit.baseline.spans[0].latents
    workshop.engine.bank = Bank(torch.stack([latents, latents * 0.5, latents * 2]))
    seen = read(visit, workshop, visit.baseline, 0, 2)
    assert seen.norm_share == pytest.approx(100 / 3)
    assert {step for _, step, _ in seen.bank} >= {3}
    assert seen.bank[0][2] == pytest.approx(1, abs=1e-5)
    assert "of clean z3" in inspector_html(seen, 2)


def test_a_model_that_cannot_be_asked_says_why(visit, workshop, monkeypatch):
    from core.errors import InputError

    def refuse(*_):
        raise InputError("This run is no longer held.")

    monkeypatch.setattr("gui.inspection._lenses", refuse)
    workshop.engine.passes = SimpleNamespace()
    assert read(visit, workshop, visit.baseline, 0, 1).problem == "This run is no longer held."
    assert "no longer held" in inspector_html(read(visit, workshop, visit.baseline, 0, 1), 1)


def test_readings_come_back_from_json_and_nonsense_does_not():
    assert reading_of(json.loads(json.dumps(FULL.plain()))) == FULL
    for wrong in (None, 3, [], {}, {"norm": "x"}, {**FULL.plain(), "looks": [1]}):
        assert reading_of(wrong) is None
    odd = reading_of({"norm": 1, "percentile": math.inf, "says": [["a", math.nan]]})
    assert (odd.percentile, odd.says) == (None, (("a", 0.0),))


def test_readings_and_trails_are_saved_with_a_session(visit, workshop):
    trace = visit.baseline
    readings(visit)[trace.id, 0, 1] = FULL
    visit.beside["trails"] = {(trace.id, 0): [(0, 1), None]}
    file = BytesIO()
    save_visit(visit, file, "m", "fake")
    file.seek(0)
    opened = Visit()
    fill_visit(opened, load(file), fresh=True)
    assert readings(opened) == {(opened.base, 0, 1): FULL}
    assert opened.beside["trails"] == {(opened.base, 0): [(0, 1), None]}
    workshop.engine = SimpleNamespace(recorded=True, bank=None)
    assert read(opened, workshop, opened.baseline, 0, 1) == FULL
    assert read(opened, workshop, opened.baseline, 0, 0).says == ()


def test_what_is_looked_at_is_told_in_shares():
    value = look_value(FULL, 1)
    assert (value["name"], value["rows"], value["layers"]) == ("z2", 1, 4)
    assert value["shares"][0] == ["picture", 0.35]
    assert look_value(replace(FULL, looks=())) is None
    assert look_value(FULL, live=False)["layers"] == 0


def test_tokens_and_shares_are_readable():
    assert word(" a\n") == "␣a⏎"
    assert word("<b>") == "&lt;b&gt;"
    assert (word(""), word("\x0b")) == ("∅", "\\x0b")
    assert (share(0.001), share(0.5), share(0.0)) == ("<1 %", "50 %", "0 %")


def test_marks_that_would_hide_each_other_share_a_label_off_the_arrow():
    points = [(0, 0), (5, 5), (0.1, 0), (0.1, 0.1)]
    assert together(points, 0.5) == [[0, 2, 3], [1]]
    moved = [(x + 3, y) for x, y in points]
    figure = map_figure(points, moved)
    base = figure["data"][0]
    assert base["text"] == ["", "2", "", ""]
    before, after = (n for n in figure["layout"]["annotations"] if n["text"] == "1,3,4")
    shifts = [(n["xshift"], n["yshift"]) for n in (before, after)]
    assert (0, 0) not in shifts  # beside the marks,
    assert shifts[0] != (19, 0)  # and not on the arrow, which goes to the right
    assert shifts[1] != (-19, 0)


def test_a_latent_without_length_says_nothing_and_has_no_direction(visit, workshop):
    acts.apply(visit, workshop, visit.baseline, [Edit("zero", steps=[1])])
    places = [s for s in slots(visit.edited) if s.kind == "latent"]
    assert [s.cosine is None or math.isnan(s.cosine) for s in places[:4]] == [
        True,
        True,
        True,
        False,
    ]
    html = strip_html("?", (0, 0), slots(visit.edited, says={(0, 0): (" red", 0.5)}))
    assert html.count("∠ –") == 2  # itself, and the one after it
    assert "no length, so no direction" in html
    assert '<code class="says">red <i>50 %</i></code>' in html
    assert "no length" in inspector_html(Reading(norm=0.0, layers=((), (("a", 0.5),))), 1)


def test_bytes_that_are_no_letter_are_shown_as_bytes():
    from core.engine.tracing import Reader

    names = {1: "âĢ", 2: "<0xE2>", 3: "Ġred", 4: "ï¿½"}
    texts = {1: "\ufffd", 2: "\ufffd", 3: " red", 4: "\ufffd"}
    tokenizer = SimpleNamespace(
        decode=lambda ids, **_: texts[ids[0]], convert_ids_to_tokens=lambda id: names[id]
    )
    reader = Reader(tokenizer, None, frozenset())
    assert [reader.label(t) for t in names] == ["⟨E2 80⟩", "⟨E2⟩", " red", "⟨EF BF BD⟩"]
    assert word("\ufffd") == "⟨byte⟩"  # in a file that was kept without them


def test_a_marker_is_named_by_both_its_ends():
    assert (brief("<abs_vis_token_pad>"), brief(" red"), brief(" ")) == ("abs_…n_pad", "red", "␣")
    assert (brief("<|latent_pad|>", 6), brief("<|latent_end|>", 6)) == ("…t_pad", "…t_end")
