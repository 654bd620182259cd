"""Holidays of each country on the panel's grid, by name, with China's make-up workdays and the way to them.

It owns what is a holiday. Published years end: beyond them the calendar has no holidays and says so.
"""

import logging
import re
from dataclasses import dataclass, field

import chinese_calendar
import holidays
import numpy as np
import pandas as pd

from forecasting.alike import BEFORE, year_before
from ingestion.periods import Period

log = logging.getLogger(__name__)
FAR = 28  # days to a holiday beyond which none is in sight
# What a name says beside the holiday: "The second day of", "Day following", "Alternative holiday for", …
AROUND = re.compile(
    r"^(the )?((first|second|third|fourth|fifth) (day|weekday)|day|alternative holiday|substitute holiday)"
    r" (of|for|after|preceding|following) (the )?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Calendar:
    """Holidays per country over the panel's T + H periods.

    countries: ISO codes, "" where none is known
    of_series: (n,) row of each series in the arrays below
    holiday: (countries, T + H) float32 days of public holiday in the period
    workday: (countries, T + H) float32 days of weekend that are worked to make up for a holiday
    occasions: names of holidays, all days of one holiday under one name
    occasion: (countries, T + H) int16 which holiday most days of the period belong to: k for
        occasions[k - 1], 0 for none
    until, since: (countries, T + H) float32 days to the next and from the last holiday, 0 in a period
        that holds one, at most 28
    like: (countries, T + H) int64 period of the year before that each is like, as `alike.year_before`;
        holidays that begin soon after the last period count
    phase: (T + H,) int64 position in the week; 0 for weeks and months
    year: (T + H,) float32 position in the year, 0 … 1
    notes: where the published holidays end
    """

    countries: tuple[str, ...]
    of_series: np.ndarray
    holiday: np.ndarray
    workday: np.ndarray
    occasions: tuple[str, ...]
    occasion: np.ndarray
    until: np.ndarray
    since: np.ndarray
    like: np.ndarray
    phase: np.ndarray
    year: np.ndarray
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Days:
    """One country's days: the holiday's name, "" on other days; whether a weekend is worked; a warning."""

    name: np.ndarray
    worked: np.ndarray
    note: str


def build_calendar(dates: pd.DatetimeIndex, period: Period, countries: list[str]) -> Calendar:
    """The calendar of the periods that start on `dates`, for series in `countries` (one code each)."""
    codes = sorted(set(countries))
    days = pd.date_range(dates[0], period.end(dates[-1]), freq="D")
    around = pd.date_range(days[0] - pd.Timedelta(days=FAR), days[-1] + pd.Timedelta(days=FAR), freq="D")
    own = slice(FAR, FAR + len(days))
    into = period.index(days) - period.index(dates[0])[0]
    begins = np.searchsorted(into, np.arange(len(dates)))
    found = [_days_of(code, around, days) for code in codes]
    occasions = tuple(sorted({name for one in found for name in np.unique(one.name[own])} - {""}))
    for one in found:
        if one.note:
            log.warning(one.note)

    def stack(parts: list[np.ndarray], kind: type) -> np.ndarray:
        return np.array(parts, dtype=kind).reshape(len(codes), len(dates))

    ways = [_way(one.name != "") for one in found]
    return Calendar(
        countries=tuple(codes),
        of_series=np.searchsorted(codes, countries),
        holiday=stack(
            [np.add.reduceat(one.name[own] != "", begins, dtype=float) for one in found], np.float32
        ),
        workday=stack([np.add.reduceat(one.worked[own], begins) for one in found], np.float32),
        occasions=occasions,
        occasion=stack([_most(one.name[own], occasions, into) for one in found], np.int16),
        until=stack([np.minimum.reduceat(until[own], begins) for until, _ in ways], np.float32),
        since=stack([np.minimum.reduceat(since[own], begins) for _, since in ways], np.float32),
        like=stack([_like(one.name[FAR:], occasions, period, dates) for one in found], np.int64),
        phase=np.asarray(dates.day_of_week if period.name == "day" else np.zeros(len(dates)), dtype=np.int64),
        year=((dates.day_of_year - 1) / 366.0).to_numpy(dtype=np.float32),
        notes=tuple(one.note for one in found if one.note),
    )


def _way(off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days to the next and from the last day off, cut at FAR.

    >>> _way(np.array([False, True, False, False]))
    (array([ 1,  0, 28, 28]), array([28,  0,  1,  2]))
    """
    day = np.arange(len(off))
    ahead = np.minimum.accumulate(np.where(off, day, len(off) + FAR)[::-1])[::-1]
    behind = np.maximum.accumulate(np.where(off, day, -FAR))
    return np.minimum(ahead - day, FAR), np.minimum(day - behind, FAR)


def _most(name: np.ndarray, occasions: tuple[str, ...], into: np.ndarray) -> np.ndarray:
    """(T + H,) number of the holiday that most days of each period belong to, the first named of equals."""
    periods = int(into[-1]) + 1
    count = np.zeros((len(occasions) + 1, periods))
    named = name != ""
    np.add.at(count, (np.searchsorted(occasions, name[named]) + 1, into[named]), 1.0)
    return count.argmax(axis=0)


def _like(
    name: np.ndarray, occasions: tuple[str, ...], period: Period, dates: pd.DatetimeIndex
) -> np.ndarray:
    """(T + H,) as `alike.year_before`, which sees the holidays just beyond the last period.

    name: of the days from the first of `dates` on, at least FAR beyond the last period
    """
    longer = period.range(dates[0], len(dates) + BEFORE.get(period.name, 0))
    days = pd.date_range(dates[0], period.end(longer[-1]), freq="D")
    known = np.where(
        np.isin(name[: len(days)], occasions), name[: len(days)], ""
    )  # others have no year before
    occasion = _most(known, occasions, period.index(days) - period.index(dates[0])[0])
    return year_before(occasion, period.name)[: len(dates)]


def one_name(said: str) -> str:
    """The name of a holiday without what tells its days apart.

    >>> one_name("The second day of Korean New Year"), one_name("Christmas Day (observed)")
    ('Korean New Year', 'Christmas Day')
    """
    plain = re.sub(r"\s*\([^)]*\)", "", said.partition(";")[0]).strip()
    return AROUND.sub("", plain) or plain


def _days_of(country: str, around: pd.DatetimeIndex, days: pd.DatetimeIndex) -> _Days:
    """The holidays among the days `around`, and a word where those of the `days` are not known."""
    none = _Days(np.full(len(around), "", dtype=object), np.zeros(len(around)), "")
    if not country:
        return none
    if country.upper() == "CN":
        return _china(around, days)
    years = range(around[0].year, around[-1].year + 1)
    try:
        spoken = holidays.country_holidays(country.upper()).supported_languages
        language = "en_US" if "en_US" in spoken else None
        known = holidays.country_holidays(country.upper(), years=years, language=language)
    except NotImplementedError:
        return _Days(
            none.name,
            none.worked,
            f"no holidays are known for country {country!r}; write an ISO code such as DE",
        )
    name = np.array([one_name(known[day]) if day in known else "" for day in around.date], dtype=object)
    last = max((day.year for day in known), default=days[0].year - 1)
    return _Days(name, none.worked, _beyond(country, days, last))


def _china(around: pd.DatetimeIndex, days: pd.DatetimeIndex) -> _Days:
    """Public holidays and the weekends worked for them; outside the published years neither.

    >>> days = pd.DatetimeIndex(["2024-02-12", "2024-02-18", "2024-02-24"])
    >>> found = _china(days, days)
    >>> found.name.tolist(), found.worked.tolist(), found.note
    (['Spring Festival', '', ''], [0.0, 1.0, 0.0], '')
    """
    first, last = _published_china()
    name, worked = np.full(len(around), "", dtype=object), np.zeros(len(around))
    for k, day in enumerate(around.date):
        if first <= day.year <= last:
            off, said = chinese_calendar.get_holiday_detail(day)
            name[k] = str(said) if off and said is not None else ""
            worked[k] = not off and day.weekday() >= 5
    return _Days(name, worked, _beyond("CN", days, last))


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
