"""Histories: the tables of a walk as the arrays that outcomes and KPIs are told from.

It owns what an empty shelf is taken to have hidden of demand, when a shelf counts as short, and the count of
each period rolled forward from the stock counts there are.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.panel import Panel
from ingestion.periods import Period
from optimization.classic import past_demand
from optimization.lead_time import LeadTimes
from optimization.targets import Defaults, set_targets
from serving.walk import Walk
from warning.counterfactual import Orders
from warning.history import SERIES, History

PAST = {"day": 91, "week": 26, "month": 12}  # periods whose mean stands for what an empty shelf hid


@dataclass(frozen=True)
class Gathered:
    """What happened to the n series of a panel over its last T periods.

    sold: (n, T) units that left the shelf
    supply, policy: terms, and what holding and missing a unit cost, row by row
    """

    history: History
    sold: np.ndarray
    supply: pd.DataFrame
    policy: pd.DataFrame


def gather(walk: Walk, periods: int) -> Gathered:
    """The last `periods` periods of a walk, or all there are."""
    panel, tables, period = walk.panel, walk.tables, walk.period
    count = min(periods, panel.length)
    keys = panel.keys[SERIES].reset_index(drop=True)
    first = int(period.index(walk.as_of)[0]) + 1 - count
    supply, lead_times = walk.lead_times_of(keys)
    defaults = Defaults(target=walk.settings.default_target)
    policy = set_targets(supply, tables["policies"], period, defaults, period.end(walk.as_of))
    lived = np.arange(panel.length)[-count:] >= panel.first[:, None]
    available = stock_over_time(keys, tables, period, first, count)
    sold = np.nan_to_num(panel.sold[:, -count:].astype(float))
    wanted = np.where(lived, _wanted(panel, count), np.nan)
    orders, due = _orders(keys, tables["supply_orders"], lead_times, period, first)
    history = History(
        keys=keys,
        period=period,
        first=first,
        wanted=wanted,
        expected=wanted,
        available=available,
        short=lived & (panel.in_stock[:, -count:] < 1.0),
        seen=lived & ~np.isnan(available),
        orders=orders,
        due=due,
        lead=lead_times.typical,
        review=supply["review_periods"].to_numpy(dtype=np.int64),
        backorder=(policy["unmet"] == "backorder").to_numpy(),
        lots=_lots(tables["lots"], period, first),
    )
    return Gathered(history, sold, supply, policy)


def stock_over_time(
    keys: pd.DataFrame, tables: dict[str, pd.DataFrame], period: Period, first: int, count: int
) -> np.ndarray:
    """(n, count) units on the shelf at the end of each period from number `first`, less what was reserved.

    Each count holds at the end of its period; between counts, what came in is added and what was sold or sent
    elsewhere taken off, never below nothing. NaN before the first count.
    """
    stock = tables["stock"].sort_values("as_of", kind="stable")
    index = pd.MultiIndex.from_frame(keys)
    begin = min(first, int(period.index(stock["as_of"]).min())) if len(stock) else first
    steps = first + count - begin
    flow, counted = np.zeros((len(keys), steps)), np.full((len(keys), steps), np.nan)
    orders = tables["supply_orders"]
    received = orders[orders["received_on"].notna()]
    units = received["received_quantity"].fillna(received["quantity"])
    moved = [
        (received[SERIES], received["received_on"], units),
        (tables["demand"][SERIES], tables["demand"]["date"], -tables["demand"]["quantity"]),
    ]
    sent = received[received["kind"] == "transfer"]
    places = sent[["sku"]].assign(location=sent["supplier"])
    moved.append((places, sent["ordered_on"], -units[sent.index]))
    for where, dates, quantity in moved:
        row, at = _cells(index, where, dates, period, begin)
        inside = (row >= 0) & (at >= 0) & (at < steps)
        np.add.at(flow, (row[inside], at[inside]), np.nan_to_num(quantity.to_numpy(dtype=float))[inside])
    row, at = _cells(index, stock[SERIES], stock["as_of"], period, begin)
    inside = (row >= 0) & (at >= 0) & (at < steps)
    known = (stock["on_hand"] - stock["reserved"].fillna(0.0)).to_numpy(dtype=float)
    counted[row[inside], at[inside]] = known[inside]
    level, out = np.full(len(keys), np.nan), np.empty((len(keys), steps))
    for t in range(steps):
        level = np.where(np.isnan(counted[:, t]), np.maximum(level + flow[:, t], 0.0), counted[:, t])
        out[:, t] = level
    return out[:, steps - count :]


def _wanted(panel: Panel, count: int) -> np.ndarray:
    """(n, count) units asked for; where that is hidden, what was sold or what was usual, whichever is
    more; of a place that was shut nothing.
    """
    quantity, seen = panel.quantity.astype(float), panel.observed
    mean, _ = past_demand(quantity, seen, PAST[panel.period.name])
    usual = np.where(panel.closed[:, -count:], 0.0, mean[:, None])
    sold = np.nan_to_num(panel.sold[:, -count:].astype(float))
    return np.where(seen[:, -count:], quantity[:, -count:], np.maximum(sold, usual))


def _orders(
    keys: pd.DataFrame, table: pd.DataFrame, lead_times: LeadTimes, period: Period, first: int
) -> tuple[Orders, np.ndarray]:
    """Orders of the series, and the period at whose start each was promised, or else is usual."""
    row = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(table[SERIES].astype(str)))
    known = (row >= 0) & table["ordered_on"].notna().to_numpy()
    table, row = table[known], row[known]
    placed = period.index(table["ordered_on"]) - first
    came = table["received_on"].notna().to_numpy()
    arrived = np.full(len(table), np.iinfo(np.int64).max // 2)
    arrived[came] = period.index(table["received_on"][came]) - first
    promised = table["promised_on"].notna().to_numpy()
    due = placed + 1 + lead_times.typical[row]
    due[promised] = period.index(table["promised_on"][promised]) - first
    units = table["received_quantity"].fillna(table["quantity"]).to_numpy(dtype=float)
    return Orders(row, placed, arrived, units), due


def _lots(table: pd.DataFrame, period: Period, first: int) -> pd.DataFrame:
    """Lots with the periods of their counts and of the last day on which they may be sold."""
    numbers = {
        name: period.index(table[column]) - first if len(table) else np.zeros(0, dtype=np.int64)
        for name, column in (("as_of", "as_of"), ("expires", "expires_on"))
    }
    return table[[*SERIES, "lot", "quantity"]].assign(**numbers)


def _cells(
    index: pd.MultiIndex, where: pd.DataFrame, dates: pd.Series, period: Period, begin: int
) -> tuple[np.ndarray, np.ndarray]:
    row = index.get_indexer(pd.MultiIndex.from_frame(where[SERIES].astype(str)))
    if not len(dates):
        return row, np.zeros(0, dtype=np.int64)
    return row, period.index(pd.to_datetime(dates)) - begin
