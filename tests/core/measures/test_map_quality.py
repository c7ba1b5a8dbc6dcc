"""Trustworthiness against scikit-learn, overlap against the neighbours themselves."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness

from core.errors import InputError
from core.measures.map_quality import map_quality
from core.measures.neighbours import overlap
from tests.core.measures.clouds import cloud, seeds

few = settings(max_examples=25, deadline=None)


@given(seeds, st.integers(8, 40), st.integers(1, 3))
@few
def test_it_is_scikit_learns_trustworthiness_and_the_neighbours_overlap(seed: int, n: int, k: int):
    space, map_ = cloud(seed, n, 6), cloud(seed + 1, n, 2)
    found = map_quality(space, map_, k)
    expected = trustworthiness(space.double().numpy(), map_.double().numpy(), n_neighbors=k)
    assert found.trustworthiness == pytest.approx(expected, abs=1e-6)
    assert found.overlap == pytest.approx(overlap(space, map_, k), abs=1e-6)
    assert (found.k, found.points, found.asked) == (k, n, n)


def test_a_map_that_is_the_space_is_perfect_and_knows_no_scale():
    space = cloud(0, 30, 2)
    found = map_quality(space, 7 * space + 3)
    assert found.trustworthiness == pytest.approx(1)
    assert found.overlap == pytest.approx(1)


def test_a_sample_of_a_large_map_is_seeded_and_near_the_whole():
    space = cloud(0, 600, 8)
    map_ = space[:, :2]
    whole, part = map_quality(space, map_), map_quality(space, map_, most=200)
    assert part.asked == 200
    assert part == map_quality(space, map_, most=200)
    assert part.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.02)
    assert part.overlap == pytest.approx(whole.overlap, abs=0.05)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_too_few_points_have_no_quality(n: int):
    found = map_quality(cloud(0, n, 5), cloud(0, n, 2))
    assert math.isnan(found.trustworthiness)
    assert math.isnan(found.overlap)


def test_points_without_numbers_are_left_out():
    space, map_ = cloud(0, 12, 5), cloud(1, 12, 2)
    gap = torch.full((1, 5), float("nan"))
    with_gap = map_quality(torch.cat([space, gap]), torch.cat([map_, map_[:1]]))
    assert with_gap == map_quality(space, map_)
    with pytest.raises(InputError, match="12 points and the space 11"):
        map_quality(space[:11], map_)


def test_identical_points_do_not_stop_it():
    found = map_quality(torch.ones(9, 4), torch.zeros(9, 2))
    assert 0 <= found.trustworthiness <= 1
