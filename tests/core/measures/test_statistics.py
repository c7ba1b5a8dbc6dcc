"""Intervals and tests against scipy, published values, and their own coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from core.errors import InputError
from core.measures.statistics import (
    EFFECT,
    EQUIVALENT,
    INCONCLUSIVE,
    Interval,
    items_for_equivalence,
    mcnemar,
    minimum_detectable,
    paired_difference,
    paired_rates,
    verdict,
    wilson,
)

few = settings(max_examples=50, deadline=None)
counts = st.integers(0, 60)


@given(counts, counts, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@few
def test_wilson_is_scipys(hits: int, misses: int, level: float):
    found = wilson(hits, hits + misses, level)
    if not hits + misses:
        assert (found.low, found.high) == (0, 1)
        assert math.isnan(found.estimate)
        return
    expected = binomtest(hits, hits + misses).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_wilson_of_23_of_30():
    found = wilson(23, 30)
    assert (round(found.low, 2), round(found.high, 2)) == (0.59, 0.88)
    with pytest.raises(InputError, match="5 of 3 is not a rate"):
        wilson(5, 3)


@given(counts, counts)
@few
def test_mcnemar_is_the_sum_of_binomial_tails(b: int, c: int):
    n = b + c
    tail = sum(math.comb(n, i) for i in range(min(b, c) + 1)) / 2**n
    assert mcnemar(b, c) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(b, c) == pytest.approx(mcnemar(c, b))


def test_mcnemar_by_hand():
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(10, 10) == 1
    with pytest.raises(InputError):
        mcnemar(-1, 2)


def test_the_wald_interval_of_the_difference_by_hand():
    found = paired_difference(10, 20, 100)
    spread = math.sqrt(30 - 100 / 100) / 100
    assert found.estimate == pytest.approx(0.1)
    assert found.high - found.estimate == pytest.approx(norm.ppf(0.975) * spread)
    assert paired_difference(0, 0, 10).low == 0
    with pytest.raises(InputError, match="do not fit"):
        paired_difference(6, 6, 10)


def outcomes(both: int, worse: int, better: int, neither: int) -> tuple[list[bool], list[bool]]:
    base = [True] * both + [True] * worse + [False] * better + [False] * neither
    edited = [True] * both + [False] * worse + [True] * better + [False] * neither
    return base, edited


@given(counts, counts, counts, counts)
@few
def test_newcombes_interval_holds_the_estimate_and_mirrors(a: int, b: int, c: int, d: int):
    base, edited = outcomes(a, b, c, d)
    if not base:
        with pytest.raises(InputError):
            paired_rates(base, edited)
        return
    found, mirrored = paired_rates(base, edited), paired_rates(edited, base)
    assert -1 - 1e-9 <= found.low <= found.estimate <= found.high <= 1 + 1e-9
    assert found.estimate == pytest.approx((c - b) / len(base))
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_newcombes_interval_does_not_shrink_to_nothing_without_discordant_pairs():
    base, edited = outcomes(20, 0, 0, 0)
    found = paired_rates(base, edited)
    upper = 1 - wilson(20, 20).low
    assert (found.low, found.high) == pytest.approx((-upper, upper))  # margins empty: φ = 0


def test_newcombes_interval_covers_the_truth():
    draw = np.random.default_rng(0)
    shares = [0.55, 0.12, 0.05, 0.28]
    truth, covered, runs = shares[2] - shares[1], 0, 600
    for _ in range(runs):
        cells = draw.multinomial(80, shares)
        covered += truth in paired_rates(*outcomes(*cells))
    assert 0.93 <= covered / runs <= 0.99


def test_the_detectable_effect_and_the_items_for_equivalence_of_the_design():
    assert minimum_detectable(191, 0.1) == pytest.approx(0.064, abs=5e-4)
    assert minimum_detectable(1, 1.0) == 1
    found = [items_for_equivalence(margin, 0.1) for margin in (0.01, 0.02, 0.03, 0.05)]
    assert found == pytest.approx([8564, 2141, 952, 343], abs=1)
    with pytest.raises(InputError):
        minimum_detectable(0, 0.1)
    with pytest.raises(InputError, match="margin"):
        items_for_equivalence(0, 0.1)


def test_the_detectable_effect_is_detected_at_the_stated_power():
    n, share = 400, 0.15
    effect = minimum_detectable(n, share)
    draw = np.random.default_rng(1)
    p = [(share - effect) / 2, (share + effect) / 2, 1 - share]
    found = [paired_difference(int(b), int(c), n) for b, c, _ in draw.multinomial(n, p, 800)]
    power = np.mean([0.0 not in interval for interval in found])
    assert power == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ((-0.01, 0.01), (-0.008, 0.008), EQUIVALENT),
        ((0.001, 0.015), (0.002, 0.012), EQUIVALENT),
        ((0.05, 0.15), (0.06, 0.14), EFFECT),
        ((-0.15, -0.05), (-0.14, -0.06), EFFECT),
        ((-0.01, 0.15), (0.0, 0.14), INCONCLUSIVE),
        ((0.0, 0.15), (0.01, 0.14), INCONCLUSIVE),
        ((-0.02, 0.02), (-0.02, 0.02), INCONCLUSIVE),  # on the margin is not inside it
        ((float("nan"), 0.1), (0.0, 0.1), INCONCLUSIVE),
    ],
)
def test_the_verdict_has_three_outcomes(
    wide: tuple[float, float], narrow: tuple[float, float], expected: str
):
    intervals = Interval(0, *wide, 0.95), Interval(0, *narrow, 0.9)
    assert verdict(*intervals, margin=0.02) == expected
    with pytest.raises(InputError, match="margin"):
        verdict(*intervals, margin=0)
