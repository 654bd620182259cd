"""The simulated retailer's store operations: sell, run out, order, wait.

Owns the day-by-day walk of stock and orders. The stores order up to a plain average with a fixed cover and
believe their suppliers' promises, as many do: so they run out now and then, and what they sell is less
than what their customers want.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ingestion.retailer_catalogue import SUPPLIERS, Catalogue

WINDOW = 28  # days of sales behind a store's plain average
FACING = 2  # units on the shelf for the look of it
LAG = 7  # a remainder of a partial receipt comes at most this many days later


@dataclass(frozen=True)
class Orders:
    """Supply orders in the order they were placed; days count from day 0.

    series, day, lead, quantity: (orders,) series, day on which it goes out, days until it arrives, units
    missing: (orders,) units that come later, and late: (orders,) how many days later
    """

    series: np.ndarray
    day: np.ndarray
    lead: np.ndarray
    quantity: np.ndarray
    missing: np.ndarray
    late: np.ndarray


@dataclass(frozen=True)
class Operations:
    """What the stores saw.

    opening: (series,) units before day 0
    sales: (series, days) units sold
    on_hand: (series, days) units left at the end of the day
    in_stock: (series, days) share of the day with something on the shelf
    """

    opening: np.ndarray
    sales: np.ndarray
    on_hand: np.ndarray
    in_stock: np.ndarray
    orders: Orders


class Troubles(NamedTuple):
    """What goes wrong beyond the usual; rows are series in the order of the truth's keys.

    forgotten: (series, days) bool, evenings on which nobody orders
    slower: (series, days) whole days by which an order decided that evening takes longer than it would
    """

    forgotten: np.ndarray
    slower: np.ndarray


def run_stores(
    rng: np.random.Generator,
    catalogue: Catalogue,
    demand: np.ndarray,
    days: int,
    cover: float,
    troubles: Troubles | None = None,
) -> Operations:
    """Operate every store for `days` on the true `demand`, (series, ≥ days) units.

    cover: days of average sales that a store holds beyond the promised lead time and its review period
    """
    series, stores = len(demand), catalogue.base.shape[1]
    terms = [SUPPLIERS[s] for s in np.repeat(catalogue.supplier, stores)]
    reach = np.array([t.contract + t.review + cover for t in terms])
    grid = np.repeat(catalogue.lot, stores), np.repeat(catalogue.moq, stores)
    # Stores order until two weeks before an item ends, and first order a new one ahead of its launch.
    first = np.repeat(catalogue.first, stores)
    final = np.repeat(catalogue.last, stores) - 14
    base = catalogue.base.reshape(-1)
    opening = np.where(first < 0, np.ceil(base * reach) + FACING, 0.0)
    review = np.array([t.review for t in terms])
    turn = rng.integers(0, review)
    on_hand, on_order = opening.copy(), np.zeros(series)
    longest = max(len(t.pmf) for t in terms) + (int(troubles.slower.max()) if troubles else 0)
    arriving = np.zeros((series, days + longest + LAG + 2))
    sales, left = np.zeros((series, days), np.float32), np.zeros((series, days), np.float32)
    placed: list[tuple[np.ndarray, ...]] = []
    for day in range(days):
        on_hand += arriving[:, day]
        on_order -= arriving[:, day]
        sales[:, day] = np.minimum(demand[:, day], on_hand)
        on_hand -= sales[:, day]
        left[:, day] = on_hand
        if day == days - 1:
            break  # what the last evening decides is not in the records yet
        known = sales[:, max(day - WINDOW + 1, 0) : day + 1].sum(axis=1) / WINDOW
        young = day < np.maximum(first, 0) + WINDOW  # too few sales for an average: go by the buyer's guess
        level = np.ceil(np.where(young, base, known) * reach) + FACING
        wants = ((day - turn) % review == 0) & (day >= first - 30) & (day < final)
        if troubles:
            wants &= ~troubles.forgotten[:, day]
        quantity = np.where(wants, _on_grid(level - on_hand - on_order, *grid), 0.0)
        rows = np.flatnonzero(quantity)
        lead, missing, late = _draw_fates(rng, [terms[i].pmf for i in rows], quantity[rows])
        if troubles:
            lead = lead + troubles.slower[rows, day]
        arriving[rows, day + 1 + lead] += quantity[rows] - missing
        arriving[rows, day + 1 + lead + late] += missing
        on_order[rows] += quantity[rows]
        placed.append((rows, np.full(len(rows), day + 1), lead, quantity[rows], missing, late))
    orders = Orders(*(np.concatenate(column) for column in zip(*placed, strict=True)))
    return Operations(opening, sales, left, _draw_in_stock(rng, demand[:, :days], sales, left), orders)


def _on_grid(need: np.ndarray, lot: np.ndarray, moq: np.ndarray) -> np.ndarray:
    """Smallest quantity of 0, moq, moq + lot, … that covers each need."""
    return np.where(need > 0, moq + np.ceil(np.maximum(need - moq, 0) / lot) * lot, 0.0)


def _draw_fates(
    rng: np.random.Generator, pmfs: list[np.ndarray], quantity: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per order: lead time in days, units that miss the first receipt, and how much later they come."""
    chance = rng.random(len(pmfs))
    lead = np.array([np.searchsorted(np.cumsum(p), u) for p, u in zip(pmfs, chance, strict=True)], dtype=int)
    partial = (rng.random(len(pmfs)) < 0.04) & (quantity >= 4)
    missing = np.where(partial, np.floor(quantity * rng.uniform(0.1, 0.4, len(pmfs))), 0.0)
    return lead, missing, rng.integers(2, LAG + 1, len(pmfs))


def _draw_in_stock(
    rng: np.random.Generator, demand: np.ndarray, sales: np.ndarray, left: np.ndarray
) -> np.ndarray:
    """(series, days) share of the day until the last unit went, to the hour, from 1 to 23.

    Customers come evenly over the day, so the moment of sale k of n is Beta(k, n - k + 1).
    """
    share = np.ones(demand.shape, np.float32)
    empty = left == 0
    share[empty & (sales == 0)] = 0.0
    rows = empty & (sales > 0)
    hours = 24 * rng.beta(sales[rows], demand[rows] - sales[rows] + 1)
    share[rows] = np.clip(np.rint(hours), 1, 23) / 24
    return share


def order_table(
    catalogue: Catalogue, orders: Orders, keys: pd.DataFrame, start: pd.Timestamp, days: int
) -> pd.DataFrame:
    """Supply orders as known at the end of the last day: what has not arrived has no receipt.

    A line that came in two receipts is two rows, each with the quantity ordered.
    """
    terms = [SUPPLIERS[s] for s in np.repeat(catalogue.supplier, catalogue.base.shape[1])]
    contract = np.array([t.contract for t in terms])[orders.series]
    arrival = orders.day + orders.lead
    table = pd.DataFrame(
        {
            "order_id": [f"PO{i + 1:07d}" for i in range(len(orders.day))],
            "line": "1",
            "kind": "purchase",
            "sku": keys["sku"].to_numpy()[orders.series],
            "location": keys["location"].to_numpy()[orders.series],
            "supplier": np.array([t.name for t in terms])[orders.series],
            "quantity": orders.quantity,
            "ordered_on": start + pd.to_timedelta(orders.day, unit="D"),
            "promised_on": start + pd.to_timedelta(orders.day + contract, unit="D"),
            "received_on": start + pd.to_timedelta(arrival, unit="D"),
            "received_quantity": orders.quantity - orders.missing,
        }
    )
    rest = table[orders.missing > 0].copy()
    rest["received_quantity"] = orders.missing[orders.missing > 0]
    rest["received_on"] += pd.to_timedelta(orders.late[orders.missing > 0], unit="D")
    table = pd.concat([table, rest], ignore_index=True)
    later = table["received_on"] > start + pd.Timedelta(days=days - 1)
    table.loc[later, "received_on"] = pd.NaT
    table.loc[later, "received_quantity"] = np.nan
    both_open = table.duplicated(["order_id", "line"]) & table["received_on"].isna()
    first_open = table["order_id"].isin(table.loc[later, "order_id"][~table.duplicated("order_id")[later]])
    table = table[~(both_open & first_open)]  # a line of which nothing came yet is one open row
    return table.sort_values(["order_id", "received_on"], ignore_index=True)


def stock_table(
    operations: Operations, keys: pd.DataFrame, start: pd.Timestamp, born: np.ndarray
) -> pd.DataFrame:
    """On hand at the end of each Sunday and of the last day, and before the first day.

    born: (series,) day from which a series has a stock record
    """
    days = operations.on_hand.shape[1]
    dates = start + pd.to_timedelta(np.arange(days), unit="D")
    taken = np.flatnonzero((dates.day_of_week == 6) | (np.arange(days) == days - 1))
    counts = np.column_stack([operations.opening, operations.on_hand[:, taken]])
    day = np.concatenate([[-1], taken])
    kept = day[None, :] >= np.minimum(born, days - 1)[:, None] - 1
    row, column = np.nonzero(kept)
    return pd.DataFrame(
        {
            "sku": keys["sku"].to_numpy()[row],
            "location": keys["location"].to_numpy()[row],
            "as_of": start + pd.to_timedelta(day[column], unit="D"),
            "on_hand": counts[row, column].astype(float),
        }
    )
