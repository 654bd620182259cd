"""Rows of (series, origin, step) for the global model of single periods, and their targets.

It owns the features of one period ahead: where it stands in a promotion and how fresh that is, what the same
weekday did lately, the season and the named days around it. Sums of what is learned here know on which day
of the window a promotion starts; the features of a whole window only know how much of it there is.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from forecasting.arrays import Arrays, arrays_of, mean_of, prices_ahead
from forecasting.covariates import around
from forecasting.features import (
    MOST,
    Ask,
    Base,
    Common,
    asked,
    group_seasons,
    own_course,
    planned_of,
    seasons_ahead,
)
from forecasting.history import LAGS, Summary, summarise
from forecasting.lifts import lift_of, trusted_lift
from forecasting.membership import GROUPINGS
from forecasting.occasions import names_of
from forecasting.panel import Panel
from forecasting.peers import others
from forecasting.prices import worths_ahead

PLACE = ("step", "weekday_factor", "weekday", "same_4", "same_8")
PROMOTED = (
    *("planned", "lift", "run", "left", "flags_short", "flags_middle", "flags_long"),
    *("promoted_rate", "plain_rate", "began", "whole", "run_rate", "last_rate"),
)
SEASON = ("season", "season_firm", "season_soft", "season_group")
DAYS = (
    *("holiday", "holiday_before", "holiday_after", "until_holiday", "since_holiday", "workday"),
    *("occasion_lift", "year_sin", "year_cos", "price", "price_now"),
)
PEERS = tuple(f"{grouping}_promoted" for grouping in GROUPINGS)
STEP = (*PLACE, *PROMOTED, *SEASON, *DAYS, *PEERS)
NAMES = (*LAGS, *STEP)
_B1, _B2, _B3 = len(PLACE), len(PLACE + PROMOTED), len(PLACE + PROMOTED + SEASON)
_B4 = _B3 + len(DAYS)
LONG = 30  # periods after which a promotion, or the time without one, is only long
REMEMBERED = 200  # periods back in which a promotion tells what promotions sell
FLAGS = (7, 14, 28)  # periods before the step in which promoted ones are counted


@dataclass(frozen=True)
class Steps:
    """Features of m pairs at H single periods ahead.

    summary: of the m pairs
    features: (m, H, len(NAMES) + 2 per covariate) float32
    expected: (m, H) structural expectation of each period, units
    """

    summary: Summary
    features: np.ndarray
    expected: np.ndarray


def build_steps(
    panel: Panel, series: np.ndarray, origin: np.ndarray, horizon: int, covariates: tuple[str, ...] = ()
) -> Steps:
    """Steps 1 … `horizon` of the pairs (series[k], origin[k]), (m,) each; covariates as for `build_rows`."""
    summary = summarise(panel, series, origin)
    ahead = np.arange(1, horizon + 1)
    features = np.full((len(series), horizon, len(NAMES) + 2 * len(covariates)), np.nan, dtype=np.float32)
    features[:, :, : len(LAGS)] = summary.lags[:, None, :]
    expected = np.zeros((len(series), horizon))
    base = Base(summary.level, summary.profile, summary.slope, summary.depth, summary.size)
    arrays = arrays_of(panel)
    if covariates:
        features[:, :, len(NAMES) :] = around(panel, covariates, (series, origin), ahead, window=False)
    own = features[:, :, len(LAGS) : len(NAMES)]
    for ask, common in asked(panel, series, origin, ahead):
        _fill(arrays, common, ask, base, (own, expected))
    return Steps(summary, features, expected)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(arrays: Arrays, common: Common, ask: Ask, base: Base, out: tuple[np.ndarray, np.ndarray]) -> None:
    features, expected = out
    ratios = group_seasons(arrays, common, ask)
    for k in range(len(ask.series)):
        i, r = ask.series[k], ask.row[k]
        planned = planned_of(arrays, i, ask.origin, ask.horizons[-1])
        rows = features[r]
        _place(arrays, ask, base, (i, r), rows[:, :_B1])
        _promotion(arrays, ask, base, (i, r), planned, rows[:, _B1:_B2])
        course = own_course(arrays, ask, i, base.slope[r])
        rows[:, _B2:_B3] = seasons_ahead(arrays, common, ask, i, course, ratios)
        _days(arrays, common, ask, i, rows[:, _B3:_B4])
        for g in range(common.groups.shape[0]):
            if common.groups[g, i] >= 0:
                _others(common, g, i, planned, rows[:, _B4 + g])
        way = ask.elasticity, ask.memory, ask.prices_planned
        worth = worths_ahead(arrays, i, ask.origin, ask.horizons[-1], way)
        for h in range(len(ask.horizons)):
            usual = base.level[r] * rows[h, 1] * rows[h, _B2 + 2] * worth[h]
            expected[r, h] = usual * trusted_lift(base.slope[r], planned[h], base.depth[r])


@njit(cache=True, nogil=True, error_model="numpy")
def _others(common: Common, k: int, i: int, planned: np.ndarray, out: np.ndarray) -> None:
    """Share of the others in a group that is promoted at each step."""
    g = common.groups[k, i]
    for h in range(len(planned)):
        share, own = common.course[1, k, g, common.span + h], 1.0 if planned[h] > 0.0 else 0.0
        out[h] = others(share, own, float(common.size[k, g])) if common.member[i] else share


@njit(cache=True, nogil=True, error_model="numpy")
def _place(arrays: Arrays, ask: Ask, base: Base, pair: tuple[int, int], features: np.ndarray) -> None:
    """The step, its weekday, and what that weekday did the last four and eight times it was seen."""
    (i, r), at = pair, ask.origin
    demand, week, slope, level = arrays.quantity[i], base.profile[r], base.slope[r], base.level[r]
    phases = len(week)
    same = np.full((phases, 2), np.nan)
    for p in range(phases):
        n, total, weight = 0, 0.0, 0.0
        for t in range(at, max(at - 8 * phases - 28, -1), -1):
            if arrays.phase[t] == p and np.isfinite(demand[t]) and n < 8:
                n += 1
                total += demand[t]
                weight += lift_of(slope, arrays.promotion[i, t])
                if n in (4, 8):
                    same[p, n // 8] = min(total / weight / level, MOST) if level > 0.0 else np.nan
    for h in range(len(ask.horizons)):
        p = arrays.phase[at + 1 + h]
        f = features[h]
        f[0], f[1], f[2], f[3], f[4] = h + 1, week[p], p, same[p, 0], same[p, 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _promotion(
    arrays: Arrays,
    ask: Ask,
    base: Base,
    pair: tuple[int, int],
    planned: np.ndarray,
    features: np.ndarray,
) -> None:
    """Depth and place in the promotion, promoted periods before, and the series' rates with and without."""
    (i, r), at, last = pair, ask.origin, len(planned)
    back = min(at + 1, FLAGS[2] + LONG)
    flag = np.zeros(back + last)
    for b in range(back):
        flag[back - 1 - b] = 1.0 if arrays.promotion[i, at - b] > 0.0 else 0.0
    for h in range(last):
        flag[back + h] = 1.0 if planned[h] > 0.0 else 0.0
    promoted, plain = _rates(arrays, ask, base, pair)
    latest = _last_rate(arrays, base, pair, at)
    for h in range(last):
        t, run, left = back + h, 1, 1
        while run < LONG and t - run >= 0 and flag[t - run] == flag[t]:
            run += 1
        while left < LONG and t + left < len(flag) and flag[t + left] == flag[t]:
            left += 1
        f, sign = features[h], 1.0 if flag[t] > 0.0 else -1.0
        f[0], f[1], f[2], f[3] = planned[h], lift_of(base.slope[r], planned[h]), sign * run, sign * left
        for k in range(3):
            f[4 + k] = flag[max(t - FLAGS[k], 0) : t].sum() / FLAGS[k]
        f[7], f[8] = promoted, plain
        if flag[t] > 0.0:
            f[9], f[10] = arrays.phase[at + 1 + h + 1 - run], run + left - 1
            if run > h + 1:  # it runs at the origin: the last promotion is this one
                f[11] = latest
        f[12] = latest


@njit(cache=True, nogil=True, error_model="numpy")
def _last_rate(arrays: Arrays, base: Base, pair: tuple[int, int], at: int) -> float:
    """Demand as a multiple of the level in the last promotion, which may still run; NaN if long ago."""
    (i, r), t, total, weight = pair, at, 0.0, 0.0
    low = max(at - REMEMBERED, -1)
    while t > low and arrays.promotion[i, t] <= 0.0:
        t -= 1
    while t > low and arrays.promotion[i, t] > 0.0:
        if np.isfinite(arrays.quantity[i, t]):
            total += arrays.quantity[i, t]
            weight += base.profile[r][arrays.phase[t]] * base.level[r]
        t -= 1
    return min(total / weight, MOST) if weight > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _rates(arrays: Arrays, ask: Ask, base: Base, pair: tuple[int, int]) -> tuple[float, float]:
    """Demand per ordinary period of the last year with and without promotion, as multiples of the level."""
    (i, r), at = pair, ask.origin
    total, weight = np.zeros(2), np.zeros(2)
    for t in range(max(at + 1 - ask.lengths[0], 0), at + 1):
        if np.isfinite(arrays.quantity[i, t]) and not arrays.closed[i, t]:
            k = 0 if arrays.promotion[i, t] > 0.0 else 1
            total[k] += arrays.quantity[i, t]
            weight[k] += base.profile[r][arrays.phase[t]]
    rates = total / weight / base.level[r]
    return min(rates[0], MOST), min(rates[1], MOST)


@njit(cache=True, nogil=True, error_model="numpy")
def _days(arrays: Arrays, common: Common, ask: Ask, i: int, features: np.ndarray) -> None:
    """Holidays and named days at and beside the step, place in the year, prices."""
    at, c = ask.origin, arrays.country[i]
    price, off, lifts = arrays.price[i], arrays.holiday[c], common.lifts[max(common.groups[1, i], 0)]
    usual = mean_of(price, at + 1 - ask.lengths[2], at + 1)
    planned = prices_ahead(arrays, i, at, len(ask.horizons))
    for h in range(len(ask.horizons)):
        t, f = at + 1 + h, features[h]
        event, occasion = names_of(arrays, i, t, at, common.events)
        f[0], f[1], f[2] = off[t], off[max(t - 1, 0)], off[min(t + 1, len(off) - 1)]
        f[3], f[4], f[5] = arrays.until[c, t], arrays.since[c, t], arrays.workday[c, t]
        f[6] = lifts[event] + lifts[occasion] - 1.0
        f[7], f[8] = np.sin(2.0 * np.pi * arrays.year[t]), np.cos(2.0 * np.pi * arrays.year[t])
        f[9] = planned[h] / usual if ask.prices_planned else np.nan
        f[10] = price[at] / usual
