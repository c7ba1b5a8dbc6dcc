"""Shrunk covariances against scikit-learn's, and distances with one point left out by hand."""

import pytest
import torch
from sklearn.covariance import LedoitWolf

from core.errors import InputError
from core.measures.covariance import shrunk_covariance
from tests.core.measures.clouds import cloud


@pytest.mark.parametrize(("n", "width"), [(12, 40), (200, 8), (30, 30)])
def test_distances_are_those_of_the_whole_matrix(n, width):
    points = cloud(n, n, width, offset=3.0)
    whole = LedoitWolf().fit(points.double().numpy())
    shrunk = shrunk_covariance(points)
    assert shrunk.shrinkage == pytest.approx(whole.shrinkage_, rel=1e-9)
    others = cloud(n + 1, 5, width, offset=3.0)
    expected = whole.mahalanobis(others.double().numpy())
    assert shrunk.squared(others).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_a_point_is_measured_against_the_others():
    points = cloud(3, 9, 6)
    shrunk = shrunk_covariance(points)
    n, width = points.shape
    expected = []
    for i in range(n):
        rest = torch.cat([shrunk.centred[:i], shrunk.centred[i + 1 :]])
        sigma = (1 - shrunk.shrinkage) / n * rest.T @ rest
        sigma += shrunk.shrinkage * shrunk.scale * torch.eye(width, dtype=torch.float64)
        expected.append(float(shrunk.centred[i] @ torch.linalg.solve(sigma, shrunk.centred[i])))
    assert shrunk.left_out.tolist() == pytest.approx(sorted(expected), rel=1e-8)


def test_percentiles_run_from_the_mean_to_far_away():
    points = cloud(4, 60, 20)
    shrunk = shrunk_covariance(points)
    assert shrunk.percentile(points.mean(0)) == 0
    assert shrunk.percentile(points.mean(0) + 1000) == 100
    # fresh draws of the same cloud are spread over the percentiles, not heaped at 100
    fresh = [shrunk.percentile(p) for p in cloud(5, 200, 20)]
    assert 30 < sum(fresh) / len(fresh) < 70


def test_points_without_numbers_are_left_out_and_have_no_distance():
    points = cloud(6, 10, 4)
    gap = torch.full((1, 4), float("nan"))
    with_gap = shrunk_covariance(torch.cat([points, gap]))
    assert len(with_gap.centred) == 10
    assert with_gap.squared(torch.cat([points[:1], gap])).isnan().tolist() == [False, True]
    assert with_gap.percentile(gap[0]) != with_gap.percentile(gap[0])


@pytest.mark.parametrize("points", [torch.zeros(0, 3), cloud(0, 2, 3), torch.ones(5, 3)])
def test_what_has_no_covariance_is_said(points):
    with pytest.raises(InputError, match="covariance"):
        shrunk_covariance(points)
