"""What each series looks like at an origin, in numbers that do not depend on how far ahead one looks.

It owns the lagged features. All are free of scale: rates are measured against the structural level, counts
against the length of the past.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.arrays import Arrays, Past, arrays_of, past_of
from forecasting.panel import Panel
from forecasting.peers import moved_at
from forecasting.structure import (
    MEMORY,
    Moments,
    Pool,
    explained,
    level_of,
    moments_of,
    pool_at,
    slope_of,
    weekdays_of,
)

# Windows of lagged rates, periods.
WINDOWS = {
    "day": (7, 14, 28, 56, 91, 182, 364),
    "week": (1, 2, 4, 8, 13, 26, 52),
    "month": (1, 2, 3, 6, 9, 12, 24),
}
ODD = 10.0  # times the median sale, beyond which a period that has not happened thrice says nothing of spread
# The deviation of a period grows with its mean to this power, between that of counts and that of multiples;
# a window that expects much more or less than usual is taken for no more than EXTREME times as busy or calm.
GROWS, EXTREME = 0.75, 4.0
RATES = 7
LAGS = (
    *(f"rate_{k}" for k in range(RATES)),
    *("zero_share", "zero_share_recent", "since_sale", "interval", "cv", "cv_recent", "clumping", "biggest"),
    *("observed", "age", "in_stock_recent", "slope", "promotion_now", "promotion_week", "promotion_recent"),
    *("since_promotion", "promotion_run", "size_cv"),
)


@dataclass(frozen=True)
class Summary:
    """Series at one origin each; m rows.

    series, origin: (m,) which series, and the number of the last period known
    level: (m,) units per period on an ordinary day without promotion
    profile: (m, phases) weekday factors, mean 1
    slope: (m,) of the lifts of promotions, as `lifts.lift_of`
    depth: (m,) mean depth of promotions of all series
    size: (m,) units of a period with any demand, on average
    rate, sd: (m,) mean and standard deviation of demand per period over the last year, units; of the second
        odd periods are cut
    lags: (m, len(LAGS)) float32 features
    """

    series: np.ndarray
    origin: np.ndarray
    level: np.ndarray
    profile: np.ndarray
    slope: np.ndarray
    depth: np.ndarray
    size: np.ndarray
    rate: np.ndarray
    sd: np.ndarray
    lags: np.ndarray

    def deviation(self, mean: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        """(m, g) standard deviation of sums that are expected to be `mean` (m, g), units.

        The year's, where a window is as busy as the year: √h times that of a period. Errors that were made in
        a calm season must not be expected in a busy one, nor the other way round.
        """
        usual = self.rate[:, None] * horizons
        with np.errstate(invalid="ignore", divide="ignore"):
            busy = np.where(usual > 0, np.clip(mean / usual, 1.0 / EXTREME, EXTREME), 1.0)
        spread: np.ndarray = self.sd[:, None] * np.sqrt(horizons) * busy**GROWS
        return spread


class _Out(NamedTuple):
    numbers: np.ndarray
    profile: np.ndarray
    lags: np.ndarray


def summarise(panel: Panel, series: np.ndarray, origin: np.ndarray) -> Summary:
    """Summaries of the pairs (series[k], origin[k]), (m,) each."""
    name, m = panel.period.name, len(series)
    arrays, windows = arrays_of(panel), np.array(WINDOWS[name])
    weekdays, lags = np.ones((m, 7 if name == "day" else 1)), np.full((m, len(LAGS)), np.nan, np.float32)
    out = _Out(np.zeros((m, 6)), weekdays, lags)
    for at in np.unique(origin):
        rows = np.flatnonzero(origin == at)
        shared = pool_at(panel, int(at)), windows, MEMORY[name], moved_at(panel, int(at))[series[rows]]
        _summaries(arrays, np.stack([series[rows], rows]), int(at) + 1, shared, out)
    level, slope, depth, size, rate, sd = out.numbers.T
    return Summary(series, origin, level, out.profile, slope, depth, size, rate, sd, out.lags)


@njit(cache=True, nogil=True, error_model="numpy")
def _summaries(
    arrays: Arrays, pairs: np.ndarray, end: int, shared: tuple[Pool, np.ndarray, float, np.ndarray], out: _Out
) -> None:
    pool, windows, memory, moved = shared
    for k in range(pairs.shape[1]):
        i, r = pairs[0, k], pairs[1, k]
        begin = min(arrays.first[i], end)
        past = past_of(arrays, i, max(end - windows[-1], begin, 0), end)
        own = moments_of(past, pool)
        week, lags = out.profile[r], out.lags[r]
        weekdays_of(past, pool, own, week)
        slope = slope_of(past, week, pool, own.cv)
        level = level_of(past, week, slope, (memory, moved[k]), own)
        out.numbers[r] = np.array(
            (level, slope, pool.depth, own.size, own.rate, _calm_deviation(past.demand, own))
        )
        for w in range(len(windows)):
            lags[w] = explained(past, week, slope, windows[w]) / level if level > 0.0 else np.nan
        _demand_lags(past, own, windows[3], lags[RATES:])
        _clumping(past, own, lags[RATES:])
        _promotion_lags(past.promotion, windows[0], windows[3], lags[RATES:])
        lags[RATES + 8] = own.periods
        lags[RATES + 9] = min(end - begin, 2 * windows[-1])
        lags[RATES + 11] = slope


@njit(cache=True, nogil=True, error_model="numpy")
def _calm_deviation(demand: np.ndarray, own: Moments) -> float:
    """Standard deviation of demand, of which what was reached less than three times is cut at ODD times the
    median sale, or at the third largest where that is more: one day of a thousand does not widen a year.
    """
    seen = demand[np.isfinite(demand)]
    sales = np.sort(seen[seen > 0.0])
    if len(sales) < 3:
        return own.sd
    most = max(ODD * np.median(sales), sales[-3])
    return own.sd if sales[-1] <= most else min(own.sd, np.minimum(seen, most).std())


@njit(cache=True, nogil=True, error_model="numpy")
def _demand_lags(past: Past, own: Moments, recent: int, out: np.ndarray) -> None:
    """Zeros, time since a sale, variation and extremes, over the year and over the recent past."""
    demand, length = past.demand, len(past.demand)
    zeros, sales, last, biggest, squares = 0, 0, -1, 0.0, 0.0
    near, near_zeros, near_total, near_squares = 0, 0, 0.0, 0.0
    for t in range(length):
        if not np.isfinite(demand[t]):
            continue
        if demand[t] > 0.0:
            last, sales = t, sales + 1
            squares += demand[t] * demand[t]
        zeros += demand[t] == 0.0
        biggest = max(biggest, demand[t])
        if t >= length - recent:
            near += 1
            near_zeros += demand[t] == 0.0
            near_total += demand[t]
            near_squares += demand[t] * demand[t]
    if own.periods > 0 and own.rate > 0.0:
        out[0], out[2] = zeros / own.periods, length - 1 - last
        out[3], out[4], out[7] = own.periods / (sales + 1.0), own.cv, biggest / own.rate
    if near > 1 and own.rate > 0.0:
        spread = max(near_squares / near - (near_total / near) ** 2, 0.0)
        out[1], out[5] = near_zeros / near, np.sqrt(spread) / own.rate
    if sales > 2 and own.rate > 0.0:
        mean = own.rate * own.periods / sales
        out[17] = np.sqrt(max(squares / sales - mean * mean, 0.0)) / mean
    near = min(recent, length)
    out[10] = past.in_stock[length - near :].sum() / near if near > 0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _clumping(past: Past, own: Moments, out: np.ndarray) -> None:
    """Deviation of sums over seven observed periods over what independent periods would have."""
    total, chunks, chunk, held = 0.0, 0, 0.0, 0
    for t in range(len(past.demand)):
        if np.isfinite(past.demand[t]):
            chunk += past.demand[t]
            held += 1
            if held == 7:
                total += (chunk - 7.0 * own.rate) ** 2
                chunks, chunk, held = chunks + 1, 0.0, 0
    if chunks > 2 and own.sd > 0.0:
        out[6] = np.sqrt(total / chunks / 7.0) / own.sd


@njit(cache=True, nogil=True, error_model="numpy")
def _promotion_lags(promotion: np.ndarray, week: int, recent: int, out: np.ndarray) -> None:
    """Promotion now, lately and in the recent past; periods since the last one and how long this one runs."""
    length = len(promotion)
    since, run, near, far = length, 0, 0.0, 0.0
    running = True
    for back in range(min(length, recent)):
        depth = promotion[length - 1 - back]
        if depth > 0.0 and since == length:
            since = back
        running = running and depth > 0.0
        run += running
        far += depth
        if back < week:
            near += depth
    if length > 0:
        out[12], out[13], out[14] = promotion[length - 1], near / min(week, length), far / min(recent, length)
        out[15], out[16] = min(since, recent), run
