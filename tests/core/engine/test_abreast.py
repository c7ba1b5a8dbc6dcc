"""Questions of several askers in one batch: each gets what they would have got alone."""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
import torch

from core.engine import Engine, Step, packing
from core.engine.abreast import Change, Question, answers
from core.errors import EditError, QuestionError
from core.records import Edit, Trace
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab
from tests.core.engine.test_captured import decoded
from tests.core.engine.test_refill import MODES, widest

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


def wished(**more: Any) -> list[Question]:
    return [
        Question(image, question, {"max_new_tokens": 12, **options, **more})
        for image, question, options in QUESTIONS
    ]


def alone(engine: Engine, n: int) -> list[Step]:
    image, question, options = QUESTIONS[n]
    return list(engine.stream(image, question, **{"max_new_tokens": 12, **options}))


def heard(
    engine: Engine, wishes: Iterable[Any], see: Callable[[Any, Any], None] = lambda wish, one: None
) -> dict[Any, list[Any]]:
    """What each asker was told, in order."""
    told: dict[Any, list[Any]] = {}
    for step in answers(engine, iter(wishes)):
        for wish, one in step:
            told.setdefault(wish, []).append(one)
            see(wish, one)
    return told


def shown(steps: list[Step]) -> list[Any]:
    return [(s.index, s.token_id, s.piece, s.span, s.step) for s in steps]


@pytest.mark.parametrize("most", [64, 2, 1])
@pytest.mark.parametrize("family", ["monet", "lvr", "mirage", "skila"])
def test_every_asker_has_their_own_settings_steps_and_run(lab: Lab, family: str, most: int) -> None:
    engine, wishes = lab(family), wished()
    with widest(most) as seen:
        told = heard(engine, wishes)
    assert max(map(len, seen)) == min(most, len(wishes))
    for n, wish in enumerate(wishes):
        single, (*_, end) = alone(engine, n), told[wish]
        assert alike(end.trace, single[-1].trace)
        assert shown(told[wish]) == shown(single)
        # what came of it is held like any run: it can be branched from
        if end.trace.spans:
            edit = [Edit("zero", steps=(0,))]
            one, other = engine.branch(end.trace, edit), engine.branch(single[-1].trace, edit)
            assert one.token_ids == other.token_ids


@pytest.mark.parametrize("most", [64, 2])
@pytest.mark.parametrize("mode", MODES)
def test_who_comes_while_others_are_answered_joins_them(lab: Lab, mode: str, most: int) -> None:
    engine = lab("monet")
    singles = [alone(engine, n)[-1].trace for n in range(len(QUESTIONS))]
    edits = [Edit("gaussian", steps=(1,), dose=0.7)]
    child = engine.branch(singles[0], edits)
    first, *rest = wished()
    line: deque[Any] = deque([first])
    later = {2: rest[0], 4: Change(singles[0], edits), 5: rest[1], 6: rest[2]}
    began: list[Any] = []

    class Coming:
        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            if not line:
                raise StopIteration
            began.append(line[0])
            return line.popleft()

    def see(wish: Any, one: Any) -> None:
        if wish is first and one.trace is None and one.index in later:
            line.append(later[one.index])

    with widest(most) as seen, ExitStack() as more:
        if mode == "static":
            more.enter_context(decoded(engine, mode))
        told = heard(engine, Coming(), see)
    assert began == [first, *later.values()]  # nobody was overtaken
    assert max(map(len, seen)) == (2 if most == 2 else 4)
    assert seen[0] == [1]
    for wish, trace in zip([first, *rest], singles, strict=True):
        assert alike(told[wish][-1].trace, trace)
    ((branch,),) = [told[wish] for wish in told if isinstance(wish, Change)]
    assert (branch.token_ids, branch.ended_by) == (child.token_ids, child.ended_by)
    assert (branch.parent, branch.edits) == (child.parent, child.edits)


def test_where_there_is_no_room_the_next_waits_for_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab("monet")
    slots = max(len(s[-1].trace.prompt.input_ids) for s in (alone(engine, n) for n in range(4)))
    room = packing.slot_bytes(engine.passes) * 2 * (slots + 12)
    monkeypatch.setattr(packing, "LEAST_ROOM", room)
    wishes = wished()
    with widest(64) as seen:
        told = heard(engine, wishes)
    assert max(map(len, seen)) == 2
    for n, wish in enumerate(wishes):
        assert alike(told[wish][-1].trace, alone(engine, n)[-1].trace)


def test_who_stops_ends_alone_within_a_step_and_the_others_go_on(lab: Lab) -> None:
    engine, stop = lab("monet"), Event()
    wishes = wished()
    wishes[0] = replace(wishes[0], cancel=stop)

    def see(wish: Question, step: Any) -> None:
        if wish is wishes[0] and step.index == 2:
            stop.set()

    told = heard(engine, wishes, see)
    ends = [told[wish][-1].trace for wish in wishes]
    assert ends[0].ended_by == "cancelled"
    assert len(ends[0].token_ids) <= 5
    for n in range(1, len(QUESTIONS)):
        assert alike(ends[n], alone(engine, n)[-1].trace)


def test_who_stopped_while_waiting_is_not_decoded(lab: Lab) -> None:
    engine, stop = lab("monet"), Event()
    wishes = wished()
    wishes[3] = replace(wishes[3], cancel=stop)
    stop.set()
    with widest(3) as seen:
        told = heard(engine, wishes)
    assert told[wishes[3]][-1].trace.ended_by == "cancelled"
    assert len(told[wishes[3]]) == 1
    assert max(map(len, seen)) == 3


def test_a_wish_that_cannot_be_done_is_its_askers_alone(lab: Lab) -> None:
    engine = lab("monet")
    run = alone(engine, 0)[-1].trace
    wrong = [Question(None, "  "), Change(run, [Edit("zero", steps=(99,))])]
    wishes = [wrong[0], *wished(), wrong[1]]
    told = heard(engine, wishes)
    assert isinstance(told[wrong[0]][0], QuestionError)
    assert isinstance(told[wrong[1]][0], EditError)
    assert all(told[wish][-1].trace for wish in wishes[1:-1])


def test_branches_of_several_askers_stop_one_by_one(lab: Lab) -> None:
    engine = lab("monet")
    asked = {"force_latents": True, "budget": 4, "max_new_tokens": 12}
    parents = [engine.run(*q[:2], **asked) for q in QUESTIONS[:2]]
    stopped = Event()
    stopped.set()
    wishes = [
        Change(parents[0], [Edit("zero", steps=(1,))], stopped),
        Change(parents[1], [Edit("zero", steps=(2,))]),
    ]
    told = heard(engine, wishes)
    (one,), (other,) = told[wishes[0]], told[wishes[1]]
    assert one.ended_by == "cancelled"
    assert other.ended_by != "cancelled"
    assert other.token_ids == engine.branch(parents[1], wishes[1].edits).token_ids
