"""Runs are held within a bound, dropped oldest first, and made again when they are needed."""

from io import BytesIO
from typing import Any

import pytest
import torch
from PIL import Image

from core.engine import Engine
from core.engine.store import Held, Store
from core.errors import InputError
from core.records import Edit, Trace, load, save
from tests.core.engine import tiny
from tests.core.engine.conftest import Lab

ASKED: dict[str, Any] = {"force_latents": True, "budget": 4, "max_new_tokens": 10}


@pytest.fixture
def engine(lab: Lab) -> Engine:
    return lab("monet-sft")


def runs(engine: Engine, count: int) -> list[Trace]:
    return [engine.run(tiny.picture(k), "What colour?", **ASKED) for k in range(count)]


def test_the_oldest_caches_give_way_when_the_bytes_are_used_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "store", Store())
    one = runs(engine, 1)[0]
    size = engine.store.nbytes
    assert size > 0
    monkeypatch.setattr(engine, "store", Store(most_bytes=3 * size))
    traces = runs(engine, 6)
    assert engine.store.nbytes <= 3 * size
    alive = [engine.hold(trace).live is not None for trace in traces]
    assert alive == [False, False, False, True, True, True]
    # a dropped run is made again when it is branched from, bit for bit
    child = engine.branch(traces[0], [Edit("identity")])
    assert child.logprobs == traces[0].logprobs == one.logprobs
    assert engine.store.nbytes <= 4 * size


def test_branches_share_their_parents_prompt(engine: Engine) -> None:
    parent = runs(engine, 1)[0]
    alone = engine.store.nbytes
    prompt = engine.live(engine.hold(parent)).cache.prompt_bytes
    engine.branches(parent, [[Edit("gaussian", seed=k)] for k in range(4)])
    assert engine.store.nbytes - alone <= 4 * (alone - prompt) * 1.5


def test_a_forgotten_run_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "store", Store(most_runs=2))
    traces = runs(engine, 3)
    for use in (
        lambda: engine.branch(traces[0], [Edit("zero")]),
        lambda: engine.logits(traces[0]),
        lambda: engine.score(traces[0], ["red"]),
        lambda: engine.patches(traces[0]),
    ):
        with pytest.raises(InputError, match="no longer held"):
            use()
    assert engine.branch(traces[2], [Edit("zero")]).receipts


def test_a_branch_whose_parent_is_forgotten_says_so(engine: Engine) -> None:
    parent = runs(engine, 1)[0]
    child = engine.branch(parent, [Edit("gaussian", seed=1)])
    engine.store.drop_live()
    engine.store.forget(parent.id)
    with pytest.raises(InputError, match="no longer held"):
        engine.branch(child, [Edit("zero")])


def test_another_engines_run_is_not_taken_for_ones_own(lab: Lab) -> None:
    trace = runs(lab("monet"), 1)[0]
    with pytest.raises(InputError):
        lab("skila").branch(trace, [Edit("zero")])


def through_a_file(traces: list[Trace], image: Image.Image) -> tuple[list[Trace], Any]:
    file = BytesIO()
    save(file, traces, {traces[0].prompt.image_hash: image})
    session = load(file.getvalue())
    return list(session.traces), session.images


@pytest.mark.parametrize("family", ["monet", "monet-sft", "lvr", "laser"])
def test_a_session_from_a_file_is_taken_up_where_it_was_left(lab: Lab, family: str) -> None:
    engine = lab(family)
    asked = ASKED if family != "laser" else ASKED | {"force_latents": False}
    image = tiny.picture(3, (112, 84))
    root = engine.run(image, "Where does the path lead?", **asked)
    child = engine.branch(root, [Edit("gaussian", [1], dose=1.0, mode="pinned")])
    grandchild = engine.branch(child, [Edit("zero", [0]), Edit("rotate", [1], angle=30)])
    cached = engine.branch(root, [Edit("gaussian", [1], mode="cached")])
    logits = [engine.logits(t) for t in (root, child, grandchild, cached)]
    further = engine.branch(grandchild, [Edit("identity")])
    traces, images = through_a_file([root, child, grandchild, cached], image)
    engine.store.clear()
    picture = images[root.prompt.image_hash]
    taken = engine.adopt(traces[2], picture, traces)
    assert taken.id == grandchild.id
    engine.adopt(traces[3], picture, traces)
    for trace, before in zip(traces, logits, strict=True):
        assert torch.equal(engine.logits(trace), before)
    assert engine.branch(taken, [Edit("identity")]).logprobs == further.logprobs
    assert torch.equal(engine.patches(traces[0]), engine.patches(traces[2]))
    # a second time it is known already
    assert engine.adopt(traces[2], picture, traces).id == grandchild.id


def test_sampled_hand_fed_and_stopped_runs_are_taken_up_too(engine: Engine) -> None:
    image = tiny.picture(1)
    hot = engine.run(image, "What colour?", **ASKED, temperature=1.3, seed=5)
    stream = engine.stream(image, "What colour?", **ASKED)
    step = next(stream)
    while step.trace is None:
        vector = torch.ones(tiny.WIDTH) if step.latent is not None and step.step == 2 else None
        step = stream.send(vector) if vector is not None else next(stream)
    fed = step.trace
    assert torch.equal(fed.spans[0].latents[2], torch.ones(tiny.WIDTH))
    logits = [engine.logits(t) for t in (hot, fed)]
    traces, images = through_a_file([hot, fed], image)
    engine.store.clear()
    for trace, before in zip(traces, logits, strict=True):
        engine.adopt(trace, images[trace.prompt.image_hash])
        assert torch.equal(engine.logits(trace), before)


def test_what_does_not_belong_together_is_refused(engine: Engine, lab: Lab) -> None:
    image = tiny.picture(1)
    root = engine.run(image, "What colour?", **ASKED)
    child = engine.branch(root, [Edit("zero", [1])])
    engine.store.clear()
    with pytest.raises(InputError, match="came from"):
        engine.adopt(child, image)
    with pytest.raises(InputError, match="picture or the question"):
        engine.adopt(root, tiny.picture(1, (112, 112)))
    with pytest.raises(InputError, match="picture or the question"):
        engine.adopt(root, None)
    with pytest.raises(InputError):
        engine.adopt(root, tiny.picture(2))  # same size, other pixels
    with pytest.raises(InputError, match="another"):
        lab("ilvr").adopt(root, image)
    assert engine.adopt(root, image).id == root.id


def test_prompts_are_bounded_by_their_bytes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "store", Store())
    first = runs(engine, 1)[0]
    size, held = engine.store.prompt_bytes, engine.hold(first)
    pixels = held.inputs["pixel_values"].nbytes
    assert held.patches is not None
    assert size >= pixels + held.patches.nbytes > 0
    engine.branches(first, [[Edit("gaussian", seed=k)] for k in range(4)])
    assert engine.store.prompt_bytes == size  # branches share their parent's
    monkeypatch.setattr(engine, "store", Store(most_prompt_bytes=3 * size))
    traces = runs(engine, 2)
    children = engine.branches(traces[1], [[Edit("gaussian", seed=k)] for k in range(3)])
    traces += [engine.run(tiny.picture(k), "What colour?", **ASKED) for k in (2, 3)]
    assert engine.store.prompt_bytes <= 3 * size
    held_now = [engine.store.by_id(trace.id) is not None for trace in (*traces, *children)]
    assert held_now == [False, True, True, True, True, True, True]
    engine.hold(traces[1])  # used: the next to go is another
    engine.run(tiny.picture(4), "What colour?", **ASKED)
    assert engine.store.by_id(traces[1].id) is not None
    assert all(engine.store.by_id(child.id) is not None for child in children)
    assert engine.store.by_id(traces[2].id) is None


def test_one_prompt_larger_than_the_bound_is_kept_while_it_is_the_newest(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "store", Store(most_prompt_bytes=1))
    traces = runs(engine, 2)
    child = engine.branch(traces[1], [Edit("zero")])
    assert len(engine.store) == 2
    assert engine.branch(child, [Edit("zero")]).parent == child.id
    with pytest.raises(InputError, match="no longer held"):
        engine.branch(traces[0], [Edit("zero")])


def test_a_picture_that_is_held_as_it_is_counts_too() -> None:
    held = Held.__new__(Held)
    held.inputs, held.patches = {"image": Image.new("RGB", (30, 20))}, None
    assert held.prompt_bytes == 30 * 20 * 3
