"""What one series looks like at an origin: its rate, week, answer to promotions and spread.

It owns the structural expectation level × weekday × promotion, the yardstick that makes every feature and
target free of scale. Each number uses what was observed up to the origin, and nothing later.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from forecasting.panel import Panel

# Windows of lagged rates, and the time constant of the current level, in periods.
WINDOWS = {
    "day": (7, 14, 28, 56, 91, 182, 364),
    "week": (1, 2, 4, 8, 13, 26, 52),
    "month": (1, 2, 3, 6, 9, 12, 24),
}
YEAR = {"day": 364, "week": 52, "month": 12}
MEMORY = {"day": 28.0, "week": 8.0, "month": 4.0}
LAGS = (
    *(f"rate_{k}" for k in range(7)),
    *("zero_share", "zero_share_recent", "since_sale", "interval", "cv", "cv_recent", "clumping", "biggest", "observed",
      "age", "in_stock_recent", "uplift", "promotion_now", "promotion_week", "promotion_recent", "since_promotion",
      "promotion_run", "size_cv"),
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """Series at one origin each; m rows.

    series, origin: (m,) which series, and the number of the last period known
    level: (m,) units per period on an ordinary day without promotion
    profile: (m, phases) weekday factors, mean 1
    uplift: (m,) extra share of the level at promotion depth 1
    size: (m,) units of a period with any demand, on average
    rate, sd: (m,) mean and standard deviation of demand per period over the last year, units
    lags: (m, len(LAGS)) float32 features that do not depend on the horizon, free of scale
    """

    series: np.ndarray
    origin: np.ndarray
    level: np.ndarray
    profile: np.ndarray
    uplift: np.ndarray
    size: np.ndarray
    rate: np.ndarray
    sd: np.ndarray
    lags: np.ndarray


def summarise(panel: Panel, series: np.ndarray, origin: np.ndarray) -> Summary:
    """Summaries of the pairs (series[k], origin[k]); (m,) each."""
    name = panel.period.name
    phases = 7 if name == "day" else 1
    m = len(series)
    out = np.zeros((m, 6))
    profile = np.ones((m, phases))
    lags = np.full((m, len(LAGS)), np.nan, dtype=np.float32)
    windows = np.array(WINDOWS[name])
    for at in np.unique(origin):
        rows = np.flatnonzero(origin == at)
        first = max(int(at) + 1 - YEAR[name], 0)
        span = slice(first, int(at) + 1)
        pooled, uplift, rate, size, cv = _pool(
            panel.quantity[:, span],
            panel.closed[:, span],
            panel.promotion[:, span],
            panel.calendar.phase[span],
            phases,
        )
        prior = np.array([uplift, rate, size, cv])
        _summaries(
            series[rows], rows, int(at), panel.quantity, panel.closed, panel.promotion, panel.in_stock,
            panel.first, panel.calendar.phase, pooled, prior, windows, MEMORY[name], out, profile, lags,
        )  # fmt: skip
    return Summary(series, origin, out[:, 0], profile, out[:, 1], out[:, 2], out[:, 3], out[:, 4], lags)


@njit(cache=True, nogil=True, error_model="numpy")
def _pool(quantity, closed, promotion, phase, phases):  # type: ignore[no-untyped-def]
    """All series' weekday factors, uplift, rate, size of a sale and cv, each series weighted equally."""
    total, count = np.zeros(phases), np.zeros(phases)
    extra, depth = 0.0, 0.0
    rates, sizes, cvs, used = 0.0, 0.0, 0.0, 0
    for i in range(quantity.shape[0]):
        n, s, ss, nz, n0, s0 = 0, 0.0, 0.0, 0, 0, 0.0
        for t in range(quantity.shape[1]):
            y = quantity[i, t]
            if np.isfinite(y):
                n += 1
                s += y
                ss += y * y
                nz += y > 0
                if promotion[i, t] == 0.0 and not closed[i, t]:
                    n0 += 1
                    s0 += y
        if n < 14 or s <= 0.0:
            continue
        mean = s / n
        used += 1
        rates += mean
        sizes += s / nz
        cvs += np.sqrt(max(ss / n - mean * mean, 0.0)) / mean
        base = s0 / n0 / mean if n0 >= 14 else 0.0
        for t in range(quantity.shape[1]):
            y = quantity[i, t]
            if np.isfinite(y):
                total[phase[t]] += y / mean
                count[phase[t]] += 1.0
                if base > 0.05 and promotion[i, t] > 0.0:
                    extra += y / mean - base
                    depth += promotion[i, t] * base
    week = np.ones(phases)
    for k in range(phases):
        week[k] = (total[k] + 1.0) / (count[k] + 1.0)
    week /= week.mean()
    uplift = min(max(extra / depth, 0.0), 10.0) if depth > 0.0 else 0.0
    if used == 0:
        return week, uplift, 0.0, 0.0, 1.0
    return week, uplift, rates / used, sizes / used, cvs / used


@njit(cache=True, nogil=True, error_model="numpy")
def _summaries(
    series, rows, at, quantity, closed, promotion, in_stock, first, phase, pooled, prior, windows, memory,
    out, profile, lags,
):  # type: ignore[no-untyped-def]  # fmt: skip
    for k in range(len(series)):
        i, r = series[k], rows[k]
        low = max(at + 1 - windows[-1], min(first[i], at + 1), 0)
        y, shut, promo = quantity[i, low : at + 1], closed[i, low : at + 1], promotion[i, low : at + 1]
        week, days = phase[low : at + 1], profile[r]
        n, rate, sd, size = _moments(y, prior)
        cv = sd / rate if rate > 0.0 else 1.0
        _weekdays(y, week, promo, prior[0], rate, cv, pooled, days)
        uplift = _uplift(y, shut, week, promo, days, prior[0], cv)
        level = _level(y, shut, week, promo, days, uplift, memory, cv, rate, n)
        out[r, 0], out[r, 1], out[r, 2], out[r, 3], out[r, 4] = level, uplift, size, rate, sd
        for w in range(len(windows)):
            lags[r, w] = (
                _ratio(y, shut, week, promo, days, uplift, windows[w]) / level if level > 0.0 else np.nan
            )
        _shape_lags(
            y, promo, in_stock[i, low : at + 1], lags[r, len(windows) :], n, rate, sd, uplift, windows
        )
        lags[r, len(windows) + 9] = min(at + 1 - min(first[i], at + 1), 2 * windows[-1])


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(y, prior):  # type: ignore[no-untyped-def]
    """Count, mean, standard deviation and size of a sale; leaning on all series where there is little."""
    n, s, ss, nz = 0, 0.0, 0.0, 0
    for t in range(len(y)):
        if np.isfinite(y[t]):
            n += 1
            s += y[t]
            ss += y[t] * y[t]
            nz += y[t] > 0.0
    lean = 1.0 if s <= 0.0 else 4.0 * max(1.0 - n / 28.0, 0.0)
    rate = (s + lean * prior[1]) / (n + lean) if n + lean > 0.0 else prior[1]
    spread = max(ss - s * s / n, 0.0) if n > 0 else 0.0
    sd = np.sqrt((spread + 5.0 * (prior[3] * rate) ** 2) / (n + 5.0))
    size = (s + prior[2]) / (nz + 1.0) if nz < 3 and prior[2] > 0.0 else s / max(nz, 1)
    return n, rate, sd, size


@njit(cache=True, nogil=True, error_model="numpy")
def _weekdays(y, week, promo, uplift, rate, cv, pooled, out):  # type: ignore[no-untyped-def]
    """Weekday factors, shrunk to those of all series: a noisy series needs more weeks to earn its own."""
    phases = len(out)
    if phases == 1 or rate <= 0.0:
        out[:] = pooled
        return
    total, count = np.zeros(phases), np.zeros(phases)
    for t in range(max(len(y) - 182, 0), len(y)):
        if np.isfinite(y[t]):
            total[week[t]] += y[t]
            count[week[t]] += 1.0 + uplift * promo[t]
    shrink = 3.0 * (1.0 + cv * cv)
    base = total.sum() / count.sum() if count.sum() > 0.0 and total.sum() > 0.0 else rate
    for p in range(phases):
        out[p] = (total[p] / base + shrink * pooled[p]) / (count[p] + shrink)
    out /= out.mean()


@njit(cache=True, nogil=True, error_model="numpy")
def _uplift(y, shut, week, promo, days, pooled, cv):  # type: ignore[no-untyped-def]
    """Extra share of demand at promotion depth 1, shrunk to all series' and never negative."""
    s0, w0, s1, w1, depth = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(len(y)):
        if np.isfinite(y[t]) and not shut[t]:
            if promo[t] > 0.0:
                s1 += y[t]
                w1 += days[week[t]]
                depth += days[week[t]] * promo[t]
            else:
                s0 += y[t]
                w0 += days[week[t]]
    if depth == 0.0:
        return pooled
    base = (s0 + 0.1 * s1) / (w0 + 0.1 * (w1 + pooled * depth))
    if base <= 0.0:
        return pooled
    shrink = 3.0 * (1.0 + cv * cv)
    return min(max(((s1 / base - w1) + shrink * pooled) / (depth + shrink), 0.0), 20.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _level(y, shut, week, promo, days, uplift, memory, cv, rate, n):  # type: ignore[no-untyped-def]
    """Current rate of an ordinary day: recent counts more, the year is the anchor."""
    total, weight, recent, near = 0.0, 0.0, 0.0, 0.0
    for t in range(len(y)):
        if np.isfinite(y[t]) and not shut[t]:
            factor = days[week[t]] * (1.0 + uplift * promo[t])
            fade = np.exp((t - len(y) + 1) / memory)
            total += y[t]
            weight += factor
            recent += fade * y[t]
            near += fade * factor
    if n < 28 or total <= 0.0 or weight <= 0.0:
        typical = weight / n if n > 0 and weight > 0.0 else 1.0
        return rate / typical
    anchor = (2.0 + cv) * memory / 28.0
    return (recent + anchor * total / weight) / (near + anchor)


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio(y, shut, week, promo, days, uplift, window):  # type: ignore[no-untyped-def]
    """Demand over what weekday and promotion explain, in the last `window` periods; NaN if unobserved."""
    total, weight = 0.0, 0.0
    for t in range(max(len(y) - window, 0), len(y)):
        if np.isfinite(y[t]) and not shut[t]:
            total += y[t]
            weight += days[week[t]] * (1.0 + uplift * promo[t])
    return total / weight if weight > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _shape_lags(y, promo, in_stock, out, n, rate, sd, uplift, windows):  # type: ignore[no-untyped-def]
    """Features of intermittency, spread and past promotion, in the order of LAGS after the rates."""
    recent, week, length = windows[3], windows[0], len(y)
    zeros, near_zeros, near, near_s, near_ss, biggest, last, nz, ssz = 0, 0, 0, 0.0, 0.0, 0.0, -1, 0, 0.0
    stocked, sums, chunks, chunk, held = 0.0, 0.0, 0, 0.0, 0
    for t in range(length):
        if t >= length - recent:
            stocked += in_stock[t]
        if not np.isfinite(y[t]):
            continue
        if y[t] > 0.0:
            last, nz = t, nz + 1
            ssz += y[t] * y[t]
        else:
            zeros += 1
        biggest = max(biggest, y[t])
        chunk += y[t]
        held += 1
        if held == 7:
            sums += (chunk - 7.0 * rate) ** 2
            chunks, chunk, held = chunks + 1, 0.0, 0
        if t >= length - recent:
            near += 1
            near_s += y[t]
            near_ss += y[t] * y[t]
            near_zeros += y[t] == 0.0
    if n > 0 and rate > 0.0:
        out[0] = zeros / n
        out[2] = min(length - 1 - last, 2 * windows[-1])
        out[3] = n / (nz + 1.0)
        out[4] = sd / rate
        out[7] = biggest / rate
    if near > 1 and rate > 0.0:
        out[1] = near_zeros / near
        out[5] = np.sqrt(max(near_ss / near - (near_s / near) ** 2, 0.0)) / rate
    if chunks > 2 and sd > 0.0:
        out[6] = np.sqrt(sums / chunks / 7.0) / sd
    out[8] = n
    out[10] = stocked / min(recent, length) if length > 0 else np.nan
    out[11] = uplift
    if nz > 2 and rate > 0.0:
        mean = rate * n / nz
        out[17] = np.sqrt(max(ssz / nz - mean * mean, 0.0)) / mean
    _promotion_lags(promo, out, week, recent)


@njit(cache=True, nogil=True, error_model="numpy")
def _promotion_lags(promo, out, week, recent):  # type: ignore[no-untyped-def]
    length = len(promo)
    since, run, near, far = length, 0, 0.0, 0.0
    running = True
    for back in range(min(length, recent)):
        depth = promo[length - 1 - back]
        if depth > 0.0 and since == length:
            since = back
        running = running and depth > 0.0
        run += running
        far += depth
        if back < week:
            near += depth
    if length > 0:
        out[12] = promo[length - 1]
        out[13] = near / min(week, length)
        out[14] = far / min(recent, length)
        out[15] = min(since, recent)
        out[16] = run
