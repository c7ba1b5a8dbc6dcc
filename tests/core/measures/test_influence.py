"""Influence maps and early exit, worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.measures.influence import (
    area_over_curve,
    early_exit,
    influence,
    principal_graph,
    summarise,
)
from tests.core.measures.clouds import cloud, seeds

few = settings(max_examples=40, deadline=None)
NAN = float("nan")


def test_influence_is_the_mean_over_items_above_the_diagonal():
    table = torch.tensor(
        [[[9.0, 1, 2], [9, 9, 3], [9, 9, 9]], [[9, 3, NAN], [9, 9, NAN], [9, 9, 9]]]
    )
    found = influence(table)
    assert found.tolist() == [[0, 2, 2], [0, 0, 3], [0, 0, 0]]
    assert influence(torch.zeros(0, 2, 2))[0, 1].isnan()
    with pytest.raises(InputError, match="0 or above"):
        influence(-table)
    with pytest.raises(InputError, match="edited step by read step"):
        influence(table[0])


def test_summaries_by_hand():
    # edges 0→1: 4, 0→2: 1, 1→2: 3, 0→3: 2 of total 10
    w = torch.zeros(4, 4)
    w[0, 1], w[0, 2], w[1, 2], w[0, 3] = 4, 1, 3, 2
    found = summarise(w)
    assert found.locality == pytest.approx(0.7)
    assert found.early_out == pytest.approx(0.7)
    assert found.late_in == pytest.approx(0.2)
    assert found.span == pytest.approx((4 + 2 + 3 + 6) / 10)
    assert found.total == 10
    assert principal_graph(w) == [(0, 1, 4), (1, 2, 3)]
    assert principal_graph(w, threshold=0.9) == [(0, 1, 4)]


def test_a_chain_is_local_and_a_fan_is_not():
    chain = torch.diag(torch.ones(4), 1)
    assert summarise(chain).locality == 1
    assert summarise(chain).span == 1
    assert principal_graph(chain) == [(t, t + 1, 1) for t in range(4)]
    fan = torch.zeros(5, 5)
    fan[:-1, -1] = 1
    assert summarise(fan).late_in == 1
    assert summarise(fan).span == pytest.approx(2.5)


@given(seeds, st.integers(2, 6), st.floats(1e-3, 1e3))
@few
def test_summaries_lie_in_range_and_know_no_scale(seed: int, steps: int, scale: float):
    w = cloud(seed, steps, steps).abs().double()
    found, scaled = summarise(w), summarise(scale * w)
    for share in (found.locality, found.early_out, found.late_in):
        assert 0 <= share <= 1 + 1e-9
    assert 1 - 1e-9 <= found.span <= steps - 1 + 1e-9
    assert scaled.locality == pytest.approx(found.locality)
    assert scaled.span == pytest.approx(found.span)
    if steps == 2:
        assert found.locality == pytest.approx(1)


@pytest.mark.parametrize("w", [torch.zeros(0, 0), torch.zeros(1, 1), torch.zeros(3, 3)])
def test_no_influence_has_no_summary(w: torch.Tensor):
    assert math.isnan(summarise(w).locality)
    assert summarise(w).total == 0
    assert principal_graph(w) == []


def test_early_exit_by_hand():
    reached = torch.tensor(
        [[0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.bool
    )
    found = early_exit(reached)
    assert found.first.tolist() == [2, 0, -1, 1]
    assert found.curve.tolist() == [0.25, 0.5, 0.75, 0.75]
    assert found.accuracy.tolist() == [0.25, 0.25, 0.25, 0.5]
    assert early_exit(torch.zeros(0, 3)).curve.isnan().all()
    with pytest.raises(InputError, match="0 included"):
        early_exit(torch.zeros(4, 0))


@given(seeds, st.integers(1, 8), st.integers(1, 6))
@few
def test_early_exit_never_falls_and_stays_above_the_accuracy(seed: int, items: int, budget: int):
    found = early_exit(cloud(seed, items, budget + 1) > 0.5)
    assert (found.curve.diff() >= 0).all()
    assert (found.curve >= found.accuracy).all()
    assert float(found.curve[-1]) == pytest.approx(float((found.first >= 0).double().mean()))


def test_area_over_the_curve_is_0_without_need_and_1_with():
    assert area_over_curve(torch.ones(3, 4)) == 0
    assert area_over_curve(torch.zeros(3, 4)) == 1
    assert area_over_curve(torch.tensor([[True, False], [False, False]])) == 0.75
    assert math.isnan(area_over_curve(torch.zeros(0, 4)))
