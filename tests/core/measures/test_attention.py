"""Attention gathered by what stands where, on a run and by hand."""

import pytest
import torch

import core
from core.engine import Engine
from core.engine.inspect import attention_of
from core.errors import InputError
from core.measures.attention import (
    GROUPS,
    Layout,
    layout_of,
    over_image,
    over_latents,
    over_words,
    pick,
    shares,
)
from core.records import Trace
from tests.core.engine import tiny

Ran = tuple[Engine, Trace]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    engine = core.load(tiny.write_checkpoint(tmp_path_factory.mktemp("monet"), "monet"))
    trace = engine.run(
        tiny.picture(), "What colour is the star?", 3, force_latents=True, max_new_tokens=10
    )
    return engine, trace


def test_every_key_is_in_one_group(ran: Ran):
    layout = layout_of(*ran)
    keys = [key for name in GROUPS for key in layout.group(name)]
    assert sorted(keys) == list(range(layout.keys))
    with pytest.raises(InputError, match="choose image, question, latents, words"):
        layout.group("answer")


def test_shares_sum_to_1_in_every_layer_and_head(ran: Ran):
    engine, trace = ran
    places = list(range(len(trace.token_ids) - 1))
    found = shares(attention_of(engine, trace, places), layout_of(engine, trace))
    total = torch.stack(list(found.values())).sum(0)
    assert total.shape == (2, 4, len(places))
    torch.testing.assert_close(total, torch.ones(total.shape))
    first = trace.spans[0].start
    assert (found["latents"][..., first - 1] == 0).all() if first else True
    assert (found["latents"][..., trace.spans[0].stop] > 0).all()


def test_the_picture_gets_its_share_on_its_own_grid(ran: Ran):
    engine, trace = ran
    span = trace.spans[0]
    weights = attention_of(engine, trace, list(range(span.start, span.stop)))
    layout = layout_of(engine, trace)
    found = over_image(weights, layout, layer=1, head=2)
    assert found.shape == (len(span), *trace.prompt.grid)
    torch.testing.assert_close(found.sum((1, 2)), shares(weights, layout)["image"][1, 2])
    # row by row: patch (r, c) is key r · columns + c of the picture's
    key = layout.image[1 * trace.prompt.grid[1] + 2]
    assert torch.equal(found[:, 1, 2], weights[1, 2, :, key])
    mean = over_image(weights, layout)
    torch.testing.assert_close(mean.sum((1, 2)), shares(weights, layout)["image"].mean((0, 1)))


def by_hand() -> tuple[torch.Tensor, Layout]:
    weights = torch.tensor([[[[0.1, 0.2, 0.3, 0.25, 0.15]]], [[[0.5, 0.1, 0.1, 0.1, 0.2]]]])
    return weights, Layout(prompt=3, image=(1, 2), grid=(1, 2), latents=(3,), keys=5)


def test_groups_by_hand():
    weights, layout = by_hand()
    found = shares(weights, layout)
    assert [found[name][0, 0, 0].item() for name in GROUPS] == pytest.approx([0.5, 0.1, 0.25, 0.15])
    assert over_latents(weights, layout, layer=0).tolist() == [[0.25]]
    keys, words = over_words(weights, layout, layer=1)
    assert keys == [0, 4]
    assert words[0].tolist() == pytest.approx([0.5, 0.2])
    assert over_image(weights, layout)[0, 0].tolist() == pytest.approx([0.15, 0.2])


def test_a_layer_or_head_that_is_not_there_is_named():
    weights, layout = by_hand()
    assert pick(weights, layer=1, head=0).shape == (1, 5)
    with pytest.raises(InputError, match="no layer 2; choose 0 to 1"):
        pick(weights, layer=2)
    with pytest.raises(InputError, match="no head -1"):
        pick(weights, head=-1)
    with pytest.raises(InputError, match="over 4 keys and the run has 5"):
        shares(weights[..., :4], layout)


def test_a_run_without_a_picture_or_latents(ran: Ran):
    engine, _ = ran
    blind = engine.run(None, "What colour is the star?", forbid_latents=True, max_new_tokens=4)
    layout = layout_of(engine, blind)
    weights = attention_of(engine, blind, [0, 1])
    assert over_latents(weights, layout).shape == (2, 0)
    assert (shares(weights, layout)["image"] == 0).all()
    with pytest.raises(InputError, match="no picture"):
        over_image(weights, layout)
