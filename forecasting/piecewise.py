"""One distribution as a row of quantiles, and what can be asked of it (compiled, no allocation).

A row holds the quantiles of one demand at ascending `levels`. Between two levels the quantile function
is a straight line; below the lowest it runs to zero (demand is never negative); above the highest the
tail is exponential, its rate read from the highest level and the one three below it.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True, inline="always")
def _tail_scale(levels: np.ndarray, row: np.ndarray) -> float:
    """Mean excess beyond the highest level, units: the slope of the quantile in -log(1 - level)."""
    last = len(row) - 1
    first = max(last - 3, 0)
    rise = row[last] - row[first]
    return rise / math.log((1.0 - levels[first]) / (1.0 - levels[last])) if rise > 0.0 else 0.0


@njit(cache=True)
def quantile(levels: np.ndarray, row: np.ndarray, level: float) -> float:
    """Smallest amount that demand stays within with chance `level`, units."""
    last = len(row) - 1
    if level >= levels[last]:
        return row[last] + _tail_scale(levels, row) * math.log((1.0 - levels[last]) / max(1.0 - level, 1e-12))
    if level <= levels[0]:
        return row[0] * level / levels[0]
    k = np.searchsorted(levels, level)
    share = (level - levels[k - 1]) / (levels[k] - levels[k - 1])
    return row[k - 1] + share * (row[k] - row[k - 1])


@njit(cache=True)
def cdf(levels: np.ndarray, row: np.ndarray, amount: float) -> float:
    """Chance that demand is at most `amount`."""
    last = len(row) - 1
    if amount < 0.0:
        return 0.0
    if amount >= row[last]:
        scale = _tail_scale(levels, row)
        return 1.0 - (1.0 - levels[last]) * math.exp(-(amount - row[last]) / scale) if scale > 0.0 else 1.0
    if amount < row[0]:
        return levels[0] * amount / row[0]
    k = np.searchsorted(row, amount, side="right")  # row[k-1] <= amount < row[k]
    return levels[k - 1] + (levels[k] - levels[k - 1]) * (amount - row[k - 1]) / (row[k] - row[k - 1])


@njit(cache=True)
def cdf_and_slope(levels: np.ndarray, row: np.ndarray, amount: float) -> tuple[float, float]:
    """The same, and how fast it rises there: chance a unit."""
    last = len(row) - 1
    if amount < 0.0:
        return 0.0, 0.0
    if amount >= row[last]:
        scale = _tail_scale(levels, row)
        if scale <= 0.0:
            return 1.0, 0.0
        rest = (1.0 - levels[last]) * math.exp(-(amount - row[last]) / scale)
        return 1.0 - rest, rest / scale
    if amount < row[0]:
        return levels[0] * amount / row[0], levels[0] / row[0]
    k = np.searchsorted(row, amount, side="right")
    slope = (levels[k] - levels[k - 1]) / (row[k] - row[k - 1])
    return levels[k - 1] + slope * (amount - row[k - 1]), slope


@njit(cache=True)
def shortage(levels: np.ndarray, row: np.ndarray, amount: float) -> float:
    """Expected demand above `amount`, units: the integral of (quantile - amount) over levels above it."""
    last = len(row) - 1
    scale = _tail_scale(levels, row)
    if amount >= row[last]:
        return (1.0 - levels[last]) * scale * math.exp(-(amount - row[last]) / scale) if scale > 0.0 else 0.0
    total = (1.0 - levels[last]) * (row[last] + scale - amount)
    for k in range(last, 0, -1):
        if row[k] <= amount:
            return total
        low = max(row[k - 1], amount)
        width = levels[k] - levels[k - 1]
        share = (row[k] - low) / (row[k] - row[k - 1]) if row[k] > row[k - 1] else 1.0
        total += width * share * (0.5 * (row[k] + low) - amount)
    if row[0] > amount:
        low = max(0.0, amount)
        total += levels[0] * (row[0] - low) / row[0] * (0.5 * (row[0] + low) - amount)
    return total
