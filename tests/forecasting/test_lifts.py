"""Lifts: the slope is found again, grows with depth, and half of a usual lift is trusted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.history import summarise
from forecasting.lifts import DEPTHS, MOST_LIFT, lift_of, mean_depth, slope_from, trusted_lift
from forecasting.panel import build_panel
from ingestion.periods import Period

DEPTH = st.integers(1, DEPTHS)
SLOPE = st.floats(0.0, 6.0)


@settings(deadline=None)
@given(SLOPE, st.dictionaries(DEPTH, st.floats(0.001, 1000.0), min_size=1, max_size=8))
def test_the_slope_that_made_the_sales_is_found_again(slope: float, found: dict[int, float]):
    plain = np.zeros(DEPTHS + 1)
    plain[list(found)] = list(found.values())
    sold = float(plain @ np.exp(slope * np.arange(DEPTHS + 1) / DEPTHS))
    most = np.log(MOST_LIFT) / mean_depth(plain)
    assert slope_from(plain, sold) == pytest.approx(min(slope, most), abs=1e-5)


@settings(deadline=None)
@given(SLOPE, DEPTH, DEPTH, DEPTH)
def test_no_deeper_promotion_sells_less_and_none_less_than_without(
    slope: float, one: int, two: int, usual: int
):
    low, high = sorted((one / DEPTHS, two / DEPTHS))
    for lift in (lift_of, lambda slope, depth: trusted_lift(slope, depth, usual / DEPTHS)):
        assert 1.0 <= lift(slope, low) <= lift(slope, high) <= MOST_LIFT
        assert lift(slope, 0.0) == 1.0


def test_half_of_a_usual_lift_is_trusted_and_all_of_how_it_moves_beyond():
    assert trusted_lift(np.log(3.0), 1.0, 1.0) == pytest.approx(2.0)
    assert trusted_lift(4.0, 0.1, 0.2) == pytest.approx(0.5 + 0.5 * np.exp(0.4))
    assert trusted_lift(4.0, 0.2, 0.2) == pytest.approx(0.5 + 0.5 * np.exp(0.8))
    assert trusted_lift(4.0, 0.4, 0.2) / trusted_lift(4.0, 0.2, 0.2) == pytest.approx(np.exp(0.8))


def test_a_few_deep_promotions_among_many_shallow_ones_do_not_blow_it_up():
    plain = np.zeros(DEPTHS + 1)
    plain[1], plain[DEPTHS] = 99.0, 1.0
    assert slope_from(plain, 99.0 * np.exp(0.04) + np.exp(4.0)) == pytest.approx(4.0, abs=1e-6)


def test_promotions_that_sell_less_have_no_slope():
    plain = np.zeros(DEPTHS + 1)
    assert slope_from(plain, 0.0) == 0.0
    plain[30] = 10.0
    assert slope_from(plain, 9.0) == 0.0


def test_the_deepest_promotion_is_expected_as_the_many_shallow_ones_tell():
    """Forty items at depths of .1 to .3 whose demand is exp(4 × depth): what would .4 sell?"""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2023-01-02", periods=600)
    rows = []
    for k in range(40):
        depth = np.zeros(600)
        for at in range(20, 590, 60):
            depth[at : at + 10] = rng.choice([0.1, 0.2, 0.3])
        sold = rng.poisson(20.0 * np.exp(4.0 * depth)).astype(float)
        item = {"sku": f"s{k:02d}", "location": "x", "date": dates, "quantity": sold, "promotion": depth}
        rows.append(pd.DataFrame(item))
    panel = build_panel({"demand": pd.concat(rows)}, Period("day"), dates[-1], 14)
    slope = summarise(panel, np.arange(40), np.full(40, 599)).slope
    lifts = np.array([lift_of(one, 0.4) for one in slope])
    assert np.median(lifts) == pytest.approx(np.exp(1.6), rel=0.05)
    assert np.abs(lifts / np.exp(1.6) - 1.0).max() < 0.15
