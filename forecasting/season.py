"""What one year and two years before say about a window ahead, firmed up by what like series did then.

It owns the seasonal ratio: demand in the same window of earlier years over the level that led up to it. A
busy series is believed on its own word; a slow one leans on its group (empirical Bayes with gamma prior).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.alike import back_to
from forecasting.arrays import mean_of

YEARS = 2
REACH = 4.0  # memories back that a level is told from
# A year counts this much of the one after it: shops plan by last year's weeks. Measured among 1, .5, .25 and
# .1: against 1 the model of single periods loses 2.6 % less on pasta, that of sums .2 % less on VN2.
FADE = 0.25
# Weight of the waves beside what earlier years say of just one window. With a half the ratios of groups are 6
# to 25 % nearer than without, on two real and three simulated histories, but waves know no Christmas: a third
# keeps most of that, and the peaks (squared error by volume on VN2: 1.23 without, .5 1.182, .33 1.176).
SMOOTH = 1.0 / 3.0
FIRM, SOFT = 3.0, 20.0  # grains of demand with which the group's ratio counts


class Course(NamedTuple):
    """What a series did up to an origin, as its season is told from it.

    demand: (t,) units, NaN unknown; usual: (t,) what a level of one would have sold, promotions and all
    grain: variance over mean of ordinary periods, units: the size of what comes at once
    level: units per usual period before the same day one year and two years ago; NaN unknown
    """

    demand: np.ndarray
    usual: np.ndarray
    grain: float
    level: tuple[float, float]


class Season(NamedTuple):
    """Seasonal ratios of one window: the series' own, firmed up a little and much, and the group's."""

    own: float
    firm: float
    soft: float
    group: float


@njit(cache=True, nogil=True, error_model="numpy")
def course_of(demand: np.ndarray, usual: np.ndarray, like: np.ndarray, memory: float, week: int) -> Course:
    """The course of demand (t,) whose last period is the origin.

    like: (T,) as `alike.year_before`; memory: of the level, week: its length, both in periods
    """
    end = len(demand)
    one = _level(demand, usual, (end, 0), (like, 1), memory)
    two = _level(demand, usual, (end, 0), (like, 2), memory)
    return Course(demand, usual, _grain(demand, back_to(like, end - 1, 1) + 1, week), (one, two))


@njit(cache=True, nogil=True, error_model="numpy")
def _grain(demand: np.ndarray, low: int, lag: int) -> float:
    """Variance over mean from how far periods `lag` apart differ, from period `low` on.

    From mean absolute differences, which are 2/√π deviations of a normal: a peak of a season hardly shows.
    At least the smallest amount sold.
    """
    off, pairs, total, count, least = 0.0, 0, 0.0, 0, np.inf
    for t in range(max(low, 0), len(demand)):
        if np.isfinite(demand[t]):
            total += demand[t]
            count += 1
            least = min(least, demand[t]) if demand[t] > 0.0 else least
            if t >= lag and np.isfinite(demand[t - lag]):
                off += abs(demand[t] - demand[t - lag])
                pairs += 1
    if pairs == 0 or total <= 0.0:
        return 1.0
    deviation = 0.5 * np.sqrt(np.pi) * off / pairs
    return max(deviation * deviation * count / total, least)


@njit(cache=True, nogil=True, error_model="numpy")
def _level(
    demand: np.ndarray,
    usual: np.ndarray,
    end: tuple[int, int],
    before: tuple[np.ndarray, int],
    memory: float,
) -> float:
    """Units per usual period in the weeks that lead up to `end` some years before, weighted as a level is.

    end: first period after them, and the period that position 0 of the demand is
    before: as `alike.year_before`, and the number of years
    """
    (last, first), (like, years) = end, before
    total, weight = 0.0, 0.0
    for t in range(max(last - int(REACH * memory), 0), last):
        k = back_to(like, t, years) - first
        if 0 <= k < len(demand) and np.isfinite(demand[k]):
            fade = np.exp((t - last + 1) / memory)
            total += fade * demand[k]
            weight += fade * usual[k]
    return total / weight if weight > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def season_of(course: Course, window: tuple[int, int], like: np.ndarray, group: float) -> Season:
    """Ratios of the window of periods [low, high) as seen at the end of the course.

    like: (T,) as `alike.year_before`; group: ratio of like series, NaN unknown
    """
    low, high = window
    total, weight = 0.0, 0.0
    for back in range(1, YEARS + 1):
        level, worth = course.level[back - 1], FADE ** (back - 1)
        if not level >= 0.0:
            continue
        for t in range(low, high):
            k = back_to(like, t, back)
            if 0 <= k < len(course.demand) and np.isfinite(course.demand[k]):
                total += worth * course.demand[k]
                weight += worth * level * course.usual[k]
    prior = group if np.isfinite(group) else 1.0
    own = total / weight if weight > 0.0 else np.nan
    firm, soft = FIRM * course.grain, SOFT * course.grain
    return Season(
        own, (total + firm * prior) / (weight + firm), (total + soft * prior) / (weight + soft), group
    )


@njit(cache=True, nogil=True, error_model="numpy")
def group_ratio(
    courses: tuple[np.ndarray, np.ndarray],
    end: tuple[int, int],
    window: tuple[int, int],
    like: np.ndarray,
    memory: float,
) -> float:
    """Ratio of a group in the window of steps [low, high) ahead; NaN unknown.

    What earlier years say of just this window, and what waves say that were fitted to all of the course: a
    geometric mean, for the one knows the day and the other is not misled by the weather of a year.

    courses: (span + H,) each, the group's own and its smooth season, as `peers.peers_at`
    end: the first period after the origin, which is step 0, and the one that position 0 of a course is
    like: (T,) as `alike.year_before`
    """
    (course, waves), (low, high), (after, first) = courses, window, end
    total, usual, ones = 0.0, 0.0, np.ones(len(course))
    for back in range(1, YEARS + 1):
        level, worth = _level(course, ones, end, (like, back), memory), FADE ** (back - 1)
        if not level > 0.0:
            continue
        for t in range(max(after + low, 0), after + high):
            k = back_to(like, t, back) - first
            if 0 <= k < after - first and np.isfinite(course[k]):
                total += worth * course[k]
                usual += worth * level
    told = total / usual if usual > 0.0 else np.nan
    ahead = mean_of(waves, after + low - first, after + high - first)
    smooth = ahead / _level(waves, ones, end, (like, 0), memory)
    return told ** (1.0 - SMOOTH) * smooth**SMOOTH if told > 0.0 and smooth > 0.0 else told
