"""What named days did to demand before: events of the plan, kinds of promotion and public holidays.

It owns the lifts: by how much demand of like series differed on the days of one name from the days around
them. A name that was never seen lifts nothing.
"""

import numpy as np
from numba import njit

from forecasting.alike import YEAR
from forecasting.arrays import Arrays, arrays_of
from forecasting.membership import groups_of, members_of
from forecasting.panel import Panel

YEARS = 3  # of history in which a name is looked for
NEAR = {"day": 28, "week": 6, "month": 3}  # periods on either side that a day is compared with
DOUBT = 0.5  # days without effect that are added to those seen


def lifts_at(panel: Panel, origin: int) -> np.ndarray:
    """(groups, names + 1) demand on days of each name over demand around them, from what was over then.

    Groups are the categories where there are any, else all series are one. Names are those of
    `panel.event_names`, then those of the calendar; column 0 is an ordinary day, 1.
    """
    return panel.memo.once(("lifts", origin), lambda: _lifts_of(panel, origin))


def _lifts_of(panel: Panel, origin: int) -> np.ndarray:
    groups = groups_of(panel)
    group = groups[1] if (groups[1] >= 0).any() else groups[0]
    names = len(panel.event_names) + len(panel.calendar.occasions)
    out = np.ones((int(group.max(initial=0)) + 1, names + 1))
    if names:
        low = max(origin + 1 - YEARS * YEAR[panel.period.name], 0)
        members = np.flatnonzero(members_of(panel) & (group >= 0))
        around = (low, origin + 1, NEAR[panel.period.name], len(panel.event_names))
        _lifts(arrays_of(panel), group, members, around, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def names_of(arrays: Arrays, i: int, t: int, origin: int, events: int) -> tuple[int, int]:
    """Numbers of the event and of the holiday in a cell, as known at the origin; 0 for none."""
    row = arrays.event_of[i]
    event = arrays.event[row, t] if arrays.event_known[row, t] <= origin else 0
    occasion = arrays.occasion[arrays.country[i], t]
    return event, occasion + events if occasion > 0 else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _lifts(
    arrays: Arrays, group: np.ndarray, members: np.ndarray, around: tuple[int, int, int, int], out: np.ndarray
) -> None:
    """Mean over a group of the multiples seen on days of each name; DOUBT draws what was rare towards 1."""
    total, count, size = np.zeros(out.shape), np.zeros(out.shape), np.zeros(out.shape[0])
    for i in members:
        size[group[i]] += 1.0
        _add_multiples(arrays, i, around, total[group[i]], count[group[i]])
    for g in range(out.shape[0]):
        for name in range(1, out.shape[1]):
            if count[g, name] > 0.0:
                days = count[g, name] / size[g]
                out[g, name] = (total[g, name] / count[g, name] * days + DOUBT) / (days + DOUBT)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_multiples(
    arrays: Arrays, i: int, around: tuple[int, int, int, int], total: np.ndarray, count: np.ndarray
) -> None:
    """Add, per name, one series' demand on its days as multiples of the ordinary days around each."""
    low, high, near, events = around
    demand = arrays.quantity[i]
    sums, seen = np.zeros(high - low + 1), np.zeros(high - low + 1)
    for t in range(low, high):
        event, occasion = names_of(arrays, i, t, high - 1, events)
        plain = event == 0 and occasion == 0 and np.isfinite(demand[t])
        sums[t - low + 1] = sums[t - low] + (demand[t] if plain else 0.0)
        seen[t - low + 1] = seen[t - low] + (1.0 if plain else 0.0)
    for t in range(low, high):
        event, occasion = names_of(arrays, i, t, high - 1, events)
        if event + occasion == 0 or not np.isfinite(demand[t]):
            continue
        a, b = max(t - near, low) - low, min(t + near + 1, high) - low
        n, usual = seen[b] - seen[a], sums[b] - sums[a]
        if n < near / 2 or usual <= 0.0:
            continue
        for name in (event, occasion):
            if name > 0:
                total[name] += demand[t] * n / usual
                count[name] += 1.0
