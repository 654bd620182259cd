"""Thresholds: when to order, up to what level, how much of it is safety, and from where on it is too much.

It owns the levels of periodic review (R, s, S). A series is looked at every R periods and orders when its
position (stock and open orders) is below the reorder point s, enough for lead time and review; what is
ordered takes it to at most S. With single units and no cost of ordering S is s: the base-stock policy
(R, S). With lots, a minimum or a cost of ordering S lies one cycle quantity higher.
"""

import hashlib

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand, in_units
from optimization.explanation import explain
from optimization.lead_time import LeadTimes
from optimization.lot_sizing import economic_order_quantity, fill_lot_level
from optimization.order_days import review_lasts
from optimization.perishing import sellable, shelf_periods
from optimization.protection import ProtectionDemand, protection_demand
from optimization.supply import Orders, orders_of, smallest_order
from optimization.undershoot import cycle_levels

SHOWN = np.array([0.5, 0.9, 0.95, 0.99])
COLUMNS = [
    "sku", "location", "valid_from", "valid_until", "measure", "target", "supplier",
    "lead_time_mean", "lead_time_q50", "lead_time_q90", "lead_time_q95", "review_periods",
    "protection_mean", "protection_sd",
    "protection_q50", "protection_q90", "protection_q95", "protection_q99",
    "safety_stock", "reorder_point", "order_up_to", "overstock_level",
    "from_demand", "from_lead_time", "from_review", "explanation", "lead_time_source", "model_version",
    "data_as_of", "content_hash", "explanation_zh", "beyond_horizon", "never_delivered",
]  # fmt: skip


def derive_thresholds(
    demand: CumulativeDemand,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    targets: pd.DataFrame,
    model_version: str = "",
    *,
    known: int | None = None,
    data_as_of: pd.Timestamp | None = None,
    words: bool = True,
) -> pd.DataFrame:
    """Thresholds of each series for the review interval after demand.as_of, COLUMNS.

    demand: (n,) series; supply, lead_times, targets: row by row as demand (supply_terms,
        learn_lead_times, set_targets)
    Levels are units, in whole ones where supply["whole"]: the nearest to a quantile, the next above for a
    fill rate. valid_until is the last day before the next review (order_days.review_lasts). from_demand +
    from_lead_time + from_review = safety_stock: with the lead time fixed at its mean and no review; what the
    spread of the lead time adds; and the rest, review and rounding.
    beyond_horizon is the chance that the protection interval is longer than the forecast, `known` periods;
    data_as_of is the last period that it was made from. Both as `demand` says where not given.
    words: whether to write the explanations, which take most of the memory; else they are None
    """
    whole = supply["whole"].to_numpy(dtype=bool)
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    over, cycle = to_cover(demand, supply, lead_times, targets)
    mean, sd = over.moments()
    exact, expected = reorder_levels(over, targets, orders_of(supply, cycle))
    fill = (targets["measure"] == "fill_rate").to_numpy()
    point = np.where(fill, round_up(exact, whole), in_units(exact, whole))
    free, cycle = cycle, _fresh(over, supply, cycle, point, demand.period.days)
    out = supply[["sku", "location", "supplier", "review_periods"]].reset_index(drop=True)
    out = out.assign(protection_mean=mean, protection_sd=sd, reorder_point=point)
    shown = over.quantile(SHOWN)
    for column, level in enumerate(SHOWN):
        out[f"protection_q{100 * level:.0f}"] = shown[:, column]
        if level < 0.99:
            out[f"lead_time_q{100 * level:.0f}"] = lead_times.quantile(level)
    out["lead_time_mean"], out["lead_time_source"] = lead_times.mean, lead_times.source
    out["never_delivered"] = lead_times.never
    out["safety_stock"] = np.maximum(point - expected, 0.0)
    out[["from_demand", "from_lead_time", "from_review"]] = _parts(
        over, (exact, expected), out["safety_stock"].to_numpy()
    )
    out["order_up_to"] = point + cycle - whole
    out["measure"], out["target"] = targets["measure"].to_numpy(), targets["target"].to_numpy()
    out["overstock_level"] = targets["overstock_factor"].to_numpy() * out["order_up_to"]
    out["beyond_horizon"] = _beyond(lead_times, review, demand.horizon if known is None else known)
    first = demand.period.index(demand.as_of)[0] + 1
    out["valid_from"] = demand.period.dates(np.full(len(out), first))
    lasts = review_lasts(supply, demand.period, demand.as_of)
    out["valid_until"] = demand.period.dates(first + lasts) - pd.Timedelta(days=1)
    out["model_version"] = model_version
    out["data_as_of"] = demand.as_of if data_as_of is None else data_as_of
    out["content_hash"] = _hashes(out)
    told = out.assign(shelf_limited=cycle < free, expected=expected)
    out["explanation"], out["explanation_zh"] = explain(told, demand.period.name) if words else (None, None)
    return out[COLUMNS]


def to_cover(
    demand: CumulativeDemand, supply: pd.DataFrame, lead_times: LeadTimes, targets: pd.DataFrame
) -> tuple[ProtectionDemand, np.ndarray]:
    """Demand that levels are to cover, orders being as rare as they will be, and (n,) `cycle_quantity`."""
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    lots = orders_of(supply)
    over = protection_demand(demand, lead_times, review, lots)
    pace = over.moments()[0] / np.maximum(lead_times.mean + review, 1.0)
    cycle = cycle_quantity(supply, targets, pace)
    rare = _rare(demand, supply, cycle)
    if rare.any():  # what is worth ordering at once makes orders as rare as lots do
        lots = orders_of(supply, np.where(rare, cycle, lots.cycle))
        over = protection_demand(demand, lead_times, review, lots)
    return over, cycle


def reorder_levels(
    over: ProtectionDemand, targets: pd.DataFrame, orders: Orders
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) units, not rounded: level that meets each row's target; and (n,) units expected of its demand.

    cycle_service: the quantile at the target, with lots the level of `undershoot`; cost: the quantile at the
    target; fill_rate: the level of that fill rate where the position after a review lies anywhere between it
    and `orders.width` above, times targets["level_share"] where sales are lost (`lost_fill`)
    """
    target, whole = targets["target"].to_numpy(dtype=float), orders.whole
    lots = orders.large
    served = np.flatnonzero(lots & (targets["measure"] == "cycle_service").to_numpy())
    level, expected = over.quantile(target[:, None])[:, 0], over.moments()[0]
    found = cycle_levels(over.take(served), orders.take(served), target[served, None])
    level[served], expected[served] = found[0][:, 0], found[1]
    fill = (targets["measure"] == "fill_rate").to_numpy()
    single, lots = fill & ~lots, fill & lots
    if single.any():
        level[single] = over.take(single).fill_level(target[single], whole[single])
    if lots.any():
        level[lots] = fill_lot_level(over.take(lots), orders.width[lots], target[lots], whole[lots])
    share = targets["level_share"].to_numpy() if "level_share" in targets else 1.0
    return level * share, expected


def cycle_quantity(supply: pd.DataFrame, targets: pd.DataFrame, pace: np.ndarray) -> np.ndarray:
    """(n,) units ordered at least: one lot, the minimum, or what makes the cost of ordering worth it.

    The last is what targets["cycle_quantity"] says (`cost_levels`), else the economic order quantity where
    that exceeds a review interval's demand.

    pace: (n,) units of demand a period
    """
    whole = supply["whole"].to_numpy(dtype=bool)
    least = np.maximum(smallest_order(supply), np.where(whole, 1.0, 0.0))
    costs = supply["order_cost"].to_numpy(dtype=float), targets["holding_cost"].to_numpy(dtype=float)
    economic = economic_order_quantity(costs[0], pace, costs[1])
    economic = np.where(economic > pace * supply["review_periods"].to_numpy(), economic, 0.0)
    if "cycle_quantity" in targets:
        given = targets["cycle_quantity"].to_numpy(dtype=float)
        economic = np.where(np.isnan(given), economic, given)
    return np.maximum(least, round_up(economic, whole))


def _rare(demand: CumulativeDemand, supply: pd.DataFrame, cycle: np.ndarray) -> np.ndarray:
    """(n,) whether a cost of ordering makes orders rarer than lots do.

    Not where a shelf life may cut the order.
    """
    lasting = shelf_periods(supply, demand.period.days) < 0
    lot = np.maximum(smallest_order(supply), supply["whole"].to_numpy(dtype=float))
    return lasting & (cycle > lot)


def _fresh(
    over: ProtectionDemand, supply: pd.DataFrame, cycle: np.ndarray, point: np.ndarray, days: float
) -> np.ndarray:
    """(n,) `cycle`, no more of it than likely sells within the shelf life, but at least one lot."""
    most = sellable(over, shelf_periods(supply, days)) - point
    whole = supply["whole"].to_numpy(dtype=bool)
    least = np.maximum(smallest_order(supply), np.where(whole, 1.0, 0.0))
    return np.maximum(np.minimum(cycle, np.where(whole, np.floor(most + 1e-6), most)), least)


def round_up(units: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Next whole number where `whole`; what single precision adds to a whole number does not count.

    >>> round_up(np.array([37.00001, 37.2, 37.2]), np.array([True, True, False])).tolist()
    [37.0, 38.0, 37.2]
    """
    return np.where(whole, np.ceil(units - 1e-4 - 1e-6 * units), units)


def _parts(over: ProtectionDemand, of: tuple[np.ndarray, np.ndarray], safety: np.ndarray) -> np.ndarray:
    """(n, 3) units of the safety stock that demand, lead time and review (with rounding) account for.

    of: (n,) units of the level and of what is expected below it, as `reorder_levels` gives them
    """
    level, expected = of
    mean = over.moments()[0]
    chance = np.clip(over.cdf(level + mean - expected), 0.01, 0.9999)[:, None]
    fixed = over.at_mean_lead_time()
    only_demand = fixed.lead_only()
    with_review = fixed.quantile(chance)[:, 0] - fixed.moments()[0]
    demand = only_demand.quantile(chance)[:, 0] - only_demand.moments()[0]
    lead = np.where(over.certain(), 0.0, level - expected - with_review)
    parts = np.stack([demand, lead, safety - demand - lead], axis=1)
    parts[safety <= 0] = 0.0
    return parts


def _beyond(lead_times: LeadTimes, review: np.ndarray, horizon: int) -> np.ndarray:
    reached = np.cumsum(lead_times.distributions, axis=1)
    last = np.clip(horizon - review, -1, reached.shape[1] - 1)
    inside = np.where(last < 0, 0.0, reached[lead_times.which, np.maximum(last, 0)])
    return np.clip(1.0 - inside, 0.0, 1.0).round(9)


def _hashes(frame: pd.DataFrame) -> list[str]:
    """sha256 of all values of each row that the words rest on: the same thresholds give the same hash."""
    numbers = list(frame.select_dtypes("number").columns)
    packed = frame[numbers].to_numpy(dtype=np.float64)
    words = [frame[name].astype(str).tolist() for name in frame.columns if name not in numbers]
    return [
        hashlib.sha256(row.tobytes() + "\x1f".join(texts).encode()).hexdigest()
        for row, *texts in zip(packed, *words, strict=True)
    ]
