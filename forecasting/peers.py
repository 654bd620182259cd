"""What like series do together: their common movement and season, and how much of them is promoted.

It owns each group's course, from which the features take the season, the trend and waves of promotion that
one series alone cannot tell from chance; `membership` says who makes it.
"""

import numpy as np
from numba import njit

from forecasting import smooth
from forecasting.alike import YEAR
from forecasting.arrays import Arrays, arrays_of, told_of
from forecasting.lifts import lift_of
from forecasting.membership import groups_of, members_of
from forecasting.panel import Panel
from forecasting.smooth import smooth_season
from forecasting.structure import MEMORY, pool_at

OBSERVED = {"day": 14, "week": 8, "month": 6}  # periods before a series' mean is one
WHOLE = 0.9  # of a year that must be known to say where a group stands in it
NEAR = {"day": 3, "week": 0, "month": 0}  # periods on either side that speak for the season of one


def span_of(panel: Panel) -> int:
    """Periods that a group's course reaches back: two years, and as long again as it takes to see a level."""
    return 2 * YEAR[panel.period.name] + YEAR[panel.period.name] // 6


def peers_at(panel: Panel, origin: int) -> np.ndarray:
    """(3, groupings, groups, span + H + NEAR) what each group did up to `origin`, and plans for after it.

    First the mean over series of demand as a multiple of the series' own mean, both without what promotions
    usually add, NaN after the origin; then the share of the series that is promoted, as it happened and,
    after the origin, as it was planned then; last the season as `smooth.smooth_season`.
    """
    return panel.memo.once(("peers", origin), lambda: _courses(panel, origin))


def moved_at(panel: Panel, origin: int) -> np.ndarray:
    """(n,) where the series like each one stand at an origin, as a multiple of their last year."""
    return panel.memo.once(("moved", origin), lambda: _moved(panel, origin))


def _courses(panel: Panel, origin: int) -> np.ndarray:
    groups, span, name = groups_of(panel), span_of(panel), panel.period.name
    width = span + panel.horizon + NEAR[name]
    out = np.full((3, len(groups), int(groups.max(initial=0)) + 1, width), np.nan)
    at = (origin, span, OBSERVED[name], pool_at(panel, origin).slope)
    _peers(arrays_of(panel), groups, np.flatnonzero(members_of(panel)), at, out)
    _seasons(out[0], span, smooth.YEAR_LENGTH[name], smooth.BLOCK[name], out[2])
    return out


def _moved(panel: Panel, origin: int) -> np.ndarray:
    """Where a group has less than a year to compare with it stands at 1."""
    groups, span, year = groups_of(panel), span_of(panel), YEAR[panel.period.name]
    course = peers_at(panel, origin)[0, :, :, :span]
    known = np.isfinite(course)
    course, of_year = np.where(known, course, 0.0), known[:, :, -year:]
    lately = np.exp((np.arange(span) - span + 1) / MEMORY[panel.period.name]) * known
    with np.errstate(invalid="ignore", divide="ignore"):
        now = (course * lately).sum(axis=2) / lately.sum(axis=2)
        usual = course[:, :, -year:].sum(axis=2) / of_year.sum(axis=2)
        moved = np.where((usual > 0.0) & (of_year.sum(axis=2) >= WHOLE * year), now / usual, 1.0)
    kind = np.where(groups[1] >= 0, 1, 0)
    return moved[kind, groups[kind, np.arange(panel.series)]]


@njit(cache=True, nogil=True, error_model="numpy")
def _seasons(course: np.ndarray, span: int, year: float, block: int, out: np.ndarray) -> None:
    for k in range(out.shape[0]):
        for g in range(out.shape[1]):
            out[k, g] = smooth_season(course[k, g], span, year, block)


@njit(cache=True, nogil=True, error_model="numpy")
def _peers(
    arrays: Arrays,
    groups: np.ndarray,
    members: np.ndarray,
    at: tuple[int, int, int, float],
    out: np.ndarray,
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
    arrays: Arrays, i: int, at: tuple[int, int, int, float], multiple: np.ndarray, promoted: np.ndarray
) -> None:
    """Of one series: demand as a multiple of its mean, NaN where not known, and whether promoted.

    at: origin, span, periods before a mean is one, and the slope of the lifts that are taken out
    """
    origin, span, least, slope = at
    multiple[:], promoted[:] = np.nan, 0.0
    begin = origin + 1 - span
    low, n, total = max(begin, 0), 0, 0.0
    demand = told_of(arrays, i, low, origin + 1)
    for t in range(low, origin + 1):
        promoted[t - begin] = 1.0 if arrays.promotion[i, t] > 0.0 else 0.0
        if np.isfinite(demand[t - low]):
            n += 1
            multiple[t - begin] = demand[t - low] / lift_of(slope, arrays.promotion[i, t])
            total += multiple[t - begin]
    if n >= least and total > 0.0:
        for t in range(low, origin + 1):
            multiple[t - begin] *= n / total
    else:
        multiple[:] = np.nan
    for t in range(origin + 1, min(begin + len(promoted), arrays.plan.shape[1])):
        if arrays.known[i, t] <= origin:
            promoted[t - begin] = 1.0 if arrays.plan[i, t] > 0.0 else 0.0
