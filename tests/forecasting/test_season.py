"""Seasonal ratios against naive loops: of a series, firmed up by its group, and of windows known in part."""

import numpy as np
import pytest

from forecasting.features import NAMES, build_rows
from forecasting.membership import groups_of
from forecasting.panel import Panel
from forecasting.peers import peers_at, span_of
from forecasting.season import FADE, FIRM, SOFT, Course, Season, course_of, group_ratio, season_of

YEAR, MONTH = 364, 56


def naive(demand: np.ndarray, usual: np.ndarray, at: int, window: range) -> tuple[float, float]:
    """Units of the window's earlier years, and what those would have been at the level before each; the older
    year fades."""
    total = weight = 0.0
    for back, worth in ((YEAR, 1.0), (2 * YEAR, FADE)):
        before = [t - back for t in range(at + 1 - MONTH, at + 1) if t - back >= 0]
        before = [t for t in before if np.isfinite(demand[t])]
        for t in window if before else ():
            if 0 <= t - back <= at and np.isfinite(demand[t - back]):
                total += worth * demand[t - back]
                weight += worth * demand[before].sum() / usual[before].sum() * usual[t - back]
    return total, weight


def grain_of(demand: np.ndarray, at: int) -> float:
    """Variance over mean of the last year, from differences over a week."""
    past = demand[max(at + 1 - YEAR, 0) : at + 1]
    seen = [t for t in range(max(at + 1 - YEAR, 7), at + 1) if np.isfinite(demand[t] + demand[t - 7])]
    off = np.mean([abs(demand[t] - demand[t - 7]) for t in seen])
    return max(off**2 * np.pi / 4 / np.nanmean(past), np.nanmin(past[past > 0]))


@pytest.mark.parametrize("at", [100, 400, 515, 799])
def test_the_features_of_a_window_are_the_naive_ratios(years: Panel, at: int):
    series, horizons = np.arange(years.series), np.array([7, 28])
    rows = build_rows(years, series, np.full_like(series, at), horizons)
    course = peers_at(years, at, 28)[0, 1]
    for i in series:
        group = course[groups_of(years)[1, i]]
        demand, usual = years.quantity[i].astype(float), 1 + rows.summary.uplift[i] * years.promotion[i]
        grain = grain_of(demand, at)
        for j, h in enumerate(horizons):
            total, weight = naive(demand, usual, at, range(at + 1, at + 1 + h))
            ones = np.ones_like(group)
            shared, level = naive(group, ones, span_of(years) - 1, range(span_of(years), span_of(years) + h))
            prior = shared / level if level > 0 else np.nan
            own = min(total / weight, 20.0) if weight > 0 else np.nan
            mean = prior if np.isfinite(prior) else 1.0
            firm, soft = ((total + k * grain * mean) / (weight + k * grain) for k in (FIRM, SOFT))
            said = [
                rows.features[i, j, NAMES.index(f"season{end}")] for end in ("", "_firm", "_soft", "_group")
            ]
            np.testing.assert_allclose(said, [own, firm, soft, prior], rtol=2e-5)


def test_a_ratio_worked_out_by_hand():
    demand = np.full(18, 2.0)
    demand[[10, 11]] = [6.0, np.nan]
    usual = np.ones(18)
    course = course_of(demand, usual, 8, 4, 1)
    assert course.level == (2.0, 2.0)  # periods 6 … 9, and of those two years ago 0 and 1

    assert course.grain == 2.0  # the smallest amount sold, for neighbours hardly differ
    found = season_of(Course(demand, usual, 2.0, (2.0, np.nan)), (18, 20), 8, np.nan)
    assert found.own == pytest.approx(3.0)  # 6 in the one period of the window that was observed
    assert found.firm == pytest.approx((6.0 + 2 * FIRM) / (2.0 + 2 * FIRM))
    assert np.isnan(found.group)


def test_a_promotion_of_last_year_is_no_season():
    demand = np.full(30, 2.0)
    demand[10:13] = 6.0
    promoted = np.ones(30)
    promoted[10:13] = 3.0
    found = season_of(course_of(demand, promoted, 20, 5, 1), (30, 33), 20, 1.0)
    assert (found.own, found.soft) == pytest.approx((1.0, 1.0))


def test_a_series_is_believed_the_more_the_more_it_sold_whatever_its_unit():
    demand = np.tile(np.r_[np.full(10, 1.0), np.full(10, 3.0)], 2)
    usual = np.ones(40)

    def said(units: np.ndarray, grain: float) -> Season:
        return season_of(Course(units, usual, grain, (float(units[0]), np.nan)), (30, 40), 20, 1.0)

    few, many, grams = said(demand, 1.0), said(100 * demand, 1.0), said(100 * demand, 100.0)
    assert few.own == many.own == 3.0
    assert 1.0 < few.soft < few.firm < few.own
    assert many.soft == pytest.approx(3.0, abs=0.1)
    assert grams == pytest.approx(few)


def test_what_no_year_showed_is_unknown_and_leans_on_the_group():
    nothing = np.full(25, np.nan)
    found = season_of(course_of(nothing, np.ones(25), 20, 4, 1), (25, 28), 20, 1.4)
    assert np.isnan(found.own)
    assert (found.firm, found.soft, found.group) == pytest.approx((1.4, 1.4, 1.4))


def test_a_group_without_a_level_before_has_no_ratio():
    course = np.r_[np.full(8, np.nan), np.arange(1.0, 13.0)]
    # A year of 8, two periods before it: 7 and 8 of the second year, for a window of two.
    assert group_ratio(course, 20, (0, 2), 8, 2) == pytest.approx((5 + 6) / 2 / ((3 + 4) / 2))
    assert np.isnan(group_ratio(np.zeros(20), 20, (0, 2), 8, 2))
