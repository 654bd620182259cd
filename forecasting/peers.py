"""What like series do together: their common movement, and how much of them is promoted, at an origin.

It owns the groupings (all series, and those that share an attribute) and each group's course, from which the
features take the season, the trend and waves of promotion that one series alone cannot tell from chance.
"""

import numpy as np
from numba import njit

from forecasting.arrays import Arrays, arrays_of
from forecasting.history import YEAR
from forecasting.panel import Panel

GROUPINGS = ("all", "category", "subcategory", "brand", "location")
MOST = 3000  # series whose mean is a group's course: more do not change it
LEAST = 30  # of them in each group, where it has so many
OBSERVED = {"day": 14, "week": 8, "month": 6}  # periods before a series' mean is one


def groups_of(panel: Panel) -> np.ndarray:
    """(groupings, n) number of each series' group; -1 where a grouping puts all into one, or each alone."""
    return panel.memo.once("groups", lambda: _groups(panel))


def _groups(panel: Panel) -> np.ndarray:
    out = np.full((len(GROUPINGS), panel.series), -1, dtype=np.int64)
    out[0] = 0
    for k, name in enumerate(GROUPINGS[1:], start=1):
        if name in panel.attributes:
            words = panel.attributes[name].to_numpy(dtype=str)
            found, group = np.unique(words, return_inverse=True)
            if 1 < len(found) <= panel.series // 2:
                out[k] = np.where(words == "", -1, group)
    return out


def members_of(panel: Panel) -> np.ndarray:
    """(n,) bool, the series whose mean is their groups' course: enough of each group, the same every time."""
    return panel.memo.once("members", lambda: draw_members(groups_of(panel)))


def draw_members(groups: np.ndarray) -> np.ndarray:
    """(n,) bool, MOST series of all, and LEAST of each group where it has so many."""
    n = groups.shape[1]
    order = np.random.default_rng(0).permutation(n)
    chosen = np.zeros(n, dtype=bool)
    chosen[order[:MOST]] = True
    if n > MOST:
        for row in groups[:, order]:
            by_group = np.argsort(row, kind="stable")
            begins = np.searchsorted(row[by_group], row[by_group])
            chosen[order[by_group[np.arange(n) - begins < LEAST]]] = True
    return chosen


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
