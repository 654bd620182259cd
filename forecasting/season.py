"""What one year and two years before say about a window ahead, firmed up by what like series did then.

It owns the seasonal ratio: demand in the same window of earlier years over the level that led up to it. A
busy series is believed on its own word; a slow one leans on its group (empirical Bayes with gamma prior).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.arrays import mean_of

YEARS = 2
FIRM, SOFT = 3.0, 30.0  # units of demand with which the group's ratio counts


class Season(NamedTuple):
    """Seasonal ratios of one window: the series' own, firmed up a little and much, and the group's."""

    own: float
    firm: float
    soft: float
    group: float


@njit(cache=True, nogil=True, error_model="numpy")
def levels_before(
    demand: np.ndarray, usual: np.ndarray, origin: int, year: int, month: int
) -> tuple[float, float]:
    """Demand per usual period in the `month` periods up to the origin, one year and two years before.

    usual: (t,) what an ordinary level of one would have sold in each period, promotions and all
    """
    one = _level(demand, usual, origin + 1 - year - month, origin + 1 - year)
    return one, _level(demand, usual, origin + 1 - 2 * year - month, origin + 1 - 2 * year)


@njit(cache=True, nogil=True, error_model="numpy")
def _level(demand: np.ndarray, usual: np.ndarray, low: int, high: int) -> float:
    total, weight = 0.0, 0.0
    for t in range(max(low, 0), high):
        if np.isfinite(demand[t]):
            total += demand[t]
            weight += usual[t]
    return total / weight if weight > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def season_of(
    past: tuple[np.ndarray, np.ndarray],
    levels: tuple[float, float],
    window: tuple[int, int, int],
    year: int,
    group: float,
) -> Season:
    """Ratios of the window [low, high) as seen at an origin.

    past: demand and `usual` as in `levels_before`
    levels: units per usual period before each of the earlier windows; NaN unknown
    window: low, high and the origin, numbers of periods
    group: ratio of like series, NaN unknown
    """
    (demand, usual), (low, high, origin) = past, window
    total, weight = 0.0, 0.0
    for back in range(1, YEARS + 1):
        level = levels[back - 1]
        if not level >= 0.0:
            continue
        for t in range(max(low - back * year, 0), min(high - back * year, origin + 1)):
            if np.isfinite(demand[t]):
                total += demand[t]
                weight += level * usual[t]
    prior = group if np.isfinite(group) else 1.0
    own = total / weight if weight > 0.0 else np.nan
    firm = (total + FIRM * prior) / (weight + FIRM)
    soft = (total + SOFT * prior) / (weight + SOFT)
    return Season(own, firm, soft, group)


@njit(cache=True, nogil=True, error_model="numpy")
def group_ratio(course: np.ndarray, span: int, window: tuple[int, int], year: int, month: int) -> float:
    """Ratio of a group's course in the window of steps [low, high) ahead, of the years before; NaN unknown.

    course: (span + H,) as `peers.peers_at`; step 0 is the first period after the origin
    """
    low, high = window
    total, usual = 0.0, 0.0
    for back in range(1, YEARS + 1):
        level = mean_of(course, span - back * year - month, span - back * year)
        if not level > 0.0:
            continue
        for t in range(max(span + low - back * year, 0), min(span + high - back * year, span)):
            if np.isfinite(course[t]):
                total += course[t]
                usual += level
    return total / usual if usual > 0.0 else np.nan
