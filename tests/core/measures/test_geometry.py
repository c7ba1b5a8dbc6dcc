"""Shape of clouds against closed forms, numpy and published identities."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.measures.geometry import (
    entropy_rank,
    linear_cka,
    longer_than,
    norm_profile,
    participation_ratio,
    spectrum,
    top_share,
    variance_shares,
)
from tests.core.measures.clouds import cloud, rotation, seeds

few = settings(max_examples=25, deadline=None)
NAN = float("nan")


def gram_cka(x: torch.Tensor, y: torch.Tensor) -> float:
    """CKA written with the centring matrix: tr(KHLH) / √(tr(KHKH) tr(LHLH))."""
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    k, m = (h @ (t.double() @ t.double().T).numpy() @ h for t in (x, y))
    return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


def u_statistic(x: torch.Tensor, y: torch.Tensor) -> float:
    """Unbiased HSIC as the mean over all ordered quadruples of different items."""
    k, m = (t.double() @ t.double().T for t in (x, y))
    n, total, count = len(x), 0.0, 0
    for i in range(n):
        for j in range(n):
            for q in range(n):
                for r in range(n):
                    if len({i, j, q, r}) == 4:
                        total += float(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]))
                        count += 1
    return total / count


@given(seeds, st.integers(3, 12), st.integers(1, 8), st.integers(1, 8))
@few
def test_cka_is_that_of_the_centring_matrix(seed: int, n: int, p: int, q: int):
    x, y = cloud(seed, n, p, offset=2.0), cloud(seed + 1, n, q, offset=1.0)
    found = linear_cka(x, y, debiased=False)
    assert found == pytest.approx(gram_cka(x, y), abs=1e-9)
    assert -1e-12 <= found <= 1 + 1e-12


@given(seeds, st.floats(1e-3, 1e3))
@few
def test_cka_knows_neither_rotation_nor_scale_nor_place(seed: int, scale: float):
    x, y = cloud(seed, 9, 4).double(), cloud(seed + 1, 9, 5).double()
    moved = scale * x @ rotation(seed, 4) + 3
    for debiased in (False, True):
        assert linear_cka(moved, y, debiased) == pytest.approx(linear_cka(x, y, debiased), abs=1e-8)
        assert linear_cka(x, moved, debiased) == pytest.approx(1, abs=1e-8)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    assert linear_cka(x[order], y[order]) == pytest.approx(linear_cka(x, y), abs=1e-9)


def test_the_debiased_form_is_the_u_statistic():
    x, y = cloud(0, 7, 3, offset=1.0), cloud(1, 7, 4) + cloud(0, 7, 3) @ torch.ones(3, 4)
    expected = u_statistic(x, y) / math.sqrt(u_statistic(x, x) * u_statistic(y, y))
    assert linear_cka(x, y, debiased=True) == pytest.approx(expected, rel=1e-6)


def test_with_few_items_the_biased_form_is_high_and_the_debiased_is_not():
    pairs = [(cloud(i, 12, 200), cloud(1000 + i, 12, 200)) for i in range(40)]
    assert np.mean([linear_cka(x, y, debiased=False) for x, y in pairs]) > 0.8
    assert abs(np.mean([linear_cka(x, y) for x, y in pairs])) < 0.05


@pytest.mark.parametrize("n", [0, 1, 3])
def test_cka_of_too_few_items_is_undefined(n: int):
    assert math.isnan(linear_cka(cloud(0, n, 4), cloud(1, n, 4)))


def test_cka_of_a_view_that_does_not_vary_is_undefined_and_nan_items_are_left_out():
    x, y = cloud(0, 8, 3), cloud(1, 8, 3)
    assert math.isnan(linear_cka(x, torch.ones(8, 3)))
    gap = torch.full((1, 3), NAN)
    with_gap = linear_cka(torch.cat([x, gap]), torch.cat([y, y[:1]]))
    assert with_gap == pytest.approx(linear_cka(x, y))
    with pytest.raises(InputError, match="8 and 7"):
        linear_cka(x, y[:7])


def test_ranks_of_equal_variances_count_the_directions():
    # ±e_i in d dimensions: d equal eigenvalues
    points = torch.cat([torch.eye(5), -torch.eye(5)])
    assert participation_ratio(points) == pytest.approx(5)
    assert entropy_rank(points) == pytest.approx(5)
    assert entropy_rank(points, of="singular value") == pytest.approx(5)
    assert top_share(points) == pytest.approx(0.2)


def test_ranks_of_two_unequal_variances_by_hand():
    # eigenvalues in proportion 9 : 1
    points = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert participation_ratio(points) == pytest.approx(100 / 82)
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert entropy_rank(points) == pytest.approx(math.exp(entropy))
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert entropy_rank(points, of="singular value") == pytest.approx(math.exp(entropy))
    assert top_share(points) == pytest.approx(0.9)
    with pytest.raises(InputError, match="“variance” or the “singular value”"):
        entropy_rank(points, of="rank")


@given(seeds, st.integers(2, 9), st.integers(1, 6), st.floats(1e-3, 1e3))
@few
def test_ranks_lie_in_range_and_know_neither_rotation_nor_scale(
    seed: int, n: int, width: int, scale: float
):
    points = cloud(seed, n, width, offset=3.0).double()
    moved = scale * points @ rotation(seed, width)
    most = min(n - 1, width)
    for rank in (
        participation_ratio,
        entropy_rank,
        lambda p: entropy_rank(p, of="singular value"),
    ):
        assert 1 - 1e-9 <= rank(points) <= most + 1e-9
        assert rank(moved) == pytest.approx(rank(points), rel=1e-6)
    assert participation_ratio(points) <= entropy_rank(points) + 1e-9


@given(seeds)
@few
def test_spectrum_is_the_covariance_s(seed: int):
    points = cloud(seed, 8, 3, offset=2.0).double()
    eigenvalues = np.linalg.eigvalsh(np.cov(points.numpy().T))[::-1]
    assert (spectrum(points).square() / 7).tolist() == pytest.approx(eigenvalues.tolist())


@pytest.mark.parametrize("points", [torch.zeros(0, 3), cloud(0, 1, 3), cloud(0, 1, 3).expand(6, 3)])
def test_points_that_do_not_vary_have_no_rank(points: torch.Tensor):
    ranks = [participation_ratio(points), entropy_rank(points), top_share(points)]
    assert all(math.isnan(rank) for rank in ranks)


def test_two_points_have_rank_one():
    assert participation_ratio(cloud(0, 2, 50)) == pytest.approx(1)


def test_norm_profile_is_numpys():
    latents = cloud(0, 9, 3, 5)
    latents[4, 2] = NAN
    profile = norm_profile(latents)
    norms = np.linalg.norm(latents.numpy(), axis=-1)
    for values, level in ((profile.median, 0.5), (profile.low, 0.1), (profile.high, 0.9)):
        assert values.tolist() == pytest.approx(np.nanquantile(norms, level, axis=0).tolist())
    assert norm_profile(torch.zeros(0, 2, 3)).median.isnan().all()


def test_variance_shares_of_pure_effects_by_hand():
    step = torch.tensor([[1.0, 0], [-1.0, 0]])
    task = torch.tensor([[0.0, 2], [0.0, 2], [0.0, -2], [0.0, -2]])
    item = torch.tensor([[1.0, 1], [-1.0, -1], [1.0, 1], [-1.0, -1]])
    names = ["a", "a", "b", "b"]
    ones = torch.ones(4, 2, 1)
    for table, which in (
        (ones * step[None], "step"),
        (ones * task[:, None], "task"),
        (ones * item[:, None], "item"),
    ):
        shares = variance_shares(table + 100, names)
        assert getattr(shares, which) == pytest.approx(1)
    # sums of squares 8, 32, 16 and, for a course over the steps that differs by item, 8
    course = torch.tensor([1.0, -1, 1, -1])[:, None, None] * step[None]
    shares = variance_shares(step[None] + task[:, None] + item[:, None] + course, names)
    found = (shares.step, shares.task, shares.item, shares.residual)
    assert found == pytest.approx((8 / 64, 32 / 64, 16 / 64, 8 / 64))
    assert (shares.items, shares.steps) == (4, 2)


@given(seeds, st.integers(1, 7), st.integers(1, 4))
@few
def test_variance_shares_sum_to_1_and_know_no_rotation(seed: int, items: int, steps: int):
    table = cloud(seed, items, steps, 3, offset=5.0).double()
    names = [i % 2 for i in range(items)]
    shares = variance_shares(table, names)
    found = [shares.step, shares.task, shares.item, shares.residual]
    if items * steps == 1:
        assert all(math.isnan(share) for share in found)
        return
    assert sum(found) == pytest.approx(1)
    assert all(-1e-12 <= share <= 1 + 1e-12 for share in found)
    turned = variance_shares(2 * table @ rotation(seed, 3) + 1, names)
    assert turned.task == pytest.approx(shares.task, abs=1e-9)
    assert turned.residual == pytest.approx(shares.residual, abs=1e-9)


def test_variance_shares_count_the_steps_everybody_has():
    table = cloud(0, 4, 3, 2)
    table[1, 2] = NAN
    empty = torch.full((1, 3, 2), NAN)
    shares = variance_shares(torch.cat([table, empty]), ["a", "a", "b", "b", "b"])
    same = variance_shares(table[:, :2], ["a", "a", "b", "b"])
    assert shares == same
    assert (shares.items, shares.steps) == (4, 2)
    assert math.isnan(variance_shares(empty, ["a"]).step)
    assert math.isnan(variance_shares(torch.ones(3, 2, 4) / 3, ["a", "b", "b"]).step)
    with pytest.raises(InputError, match="4 items and 1 task"):
        variance_shares(table, ["a"])


def test_a_length_among_clean_lengths():
    clean = torch.tensor([[1.0, 0], [0, 2], [3, 0], [NAN, 0]])
    assert longer_than(torch.tensor([0.0, 2.5]), clean) == pytest.approx(200 / 3)
    assert longer_than(torch.zeros(2), clean) == 0
    assert math.isnan(longer_than(torch.ones(2), clean[3:]))
