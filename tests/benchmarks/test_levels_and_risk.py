"""The benchmark of thresholds and risk: every series is done, and levels and chances are those of draws."""

import thresholds


def test_every_series_is_counted_once():
    found = thresholds.measure(300)
    assert found["series"] == 300
    assert found["series_a_minute"] > 0


def test_levels_and_chances_are_those_of_draws():
    """In points of a hundred, with 17 levels and 256 paths; the draws themselves are .2 off."""
    found = thresholds.accuracy(series=20, draws=20_000)
    for target in ("0.8", "0.9", "0.95", "0.98"):
        assert found[f"cycle_service_{target}_mean"] < 0.5
        assert found[f"cycle_service_{target}_p99"] < 1.5
    assert found["stockout_probability_mean"] < 0.7
    assert found["stockout_probability_p99"] < 2.5
