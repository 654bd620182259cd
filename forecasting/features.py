"""Rows of (series, origin, horizon) for the global model, and their targets.

It owns the features that depend on the window ahead: its composition, promotions, prices, holidays, and the
same window a year before. All are free of scale: demand is measured against the structural expectation.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.arrays import Arrays, arrays_of, mean_of
from forecasting.history import LAGS, WINDOWS, YEAR, Summary, summarise
from forecasting.panel import Panel
from forecasting.peers import groups_of, peers_at

WINDOW = (
    *("horizon", "composition", "sales_expected"),
    *(
        "promotion",
        "promotion_change",
        "promotion_first",
        "until_promotion",
        "peers_promotion",
        "peers_change",
    ),
    *("peers_recent", "peers_last_year", "last_year", "same_length"),
    *(
        "price",
        "price_now",
        "holidays",
        "holidays_after",
        "holidays_before",
        "workdays",
        "year_sin",
        "year_cos",
    ),
)
NAMES = (*LAGS, *WINDOW)
MOST = 20.0  # ratios are cut here: a series that had all but stopped tells nothing by a ratio of a thousand


@dataclass(frozen=True)
class Rows:
    """Features of m pairs at g horizons.

    summary: of the m pairs
    horizons: (g,) periods, ascending
    features: (m, g, len(NAMES)) float32
    path: (m, H) structural expectation of the sums over 1 … H periods, units; H is the last horizon
    actual: (m, g) units observed in the window
    complete: (m, g) share of the expectation that falls on observed periods; 0 where the window is not over
    """

    summary: Summary
    horizons: np.ndarray
    features: np.ndarray
    path: np.ndarray
    actual: np.ndarray
    complete: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        """(m, g) structural expectation of the sum over each window, units."""
        return self.path[:, self.horizons - 1]


class _Ask(NamedTuple):
    """What rows are built for: series, row and group of each pair; the common origin; horizons; windows."""

    series: np.ndarray
    row: np.ndarray
    group: np.ndarray
    origin: int
    horizons: np.ndarray
    year: int
    recent: int
    month: int
    week: int
    prices_planned: bool


class _Base(NamedTuple):
    """The structural expectation of every pair; as in Summary."""

    level: np.ndarray
    profile: np.ndarray
    uplift: np.ndarray
    size: np.ndarray


class _Out(NamedTuple):
    features: np.ndarray
    path: np.ndarray
    actual: np.ndarray
    complete: np.ndarray


def build_rows(panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray) -> Rows:
    """Rows of the pairs (series[k], origin[k]), (m,) each, at every horizon of (g,)."""
    summary = summarise(panel, series, origin)
    shape = (len(series), len(horizons))
    features = np.full((*shape, len(NAMES)), np.nan, dtype=np.float32)
    features[:, :, : len(LAGS)] = summary.lags[:, None, :]
    path = np.zeros((len(series), int(horizons[-1])))
    out = _Out(features[:, :, len(LAGS) :], path, np.zeros(shape), np.zeros(shape))
    base = _Base(summary.level, summary.profile, summary.uplift, summary.size)
    arrays, group, name = arrays_of(panel), groups_of(panel), panel.period.name
    week, month, recent = (WINDOWS[name][k] for k in (0, 3, 2))
    for at in np.unique(origin):
        row = np.flatnonzero(origin == at)
        peers = peers_at(panel, group, int(at), int(horizons[-1]))
        ask = _Ask(
            series[row], row, group, int(at), horizons, YEAR[name], recent, month, week, panel.prices_planned
        )
        _fill(arrays, peers, ask, base, out)
    return Rows(summary, horizons, features, path, out.actual, out.complete)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(arrays: Arrays, peers: np.ndarray, ask: _Ask, base: _Base, out: _Out) -> None:
    for k in range(len(ask.series)):
        i, r = ask.series[k], ask.row[k]
        _demand_ahead(arrays, ask, base, (i, r), out)
        _promotion_ahead(arrays, peers, ask, (i, r), out.features)
        _last_year(arrays.quantity[i], peers[0, ask.group[i]], ask, r, out.features)
        _price_and_days(arrays, ask, (i, r), out.features)


@njit(cache=True, nogil=True, error_model="numpy")
def _demand_ahead(arrays: Arrays, ask: _Ask, base: _Base, pair: tuple[int, int], out: _Out) -> None:
    """The expected path, what was observed of it, and the same number of periods just passed."""
    (i, r), at, length = pair, ask.origin, arrays.quantity.shape[1]
    demand, week, uplift = arrays.quantity[i], base.profile[r], base.uplift[r]
    level, size = base.level[r], base.size[r]
    weight, seen, total, back_total, back_weight, j = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for h in range(1, ask.horizons[-1] + 1):
        t, back = at + h, at + 1 - h
        planned = arrays.plan[i, t] if arrays.known[i, t] <= at else 0.0
        factor = week[arrays.phase[t]] * (1.0 + uplift * planned)
        weight += factor
        out.path[r, h - 1] = level * weight
        if t < length and np.isfinite(demand[t]):
            total += demand[t]
            seen += factor
        if back >= 0 and np.isfinite(demand[back]):
            back_total += demand[back]
            back_weight += week[arrays.phase[back]] * (1.0 + uplift * arrays.promotion[i, back])
        if h == ask.horizons[j]:
            f = out.features[r, j]
            f[0], f[1], f[2] = h, weight / h, level * weight / size if size > 0.0 else np.nan
            known = back_weight > 0.0 and level > 0.0
            f[12] = min(back_total / back_weight / level, MOST) if known else np.nan
            out.actual[r, j] = total
            out.complete[r, j] = seen / weight if t < length and weight > 0.0 else 0.0
            j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _promotion_ahead(
    arrays: Arrays, peers: np.ndarray, ask: _Ask, pair: tuple[int, int], features: np.ndarray
) -> None:
    """Promotion planned in the window, of the series and its category, and the change from before."""
    (i, r), at, last = pair, ask.origin, ask.horizons[-1]
    group = peers[1, ask.group[i]]
    span = len(group) - last
    before = mean_of(arrays.promotion[i], at + 1 - ask.recent, at + 1)
    group_before = mean_of(group, span - ask.recent, span)
    depth, group_depth, first, until, j = 0.0, 0.0, 0.0, last + 1, 0
    for h in range(1, last + 1):
        planned = arrays.plan[i, at + h] if arrays.known[i, at + h] <= at else 0.0
        first = planned if h == 1 else first
        until = min(until, h) if planned > 0.0 else until
        depth += planned
        group_depth += group[span + h - 1]
        if h == ask.horizons[j]:
            f = features[r, j]
            f[3], f[4], f[5], f[6] = depth / h, depth / h - before, first, until
            f[7], f[8] = group_depth / h, group_depth / h - group_before
            j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _last_year(demand: np.ndarray, group: np.ndarray, ask: _Ask, r: int, features: np.ndarray) -> None:
    """The same window a year before over the weeks that led up to it, of the series and of its category."""
    at, lag, last = ask.origin, ask.year, ask.horizons[-1]
    span = len(group) - last
    own = mean_of(demand, at + 1 - lag - ask.month, at + 1 - lag)
    common = mean_of(group, span - lag - ask.month, span - lag)
    recent = mean_of(group, span - ask.recent, span) / mean_of(group, span - lag, span)
    n, total, group_n, group_total, j = 0, 0.0, 0, 0.0, 0
    for h in range(1, last + 1):
        t = at + h - lag
        if 0 <= t <= at and np.isfinite(demand[t]):
            n += 1
            total += demand[t]
        if t <= at and np.isfinite(group[span + h - 1 - lag]):
            group_n += 1
            group_total += group[span + h - 1 - lag]
        if h == ask.horizons[j]:
            f = features[r, j]
            f[9], f[10] = recent, group_total / group_n / common if group_n > 0 else np.nan
            if n * 4 >= h * 3 and own > 0.0:
                f[11] = min(total / n / own, MOST)
            j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _price_and_days(arrays: Arrays, ask: _Ask, pair: tuple[int, int], features: np.ndarray) -> None:
    """Prices against the usual one, holidays and make-up workdays around the window, place in the year."""
    (i, r), at = pair, ask.origin
    price, off, work = arrays.price[i], arrays.holiday[arrays.country[i]], arrays.workday[arrays.country[i]]
    usual = mean_of(price, at + 1 - ask.month, at + 1)
    before = off[max(at + 1 - ask.week, 0) : at + 1].sum()
    for j in range(len(ask.horizons)):
        h, f = ask.horizons[j], features[r, j]
        end = at + 1 + h
        f[13] = mean_of(price, at + 1, end) / usual if ask.prices_planned else np.nan
        f[14] = price[at] / usual
        f[15], f[16], f[17] = off[at + 1 : end].sum(), off[end : end + ask.week].sum(), before
        f[18] = work[at + 1 : end].sum()
        middle = 2.0 * np.pi * arrays.year[at + 1 + h // 2]
        f[19], f[20] = np.sin(middle), np.cos(middle)
