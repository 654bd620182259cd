"""Facts: what a rule can see of each sku at each location, one row each.

This module owns the columns, their units and the check that they are there. The pipeline joins them from
stock, thresholds, risk, recommended orders and items; what it does not know stays missing.
"""

import numpy as np
import pandas as pd

from ingestion.errors import DataError

KEYS = ("sku", "location")
NUMBERS = {
    "on_hand": "units in the shop; missing = nobody has counted",
    "reserved": "units of these already promised; missing = 0",
    "inbound": "units on order that are likely to arrive within the lead time; missing = 0",
    "late": "units of open orders that are overdue; missing = 0",
    "projected": "units expected at the end of the lead time, inbound included; may be negative",
    "safety_stock": "units",
    "reorder_point": "units",
    "order_up_to": "units",
    "overstock_level": "units",
    "stockout_probability": "chance of a stockout within lead time + review",
    "expected_lost_units": "units of demand lost within lead time + review, on average",
    "expected_lost_money": "the same in money; missing = lost units × unit price, else × unit cost",
    "unavoidable_probability": "the chance that an order placed today cannot avert",
    "unavoidable_lost_units": "the units that an order placed today cannot save",
    "days_to_stockout": "days until the stock is expected to run out; missing = not within the horizon",
    "unit_cost": "money per unit",
    "unit_price": "money per unit",
    "lead_time_q50": "days",
    "lead_time_q90": "days",
    "order_quantity": "units of the recommended order; 0 = nothing to order",
    "order_cost": "money of the recommended order",
}
DATES = ("order_by", "order_arrives_on", "data_as_of")
WORDS = ("name", "lifecycle", "order_supplier", "late_supplier", "data_digest", "model_version")


def complete(facts: pd.DataFrame) -> pd.DataFrame:
    """Facts with every known column: absent ones missing, numbers float64, words text or None.

    facts: sku, location and any of NUMBERS, DATES and WORDS; further columns serve selectors
    Raises DataError where a key column is absent, a key is missing or a position occurs twice.

    >>> complete(pd.DataFrame({"sku": ["a"], "location": ["s"], "on_hand": [3]}))["reserved"].tolist()
    [0.0]
    """
    absent = [key for key in KEYS if key not in facts]
    if absent:
        raise DataError(f"facts need sku and location, {', '.join(absent)} is absent; add the column")
    out = facts.reset_index(drop=True).copy()
    for key in KEYS:
        if out[key].isna().any():
            row = int(out[key].isna().to_numpy().argmax())
            raise DataError(f"every position needs a {key}, row {row} has none; drop or name it")
        out[key] = out[key].astype(str)
    twice = out.duplicated(list(KEYS))
    if twice.any():
        first = out.loc[twice, list(KEYS)].iloc[0]
        raise DataError(
            f"one row per sku and location, {first['sku']} at {first['location']} occurs twice; "
            "add the quantities up before evaluating"
        )
    for column in NUMBERS:
        numbers = pd.to_numeric(out[column], errors="coerce") if column in out else np.nan
        out[column] = pd.Series(numbers, index=out.index, dtype="float64").replace([np.inf, -np.inf], np.nan)
    for column in ("reserved", "inbound", "late"):
        out[column] = out[column].fillna(0.0)
    for column in DATES:
        dates = pd.to_datetime(out[column]) if column in out else pd.NaT
        out[column] = pd.Series(dates, index=out.index, dtype="datetime64[ns]")
    for column in WORDS:
        words = out[column].astype(object) if column in out else pd.Series(None, out.index, dtype=object)
        out[column] = words.where(words.notna(), None)
    return out


def available(facts: pd.DataFrame) -> np.ndarray:
    """(n,) units that can be promised now: on hand − reserved."""
    return (facts["on_hand"] - facts["reserved"]).to_numpy()
