"""Suppliers: how reliable each is, whether that is changing, and what could not be read of its orders.

It owns the report a buyer reads before talking to a supplier; the distributions that levels rest on are
lead_time's. Transfers are rated by the place that sends, own production by its orders.
"""

from typing import Any

import numpy as np
import pandas as pd

from ingestion.periods import Period
from optimization.drift import YEAR, last_shift, moves
from optimization.explanation import PERIODS, amount, percent
from optimization.lead_time import without_lost
from optimization.receipts import observe

RECENT = pd.Timedelta(days=91)  # deliveries that are compared with those of the year before them
SURE = 2.6  # standard errors of a shift that luck alone passes in one of a hundred suppliers
LEAST = 0.15  # share by which lead times must have changed for anyone to act on it
COLUMNS = [
    "supplier", "kind", "receipts", "open_orders", "overdue", "on_time", "days_late", "lead_time_mean",
    "lead_time_sd", "lead_time_q50", "lead_time_q90", "trend", "shifted", "set_aside", "words", "words_zh",
]  # fmt: skip


def rate_suppliers(supply_orders: pd.DataFrame, period: Period, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per supplier as known at the end of the period `as_of`, COLUMNS, the shifted first.

    receipts: deliveries, a part of a line counted as one; open_orders: lines not fully received, overdue: of
        them, those promised by now
    on_time: share of what was due by now that came as promised, which what is overdue has not; days_late:
        mean of the deliveries that came later, in periods; both NaN where nothing was promised
    lead_time_…: periods from order to receipt, each by its share of the line; recent ones count more in the
        mean, the standard deviation and the quantiles (receipts.HALF_LIFE)
    trend: lead times of the last RECENT days over those of the year before them, less one; NaN where there
        are fewer than two orders in either
    shifted: whether the trend is more than luck, or thresholds go by the orders since a shift, of which the
        words tell the day (`drift.since_shift`); not where the trend is less than LEAST
    set_aside: order rows that could not be used, such as received before they were ordered
    """
    now = period.end(as_of)
    seen = observe(supply_orders, period, as_of)
    rows, suppliers = seen.rows, seen.rejected["supplier"]
    names = pd.Index(sorted(set(rows["supplier"]) | set(suppliers)), name="supplier")
    came, waits = rows[rows["received"]], rows[~rows["received"]]
    promised = came[came["late"].notna()]
    late = promised[promised["late"] > 0]
    overdue = waits.loc[waits["late"] >= 0, "supplier"].value_counts().reindex(names).fillna(0.0)
    due = promised["supplier"].value_counts().reindex(names).fillna(0.0) + overdue
    missed = late["supplier"].value_counts().reindex(names).fillna(0.0) + overdue
    weight = came["weight"].groupby(came["supplier"]).sum()
    mean = _share(came["weight"] * came["periods"], came["supplier"], weight)
    spread = _share(came["weight"] * came["periods"] ** 2, came["supplier"], weight) - mean**2
    shift = moves(rows, now - RECENT, now, now - RECENT - YEAR)
    moved = shift["move"].reindex(names).abs()
    sure = moved >= SURE * np.sqrt(shift["variance"].reindex(names))
    believed, *_ = without_lost(rows, period, as_of)  # the orders that thresholds learn from
    since = last_shift(believed, believed["periods"].to_numpy()).reindex(names)
    shifted = (sure | since.notna()) & ~(moved < np.log1p(LEAST))
    out = pd.DataFrame(index=names).assign(
        kind=rows.groupby("supplier")["kind"].agg(lambda kinds: kinds.mode().iloc[0]),
        receipts=came["supplier"].value_counts(),
        open_orders=waits["supplier"].value_counts(),
        overdue=overdue,
        on_time=1.0 - missed / due.where(due > 0.0),
        days_late=late.groupby("supplier")["late"].mean(),
        lead_time_mean=mean,
        lead_time_sd=np.sqrt(spread.clip(lower=0.0)),
        trend=np.expm1(shift["move"]),
        shifted=shifted,
        since=since.where(shifted),
        set_aside=suppliers.value_counts(),
    )
    counts = ["receipts", "open_orders", "overdue", "set_aside"]
    out[counts] = out[counts].fillna(0).astype(int)
    for level in (0.5, 0.9):
        out[f"lead_time_q{100 * level:.0f}"] = _quantile(came, level).reindex(names)
    out = out.reset_index()
    records = [{str(name): value for name, value in row.items()} for row in out.to_dict("records")]
    out["words"] = [_english(row, period.name) for row in records]
    out["words_zh"] = [_chinese(row, period.name) for row in records]
    order = out.assign(size=out["trend"].abs().fillna(0.0))
    order = order.sort_values(["shifted", "size", "receipts"], ascending=False, kind="stable")
    return order[COLUMNS].reset_index(drop=True)


def _share(values: pd.Series, supplier: pd.Series, weight: pd.Series) -> pd.Series:
    return values.groupby(supplier).sum() / weight


def _quantile(came: pd.DataFrame, level: float) -> pd.Series:
    """Fewest periods within which `level` of a supplier's weighted deliveries came."""
    ordered = came.sort_values(["supplier", "periods"])
    within = ordered.groupby("supplier")["weight"].cumsum()
    whole = ordered.groupby("supplier")["weight"].transform("sum")
    return ordered[within >= level * whole - 1e-9].groupby("supplier")["periods"].first()


def _english(row: dict[str, Any], period: str) -> str:
    if not row["receipts"]:
        said = f"Nothing received yet; {row['open_orders']} open."
    else:
        word = PERIODS[period][0] + ("" if row["lead_time_q50"] == 1 else "s")
        said = f"{row['receipts']} deliveries, usually within {amount(row['lead_time_q50'])} {word}, "
        said += f"9 of 10 within {amount(row['lead_time_q90'])}"
        said += "." if np.isnan(row["on_time"]) else f"; {percent(round(row['on_time'], 3))} as promised."
    if row["shifted"] and not np.isnan(row["trend"]):
        way = "longer" if row["trend"] > 0 else "shorter"
        said += f" Of late {percent(round(abs(row['trend']), 2))} {way} than the year before."
    if not pd.isna(row["since"]):
        said += f" Orders after {row['since'].date()} take other times than those before, and count most."
    if row["overdue"]:
        said += f" Overdue: {row['overdue']}."
    if row["set_aside"]:
        said += f" {row['set_aside']} order rows with impossible dates are left out."
    return said


def _chinese(row: dict[str, Any], period: str) -> str:
    word = PERIODS[period][1]
    if not row["receipts"]:
        said = f"尚无到货；未到{row['open_orders']}单。"
    else:
        said = f"到货{row['receipts']}次，半数在{amount(row['lead_time_q50'])}{word}内，"
        said += f"九成在{amount(row['lead_time_q90'])}{word}内"
        said += "。" if np.isnan(row["on_time"]) else f"；按期率{percent(round(row['on_time'], 3))}。"
    if row["shifted"] and not np.isnan(row["trend"]):
        way = "变长" if row["trend"] > 0 else "缩短"
        said += f"近期交期较上年{way}{percent(round(abs(row['trend']), 2))}。"
    if not pd.isna(row["since"]):
        said += f"{row['since'].date()}之后的订单交期与此前不同，以其为准。"
    if row["overdue"]:
        said += f"逾期{row['overdue']}单。"
    if row["set_aside"]:
        said += f"另有{row['set_aside']}行日期有误，未采用。"
    return said
