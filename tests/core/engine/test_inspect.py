"""Layer states and attention of chosen slots, against a plain uncached eager forward."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

import core
from core.engine import Engine, inspect
from core.engine.inspect import attention_of, image_slots, layer_states
from core.errors import InputError
from core.records import Edit, Trace
from tests.core.engine import tiny

Opened = tuple[Engine, Trace, Path]
HEADED = {"lvr_head": True}
KINDS: dict[str, dict[str, Any]] = {
    "monet": {},
    "monet-sft": {},
    "mirage": {},
    "lvr": {"extra": tiny.simple_head(), "keys": HEADED},
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Opened]:
    """An engine of a family with a run of 4 latents and some words, made once."""
    made: dict[str, Opened] = {}

    def get(family: str) -> Opened:
        if family not in made:
            folder = tiny.write_checkpoint(tmp_path_factory.mktemp(family), family, **KINDS[family])
            engine = core.load(folder, family=family)
            trace = engine.run(
                tiny.picture(), "What colour is the star?", 4, force_latents=True, max_new_tokens=16
            )
            assert trace.spans
            assert len(trace.spans[0]) >= 2
            made[family] = engine, trace, folder
        return made[family]

    return get


@pytest.fixture(scope="module")
def monet(opened: Callable[[str], Opened]) -> Opened:
    return opened("monet")


def fed(trace: Trace) -> list[int]:
    """Places of all slots that were fed."""
    return list(range(len(trace.token_ids) - 1))


def recorded(engine: Engine, trace: Trace) -> Tensor:
    """Last hidden states (n, D) as the decode loop had them."""
    live = engine.live(engine.hold(trace))
    return torch.stack(live.hidden[1 : len(trace.token_ids)]).float()


@torch.no_grad()
def plain(folder: Path, engine: Engine, trace: Trace) -> tuple[Tensor, Tensor]:
    """States (layers + 1, n, D) and attention (layers, heads, n, keys) of one stock forward."""
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    inputs = engine.hold(trace).inputs
    ids = inputs["input_ids"]
    embeds = model.get_input_embeddings()(ids)
    seen = model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])
    patches = torch.cat(list(getattr(seen, "pooler_output", seen)))
    embeds = embeds.masked_scatter((ids == model.config.image_token_id)[..., None], patches)
    own = model.get_input_embeddings()(torch.tensor([trace.token_ids[:-1]]))
    for span in trace.spans:
        stop = min(span.stop, own.shape[1])
        own[0, span.start : stop] = span.latents[: stop - span.start]
    positions, _ = model.model.get_rope_index(
        ids,
        mm_token_type_ids=(ids == model.config.image_token_id).int(),
        image_grid_thw=inputs["image_grid_thw"],
    )
    after = positions.max() + 1 + torch.arange(own.shape[1])
    out = model.model.language_model(
        inputs_embeds=torch.cat([embeds, own], 1),
        position_ids=torch.cat([positions, after.expand(3, 1, -1)], -1),
        output_hidden_states=True,
        output_attentions=True,
    )
    prompt = ids.shape[1]
    states = torch.stack(out.hidden_states)[:, 0, prompt:]
    return states, torch.stack(out.attentions)[:, 0, :, prompt:]


@pytest.mark.parametrize("family", KINDS)
def test_states_and_attention_are_those_of_a_plain_forward(
    opened: Callable[[str], Opened], family: str
):
    engine, trace, folder = opened(family)
    places = fed(trace)
    states, attention = plain(folder, engine, trace)
    found = layer_states(engine, trace, places)
    torch.testing.assert_close(found[:-1], states[:-1], atol=2e-4, rtol=1e-4)
    words = [p for p in places if engine.loaded.head is None or not trace.is_latent[p]]
    torch.testing.assert_close(found[-1, words], states[-1, words], atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(attention_of(engine, trace, places), attention, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", KINDS)
def test_the_last_layer_is_what_the_run_recorded_and_the_first_what_was_fed(
    opened: Callable[[str], Opened], family: str
):
    engine, trace, _ = opened(family)
    found = layer_states(engine, trace, fed(trace))
    torch.testing.assert_close(found[-1], recorded(engine, trace), atol=1e-4, rtol=1e-4)
    span = trace.spans[0]
    torch.testing.assert_close(found[-1, span.start : span.stop], span.hidden, atol=1e-4, rtol=1e-4)
    assert torch.equal(found[0, span.start : span.stop], span.latents)


@pytest.mark.parametrize("mode", ["propagate", "pinned", "cached"])
def test_a_branch_is_read_as_it_was_computed_in_every_mode(monet: Opened, mode: str):
    engine, trace, folder = monet
    child = engine.branch(trace, [Edit("gaussian", steps=[1, 2], dose=1.0, mode=mode)])
    found = layer_states(engine, child, fed(child))
    torch.testing.assert_close(found[-1], recorded(engine, child), atol=1e-4, rtol=1e-4)
    attention = attention_of(engine, child, fed(child))
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))
    if mode != "cached":  # there no single forward makes the run
        states, weights = plain(folder, engine, child)
        torch.testing.assert_close(found, states, atol=5e-4, rtol=1e-3)
        torch.testing.assert_close(attention, weights, atol=1e-4, rtol=1e-3)
    grandchild = engine.branch(child, [Edit("zero", steps=[0], mode="cached")])
    again = layer_states(engine, grandchild, fed(grandchild))
    torch.testing.assert_close(again[-1], recorded(engine, grandchild), atol=1e-4, rtol=1e-4)


def test_cut_edges_carry_nothing(monet: Opened):
    engine, trace, _ = monet
    child = engine.branch(trace, [Edit("knockout", source="answer", target="latents")])
    places = fed(child)
    attention = attention_of(engine, child, places)
    layer_states(engine, child, places)
    span, prompt = child.spans[0], len(child.prompt.input_ids)
    latents = slice(prompt + span.start, prompt + span.stop)
    behind = [row for row, place in enumerate(places) if place >= span.stop]
    assert behind
    assert (attention[:, :, behind, latents] == 0).all()
    assert (attention[:, :, span.stop - 1, latents] > 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))


def test_some_slots_in_any_order_and_many_passes_give_the_same(
    monet: Opened, monkeypatch: pytest.MonkeyPatch
):
    engine, trace, _ = monet
    whole, looks = (f(engine, trace, fed(trace)) for f in (layer_states, attention_of))
    chosen = [5, 1, 3, 1]
    torch.testing.assert_close(layer_states(engine, trace, chosen), whole[:, chosen])
    torch.testing.assert_close(attention_of(engine, trace, chosen), looks[:, :, chosen])
    monkeypatch.setattr(inspect, "SLOTS", 3)
    torch.testing.assert_close(layer_states(engine, trace, fed(trace)), whole)
    torch.testing.assert_close(attention_of(engine, trace, fed(trace)), looks)
    layers, width = engine.passes.layers, engine.passes.width
    assert layer_states(engine, trace, []).shape == (layers + 1, 0, width)


def test_nothing_stays_on_the_model_and_the_run_is_not_touched(monet: Opened):
    engine, trace, _ = monet
    live = engine.live(engine.hold(trace))
    before = [t.clone() for pair in (*live.cache.prompt, *live.cache.own) for t in pair]
    known = len(engine.store)
    layer_states(engine, trace, fed(trace))
    attention_of(engine, trace, fed(trace))
    modules = engine.loaded.model.modules()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules)
    after = [t for pair in (*live.cache.prompt, *live.cache.own) for t in pair]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(engine.store) == known
    assert torch.equal(
        engine.logits(trace), engine.logits(engine.branch(trace, [Edit("identity")]))
    )


def test_hooks_are_taken_off_when_the_pass_fails(monet: Opened, monkeypatch: pytest.MonkeyPatch):
    engine, trace, _ = monet

    def fails(*args: Any) -> Tensor:
        assert any(m._forward_hooks for m in engine.loaded.model.modules())
        raise RuntimeError("no")

    monkeypatch.setattr(engine.passes, "step", fails)
    with pytest.raises(RuntimeError, match="no"):
        layer_states(engine, trace, [0])
    assert not any(m._forward_hooks for m in engine.loaded.model.modules())


def test_another_pass_at_the_same_time_goes_by_unseen(
    monet: Opened, monkeypatch: pytest.MonkeyPatch
):
    engine, trace, _ = monet
    expected = layer_states(engine, trace, [2, 4])
    step, inside = engine.passes.step, []

    def with_another(*args: Any) -> Tensor:
        hidden = step(*args)
        if not inside:  # a whole other run between this pass and the end of its hooks
            inside.append(True)
            engine.run(tiny.picture(1), "Where does the path lead?", max_new_tokens=3)
        return hidden

    monkeypatch.setattr(engine.passes, "step", with_another)
    assert torch.equal(layer_states(engine, trace, [2, 4]), expected)
    assert inside


def test_a_run_whose_cache_was_dropped_is_replayed(monet: Opened):
    engine, trace, _ = monet
    expected = layer_states(engine, trace, fed(trace))
    engine.store.drop_live()
    torch.testing.assert_close(layer_states(engine, trace, fed(trace)), expected)


def test_a_run_that_cannot_be_recomputed_says_so(monet: Opened):
    engine, trace, _ = monet
    child = engine.branch(trace, [Edit("gaussian", steps=[1, 2], dose=1.0, mode="cached")])
    live = engine.live(engine.hold(child))
    place = child.spans[0].start + 2
    live.hidden[place + 1] = live.hidden[place + 1] + 1
    with pytest.raises(InputError, match="run the question again to look inside"):
        layer_states(engine, child, [place])


@pytest.mark.parametrize("place", [-1, 10**6])
def test_a_slot_that_was_never_fed_is_refused(monet: Opened, place: int):
    engine, trace, _ = monet
    for look in (layer_states, attention_of):
        with pytest.raises(InputError, match="choose one from 0 to"):
            look(engine, trace, [place])
    with pytest.raises(InputError, match="never fed"):
        layer_states(engine, trace, [len(trace.token_ids) - 1])


def test_image_slots_are_the_pictures_patches(monet: Opened):
    engine, trace, _ = monet
    rows, columns = trace.prompt.grid
    slots = image_slots(engine, trace)
    assert len(slots) == rows * columns == len(engine.patches(trace))
    token = engine.passes.config.image_token_id
    assert {trace.prompt.input_ids[s] for s in slots} == {token}
    blind = engine.run(None, "What colour is the star?", max_new_tokens=2)
    assert len(image_slots(engine, blind)) == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_read_as_it_was_computed(monet: Opened, dtype: str):
    engine = core.load(monet[2], family="monet", dtype=dtype)
    trace = engine.run(
        tiny.picture(), "What colour is the star?", 4, force_latents=True, max_new_tokens=8
    )
    found = layer_states(engine, trace, fed(trace))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[-1], recorded(engine, trace), atol=0.05, rtol=0.05)
    attention = attention_of(engine, trace, fed(trace))
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))
