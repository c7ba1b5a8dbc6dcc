"""Wishes of several visitors go through the model together; each gets what they'd get alone."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from core.engine import Engine
from core.errors import EditError, QuestionError
from core.records import Edit
from gui.line import Line
from gui.sharing import Sharing
from gui.visits import Visit
from gui.workshop import Workshop
from tests.core.engine import tiny
from tests.core.engine.conftest import lab, workshop  # noqa: F401
from tests.gui.fake_engine import KINDS

ASKED: dict[str, Any] = {"force_latents": True, "budget": 4, "max_new_tokens": 12}
QUESTIONS = [(tiny.picture(1), "What colour?"), (tiny.picture(2, (112, 84)), "Where, up or down?"),
             (None, "one two three")]  # fmt: skip


@pytest.fixture
def shop(lab) -> Workshop:  # noqa: F811
    made = Workshop(lambda: lab("monet"), lambda: (), lambda: KINDS, Line(together=8))
    made.start()
    made.done.wait()
    assert made.beside is made.sharing
    return made


def at_once(shop: Workshop, works: list[Callable[[], Any]]) -> list[Any]:
    """What came of works done in one turn, each in a thread of its own; errors as they are."""
    out: list[Any] = [None] * len(works)
    guard = shop.line.join("before")
    tickets = [shop.line.join(f"v{n}", beside=shop.beside) for n in range(len(works))]

    def do(n: int) -> None:
        with tickets[n] as ticket:
            ticket.take()
            try:
                out[n] = works[n]()
            except Exception as error:
                out[n] = error

    threads = [threading.Thread(target=do, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    shop.line.leave(guard)
    for thread in threads:
        thread.join(60)
    assert not len(shop.line)
    return out


def told(made: Any) -> Any:
    return made.token_ids, made.ended_by


def held_back(shop: Workshop, works: list[Callable[[], Any]], monkeypatch: Any) -> list[Any]:
    """The same, and they are together for sure: patience beyond what a slow machine needs."""
    monkeypatch.setattr("gui.sharing.GATHER", 20)
    out = at_once(shop, works)
    assert shop.sharing.largest == len(works)
    return out


def test_runs_branches_and_scores_are_those_alone(shop: Workshop, monkeypatch: Any) -> None:
    engine: Engine = shop.engine
    alone = [engine.run(*q, **ASKED) for q in QUESTIONS]
    runs = held_back(
        shop, [lambda q=q: shop.sharing.run(*q, **ASKED) for q in QUESTIONS], monkeypatch
    )
    assert [told(r) for r in runs] == [told(a) for a in alone]
    edits = [[Edit("zero", steps=(n,))] for n in (0, 1, 2)]
    children = held_back(
        shop,
        [lambda r=r, e=e: shop.sharing.branch(r, e) for r, e in zip(runs, edits, strict=True)],
        monkeypatch,
    )
    assert [told(c) for c in children] == [
        told(engine.branch(a, e)) for a, e in zip(alone, edits, strict=True)
    ]
    scores = held_back(
        shop, [lambda c=c: shop.sharing.score(c, ["red", "blue"]) for c in children], monkeypatch
    )
    for child, score in zip(children, scores, strict=True):
        assert score == pytest.approx(engine.score(child, ["red", "blue"]), abs=1e-4)


def test_each_visitor_sees_their_own_run_and_stops_it_alone(
    shop: Workshop, monkeypatch: Any
) -> None:
    from gui import asking

    visits = [Visit(image=image, asked="") for image, _ in QUESTIONS]
    for visit in visits:
        visit.going, visit.cancel = True, threading.Event()
    screens: list[list[Any]] = [[], [], []]
    see = asking.Watch.see

    def watched(watch: Any, step: Any) -> None:
        see(watch, step)
        if step.latent is not None and step.step == 1 and threading.current_thread().name == "0":
            visits[0].cancel.set()

    def work(n: int) -> None:
        threading.current_thread().name = str(n)
        screens[n] += list(asking.ask(visits[n], shop, QUESTIONS[n][1], **ASKED))

    monkeypatch.setattr(asking.Watch, "see", watched)
    held_back(shop, [lambda n=n: work(n) for n in range(3)], monkeypatch)
    monkeypatch.undo()
    for n, visit in enumerate(visits):
        assert screens[n]
        if n:
            assert told(visit.baseline) == told(shop.engine.run(*QUESTIONS[n], **ASKED))
    stopped = visits[0].baseline
    whole = shop.engine.run(*QUESTIONS[0], **ASKED)
    assert stopped.token_ids == whole.token_ids[: len(stopped.token_ids)]


def test_one_visitors_trouble_is_not_the_others(shop: Workshop, monkeypatch: Any) -> None:
    works = [lambda q=q: shop.sharing.run(*q, **ASKED) for q in QUESTIONS]
    works.append(lambda: shop.sharing.run(None, "  ", **ASKED))
    *runs, wrong = held_back(shop, works, monkeypatch)
    assert isinstance(wrong, QuestionError)
    outside = [Edit("zero", steps=(99,))]
    made = held_back(
        shop,
        [lambda: shop.sharing.branch(runs[0], [Edit("zero", steps=(0,))])]
        + [lambda: shop.sharing.branch(runs[1], outside)]
        + [lambda: shop.sharing.branch(runs[0], [Edit("zero", steps=(1,))])] * 2,
        monkeypatch,
    )
    assert isinstance(made[1], EditError)
    assert told(made[0]) == told(shop.engine.branch(runs[0], [Edit("zero", steps=(0,))]))


def test_a_batch_that_fails_as_a_whole_is_done_one_by_one(shop: Workshop, monkeypatch: Any) -> None:
    import core.engine.abreast as abreast

    steps = abreast.runs

    def fails(engine: Any, wishes: Any) -> Any:
        def halfway(step: Any) -> None:
            wishes[0].tell(step)
            if step.index == 3:
                raise MemoryError

        steps(engine, [abreast.Wish(wishes[0].image, wishes[0].question, wishes[0].options, None,
                                    halfway), *wishes[1:]])  # fmt: skip

    monkeypatch.setattr(abreast, "runs", fails)
    works = [lambda q=q: list(shop.sharing.stream(*q, **ASKED)) for q in QUESTIONS]
    for question, made in zip(QUESTIONS, held_back(shop, works, monkeypatch), strict=True):
        stream = list(shop.engine.stream(*question, **ASKED))
        assert [(s.index, s.token_id) for s in made] == [(s.index, s.token_id) for s in stream]
        assert made[-1].trace is not None


def test_where_an_answer_could_change_nobody_goes_together(shop: Workshop) -> None:
    weights = shop.engine.passes.embedding.weight
    assert shop.sharing.able()
    assert not shop.sharing.able(1)
    shop.engine.passes.embedding.weight.data = weights.data.half()
    try:
        assert not shop.sharing.able()
        assert shop.sharing.able(4)  # somebody asked for it
    finally:
        shop.engine.passes.embedding.weight.data = weights.data.float()
    lent = Sharing(shop.line, shop.lock, lambda: object())
    assert not lent.able()
    assert not lent.several()
