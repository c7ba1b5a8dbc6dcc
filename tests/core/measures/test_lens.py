"""Lenses: nearest embeddings, the output layer at every depth, nearest patches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import core
from core.engine import Engine
from core.errors import InputError
from core.measures import lens
from core.measures.lens import (
    embedding_lens,
    input_lens,
    layer_lens,
    logit_lens,
    nearest_embeddings,
    nearest_patches,
)
from core.measures.similarity import cosine
from core.records import Trace
from tests.core.engine import tiny
from tests.core.measures.clouds import cloud, seeds

few = settings(max_examples=25, deadline=None)
Ran = tuple[Engine, Trace]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    engine = core.load(tiny.write_checkpoint(tmp_path_factory.mktemp("monet"), "monet"))
    trace = engine.run(
        tiny.picture(), "What colour is the star?", 3, force_latents=True, max_new_tokens=10
    )
    return engine, trace


@given(seeds, st.integers(0, 4), st.integers(1, 30), st.integers(1, 5), st.integers(1, 9))
@few
def test_nearest_embeddings_are_the_largest_cosines(
    seed: int, n: int, vocabulary: int, k: int, block: int
):
    vectors, table = cloud(seed, n, 6), cloud(seed + 1, vocabulary, 6)
    was, lens.BLOCK = lens.BLOCK, block
    try:
        found = nearest_embeddings(vectors, table.half(), k)
    finally:
        lens.BLOCK = was
    expected = cosine(vectors, table.half()).topk(min(k, vocabulary), dim=-1)
    torch.testing.assert_close(found.scores, expected.values, atol=1e-5, rtol=0)
    assert torch.equal(found.ids, expected.indices)


def test_an_embedding_is_its_own_nearest_at_any_length(ran: Ran):
    engine, _ = ran
    tokens = [3, 17, 40]
    vectors = torch.stack([engine.embed(t) for t in tokens]) * 9
    found = embedding_lens(engine, vectors, k=2)
    assert found.ids[:, 0].tolist() == tokens
    assert found.scores[:, 0].tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    words = found.words(engine.reader.piece)
    assert words[1][0] == (engine.reader.piece(17), pytest.approx(1, abs=1e-5))


def test_a_vector_without_a_direction_is_near_nothing():
    vectors = torch.stack([torch.zeros(4), torch.full((4,), float("nan")), torch.ones(4)])
    found = nearest_embeddings(vectors, cloud(0, 9, 4))
    assert found.scores.isnan().all(-1).tolist() == [True, True, False]


def test_the_lens_at_the_input_is_what_the_model_read_when_it_made_the_latent(ran: Ran):
    engine, trace = ran
    span = trace.spans[0]
    found = input_lens(engine, span.latents, k=3)
    # latent k + 1 is the vector the logits of latent k's slot were read from
    logits = engine.logits(trace)
    expected = logits[span.start : span.stop].softmax(-1).topk(3, dim=-1)
    torch.testing.assert_close(found.scores, expected.values, atol=1e-5, rtol=1e-4)
    assert torch.equal(found.ids, expected.indices)


def test_the_last_row_of_the_layer_lens_is_what_the_model_says_next(ran: Ran):
    engine, trace = ran
    places = list(range(len(trace.token_ids) - 1))
    found = layer_lens(engine, trace, places, k=4)
    assert found.ids.shape == (engine.passes.layers + 1, len(places), 4)
    expected = engine.logits(trace)[1:].softmax(-1).topk(4, dim=-1)
    torch.testing.assert_close(found.scores[-1], expected.values, atol=1e-4, rtol=1e-3)
    assert torch.equal(found.ids[-1, :, 0], expected.indices[:, 0])
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_the_layer_lens_puts_the_final_norm_on_what_is_inside(ran: Ran):
    engine, trace = ran
    place = trace.spans[0].stop
    found = layer_lens(engine, trace, [place], k=3)
    fed = engine.embed(trace.token_ids[place])
    gain = engine.passes.language.norm.weight
    normed = gain * fed / fed.square().mean().add(1e-6).sqrt()
    expected = (engine.passes.unembedding.weight @ normed).softmax(-1).topk(3)
    torch.testing.assert_close(found.scores[0, 0], expected.values, atol=1e-5, rtol=1e-4)
    assert torch.equal(found.ids[0, 0], expected.indices)


def test_the_logit_lens_of_nothing_is_nothing():
    found = logit_lens(torch.zeros(3, 0, 8), lambda h: h)
    assert found.ids.shape == (3, 0, 5)
    many = logit_lens(cloud(0, 2, 70, 5), lambda h: h, norm=lambda h: 2 * h, k=9)
    torch.testing.assert_close(many.scores.sum(-1), torch.ones(2, 70))


def test_nearest_patches_are_places_on_the_grid(ran: Ran):
    engine, trace = ran
    patches = engine.patches(trace)
    grid = trace.prompt.grid
    found = nearest_patches(3 * patches[[4, 1]], patches, grid, k=2)
    assert found.similarity.shape == (2, *grid)
    assert found.places[:, 0].tolist() == [list(divmod(4, grid[1])), list(divmod(1, grid[1]))]
    assert found.scores[:, 0].tolist() == pytest.approx([1, 1], abs=1e-6)
    row, column = found.places[0, 1].tolist()
    assert float(found.similarity[0, row, column]) == float(found.scores[0, 1])


def test_patches_and_grid_must_fit_and_nan_is_near_nothing():
    patches = cloud(0, 6, 4)
    for grid in ((2, 2), (0, 0)):
        with pytest.raises(InputError, match="does not hold its 6 patches"):
            nearest_patches(patches[:1], patches, grid)
    nowhere = nearest_patches(torch.full((1, 4), float("nan")), patches, (2, 3), k=9)
    assert nowhere.places.shape == (1, 6, 2)
    assert nowhere.scores.isnan().all()
