"""What the Atlas computes for a visitor, with the stand-in engine and down to no latents at all."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from core.errors import InputError
from core.records import Bank, Edit
from core.records.bank import BankItem
from gui import acts
from gui.atlas.banked import bank_html
from gui.atlas.drawing import caption_of
from gui.atlas.selected import told
from gui.atlas.view import View
from gui.banker import Banker, items_of
from gui.cloud import gather
from gui.geometry import facts, facts_html
from gui.likeness import across_figures, between_figure, kinds, within_figure
from gui.line import Line
from gui.mapping import FROZEN, JOINT, Maps, Superseded, fit, places
from gui.nearby import nearest_to, neighbourhoods, of_bank, taken
from tests.gui.fake_engine import WIDTH, FakeEngine

KINDS = [name for _, name in kinds()]
MODEL = Path(__file__).resolve().parents[2] / "assets" / "models" / "faithful"


def bank(items=6, steps=4, words=True):
    draw = torch.Generator().manual_seed(1)
    latents = torch.randn(items, steps, WIDTH, generator=draw)
    latents[-1, -1] = float("nan")  # an item that stopped earlier
    about = tuple(
        BankItem(f"item-{n}", "plan" if n % 2 else "where", "", "left") for n in range(items)
    )
    states = torch.randn(items, 2, WIDTH, generator=draw) if words else None
    ids = torch.arange(2 * items).view(items, 2) if words else None
    return Bank(latents, "a test", {"budget": steps}, about, states, ids)


def edited(visit, workshop, **edit):
    edit = {"kind": "zero", "steps": [1], **edit}
    acts.apply(visit, workshop, visit.baseline, [Edit(edit.pop("kind"), **edit)])


def test_the_cloud_holds_bank_and_runs_with_their_labels(visit, workshop):
    workshop.engine.bank = bank()
    edited(visit, workshop)
    cloud = gather(visit, workshop)
    assert cloud.roles == ["bank", "before", "after"]
    assert [len(group) for group in cloud.groups] == [6 * 4 - 1, 6, 6]
    assert cloud.groups[0][0].task == "plan" or cloud.groups[0][0].task == "where"
    assert cloud.groups[1][2].name == "baseline, z3"
    assert "bank: 6 items, a test" in cloud.source
    key = cloud.key
    assert gather(visit, workshop).key == key
    edited(visit, workshop, steps=[2])
    more = gather(visit, workshop, ("branches", "patches", "words"))
    assert more.key != key
    assert more.roles == ["bank", "before", "after", "branch", "patch"]
    assert any("embeddings need the model" in note for note in more.notes)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_joint_map_is_the_same_bit_for_bit(visit, workshop, method):
    workshop.engine.bank = bank()
    edited(visit, workshop)
    cloud = gather(visit, workshop)
    one, other = (fit(cloud, method, JOINT) for _ in range(2))
    assert torch.equal(one[0].coordinates, other[0].coordinates)
    caption = " ".join(caption_of(cloud, one, edited=True))
    for said in ("joint fit of 35 points", "seed 0", "one fit", "Trustworthiness", "a test"):
        assert said in caption


def test_a_frozen_map_leaves_the_bank_where_it_is(visit, workshop):
    workshop.engine.bank = bank()
    edited(visit, workshop)
    cloud = gather(visit, workshop)
    before = places(cloud, fit(cloud, "pca", FROZEN))
    edited(visit, workshop, kind="gaussian", dose=3.0)
    other = gather(visit, workshop)
    parts = fit(other, "pca", FROZEN)
    after = places(other, parts)
    assert after[0] == before[0]
    assert after[1] == before[1]
    assert after[2] != before[2]
    said = " ".join(caption_of(other, parts, edited=True))
    assert "frozen fit of 23 points, 12 placed by it" in said
    assert "placed by the frozen fit" in said
    with pytest.raises(InputError, match="t-SNE cannot place"):
        fit(other, "tsne", FROZEN)


def test_a_fit_behind_the_page_gives_way_to_the_next(visit, workshop):
    cloud = gather(visit, workshop)
    maps = Maps()
    first = maps.begin(cloud, "pca", JOINT)
    second = maps.begin(cloud, "pca", JOINT)
    assert first.done.wait(60)
    assert second.done.wait(60)
    assert maps.fit is second
    assert second.error is None
    assert second.parts[0].method == "pca"
    first.stop()
    with pytest.raises(Superseded):
        first._tell(0.5, "layout")


def test_without_a_bank_the_examples_stand_for_it(visit, workshop):
    workshop.example(1)
    cloud = gather(visit, workshop)
    assert len(cloud.groups[0]) == 6  # its own example is not among the others
    assert cloud.groups[0][0].item == "example 2"
    assert "no bank" in cloud.source
    assert "no bank" in bank_html(workshop, builds=True).lower()
    assert facts_html(workshop) == ""


def test_neighbours_are_those_of_the_space_itself(visit, workshop):
    workshop.engine.bank = made = bank()
    edited(visit, workshop)
    cloud = gather(visit, workshop)
    at = places(cloud, fit(cloud, "pca", JOINT))
    flat = cloud.tables[0]
    vector = cloud.tables[1][0]
    near = nearest_to(cloud, at, vector, at[1][0])
    lengths = (flat - vector).norm(dim=1)
    assert [n.distance for n in near] == pytest.approx(sorted(lengths.tolist())[:5], rel=1e-4)
    assert near[0].name == cloud.groups[0][int(lengths.argmin())].name
    blocks = neighbourhoods(cloud, at, 1, made)
    assert [block.role for block in blocks] == ["before", "after"]
    assert "Mahalanobis" in blocks[0].facts
    own = of_bank(cloud, at, "item-1", 0)[0]
    assert "item-1, z1" not in [n.name for n in own.near]
    assert of_bank(cloud, at, "gone", 0) == []
    said = taken(cloud.groups[0][:5])
    assert said.startswith("5 latents of 2 items of the bank selected.")
    assert "z1 2" in said


@pytest.mark.parametrize("kind", KINDS)
def test_similarity_in_every_reading(visit, workshop, kind):
    workshop.engine.bank = bank()
    edited(visit, workshop, kind="gaussian", dose=1.0)
    within = within_figure(visit, workshop, kind)
    between = between_figure(visit, workshop, kind)
    grid, curve = across_figures(visit, workshop, kind, {"item-0"})
    for figure in (within, between, grid, curve):
        json.dumps(figure, allow_nan=False)
    heat = within["data"][0]["z"]
    assert len(heat) == 6
    assert all(heat[k][k] == pytest.approx(1) for k in range(6))
    assert len(grid["data"]) == 4
    assert any(t["name"] == "words of the answers" for t in curve["data"])
    # what was not edited is equal before and after
    diagonal = [between["data"][0]["z"][k][k] for k in range(6)]
    assert diagonal[0] == pytest.approx(1, abs=1e-5) or kind == "raw"


def test_the_corrected_cosine_says_what_it_lacks(visit, workshop):
    workshop.engine.bank = bank(words=False)
    for figure in (within_figure(visit, workshop, "corrected"),
                   *across_figures(visit, workshop, "corrected")):  # fmt: skip
        assert figure["data"] == []
        assert "build one" in figure["layout"]["annotations"][0]["text"].replace("<br>", " ")


def test_a_run_without_latents_is_a_sentence():
    from gui.visits import Visit
    from gui.workshop import Workshop
    from tests.gui.fake_engine import KINDS as EDITS
    from tests.gui.fake_engine import gallery

    room = Workshop(lambda: FakeEngine(emits=False), gallery, lambda: EDITS)
    room.warm()
    visit = Visit()
    acts.open_example(visit, room, 0)
    cloud = gather(visit, room, ("branches", "patches", "words"))
    assert sum(map(len, cloud.groups)) == 0
    for kind in KINDS:
        for figure in (within_figure(visit, room, kind), between_figure(visit, room, kind),
                       *across_figures(visit, room, kind)):  # fmt: skip
            json.dumps(figure, allow_nan=False)
            assert figure["data"] == []


@pytest.mark.parametrize("content", ["identical", "nan", "one"])
def test_degenerate_latents_are_smaller_figures(visit, workshop, content):
    steps = 1 if content == "one" else 3
    table = {
        "identical": torch.ones(3, steps, WIDTH),
        "nan": torch.full((3, steps, WIDTH), float("nan")),
        "one": torch.ones(1, 1, WIDTH),
    }[content]
    items = tuple(BankItem(str(n)) for n in range(len(table)))
    workshop.engine.bank = Bank(table, "degenerate", None, items)
    latents = visit.baseline.spans[0].latents
    latents[:] = table[0, 0]
    if content == "one":
        edited(visit, workshop, kind="truncate", steps=None, count=1)
    cloud = gather(visit, workshop)
    for method in ("pca", "umap", "tsne"):
        parts = fit(cloud, method, JOINT)
        at = places(cloud, parts)
        assert [len(group) for group in at] == [len(group) for group in cloud.groups]
        assert caption_of(cloud, parts, False)
        neighbourhoods(cloud, at, 0, workshop.engine.bank)
    for kind in ("raw", "centred", "zscored"):
        for figure in (
            within_figure(visit, workshop, kind),
            *across_figures(visit, workshop, kind),
        ):
            json.dumps(figure, allow_nan=False)
    facts(workshop.engine.bank)


def test_what_a_browser_says_is_not_believed():
    own, marked = told([[0, 2, "run", "x"], [-1, 1, "bank", "a"], [-1, 1, "bank", "a"], "x", [1],
                        [0, -1, "run", "x"], ["0", 1, "run", "x"], {"kind": "bank"}])  # fmt: skip
    assert own == [(0, 2)]
    assert marked == [("a", 1)]
    assert told(None) == ([], [])
    assert View().method == "pca"


def test_items_of_a_bank_are_scenes_no_study_asks_or_a_persons_own(tmp_path):
    scenes = items_of("scenes", 7)
    assert len(scenes) == 7
    assert "validation" in scenes.source
    (tmp_path / "items.jsonl").write_text('{"question": "Which?", "answer": "left"}\n')
    assert [item.question for item in items_of(str(tmp_path), 5)] == ["Which?"]


@pytest.mark.skipif(not (MODEL / "model.safetensors").is_file(), reason="needs the demo model")
def test_a_bank_is_built_behind_the_page_kept_and_found_again(tmp_path):
    import core

    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("bank*"))
    engine = core.load(folder)
    assert engine.bank is None
    line = Line()
    banker = Banker(SimpleNamespace(engine=engine, line=line))
    ahead = line.join("visitor")
    banker.start("scenes", 5)
    assert not banker.wait(1)  # it waits for its turn
    assert banker.done == 0
    line.leave(ahead)
    assert banker.wait(120)
    assert not banker.trouble
    assert banker.said == "Built: 5 items × 8 latents; kept beside the model."
    assert "5 of 5 items" in banker.progress()
    assert len({item.task for item in engine.bank.items}) == 5
    assert core.load(folder).bank.hash == engine.bank.hash

    kept = engine.bank
    banker.start("scenes", 5000)
    banker.stop()
    assert banker.wait(120)
    assert banker.said.startswith("Stopped")
    assert engine.bank is kept
    banker.start(str(tmp_path / "nowhere"), 5)
    assert banker.wait(60)
    assert banker.trouble
    assert "no data set" in banker.said
