"""Cosines and their corrections, against scikit-learn and by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from core.errors import InputError
from core.measures import similarity
from core.measures.similarity import (
    KINDS,
    Reference,
    across_runs,
    as_compared,
    between,
    corrected,
    cosine,
    paired_cosine,
    reference_of,
    table_of,
    unrelated_cosine,
    within_run,
)
from tests.core.measures.clouds import cloud, rotation, seeds

few = settings(max_examples=25, deadline=None)
NAN = float("nan")


@given(seeds, st.integers(0, 6), st.integers(1, 6))
@few
def test_cosine_is_scikit_learns(seed: int, n: int, m: int):
    a, b = cloud(seed, n, 5, offset=2.0), cloud(seed + 1, m, 5)
    found = cosine(a, b)
    assert found.shape == (n, m)
    assert found.dtype == torch.float32
    if n:
        torch.testing.assert_close(found, torch.from_numpy(cosine_similarity(a, b)))


@given(seeds, st.floats(1e-30, 1e30))
@few
def test_cosine_knows_neither_length_nor_rotation(seed: int, scale: float):
    a = cloud(seed, 5, 4)
    torch.testing.assert_close(cosine(a.double() * scale), cosine(a), atol=1e-6, rtol=0)
    torch.testing.assert_close(cosine(a.double() @ rotation(seed, 4)), cosine(a), atol=1e-6, rtol=0)


@given(seeds)
@few
def test_cosine_is_symmetric_with_ones_on_the_diagonal_and_stays_in_range(seed: int):
    found = cosine(cloud(seed, 6, 3, offset=5.0))
    torch.testing.assert_close(found, found.T, rtol=0, atol=0)
    assert (found.diagonal() - 1).abs().max() < 1e-6
    assert found.abs().max() <= 1


def test_a_vector_without_length_or_numbers_has_no_cosine():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 0.0], [NAN, 1.0], [-2.0, 0.0]])
    found = cosine(vectors)
    assert found[0].tolist()[0] == 1
    assert found[0, 3] == -1
    assert found[1].isnan().all()
    assert found[:, 2].isnan().all()
    assert paired_cosine(vectors[:2], vectors[1:3]).isnan().all()


@given(seeds, st.integers(2, 7))
@few
def test_unrelated_cosine_is_the_mean_of_the_pairs(seed: int, n: int):
    vectors = cloud(seed, n, 4, offset=1.0)
    groups = [i % 3 for i in range(n)]
    grid = cosine(vectors)
    free = [float(grid[i, j]) for i in range(n) for j in range(n) if i != j]
    strangers = [float(grid[i, j]) for i in range(n) for j in range(n) if groups[i] != groups[j]]
    assert unrelated_cosine(vectors) == pytest.approx(sum(free) / len(free), abs=1e-6)
    expected = sum(strangers) / len(strangers)
    assert unrelated_cosine(vectors, groups) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_unrelated_cosine_of_no_pair_is_undefined(n: int):
    assert math.isnan(unrelated_cosine(cloud(0, n, 3)))
    assert math.isnan(unrelated_cosine(cloud(0, 4, 3), ["one item"] * 4))


def test_unrelated_cosine_leaves_out_what_has_no_direction():
    vectors = cloud(3, 5, 4)
    more = torch.cat([vectors, torch.zeros(1, 4), torch.full((1, 4), NAN)])
    assert unrelated_cosine(more) == pytest.approx(unrelated_cosine(vectors), abs=1e-12)
    with pytest.raises(InputError, match="7 vectors and 2 group names"):
        unrelated_cosine(more, ["a", "b"])


def test_centring_takes_the_reference_mean_of_the_step():
    mean = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    latents = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]])  # behind the last step: its last
    found = within_run(latents, "centred", Reference(mean, torch.ones(2, 2)))
    offsets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    torch.testing.assert_close(found, cosine(offsets))


def test_without_a_reference_a_run_is_centred_on_its_own_steps():
    latents = cloud(1, 5, 3, offset=10.0)
    found = within_run(latents, "centred")
    torch.testing.assert_close(found, cosine(latents.double() - latents.double().mean(0)))


@given(seeds)
@few
def test_zscored_knows_no_scale_of_a_dimension(seed: int):
    latents = cloud(seed, 6, 4, offset=3.0)
    stretched = latents.double() * torch.tensor([1e3, 1.0, 1e-3, 7.0]) + 5
    torch.testing.assert_close(
        within_run(stretched, "zscored"), within_run(latents, "zscored"), atol=1e-4, rtol=0
    )


def test_a_rogue_dimension_rules_the_raw_cosine_and_not_the_zscored():
    latents = cloud(2, 40, 8)
    latents[:, 0] += 100
    above = torch.triu_indices(40, 40, 1)
    assert within_run(latents)[above[0], above[1]].min() > 0.99
    assert within_run(latents, "zscored")[above[0], above[1]].mean().abs() < 0.05


def test_a_dimension_that_never_varies_counts_nothing_in_the_zscored():
    latents = cloud(4, 5, 3)
    more = torch.cat([latents, torch.full((5, 1), 9.0)], 1)
    torch.testing.assert_close(within_run(more, "zscored"), within_run(latents, "zscored"))


def test_corrected_is_0_where_unrelated_vectors_are_and_1_at_identity():
    assert corrected(torch.tensor([1.0, 0.8, 0.4]), 0.8).tolist() == pytest.approx([1, 0, -2])
    assert corrected(torch.tensor([1.0]), 1.0).isnan().all()
    reference = reference_of(cloud(0, 6, 2, 4), unrelated=cloud(1, 30, 4, offset=1.0))
    latents = cloud(5, 3, 4)
    assert reference.unrelated is not None
    torch.testing.assert_close(
        within_run(latents, "corrected", reference),
        corrected(within_run(latents), reference.unrelated),
    )


def test_corrected_without_a_baseline_says_what_it_needs():
    for reference in (None, reference_of(cloud(0, 4, 2, 3))):
        with pytest.raises(InputError, match="unrelated vectors at the same site"):
            within_run(cloud(1, 2, 3), "corrected", reference)
    with pytest.raises(InputError, match="choose raw, centred"):
        within_run(cloud(1, 2, 3), "rank")


def test_across_runs_is_one_panel_a_step_with_gaps_where_a_run_is_shorter():
    runs = [cloud(0, 3, 4), cloud(1, 2, 4), cloud(2, 3, 4)]
    grid = across_runs(runs)
    assert grid.shape == (3, 3, 3)
    torch.testing.assert_close(grid[1], cosine(torch.stack([r[1] for r in runs])))
    assert grid[2, 1].isnan().all()
    assert float(grid[2, 0, 2]) == pytest.approx(float(paired_cosine(runs[0][2:], runs[2][2:])[0]))


@given(seeds)
@few
def test_across_runs_follows_the_order_of_the_items(seed: int):
    table = cloud(seed, 5, 2, 3, offset=2.0)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    for kind in ("raw", "centred", "zscored"):
        moved = across_runs(table[order], kind)
        torch.testing.assert_close(moved, across_runs(table, kind)[:, order][:, :, order])


def test_across_runs_of_nothing_one_and_identical_items():
    assert across_runs([]).shape == (0, 0, 0)
    assert across_runs([cloud(0, 2, 3)]).flatten().tolist() == pytest.approx([1, 1])
    same = cloud(1, 1, 2, 3).expand(4, -1, -1)
    assert (across_runs(same) - 1).abs().max() < 1e-6
    # all items at their mean: no direction is left, whatever rounding says
    assert across_runs(same, "centred").isnan().all()
    assert across_runs(same, "zscored").isnan().all()


def test_between_is_1_for_the_same_run_and_takes_the_shorter():
    base = cloud(0, 4, 6)
    for kind in ("raw", "centred", "zscored"):
        assert (between(base, base, kind) - 1).abs().max() < 1e-6
    branch = base[:3].clone()
    branch[1] = -branch[1]
    assert between(base, branch).tolist() == pytest.approx([1, -1, 1])
    assert between(base, base[:0]).shape == (0,)
    reference = reference_of(cloud(1, 20, 4, 6), unrelated=cloud(2, 9, 6))
    assert all(between(base, branch, kind, reference).shape == (3,) for kind in KINDS)


def test_reference_counts_only_the_steps_that_are_there():
    table = table_of([torch.ones(2, 3), 3 * torch.ones(1, 3)])
    reference = reference_of(table)
    assert reference.mean.tolist() == [[2, 2, 2], [1, 1, 1]]
    assert reference.spread.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert reference.unrelated is None


def test_the_readings_are_those_that_are_named():
    assert set(KINDS) == {"raw", "centred", "zscored", "corrected"}
    assert all(f'``"{kind}"``' in (similarity.__doc__ or "") for kind in KINDS)


def test_vectors_set_beside_others_are_those_the_reading_compares():
    bank, run = cloud(11, 9, 3, 5, offset=2.0), cloud(12, 3, 5)
    reference = reference_of(bank)
    for kind in ("raw", "centred", "zscored"):
        expected = within_run(run, kind, reference)
        assert torch.allclose(cosine(as_compared(run, kind, reference)), expected)
    by_hand = run.double() - bank.double().mean(0)
    assert torch.allclose(as_compared(run, "centred", reference), by_hand)
    with pytest.raises(InputError, match="unknown"):
        as_compared(run, "cooked")
