"""Questions of several askers in one batch: each gets what they would have got alone."""

from threading import Event
from typing import Any

import pytest
import torch

from core.engine import Step
from core.engine.abreast import Wish, runs
from core.engine.together import branches
from core.errors import QuestionError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

QUESTIONS = (
    (tiny.picture(1), "What colour?", {"force_latents": True, "budget": 4}),
    (tiny.picture(2, (112, 84)), "Where does the path lead, up or down?", {"max_new_tokens": 5}),
    (None, "one two three", {"temperature": 0.9, "seed": 7}),
    (tiny.picture(1), "What colour?", {"force_latents": True, "budget": 2, "system": "Count."}),
)


def alike(one: Trace, other: Trace) -> bool:
    return (
        one.token_ids == other.token_ids
        and one.ended_by == other.ended_by
        and one.settings == other.settings
        and one.prompt == other.prompt
        and len(one.spans) == len(other.spans)
        and all(
            torch.allclose(a.latents, b.latents, atol=1e-5)
            for a, b in zip(one.spans, other.spans, strict=True)
        )
    )


def wished(seen: dict[int, list[Step]] | None = None, **more: Any) -> list[Wish]:
    return [
        Wish(image, question, {"max_new_tokens": 12, **options, **more},
             tell=(seen.setdefault(n, []).append if seen is not None else lambda step: None))
        for n, (image, question, options) in enumerate(QUESTIONS)
    ]  # fmt: skip


@pytest.mark.parametrize("family", ["monet", "lvr", "mirage", "skila"])
def test_every_asker_has_their_own_settings_steps_and_run(lab: Lab, family: str) -> None:
    engine, seen = lab(family), {}
    ends = runs(engine, wished(seen))
    for n, (image, question, options) in enumerate(QUESTIONS):
        stream = list(engine.stream(image, question, **{"max_new_tokens": 12, **options}))
        end = ends[n]
        assert isinstance(end, Step)
        assert alike(end.trace, stream[-1].trace)
        assert [(s.index, s.token_id, s.piece, s.span, s.step) for s in seen[n]] == [
            (s.index, s.token_id, s.piece, s.span, s.step) for s in stream
        ]
        # what came of it is held like any run: it can be branched from
        if end.trace.spans:
            edit = [Edit("zero", steps=(0,))]
            one, other = engine.branch(end.trace, edit), engine.branch(stream[-1].trace, edit)
            assert one.token_ids == other.token_ids


def test_who_stops_ends_alone_within_a_step_and_the_others_go_on(lab: Lab) -> None:
    engine = lab("monet")
    stop = Event()
    wishes = wished()
    seen: list[Step] = []

    def tell(step: Step) -> None:
        seen.append(step)
        if step.index == 2:
            stop.set()

    wishes[0] = Wish(*QUESTIONS[0][:2], {**wishes[0].options}, stop, tell)
    ends = [end.trace for end in runs(engine, wishes) if isinstance(end, Step)]
    assert ends[0].ended_by == "cancelled"
    assert len(ends[0].token_ids) <= 5
    for (image, question, options), trace in list(zip(QUESTIONS, ends, strict=True))[1:]:
        assert alike(trace, engine.run(image, question, **{"max_new_tokens": 12, **options}))


def test_a_question_that_cannot_be_asked_is_its_askers_alone(lab: Lab) -> None:
    engine = lab("monet")
    wishes = wished()
    wishes[1] = Wish(None, "  ", {})
    ends = runs(engine, wishes)
    assert isinstance(ends[1], QuestionError)
    assert sum(isinstance(end, Step) for end in ends) == 3


def test_branches_of_several_askers_stop_one_by_one(lab: Lab) -> None:
    engine = lab("monet")
    asked = {"force_latents": True, "budget": 4, "max_new_tokens": 12}
    parents = [engine.run(*q[:2], **asked) for q in QUESTIONS[:2]]
    edits = [[Edit("zero", steps=(1,))], [Edit("zero", steps=(2,))]]
    stopped = Event()
    stopped.set()
    made = branches(engine, list(zip(parents, edits, strict=True)), cancels=[stopped, None])
    assert [m.ended_by == "cancelled" for m in made if isinstance(m, Trace)] == [True, False]
    assert made[1].token_ids == engine.branch(parents[1], edits[1]).token_ids
