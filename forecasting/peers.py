"""What the series of one category do together: their common movement, and how much of them is promoted.

It owns the group totals at an origin, from which the window features take the season and the competition.
"""

import numpy as np
from numba import njit

from forecasting.arrays import Arrays, arrays_of
from forecasting.history import YEAR
from forecasting.panel import Panel


def groups_of(panel: Panel) -> np.ndarray:
    """(n,) number of each series' category; one group where there are no categories."""
    if "category" not in panel.attributes:
        return np.zeros(panel.series, dtype=np.int64)
    return np.unique(panel.attributes["category"].to_numpy(dtype=str), return_inverse=True)[1].astype(
        np.int64
    )


def peers_at(panel: Panel, group: np.ndarray, origin: int, horizon: int) -> np.ndarray:
    """(2, groups, 2 years + horizon) what each group did up to `origin` and plans after it.

    First the mean over series of demand as a multiple of the series' own mean, NaN after the origin; then
    the mean promotion, as it happened and, after the origin, as it was planned then.
    """
    span = 2 * YEAR[panel.period.name]
    out = np.full((2, int(group.max(initial=0)) + 1, span + horizon), np.nan)
    _peers(arrays_of(panel), group, origin, span, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _peers(arrays: Arrays, group: np.ndarray, origin: int, span: int, out: np.ndarray) -> None:
    groups, width = out.shape[1], out.shape[2]
    total, count = np.zeros((groups, span)), np.zeros((groups, span))
    depth, size = np.zeros((groups, width)), np.zeros(groups)
    for i in range(arrays.quantity.shape[0]):
        g = group[i]
        size[g] += 1.0
        _add_demand(arrays.quantity[i], origin, total[g], count[g])
        _add_promotion(arrays, i, origin, span, depth[g])
    for g in range(groups):
        for t in range(span):
            if count[g, t] > 0.0:
                out[0, g, t] = total[g, t] / count[g, t]
        out[1, g] = depth[g] / max(size[g], 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_demand(demand: np.ndarray, origin: int, total: np.ndarray, count: np.ndarray) -> None:
    low, shift = max(origin + 1 - len(total), 0), len(total) - origin - 1
    n, s = 0, 0.0
    for t in range(low, origin + 1):
        if np.isfinite(demand[t]):
            n += 1
            s += demand[t]
    if s <= 0.0 or n < 14:
        return
    for t in range(low, origin + 1):
        if np.isfinite(demand[t]):
            total[t + shift] += demand[t] * n / s
            count[t + shift] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _add_promotion(arrays: Arrays, i: int, origin: int, span: int, depth: np.ndarray) -> None:
    for t in range(max(origin + 1 - span, 0), origin + 1):
        depth[t + span - origin - 1] += arrays.promotion[i, t]
    for t in range(origin + 1, min(origin + 1 + len(depth) - span, arrays.plan.shape[1])):
        if arrays.known[i, t] <= origin:
            depth[t + span - origin - 1] += arrays.plan[i, t]
