"""Outcome measures by hand, by scipy, and by their ranges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import logsumexp, softmax
from scipy.stats import entropy

from core.errors import InputError
from core.measures.outcome import (
    flips,
    jensen_shannon,
    kl_divergence,
    logit_difference,
    nll_change,
    option_shift,
    recovery,
    renormalised,
    same_answer,
    token_kl,
    total_variation,
)
from tests.core.measures.clouds import cloud, seeds

few = settings(max_examples=30, deadline=None)
scores = st.dictionaries(st.text(min_size=1), st.floats(-50, 0), min_size=2, max_size=6)


def test_flows_are_counted_by_hand():
    found = flips(
        ["a", "a", "b", "b", "b", None, None],
        ["a", "b", "a", "b", "c", None, "b"],
        ["a"] * 7,
    )
    assert found.counts == {"R→R": 1, "R→W": 1, "W→R": 1, "W→W": 2, "W→W′": 2}
    assert found.rate == pytest.approx(4 / 7)
    assert found.difference == 0
    assert found.items == 7


@given(st.lists(st.tuples(*[st.sampled_from(["a", "b", "c", None])] * 2, st.sampled_from("abc"))))
@few
def test_flips_add_up(rows: list[tuple[str | None, str | None, str]]):
    base, edited, gold = zip(*rows, strict=True) if rows else ((), (), ())
    found = flips(base, edited, gold)
    assert sum(found.counts.values()) == len(rows)
    if not rows:
        assert math.isnan(found.rate)
        assert math.isnan(found.difference)
        return
    right = [
        np.mean([same_answer(a, g) for a, g in zip(c, gold, strict=True)]) for c in (base, edited)
    ]
    assert found.difference == pytest.approx(right[1] - right[0])
    assert found.rate == pytest.approx(
        np.mean([not same_answer(a, b) for a, b in zip(base, edited, strict=True)])
    )


def test_answers_are_the_same_up_to_case_and_space_or_by_a_familys_own_rule():
    assert same_answer(" Red", "red\n")
    assert not same_answer("red", "reds")
    assert not same_answer(None, "")
    by_letter = flips(["A. red"], ["(A)"], ["A"], same=lambda a, b: "A" in a and "A" in b)
    assert by_letter.counts["R→R"] == 1
    with pytest.raises(InputError, match="1 base answers, 2 edited and 1 right"):
        flips(["a"], ["a", "b"], ["a"])


@given(scores, st.floats(-20, 20))
@few
def test_the_logit_difference_is_scipys_and_knows_no_constant(options: dict[str, float], c: float):
    gold = next(iter(options))
    others = [v for k, v in options.items() if k != gold]
    expected = options[gold] - (logsumexp(others) - math.log(len(others)))
    assert logit_difference(options, gold) == pytest.approx(expected, abs=1e-9)
    moved = {k: v + c for k, v in options.items()}
    assert logit_difference(moved, gold) == pytest.approx(expected, abs=1e-9)


def test_the_logit_difference_of_equal_options_is_0_and_needs_another_option():
    assert logit_difference(dict.fromkeys("abcd", -3.0), "a") == pytest.approx(0)
    for options in ({"a": -1.0}, {"b": -1.0, "c": -2.0}):
        with pytest.raises(InputError, match="“a” and at least one other"):
            logit_difference(options, "a")


@given(scores)
@few
def test_renormalised_options_are_a_softmax(options: dict[str, float]):
    found = renormalised(options)
    assert list(found.values()) == pytest.approx(softmax(list(options.values())).tolist())
    assert sum(found.values()) == pytest.approx(1)
    assert renormalised({}) == {}


@given(seeds, st.integers(2, 6))
@few
def test_divergences_are_scipys_symmetric_and_in_range(seed: int, n: int):
    p, q = (cloud(seed + i, n).double().mul(3).softmax(0) for i in range(2))
    assert float(kl_divergence(p, q)) == pytest.approx(entropy(p, q), abs=1e-9)
    js = float(jensen_shannon(p, q))
    assert js == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)
    assert 0 <= js <= math.log(2)
    tv = float(total_variation(p, q))
    assert 0 <= tv <= 1
    assert tv == pytest.approx(float(total_variation(q, p)))
    assert js == pytest.approx(float(jensen_shannon(q, p)), abs=1e-12)
    assert tv <= math.sqrt(float(kl_divergence(p, q)) / 2) + 1e-9  # Pinsker
    for divergence in (kl_divergence, jensen_shannon, total_variation):
        assert float(divergence(p, p)) == pytest.approx(0, abs=1e-12)


def test_divergences_of_distributions_apart():
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(total_variation(p, q)) == 1
    assert float(jensen_shannon(p, q)) == pytest.approx(math.log(2))
    assert float(kl_divergence(p, q)) == math.inf
    assert float(kl_divergence(p, p)) == 0


def test_option_shift_compares_the_same_options():
    base = {"up": math.log(0.3), "down": math.log(0.1)}
    edited = {"down": math.log(0.3), "up": math.log(0.3)}
    found = option_shift(base, edited)
    assert found.total_variation == pytest.approx(0.25)
    assert found.kl == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    for other in ({}, {"up": 0.0, "left": 0.0}):
        with pytest.raises(InputError, match="the same options"):
            option_shift(base, other)


def test_nll_change_is_positive_where_the_right_answer_became_less_likely():
    assert nll_change({"a": math.log(0.5)}, {"a": math.log(0.25)}, "a") == pytest.approx(
        math.log(2)
    )
    with pytest.raises(InputError, match="not scored in both"):
        nll_change({"a": 0.0}, {"b": 0.0}, "a")


@given(seeds, st.integers(0, 4))
@few
def test_token_kl_is_torchs_and_knows_no_constant(seed: int, n: int):
    base, edited = cloud(seed, n, 7), cloud(seed + 1, n, 7)
    found = token_kl(base, edited + 5)
    logs = edited.double().log_softmax(-1), base.double().log_softmax(-1)
    expected = torch.nn.functional.kl_div(*logs, reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=1e-5)
    assert (token_kl(base, base) == 0).all()


def test_token_kl_with_banned_tokens():
    inf = float("-inf")
    base, edited = torch.tensor([[0.0, 0.0, inf]]), torch.tensor([[0.0, inf, inf]])
    assert token_kl(base, torch.tensor([[0.0, 0.0, 3.0]])).item() == pytest.approx(
        math.log((2 + math.e**3) / 2), rel=1e-6
    )
    assert token_kl(base, base).item() == 0
    assert token_kl(base, edited).item() == math.inf
    with pytest.raises(InputError, match="the same places"):
        token_kl(base, torch.zeros(2, 3))


def test_recovery_is_0_at_corrupt_and_1_at_clean_and_masked_without_a_gap():
    assert recovery(2.0, 5.0, 2.0) == 0
    assert recovery(5.0, 5.0, 2.0) == 1
    assert recovery(8.0, 5.0, 2.0) == 2
    assert math.isnan(recovery(1.0, 1.0, 1.0005))
