"""What a price sells, as a multiple of what the current level was sold at.

It owns the elasticity that all series share and its estimate: demand goes with the price to a power that does
not change (constant elasticity). Where promotions come with prices of their own the two cannot be told apart:
what prices sell is then left to the lifts and to what models learn. So whether a period is promoted plays no
part in what its price sells, and a promotion that is tried out takes no planned price's effect away.
"""

import numpy as np
from numba import njit

from forecasting.alike import YEAR
from forecasting.arrays import Arrays, arrays_of, prices_ahead
from forecasting.membership import members_of
from forecasting.panel import Panel

BLOCKS = 4  # a series is compared with itself within a quarter: season and growth are not its price's
STEPS = 8  # of Newton's method
MOST_ELASTIC = 5.0
SURE = 2.0  # standard errors of the elasticity that must lie between it and none, or it is none
SAME_PRICE = 0.01  # a price that differs by no more, as a share, is the same
NOW_AND_THEN = 0.05  # share of promoted periods whose price may differ by chance
MOST_WORTH = 8.0  # most that a price sells of what the level says, and least, its inverse


def elasticity_at(panel: Panel, origin: int) -> float:
    """By what power of the price demand falls, of all series in the year up to an origin; 0 where it
    may be chance, or what promotions sell."""
    end, year = origin + 1, YEAR[panel.period.name]
    span, members = (max(end - year, 0), end), np.flatnonzero(members_of(panel))

    def find() -> float:
        arrays = arrays_of(panel)
        if _mixed(arrays, members, span):
            return 0.0
        return float(_elasticity(arrays, members, span, max(year // BLOCKS, 1)))

    return panel.memo.once(("elasticity", origin), find)


@njit(cache=True, nogil=True, error_model="numpy")
def worths_ahead(arrays: Arrays, i: int, at: int, last: int, way: tuple[float, float, bool]) -> np.ndarray:
    """(last,) demand at the price of each period after an origin, over that at the prices of the level.

    way: elasticity, memory of the level, periods, and whether prices are planned; else the last one stands
    """
    elasticity, memory, known = way
    worth = np.ones(last)
    if elasticity <= 0.0:
        return worth
    total, weight, keep, now, first = 0.0, 0.0, np.exp(-1.0 / memory), np.nan, np.nan
    for t in range(min(arrays.first[i], at + 1), at + 1):
        if arrays.price[i, t] > 0.0:
            now = arrays.price[i, t]
            first = first if np.isfinite(first) else now
        total, weight = keep * total, keep * weight
        if np.isfinite(now) and np.isfinite(arrays.quantity[i, t]) and not arrays.closed[i, t]:
            total += (first / now) ** elasticity
            weight += 1.0
    if weight <= 0.0:
        return worth
    prices = prices_ahead(arrays, i, at, last)
    for h in range(last):
        now = prices[h] if known and prices[h] > 0.0 else now
        sold = (first / now) ** elasticity * weight / total
        worth[h] = min(max(sold, 1.0 / MOST_WORTH), MOST_WORTH)
    return worth


@njit(cache=True, nogil=True, error_model="numpy")
def _elasticity(arrays: Arrays, members: np.ndarray, span: tuple[int, int], block: int) -> float:
    """The most likely power, if demand of each series in each block were Poisson about its own mean; none
    where blocks disagree so much that it may be chance. Each observed period counts the same.
    """
    low, high = span
    found, steep, squares = 0.0, 0.0, 0.0
    for _ in range(STEPS):
        slope, steep, squares = 0.0, 0.0, 0.0
        for i in members:
            for begin in range(max(low, arrays.first[i]), high, block):
                own, bend = _told(arrays, i, (begin, min(begin + block, high)), found)
                slope, steep, squares = slope + own, steep + bend, squares + own * own
        if steep <= 0.0:
            return 0.0
        found = min(max(found + slope / steep, -1.0), MOST_ELASTIC)
    return found if found * steep > SURE * np.sqrt(squares) else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _told(arrays: Arrays, i: int, span: tuple[int, int], elasticity: float) -> tuple[float, float]:
    """First and negative second derivative of the log-likelihood of one block, over its mean demand."""
    first, least, most, count, demand = np.nan, np.inf, -np.inf, 0, 0.0
    for t in range(span[0], span[1]):
        if _tells(arrays, i, t):
            first = first if count else arrays.price[i, t]
            least, most = min(least, arrays.price[i, t]), max(most, arrays.price[i, t])
            count, demand = count + 1, demand + arrays.quantity[i, t]
    if count < 2 or most <= least or demand <= 0.0:
        return 0.0, 0.0
    sold, weight, total, squares = 0.0, 0.0, 0.0, 0.0
    for t in range(span[0], span[1]):
        if _tells(arrays, i, t):
            cheap = np.log(first / arrays.price[i, t])
            expected = np.exp(elasticity * cheap)
            sold += arrays.quantity[i, t] * cheap
            weight, total = weight + expected, total + expected * cheap
            squares += expected * cheap * cheap
    mean = total / weight
    return count * (sold / demand - mean), count * max(squares / weight - mean * mean, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _tells(arrays: Arrays, i: int, t: int) -> bool:
    """Whether demand was observed at a price of its own, without promotion."""
    if arrays.closed[i, t] or arrays.promotion[i, t] > 0.0 or not arrays.price[i, t] > 0.0:
        return False
    return bool(np.isfinite(arrays.quantity[i, t]))


@njit(cache=True, nogil=True, error_model="numpy")
def _mixed(arrays: Arrays, members: np.ndarray, span: tuple[int, int]) -> bool:
    """Whether promotions, more often than now and then, have another price than the period before them."""
    promoted, moved = 0, 0
    for i in members:
        plain = np.nan
        for t in range(max(span[0], arrays.first[i]), span[1]):
            price = arrays.price[i, t]
            if arrays.promotion[i, t] <= 0.0:
                plain = price
            elif np.isfinite(plain) and np.isfinite(price):
                promoted += 1
                moved += abs(price - plain) > SAME_PRICE * plain
    return moved > NOW_AND_THEN * promoted
