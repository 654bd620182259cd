"""The supply side of each series as one row: from whom, how often, in which quantities, at what price.

It owns the choice among several sources and what holds where the tables say nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ingestion.periods import Period
from optimization.classes import asks_for_classes, classify
from optimization.order_days import longest_gap, until_next_order

TERMS = [
    "supplier", "unit_cost", "moq", "lot_size", "review_periods", "order_weekdays", "lead_time_days",
    "lead_time_sd_days", "order_cost", "minimum_order_value", "priority",
]  # fmt: skip
ABOUT = ["category", "unit_price", "shelf_life_days", "lifecycle"]
TINY = 1e-9  # units


class Orders(NamedTuple):
    """What an order brings, (n,) each.

    cycle: units ordered at least, to which the level ordered up to lies above the reorder point (by one less
        where units are whole); lot: units of a step above that, 0 = any; whole: whether units are whole
    """

    cycle: np.ndarray
    lot: np.ndarray
    whole: np.ndarray

    @property
    def width(self) -> np.ndarray:
        """(n,) units by which the order-up-to level lies above the reorder point."""
        return self.cycle - self.whole

    @property
    def large(self) -> np.ndarray:
        """(n,) whether an order brings more than a single unit, or than any amount that is missing."""
        return self.width > TINY

    def take(self, rows: np.ndarray) -> "Orders":
        """The same for some series: a mask or positions."""
        return Orders(self.cycle[rows], self.lot[rows], self.whole[rows])


def supply_terms(
    keys: pd.DataFrame, tables: Mapping[str, pd.DataFrame], period: Period, as_of: pd.Timestamp
) -> pd.DataFrame:
    """One row per key, in its order: sku, location, then the terms of its best source and its item.

    keys: (n,) frame with sku and location
    tables: sourcing, items and demand as the warehouse gives them, each optional
    The best source has the lowest priority number, then the lowest unit cost, then the first name.
    review_periods: given, or the longest gap between the order weekdays, or 1; whole periods
    next_order: periods from `as_of` to the next one at whose start an order can go out, at least 1
    moq, lot_size, order_cost: 0 where not given; unit_cost: of the source, else of the item
    whole: True where every quantity ever sold was a whole number
    abc, xyz: computed classes (`classes`), "" unless a policy asks for a class
    """
    out = keys[["sku", "location"]].reset_index(drop=True)
    out = out.merge(_best(tables.get("sourcing")), on=["sku", "location"], how="left", sort=False)
    items = tables.get("items", pd.DataFrame(columns=["sku"])).drop_duplicates("sku")
    items = items.reindex(columns=["sku", "unit_cost", *ABOUT]).rename(columns={"unit_cost": "item_cost"})
    out = out.merge(items, on="sku", how="left", sort=False)
    out["unit_cost"] = out["unit_cost"].fillna(out.pop("item_cost"))
    out["supplier"] = out["supplier"].fillna("")
    for column in ("moq", "lot_size", "order_cost"):
        out[column] = out[column].fillna(0.0)
    out["review_periods"] = _review(out, period)
    out["next_order"] = until_next_order(out["order_weekdays"], period, as_of)
    demand = tables.get("demand")
    out["abc"], out["xyz"] = "", ""
    if asks_for_classes(tables.get("policies")):
        worth = out["unit_price"].fillna(out["unit_cost"])
        out["abc"], out["xyz"] = classify(out, demand, worth, period)
    if demand is None or demand.empty:
        return out.assign(whole=True)
    parts = demand["sku"][demand["quantity"] % 1 != 0]
    return out.assign(whole=~out["sku"].isin(parts.unique()))


def smallest_order(supply: pd.DataFrame) -> np.ndarray:
    """(n,) units of the smallest order, the larger of minimum and lot; 0 where any can be ordered."""
    return np.maximum(supply["moq"].to_numpy(dtype=float), supply["lot_size"].to_numpy(dtype=float))


def orders_of(supply: pd.DataFrame, cycle: np.ndarray | None = None) -> Orders:
    """What orders bring: at least `cycle`, (n,) units, default the smallest order, in steps of the lot."""
    whole = supply["whole"].to_numpy(dtype=bool)
    lot = np.maximum(supply["lot_size"].to_numpy(dtype=float), whole)
    least = np.maximum(smallest_order(supply), whole) if cycle is None else cycle
    return Orders(least, lot, whole)


def _best(sourcing: pd.DataFrame | None) -> pd.DataFrame:
    table = pd.DataFrame() if sourcing is None else sourcing
    table = table.reindex(columns=["sku", "location", *TERMS])
    numbers = [name for name in TERMS if name not in ("supplier", "order_weekdays")]
    table = table.astype(
        dict.fromkeys(numbers, "float64") | {"sku": "str", "location": "str", "supplier": "str"}
    )
    ordered = table.sort_values(["priority", "unit_cost", "supplier"], na_position="last", kind="stable")
    return ordered.drop_duplicates(["sku", "location"])


def _review(terms: pd.DataFrame, period: Period) -> np.ndarray:
    """(n,) whole periods between two chances to order, at least 1."""
    calendars = {text: longest_gap(text) for text in terms["order_weekdays"].dropna().unique()}
    gaps = terms["order_weekdays"].map(calendars).astype(float).fillna(0.0).to_numpy()
    given = terms["review_periods"].to_numpy(dtype=float)
    whole = np.ceil(np.where(np.isnan(given), period.from_days(gaps), given) - 1e-9)
    return np.maximum(whole, 1).astype(np.int64)
