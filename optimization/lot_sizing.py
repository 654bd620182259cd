"""Lot sizing: what a cost of ordering makes worth ordering at once, and the reorder point below a given lot.

It owns the formulas of the (r, Q) policy: the position after a review lies anywhere between r and r + Q, each
place as often as any other, whatever the demand (Hadley and Whitin 1963).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from optimization.protection import ProtectionDemand

FINE, COARSE = 12, 6  # nodes of the quadrature over a lot, of money and of units lost
HALVINGS = 24  # of the distance within which a reorder point is searched


class Rates(NamedTuple):
    """Money and demand of an interval, (n,) each: between reviews, or any other as long as all are of it.

    pace: units of demand; holding: money a unit left at its end; shortage: money a unit short then
    """

    pace: np.ndarray
    holding: np.ndarray
    shortage: np.ndarray


def economic_order_quantity(
    order_cost: np.ndarray | float, pace: np.ndarray | float, holding: np.ndarray | float
) -> np.ndarray:
    """Units √(2Kλ/h) that cost least to order and hold where demand is even (Harris 1913).

    order_cost: money an order, K; pace: units of demand a period, λ; holding: money a unit and period, h
    0 where a cost is not known or nothing is asked for.

    >>> economic_order_quantity(8.0, 1300.0, 0.225).round(3).item()
    304.047
    """
    fixed, held = np.asarray(order_cost, dtype=float), np.asarray(holding, dtype=float)
    known = (fixed > 0) & (held > 0)
    return np.sqrt(2 * np.where(known, fixed, 0.0) * np.asarray(pace) / np.where(known, held, 1.0))


def lot_cost(
    over: ProtectionDemand, order_cost: np.ndarray, rates: Rates, point: np.ndarray, quantity: np.ndarray
) -> np.ndarray:
    """(n,) money an interval of ordering `quantity` at each time the position falls to `point`.

    Kλ/Q + the mean over the lot of h·E[y - D]⁺ + p·E[D - y]⁺ (Snyder and Shen, section 5.3), D the demand of
    `over`.
    """
    mean = over.moments()[0]

    def running(level: np.ndarray) -> np.ndarray:
        short = over.shortage(np.maximum(level, 0.0)) + np.maximum(-level, 0.0)
        return rates.holding * (level - mean + short) + rates.shortage * short

    return order_cost * rates.pace / quantity + _mean_over(running, point, quantity, FINE)


def lot_level(over: ProtectionDemand, quantity: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(n,) lowest reorder point r ≥ 0 with 1 - [n(r) - n(r + Q)]/Q ≥ share, n the loss function of `over`.

    Over the lead time that is the fill rate of (s, Q), (Hadley and Whitin 1963); over lead time and review it
    is the share of reviews that end without a shortage, and cost is least where that is p / (p + h·R).
    quantity, share: (n,) Q in units, and in (0, 1)
    """
    quantity = np.maximum(quantity, 1e-9)
    high = np.maximum(over.quantile(share[:, None])[:, 0], 0.0)

    def short(level: np.ndarray) -> np.ndarray:
        reached = 1.0 - (over.shortage(level) - over.shortage(level + quantity)) / quantity
        return reached < share - 1e-12

    return _lowest(short, high)


def fill_lot_level(
    over: ProtectionDemand, width: np.ndarray, target: np.ndarray, unit: np.ndarray
) -> np.ndarray:
    """(n,) lowest reorder point r with the fill rate `target`, positions after a review in r … r + width.

    The fill rate of a review at y is 1 - [n(y; L+R) - n(y; L)] / E[demand over R], as in
    ProtectionDemand.fill_level; a lot lifts most reviews above r, so that r may be lower.
    """
    lead, most = over.lead_only(), over.fill_level(target, unit)
    asked = np.maximum(over.moments()[0] - lead.moments()[0], 0.0)
    allowed = (1.0 - target) * asked

    def lost(level: np.ndarray) -> np.ndarray:
        return np.maximum(over.shortage(level) - lead.shortage(level), asked * (1.0 - lead.cdf(level - unit)))

    return _lowest(lambda level: _mean_over(lost, level, width, COARSE) > allowed, most)


def best_lot(
    over: ProtectionDemand, order_cost: np.ndarray, rates: Rates, least: np.ndarray, lot: np.ndarray
) -> np.ndarray:
    """(n,) quantity of the grid least, least + lot, … that costs least with the best reorder point below it.

    Uncertain demand makes larger lots pay than the economic quantity: from it upwards four are compared.
    """
    share = rates.shortage / (rates.shortage + rates.holding)
    economic = economic_order_quantity(order_cost, rates.pace, rates.holding)
    step = np.where(lot > 0, lot, 1e-9)
    found, cheapest = least.copy(), np.full(len(least), np.inf)
    for times in (0.7, 1.0, 1.2, 1.5):
        quantity = np.maximum(least, least + step * np.round((times * economic - least) / step))
        cost = lot_cost(over, order_cost, rates, lot_level(over, quantity, share), quantity)
        better = cost < cheapest
        found, cheapest = np.where(better, quantity, found), np.where(better, cost, cheapest)
    return found


def _lowest(short: Callable[[np.ndarray], np.ndarray], high: np.ndarray) -> np.ndarray:
    """(n,) lowest levels from 0 up to `high`, (n,), that are not short; those at `high` never are."""
    low, enough = np.zeros(len(high)), ~short(np.zeros(len(high)))
    high = high.copy()
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        missing = short(middle)
        low, high = np.where(missing, middle, low), np.where(missing, high, middle)
    return np.where(enough, 0.0, high)


def _mean_over(
    function: Callable[[np.ndarray], np.ndarray], start: np.ndarray, width: np.ndarray, count: int
) -> np.ndarray:
    """(n,) mean of a function of (n,) levels over [start, start + width], by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    values = [
        weight * function(start + width * (0.5 + 0.5 * node))
        for node, weight in zip(nodes, weights, strict=True)
    ]
    return np.sum(values, axis=0) / 2
