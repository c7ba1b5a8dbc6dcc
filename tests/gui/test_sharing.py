"""Wishes of several visitors go through the model together; each gets what they'd get alone."""

import threading
import time
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
    """What came of works whose wishes were all there before the first was begun, each in a thread
    of its own; errors as they are."""
    out: list[Any] = [None] * len(works)

    def do(n: int) -> None:
        with shop.line.join(f"v{n}", beside=shop.beside) as ticket:
            ticket.take()
            try:
                out[n] = works[n]()
            except Exception as error:
                out[n] = error

    threads = [threading.Thread(target=do, args=(n,)) for n in range(len(works))]
    with shop.lock:
        for thread in threads:
            thread.start()
        until(lambda: len(shop.sharing._waiting) == len(works))
    for thread in threads:
        thread.join(60)
    assert not len(shop.line)
    assert shop.sharing.largest == len(works)
    return out


def until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.005)


def told(made: Any) -> Any:
    return made.token_ids, made.ended_by


def test_runs_branches_and_scores_are_those_alone(shop: Workshop, monkeypatch: Any) -> None:
    engine: Engine = shop.engine
    alone = [engine.run(*q, **ASKED) for q in QUESTIONS]
    runs = at_once(shop, [lambda q=q: shop.sharing.run(*q, **ASKED) for q in QUESTIONS])
    assert [told(r) for r in runs] == [told(a) for a in alone]
    edits = [[Edit("zero", steps=(n,))] for n in (0, 1, 2)]
    children = at_once(
        shop,
        [lambda r=r, e=e: shop.sharing.branch(r, e) for r, e in zip(runs, edits, strict=True)],
    )
    assert [told(c) for c in children] == [
        told(engine.branch(a, e)) for a, e in zip(alone, edits, strict=True)
    ]
    scores = at_once(shop, [lambda c=c: shop.sharing.score(c, ["red", "blue"]) for c in children])
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
    at_once(shop, [lambda n=n: work(n) for n in range(3)])
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
    *runs, wrong = at_once(shop, works)
    assert isinstance(wrong, QuestionError)
    outside = [Edit("zero", steps=(99,))]
    made = at_once(
        shop,
        [lambda: shop.sharing.branch(runs[0], [Edit("zero", steps=(0,))])]
        + [lambda: shop.sharing.branch(runs[1], outside)]
        + [lambda: shop.sharing.branch(runs[0], [Edit("zero", steps=(1,))])] * 2,
    )
    assert isinstance(made[1], EditError)
    assert told(made[0]) == told(shop.engine.branch(runs[0], [Edit("zero", steps=(0,))]))


def test_a_batch_that_fails_as_a_whole_is_done_one_by_one(shop: Workshop, monkeypatch: Any) -> None:
    import core.engine.abreast as abreast

    usual = abreast.answers

    def fails(engine: Any, coming: Any) -> Any:
        for told in usual(engine, coming):
            yield told
            if any(one.index == 3 for _, one in told):
                raise MemoryError

    monkeypatch.setattr(abreast, "answers", fails)
    works = [lambda q=q: list(shop.sharing.stream(*q, **ASKED)) for q in QUESTIONS]
    for question, made in zip(QUESTIONS, at_once(shop, works), strict=True):
        stream = list(shop.engine.stream(*question, **ASKED))
        assert [(s.index, s.token_id) for s in made] == [(s.index, s.token_id) for s in stream]
        assert made[-1].trace is not None


def test_who_comes_while_others_are_answered_joins_them(shop: Workshop, monkeypatch: Any) -> None:
    engine: Engine = shop.engine
    alone = [engine.run(*q, **ASKED) for q in QUESTIONS]
    edits = [Edit("zero", steps=(1,))]
    child = told(engine.branch(alone[0], edits))
    scores = engine.score(alone[0], ["red", "blue"])
    made: dict[str, Any] = {}
    works: dict[str, Callable[[], Any]] = {
        "run": lambda: shop.sharing.run(*QUESTIONS[1], **ASKED),
        "branch": lambda: shop.sharing.branch(alone[0], edits),
        "score": lambda: shop.sharing.score(alone[0], ["red", "blue"]),
    }

    def come(name: str) -> None:
        with shop.line.join(name, beside=shop.beside) as ticket:
            ticket.take()
            made[name] = works[name]()

    long = {**ASKED, "max_new_tokens": 40}
    whole = told(engine.run(*QUESTIONS[0], **long))
    threads = [threading.Thread(target=come, args=(name,)) for name in works]
    passes: list[int] = []
    decode = engine.passes.decode

    def third(cache: Any, *fed: Any) -> Any:
        passes.append(cache.rows)
        if len(passes) == 3:
            for thread in threads:
                thread.start()
            until(lambda: len(shop.sharing._waiting) == len(works))
        return decode(cache, *fed)

    monkeypatch.setattr(engine.passes, "decode", third)
    with shop.line.join("first", beside=shop.beside) as ticket:
        ticket.take()
        steps = list(shop.sharing.stream(*QUESTIONS[0], **long))
    for thread in threads:
        thread.join(60)
    assert told(steps[-1].trace) == whole
    assert told(made["run"]) == told(alone[1])
    assert told(made["branch"]) == child
    assert made["score"] == pytest.approx(scores, abs=1e-4)
    assert passes[:4] == [1, 1, 1, 3]  # the score is read between two steps


def test_a_batch_that_cannot_begin_is_told_to_its_askers(shop: Workshop, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr("core.engine.abreast.answers", broken)
    monkeypatch.setattr(shop.engine, "stream", broken)
    for question in QUESTIONS:
        with pytest.raises(MemoryError):
            shop.sharing.run(*question, **ASKED)
    assert not shop.lock.locked()


def test_where_an_answer_could_change_nobody_goes_together(shop: Workshop) -> None:
    weights = shop.engine.passes.embedding.weight
    asked = {n: Sharing(shop.line, shop.lock, lambda: shop.engine, n) for n in (1, 4)}
    assert shop.sharing.able()
    assert shop.sharing.several()
    assert not asked[1].able()
    shop.engine.passes.embedding.weight.data = weights.data.half()
    try:
        assert not shop.sharing.able()
        assert asked[4].able()  # somebody asked for it
    finally:
        shop.engine.passes.embedding.weight.data = weights.data.float()
    lent = Sharing(shop.line, shop.lock, lambda: object())
    assert not lent.able()
    assert not lent.several()
    assert not Sharing(Line(), shop.lock, lambda: shop.engine).several()  # one turn at a time
