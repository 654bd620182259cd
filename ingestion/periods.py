"""Periods: the one clock of a workspace, in days, weeks or months.

A period is named by its first date. Dates travel as timestamps at midnight; arithmetic on periods is
arithmetic on whole numbers (`Period.index`), so a difference of indices is a number of periods.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Name = Literal["day", "week", "month"]
EPOCH = np.datetime64("1970-01-05", "D")  # a Monday


@dataclass(frozen=True)
class Period:
    """A day, a week or a month.

    name: day, week or month
    weekday: the day on which a week starts, 0 = Monday … 6 = Sunday; 0 for days and months
    """

    name: Name = "day"
    weekday: int = 0

    @property
    def days(self) -> float:
        """Mean length in days."""
        return {"day": 1.0, "week": 7.0, "month": 365.25 / 12}[self.name]

    @property
    def longest(self) -> int:
        """Length in days of the longest there is."""
        return {"day": 1, "week": 7, "month": 31}[self.name]

    @property
    def season(self) -> int:
        """Periods in the season a plain seasonal forecast repeats: a week of days, a year else."""
        return {"day": 7, "week": 52, "month": 12}[self.name]

    def index(self, dates: pd.Series | pd.DatetimeIndex | pd.Timestamp) -> np.ndarray:
        """Whole number of the period that contains each date; consecutive periods differ by one.

        >>> Period("week").index(pd.DatetimeIndex(["2024-04-08", "2024-04-14", "2024-04-15"])).tolist()
        [2831, 2831, 2832]
        """
        days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
        if self.name == "month":
            return days.astype("datetime64[M]").astype(np.int64)
        count = (days - EPOCH).astype(np.int64)
        return count if self.name == "day" else (count - self.weekday) // 7

    def dates(self, index: np.ndarray) -> pd.DatetimeIndex:
        """First date of each period, the inverse of `index`.

        >>> Period("month").dates(np.array([651])).strftime("%Y-%m-%d").tolist()
        ['2024-04-01']
        """
        index = np.asarray(index, dtype=np.int64)
        if self.name == "month":
            days = index.astype("datetime64[M]").astype("datetime64[D]")
        elif self.name == "week":
            days = EPOCH + (7 * index + self.weekday)
        else:
            days = EPOCH + index
        return pd.DatetimeIndex(days.astype("datetime64[ns]"))

    def start(self, dates: pd.Series | pd.DatetimeIndex) -> pd.DatetimeIndex:
        """First date of the period that contains each date."""
        return self.dates(self.index(dates))

    def end(self, date: pd.Timestamp) -> pd.Timestamp:
        """Last date of the period that contains `date`: what is dated up to here is known as of it.

        >>> Period("week").end(pd.Timestamp("2024-04-08")).date().isoformat()
        '2024-04-14'
        """
        return self.dates(self.index(date) + 1)[0] - pd.Timedelta(days=1)

    def range(self, first: pd.Timestamp, count: int) -> pd.DatetimeIndex:
        """First dates of `count` consecutive periods from the one that contains `first`."""
        return self.dates(self.index(first)[0] + np.arange(count))

    def from_days(self, days: np.ndarray | float) -> np.ndarray:
        """Whole periods that `days` take, rounded up: 15 days are three weeks, and 31 are one month.

        >>> Period("week").from_days(np.array([0, 7, 14, 15])).tolist()
        [0, 1, 2, 3]
        >>> Period("month").from_days(np.array([30, 31, 61, 62, 92, 93])).tolist()
        [1, 1, 2, 2, 3, 3]
        """
        return np.ceil(np.round(np.asarray(days, dtype=float) / self.longest, 6)).astype(np.int64)


def guess(dates: pd.Series) -> Period:
    """The period of a column of dates, from their spacing.

    dates: any order, repeats allowed; fewer than two distinct dates mean days

    >>> guess(pd.Series(pd.to_datetime(["2024-04-08", "2024-04-15", "2024-04-22", "2024-04-22"])))
    Period(name='week', weekday=0)
    """
    days = np.unique(np.asarray(dates.dropna(), dtype="datetime64[D]"))
    if len(days) < 2:
        return Period("day")
    gap = float(np.median(np.diff(days).astype(np.int64)))
    first_of_month = (days == days.astype("datetime64[M]").astype("datetime64[D]")).mean()
    if gap >= 28 and first_of_month > 0.9:
        return Period("month")
    weekdays = (days - EPOCH).astype(np.int64) % 7
    values, counts = np.unique(weekdays, return_counts=True)
    if gap >= 7 and counts.max() / len(days) > 0.9:
        return Period("week", int(values[counts.argmax()]))
    return Period("day")
