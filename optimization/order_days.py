"""Order days: the days of the week on which a supplier takes orders, and so when the next order can go out.

It owns what `order_weekdays` of the table `sourcing` means. Where it says nothing, and where a period is
longer than a day, an order can go out at the start of any period.
"""

import numpy as np
import pandas as pd

from ingestion.periods import Period
from ingestion.weekdays import read_weekdays


def on_calendar(weekdays: pd.Series, period: Period) -> np.ndarray:
    """(n,) whether orders can go out on some days only."""
    return weekdays.notna().to_numpy() & (period.name == "day")


def order_days(weekdays: pd.Series, period: Period, as_of: pd.Timestamp, count: int) -> np.ndarray:
    """(n, count) whether an order can go out at the start of each of the `count` periods after `as_of`.

    >>> tuesday = pd.Timestamp("2024-04-02")
    >>> order_days(pd.Series(["Mon, Thu", None]), Period("day"), tuesday, 6).astype(int).tolist()
    [[0, 1, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1]]
    """
    out = np.ones((len(weekdays), count), dtype=bool)
    if period.name == "day":
        coming = period.dates(period.index(as_of)[0] + 1 + np.arange(count)).day_of_week
        for text in weekdays.dropna().unique():
            out[(weekdays == text).to_numpy()] = np.isin(coming, read_weekdays(text))
    return out


def until_next_order(weekdays: pd.Series, period: Period, as_of: pd.Timestamp) -> np.ndarray:
    """(n,) periods from `as_of` to the next one at whose start an order can go out; 1 is the one after it.

    >>> until_next_order(pd.Series(["Mon", None]), Period("day"), pd.Timestamp("2024-04-02")).tolist()
    [6, 1]
    """
    return order_days(weekdays, period, as_of, 7).argmax(axis=1) + 1


def review_lasts(supply: pd.DataFrame, period: Period, as_of: pd.Timestamp) -> np.ndarray:
    """(n,) periods after `as_of` until the next review begins: on an order day, else after review_periods.

    supply: with order_weekdays and review_periods
    """
    weekdays = supply["order_weekdays"]
    first = period.dates(period.index(as_of) + 1)[0]
    by_calendar = until_next_order(weekdays, period, first)
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    return np.where(on_calendar(weekdays, period), by_calendar, np.maximum(review, 1))


def longest_gap(weekdays: str) -> int:
    """Days between two order days at most: orders on Monday and Thursday leave gaps of 3 and 4 days.

    >>> longest_gap("Mon, Thu"), longest_gap("1 4"), longest_gap("wed")
    (4, 4, 7)
    """
    days = read_weekdays(weekdays)
    return max(b - a for a, b in zip(days, [*days[1:], days[0] + 7], strict=True))
