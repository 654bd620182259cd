"""Holidays on the grid, and what happens where they are not published."""

import pandas as pd

from forecasting.calendar import build_calendar
from ingestion.periods import Period


def test_german_unity_day_and_chinese_make_up_work():
    dates = pd.date_range("2024-09-28", "2024-10-08", freq="D")
    calendar = build_calendar(dates, Period("day"), ["DE", "CN", "DE", ""])
    assert calendar.countries == ("", "CN", "DE")
    assert calendar.of_series.tolist() == [2, 1, 2, 0]
    assert dates[calendar.holiday[2] > 0].strftime("%m-%d").tolist() == ["10-03"]
    assert dates[calendar.holiday[1] > 0].strftime("%m-%d").tolist() == [f"10-{d:02d}" for d in range(1, 8)]
    assert dates[calendar.workday[1] > 0].strftime("%m-%d").tolist() == ["09-29"]
    assert calendar.holiday[0].sum() == 0
    assert calendar.phase[:3].tolist() == [5, 6, 0]


def test_a_week_counts_its_holidays():
    weeks = Period("week").range(pd.Timestamp("2024-09-23"), 3)
    calendar = build_calendar(weeks, Period("week"), ["CN"])
    assert calendar.holiday[0].tolist() == [0, 6, 1]
    assert calendar.workday[0].tolist() == [1, 0, 1]  # 29 September and 12 October


def test_years_without_publication_are_named_and_do_not_crash(caplog):
    calendar = build_calendar(pd.date_range("2039-12-01", periods=60), Period("day"), ["CN"])
    assert calendar.holiday.sum() == 0
    assert "CN are published up to" in calendar.notes[0]
    assert "CN are published up to" in caplog.text


def test_an_unknown_country_has_no_holidays_and_says_so():
    calendar = build_calendar(pd.date_range("2024-01-01", periods=9), Period("day"), ["Atlantis"])
    assert calendar.holiday.sum() == 0
    assert "ISO code" in calendar.notes[0]


def names_of(calendar, row: int) -> list[str]:
    return [("", *calendar.occasions)[code] for code in calendar.occasion[row]]


def test_all_days_of_a_holiday_bear_one_name_and_the_way_to_it_is_counted():
    dates = pd.date_range("2024-02-05", "2024-02-20", freq="D")
    calendar = build_calendar(dates, Period("day"), ["CN"])
    assert names_of(calendar, 0) == [""] * 5 + ["Spring Festival"] * 8 + [""] * 3
    assert calendar.until[0].tolist() == [5, 4, 3, 2, 1] + [0] * 8 + [28] * 3  # none again for 28 days
    assert calendar.since[0, 13:].tolist() == [1, 2, 3]
    assert calendar.since[0, 0] == 28  # New Year's Day is 35 days past


def test_the_same_holiday_has_one_number_in_every_country_and_in_every_year():
    for year in (2021, 2022):  # on a Saturday and on a Sunday: both have days observed instead
        dates = pd.date_range(f"{year}-12-20", f"{year}-12-31", freq="D")
        calendar = build_calendar(dates, Period("day"), ["DE", "US"])
        named = [(d.day, n) for row in range(2) for d, n in zip(dates, names_of(calendar, row), strict=True)]
        assert (25, "Christmas Day") in named
        assert not [name for _, name in named if "observed" in name]


def test_a_holiday_just_after_the_grid_is_in_sight():
    calendar = build_calendar(pd.date_range("2024-12-20", "2024-12-24", freq="D"), Period("day"), ["DE"])
    assert calendar.until[0].tolist() == [5, 4, 3, 2, 1]


def test_a_week_is_named_after_the_holiday_of_most_of_its_days():
    weeks = Period("week").range(pd.Timestamp("2024-09-16"), 3)
    calendar = build_calendar(weeks, Period("week"), ["CN"])
    assert names_of(calendar, 0) == ["Mid-autumn Festival", "", "National Day"]
    assert calendar.until[0].tolist() == [0, 2, 0]
    assert calendar.since[0].tolist() == [0, 6, 0]
