"""Hours: when people work, in the workspace's time zone and calendar.

This module owns business days, the end of one, and clock times that come round every day.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import import_module
from importlib.resources import files
from zoneinfo import ZoneInfo

import chinese_calendar

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Hours:
    """When a workspace works.

    timezone: IANA name, such as Asia/Shanghai
    country: ISO code; its public holidays are free and China's make-up days worked; None knows no holiday
    workdays: English weekdays
    closes: end of a business day, local time
    """

    timezone: str = "UTC"
    country: str | None = None
    workdays: tuple[str, ...] = WEEKDAYS[:5]
    closes: time = time(18)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)

    def is_business_day(self, day: date) -> bool:
        """Whether people work on a date.

        China's National Day of 2024 is free, the Sunday before it is worked to make up for it:

        >>> hours = Hours("Asia/Shanghai", "CN")
        >>> hours.is_business_day(date(2024, 10, 1)), hours.is_business_day(date(2024, 9, 29))
        (False, True)
        """
        worked = WEEKDAYS[day.weekday()] in self.workdays
        if self.country is None:
            return worked
        if self.country == "CN" and day in chinese_calendar.workdays:
            return True
        return worked and not _is_holiday(self.country, day)

    def deadline(self, at: datetime) -> datetime:
        """End of the business day that `at` belongs to: nothing stays overnight.

        What comes after closing time, or on a free day, belongs to the next business day.

        >>> Hours().deadline(datetime(2026, 3, 6, 9, tzinfo=UTC)).isoformat()  # a Friday
        '2026-03-06T18:00:00+00:00'
        >>> Hours().deadline(datetime(2026, 3, 6, 18, tzinfo=UTC)).isoformat()
        '2026-03-09T18:00:00+00:00'
        """
        here = at.astimezone(self.zone)
        day = here.date()
        while not self.is_business_day(day) or self._closing(day) <= at:
            day += timedelta(days=1)
        return self._closing(day)

    def next_time(self, at: datetime, clock: time) -> datetime:
        """When a local clock time comes next, after `at`."""
        here = at.astimezone(self.zone)
        found = _moment(here.date(), clock, self.zone)
        return found if found > at else _moment(here.date() + timedelta(days=1), clock, self.zone)

    def _closing(self, day: date) -> datetime:
        return _moment(day, self.closes, self.zone)


def home_of(country: str | None) -> str:
    """Time zone of a country's largest part, as the time zone database lists it first; UTC where unknown.

    >>> home_of("CN"), home_of("DE"), home_of(None)
    ('Asia/Shanghai', 'Europe/Berlin', 'UTC')
    """
    return _zones().get(country or "", "UTC")


def read_clock(text: str) -> time:
    """A clock time written as 07:30; ValueError where it is none."""
    hour, _, minute = text.strip().partition(":")
    if not (hour.isdigit() and minute.isdigit()):
        raise ValueError("a time of day is written as 07:30")
    return time(int(hour), int(minute))


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A local time in UTC, so that moments compare and differ by time that really passes."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


@cache
def _zones() -> dict[str, str]:
    lines = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines()
    found: dict[str, str] = {}
    for line in lines:
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, zone)
    return found


def _is_holiday(country: str, day: date) -> bool:
    if country == "CN":
        return day in chinese_calendar.holidays
    return day in _calendar(country)


@cache
def _calendar(country: str) -> Container[date]:
    """Years are filled in as they are asked for; a country nobody lists has no holidays."""
    holidays = import_module("holidays")  # takes a third of a second, which few commands need
    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return ()
