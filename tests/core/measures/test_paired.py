"""The change of a rate between paired runs: Tango's interval, and the farther ends of both."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multinomial, norm

from core.measures.paired import paired_change, tango
from core.measures.statistics import paired_rates, wilson


def outcomes(both: int, worse: int, better: int, neither: int):
    before = [True] * (both + worse) + [False] * (better + neither)
    after = [True] * both + [False] * worse + [True] * better + [False] * neither
    return before, after


@pytest.mark.parametrize(("worse", "better", "n"), [(5, 2, 40), (1, 12, 80), (3, 3, 20)])
def test_its_ends_solve_the_score_equation(worse: int, better: int, n: int):
    """With the likeliest share under Δ found by search instead of by its formula."""
    found = tango(worse, better, n, 0.9)
    for delta in (found.low, found.high):

        def unlikely(q: float, delta: float = delta) -> float:
            rest = n - worse - better
            return -(
                worse * np.log(q) + better * np.log(q + delta) + rest * np.log(1 - 2 * q - delta)
            )

        least, most = max(0.0, -delta), (1 - delta) / 2
        q = minimize_scalar(
            unlikely, bounds=(least + 1e-9, most - 1e-9), method="bounded",
            options={"xatol": 1e-10},
        ).x  # fmt: skip
        spread = np.sqrt(n * (2 * q + delta * (1 - delta)))
        assert abs(better - worse - n * delta) / spread == pytest.approx(norm.ppf(0.95), rel=1e-4)


def test_without_changes_it_is_a_rate_of_none():
    found = tango(0, 0, 50)
    assert found.high == pytest.approx(wilson(0, 50).high, abs=1e-9)
    assert found.low == pytest.approx(-found.high, abs=1e-9)


def test_the_ends_are_mirrored_and_the_farther_ones():
    for cells in ((30, 5, 2, 3), (10, 0, 4, 1), (0, 3, 3, 0), (8, 8, 0, 0)):
        before, after = outcomes(*cells)
        found, back = paired_change(before, after), paired_change(after, before)
        assert (back.low, back.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
        first, other = paired_rates(before, after), tango(cells[1], cells[2], sum(cells))
        assert found.low == min(first.low, other.low)
        assert found.high == max(first.high, other.high)


@pytest.mark.parametrize(("won", "lost"), [(0.19, 0.04), (0.3, 0.05)])
def test_an_end_misses_the_truth_in_one_study_of_twenty(won: float, lost: float):
    """Summed over the outcomes of 60 items, not simulated; Newcombe's upper end alone: 6 %."""
    n, truth, missed, alone = 60, won - lost, 0.0, 0.0
    for better in range(n + 1):
        for worse in range(n + 1 - better):
            rest = n - better - worse
            weight = multinomial.pmf([worse, better, rest], n, [lost, won, 1 - won - lost])
            if weight < 1e-6:
                continue
            both = round(0.6 * rest)  # of the unchanged, as likely
            before, after = outcomes(both, worse, better, rest - both)
            missed += weight * (paired_change(before, after, 0.9).high < truth)
            alone += weight * (paired_rates(before, after, 0.9).high < truth)
    assert missed <= 0.053
    assert alone > missed
