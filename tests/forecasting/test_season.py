"""Seasonal ratios against naive loops: of a series, firmed up by its group, and of windows known in part."""

import numpy as np
import pytest

from forecasting.features import NAMES, build_rows
from forecasting.panel import Panel
from forecasting.peers import groups_of, peers_at, span_of
from forecasting.season import FIRM, SOFT, group_ratio, levels_before, season_of

YEAR, MONTH = 364, 56


def naive(demand: np.ndarray, at: int, window: range) -> tuple[float, float]:
    """Units of the window's earlier years, and what those would have been at the level before each."""
    total = usual = 0.0
    for back in (YEAR, 2 * YEAR):
        before = [demand[t - back] for t in range(at + 1 - MONTH, at + 1) if t - back >= 0]
        before = [units for units in before if np.isfinite(units)]
        for t in window if before else ():
            if 0 <= t - back <= at and np.isfinite(demand[t - back]):
                total += demand[t - back]
                usual += np.mean(before)
    return total, usual


@pytest.mark.parametrize("at", [100, 400, 515, 799])
def test_the_features_of_a_window_are_the_naive_ratios(years: Panel, at: int):
    series, horizons = np.arange(years.series), np.array([7, 28])
    rows = build_rows(years, series, np.full_like(series, at), horizons)
    course = peers_at(years, at, 28)[0, 1]
    for i in series:
        group = course[groups_of(years)[1, i]]
        for j, h in enumerate(horizons):
            total, usual = naive(years.quantity[i].astype(float), at, range(at + 1, at + 1 + h))
            shared, level = naive(group, span_of(years) - 1, range(span_of(years), span_of(years) + h))
            prior = shared / level if level > 0 else np.nan
            own = min(total / usual, 20.0) if usual > 0 else np.nan
            mean = prior if np.isfinite(prior) else 1.0
            firm, soft = ((total + k * mean) / (usual + k) for k in (FIRM, SOFT))
            said = [
                rows.features[i, j, NAMES.index(f"season{end}")] for end in ("", "_firm", "_soft", "_group")
            ]
            np.testing.assert_allclose(said, [own, firm, soft, prior], rtol=2e-5)


def test_a_ratio_worked_out_by_hand():
    demand = np.full(20, 2.0)
    demand[[10, 11]] = [6.0, np.nan]
    levels = levels_before(demand, 17, 8, 4)  # periods 6 … 9, and none that early but 0 and 1
    assert levels == (2.0, 2.0)
    found = season_of(demand, (2.0, np.nan), (18, 20, 17), 8, np.nan)
    assert found.own == pytest.approx(3.0)  # 6 in the one period of the window that was observed
    assert found.firm == pytest.approx((6.0 + FIRM) / (2.0 + FIRM))
    assert np.isnan(found.group)


def test_a_series_is_believed_the_more_the_more_it_sold():
    demand = np.r_[np.full(10, 1.0), np.full(10, 3.0)]
    few, many = (season_of(units, (units[0], np.nan), (30, 40, 29), 20, 1.0)
                 for units in (np.r_[demand, demand], 100 * np.r_[demand, demand]))  # fmt: skip
    assert few.own == many.own == 3.0
    assert 1.0 < few.soft < few.firm < few.own
    assert many.soft == pytest.approx(3.0, abs=0.1)


def test_what_no_year_showed_is_unknown_and_leans_on_the_group():
    nothing = np.full(30, np.nan)
    found = season_of(nothing, (np.nan, np.nan), (25, 28, 24), 20, 1.4)
    assert np.isnan(found.own)
    assert (found.firm, found.soft, found.group) == pytest.approx((1.4, 1.4, 1.4))


def test_a_group_without_a_level_before_has_no_ratio():
    course = np.r_[np.full(8, np.nan), np.arange(1.0, 13.0)]
    # A year of 8, two periods before it: 7 and 8 of the second year, for a window of two.
    assert group_ratio(course, 20, (0, 2), 8, 2) == pytest.approx((5 + 6) / 2 / ((3 + 4) / 2))
    assert np.isnan(group_ratio(np.zeros(20), 20, (0, 2), 8, 2))
