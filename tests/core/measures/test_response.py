"""Dose–response: readings by hand, levels and ε50 against closed forms and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from core.measures.response import (
    RIDGE,
    Response,
    Said,
    levels,
    potency,
    reading,
    relative_change,
    responses,
)

DOSES = (0.1, 0.3, 1.0, 3.0)


def turned_above(threshold, draws=6, doses=DOSES):
    """Every draw turns at the first dose above its threshold."""
    return [
        Response(dose, dose, draw, float(dose > threshold))
        for dose in doses
        for draw in range(draws)
    ]


class TestReading:
    def test_options_by_hand(self):
        base = Said("red", {"red": math.log(0.6), "blue": math.log(0.2)})
        edited = Said("red", {"red": math.log(0.1), "blue": math.log(0.3)})
        found = reading(base, edited)
        assert found.flipped
        assert found.choice == "blue"
        assert found.probability == pytest.approx(0.25)
        assert found.logit_difference == pytest.approx(math.log(0.1 / 0.3))
        expected = 0.75 * math.log(0.75 / 0.25) + 0.25 * math.log(0.25 / 0.75)
        assert found.kl == pytest.approx(expected)
        assert math.isnan(found.token_kl)

    def test_words_by_hand(self):
        before = torch.log(torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
        after = torch.log(torch.tensor([[0.25, 0.75], [0.25, 0.75]]))
        base = Said("a", {}, (0, 1), before)
        found = reading(base, Said("a", {}, (0, 1), after))
        assert not found.flipped
        assert found.probability == pytest.approx(0.25 * 0.75)
        assert found.nll == pytest.approx(math.log(2) / 2)
        kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
        assert found.token_kl == pytest.approx(kl / 2, rel=1e-5)
        assert math.isnan(found.kl)
        assert math.isnan(found.logit_difference)

    def test_a_run_against_itself_has_moved_by_nothing(self):
        logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
        said = Said("x", {"x": -1.0, "y": -2.0}, (1, 2, 0), logits)
        found = reading(said, said)
        assert (found.flipped, found.kl, found.token_kl, found.nll) == (False, 0, 0, 0)

    def test_a_branch_without_words_has_no_word_measures(self):
        base = Said("a", {}, (0,), torch.zeros(1, 2))
        found = reading(base, Said(None, {}))
        assert found.flipped
        assert math.isnan(found.probability)
        assert math.isnan(found.token_kl)


class TestLevels:
    def test_rates_have_wilsons_interval_and_stand_at_the_delivered_dose(self):
        some = [Response(1.0, 0.9 + 0.1 * n, n, float(n < 1)) for n in range(4)]
        (level,) = levels(some, rate=True)
        assert level.epsilon == pytest.approx(1.05)
        assert level.value.estimate == pytest.approx(0.25)
        # Wilson for 1 of 4 at 95 %, by the closed form
        z = 1.959964
        middle = (0.25 + z * z / 8) / (1 + z * z / 4)
        half = z * math.sqrt(0.25 * 0.75 / 4 + z * z / 64) / (1 + z * z / 4)
        assert level.value.low == pytest.approx(middle - half, abs=1e-5)
        assert level.value.high == pytest.approx(middle + half, abs=1e-5)

    def test_what_is_undefined_is_left_out_and_nothing_gives_nothing(self):
        assert levels([]) == []
        nan = float("nan")
        assert levels([Response(1.0, 1.0, 0, nan), Response(1.0, math.inf, 0, 1.0)]) == []

    def test_one_draw_has_no_interval(self):
        (level,) = levels([Response(1.0, 1.0, 0, 0.4)])
        assert level.value.estimate == pytest.approx(0.4)
        assert math.isnan(level.value.low)

    def test_levels_rise_with_the_dose(self):
        found = levels(turned_above(0.5)[::-1], rate=True)
        assert [level.dose for level in found] == list(DOSES)
        assert [level.draws for level in found] == [6] * 4


class TestPotency:
    def test_the_fit_is_scikit_learns(self):
        draw = np.random.default_rng(3)
        eps = np.tile([0.05, 0.1, 0.3, 0.7, 1.5, 4.0], 30)
        value = (draw.random(eps.size) < 1 / (1 + np.exp(-1.7 * np.log(eps / 0.6)))).astype(float)
        some = [
            Response(float(e), float(e), n // 6, float(v))
            for n, (e, v) in enumerate(zip(eps, value, strict=True))
        ]
        # the same ridge on the slope of the centred log dose, none on the intercept
        x = np.log(eps) - np.log(eps).mean()
        known = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=10_000).fit(x[:, None], value)
        half = math.exp(-known.intercept_[0] / known.coef_[0, 0] + np.log(eps).mean())
        found = potency(some)
        assert found.epsilon == pytest.approx(half, rel=1e-3)
        assert found.low < 0.6 < found.high
        assert found.low < found.epsilon < found.high

    def test_between_the_doses_that_part_turned_from_unturned(self):
        found = potency(turned_above(0.5))
        assert 0.3 < found.epsilon < 1.0
        assert found.reached
        assert "ε50 = " in str(found)

    def test_never_turned_is_not_reached_below_the_highest_dose(self):
        found = potency(turned_above(10))
        assert math.isinf(found.epsilon)
        assert math.isinf(found.low)
        assert str(found) == "ε50 not reached below ε = 3 (0 of 6 draws turned there)"

    def test_always_turned_is_at_or_below_the_lowest(self):
        found = potency(turned_above(0.0))
        assert found.epsilon == pytest.approx(0.1)
        assert "at or below the lowest dose tried" in str(found)

    def test_without_doses_nothing_is_claimed(self):
        assert str(potency([])) == "ε50 unknown: no dose was tried"
        assert potency([Response(0.0, 0.0, 0, 0.0)]).tried == 0

    def test_one_draw_has_no_interval(self):
        found = potency(turned_above(0.5, draws=1))
        assert math.isnan(found.low)
        assert found.reached

    @settings(max_examples=25, deadline=None)
    @given(st.floats(0.01, 100), st.integers(2, 6), st.floats(0.05, 20))
    def test_it_scales_with_the_dose(self, threshold, draws, factor):
        doses = tuple(threshold * d for d in (0.1, 0.5, 2.0, 10.0))
        one = potency(turned_above(threshold, draws, doses), resamples=20)
        scaled = [
            Response(r.dose * factor, r.epsilon * factor, r.draw, r.value)
            for r in turned_above(threshold, draws, doses)
        ]
        other = potency(scaled, resamples=20)
        assert other.epsilon == pytest.approx(one.epsilon * factor, rel=1e-6)
        assert one.lowest <= one.epsilon <= one.highest


def test_a_series_of_readings_as_responses():
    said = Said("x", {"x": -1.0, "y": -2.0})
    (one,) = responses([(1.0, 0.9, 3, reading(said, said))], lambda r: float(r.flipped))
    assert one == Response(1.0, 0.9, 3, 0.0)


def test_relative_change_of_a_knockout():
    assert relative_change(0.2, 0.8) == pytest.approx(-0.75)
    assert math.isnan(relative_change(0.2, 0.0))
