"""Level, weekdays and promotions of one series, of which its structural expectation is made, compiled.

It owns how each factor is estimated from what was observed up to an origin, and how it leans on all series
where the own history says little.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.alike import YEAR
from forecasting.arrays import Arrays, Past, arrays_of, past_of
from forecasting.lifts import DEPTHS, lift_of, mean_depth, place_of, slope_from
from forecasting.membership import members_of
from forecasting.panel import Panel

# Periods in which the weight of what was falls to 1/e in the current level.
MEMORY = {"day": 28.0, "week": 8.0, "month": 4.0}
# Observed periods from which on a series tells what all do, and the fewest, where none is longer.
TELLING, FEWEST = 14, 2


class Moments(NamedTuple):
    """Of one series over the last year: periods observed, mean and standard deviation, size of a sale, cv."""

    periods: int
    rate: float
    sd: float
    size: float
    cv: float


class Pool(NamedTuple):
    """Of all series alike: weekday factors, slope of lifts, mean depth of promotions, geometric means of rate
    and size of a sale, which one series in millions does not move, and mean cv.
    """

    week: np.ndarray
    slope: float
    depth: float
    rate: float
    size: float
    cv: float


def pool_at(panel: Panel, origin: int) -> Pool:
    """What all series do alike in the year up to an origin."""
    name, end = panel.period.name, origin + 1
    span, members = (max(end - YEAR[name], 0), end), np.flatnonzero(members_of(panel))
    phases = 7 if name == "day" else 1
    return panel.memo.once(("pool", origin), lambda: pool_of(arrays_of(panel), members, span, phases))


@njit(cache=True, nogil=True, error_model="numpy")
def moments_of(past: Past, pool: Pool) -> Moments:
    """Mean and spread of a series; with few observations, or none above zero, it leans on the pool."""
    demand = past.demand
    n, total, squares, sales = 0, 0.0, 0.0, 0
    for t in range(len(demand)):
        if np.isfinite(demand[t]):
            n += 1
            total += demand[t]
            squares += demand[t] * demand[t]
            sales += demand[t] > 0.0
    lean = 1.0 if total <= 0.0 else 4.0 * max(1.0 - n / 28.0, 0.0)
    if pool.rate <= 0.0:  # there is nothing to lean on, which is not a rate of zero
        lean = 0.0
    elif total > 0.0:  # worth one sale at most: what sells one a week must not lean on what sells a thousand
        lean = min(lean, total / sales / pool.rate)
    rate = (total + lean * pool.rate) / (n + lean) if n + lean > 0.0 else pool.rate
    spread = max(squares - total * total / n, 0.0) if n > 0 else 0.0
    sd = np.sqrt((spread + 5.0 * (pool.cv * rate) ** 2) / (n + 5.0))
    cv = sd / rate if rate > 0.0 else 1.0
    size = total / max(sales, 1)
    if sales < 3 and pool.size > 0.0:
        size = (total + pool.size) / (sales + 1.0)
    if sales == 0:
        # Sales of that size that come to this rate spread at least so much, though none was seen yet: beside
        # a spread of next to nothing the first one would be an error of a hundred spreads.
        sd = np.sqrt(max(sd * sd, rate * (size - rate)))
    return Moments(n, rate, sd, size, cv)


@njit(cache=True, nogil=True, error_model="numpy")
def weekdays_of(past: Past, pool: Pool, own: Moments, out: np.ndarray) -> None:
    """Weekday factors with mean 1, shrunk to the pool's: a noisy series needs more weeks to earn its own."""
    phases = len(out)
    if phases == 1 or own.rate <= 0.0:
        out[:] = pool.week
        return
    total, count = np.zeros(phases), np.zeros(phases)
    demand = past.demand
    for t in range(max(len(demand) - 182, 0), len(demand)):
        if np.isfinite(demand[t]):
            total[past.phase[t]] += demand[t]
            count[past.phase[t]] += lift_of(pool.slope, past.promotion[t])
    shrink = 3.0 * (1.0 + own.cv * own.cv)
    seen = count.sum() > 0.0 and total.sum() > 0.0
    base = total.sum() / count.sum() if seen else own.rate
    for p in range(phases):
        out[p] = (total[p] / base + shrink * pool.week[p]) / (count[p] + shrink)
    out /= out.mean()


@njit(cache=True, nogil=True, error_model="numpy")
def slope_of(past: Past, week: np.ndarray, pool: Pool, cv: float) -> float:
    """Slope of the lifts of a series, shrunk to the pool's and never negative."""
    own = np.zeros(DEPTHS + 1)
    plain, plain_weight, promoted, lifted = 0.0, 0.0, 0.0, 0.0
    for t in range(len(past.demand)):
        if np.isfinite(past.demand[t]) and not past.closed[t]:
            factor = week[past.phase[t]]
            if past.promotion[t] > 0.0:
                promoted += past.demand[t]
                lifted += factor * lift_of(pool.slope, past.promotion[t])
                own[place_of(past.promotion[t])] += factor
            else:
                plain += past.demand[t]
                plain_weight += factor
    # A tenth of the promoted days, less the pool's lift, tells the base of what is always promoted.
    weight = plain_weight + 0.1 * lifted
    base = (plain + 0.1 * promoted) / weight if weight > 0.0 else 0.0
    if own.sum() <= 0.0 or base <= 0.0:
        return pool.slope
    # Shallow promotions tell less of the slope, so that the pool counts for more of them.
    middle = place_of(mean_depth(own))
    lean = 3.0 * (1.0 + cv * cv) * DEPTHS / middle
    own[middle] += lean
    return slope_from(own, promoted / base + lean * lift_of(pool.slope, middle / DEPTHS))


@njit(cache=True, nogil=True, error_model="numpy")
def level_of(past: Past, week: np.ndarray, slope: float, lately: tuple[float, float], own: Moments) -> float:
    """Current units per ordinary period: the recent past, exponentially weighted, anchored in the year.

    lately: memory of the recent past, periods, and where like series stand in it, as a multiple of their year
    """
    memory, moved = lately
    total, weight, recent, near = 0.0, 0.0, 0.0, 0.0
    length = len(past.demand)
    for t in range(length):
        if np.isfinite(past.demand[t]) and not past.closed[t]:
            factor = week[past.phase[t]] * lift_of(slope, past.promotion[t])
            fade = np.exp((t - length + 1) / memory)
            total += past.demand[t]
            weight += factor
            recent += fade * past.demand[t]
            near += fade * factor
    if own.periods < 28 or total <= 0.0 or weight <= 0.0:
        typical = weight / own.periods if own.periods > 0 and weight > 0.0 else 1.0
        return own.rate / typical
    anchor = (2.0 + own.cv) * memory / 28.0
    return (recent + anchor * moved * total / weight) / (near + anchor)


@njit(cache=True, nogil=True, error_model="numpy")
def explained(past: Past, week: np.ndarray, slope: float, window: int) -> float:
    """Units per ordinary period in the last `window` periods, once weekday and promotion are taken out."""
    total, weight = 0.0, 0.0
    length = len(past.demand)
    for t in range(max(length - window, 0), length):
        if np.isfinite(past.demand[t]) and not past.closed[t]:
            total += past.demand[t]
            weight += week[past.phase[t]] * lift_of(slope, past.promotion[t])
    return total / weight if weight > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def pool_of(arrays: Arrays, members: np.ndarray, span: tuple[int, int], phases: int) -> Pool:
    """What the members (series,) do in the periods [low, high) of the span, each counting the same."""
    week, count = np.ones(phases), np.ones(phases)
    plain, promoted = np.zeros(DEPTHS + 1), 0.0
    rate, size, cv, used = 0.0, 0.0, 0.0, 0
    # A young business has no long histories: what its few periods tell is nearer than nothing at all.
    least = min(TELLING, max(span[1] - span[0], FEWEST))
    for i in members:
        past = past_of(arrays, i, span[0], span[1])
        mean, sale, own = _plain_moments(past, least)
        if mean <= 0.0:
            continue
        used += 1
        rate += np.log(mean)
        size += np.log(sale)
        cv += own
        _add_week(past, mean, week, count)
        promoted += _add_promoted(past, mean, plain)
    week /= count
    week /= week.mean()
    slope, depth = slope_from(plain, promoted), mean_depth(plain)
    if used == 0:
        return Pool(week, slope, depth, 0.0, 0.0, 1.0)
    return Pool(week, slope, depth, np.exp(rate / used), np.exp(size / used), cv / used)


@njit(cache=True, nogil=True, error_model="numpy")
def _plain_moments(past: Past, least: int) -> tuple[float, float, float]:
    """Mean, size of a sale and cv; zeros for a series of which fewer than `least` periods tell."""
    n, total, squares, sales = 0, 0.0, 0.0, 0
    for t in range(len(past.demand)):
        if np.isfinite(past.demand[t]):
            n += 1
            total += past.demand[t]
            squares += past.demand[t] * past.demand[t]
            sales += past.demand[t] > 0.0
    if n < least or total <= 0.0:
        return 0.0, 0.0, 0.0
    mean = total / n
    return mean, total / sales, np.sqrt(max(squares / n - mean * mean, 0.0)) / mean


@njit(cache=True, nogil=True, error_model="numpy")
def _add_week(past: Past, mean: float, week: np.ndarray, count: np.ndarray) -> None:
    for t in range(len(past.demand)):
        if np.isfinite(past.demand[t]):
            week[past.phase[t]] += past.demand[t] / mean
            count[past.phase[t]] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _add_promoted(past: Past, mean: float, usual: np.ndarray) -> float:
    """Demand under promotion, as a share of the mean; adds what is ordinary at each depth to `usual`."""
    n, plain = 0, 0.0
    for t in range(len(past.demand)):
        if np.isfinite(past.demand[t]) and past.promotion[t] == 0.0 and not past.closed[t]:
            n += 1
            plain += past.demand[t]
    base, total = plain / n / mean if n >= 14 else 0.0, 0.0
    if base > 0.05:
        for t in range(len(past.demand)):
            if np.isfinite(past.demand[t]) and past.promotion[t] > 0.0:
                total += past.demand[t] / mean
                usual[place_of(past.promotion[t])] += base
    return total
