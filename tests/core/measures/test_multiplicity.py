"""Adjusted p-values by hand, by scipy, and by the error they control."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, ttest_1samp

from core.errors import InputError
from core.measures.multiplicity import benjamini_hochberg, holm, max_t
from core.measures.resampling import sign_flip

few = settings(max_examples=50, deadline=None)
pvalues = st.lists(st.floats(0, 1), min_size=1, max_size=12)
NAN = float("nan")


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(pvalues)
@few
def test_benjamini_hochberg_is_scipys(p: list[float]):
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), atol=1e-12)


@given(pvalues)
@few
def test_adjusted_values_keep_the_order_and_lie_between_p_and_bonferroni(p: list[float]):
    for adjust in (holm, benjamini_hochberg):
        found = adjust(p)
        assert (found >= np.array(p) - 1e-12).all()
        assert (found <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
        order = np.argsort(p, kind="stable")
        assert (np.diff(found[order]) >= -1e-12).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()
    shuffled = np.random.default_rng(0).permutation(len(p))
    np.testing.assert_allclose(holm(np.array(p)[shuffled]), holm(p)[shuffled])


def test_a_missing_test_is_not_counted_and_shapes_are_kept():
    table = [[0.01, NAN], [0.04, 0.03]]
    assert holm(table)[0, 0] == pytest.approx(0.03)
    assert np.isnan(holm(table)[0, 1])
    assert benjamini_hochberg([]).shape == (0,)
    assert np.isnan(holm([NAN])).all()
    with pytest.raises(InputError, match="between 0 and 1"):
        holm([1.2])


def test_t_is_scipys_and_one_cell_alone_is_the_sign_flip_test():
    data = np.random.default_rng(0).normal(0.4, 1, (12, 5))
    t, _ = max_t(data)
    np.testing.assert_allclose(t, ttest_1samp(data, 0).statistic)
    _, p = max_t(data[:, :1])
    assert p[0] == pytest.approx(sign_flip(data[:, 0]))


def test_a_map_of_copies_costs_nothing_and_of_many_noises_something():
    column = np.random.default_rng(1).normal(0.7, 1, (12, 1))
    _, alone = max_t(column)
    _, copies = max_t(np.repeat(column, 30, axis=1))
    np.testing.assert_allclose(copies, alone[0])
    noise = np.random.default_rng(2).normal(0, 1, (12, 30))
    _, among = max_t(np.concatenate([column, noise], axis=1))
    assert among[0] > alone[0]


def test_the_familywise_error_is_kept():
    draw = np.random.default_rng(3)
    wrong = [max_t(draw.normal(0, 1, (10, 20)))[1].min() <= 0.05 for _ in range(200)]
    assert np.mean(wrong) <= 0.09


def test_cells_without_difference_and_cells_all_alike():
    data = np.zeros((6, 3))
    data[:, 1] = 1
    data[:, 2] = [1, -1, 2, 0, 1, -1]
    t, p = max_t(data)
    assert t[0] == 0
    assert p[0] == 1
    assert t[1] == np.inf
    assert p[1] == pytest.approx(2 / 64)
    assert np.isnan(max_t(np.zeros((1, 2)))[1]).all()
    assert max_t(np.zeros((4, 0)))[0].shape == (0,)
    with pytest.raises(InputError, match="one row an item"):
        max_t([1.0, 2.0])


def test_clusters_flip_together_in_a_map():
    data = np.random.default_rng(4).normal(0.5, 1, (8, 3))
    names = ["a", "a", "b", "b", "c", "c", "d", "d"]
    sums = data.reshape(4, 2, 3).sum(1)
    np.testing.assert_allclose(max_t(data, names)[1], max_t(sums)[1])
