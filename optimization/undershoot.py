"""Undershoot: how far below the reorder point the position is when an order is placed, where lots are large.

It owns the step from a cycle service level to the chance of covering demand over lead time and review. An
order that is placed X units below the reorder point s serves its cycle where the lead time asks for at most
s - X (Silver, Pyke and Thomas, section 7.9.1). Ordered up to s at every review, X is the demand of a whole
review interval, and the two are the same. A lot keeps most positions above s: X is less, and so is s.
"""

import numpy as np
from numba import njit

from forecasting.cumulative import in_units
from optimization.exposure import Intervals
from optimization.protection import ProtectionDemand
from optimization.sums import Sums, sum_cdf, sum_cdf_and_slope, sum_moments, sum_quantile
from optimization.supply import Orders

CELLS, FINER = 64, 4  # steps in which the largest demand of a review interval is counted; times finer at most
NARROW = 0.25  # standard deviations that a step is wide at most, where that is not finer
WORK = 360  # chances looked up at each step of a search: cells of X times lead times
FEWEST = 12  # cells of X at least
FORGOTTEN = 4.0  # review intervals' demand after which it no longer tells where a cycle began
HIGH = 0.999  # level of the largest demand of a review interval that is counted
FINE, CLOSE = 1e-6, 1e-6  # relative width, and difference in chance, at which a search stops
LOGISTIC = 1.7  # log odds a standard deviation of about normal demand


def cycle_levels(over: ProtectionDemand, orders: Orders, served: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reorder points at which the shares `served`, (n, k), of cycles are served, (n, k) units, not rounded;
    and (n,) units that are expected to be asked for below a reorder point until its order is there.

    A cycle runs from an order's arrival to the next one's, as in `replay`. Without a lot every review makes
    one, and the level is the quantile over lead time + review. With one, positions after a review lie
    anywhere within a lot above s (Hadley and Whitin 1963) or, ordered up to S, where the renewal process of
    the reviews' demand that begins at S takes them. X and the lead time's demand are added as if independent;
    then the sum is made as much wider as errors that persist make demand over lead time + review.
    What is asked for so seldom that single units would not be held is not held for the sake of a lot either.
    """
    level, expected = over.quantile(served), over.moments()[0]
    held = in_units(level, orders.whole[:, None]) > 0
    rows = np.flatnonzero(orders.large & held.any(axis=1))
    if len(rows):
        part, of = over.take(rows), orders.take(rows)
        found, expected[rows] = _cycle_levels(
            part.sums,
            part.lead,
            (part.which, np.maximum(part.review, 1)),
            (of.cycle.astype(np.float64), of.lot.astype(np.float64), of.whole.astype(np.float64)),
            np.ascontiguousarray(served[rows], dtype=np.float64),
        )
        level[rows] = np.where(held[rows], found, level[rows])
    return level, expected


@njit(cache=True, nogil=True)
def _cycle_levels(
    sums: Sums,
    lead: Intervals,
    interval: tuple[np.ndarray, np.ndarray],
    orders: tuple[np.ndarray, np.ndarray, np.ndarray],
    served: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    which, review = interval
    out, expected = np.empty(served.shape), np.empty(len(which))
    for i in range(len(which)):
        at = (i, lead.offset[which[i]], lead.offset[which[i] + 1])
        under = _undershoot(sums, i, review[i], (orders[0][i], orders[1][i], orders[2][i]))
        mean, sd, wider = _persisting(sums, lead, at, review[i], (under, orders[0][i]))
        under = _gathered(under, max(WORK // (at[2] - at[1]), FEWEST))
        for k in range(served.shape[1]):
            high = sum_quantile(sums, i, lead.steps[at[2] - 1], served[i, k]) + under[0][-1]
            guess = mean + sd * np.log(served[i, k] / (1.0 - served[i, k])) / LOGISTIC
            level = _level(sums, lead, at, under, (served[i, k], high, guess))
            out[i, k] = max(mean + wider * (level - mean), 0.0)
        expected[i] = mean
    return out, expected


@njit(cache=True, nogil=True)
def _persisting(
    sums: Sums,
    lead: Intervals,
    at: tuple[int, int, int],
    review: int,
    order: tuple[tuple[np.ndarray, np.ndarray], float],
) -> tuple[float, float, float]:
    """Units expected in lead time and undershoot, their sd if independent, and how much wider they are.

    Var D(L + R) - Var D(L) - Var D(R) is twice what persists. Of a lot larger than a review's demand, X is on
    average half of that demand, so half of it counts; of a smaller one all.
    """
    (units, chance), cycle = order
    below = (units * chance).sum()
    first, second, shared = 0.0, 0.0, 0.0
    own = sum_moments(sums, at[0], review)[1]
    for j in range(at[1], at[2]):
        part, variance = sum_moments(sums, at[0], lead.steps[j])
        both = sum_moments(sums, at[0], lead.steps[j] + review)[1] - variance - own
        shared += lead.chance[j] * min(max(both, 0.0), 2.0 * np.sqrt(variance * own))
        first += lead.chance[j] * part
        second += lead.chance[j] * (part * part + variance)
    spread = second - first * first + (units * units * chance).sum() - below * below
    half = 0.5 + 0.5 * (1.0 - sum_cdf(sums, at[0], review, cycle))
    wider = np.sqrt(1.0 + half * shared / spread) if spread > 0.0 else 1.0
    return first + below, np.sqrt(max(spread, 0.0)), wider


@njit(cache=True, nogil=True)
def _undershoot(
    sums: Sums, i: int, review: int, order: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Units X below the reorder point, and their chances."""
    cycle, lot, unit = order
    most = sum_quantile(sums, i, review, HIGH)
    if 1.0 - sum_cdf(sums, i, review, 0.5 * unit) <= 0.0 or most <= 0.0:  # one at a time, once in years
        return np.array([unit]), np.ones(1)
    uniform = lot >= cycle - 1e-9 or cycle > FORGOTTEN * most
    span = min(cycle, most + unit) if uniform else cycle
    largest = max(span, most) / CELLS
    step = max(min(largest, NARROW * np.sqrt(sum_moments(sums, i, review)[1])), largest / FINER, unit)
    if uniform:
        count = max(round(span / step), 1)
        step = span / count if span >= step else step
        top = 0.5 * (span - unit) if count == 1 else span - 0.5 * (step + unit)
    else:
        top = cycle - unit
        count = max(round((cycle - 0.5 * unit) / step + 0.5), 1)
        if count > 1:  # the steps meet where an order is due
            step = (cycle - 0.5 * unit) / (count - 0.5)
    often = _often(sums, i, review, (step, int(np.ceil(most / step)) + 1))
    # An order ends within a lot below the level that is ordered up to.
    visits = np.ones(count) if uniform else _visits(often, count, min(max(round(lot / step), 1), count))
    units, chance = np.empty(len(often) - 1), np.zeros(len(often) - 1)
    for x in range(len(units)):
        units[x] = (count + x) * step - top
        for d in range(max(count + x - len(often) + 1, 0), count):
            chance[x] += visits[d] * often[count + x - d]
    return units, chance / chance.sum()


@njit(cache=True, nogil=True)
def _often(sums: Sums, i: int, review: int, steps: tuple[float, int]) -> np.ndarray:
    """Chances that a review interval asks for 0, 1, … of so many steps, or more than the last."""
    step, count = steps
    often, below = np.empty(count), 0.0
    for k in range(count):
        reached = sum_cdf(sums, i, review, (k + 0.5) * step) if k < count - 1 else 1.0
        often[k], below = reached - below, reached
    return often


@njit(cache=True, nogil=True)
def _visits(often: np.ndarray, count: int, first: int) -> np.ndarray:
    """How many reviews find the position 0, 1, … `count` - 1 steps below its upper level between two orders.

    It begins anywhere in the `first` of them (the renewal equation, Zheng and Federgruen 1991, eq. 1).
    """
    least = 1
    while least < len(often) - 1 and often[least] <= 0.0:
        least += 1
    visits, moving = np.empty(count), max(1.0 - often[0], 1e-9)
    for d in range(count):
        total = 1.0 / first if d < first else 0.0
        for k in range(least, min(d, len(often) - 1) + 1):
            total += often[k] * visits[d - k]
        visits[d] = total / moving
    return visits


@njit(cache=True, nogil=True)
def _gathered(under: tuple[np.ndarray, np.ndarray], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Units and their chances in at most `most` cells: neighbours are put together at their mean."""
    units, chance = under
    size = (len(units) + most - 1) // most
    count = (len(units) + size - 1) // size
    where, often = np.zeros(count), np.zeros(count)
    for x in range(len(units)):
        where[x // size] += chance[x] * units[x]
        often[x // size] += chance[x]
    for g in range(count):
        where[g] = where[g] / often[g] if often[g] > 0.0 else units[g * size]
    return where, often


@njit(cache=True, nogil=True)
def _within(
    sums: Sums, lead: Intervals, at: tuple[int, int, int], more: tuple[np.ndarray, np.ndarray], level: float
) -> tuple[float, float]:
    """Chance that demand over the lead time and the units of `more` stay within `level`, and its slope."""
    units, chance = more
    total, slope = 0.0, 0.0
    for j in range(at[1], at[2]):
        for x in range(len(units)):
            if chance[x] > 0.0 and level >= units[x]:
                part, rise = sum_cdf_and_slope(sums, at[0], lead.steps[j], level - units[x])
                total += lead.chance[j] * chance[x] * part
                slope += lead.chance[j] * chance[x] * rise
    return total, slope


@njit(cache=True, nogil=True)
def _level(
    sums: Sums,
    lead: Intervals,
    at: tuple[int, int, int],
    under: tuple[np.ndarray, np.ndarray],
    aim: tuple[float, float, float],
) -> float:
    """Lowest level in [0, high] that serves the share asked for; aim: share, high, a first guess.

    Newton steps, and a bisection after one that gains too little, as `protection` takes them.
    """
    wanted, high, level = aim
    low, before = 0.0, 1.0
    while high - low > FINE * high:
        if not low < level < high:
            level = 0.5 * (low + high)
        chance, slope = _within(sums, lead, at, under, level)
        excess = chance - wanted
        if abs(excess) < CLOSE:
            return level
        if excess > 0.0:
            high = level
        else:
            low = level
        gained = abs(excess) < 0.5 * before
        before = abs(excess) if gained else 1.0
        level = level - excess / slope if gained and slope > 0.0 else low
    return high
