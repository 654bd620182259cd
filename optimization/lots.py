"""Lots: which units stand on each shelf, and up to when they can be sold.

It owns the way from counted lots, or from receipts where no lot was ever counted, to lots that add up to what
is on hand today. What expires first is taken to have been sold first.
"""

import numpy as np
import pandas as pd

from ingestion.periods import Period
from optimization.position import SERIES

COLUMNS = ["row", "sku", "location", "lot", "quantity", "expires_on", "source"]


def lots_on_shelf(
    position: pd.DataFrame,
    shelf_life: np.ndarray,
    lots: pd.DataFrame,
    supply_orders: pd.DataFrame,
    period: Period,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """Lots of each series at the end of the period `as_of`, COLUMNS, what expires first first.

    position: (n,) with sku, location, on_hand; a series never counted (NaN) has no lots
    shelf_life: (n,) days from receipt on which a unit can be sold, NaN without limit
    lots, supply_orders: contract tables; of lots the latest count of each series is taken
    row: of the series in position; expires_on: last day of sale, NaT = never; source: "lot" as counted,
        "receipt" come since (of a shelf life without counted lots: as far back as on_hand reaches), or
        "unknown", on hand beyond those and taken for fresh
    Quantities of a series add up to its on_hand.
    """
    index = pd.MultiIndex.from_frame(position[SERIES])
    counted = _counted(lots, index, period.end(as_of))
    since = counted.groupby("row")["counted_on"].first().reindex(range(len(position)))
    parts = pd.concat(
        [counted, _received(supply_orders, index, shelf_life, since, period.end(as_of))], ignore_index=True
    )
    on_hand = position["on_hand"].to_numpy(dtype=float)
    parts = parts[np.isfinite(on_hand[parts["row"].to_numpy(dtype=np.int64)])]
    parts = parts.sort_values(["row", "expires_on", "lot"], kind="stable").reset_index(drop=True)
    # Sold first is what expires first, so the last to expire are those still there.
    later = parts[::-1].groupby("row")["quantity"].cumsum()[::-1] - parts["quantity"]
    room = on_hand[parts["row"].to_numpy(dtype=np.int64)] - later
    parts["quantity"] = np.clip(room, 0.0, parts["quantity"])
    kept = np.bincount(parts["row"].to_numpy(dtype=np.int64), parts["quantity"], minlength=len(position))
    fresh = np.flatnonzero(np.nan_to_num(on_hand) - kept > 1e-9)
    life = pd.Series(pd.to_timedelta(np.floor(shelf_life[fresh]), unit="D"))
    rest = pd.DataFrame({"row": fresh, "lot": "", "quantity": on_hand[fresh] - kept[fresh]})
    rest = rest.assign(expires_on=period.end(as_of) + life, source="unknown")
    out = pd.concat([parts[parts["quantity"] > 0], rest], ignore_index=True)
    out = out.sort_values(["row", "expires_on", "lot"], kind="stable").reset_index(drop=True)
    keys = position[SERIES].iloc[out["row"].to_numpy(dtype=np.int64)].reset_index(drop=True)
    return out.assign(**keys)[COLUMNS]


def periods_left(expires_on: pd.Series, period: Period, as_of: pd.Timestamp, never: int) -> np.ndarray:
    """Whole periods after `as_of` that end by each last day of sale; `never` where there is none, at least 0.

    >>> days = pd.Series(pd.to_datetime(["2024-04-09", "2024-04-01", None]))
    >>> periods_left(days, Period("day"), pd.Timestamp("2024-04-07"), 99).tolist()
    [2, 0, 99]
    """
    known = expires_on.notna().to_numpy()
    out = np.full(len(expires_on), never)
    beyond = pd.DatetimeIndex(expires_on[known]) + pd.Timedelta(days=1)
    out[known] = period.index(beyond) - 1 - period.index(as_of)[0]
    return np.clip(out, 0, never)


def lots_of(lots: pd.DataFrame, rows: slice) -> pd.DataFrame:
    """The lots of the series `rows` alone, numbered from its first one on.

    >>> lots_of(pd.DataFrame({"row": [0, 2, 2, 3], "quantity": 1.0}), slice(1, 3))["row"].tolist()
    [1, 1]
    """
    first, last = int(rows.start or 0), int(rows.stop)
    part = lots[lots["row"].between(first, last - 1)]
    return part.assign(row=part["row"] - first).reset_index(drop=True)


def expired_units(lots: pd.DataFrame, count: int, period: Period, as_of: pd.Timestamp) -> np.ndarray:
    """(count,) units of counted lots that cannot be sold any more in the period after `as_of`."""
    over = (lots["source"] == "lot").to_numpy() & (periods_left(lots["expires_on"], period, as_of, 1) == 0)
    row = lots["row"].to_numpy(dtype=np.int64)
    return np.bincount(row[over], lots["quantity"].to_numpy(dtype=float)[over], minlength=count)


def _counted(lots: pd.DataFrame, index: pd.MultiIndex, end: pd.Timestamp) -> pd.DataFrame:
    """The latest count of lots of each series: row, lot, quantity, expires_on, source, counted_on."""
    table = lots.reindex(columns=[*SERIES, "as_of", "lot", "quantity", "expires_on"])
    table = table.assign(row=index.get_indexer(pd.MultiIndex.from_frame(table[SERIES])))
    table["counted_on"] = pd.to_datetime(table["as_of"])
    table = table[(table["row"] >= 0) & (table["counted_on"] <= end)]
    latest = table.groupby("row")["counted_on"].transform("max")
    table = table[table["counted_on"] == latest]
    table = table.assign(expires_on=pd.to_datetime(table["expires_on"]), source="lot")
    table = table.astype({"quantity": "float64", "lot": "str"})
    return table[["row", "lot", "quantity", "expires_on", "source", "counted_on"]]


def _received(
    supply_orders: pd.DataFrame,
    index: pd.MultiIndex,
    shelf_life: np.ndarray,
    since: pd.Series,
    end: pd.Timestamp,
) -> pd.DataFrame:
    """Receipts of series with a shelf life, after the count of their lots where there is one."""
    columns = [*SERIES, "order_id", "quantity", "received_on", "received_quantity"]
    table = supply_orders.reindex(columns=columns)
    table["received_on"] = pd.to_datetime(table["received_on"])
    table = table[table["received_on"].notna() & (table["received_on"] <= end)]
    row = index.get_indexer(pd.MultiIndex.from_frame(table[SERIES]))
    table = table.assign(row=row)[np.isfinite(shelf_life[row]) & (row >= 0)]
    row = table["row"].to_numpy(dtype=np.int64)
    table = table[~(table["received_on"].to_numpy() <= since.to_numpy(dtype="datetime64[ns]")[row])]
    # A unit that comes in the morning with one day to live is sold on that day or not at all.
    life = pd.to_timedelta(np.floor(shelf_life[table["row"].to_numpy(dtype=np.int64)]) - 1.0, unit="D")
    units = table["received_quantity"].fillna(table["quantity"]).astype(float)
    out = pd.DataFrame({"row": table["row"], "lot": table["order_id"].astype(str), "quantity": units})
    return out.assign(expires_on=table["received_on"] + life, source="receipt")
