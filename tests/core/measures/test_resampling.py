"""Bootstrap and permutation against scipy and by enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.errors import InputError
from core.measures.resampling import bootstrap_mean, bootstrap_ratio, clustered, sign_flip

few = settings(max_examples=25, deadline=None)
numbers = st.lists(st.floats(-5, 5), min_size=2, max_size=20)


@pytest.mark.parametrize("skew", [False, True])
def test_bca_without_clusters_is_scipys(skew: bool):
    draw = np.random.default_rng(0)
    data = draw.exponential(1, 40) if skew else draw.normal(0.3, 1, 40)
    found = bootstrap_mean(data, resamples=20000, seed=1)
    expected = stats.bootstrap(
        (data,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    width = expected.high - expected.low
    assert found.estimate == pytest.approx(data.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.04 * width)


def test_four_copies_of_a_cluster_are_not_four_items():
    data = np.random.default_rng(0).normal(0, 1, 25)
    alone = bootstrap_mean(data, seed=3)
    copies = bootstrap_mean(np.repeat(data, 4), np.repeat(np.arange(25), 4).tolist(), seed=3)
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    naive = bootstrap_mean(np.repeat(data, 4), seed=3)
    assert naive.high - naive.low == pytest.approx((alone.high - alone.low) / 2, rel=0.1)


def test_the_interval_covers_the_truth_under_clustering():
    draw = np.random.default_rng(4)
    covered, runs = 0, 200
    for run in range(runs):
        per_image = draw.normal(0.2, 1, 40)
        data = np.repeat(per_image, 3) + draw.normal(0, 0.3, 120)
        names = np.repeat(np.arange(40), 3).tolist()
        covered += 0.2 in bootstrap_mean(data, names, resamples=1000, seed=run)
    assert 0.90 <= covered / runs <= 0.985


@given(numbers, st.floats(0.1, 10), st.floats(-3, 3))
@few
def test_the_interval_moves_with_the_data(data: list[float], scale: float, shift: float):
    plain = bootstrap_mean(data, resamples=300)
    moved = bootstrap_mean(np.array(data) * scale + shift, resamples=300)
    assert plain.low <= plain.high
    expected = [scale * end + shift for end in (plain.low, plain.high)]
    assert [moved.low, moved.high] == pytest.approx(expected, abs=1e-6)


def test_a_seed_makes_the_interval_and_nan_items_are_left_out():
    data = [0.1, -0.3, float("nan"), 0.7, 0.2]
    assert bootstrap_mean(data, seed=5) == bootstrap_mean([0.1, -0.3, 0.7, 0.2], seed=5)
    assert bootstrap_mean(data, seed=5) != bootstrap_mean(data, seed=6)


@pytest.mark.parametrize("data", [[], [0.5]])
def test_too_few_clusters_have_no_interval(data: list[float]):
    found = bootstrap_mean(data)
    assert math.isnan(found.low)
    assert math.isnan(bootstrap_mean([1.0, 2.0], ["image", "image"]).low)


def test_equal_clusters_have_no_width():
    found = bootstrap_mean([0.1] * 7)
    assert found.low == found.high == found.estimate == pytest.approx(0.1)


def test_a_ratio_is_of_sums():
    found = bootstrap_ratio([1.0, 2, 3, 2], [2.0, 4, 6, 4])
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    wide = bootstrap_ratio([1.0, 2, 3, 9], [2.0, 1, 6, 1], resamples=500)
    assert wide.estimate == pytest.approx(15 / 10)
    assert wide.low < wide.estimate < wide.high
    assert math.isnan(bootstrap_ratio([1.0, 1.0], [1.0, -1.0]).low)
    with pytest.raises(InputError, match="one numerator and one denominator"):
        bootstrap_ratio([1.0], [1.0, 2.0])


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=7))
@few
def test_sign_flips_of_few_items_are_enumerated(data: list[int]):
    observed = abs(sum(data))
    reached = [
        abs(sum(s * x for s, x in zip(signs, data, strict=True))) >= observed
        for signs in itertools.product((1, -1), repeat=len(data))
    ]
    assert sign_flip(data) == pytest.approx(np.mean(reached))


def test_sign_flips_of_many_items_are_scipys():
    data = np.random.default_rng(0).normal(0.3, 1, 60)
    expected = stats.permutation_test(
        (data, np.zeros(60)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20000,
        rng=np.random.default_rng(1),
    ).pvalue
    assert sign_flip(data, resamples=20000) == pytest.approx(expected, abs=0.01)
    assert sign_flip(data, seed=1) == sign_flip(data, seed=1)
    assert sign_flip(data + 10, resamples=999) == pytest.approx(1 / 1000)


def test_clusters_flip_together():
    data, names = [1.0, 1.0, 1.0, 1.0], ["x", "x", "y", "y"]
    assert sign_flip(data, names) == 0.5
    assert sign_flip(data) == 2 / 16
    assert sign_flip([0.0, 0.0]) == sign_flip([]) == 1


def test_clusters_are_summed_in_the_order_they_come():
    sums, counts = clustered([[1.0, 2], [3, 4], [5, float("nan")], [7, 8]], ["b", "a", "a", "b"])
    assert sums.tolist() == [[8, 10], [3, 4]]
    assert counts.tolist() == [2, 1]
    with pytest.raises(InputError, match="1 differences and 2 cluster"):
        clustered([1.0], ["a", "b"])
