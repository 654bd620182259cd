"""Facts: what a rule can see of each sku at each location, one row each.

This module owns the columns, their units and the check that they are there. The pipeline joins them from
stock, thresholds, risk, recommended orders and items; what it does not know stays missing.
"""

from typing import Any

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
NOTHING = ("reserved", "inbound", "late")  # what nobody mentions is none
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
    columns: dict[str, Any] = {str(name): out[name] for name in out.columns}
    columns |= {name: _numbers(out, name) for name in NUMBERS}
    columns |= {name: _dates(out, name) for name in DATES}
    columns |= {name: _words(out, name) for name in WORDS}
    return pd.DataFrame(columns)


def _numbers(facts: pd.DataFrame, name: str) -> np.ndarray:
    """(n,) float64; what is no finite number is missing, and a missing quantity of NOTHING is 0."""
    if name in facts:
        values = pd.to_numeric(facts[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        values = np.where(np.isfinite(values), values, np.nan)
    else:
        values = np.full(len(facts), np.nan)
    return np.nan_to_num(values, nan=0.0) if name in NOTHING else values


def _dates(facts: pd.DataFrame, name: str) -> np.ndarray:
    if name not in facts:
        return np.full(len(facts), np.datetime64("NaT", "ns"))
    return pd.to_datetime(facts[name]).to_numpy(dtype="datetime64[ns]")


def _words(facts: pd.DataFrame, name: str) -> np.ndarray:
    if name not in facts:
        return np.full(len(facts), None, dtype=object)
    words = facts[name].astype(object)
    return words.where(words.notna(), None).to_numpy()


def available(facts: pd.DataFrame) -> np.ndarray:
    """(n,) units that can be promised now: on hand − reserved."""
    return (facts["on_hand"] - facts["reserved"]).to_numpy()
