"""Planning: what to order now, net of what is on its way, in quantities that can be ordered.

It owns the choice of the quantity on the grid {0, moq, moq + lot, …}. Whether an order is due the reorder
point alone decides. Its quantity is the largest that keeps the position within the order-up-to level; for a
cost target without a cost of ordering the cheapest up to there, or where sales are lost up to the overstock
level: a unit that will be lost before the order comes is in the position, and not on the shelf by then.
"""

import logging

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from optimization.explanation import amount
from optimization.lead_time import LeadTimes
from optimization.lost_orders import cheapest_orders
from optimization.lost_sales import concerned
from optimization.position import Inbound, due_within
from optimization.protection import ProtectionDemand, protection_demand
from optimization.thresholds import round_up

COLUMNS = [
    "kind", "sku", "location", "supplier", "quantity", "order_on", "arrives_on", "unit_cost", "cost",
    "position", "reason", "reason_zh", "on_hand", "reserved", "inbound",
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
) -> pd.DataFrame:
    """Orders to place at the start of the next period, COLUMNS; series that need none have no row.

    All frames row by row as demand. An order is due where the position is below the reorder point:
    on hand - reserved + inbound, the open orders that likely come within the protection interval
    (position.due_within). What comes later does not help against what the order is for.
    cost: money, order_cost included; NaN where the unit cost is unknown
    A series never counted (on_hand NaN) is not planned.
    """
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    coming = due_within(demand.keys, inbound, lead_times.typical + review)
    free = (position["on_hand"] - position["reserved"]).to_numpy(dtype=float) + coming
    due = free < thresholds["reorder_point"].to_numpy() - 1e-6
    due &= (supply["lifecycle"] != "discontinued").to_numpy()
    over = protection_demand(demand, lead_times, review)
    life = supply["shelf_life_days"].to_numpy(dtype=float)
    limited = np.isfinite(life)
    out = np.full(len(free), np.inf)
    if limited.any():
        part = over.take(limited).lasting(np.floor(life[limited] / days).astype(np.int64))
        least, lot = (values[limited] for values in order_grid(supply))
        sold = np.maximum(part.quantile(0.5)[:, 0] - free[limited], 0.0)
        out[limited] = np.maximum(on_grid(sold, least, lot, np.floor), least)
    return out


ENGLISH = (
    "{on_hand} on hand − {reserved} reserved + {inbound} on the way in time = {position}, below the reorder "
    "point {reorder_point}: order {quantity}, which makes {after}."
)
CHINESE = (
    "现有{on_hand}－预留{reserved}＋及时到货{inbound}＝{position}，低于订货点{reorder_point}："
    "订{quantity}，补至{after}。"
)
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


def _reasons(orders: pd.DataFrame, words: str, limits: dict[str, str]) -> list[str]:
    """The arithmetic in words, and what limits an order that does not reach the reorder point."""
    shown = orders[["on_hand", "reserved", "inbound", "position", "reorder_point", "quantity"]]
    after = orders["position"] + orders["quantity"]
    shown = shown.assign(after=after)
    texts = [[amount(value) for value in shown[name].tolist()] for name in shown]
    names = [str(name) for name in shown]
    short = orders["limit"].where(after < orders["reorder_point"] - 1e-6, "").map(limits).tolist()
    return [
        words.format(**dict(zip(names, row, strict=True))) + more
        for more, *row in zip(short, *texts, strict=True)
    ]
