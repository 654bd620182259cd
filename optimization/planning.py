"""Planning: what to order next, net of what is on its way, in quantities that can be ordered.

It owns the choice of the quantity on the grid {0, moq, moq + lot, …}. Whether an order is due the reorder
point alone decides. Its quantity is the largest that keeps the position within the order-up-to level; for a
cost target without a cost of ordering the cheapest up to there, or where sales are lost up to the overstock
level: a unit that will be lost before the order comes is in the position, and not on the shelf by then.
An order that has to wait for a day on which its supplier takes orders is decided as on the eve of that day,
with what likely sells and comes until then.
"""

import logging

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand, in_units
from optimization.ahead import demand_after
from optimization.explanation import amount
from optimization.lead_time import LeadTimes
from optimization.lost_orders import cheapest_orders
from optimization.lost_sales import concerned
from optimization.perishing import sellable, shelf_periods
from optimization.position import Inbound, due_within
from optimization.protection import ProtectionDemand, protection_demand
from optimization.supply import orders_of

COLUMNS = [
    "kind", "sku", "location", "supplier", "quantity", "order_on", "arrives_on", "unit_cost", "cost",
    "position", "reason", "reason_zh", "on_hand", "reserved", "inbound",
    "expiring",
]  # fmt: skip
log = logging.getLogger(__name__)


def recommend_orders(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    *,
    thresholds: pd.DataFrame,
    position: pd.DataFrame,
    inbound: Inbound,
    expiring: np.ndarray | None = None,
) -> pd.DataFrame:
    """Orders to place on each series' next order day, COLUMNS; series that need none have no row.

    All frames row by row as demand; targets and thresholds those of that day (ahead.on_next_order_day).
    An order is due where the position is below the reorder point: on hand - reserved - expiring + inbound,
    the open orders that likely come before the order after this one could (position.due_within), - what
    likely sells before the order day. What comes later does not help against what the order is for.
    expiring: (n,) units that will probably expire unsold by then (overstock.expected_waste), default none
    cost: money, order_cost included; NaN where the unit cost is unknown
    A series never counted (on_hand NaN) is not planned.
    """
    wait = supply["next_order"].to_numpy(dtype=np.int64) - 1
    wasted = np.zeros(len(wait)) if expiring is None else expiring
    parts = []
    for periods in np.unique(wait).tolist() or [0]:
        rows = slice(None) if (wait == periods).all() else np.flatnonzero(wait == periods)
        orders = _orders_after(
            periods,
            demand.take(rows),
            supply.iloc[rows],
            lead_times.take(rows),
            targets.iloc[rows],
            thresholds=thresholds.iloc[rows],
            position=position.iloc[rows],
            inbound=inbound,
            wasted=wasted[rows],
        )
        parts.append(orders.set_axis(np.arange(len(wait))[rows][orders.index]))
    out = pd.concat(parts).sort_index().reset_index(drop=True)
    _tell_of_minimum(out)
    return out.assign(
        reason=_reasons(out, ENGLISH, ENGLISH_PARTS, LIMITS),
        reason_zh=_reasons(out, CHINESE, CHINESE_PARTS, LIMITS_ZH),
    )[COLUMNS]


def _orders_after(
    wait: int,
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    *,
    thresholds: pd.DataFrame,
    position: pd.DataFrame,
    inbound: Inbound,
    wasted: np.ndarray,
) -> pd.DataFrame:
    """Orders of series that all wait the same number of periods, with what their reasons are told from."""
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    available = (position["on_hand"] - position["reserved"]).to_numpy(dtype=float) - wasted
    before = due_within(demand.keys, inbound, np.full(len(review), wait))
    sold = _sold_within(wait, demand, available + before, supply, targets)
    demand, inbound = demand_after(demand, wait), inbound.after(wait)
    coming = due_within(demand.keys, inbound, lead_times.typical + review)
    available = available + before - sold
    free = available + coming
    due = free < thresholds["reorder_point"].to_numpy() - 1e-6
    due &= (supply["lifecycle"] != "discontinued").to_numpy()
    least, lot = order_grid(supply)
    over = protection_demand(demand, lead_times, review, orders_of(supply))
    room = thresholds["order_up_to"].to_numpy() - free
    quantity = on_grid(room, least, lot, np.floor)
    # With a fraction of a unit on the way no quantity may fit between the two levels: then the lower counts.
    missing = thresholds["reorder_point"].to_numpy() - free
    quantity = np.maximum(quantity, on_grid(missing, least, lot, np.ceil))
    # A cost of ordering is in the order-up-to level already, through the economic order quantity.
    by_cost = (targets["measure"] == "cost").to_numpy() & due & ~(supply["order_cost"].to_numpy() > 0)
    lost = by_cost & concerned(demand, supply, lead_times, targets)
    if lost.any():
        spare = thresholds["overstock_level"].to_numpy(dtype=float) - free
        quantity[lost] = cheapest_orders(
            demand.take(lost),
            supply[lost],
            lead_times.take(lost),
            targets[lost],
            available=available[lost],
            inbound=inbound,
            most=np.maximum(quantity, on_grid(spare, least, lot, np.floor))[lost],
        )
    by_cost &= ~lost
    if by_cost.any():
        quantity[by_cost] = cheapest(over.take(by_cost), supply[by_cost], targets[by_cost], free[by_cost])
    in_time = _sellable(over, supply, free, demand.period.days)
    limit = np.where(in_time < quantity, "life", np.where(lost, "lost", ""))
    quantity = np.minimum(quantity, in_time)
    out = supply[["sku", "location", "supplier", "unit_cost"]].reset_index(drop=True)
    first = demand.period.index(demand.as_of)[0] + 1
    out = out.assign(
        kind="purchase",
        quantity=quantity,
        order_on=demand.period.dates(np.full(len(out), first)),
        arrives_on=demand.period.dates(first + lead_times.quantile(0.5)),
        cost=quantity * out["unit_cost"] + supply["order_cost"].to_numpy(),
        position=free,
        on_hand=position["on_hand"].to_numpy(),
        reserved=position["reserved"].to_numpy(),
        inbound=before + coming,
        expiring=wasted,
        sold=sold,
        minimum_order_value=supply["minimum_order_value"].to_numpy(),
        reorder_point=thresholds["reorder_point"].to_numpy(),
        limit=limit,
    )
    return out[due & (quantity > 0)]


def _sold_within(
    periods: int, demand: CumulativeDemand, shelf: np.ndarray, supply: pd.DataFrame, targets: pd.DataFrame
) -> np.ndarray:
    """(n,) units likely sold in the next `periods`, or owed where unmet demand waits, from (n,) units."""
    if periods == 0:
        return np.zeros(len(shelf))
    asked = demand.mean[:, min(periods, demand.horizon) - 1].astype(float)
    asked = in_units(asked, supply["whole"].to_numpy(dtype=bool))
    return np.where(targets["unmet"] == "lost", np.minimum(asked, np.maximum(shelf, 0.0)), asked)


def _tell_of_minimum(orders: pd.DataFrame) -> None:
    given = orders.loc[orders["minimum_order_value"] > 0, "supplier"]
    if len(given):
        log.warning(
            "sourcing.minimum_order_value is not applied: %d recommended orders go to suppliers that ask for "
            "one (%s); check each supplier's total before sending",
            len(given),
            ", ".join(sorted(given.unique())[:5]),
        )


def order_grid(supply: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Smallest order and step above it, (n,) units each; step 0 = any quantity."""
    lot = supply["lot_size"].to_numpy(dtype=float)
    lot = np.where(lot > 0, lot, np.where(supply["whole"].to_numpy(dtype=bool), 1.0, 0.0))
    return np.maximum(supply["moq"].to_numpy(dtype=float), lot), lot


def on_grid(units: np.ndarray, least: np.ndarray, lot: np.ndarray, toward: np.ufunc) -> np.ndarray:
    """(n,) quantity of the grid {0, least, least + lot, …} next to `units`, by np.floor or np.ceil.

    >>> grid = np.array([24.0, 24.0, 24.0]), np.array([12.0, 12.0, 12.0])
    >>> on_grid(np.array([50.0, 20.0, -3.0]), *grid, np.floor).tolist()
    [48.0, 0.0, 0.0]
    >>> on_grid(np.array([50.0, 20.0, -3.0]), *grid, np.ceil).tolist()
    [60.0, 24.0, 0.0]
    """
    steps = np.divide(units - least, lot, where=lot > 0, out=np.zeros(len(units)))
    slack = 1e-6 if toward is np.floor else -1e-6
    stepped = np.where(lot > 0, least + lot * toward(steps + slack), units)
    smallest = 0.0 if toward is np.floor else least
    return np.where(units <= 1e-6, 0.0, np.where(units < least - 1e-6, smallest, stepped))


def cheapest(
    over: ProtectionDemand, supply: pd.DataFrame, targets: pd.DataFrame, free: np.ndarray
) -> np.ndarray:
    """(n,) quantity on the grid, above 0, with the lowest expected cost h·R·E[y - D]⁺ + p·E[D - y]⁺.

    y = position + quantity against demand over lead time + review. The cost is convex in y, so the best
    quantity of the grid lies beside the newsvendor level. None is no choice: an order that is due and not
    placed would leave the shelf short for longer than the one interval that is weighed here.
    free: (n,) position, below the newsvendor level
    """
    least, lot = order_grid(supply)
    level = over.quantile(targets["target"].to_numpy(dtype=float)[:, None])[:, 0]
    level = in_units(level, supply["whole"].to_numpy(dtype=bool))
    options = np.stack([on_grid(level - free, least, lot, side) for side in (np.floor, np.ceil)])
    held = targets["holding_cost"].to_numpy() * np.maximum(supply["review_periods"].to_numpy(), 1)
    missed, mean = targets["shortage_cost"].to_numpy(), over.shortage(np.zeros(len(free)))
    costs = []
    for option in options:
        reach = np.maximum(free + option, 0.0)
        short = over.shortage(reach) + np.maximum(-(free + option), 0.0)
        cost = held * (reach - mean + over.shortage(reach)) + missed * short
        costs.append(np.where(option > 0, cost, np.inf))
    return options[np.argmin(np.round(costs, 9), axis=0), np.arange(len(free))]


def _sellable(over: ProtectionDemand, supply: pd.DataFrame, free: np.ndarray, days: float) -> np.ndarray:
    """(n,) units likely to sell in time (median demand of a shelf life less the position), or one order."""
    least, lot = order_grid(supply)
    room = np.maximum(sellable(over, shelf_periods(supply, days)) - free, 0.0)
    limited = np.isfinite(room)
    return np.where(
        limited, np.maximum(on_grid(np.where(limited, room, 0.0), least, lot, np.floor), least), np.inf
    )


ENGLISH = (
    "{on_hand} on hand − {reserved} reserved{expiring} + {inbound} on the way in time{sold} = {position}, "
    "below the reorder point {reorder_point}: order {quantity}, which makes {after}."
)
ENGLISH_PARTS = {"expiring": " − {} expiring", "sold": " − {} likely sold before the order day"}
CHINESE = (
    "现有{on_hand}－预留{reserved}{expiring}＋及时到货{inbound}{sold}＝{position}，"
    "低于订货点{reorder_point}：订{quantity}，补至{after}。"
)
CHINESE_PARTS = {"expiring": "－将过期{}", "sold": "－订货日前预计售出{}"}
LIMITS = {
    "": "",
    "life": " More would not sell within its shelf life.",
    "lost": " More would cost more to hold than it saves: what is lost before it comes is not sold later.",
}
LIMITS_ZH = {
    "": "",
    "life": "再多则保质期内卖不完。",
    "lost": "再多则持有成本高于所避免的缺货损失：到货前流失的销售不会再来。",
}


def _reasons(orders: pd.DataFrame, words: str, parts: dict[str, str], limits: dict[str, str]) -> list[str]:
    """The arithmetic in words, with the `parts` that are not 0, and what keeps it below the reorder point."""
    shown = orders[["on_hand", "reserved", "inbound", "position", "reorder_point", "quantity"]]
    after = orders["position"] + orders["quantity"]
    shown = shown.assign(after=after)
    texts = [[amount(value) for value in shown[name].tolist()] for name in shown]
    for name, said in parts.items():
        texts.append([said.format(amount(units)) if units else "" for units in orders[name].tolist()])
    names = [*map(str, shown), *parts]
    short = orders["limit"].where(after < orders["reorder_point"] - 1e-6, "").map(limits).tolist()
    return [
        words.format(**dict(zip(names, row, strict=True))) + more
        for more, *row in zip(short, *texts, strict=True)
    ]
