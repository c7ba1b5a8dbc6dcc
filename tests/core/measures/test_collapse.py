"""Collapse curves by hand and by numpy."""

import numpy as np
import pytest
import torch

from core.measures.collapse import collapse_curve, collapsed_from, successive
from core.measures.similarity import across_runs
from tests.core.measures.clouds import cloud


def test_the_curve_is_the_mean_and_the_percentiles_of_the_pairs():
    grid = across_runs(cloud(0, 7, 3, 4))
    curve = collapse_curve(grid)
    for step in range(3):
        pairs = [float(grid[step, i, j]) for i in range(7) for j in range(i)]
        assert float(curve.mean[step]) == pytest.approx(np.mean(pairs), abs=1e-6)
        assert float(curve.low[step]) == pytest.approx(np.quantile(pairs, 0.1), abs=1e-6)
        assert float(curve.high[step]) == pytest.approx(np.quantile(pairs, 0.9), abs=1e-6)
    assert curve.pairs.tolist() == [21, 21, 21]


def test_runs_that_become_the_same_vector_collapse():
    base = cloud(1, 12, 1, 16)
    common = cloud(2, 1, 1, 16)
    amount = torch.tensor([0.0, 0.5, 2.0, 50.0]).view(1, 4, 1)
    curve = collapse_curve(across_runs(base + amount * common))
    assert curve.mean.tolist() == sorted(curve.mean.tolist())
    assert collapsed_from(curve.mean, 0.9) == 3
    assert collapsed_from(curve.mean, 0.99999) is None


@pytest.mark.parametrize("items", [0, 1])
def test_too_few_items_leave_a_gap(items: int):
    curve = collapse_curve(across_runs(cloud(0, items, 2, 3)))
    assert curve.mean.isnan().all()
    assert curve.pairs.tolist() == [0] * len(curve.mean)


def test_a_step_one_item_has_is_a_gap_among_others():
    curve = collapse_curve(across_runs([cloud(0, 2, 3), cloud(1, 1, 3)]))
    assert curve.pairs.tolist() == [1, 0]
    assert curve.mean.isnan().tolist() == [False, True]


def test_successive_is_each_step_with_the_next():
    latents = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.0, -1.0]])
    assert successive(latents).tolist() == [0, 1, -1]
    assert successive(latents[:1]).shape == (0,)
    assert successive(latents[:0]).shape == (0,)


def test_a_curve_that_recovers_has_not_collapsed():
    nan = float("nan")
    assert collapsed_from(torch.tensor([0.95, 0.1, nan, 0.95, nan]), 0.9) == 3
    assert collapsed_from(torch.tensor([0.95, 0.1]), 0.9) is None
    assert collapsed_from(torch.tensor([nan, nan]), 0.9) is None
