"""The panel's arrays as compiled code takes them, and one series' past cut out of them.

It owns the two tuples that every kernel of the room shares.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.panel import Panel


class Arrays(NamedTuple):
    """The arrays of a panel; shapes as in `Panel` and `Calendar`."""

    quantity: np.ndarray
    closed: np.ndarray
    promotion: np.ndarray
    in_stock: np.ndarray
    plan: np.ndarray
    known: np.ndarray
    price: np.ndarray
    price_known: np.ndarray
    first: np.ndarray
    phase: np.ndarray
    year: np.ndarray
    holiday: np.ndarray
    workday: np.ndarray
    occasion: np.ndarray
    until: np.ndarray
    since: np.ndarray
    country: np.ndarray
    like: np.ndarray
    event: np.ndarray
    event_known: np.ndarray
    event_of: np.ndarray


class Past(NamedTuple):
    """One series up to an origin, (t,) each: demand, whether shut, promotion, in stock, place in the week."""

    demand: np.ndarray
    closed: np.ndarray
    promotion: np.ndarray
    in_stock: np.ndarray
    phase: np.ndarray


def arrays_of(panel: Panel) -> Arrays:
    """What kernels need of a panel; without a year of history no place in the year."""
    calendar = panel.calendar
    seasonal = panel.period.days * panel.length >= 365
    return Arrays(
        panel.quantity,
        panel.closed,
        panel.promotion,
        panel.in_stock,
        panel.plan,
        panel.known,
        panel.price,
        panel.price_known,
        panel.first,
        calendar.phase,
        calendar.year if seasonal else np.full_like(calendar.year, np.nan),
        calendar.holiday,
        calendar.workday,
        calendar.occasion,
        calendar.until,
        calendar.since,
        calendar.of_series,
        calendar.like,
        panel.event,
        panel.event_known,
        panel.event_of,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def told_of(arrays: Arrays, i: int, low: int, high: int) -> np.ndarray:
    """(high - low,) demand of series i in the periods [low, high), NaN also in the first days of a closing
    that went on for so long that the rest of it is none: neither does another year begin like that.
    """
    demand = arrays.quantity[i, low:high].copy()
    long = False
    for t in range(high - 1, low - 1, -1):
        long = arrays.closed[i, t] and (long or np.isnan(arrays.quantity[i, t]))
        if long:
            demand[t - low] = np.nan
    return demand


@njit(cache=True, nogil=True, error_model="numpy")
def past_of(arrays: Arrays, i: int, low: int, high: int) -> Past:
    """Series i in the periods [low, high)."""
    return Past(
        arrays.quantity[i, low:high],
        arrays.closed[i, low:high],
        arrays.promotion[i, low:high],
        arrays.in_stock[i, low:high],
        arrays.phase[low:high],
    )


@njit(cache=True, nogil=True, error_model="numpy")
def prices_ahead(arrays: Arrays, i: int, at: int, last: int) -> np.ndarray:
    """(last,) prices of series i after an origin as they were known then; the one before stands till then."""
    price = np.empty(last)
    now = arrays.price[i, at]
    for h in range(last):
        t = at + 1 + h
        if len(arrays.price_known) == 0 or arrays.price_known[i, t] <= at:
            now = arrays.price[i, t]
        price[h] = now
    return price


@njit(cache=True, nogil=True, error_model="numpy")
def mean_of(values: np.ndarray, low: int, high: int) -> float:
    """Mean of the finite values in [low, high); NaN without any."""
    count, total = 0, 0.0
    for t in range(max(low, 0), min(high, len(values))):
        if np.isfinite(values[t]):
            count += 1
            total += values[t]
    return total / count if count > 0 else np.nan
