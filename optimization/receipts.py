"""Supply orders as evidence: how many whole periods each order line took, or has been open so far.

It owns the reading of order lines: several receipts of one line, what is still open, what cannot be
used and why. Lead times, late deliveries and stock on order all start from here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingestion.periods import Period

LINE = ["order_id", "line", "sku", "location", "supplier"]
COLUMNS = [*LINE, "kind", "quantity", "ordered_on", "promised_on", "received_on", "received_quantity"]
KNOWN = ["order_id", "kind", "supplier", "location", "sku", "ordered_on", "received_on"]
KNOWN += ["periods", "late", "received", "weight"]
HALF_LIFE = 180.0  # days after which an order counts half
SHORT = 0.05  # share of a line that may be missing from a delivery that closes it


@dataclass(frozen=True)
class Observations:
    """What the orders say about lead times.

    rows: order_id, kind, supplier, location, sku, ordered_on, received_on (NaT = open); periods: whole
        periods taken (received) or survived so far (open: the lead time is longer); late: the same
        against the promise (NaN without one, negative when early); received: bool; weight: share of the
        line × recency, in (0, 1]
    rejected: rows that cannot be used: supplier and reason
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame

    @property
    def set_aside(self) -> dict[str, int]:
        """Number of rows that cannot be used, by reason."""
        return {str(k): int(v) for k, v in self.rejected["reason"].value_counts().items()}


def whole_periods(start: pd.Series, end: pd.Series, period: Period) -> np.ndarray:
    """Whole periods from `start` to `end`, rounded up; missing dates give NaN.

    >>> first, last = pd.Series(pd.to_datetime(["2024-01-01"])), pd.Series(pd.to_datetime(["2024-02-01"]))
    >>> [whole_periods(first, last, Period(name)).item() for name in ("day", "week", "month")]
    [31.0, 5.0, 1.0]
    """
    known = (start.notna() & end.notna()).to_numpy()
    out = np.full(len(start), np.nan)
    first, last = pd.DatetimeIndex(start[known]), pd.DatetimeIndex(end[known])
    if period.name == "month":  # calendar months: from the 1st to the next 1st is one, whatever its days
        months = period.index(last) - period.index(first)
        out[known] = months + (last.day > first.day)
    else:
        out[known] = period.from_days((last - first).days.to_numpy(dtype=float))
    return out


def first_start(dates: pd.Series, period: Period) -> np.ndarray:
    """Index of the first period that starts on or after each date: when what is dated so can be used.

    >>> first_start(pd.Series(pd.to_datetime(["2024-04-08", "2024-04-09"])), Period("week")).tolist()
    [2831, 2832]
    """
    return period.index(pd.DatetimeIndex(dates) - pd.Timedelta(days=1)) + 1


def observe(
    supply_orders: pd.DataFrame,
    period: Period,
    as_of: pd.Timestamp,
    half_life_days: float = HALF_LIFE,
    longest_days: float = 1096.0,
) -> Observations:
    """Turn order lines into lead-time observations as known at the end of the period `as_of`.

    supply_orders: as the contract has it; a line of several receipts counts each by its share
    half_life_days: after this many days an order counts half; infinite = all count the same
    longest_days: a longer lead time is taken for a wrong date and set aside, a promise further ahead for none
    """
    now = period.end(as_of)
    lines = _as_known(supply_orders, now)
    days = (lines["received_on"] - lines["ordered_on"]).dt.days
    reason = pd.Series("", index=lines.index)
    reason[days > longest_days] = f"lead time above {longest_days:.0f} days"
    reason[days < 0] = "received before it was ordered"
    reason[lines["ordered_on"].isna()] = "no order date"
    rejected = lines[["supplier"]].assign(reason=reason)[reason != ""].reset_index(drop=True)
    rows = lines[reason == ""].reset_index(drop=True)
    received = rows["received_on"].notna()
    end = rows["received_on"].where(received, now + pd.Timedelta(days=1))
    # An open order has outlived all periods that would have ended with a receipt up to now.
    survived = np.where(received, 0, 1)
    age = (now - rows["ordered_on"]).dt.days.to_numpy(dtype=float)
    ahead = (rows["promised_on"] - rows["ordered_on"]).dt.days
    rows = rows.assign(
        periods=whole_periods(rows["ordered_on"], end, period) - survived,
        late=whole_periods(rows["promised_on"].mask(ahead > longest_days), end, period) - survived,
        received=received,
        weight=rows["share"] * 0.5 ** (age / half_life_days),
    )
    return Observations(rows.loc[rows["weight"] > 0, KNOWN].reset_index(drop=True), rejected)


def open_lines(supply_orders: pd.DataFrame, as_of: pd.Timestamp, period: Period) -> pd.DataFrame:
    """What is still to come: one row per open order line, `quantity` the units not yet received.

    Columns: order_id, line, kind, sku, location, supplier, quantity, ordered_on, promised_on.
    """
    lines = _as_known(supply_orders, period.end(as_of))
    lines = lines[lines["received_on"].isna()].copy()
    lines["quantity"] = lines["share"] * lines["ordered"]
    wanted = [
        "order_id",
        "line",
        "kind",
        "sku",
        "location",
        "supplier",
        "quantity",
        "ordered_on",
        "promised_on",
    ]
    return lines.loc[lines["quantity"] > 0, wanted].reset_index(drop=True)


def _as_known(supply_orders: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """One row per receipt and one per open remainder, with `share` of the line's `ordered` units.

    A promise that lies before the order is left out.
    """
    lines = supply_orders.reindex(columns=COLUMNS)
    for date in ("ordered_on", "promised_on", "received_on"):
        lines[date] = pd.to_datetime(lines[date])
    lines = lines[~(lines["ordered_on"] > now)].copy()
    # Promised before it was placed: no promise.
    lines["promised_on"] = lines["promised_on"].mask(lines["promised_on"] < lines["ordered_on"])
    lines["kind"] = lines["kind"].astype("object").where(lines["kind"].notna(), "purchase")
    lines[LINE] = lines[LINE].astype("str").where(lines[LINE].notna(), "")
    later = lines["received_on"] > now
    lines["received_on"] = lines["received_on"].mask(later)
    lines["received_quantity"] = pd.to_numeric(lines["received_quantity"]).astype(float).mask(later)
    lines["quantity"] = lines["quantity"].astype(float).fillna(1.0).clip(lower=1e-9)
    lines["line_no"] = lines.groupby(LINE, sort=False).ngroup()
    lines["ordered"] = lines.groupby("line_no")["quantity"].transform("max")
    received = lines[lines["received_on"].notna()].copy()
    received["share"] = received["received_quantity"].fillna(received["quantity"]) / received["ordered"]
    total = received.groupby("line_no")["share"].sum()
    received["share"] /= received["line_no"].map(total).clip(lower=1.0)
    rest = lines.drop_duplicates("line_no").copy()
    rest["share"] = 1.0 - rest["line_no"].map(total).fillna(0.0)
    rest["received_on"] = pd.NaT
    # A few per cent short is how a complete delivery looks, not an order still under way.
    untouched = ~rest["line_no"].isin(total.index)
    asked_for = rest["line_no"].isin(lines.loc[lines["received_on"].isna(), "line_no"])
    rest = rest[untouched | (rest["share"] > np.where(asked_for, 1e-9, SHORT))]
    return pd.concat([received, rest], ignore_index=True)
