"""Thresholds ahead: the levels of each coming review period, which move before the event that moves them.

It owns what a later review is expected to find: the distribution of demand after it, told from today's sums.
A review k periods ahead will know what was sold until then, so its levels are not made wider by what is still
unknown about it: demand of the h periods after k is taken to be spread like that of as many of the next
periods as expect the same number of units. Its mean is the difference of today's means. With k = 0 this is
the forecast itself, and where demand is flat it is the same for every k.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from numba import njit

from forecasting.cumulative import CumulativeDemand
from optimization.lead_time import LeadTimes
from optimization.order_days import on_calendar, order_days
from optimization.sums import Sums, sums
from optimization.thresholds import derive_thresholds

KEY = ["sku", "location", "valid_from"]


def demand_after(demand: CumulativeDemand, periods: int) -> CumulativeDemand:
    """Demand of the next 1 … H periods as a decision `periods` from now is expected to forecast it.

    Beyond the horizon of `demand` it goes on as `sums` says.
    """
    if periods < 0:
        raise ValueError(f"periods ahead must be at least 0, got {periods!r}; 0 is now")
    if periods == 0:
        return demand
    mean, rows = _after(sums(demand), periods)
    later = demand.period.dates(demand.period.index(demand.as_of) + periods)[0]
    return replace(demand, as_of=later, mean=mean, quantiles=rows)


def thresholds_ahead(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets_on: Callable[[pd.Timestamp], pd.DataFrame],
    model_version: str = "",
    *,
    words: bool = True,
) -> pd.DataFrame:
    """Thresholds of each series for every review period whose protection interval the forecast covers.

    Columns and rows as of thresholds.derive_thresholds, by sku, location and valid_from; the first row of a
    series is the one of today, given even where the forecast does not reach. Later ones begin on the order
    days of a supplier that has some, else every review_periods from today.
    demand, supply, lead_times: row by row; words: as there
    targets_on: date → targets, row by row as demand, that hold on it
    """
    review = np.maximum(supply["review_periods"].to_numpy(dtype=np.int64), 1)
    reach = demand.horizon - lead_times.typical - review
    first = demand.period.index(demand.as_of)[0] + 1
    steps = np.arange(max(int(reach.max(initial=0)), 0) + 1)
    weekdays = supply["order_weekdays"]
    begins = np.where(
        on_calendar(weekdays, demand.period)[:, None],
        order_days(weekdays, demand.period, demand.as_of, len(steps)),
        steps % review[:, None] == 0,
    )
    begins &= steps <= reach[:, None]
    begins[:, 0] = True
    parts = []
    for after in steps.tolist():
        rows = begins[:, after]
        if not rows.any() and after:
            continue
        targets = targets_on(demand.period.dates(np.array([first + after]))[0])
        levels = derive_thresholds(
            demand_after(demand.take(rows), after),
            supply[rows],
            lead_times.take(rows),
            targets[rows],
            model_version,
            known=demand.horizon - after,
            data_as_of=demand.as_of,
            words=words,
        )
        parts.append(levels.assign(row=np.flatnonzero(rows)))
    every = pd.concat(parts, ignore_index=True).sort_values(["row", "valid_from"], kind="stable")
    return every.drop(columns="row").reset_index(drop=True)


def on_next_order_day(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets_on: Callable[[pd.Timestamp], pd.DataFrame],
    today: tuple[pd.DataFrame, pd.DataFrame],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Targets and thresholds of each series for the review that begins on its next order day.

    today: those in force now, row by row as demand; they stay where that day is the very next one
    The other arguments as in thresholds_ahead.
    """
    wait = supply["next_order"].to_numpy(dtype=np.int64) - 1
    targets, levels = ([frame[wait == 0]] for frame in today)
    for periods in np.unique(wait[wait > 0]).tolist():
        rows = wait == periods
        later = demand_after(demand.take(rows), periods)
        then = targets_on(later.period.dates(later.period.index(later.as_of) + 1)[0])[rows]
        found = derive_thresholds(later, supply[rows], lead_times.take(rows), then, words=False)
        targets.append(then)
        levels.append(found.set_axis(np.flatnonzero(rows)))
    return pd.concat(targets).sort_index(), pd.concat(levels).sort_index()


@njit(cache=True, nogil=True)
def _after(sums: Sums, after: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, H) mean and (n, H, levels) quantiles of the sums that begin `after` periods from now."""
    n, horizon = sums.mean.shape
    mean = np.empty((n, horizon), dtype=np.float32)
    rows = np.empty(sums.rows.shape, dtype=np.float32)
    for i in range(n):
        begun, like = _mean_of(sums, i, after), 0
        for h in range(1, horizon + 1):
            units = max(_mean_of(sums, i, after + h) - begun, 0.0)
            mean[i, h - 1] = units
            while like < horizon and _mean_of(sums, i, like) < units:
                like += 1
            _like(sums, i, like, units, rows[i, h - 1])
    return mean, rows


@njit(cache=True, nogil=True)
def _mean_of(sums: Sums, i: int, h: int) -> float:
    """Units expected over h ≥ 0 periods, also beyond the horizon."""
    horizon = sums.mean.shape[1]
    if h <= 0:
        return 0.0
    return sums.mean[i, min(h, horizon) - 1] + max(h - horizon, 0) * sums.growth[i]


@njit(cache=True, nogil=True)
def _like(sums: Sums, i: int, like: int, units: float, out: np.ndarray) -> None:
    """Fill `out` with the quantiles of as many periods as expect `units`: between like - 1 and like.

    Beyond the horizon the spread grows with the mean as it would with the number of periods.
    """
    if like <= 0 or units <= 0.0:
        out[:] = 0.0
        return
    horizon = sums.mean.shape[1]
    high = _mean_of(sums, i, like)
    if like == horizon and units > high:
        factor = (units / max(high, 1e-12)) ** sums.power[i]
        for k in range(len(out)):
            out[k] = max(units + factor * (sums.rows[i, horizon - 1, k] - high), 0.0)
        return
    low = _mean_of(sums, i, like - 1)
    share = (units - low) / max(high - low, 1e-12)
    for k in range(len(out)):
        before = sums.rows[i, like - 2, k] if like > 1 else np.float32(0.0)
        out[k] = before + share * (sums.rows[i, like - 1, k] - before)
