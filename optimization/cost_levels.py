"""Cost levels: the targets of series held for cost, where lots, a cost of ordering or a shelf life matter.

It owns which formula weighs what: without any of them the newsvendor level of `targets` is right, and where
sales are lost the one that `lost_sales` played. A cost of ordering asks for (s, S), lots for (r, Q), a shelf
life for less of either.
"""

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from optimization.fixed_costs import Costs, best_levels
from optimization.lead_time import LeadTimes
from optimization.lost_sales import concerned
from optimization.lot_sizing import Rates, best_lot, lot_level
from optimization.perishing import perishable_targets, shelf_periods
from optimization.protection import ProtectionDemand, protection_demand
from optimization.supply import orders_of, smallest_order
from optimization.thresholds import round_up

LEAST, MOST = 1e-4, 1.0 - 1e-4  # of a target


def settle_costs(
    demand: CumulativeDemand, supply: pd.DataFrame, lead_times: LeadTimes, targets: pd.DataFrame
) -> pd.DataFrame:
    """`targets` with the levels of series held for cost weighed with their lots, order cost and shelf life.

    All row by row as demand. Two columns come out: target, the chance of covering demand over lead time and
    review that the reorder point has; and cycle_quantity, the units that an order brings where they were
    weighed with it, else NaN.
    """
    level = targets["target"].to_numpy(dtype=float).copy()
    cycle = np.full(len(level), np.nan)
    priced = (targets["holding_cost"] > 0).to_numpy() & (targets["shortage_cost"] > 0).to_numpy()
    by_cost = (targets["measure"] == "cost").to_numpy() & priced
    if not by_cost.any():
        return targets.assign(cycle_quantity=cycle)
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    least = smallest_order(supply)
    whole = supply["whole"].to_numpy(dtype=bool)
    over = protection_demand(demand, lead_times, review, orders_of(supply))
    order_cost = supply["order_cost"].to_numpy(dtype=float)
    held = targets["holding_cost"].to_numpy(dtype=float) * np.maximum(review, 1)
    missed = targets["shortage_cost"].to_numpy(dtype=float)
    lots = by_cost & (least > np.where(whole, 1.0, 0.0)) & ~concerned(demand, supply, lead_times, targets)
    free = by_cost & (order_cost > 0) & ~lots
    life, worth = shelf_periods(supply, demand.period.days), supply["unit_cost"].to_numpy(dtype=float)
    for rows, weigh in ((free, _with_order_cost), (lots, _with_lots)):
        if not rows.any():
            continue
        costs = Costs(order_cost[rows], held[rows], missed[rows])
        point, cycle[rows] = weigh(over.take(rows), supply[rows], costs)
        level[rows] = over.take(rows).cdf(point)
        # Where orders overtake each other, their cost makes them rarer and so fewer overtake: once again.
        again = rows & (life < 0) & (lead_times.overtaking > 0) & (cycle > np.maximum(least, whole))
        if again.any():
            part = demand.take(again), lead_times.take(again), review[again]
            rare = protection_demand(*part, orders_of(supply[again], round_up(cycle[again], whole[again])))
            costs = Costs(order_cost[again], held[again], missed[again])
            point, cycle[again] = weigh(rare, supply[again], costs)
            rare = protection_demand(*part, orders_of(supply[again], round_up(cycle[again], whole[again])))
            level[again] = rare.cdf(point)
    fresh = by_cost & (life >= 0) & (worth > 0)
    if fresh.any():
        level[fresh] = perishable_targets(
            over.take(fresh), life[fresh], level[fresh], held[fresh], worth[fresh]
        )
    return targets.assign(target=np.clip(level, LEAST, MOST), cycle_quantity=cycle)


def _pace(over: ProtectionDemand) -> np.ndarray:
    """(n,) units expected in a review interval after the lead time."""
    return np.maximum(over.moments()[0] - over.lead_only().moments()[0], 1e-9)


def _with_order_cost(
    over: ProtectionDemand, supply: pd.DataFrame, costs: Costs
) -> tuple[np.ndarray, np.ndarray]:
    """Reorder point and cycle quantity of the best (s, S): with whole units an order is due below s + 1."""
    whole = supply["whole"].to_numpy(dtype=bool)
    low, high, _ = best_levels(over, costs, whole)
    return np.maximum(low + np.where(whole, 1.0, 0.0), 0.0), high - low


def _with_lots(over: ProtectionDemand, supply: pd.DataFrame, costs: Costs) -> tuple[np.ndarray, np.ndarray]:
    """Reorder point and cycle quantity of the best (r, Q) on the grid of lots."""
    rates = Rates(_pace(over), costs.holding, costs.shortage)
    lot = supply["lot_size"].to_numpy(dtype=float)
    lot = np.where(lot > 0, lot, np.where(supply["whole"].to_numpy(dtype=bool), 1.0, 0.0))
    least = np.maximum(supply["moq"].to_numpy(dtype=float), lot)
    quantity = best_lot(over, costs.order, rates, least, lot)
    return lot_level(over, quantity, rates.shortage / (rates.shortage + rates.holding)), quantity
