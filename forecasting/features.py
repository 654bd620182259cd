"""Rows of (series, origin, horizon) for the global model, and their targets.

It owns the features that depend on the window ahead: its composition, promotions, prices, holidays, and the
same window a year before. All are free of scale: demand is measured against the structural expectation.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from forecasting.history import LAGS, WINDOWS, YEAR, Summary, summarise
from forecasting.panel import Panel

WINDOW = (
    "horizon", "composition", "sales_expected", "promotion", "promotion_change", "promotion_first", "until_promotion",
    "peers_promotion", "peers_change", "peers_recent", "peers_last_year", "last_year", "same_length", "price",
    "price_now", "holidays", "holidays_after", "holidays_before", "workdays", "year_sin", "year_cos",
)  # fmt: skip
NAMES = (*LAGS, *WINDOW)


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


def build_rows(panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray) -> Rows:
    """Rows of the pairs (series[k], origin[k]), (m,) each, at every horizon of (g,)."""
    summary = summarise(panel, series, origin)
    shape = (len(series), len(horizons))
    features = np.full((*shape, len(NAMES)), np.nan, dtype=np.float32)
    features[:, :, : len(LAGS)] = summary.lags[:, None, :]
    actual, complete = np.zeros(shape), np.zeros(shape)
    path = np.zeros((len(series), int(horizons[-1])))
    group = groups_of(panel)
    seasons = panel.period.days * panel.length >= 365
    calendar, windows = panel.calendar, WINDOWS[panel.period.name]
    for at in np.unique(origin):
        rows = np.flatnonzero(origin == at)
        peers = peers_at(panel, group, int(at), int(horizons[-1]))
        _windows(
            series[rows], rows, int(at), horizons, panel.quantity, panel.plan, panel.known, panel.promotion, panel.price,
            panel.prices_planned, calendar.phase, calendar.holiday, calendar.workday, calendar.of_series,
            calendar.year if seasons else np.full_like(calendar.year, np.nan), peers, group,
            np.array((YEAR[panel.period.name], windows[2], windows[3], windows[0])),
            summary.level, summary.profile, summary.uplift, summary.size,
            features[:, :, len(LAGS) :], path, actual, complete,
        )  # fmt: skip
    return Rows(summary, horizons, features, path, actual, complete)


def groups_of(panel: Panel) -> np.ndarray:
    """(n,) number of each series' category; one group where there are no categories."""
    if "category" not in panel.attributes:
        return np.zeros(panel.series, dtype=np.int64)
    return np.unique(panel.attributes["category"].to_numpy(dtype=str), return_inverse=True)[1].astype(
        np.int64
    )


def peers_at(panel: Panel, group: np.ndarray, origin: int, horizon: int) -> np.ndarray:
    """(2, groups, year + recent + horizon) what each group did and plans, up to `horizon` after `origin`.

    First the mean over series of demand as a share of the series' own mean up to the origin, from two
    years before it; then the mean promotion, planned after the origin.
    """
    span = 2 * YEAR[panel.period.name]
    low = max(origin + 1 - span, 0)
    out = np.full((2, int(group.max(initial=0)) + 1, span + horizon), np.nan)
    _peers(panel.quantity, panel.promotion, panel.plan, panel.known, group, origin, low, span, horizon, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _peers(quantity, promotion, plan, known, group, origin, low, span, horizon, out):  # type: ignore[no-untyped-def]
    groups = out.shape[1]
    total, count = np.zeros((groups, span)), np.zeros((groups, span))
    depth, size = np.zeros((groups, span + horizon)), np.zeros(groups)
    shift = span - (origin + 1 - low)
    for i in range(quantity.shape[0]):
        g = group[i]
        n, s = 0, 0.0
        for t in range(low, origin + 1):
            if np.isfinite(quantity[i, t]):
                n += 1
                s += quantity[i, t]
        size[g] += 1.0
        for t in range(low, origin + 1):
            depth[g, t - low + shift] += promotion[i, t]
            if s > 0.0 and n >= 14 and np.isfinite(quantity[i, t]):
                total[g, t - low + shift] += quantity[i, t] * n / s
                count[g, t - low + shift] += 1.0
        for k in range(horizon):
            if origin + 1 + k < plan.shape[1] and known[i, origin + 1 + k] <= origin:
                depth[g, span + k] += plan[i, origin + 1 + k]
    for g in range(groups):
        for t in range(span):
            if count[g, t] > 0.0:
                out[0, g, t] = total[g, t] / count[g, t]
        for t in range(span + horizon):
            out[1, g, t] = depth[g, t] / max(size[g], 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(values, low, high):  # type: ignore[no-untyped-def]
    """Mean of the finite values in [low, high), NaN without any."""
    n, s = 0, 0.0
    for t in range(max(low, 0), min(high, len(values))):
        if np.isfinite(values[t]):
            n += 1
            s += values[t]
    return s / n if n > 0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _windows(
    series, rows, at, horizons, quantity, plan, known, promotion, price, prices_planned, phase, holiday, workday,
    country, year, peers, group, spans, level, profile, uplift, size, features, path, actual, complete,
):  # type: ignore[no-untyped-def]  # fmt: skip
    length, span = quantity.shape[1], peers.shape[2] - horizons[-1]
    lag, recent, month, week = spans[0], spans[1], spans[2], spans[3]
    for k in range(len(series)):
        i, r, g = series[k], rows[k], group[series[k]]
        y, days, off, work = quantity[i], profile[r], holiday[country[i]], workday[country[i]]
        usual = _mean(price[i], at + 1 - month, at + 1)
        before = _mean(promotion[i], at + 1 - recent, at + 1)
        peers_before = _mean(peers[1, g], span - recent, span)
        year_rate = _mean(y, at + 1 - lag - month, at + 1 - lag)
        peers_year_rate = _mean(peers[0, g], span - lag - month, span - lag)
        peers_recent = _mean(peers[0, g], span - recent, span) / _mean(peers[0, g], span - lag, span)
        off_before = off[max(at + 1 - week, 0) : at + 1].sum()
        weight, seen, total, depth, peer_depth, off_days, work_days = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        lag_n, lag_s, peer_n, peer_s, back_s, back_w = 0, 0.0, 0, 0.0, 0.0, 0.0
        first_promotion, until, j = 0.0, -1.0, 0
        for h in range(1, horizons[-1] + 1):
            t = at + h
            p = plan[i, t] if known[i, t] <= at else 0.0
            factor = days[phase[t]] * (1.0 + uplift[r] * p)
            weight += factor
            path[r, h - 1] = level[r] * weight
            depth += p
            first_promotion = p if h == 1 else first_promotion
            until = h if p > 0.0 and until < 0.0 else until
            peer_depth += peers[1, g, span + h - 1]
            off_days += off[t]
            work_days += work[t]
            if t < length and np.isfinite(y[t]):
                total += y[t]
                seen += factor
            if t - lag >= 0 and t - lag <= at and np.isfinite(y[t - lag]):
                lag_n += 1
                lag_s += y[t - lag]
            if t - lag <= at and np.isfinite(peers[0, g, span + h - 1 - lag]):
                peer_n += 1
                peer_s += peers[0, g, span + h - 1 - lag]
            back = at + 1 - h
            if back >= 0 and np.isfinite(y[back]):
                back_s += y[back]
                back_w += days[phase[back]] * (1.0 + uplift[r] * promotion[i, back])
            if h != horizons[j]:
                continue
            f = features[r, j]
            f[0], f[1], f[2] = h, weight / h, level[r] * weight / size[r] if size[r] > 0.0 else np.nan
            f[3], f[4], f[5] = depth / h, depth / h - before, first_promotion
            f[6] = until if until > 0.0 else horizons[-1] + 1
            f[7], f[8] = peer_depth / h, peer_depth / h - peers_before
            f[9], f[10] = peers_recent, peer_s / peer_n / peers_year_rate if peer_n > 0 else np.nan
            if lag_n * 4 >= h * 3 and year_rate > 0.0:
                f[11] = min(lag_s / lag_n / year_rate, 20.0)
            f[12] = min(back_s / back_w / level[r], 20.0) if back_w > 0.0 and level[r] > 0.0 else np.nan
            f[13] = _mean(price[i], at + 1, t + 1) / usual if prices_planned else np.nan
            f[14] = price[i, at] / usual
            f[15], f[16], f[17], f[18] = off_days, off[t + 1 : t + 1 + week].sum(), off_before, work_days
            middle = 2.0 * np.pi * year[at + 1 + h // 2]
            f[19], f[20] = np.sin(middle), np.cos(middle)
            actual[r, j] = total
            complete[r, j] = seen / weight if t < length and weight > 0.0 else 0.0
            j += 1
