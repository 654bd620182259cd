"""Sums: demand summed over any number of periods, inside the forecast's horizon and beyond it.

It owns what is said about intervals longer than the forecast: a stated continuation, never an error.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting import piecewise
from forecasting.cumulative import CumulativeDemand


class Sums(NamedTuple):
    """Distributions of demand summed over any number of periods, also beyond the forecast's horizon.

    Beyond H the mean goes on growing as it did over the last season, and the spread around it grows
    with h to the power that it showed over the second half of the horizon (between ½, independent
    errors, and 1, errors that persist).

    levels: (levels,); rows: (n, H, levels) units; mean: (n, H) units
    growth: (n,) units a period beyond H; power: (n,)
    """

    levels: np.ndarray
    rows: np.ndarray
    mean: np.ndarray
    growth: np.ndarray
    power: np.ndarray


def sums(demand: CumulativeDemand) -> Sums:
    """The forecast with what continues it beyond its horizon."""
    horizon = demand.horizon
    mean = demand.mean.astype(np.float64)
    back = min(max(horizon // 2, 1), demand.period.season)
    earlier = mean[:, horizon - back - 1] if horizon > back else np.zeros(len(mean))
    power = np.full(len(mean), 0.75)
    if horizon >= 4:
        half = horizon // 2
        low, high = np.searchsorted(demand.levels, [0.5, 0.9])
        spread = demand.quantiles[:, :, min(high, len(demand.levels) - 1)] - demand.quantiles[:, :, low]
        known = (spread[:, half - 1] > 0) & (spread[:, -1] > 0)
        ratio = np.divide(spread[:, -1], spread[:, half - 1], where=known, out=np.ones(len(mean), np.float32))
        power = np.where(known, np.clip(np.log(ratio) / np.log(horizon / half), 0.5, 1.0), power)
    return Sums(demand.levels, compiled_rows(demand), mean, (mean[:, -1] - earlier) / back, power)


def compiled_rows(demand: CumulativeDemand) -> np.ndarray:
    """The quantiles as the one kind of array that kernels are compiled for."""
    return np.require(demand.quantiles, np.float32, ["C", "W"])


class Picks(NamedTuple):
    """Quantiles at fixed levels as weighted sums of two entries of a row, the same for every row.

    low, high: positions in the row; of_low, of_high: their weights; all of one shape
    """

    low: np.ndarray
    of_low: np.ndarray
    high: np.ndarray
    of_high: np.ndarray


def picks(levels: np.ndarray, wanted: np.ndarray) -> Picks:
    """How piecewise.quantile reads a never-falling row at the levels `wanted`, any shape in (0, 1).

    >>> row, way = np.array([2.0, 4.0, 10.0]), picks(np.array([0.2, 0.5, 0.9]), np.array([0.1, 0.7]))
    >>> (way.of_low * row[way.low] + way.of_high * row[way.high]).round(6).tolist()
    [1.0, 7.0]
    """
    last = len(levels) - 1
    high = np.clip(np.searchsorted(levels, wanted), 1, last)
    low = high - 1
    share = (wanted - levels[low]) / (levels[high] - levels[low])
    of_low, of_high = 1.0 - share, share
    below = wanted <= levels[0]
    low, of_low = np.where(below, 0, low), np.where(below, wanted / levels[0], of_low)
    of_high = np.where(below, 0.0, of_high)
    # The tail rises from the highest level by the slope between it and the one three below.
    above, third = wanted >= levels[last], max(last - 3, 0)
    rise = np.log((1.0 - levels[last]) / np.maximum(1.0 - wanted, 1e-12))
    rise = rise / np.log((1.0 - levels[third]) / (1.0 - levels[last]))
    low, of_low = np.where(above, third, low), np.where(above, -rise, of_low)
    return Picks(low, of_low, high, np.where(above, 1.0 + rise, of_high))


@njit(cache=True, nogil=True)
def _beyond(sums: Sums, i: int, h: int) -> tuple[float, float]:
    """Mean and spread factor of the sum over h > H periods."""
    horizon = sums.mean.shape[1]
    return sums.mean[i, -1] + (h - horizon) * sums.growth[i], (h / horizon) ** sums.power[i]


@njit(cache=True, nogil=True)
def sum_cdf(sums: Sums, i: int, h: int, amount: float) -> float:
    """Chance that the sum over h ≥ 0 periods is at most `amount`."""
    horizon = sums.mean.shape[1]
    if amount < 0.0:
        return 0.0
    if h <= 0:
        return 1.0
    if h <= horizon:
        return piecewise.cdf(sums.levels, sums.rows[i, h - 1], amount)
    mean, factor = _beyond(sums, i, h)
    return piecewise.cdf(sums.levels, sums.rows[i, -1], sums.mean[i, -1] + (amount - mean) / factor)


@njit(cache=True, nogil=True)
def sum_cdf_and_slope(sums: Sums, i: int, h: int, amount: float) -> tuple[float, float]:
    """The same, and how fast it rises there: chance a unit."""
    horizon = sums.mean.shape[1]
    if amount < 0.0:
        return 0.0, 0.0
    if h <= 0:
        return 1.0, 0.0
    if h <= horizon:
        return piecewise.cdf_and_slope(sums.levels, sums.rows[i, h - 1], amount)
    mean, factor = _beyond(sums, i, h)
    inside = sums.mean[i, -1] + (amount - mean) / factor
    chance, slope = piecewise.cdf_and_slope(sums.levels, sums.rows[i, -1], inside)
    return chance, slope / factor


@njit(cache=True, nogil=True)
def sum_quantile(sums: Sums, i: int, h: int, level: float) -> float:
    """Amount that the sum over h ≥ 0 periods stays within with chance `level`."""
    horizon = sums.mean.shape[1]
    if h <= 0:
        return 0.0
    if h <= horizon:
        return piecewise.quantile(sums.levels, sums.rows[i, h - 1], level)
    mean, factor = _beyond(sums, i, h)
    inside = piecewise.quantile(sums.levels, sums.rows[i, -1], level)
    return max(mean + factor * (inside - sums.mean[i, -1]), 0.0)


@njit(cache=True, nogil=True)
def sum_shortage(sums: Sums, i: int, h: int, amount: float) -> float:
    """Expected excess of the sum over h ≥ 0 periods above `amount` ≥ 0."""
    horizon = sums.mean.shape[1]
    if h <= 0:
        return 0.0
    if h <= horizon:
        return piecewise.shortage(sums.levels, sums.rows[i, h - 1], amount)
    mean, factor = _beyond(sums, i, h)
    inside = sums.mean[i, -1] + (amount - mean) / factor
    above = piecewise.shortage(sums.levels, sums.rows[i, -1], max(inside, 0.0))
    return factor * (above + max(-inside, 0.0))


@njit(cache=True, nogil=True)
def sum_moments(sums: Sums, i: int, h: int) -> tuple[float, float]:
    """Mean by the forecast and variance by the quantiles of the sum over h ≥ 0 periods."""
    horizon = sums.mean.shape[1]
    if h <= 0:
        return 0.0, 0.0
    if h <= horizon:
        return sums.mean[i, h - 1], _variance(sums.levels, sums.rows[i, h - 1])
    mean, factor = _beyond(sums, i, h)
    return mean, factor**2 * _variance(sums.levels, sums.rows[i, -1])


@njit(cache=True, nogil=True)
def _variance(levels: np.ndarray, row: np.ndarray) -> float:
    """Variance of the distribution that the piecewise quantiles describe, with exponential tails."""
    last = len(row) - 1
    rest = 1.0 - levels[last]
    high = piecewise.shortage(levels, row, row[last]) / rest  # mean excess beyond the highest level
    third = min(3, last)
    low = (row[third] - row[0]) / np.log(levels[third] / levels[0]) if third > 0 else 0.0
    low = min(low, row[0])
    first = rest * (row[last] + high) + levels[0] * (row[0] - low)
    second = rest * (row[last] ** 2 + 2.0 * row[last] * high + 2.0 * high**2)
    second += levels[0] * (row[0] ** 2 - 2.0 * row[0] * low + 2.0 * low**2)
    for k in range(1, last + 1):
        width, a, b = levels[k] - levels[k - 1], row[k - 1], row[k]
        first += width * 0.5 * (a + b)
        second += width * (a * a + a * b + b * b) / 3.0
    return max(second - first * first, 0.0)
