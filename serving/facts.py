"""Facts: what the rules can see of each sku at each location, joined from the stages of the walk.

It owns the join and nothing else: every number comes from the stage that computed it. The columns are those
of `warning.facts`, further ones serve selectors: classes, and the attributes of items and locations.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from ingestion.contracts import TABLES
from ingestion.periods import Period
from optimization.classes import classify
from optimization.lead_time import LeadTimes
from optimization.position import SERIES, Inbound, due_within

ITEM = ["name", "category", "subcategory", "brand", "lifecycle", "unit_price"]
LEVELS = ["safety_stock", "reorder_point", "order_up_to", "overstock_level"]
AT_END = [
    "stockout_probability",
    "expected_lost_units",
    "expected_lost_money",
    "unavoidable_probability",
    "unavoidable_lost_units",
]
EXPECTED = 0.5  # the day by which a shelf is more likely out than not


def assemble_facts(
    demand: CumulativeDemand,
    items: pd.DataFrame,
    supply: pd.DataFrame,
    lead_times: LeadTimes,
    *,
    thresholds: pd.DataFrame,
    position: pd.DataFrame,
    inbound: Inbound,
    risk: pd.DataFrame | None,
    orders: pd.DataFrame,
    overstock: pd.DataFrame,
) -> pd.DataFrame:
    """One row per series, in demand's order.

    supply, lead_times, thresholds, position, overstock: row by row as demand
    risk: long, all periods of the forecast; None where no stock was ever counted
    orders: recommended orders, at most one counted per series (the first)
    inbound is what likely comes within the lead time: what an alert may still count on before an order placed
    today could help. The order's own arithmetic counts lead time and review.
    """
    n, days = len(demand.keys), demand.period.days
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    lead = lead_times.typical
    step = np.clip(lead + review, 1, demand.horizon)
    facts = demand.keys[["sku", "location"]].reset_index(drop=True)
    about = items.drop_duplicates("sku").reindex(columns=["sku", *ITEM])
    facts = facts.merge(about, on="sku", how="left", sort=False)
    facts["unit_cost"] = supply["unit_cost"].to_numpy()
    facts[["on_hand", "reserved"]] = position[["on_hand", "reserved"]].to_numpy()
    facts["inbound"] = due_within(demand.keys, inbound, lead)
    facts = facts.assign(**_overdue(demand, inbound))
    used = np.where(lead > 0, demand.mean[np.arange(n), np.clip(lead, 1, demand.horizon) - 1], 0.0)
    facts["projected"] = facts["on_hand"] - facts["reserved"] + facts["inbound"] - used
    facts[LEVELS] = thresholds[LEVELS].to_numpy()
    for level in ("q50", "q90"):
        facts[f"lead_time_{level}"] = thresholds[f"lead_time_{level}"].to_numpy() * days
    outlook = overstock.columns.difference(SERIES, sort=False)
    facts[list(outlook)] = overstock[outlook].reset_index(drop=True)
    if risk is not None:
        facts = facts.assign(**_risk(risk, n, demand.horizon, step, days))
        out = (facts["on_hand"] - facts["reserved"]) <= 0
        facts["days_to_stockout"] = facts["days_to_stockout"].mask(out, 0.0)
    wanted = orders.drop_duplicates(["sku", "location"])[
        ["sku", "location", "kind", "quantity", "supplier", "cost", "arrives_on"]
    ].rename(
        columns={
            "kind": "order_kind",
            "quantity": "order_quantity",
            "supplier": "order_supplier",
            "cost": "order_cost",
            "arrives_on": "order_arrives_on",
        }
    )
    facts = facts.merge(wanted, on=["sku", "location"], how="left", sort=False)
    return facts.assign(order_quantity=facts["order_quantity"].fillna(0.0))


def position_attributes(
    keys: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    supply: pd.DataFrame,
    position: pd.DataFrame,
    period: Period,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """What rules can select by and how old things are, row by row as `keys`.

    supplier: who delivers; abc, xyz: classes (`optimization.classes`); every text column of `items` that is
    its own, and those of `locations` as location_…; days_since_sale and stock_age_days
    """
    items, places = tables["items"].drop_duplicates("sku"), tables["locations"].drop_duplicates("location")
    worth = items.reindex(columns=["sku", "unit_price", "unit_cost"]).set_index("sku").reindex(keys["sku"])
    price = worth["unit_price"].astype(float).fillna(worth["unit_cost"].astype(float))
    abc, xyz = classify(keys, tables["demand"], price.reset_index(drop=True), period)
    own = [name for name in items.columns if name not in TABLES["items"].columns]
    about = items[["sku", *own]]
    there = places.rename(columns={name: f"location_{name}" for name in places.columns if name != "location"})
    sold = tables["demand"]
    last = sold[sold["quantity"] > 0].groupby(SERIES)["date"].max()
    last = last.reindex(pd.MultiIndex.from_frame(keys[SERIES]))
    idle = (period.start(pd.DatetimeIndex([as_of]))[0] - pd.DatetimeIndex(last)) / pd.Timedelta(days=1)
    age = (period.end(as_of) - pd.DatetimeIndex(position["counted_on"])) / pd.Timedelta(days=1)
    joined = keys[SERIES].merge(about, on="sku", how="left").merge(there, on="location", how="left")
    return joined.drop(columns=SERIES).assign(
        supplier=supply["supplier"].to_numpy(dtype=object),
        abc=abc,
        xyz=xyz,
        days_since_sale=np.maximum(idle.to_numpy(), 0.0),
        stock_age_days=age.to_numpy(),
    )


def supplier_facts(suppliers: pd.DataFrame, inbound: Inbound, facts: pd.DataFrame) -> pd.DataFrame:
    """One row per supplier: its rating, what is overdue, how many items depend on it and may lose by it.

    suppliers: as `optimization.suppliers.rate_suppliers` gives them; facts: of the items
    An item depends on who delivers it and on who is late with it.
    """
    late = inbound.orders[inbound.orders["overdue"].astype(bool)].groupby("supplier")["quantity"].sum()
    lost = facts.reindex(columns=["expected_lost_units", "expected_lost_money"])
    parts = [lost.assign(supplier=facts[name], row=facts.index) for name in ("supplier", "late_supplier")]
    each = pd.concat(parts).dropna(subset=["supplier"]).drop_duplicates(["supplier", "row"])
    depend = each.groupby("supplier").agg(
        positions=("row", "size"),
        expected_lost_units=("expected_lost_units", "sum"),
        expected_lost_money=("expected_lost_money", "sum"),
    )
    out = suppliers.rename(columns={"words": "details", "words_zh": "details_zh"})
    out = out.assign(late=late.reindex(out["supplier"]).fillna(0.0).to_numpy())
    out = out.merge(depend, left_on="supplier", right_index=True, how="left")
    return out.assign(positions=out["positions"].fillna(0.0))


def _overdue(demand: CumulativeDemand, inbound: Inbound) -> dict[str, np.ndarray]:
    """Overdue units, by how many days at most, and the supplier that owes the most of them."""
    keys, now = demand.keys, demand.period.end(demand.as_of)
    index = pd.MultiIndex.from_frame(keys[SERIES])
    row = index.get_indexer(pd.MultiIndex.from_frame(inbound.orders[SERIES]))
    late = (row >= 0) & inbound.orders["overdue"].to_numpy(dtype=bool)
    owed = inbound.orders.assign(row=row)[late].sort_values("quantity", ascending=False, kind="stable")
    supplier = owed.drop_duplicates("row").set_index("row")["supplier"].reindex(range(len(keys)))
    first = pd.to_datetime(owed["promised_on"]).groupby(owed["row"]).min().reindex(range(len(keys)))
    return {
        "late": np.bincount(owed["row"], weights=owed["quantity"], minlength=len(keys)),
        "late_days": ((now - first) / pd.Timedelta(days=1)).to_numpy(),
        "late_supplier": supplier.to_numpy(dtype=object),
    }


def _risk(risk: pd.DataFrame, n: int, horizon: int, step: np.ndarray, days: float) -> dict[str, np.ndarray]:
    """The risk by the end of lead time and review, and the day by which the shelf is probably out."""
    grid = {name: risk[name].to_numpy(dtype=float).reshape(n, horizon) for name in AT_END}
    out = {name: values[np.arange(n), step - 1] for name, values in grid.items()}
    passed = grid["stockout_probability"] >= EXPECTED
    first = (passed.argmax(axis=1) + 1) * days
    order_by = risk["order_by"].to_numpy().reshape(n, horizon)[:, 0]
    return out | {"days_to_stockout": np.where(passed.any(axis=1), first, np.nan), "order_by": order_by}
