"""Seasonal ratios against naive loops: of a series, firmed up by its group, and of windows known in part."""

import numpy as np
import pytest

from forecasting.alike import year_before
from forecasting.features import NAMES, build_rows
from forecasting.membership import groups_of
from forecasting.panel import Panel
from forecasting.peers import peers_at, span_of
from forecasting.season import (
    FADE,
    FIRM,
    REACH,
    SMOOTH,
    SOFT,
    Course,
    Season,
    course_of,
    group_ratio,
    season_of,
)
from forecasting.structure import MEMORY

YEAR = 364
LAST = int(REACH * MEMORY["day"])  # days that a level looks back on


def plain(length: int, year: int) -> np.ndarray:
    """What each period is like where no holiday moves."""
    return np.arange(length) - year


def naive(demand: np.ndarray, usual: np.ndarray, at: int, window: range, like: np.ndarray) -> np.ndarray:
    """Units of the window's earlier years, and what those would have been at the level before each; the older
    year fades."""
    total = np.zeros(2)
    known = {t for t in range(len(demand)) if t <= at and np.isfinite(demand[t])}
    for years, worth in ((1, 1.0), (2, FADE)):

        def back(t: int, years: int = years) -> int:
            for _ in range(years):
                t = int(like[t]) if t >= 0 else t
            return t

        faded = [(np.exp((t - at) / MEMORY["day"]), back(t)) for t in range(max(at + 1 - LAST, 0), at + 1)]
        faded = [(fade, k) for fade, k in faded if k in known]
        seen = [back(t) for t in window if back(t) in known]
        if faded:
            level = sum(fade * demand[k] for fade, k in faded) / sum(fade * usual[k] for fade, k in faded)
            total += worth * np.array([demand[seen].sum(), level * usual[seen].sum()])
    return total


def grain_of(demand: np.ndarray, at: int) -> float:
    """Variance over mean of the last year, from differences over a week."""
    past = demand[max(at + 1 - YEAR, 0) : at + 1]
    seen = [t for t in range(max(at + 1 - YEAR, 7), at + 1) if np.isfinite(demand[t] + demand[t - 7])]
    off = np.mean([abs(demand[t] - demand[t - 7]) for t in seen])
    return max(off**2 * np.pi / 4 / np.nanmean(past), np.nanmin(past[past > 0]))


@pytest.mark.parametrize("at", [100, 400, 515, 799])
def test_the_features_of_a_window_are_the_naive_ratios(years: Panel, at: int):
    series, horizons, span = np.arange(years.series), np.array([7, 28]), span_of(years)
    rows = build_rows(years, series, np.full_like(series, at), horizons)
    course, _, waves = peers_at(years, at)[:, 1]
    like = year_before(years.calendar.occasion[0], "day")
    assert (np.diff(like) != 1).any()  # Easter moved
    faded = np.exp((np.arange(span) - span + 1) / MEMORY["day"]) * (
        np.arange(span) >= span - min(LAST, at + 1)
    )
    for i in series:
        group = np.full(at + 1, np.nan)  # the course on the days of the panel
        group[-span:] = course[groups_of(years)[1, i], :span][-at - 1 :]
        wave = waves[groups_of(years)[1, i]]
        demand, usual = years.quantity[i].astype(float), np.exp(rows.summary.slope[i] * years.promotion[i])
        grain = grain_of(demand, at)
        for j, h in enumerate(horizons):
            window = range(at + 1, at + 1 + h)
            total, weight = naive(demand, usual, at, window, like)
            shared, level = naive(group, np.ones(at + 1), at, window, like)
            prior = shared / level if level > 0 else np.nan
            if np.isfinite(wave[0]):
                ahead, now = wave[span : span + h].mean(), faded @ wave[:span] / faded.sum()
                prior = prior ** (1 - SMOOTH) * (ahead / now) ** SMOOTH
            own = min(total / weight, 20.0) if weight > 0 else np.nan
            mean = prior if np.isfinite(prior) else 1.0
            firm, soft = ((total + k * grain * mean) / (weight + k * grain) for k in (FIRM, SOFT))
            said = [
                rows.features[i, j, NAMES.index(f"season{end}")] for end in ("", "_firm", "_soft", "_group")
            ]
            np.testing.assert_allclose(said, [own, firm, soft, prior], rtol=2e-5)
    assert np.isfinite(waves).any() == (at > YEAR)


def test_a_ratio_worked_out_by_hand():
    demand, like = np.full(18, 2.0), plain(20, 8)
    demand[[10, 11]] = [6.0, np.nan]
    usual = np.ones(18)
    course = course_of(demand, usual, like, 1.0, 1)
    assert course.level == (2.0, 2.0)  # periods 6 … 9, and of those two years ago 0 and 1

    assert course.grain == 2.0  # the smallest amount sold, for neighbours hardly differ
    found = season_of(Course(demand, usual, 2.0, (2.0, np.nan)), (18, 20), like, np.nan)
    assert found.own == pytest.approx(3.0)  # 6 in the one period of the window that was observed
    assert found.firm == pytest.approx((6.0 + 2 * FIRM) / (2.0 + 2 * FIRM))
    assert np.isnan(found.group)


def test_a_level_forgets_and_is_that_of_the_weeks_before():
    demand = np.r_[np.full(10, 8.0), np.full(10, 2.0)]
    course = course_of(demand, np.ones(20), plain(24, 8), 2.0, 1)
    fade = np.exp(-np.arange(8) / 2.0)  # periods 11, 10, … 4 of a year of 8 before the last
    assert course.level[0] == pytest.approx((2 * fade[:2].sum() + 8 * fade[2:].sum()) / fade.sum())


def test_a_promotion_of_last_year_is_no_season():
    demand = np.full(30, 2.0)
    demand[10:13] = 6.0
    promoted = np.ones(30)
    promoted[10:13] = 3.0
    like = plain(33, 20)
    found = season_of(course_of(demand, promoted, like, 5.0, 1), (30, 33), like, 1.0)
    assert (found.own, found.soft) == pytest.approx((1.0, 1.0))


def test_a_series_is_believed_the_more_the_more_it_sold_whatever_its_unit():
    demand = np.tile(np.r_[np.full(10, 1.0), np.full(10, 3.0)], 2)
    usual = np.ones(40)

    def said(units: np.ndarray, grain: float) -> Season:
        course = Course(units, usual, grain, (float(units[0]), np.nan))
        return season_of(course, (30, 40), plain(40, 20), 1.0)

    few, many, grams = said(demand, 1.0), said(100 * demand, 1.0), said(100 * demand, 100.0)
    assert few.own == many.own == 3.0
    assert 1.0 < few.soft < few.firm < few.own
    assert many.soft == pytest.approx(3.0, abs=0.1)
    assert grams == pytest.approx(few)


def test_what_no_year_showed_is_unknown_and_leans_on_the_group():
    nothing, like = np.full(25, np.nan), plain(28, 20)
    found = season_of(course_of(nothing, np.ones(25), like, 4.0, 1), (25, 28), like, 1.4)
    assert np.isnan(found.own)
    assert (found.firm, found.soft, found.group) == pytest.approx((1.4, 1.4, 1.4))


def test_a_group_without_a_level_before_has_no_ratio():
    course, unknown, like = np.r_[np.full(8, np.nan), np.arange(1.0, 13.0)], np.full(22, np.nan), plain(22, 8)
    end, memory = (20, 0), 0.5
    # A year of 8, two periods before it (3 and 4, the later weighing e² as much), for a window of 5 and 6.
    level = (3 * np.exp(-2) + 4) / (np.exp(-2) + 1)
    assert group_ratio((course, unknown), end, (0, 2), like, memory) == pytest.approx((5 + 6) / 2 / level)
    assert np.isnan(group_ratio((np.zeros(20), unknown), end, (0, 2), like, memory))


def test_a_group_s_ratio_lies_between_last_year_and_the_waves():
    course, waves, like = np.full(20, 1.0), np.full(22, 1.0), plain(22, 8)
    course[12:14], waves[20:] = 4.0, 2.0
    told = (4.0 + FADE) / (1.0 + FADE)  # two years ago there was no peak
    assert group_ratio((course, waves), (20, 0), (0, 2), like, 0.5) == pytest.approx(
        told ** (1 - SMOOTH) * 2.0**SMOOTH
    )
