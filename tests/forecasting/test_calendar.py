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
