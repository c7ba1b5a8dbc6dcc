"""Calls that share nothing but values give what an engine that remembers gives."""

import pickle

import pytest
import torch

from core.engine.stateless import BRANCHES, LONGEST, RUN, SCORE, Reply, Request, serve, serve_plain
from core.errors import EditError, QuestionError, ZscopeError
from core.records import Edit
from tests.core.engine import tiny


def call(engine, request):
    """One call: nothing but bytes goes in, nothing but bytes comes out, nothing is left."""
    replies = [
        Reply.of(pickle.loads(pickle.dumps(reply)))
        for reply in serve_plain(engine, pickle.loads(pickle.dumps(request.plain())))
    ]
    assert len(engine.store) == 0
    return replies


@pytest.mark.parametrize("family", ["monet", "mirage", "qwen2.5-vl"])
def test_a_run_its_branches_and_its_scores(lab, family):
    engine = lab(family)
    picture, question = tiny.picture(1), "What colour is the star?"
    settings = {"max_new_tokens": 20, "force_latents": family != "qwen2.5-vl"}
    base = engine.run(picture, question, **settings)
    patches = engine.patches(base)
    replies = call(engine, Request(RUN, picture, question, settings))
    (mine,) = replies[-1].traces
    assert mine.token_ids == base.token_ids
    assert torch.equal(replies[-1].patches, patches)
    assert [r.step.index for r in replies[:-1]] == sorted(r.step.index for r in replies[:-1])
    if not base.spans:
        (reply,) = call(engine, Request(BRANCHES, picture, chain=(mine,), edits=((Edit("zero"),),)))
        with pytest.raises(EditError):
            reply.checked()
        return
    assert torch.equal(mine.spans[0].latents, base.spans[0].latents)

    edits = [[Edit("zero", steps=[1])], [Edit("gaussian", dose=1.0, seed=4)]]
    engine.store.clear()
    base = engine.run(picture, question, **settings)
    there = engine.branches(base, edits)
    second = engine.branch(there[0], [Edit("gaussian", dose=0.5, seed=1)])
    scores = engine.score(second, ["red", "blue"])
    engine.store.clear()
    (reply,) = call(
        engine, Request(BRANCHES, picture, chain=(mine,), edits=tuple(map(tuple, edits)))
    )
    for one, other in zip(reply.traces, there, strict=True):
        assert one.token_ids == other.token_ids
        assert one.receipts == other.receipts
    chain = (mine, reply.traces[0])
    more = (Edit("gaussian", dose=0.5, seed=1),)
    (reply,) = call(engine, Request(BRANCHES, picture, chain=chain, edits=(more,)))
    (grandchild,) = reply.traces
    assert grandchild.token_ids == second.token_ids
    asked = Request(SCORE, picture, chain=(*chain, grandchild), options=("red", "blue"))
    (reply,) = call(engine, asked)
    assert reply.scores == pytest.approx(scores, abs=1e-5)


def test_a_mistake_comes_back_as_itself(lab):
    (reply,) = call(lab(), Request(RUN, tiny.picture(), "   "))
    with pytest.raises(QuestionError, match=r"\.$"):
        reply.checked()
    assert issubclass(QuestionError, ZscopeError)


def test_a_mistake_of_ours_is_not_dressed_up(lab):
    engine = lab()
    base = engine.run(tiny.picture(), "What?", max_new_tokens=4)
    with pytest.raises(ValueError, match="no call"):
        list(serve(engine, Request("dance", tiny.picture(), chain=(base,))))
    assert len(engine.store) == 0


def test_the_time_asked_for_grows_with_the_work(lab):
    base = lab().run(tiny.picture(), "What?", max_new_tokens=40)
    short = Request(RUN, None, "What?", {"max_new_tokens": 8}).seconds
    long = Request(RUN, None, "What?", {"max_new_tokens": 512}).seconds
    deep = Request(BRANCHES, None, chain=(base,) * 9, edits=((),)).seconds
    score = Request(SCORE, None, chain=(base,)).seconds
    assert short < long
    assert score < deep
    assert Request(BRANCHES, None, chain=(base,), edits=((),)).seconds < deep
    assert Request(RUN, None, "What?", {"max_new_tokens": 100_000}).seconds == LONGEST
