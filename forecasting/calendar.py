"""Holidays of each country on the panel's grid, with China's make-up workdays.

It owns what is a holiday. Published years end: beyond them the calendar has no holidays and says so.
"""

import logging
from dataclasses import dataclass, field

import chinese_calendar
import holidays
import numpy as np
import pandas as pd

from ingestion.periods import Period

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calendar:
    """Holidays per country over the panel's T + H periods.

    countries: ISO codes, "" where none is known
    of_series: (n,) row of each series in the arrays below
    holiday: (countries, T + H) float32 days of public holiday in the period
    workday: (countries, T + H) float32 days of weekend that are worked to make up for a holiday
    phase: (T + H,) int64 position in the week; 0 for weeks and months
    year: (T + H,) float32 position in the year, 0 … 1
    notes: where the published holidays end
    """

    countries: tuple[str, ...]
    of_series: np.ndarray
    holiday: np.ndarray
    workday: np.ndarray
    phase: np.ndarray
    year: np.ndarray
    notes: tuple[str, ...] = field(default=())


def build_calendar(dates: pd.DatetimeIndex, period: Period, countries: list[str]) -> Calendar:
    """The calendar of the periods that start on `dates`, for series in `countries` (one code each)."""
    names = sorted(set(countries))
    days = pd.date_range(dates[0], period.end(dates[-1]), freq="D")
    into = period.index(days) - period.index(dates[0])[0]
    holiday = np.zeros((len(names), len(dates)), dtype=np.float32)
    workday = np.zeros_like(holiday)
    notes = []
    for row, name in enumerate(names):
        free, worked, note = _days_of(name, days)
        holiday[row] = np.bincount(into, weights=free, minlength=len(dates))
        workday[row] = np.bincount(into, weights=worked, minlength=len(dates))
        notes += [note] if note else []
    for note in notes:
        log.warning(note)
    return Calendar(
        countries=tuple(names),
        of_series=np.searchsorted(names, countries),
        holiday=holiday,
        workday=workday,
        phase=np.asarray(dates.day_of_week if period.name == "day" else np.zeros(len(dates)), dtype=np.int64),
        year=((dates.day_of_year - 1) / 366.0).to_numpy(dtype=np.float32),
        notes=tuple(notes),
    )


def _days_of(country: str, days: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray, str]:
    """Holidays and make-up workdays among `days`, and a word where they are not known."""
    none = np.zeros(len(days))
    if not country:
        return none, none, ""
    if country.upper() == "CN":
        return _china(days)
    try:
        known = holidays.country_holidays(country.upper(), years=range(days[0].year, days[-1].year + 1))
    except NotImplementedError:
        return none, none, f"no holidays are known for country {country!r}; write an ISO code such as DE"
    free = np.array([day in known for day in days.date], dtype=float)
    last = max((day.year for day in known), default=days[0].year - 1)
    return free, none, _beyond(country, days, last)


def _china(days: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray, str]:
    """Public holidays and the weekends worked for them; outside the published years neither.

    >>> free, worked, note = _china(pd.DatetimeIndex(["2024-02-12", "2024-02-18", "2024-02-24"]))
    >>> free.tolist(), worked.tolist(), note
    ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], '')
    """
    first, last = _published_china()
    free, worked = np.zeros(len(days)), np.zeros(len(days))
    for k, day in enumerate(days.date):
        if first <= day.year <= last:
            off, name = chinese_calendar.get_holiday_detail(day)
            free[k] = off and name is not None
            worked[k] = not off and day.weekday() >= 5
    return free, worked, _beyond("CN", days, last)


def _published_china() -> tuple[int, int]:
    """First and last year whose make-up workdays are published."""
    published = chinese_calendar.constants.workdays.keys() | chinese_calendar.constants.holidays.keys()
    return min(published).year, max(day for day in published if day.month > 1).year


def known_until(country: str) -> pd.Timestamp | None:
    """Last date whose holidays are known; None where none are.

    >>> known_until("DE")
    Timestamp('2100-12-31 00:00:00')
    """
    if country == "CN":
        return pd.Timestamp(_published_china()[1], 12, 31)
    try:
        return pd.Timestamp(int(holidays.country_holidays(country).end_year), 12, 31)
    except NotImplementedError:
        return None


def _beyond(country: str, days: pd.DatetimeIndex, last: int) -> str:
    if days[-1].year <= last:
        return ""
    return (
        f"holidays of {country} are published up to {last}, the horizon ends on {days[-1].date()}; "
        "later days count as ordinary ones, update the holiday packages when new years are out"
    )
