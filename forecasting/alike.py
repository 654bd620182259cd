"""Which period of the year before each period is like: the same week, or as far from a holiday that moves.

It owns the length of a year and the alignment of years. Spring Festival, Easter and Eid take their run-up
and their lull with them, by up to a month: a year that is laid over another by dates alone puts the rush of
one on the calm of the other.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

YEAR = {"day": 364, "week": 52, "month": 12}  # periods, whole weeks
# Periods before a holiday's first and after its last that go with it. Months are too long to be moved.
BEFORE = {"day": 14, "week": 2}
AFTER = {"day": 7, "week": 1}
STILL = {"day": 4, "week": 0}  # a holiday that moved by no more is where the year puts it
NEAREST = 8  # weeks either way in which a period free of holidays is looked for


class Moved(NamedTuple):
    """A holiday that moved: its periods [low, high), and the first of them a year before."""

    low: int
    high: int
    then: int


def year_before(occasion: np.ndarray, period: str) -> np.ndarray:
    """(T,) number of the period of the year before that each period is like; negative before the first.

    occasion: (T,) which holiday most of a period belongs to, 0 none; as in `Calendar`

    A period around a holiday that moved is like the one as far from it a year before. Any other is like the
    one `YEAR` before, or where a holiday was then that is elsewhere now, the nearest by whole weeks.
    """
    like = np.arange(len(occasion)) - YEAR[period]
    if period not in BEFORE:
        return like
    taken, away = np.zeros(len(occasion), dtype=bool), np.full(len(occasion), np.inf)
    moved = like.copy()
    for low, high, then in _moved(occasion, YEAR[period], STILL[period]):
        taken[max(then - BEFORE[period], 0) : then + high - low + AFTER[period]] = True
        around = np.arange(max(low - BEFORE[period], 0), min(high + AFTER[period], len(occasion)))
        distance = np.maximum(np.maximum(low - around, around - high + 1), 0)
        closer = distance < away[around]
        away[around[closer]] = distance[closer]
        moved[around[closer]] = around[closer] - low + then
    steps = np.arange(1, NEAREST + 1) * (7 if period == "day" else 1)
    for t in np.flatnonzero(np.isinf(away)):
        if like[t] < 0 or not taken[like[t]]:
            continue
        near = like[t] + np.stack([-steps, steps], axis=1).ravel()
        near = near[(near >= 0) & (near < t)]
        moved[t] = next((k for k in near if not taken[k]), like[t])
    return moved


def _moved(occasion: np.ndarray, year: int, still: int) -> list[Moved]:
    """The holidays that lie elsewhere than a year before, by no more than two months."""
    found = []
    for name in np.unique(occasion[occasion > 0]):
        at = np.flatnonzero(occasion == name)
        apart = np.diff(at) > year // 2
        low, high = at[np.append(True, apart)], at[np.append(apart, True)] + 1
        for k in range(1, len(low)):
            if still < abs(low[k] - low[k - 1] - year) <= year // 6:
                found.append(Moved(int(low[k]), int(high[k]), int(low[k - 1])))
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def back_to(like: np.ndarray, t: int, years: int) -> int:
    """The period that t is like, some years before; negative before the first.

    like: (T,) as `year_before`; beyond its end the years are as far apart as there
    """
    last = len(like) - 1
    for _ in range(years):
        if t >= 0:
            t = like[min(t, last)] + max(t - last, 0)
    return t
