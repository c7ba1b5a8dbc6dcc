"""Principal axes against scikit-learn, in full and randomised."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from core.measures import pca
from core.measures.pca import fit_axes, principal_components
from tests.core.measures.clouds import cloud, rotation, seeds

few = settings(max_examples=25, deadline=None)


def stretched(seed: int, n: int, width: int) -> torch.Tensor:
    """A cloud whose axes have clearly different variances."""
    return cloud(seed, n, width) * 0.7 ** torch.arange(width)


def up_to_sign(found: torch.Tensor, expected: torch.Tensor, atol: float) -> None:
    for axis in range(found.shape[1]):
        sign = 1 if float(found[:, axis] @ expected[:, axis]) > 0 else -1
        torch.testing.assert_close(found[:, axis], sign * expected[:, axis], atol=atol, rtol=0)


@given(seeds, st.integers(3, 30), st.integers(2, 12))
@few
def test_coordinates_and_shares_are_scikit_learns(seed: int, n: int, width: int):
    points = stretched(seed, n, width) + 5
    axes = fit_axes(points)
    reference = PCA(2).fit(points.double().numpy())
    shares = reference.explained_variance_ratio_
    assert list(axes.shares) == pytest.approx(shares.tolist(), abs=1e-5)
    if shares[0] - shares[1] > 0.02 and width > 2 and n > 3:
        expected = torch.from_numpy(reference.transform(points.double().numpy())).float()
        up_to_sign(axes.place(points)[:, :1], expected[:, :1], atol=1e-3)


def test_the_randomised_axes_are_the_exact_ones(monkeypatch: pytest.MonkeyPatch):
    points = stretched(0, 300, 120) + 2
    exact = fit_axes(points)
    monkeypatch.setattr(pca, "EXACT", 10)
    quick = fit_axes(points, seed=1)
    torch.testing.assert_close(quick.place(points), exact.place(points), atol=1e-3, rtol=0)
    assert quick.shares == pytest.approx(exact.shares, abs=1e-5)
    assert torch.equal(quick.axes, fit_axes(points, seed=1).axes)


def test_more_components_are_scikit_learns():
    points = stretched(3, 80, 20)
    expected = torch.from_numpy(PCA(4).fit_transform(points.double().numpy())).float()
    up_to_sign(principal_components(points, 4), expected, atol=1e-3)


@given(seeds)
@few
def test_a_rotation_of_the_space_moves_the_map_at_most_by_a_mirror(seed: int):
    points = stretched(seed, 12, 5).double()
    moved = points @ rotation(seed, 5)
    # a mirrored axis gives the same distances along it
    for a, b in zip(fit_axes(points).place(points).T, fit_axes(moved).place(moved).T, strict=True):
        torch.testing.assert_close(
            (a[:, None] - a).abs(), (b[:, None] - b).abs(), atol=1e-3, rtol=0
        )


def test_the_sign_of_an_axis_is_fixed():
    points = stretched(1, 9, 4)
    axes = fit_axes(points)
    mirrored = fit_axes(points.flip(0))
    torch.testing.assert_close(axes.axes, mirrored.axes, atol=1e-5, rtol=0)
    largest = axes.axes.gather(1, axes.axes.abs().argmax(1, keepdim=True))
    assert (largest > 0).all()


@pytest.mark.parametrize(
    "points", [torch.zeros(0, 3), torch.zeros(0, 0), cloud(0, 1, 3), cloud(0, 1, 3).expand(6, -1)]
)
def test_what_does_not_vary_is_one_place(points: torch.Tensor):
    axes = fit_axes(points)
    assert axes.shares == (0, 0)
    assert axes.place(points).abs().max().item() == 0 if len(points) else True


def test_points_on_a_line_have_one_axis():
    points = torch.outer(torch.tensor([-1.0, 0, 3]), torch.tensor([3.0, 4])) + 1
    axes = fit_axes(points)
    assert axes.shares == pytest.approx((1, 0))
    place = axes.place(points)
    assert place[:, 1].abs().max() < 1e-5
    assert (place[2, 0] - place[0, 0]).abs().item() == pytest.approx(20, abs=1e-4)
    assert fit_axes(torch.tensor([[1.0], [2.0], [4.0]])).shares == pytest.approx((1, 0))
