"""Neighbours, purity, overlap and retrieval against scikit-learn and by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from core.errors import InputError
from core.measures import neighbours
from core.measures.neighbours import nearest, overlap, purity, retrieval
from tests.core.measures.clouds import cloud, rotation, seeds

few = settings(max_examples=25, deadline=None)
NAN = float("nan")


@given(seeds, st.integers(1, 40), st.integers(1, 6), st.sampled_from(["euclidean", "cosine"]))
@few
def test_neighbours_are_scikit_learns(seed: int, n: int, k: int, metric: str):
    points, queries = cloud(seed, n, 5, offset=3.0), cloud(seed + 1, 7, 5, offset=3.0)
    found, lengths = nearest(points, k, queries, metric)
    reference = NearestNeighbors(n_neighbors=min(k, n), metric=metric).fit(points.double().numpy())
    expected, _ = reference.kneighbors(queries.double().numpy())
    assert found.shape == (7, min(k, n))
    np.testing.assert_allclose(lengths, expected, atol=1e-3)
    pairs = points[found].double(), queries[:, None].double()
    if metric == "euclidean":
        own = (pairs[0] - pairs[1]).norm(dim=-1)
    else:
        own = 1 - torch.nn.functional.cosine_similarity(*pairs, dim=-1)
    np.testing.assert_allclose(own, expected, atol=1e-3)  # the index is the distance's


def test_a_point_is_not_its_own_neighbour_even_among_copies():
    points = torch.ones(4, 3)
    found, lengths = nearest(points, 2)
    assert all(row not in found[row].tolist() for row in range(4))
    assert lengths.flatten().tolist() == [0] * 8
    assert found[3].tolist() == sorted(found[3].tolist())


@pytest.mark.parametrize(("n", "shape"), [(0, (0, 0)), (1, (1, 0)), (2, (2, 1)), (4, (4, 3))])
def test_fewer_points_have_fewer_neighbours(n: int, shape: tuple[int, int]):
    found, lengths = nearest(cloud(0, n, 3), 10)
    assert found.shape == lengths.shape == shape


def test_blocks_give_what_one_piece_gives_and_say_how_far_they_are(
    monkeypatch: pytest.MonkeyPatch,
):
    points = cloud(0, 50, 4)
    whole = nearest(points, 5)
    monkeypatch.setattr(neighbours, "BLOCK", 50 * 7)
    told: list[float] = []
    parts = nearest(points, 5, progress=told.append)
    assert torch.equal(whole[0], parts[0])
    torch.testing.assert_close(whole[1], parts[1])
    assert told == sorted(told)
    assert len(told) == 8
    assert told[-1] == 1


def test_far_from_the_origin_near_is_still_near():
    points = cloud(1, 30, 8).double()
    near, _ = nearest(points, 3)
    far, _ = nearest(points + 1e5, 3)
    assert (near == far).float().mean() > 0.9


def test_neighbours_of_what_is_no_number_are_refused():
    points = cloud(0, 4, 2)
    points[1, 0] = NAN
    with pytest.raises(InputError, match="leave points with NaN out"):
        nearest(points, 1)
    with pytest.raises(InputError, match="choose euclidean or cosine"):
        nearest(points, 1, metric="manhattan")


def test_purity_of_separate_and_of_mixed_labels():
    near = torch.cat([cloud(0, 6, 3), cloud(1, 6, 3) + 100])
    found = purity(near, ["a"] * 6 + ["b"] * 6, k=5)
    assert (found.value, found.k, found.points) == (1, 5, 12)
    assert found.chance == pytest.approx(5 / 11)
    line = torch.arange(6.0)[:, None]
    # on a line each of a b a b a b has the other label beside it; the ends have one of each
    by_hand = purity(line, list("ababab"), k=2)
    assert by_hand.value == pytest.approx((0.5 + 0.5) / 6)


def test_purity_of_random_labels_is_chance():
    labels = torch.randint(0, 3, (400,), generator=torch.Generator().manual_seed(0)).tolist()
    found = purity(cloud(0, 400, 4), labels, k=10)
    assert found.value == pytest.approx(found.chance, abs=0.04)


def test_purity_leaves_out_nan_and_is_undefined_for_one_point():
    points = torch.cat([cloud(0, 5, 2), torch.full((1, 2), NAN)])
    assert purity(points, list("aabbaa"), 2) == purity(points[:5], list("aabba"), 2)
    assert math.isnan(purity(points[:1], ["a"]).value)
    assert math.isnan(purity(points[:0], []).value)
    with pytest.raises(InputError, match="6 points and 1 labels"):
        purity(points, ["a"])


@given(seeds, st.floats(0.01, 100))
@few
def test_overlap_is_1_for_a_moved_view_and_stays_in_range(seed: int, scale: float):
    points = cloud(seed, 30, 4).double()
    assert overlap(points, scale * points @ rotation(seed, 4) + 2, k=5) > 0.98
    other = overlap(points, cloud(seed + 1, 30, 6), k=5)
    assert 0 <= other < 0.7


def test_overlap_by_hand():
    a = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    b = torch.tensor([[0.0], [7.0], [3.0], [1.0]])
    # nearest in a: 1 0 1 2; in b: 3 2 3 0 → none agree; with all three neighbours all do
    assert overlap(a, b, k=1) == 0
    assert overlap(a, b, k=9) == 1
    assert math.isnan(overlap(a[:1], b[:1]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_retrieval_finds_items_seen_again_and_not_strangers(metric: str):
    gallery = cloud(0, 60, 16)
    assert retrieval(gallery + 0.1 * cloud(1, 60, 16), gallery, metric).accuracy == 1
    stranger = retrieval(cloud(2, 60, 16), gallery, metric)
    assert stranger.accuracy < 0.15
    assert (stranger.chance, stranger.items) == (1 / 60, 60)


def test_retrieval_among_identical_items_finds_none():
    assert retrieval(torch.ones(5, 3), torch.ones(5, 3)).accuracy == 0
    assert retrieval(torch.ones(1, 3), torch.ones(1, 3)).accuracy == 1
    assert math.isnan(retrieval(torch.ones(0, 3), torch.ones(0, 3)).accuracy)
    gap = torch.full((1, 3), NAN)
    assert retrieval(torch.cat([cloud(0, 3, 3), gap]), cloud(0, 4, 3)).items == 3
