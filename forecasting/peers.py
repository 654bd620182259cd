"""What like series do together: their common movement, and how much of them is promoted, at an origin.

It owns each group's course, from which the features take the season, the trend and waves of promotion that
one series alone cannot tell from chance; `membership` says who makes it.
"""

import numpy as np
from numba import njit

from forecasting.arrays import Arrays, arrays_of
from forecasting.history import YEAR
from forecasting.membership import groups_of, members_of
from forecasting.panel import Panel

OBSERVED = {"day": 14, "week": 8, "month": 6}  # periods before a series' mean is one


def span_of(panel: Panel) -> int:
    """Periods that a group's course reaches back: two years, and as long again as it takes to see a level."""
    return 2 * YEAR[panel.period.name] + YEAR[panel.period.name] // 6


def peers_at(panel: Panel, origin: int, horizon: int) -> np.ndarray:
    """(2, groupings, groups, span + horizon) what each group did up to `origin` and plans after it.

    First the mean over series of demand as a multiple of the series' own mean, NaN after the origin; then
    the share of the series that is promoted, as it happened and, after the origin, as it was planned then.
    """
    return panel.memo.once(("peers", origin, horizon), lambda: _courses(panel, origin, horizon))


def _courses(panel: Panel, origin: int, horizon: int) -> np.ndarray:
    groups, span = groups_of(panel), span_of(panel)
    out = np.full((2, len(groups), int(groups.max(initial=0)) + 1, span + horizon), np.nan)
    at = (origin, span, OBSERVED[panel.period.name])
    _peers(arrays_of(panel), groups, np.flatnonzero(members_of(panel)), at, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _peers(
    arrays: Arrays, groups: np.ndarray, members: np.ndarray, at: tuple[int, int, int], out: np.ndarray
) -> None:
    _, kinds, most, width = out.shape
    total, count = np.zeros(out.shape[1:]), np.zeros(out.shape[1:])
    share, size = np.zeros(out.shape[1:]), np.zeros((kinds, most))
    multiple, promoted = np.empty(width), np.empty(width)
    for i in members:
        _course(arrays, i, at, multiple, promoted)
        for k in range(kinds):
            g = groups[k, i]
            if g < 0:
                continue
            size[k, g] += 1.0
            for t in range(width):
                share[k, g, t] += promoted[t]
                if np.isfinite(multiple[t]):
                    total[k, g, t] += multiple[t]
                    count[k, g, t] += 1.0
    for k in range(kinds):
        for g in range(most):
            for t in range(width):
                if count[k, g, t] > 0.0:
                    out[0, k, g, t] = total[k, g, t] / count[k, g, t]
                out[1, k, g, t] = share[k, g, t] / max(size[k, g], 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def others(share: float, own: float, size: float) -> float:
    """Share of a group that is promoted without the series itself, which counted as one of `size`.

    Rounded: what is left must not tell in its last digits what was taken out.

    >>> others(0.5, 1.0, 4.0)
    0.3333
    """
    if size <= 1.0:
        return np.nan
    return np.floor(1e4 * max((share * size - own) / (size - 1.0), 0.0) + 0.5) / 1e4


@njit(cache=True, nogil=True, error_model="numpy")
def _course(
    arrays: Arrays, i: int, at: tuple[int, int, int], multiple: np.ndarray, promoted: np.ndarray
) -> None:
    """Of one series: demand as a multiple of its mean, NaN where not known, and whether promoted."""
    origin, span, least = at
    multiple[:], promoted[:] = np.nan, 0.0
    begin = origin + 1 - span
    demand, n, total = arrays.quantity[i], 0, 0.0
    for t in range(max(begin, 0), origin + 1):
        promoted[t - begin] = 1.0 if arrays.promotion[i, t] > 0.0 else 0.0
        if np.isfinite(demand[t]):
            n += 1
            total += demand[t]
    if n >= least and total > 0.0:
        for t in range(max(begin, 0), origin + 1):
            multiple[t - begin] = demand[t] * n / total
    for t in range(origin + 1, min(begin + len(promoted), arrays.plan.shape[1])):
        if arrays.known[i, t] <= origin:
            promoted[t - begin] = 1.0 if arrays.plan[i, t] > 0.0 else 0.0
