"""What a study writes down of the inside of runs, on a tiny model."""

import json
from dataclasses import replace
from threading import Event

import pytest

import core
from core import study
from core.errors import Cancelled
from core.study.arms import Arm, Latent
from core.study.design import Design
from core.study.inside import look_inside, looks_of
from core.study.inside.maps import influence_map, patch_map
from core.study.inside.profiles import (
    edge_profile,
    edges_everywhere,
    exits_of,
    flipped,
    relayed,
    response,
    step_profile,
)
from core.study.runner import keys_of
from tests.core.engine import tiny

DESIGN = Design(
    (Arm("identity", "identity", z=(Latent("identity"),)),),
    block=2, max_new_tokens=10, budget=3, force_latents=True, resamples=100, inside=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("model"), "monet", seed=7)
    return core.load(folder, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for place in range(5):
        tiny.picture(place).save(folder / f"{place}.png")
        answer = ("red", "blue")[place % 2]
        rows.append(
            {"image": f"{place}.png", "question": "What?", "answer": answer, "options": "red|blue"}
        )
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return study.load_items(folder)


@pytest.fixture(scope="module")
def folder(engine, items, tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    assert look_inside(engine, items, DESIGN, place, keys_of(engine, DESIGN)) == 5
    assert len(engine.store) == 0
    return place


@pytest.fixture(scope="module")
def looks(engine, items, folder):
    keys = keys_of(engine, DESIGN)
    return looks_of(folder, [{"key": keys(item, DESIGN.arms[0])} for item in items])


def test_attention_adds_up_and_the_lens_reads_every_layer(engine, looks):
    assert [look.item for look in looks] == sorted(look.item for look in looks)
    for look in looks:
        assert look.steps == 3
        assert look.picture.startswith("data:image/png;base64,")
        for who in ("latents", "answer"):
            for layer in range(look.layers):
                total = sum(shares[layer] for shares in look.mass[who].values())
                assert total == pytest.approx(1, abs=1e-3)
        on_picture = sum(look.mass["latents"]["image"]) / look.layers
        seen = sum(sum(panel) for panel in look.over) / look.steps
        assert seen == pytest.approx(on_picture, abs=1e-3)
        assert len(look.deep) == engine.passes.layers + 1
        assert all(len(layer) == 3 for layer in look.deep)


def test_single_changes_are_those_of_plain_branches(engine, items, looks):
    """Exits and a patch, one by one with the engine's own calls."""
    item, look = items[0], looks[0]
    base = engine.run(item.picture(), item.question, **DESIGN.options())
    whole = engine.score(base, item.options)
    for point in look.of("exit"):
        edit = {0: core.Edit("markers"), 3: core.Edit("identity")}.get(
            point["count"], core.Edit("truncate", count=point["count"])
        )
        scores = engine.score(engine.branch(base, [edit]), item.options)
        own = max(whole, key=whole.get)
        other = next(option for option in item.options if option != own)
        change = (scores[own] - scores[other]) - (whole[own] - whole[other])
        assert point["d_ld"] == pytest.approx(change, abs=1e-3)
    engine.store.clear()
    assert [bool(look.points) for look in looks] == [True, True, True, False, False]
    assert {tuple(p["layers"]) for p in look.of("answer → latents")} >= {(0, look.layers)}


def test_influence_goes_forward_only(looks):
    for look in looks[:3]:
        for edited, row in enumerate(look.influence):
            assert len(row) == 4
            for stop, value in enumerate(row):
                assert (value == value) == (stop > edited)
                assert not value < -1e-6
        assert max(v for row in look.influence for v in row if v == v) > 0


def test_profiles_of_all_items(looks):
    found = [look for look in looks if look.points]
    name, unit, value = response(found)
    assert (name, unit) == ("Δ logit difference of the run's own choice", "nats")
    profile = step_profile(found, DESIGN, flipped, rate=True)
    assert list(profile) == ["propagate", "pinned", "cached", "sham"]
    assert all(
        0 <= i.low <= i.estimate <= i.high <= 1 for line in profile.values() for _, i in line
    )
    # nothing stands behind the last latent, so its modes are one
    last = dict(relayed(found, DESIGN, value))[3]
    assert all(abs(one.estimate) < 1e-3 for one in last)
    exits = exits_of(found, DESIGN)
    assert (exits.items, exits.apart) == (3, 0)
    reached = [i.estimate for _, i in exits.reached]
    assert reached == sorted(reached)
    assert exits.same[-1][1].estimate == 1
    edges = edge_profile(found, DESIGN)
    assert set(edges) == set(edges_everywhere(found, DESIGN))
    assert len(edges["answer → latents"]) == found[0].layers
    patches = patch_map(found, DESIGN)
    assert patches.rows[-1] == patches.columns[-1] == "all"
    weights = influence_map(found, DESIGN)
    for share in (weights.locality, weights.early_out, weights.late_in):
        assert 0 <= share.estimate <= 1


def test_it_goes_on_where_it_stopped_and_knows_its_own(engine, items, folder, tmp_path):
    keys = keys_of(engine, DESIGN)
    assert look_inside(engine, items, DESIGN, folder, keys) == 0
    stop, said = Event(), []

    def stage(words):
        said.append(words)
        if len(said) == 2:
            stop.set()

    with pytest.raises(Cancelled):
        look_inside(engine, items, DESIGN, tmp_path, keys, stop, stage=stage)
    there = len(list((tmp_path / "inside").iterdir()))
    assert there < 5
    assert look_inside(engine, items, DESIGN, tmp_path, keys) == 5 - there
    for path in (folder / "inside").iterdir():  # whatever came between, the same words
        assert json.loads(path.read_text()) == json.loads(
            (tmp_path / "inside" / path.name).read_text()
        )
    other = replace(DESIGN, seed=1)
    rows = [{"key": keys_of(engine, other)(item, other.arms[0])} for item in items]
    assert looks_of(folder, rows) == []


def test_two_processes_look_at_what_one_looks_at(engine, items, folder, tmp_path):
    keys = keys_of(engine, DESIGN)
    for rank in (0, 1):
        look_inside(engine, items, DESIGN, tmp_path, keys, rank=rank, processes=2)
    for path in (folder / "inside").iterdir():
        assert path.read_bytes() == (tmp_path / "inside" / path.name).read_bytes()
