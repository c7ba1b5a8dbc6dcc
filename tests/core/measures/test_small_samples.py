"""Intervals of few clusters."""

from core.measures.small_samples import mean_interval


def test_two_clusters_have_a_wide_interval_and_no_warning():
    found = mean_interval([0.1, 0.2], ["a", "b"])
    assert found.low < 0.1 < 0.2 < found.high
