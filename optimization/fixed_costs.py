"""Fixed costs: the levels (s, S) that cost least where every order costs money.

It owns the exact average cost of an (s, S) policy and the search of Zheng and Federgruen (1991, Finding
optimal (s, S) policies is about as simple as evaluating a single policy): demand as of the next review
intervals, unmet demand waiting, cost counted when an order placed at the review could have come.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from optimization.exposure import Intervals
from optimization.protection import ProtectionDemand, lost_over
from optimization.sums import Sums, sum_cdf, sum_moments

CELLS = 400  # steps in which the distance from s to S is searched; of larger demand a step is several units


class Costs(NamedTuple):
    """Money: an order; a unit left at the end of a review interval; a unit short then. (n,) each."""

    order: np.ndarray
    holding: np.ndarray
    shortage: np.ndarray


def best_levels(
    over: ProtectionDemand, costs: Costs, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) s, S and money a review of the policy that orders up to S where the position is at s or below.

    costs: all above 0; whole: (n,) whether units are whole
    """
    step = _steps(over, costs, whole)
    return _best(over.sums, over.lead, (over.which, np.maximum(over.review, 1)), costs, step)


def policy_cost(
    over: ProtectionDemand, costs: Costs, whole: np.ndarray, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """(n,) money a review of the policy (s, S) = (low, high), units."""
    step = _steps(over, costs, whole)
    return _cost(over.sums, over.lead, (over.which, np.maximum(over.review, 1)), costs, (step, low, high))


def _steps(over: ProtectionDemand, costs: Costs, whole: np.ndarray) -> np.ndarray:
    """(n,) units of a step of the search: one where units are whole and the levels not too far apart."""
    pace = over.lasting(over.review).moments()[0] - over.lead_only().moments()[0]
    span = 2.0 * np.sqrt(2 * costs.order * np.maximum(pace, 1e-9) / costs.holding) + pace
    return np.maximum(np.where(whole, np.ceil(span / CELLS), span / CELLS), 1e-9)


@njit(cache=True, nogil=True)
def _best(
    sums: Sums, lead: Intervals, interval: tuple[np.ndarray, np.ndarray], costs: Costs, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(step)
    low, high, cost = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        s, top, cost[i] = _search(_one(sums, lead, interval, costs, step, i))
        low[i], high[i] = s * step[i], top * step[i]
    return low, high, cost


@njit(cache=True, nogil=True)
def _cost(
    sums: Sums,
    lead: Intervals,
    interval: tuple[np.ndarray, np.ndarray],
    costs: Costs,
    policy: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    step, low, high = policy
    out = np.empty(len(step))
    for i in range(len(step)):
        one = _one(sums, lead, interval, costs, step, i)
        out[i] = _average(one, round(low[i] / step[i]), round(high[i] / step[i]))
    return out


@njit(cache=True, nogil=True)
def _one(
    sums: Sums,
    lead: Intervals,
    interval: tuple[np.ndarray, np.ndarray],
    costs: Costs,
    step: np.ndarray,
    i: int,
) -> tuple[float, np.ndarray, np.ndarray, int]:
    """Series i in steps: cost of an order; how often each distance below S is met; G(y), and its first y.

    After an order the position is j steps below S for m(j) reviews on average (Zheng and Federgruen, eq. 1).
    G covers the distances that the renewal function does, on either side of its least value.
    """
    which, review = interval
    at, unit = (i, lead.offset[which[i]], lead.offset[which[i] + 1]), step[i]
    chance, below = np.empty(2 * CELLS), 0.0
    for k in range(len(chance)):
        reached = sum_cdf(sums, i, review[i], (k + 0.5) * unit)
        chance[k], below = reached - below, reached
    often = np.empty(2 * CELLS)
    moving = max(1.0 - chance[0], 1e-9)
    often[0] = 1.0 / moving
    for j in range(1, len(often)):
        total = 0.0
        for k in range(1, j + 1):
            total += chance[k] * often[j - k]
        often[j] = total / moving
    mean = 0.0
    for j in range(at[1], at[2]):
        mean += lead.chance[j] * sum_moments(sums, i, lead.steps[j] + review[i])[0]
    first = int(np.floor(mean / unit)) - 2 * CELLS
    running = np.empty(4 * CELLS)
    for k in range(len(running)):
        level = (first + k) * unit
        short = lost_over(sums, lead, at, review[i], level) if level >= 0.0 else mean - level
        running[k] = costs.holding[i] * (level - mean + short) + costs.shortage[i] * short
    return costs.order[i], often, running, first


@njit(cache=True, nogil=True)
def _average(one: tuple[float, np.ndarray, np.ndarray, int], low: int, high: int) -> float:
    """Money a review of ordering up to `high` at `low` or below, both in steps."""
    fixed, often, running, first = one
    money, reviews = fixed, 0.0
    for j in range(min(max(high - low, 1), len(often))):
        money += often[j] * running[max(high - j - first, 0)]
        reviews += often[j]
    return money / reviews


@njit(cache=True, nogil=True)
def _search(one: tuple[float, np.ndarray, np.ndarray, int]) -> tuple[int, int, float]:
    """Least s, S and money a review, in steps."""
    _, often, running, first = one
    least = int(np.argmin(running)) + first
    s = least - 1
    while s > first and least - s < len(often) and _average(one, s, least) > running[s - first]:
        s -= 1
    top, best = least, _average(one, s, least)
    candidate = least + 1
    while (
        candidate < first + len(running) and running[candidate - first] <= best and candidate - s < len(often)
    ):
        if _average(one, s, candidate) < best:
            top = candidate
            while s < top - 1 and _average(one, s, top) <= running[s + 1 - first]:
                s += 1
            best = _average(one, s, top)
        candidate += 1
    return s, top, best
