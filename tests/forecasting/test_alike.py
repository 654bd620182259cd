"""Years laid over each other: by weeks, and by holidays where these moved."""

import numpy as np
import pandas as pd
import pytest

from forecasting.alike import AFTER, BEFORE, back_to, year_before
from forecasting.calendar import build_calendar
from ingestion.periods import Period

DAYS = pd.date_range("2022-01-01", "2025-06-30")


def number(date: str) -> int:
    """Of a day in DAYS."""
    return int(DAYS.get_loc(date))


def like_in(country: str) -> np.ndarray:
    return year_before(build_calendar(DAYS, Period("day"), [country]).occasion[0], "day")


def test_without_holidays_each_period_is_like_the_same_week():
    for name, year in (("day", 364), ("week", 52), ("month", 12)):
        np.testing.assert_array_equal(year_before(np.zeros(800, int), name), np.arange(800) - year)


@pytest.mark.parametrize("away", [-14, -3, 0, 5, 12])
def test_a_day_around_spring_festival_is_as_far_from_the_one_before(away):
    like = like_in("CN")
    # The holidays began on 22 January 2023 (with the eve, on the 21st), 10 February 2024 and 28 January 2025.
    begins = [number(date) for date in ("2023-01-21", "2024-02-10", "2025-01-28")]
    assert like[begins[2] + away] == begins[1] + away
    assert like[begins[1] + away] == begins[0] + away
    assert back_to(like, begins[2] + away, 2) == begins[0] + away


def test_other_days_avoid_the_festival_of_the_year_before_by_whole_weeks():
    like = like_in("CN")
    festival = range(number("2024-02-10") - BEFORE["day"], number("2024-02-17") + 1 + AFTER["day"])
    near = range(number("2025-01-28") - BEFORE["day"], number("2025-02-04") + 1 + AFTER["day"])
    later = [t for t in range(number("2025-02-01"), number("2025-03-31")) if t not in near]
    assert any(t - 364 in festival for t in later)
    for t in later:
        assert like[t] not in festival
        assert (t - like[t]) % 7 == 0
        assert like[t] == t - 364 or t - 364 in festival


def test_a_holiday_that_keeps_its_date_moves_nothing():
    like = like_in("CN")
    labour_day = number("2024-05-01")
    np.testing.assert_array_equal(
        like[labour_day - 20 : labour_day + 10], np.arange(-20, 10) + labour_day - 364
    )


def test_weeks_follow_their_holidays_too():
    weeks = pd.date_range("2022-01-03", periods=170, freq="7D")
    occasion = build_calendar(weeks, Period("week"), ["CN"]).occasion[0]
    like = year_before(occasion, "week")
    begins = [int(np.flatnonzero(weeks <= date)[-1]) for date in ("2024-02-10", "2025-01-28")]
    assert occasion[begins[0]] == occasion[begins[1]] > 0
    assert begins[1] - begins[0] == 51
    np.testing.assert_array_equal(
        like[begins[1] - 2 : begins[1] + 2], np.arange(begins[0] - 2, begins[0] + 2)
    )


def test_before_the_first_year_and_beyond_the_last_nothing_breaks():
    like = year_before(np.zeros(400, int), "day")
    assert back_to(like, 100, 1) < 0
    assert back_to(like, 100, 2) < 0
    assert back_to(like, 402, 1) == 402 - 364


def test_a_short_history_with_holidays_has_no_year_before():
    occasion = np.zeros(60, int)
    occasion[[10, 11, 40]] = [1, 1, 2]
    assert (year_before(occasion, "day") < 0).all()


@pytest.mark.parametrize("name", ["day", "week"])
def test_a_festival_just_beyond_the_last_period_has_its_run_up(name):
    period = Period(name)
    dates = period.range(pd.Timestamp("2022-01-03"), 1200 if name == "day" else 172)
    cut = dates[dates < "2025-01-27"]  # the holidays begin on the 28th
    long, short = (build_calendar(part, period, ["CN"]).like[0] for part in (dates, cut))
    np.testing.assert_array_equal(short, long[: len(cut)])
    assert short[-1] == long[len(cut) - 1] != len(cut) - 1 - (364 if name == "day" else 52)
