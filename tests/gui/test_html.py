from dataclasses import replace
from math import log

import pytest

from core.records import Edit
from gui.components.answers import answers_html
from gui.components.barcode import BARS, bars
from gui.components.examples import examples_html
from gui.components.inspector import inspector_html
from gui.components.picture import picture_html
from gui.components.strip import slots, strip_html
from gui.components.tree import Leaf, tree_html
from gui.components.wordwise import wordwise_html
from gui.reading import Reading
from gui.screen import say_html, screen

EVIL = "<img src=x onerror=alert(1)>\"'</script>"


def evil(trace):
    pieces = tuple(EVIL if p == " thing" else p for p in trace.pieces)
    return replace(
        trace, pieces=pieces, answer=EVIL, text=EVIL, prompt=replace(trace.prompt, question=EVIL)
    )


def test_equal_vectors_look_equal_and_zero_is_flat():
    assert bars([1.0] * 48, 7.0) == bars([1.0] * 48, 7.0)
    assert bars([0.0] * 48, 7.0) == [0.0] * BARS
    wild = bars([float("nan"), *[1e9] * 47], 1.0)
    assert all(-1 <= b <= 1 for b in wild)


def test_the_strip_shows_every_place_and_names_it(trace):
    html = strip_html("Where?", (4, 4), slots(trace))
    assert html.count('class="cell"') == len(trace.spans[0])
    assert html.count('class="chip') == len(trace.token_ids) - len(trace.spans[0]) + 2
    assert "norm" in html
    assert "aria-label" in html


def test_edited_cells_are_marked_and_the_ones_that_moved(engine, trace):
    child = engine.branch(trace, [Edit("zero", steps=[1])])
    places = [s for s in slots(child, trace) if s.kind == "latent"]
    assert [bool(s.mark) for s in places] == [False, True, False, False, False, False]
    assert places[1].change == pytest.approx(1)
    assert places[0].change == 0
    html = strip_html("?", (4, 4), slots(child, trace))
    assert html.count('class="cell edited"') == 1


def test_a_run_without_latents_is_a_state_with_a_remedy(trace):
    mute = replace(trace, spans=(), pieces=trace.pieces[-3:], token_ids=trace.token_ids[-3:])
    html = strip_html("?", (4, 4), slots(mute), remedy="The model answered without imagining.")
    assert "without imagining" in html
    assert 'data-act="force"' in html


def test_nothing_anyone_wrote_becomes_html(engine, trace):
    child = replace(engine.branch(trace, [Edit("zero")]), answer=EVIL)
    pages = [
        strip_html(EVIL, (4, 4), slots(evil(trace), child, lambda e: EVIL, {(0, 0): (EVIL, 0.5)})),
        strip_html(EVIL, (4, 4), slots(child, trace, lambda e: EVIL), remedy=EVIL),
        answers_html(evil(trace), child, {"zero": EVIL}, (EVIL, EVIL), ({EVIL: -1.0}, {EVIL: -2})),
        answers_html(None, None, {}, partial=EVIL),
        tree_html([Leaf("id", EVIL, EVIL, 1)]),
        examples_html([(EVIL, EVIL, EVIL)], 0),
        picture_html(EVIL, (1, 1), (4, 4), [(0, 0)], [0]),
        say_html(EVIL, True),
        inspector_html(Reading(says=((EVIL, 0.5),), bank=((EVIL, 1, 0.5),), problem=EVIL)),
        inspector_html(Reading(near=((EVIL, 0.5),), layers=(((EVIL, 0.5),),))),
        inspector_html(Reading(grid=(2, 2), patches=((1, 1, 0.5),)), 0, EVIL),
    ]
    for html in pages:
        assert "<img src=x" not in html
        assert "&lt;img src=x" in html
        assert "</script>" not in html


def test_the_first_divergent_token_is_marked_on_both_sides(engine, trace):
    child = engine.branch(trace, [Edit("zero")])
    html = answers_html(trace, child, {})
    assert html.count("<mark") == 2
    assert "answer flipped" in html
    same = answers_html(trace, engine.branch(trace, [Edit("identity")]), {})
    assert "<mark" not in same
    assert "answer unchanged" in same


def test_a_screen_holds_what_the_visit_holds(visit, workshop):
    view = screen(visit, workshop)
    assert view.strip.count('class="cell"') == 6
    assert "data:image/png" in view.picture
    assert "red" in view.answers
    assert view.tree.count("<li") == 1


def test_words_are_listed_with_what_came_next_to_them(trace):
    trace = replace(
        trace, token_ids=(5, 6, 7), pieces=("red", " <b>", "<|im_end|>"), spans=(),
        sampled_ids=(5, 6, 7), logprobs=(log(0.75), log(0.001), 0.0), imagined=(0, 1),
        top=(((5, log(0.75)), (9, log(0.25))), ((8, log(0.9)),), ()),
    )  # fmt: skip
    html = wordwise_html(trace, {8: "blue", 9: EVIL}.get)
    assert all(said in html for said in ("75 %", "25 %", "&lt;1 %", "90 %", "&lt;b&gt;"))
    assert not any(said in html for said in (EVIL, "im_end"))
    assert html.index("Imagined") < html.index("75 %") < html.index("Said")
    assert "<small>" not in wordwise_html(trace, None)


def test_examples_show_the_task_of_the_current_one():
    items = [("count", "How many?", "data:,"), ("plan", "Which way?", "data:,")]
    html = examples_html(items, 1)
    assert 'data-task="count" hidden' in html
    assert 'data-task="plan" hidden' not in html
    assert 'data-task="plan" hidden' in examples_html(items, None)
