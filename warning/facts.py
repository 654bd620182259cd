"""Facts: what a rule can see of each position, each supplier and each source, one row each.

This module owns the columns, their units and the check that they are there. The pipeline joins them from
stock, thresholds, risk, recommended orders, supplier ratings and data health; what it does not know stays
missing.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ingestion.errors import DataError
from warning.kinds import Subject

KEYS = ("sku", "location")
IDENTITY = ("sku", "location", "about")  # of any subject: `about` names a supplier or a source, else is ""
NUMBERS = {
    "on_hand": "units in the shop; missing = nobody has counted",
    "reserved": "units of these already promised; missing = 0",
    "inbound": "units on order that are likely to arrive within the lead time; missing = 0",
    "late": "units of open orders that are overdue; missing = 0",
    "late_days": "days by which the most overdue open order is behind its promise; missing = none is",
    "projected": "units expected at the end of the lead time, inbound included; may be negative",
    "safety_stock": "units",
    "reorder_point": "units",
    "order_up_to": "units",
    "overstock_level": "units",
    "stockout_probability": "chance of a stockout within lead time + review",
    "expected_lost_units": "units of demand lost within lead time + review, on average",
    "expected_lost_money": "the same in money; missing = lost units × unit price, else × unit cost",
    "unavoidable_probability": "the chance that the next order cannot avert",
    "unavoidable_lost_units": "the units that the next order cannot save",
    "days_to_stockout": "days until the stock is expected to run out; missing = not within the horizon",
    "days_of_cover": "days within which what is on hand is sold with chance ½",
    "days_since_sale": "days since something was sold; missing = never, or not known",
    "units_to_clear": "units that do not pay to keep",
    "money_to_clear": "money that these units tie up",
    "expiring_units": "units expected to expire unsold, those expired already among them",
    "sell_before_expiry_probability": "chance that every unit is sold in time; missing = nothing expires",
    "demand_seen": "units sold in the last window of demand_days",
    "demand_expected": "units that the forecast expected of it",
    "demand_days": "days of that window",
    "demand_once_in": "one window in how many has demand as far out as this one",
    "stock_age_days": "days since the stock was counted",
    "stale_days": "days by which the stale source of the position lags",
    "unit_cost": "money per unit",
    "unit_price": "money per unit",
    "lead_time_q50": "days",
    "lead_time_q90": "days",
    "order_quantity": "units of the recommended order; 0 = nothing to order",
    "order_cost": "money of the recommended order",
}
NOTHING = ("reserved", "inbound", "late")  # what nobody mentions is none
DATES = ("order_by", "order_arrives_on", "first_expiry_on", "data_as_of")
WORDS = (
    *("name", "lifecycle", "supplier", "order_kind", "order_supplier", "late_supplier"),
    *("stale_source", "data_digest", "model_version"),
)


class Columns(NamedTuple):
    """The columns of one subject's facts: its key, numbers, dates and words."""

    keys: tuple[str, ...]
    numbers: tuple[str, ...]
    dates: tuple[str, ...]
    words: tuple[str, ...]


COLUMNS: dict[Subject, Columns] = {
    "item": Columns(KEYS, tuple(NUMBERS), DATES, WORDS),
    # overdue of open_orders lines; trend: share by which lead times are longer than a year ago, shifted: 1
    # where that is more than luck; positions: how many wait for it; lost: what these may lose
    "supplier": Columns(
        ("supplier",),
        (
            *("open_orders", "overdue", "receipts", "on_time", "days_late", "trend", "shifted", "late"),
            *("lead_time_q50", "lead_time_q90", "positions", "expected_lost_units", "expected_lost_money"),
        ),
        ("data_as_of",),
        ("name", "details", "details_zh", "stale_source", "data_digest", "model_version"),
    ),
    # behind_days: against the newest source; stale: 1 where that is too long; contradictions: series whose
    # figures disagree, of `positions` that it feeds
    "source": Columns(
        ("source",),
        (
            *("behind_days", "stale", "contradictions", "positions"),
            *("expected_lost_units", "expected_lost_money"),
        ),
        ("last", "data_as_of"),
        ("table", "name", "details", "details_zh", "data_digest", "model_version"),
    ),
}


def complete(facts: pd.DataFrame, subject: Subject = "item") -> pd.DataFrame:
    """Facts with every known column: absent ones missing, numbers float64, words text or None.

    facts: the subject's key and any of its COLUMNS; further columns serve selectors
    Every row also gets IDENTITY and `subject`. Raises DataError where a key column is absent, a key is
    missing or occurs twice.

    >>> complete(pd.DataFrame({"sku": ["a"], "location": ["s"], "on_hand": [3]}))["reserved"].tolist()
    [0.0]
    """
    keys, numbers, dates, words = COLUMNS[subject]
    absent = [key for key in keys if key not in facts]
    if absent:
        raise DataError(f"facts need {' and '.join(keys)}, {', '.join(absent)} is absent; add the column")
    out = facts.reset_index(drop=True).copy()
    for key in keys:
        if out[key].isna().any():
            row = int(out[key].isna().to_numpy().argmax())
            raise DataError(f"every {_noun(subject)} needs a {key}, row {row} has none; drop or name it")
        out[key] = out[key].astype(str)
    twice = out.duplicated(list(keys))
    if twice.any():
        first = " at ".join(out.loc[twice, list(keys)].iloc[0])
        raise DataError(
            f"one row per {' and '.join(keys)}, {first} occurs twice; add the quantities up before evaluating"
        )
    columns: dict[str, Any] = {str(name): out[name] for name in out.columns}
    columns |= {name: _numbers(out, name) for name in numbers}
    columns |= {name: _dates(out, name) for name in dates}
    columns |= {name: _words(out, name) for name in words}
    columns |= {"subject": subject, "about": "" if subject == "item" else out[subject]}
    if subject != "item":
        columns |= dict.fromkeys(KEYS, "")
    return pd.DataFrame(columns, index=out.index)


def complete_all(
    items: pd.DataFrame, suppliers: pd.DataFrame | None, sources: pd.DataFrame | None
) -> Mapping[Subject, pd.DataFrame]:
    """The facts of every subject; none where nobody gave them."""
    empty = pd.DataFrame(columns=["supplier", "source"], dtype=object)
    return {
        "item": complete(items),
        "supplier": complete(empty if suppliers is None else suppliers, "supplier"),
        "source": complete(empty if sources is None else sources, "source"),
    }


def _noun(subject: Subject) -> str:
    return "position" if subject == "item" else subject


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
