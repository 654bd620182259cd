"""A simulated retailer whose truth is known: tables as a business would hand them over, and the truth apart.

Owns the assembly of the tables of the contracts from the catalogue, the demand and the store operations.
Tests and the demo read the tables; only tests read the truth.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from ingestion.retailer_catalogue import SUPPLIERS, Catalogue, draw_catalogue
from ingestion.retailer_demand import DemandTruth, draw_demand
from ingestion.retailer_supply import Operations, Troubles, order_table, run_stores, stock_table


@dataclass(frozen=True)
class Truth:
    """What nobody at the retailer knows.

    keys: (series,) frame with sku, location, category, supplier and kind (fast, medium, slow, intermittent)
    dates: (days,) of the history and of the future after it
    quantity: (series, days) units customers wanted, shelf empty or not; 0 outside an item's life
    expected: (series, days) its mean given season, price, promotions and holidays, known ahead
    lead_times: supplier, kind (steady, skewed, bimodal, late), days, probability
    plans: every promotion and event, also those not announced by the last day
    """

    keys: pd.DataFrame
    dates: pd.DatetimeIndex
    quantity: np.ndarray
    expected: np.ndarray
    lead_times: pd.DataFrame
    plans: pd.DataFrame

    @property
    def demand(self) -> pd.DataFrame:
        """Long: sku, location, date, quantity, expected."""
        series, days = self.quantity.shape
        return pd.DataFrame(
            {
                "sku": np.repeat(self.keys["sku"].to_numpy(), days),
                "location": np.repeat(self.keys["location"].to_numpy(), days),
                "date": np.tile(self.dates, series),
                "quantity": self.quantity.reshape(-1).astype(float),
                "expected": self.expected.reshape(-1).astype(float),
            }
        )

    def pmf(self, supplier: str) -> np.ndarray:
        """Chance of a lead time of 0, 1, … whole days from this supplier."""
        rows = self.lead_times[self.lead_times["supplier"] == supplier]
        pmf = np.zeros(int(rows["days"].max()) + 1)
        pmf[rows["days"]] = rows["probability"]
        return pmf


@dataclass(frozen=True)
class Retailer:
    """The tables of a simulated business, by name, and its truth."""

    tables: dict[str, pd.DataFrame]
    truth: Truth
    last_day: pd.Timestamp

    def write(
        self, folder: Path, file_format: Literal["csv", "parquet"] = "parquet", truth: Path | None = None
    ) -> None:
        """Files named after the tables, which load without configuration; the truth where asked for."""
        _write(self.tables, folder, file_format)
        if truth is not None:
            secrets = {
                "demand": self.truth.demand,
                "lead_times": self.truth.lead_times,
                "plans": self.truth.plans,
            }
            _write(secrets, truth, file_format)


def simulate(
    seed: int = 0,
    *,
    items: int = 200,
    stores: int = 3,
    days: int = 730,
    start: str | pd.Timestamp = "2023-09-04",
    future_days: int = 90,
    cover: float = 8.0,
    troubles: Troubles | None = None,
) -> Retailer:
    """Simulate `items` × `stores` series for `days`, and the true demand for `future_days` after them.

    start: first day of the history; the same seed and sizes give the same bytes
    cover: days of average sales that the stores hold beyond promised lead time and review; less,
        and shelves are empty more often
    troubles: what goes wrong beyond the usual; history and demand are the same without

    A `Problem` where a size is too small to mean anything.
    """
    least = {"items": (items, 1), "stores": (stores, 1), "days": (days, 30), "future_days": (future_days, 0)}
    for name, (value, minimum) in least.items():
        if value < minimum:
            raise Problem(f"{name} must be at least {minimum}, got {value}; simulate a larger retailer")
    rng = np.random.default_rng(seed)
    first = pd.Timestamp(start)
    dates = pd.date_range(first, periods=days + future_days, freq="D")
    catalogue = draw_catalogue(rng, items, stores, first, days)
    demand = draw_demand(rng, catalogue, dates)
    operations = run_stores(rng, catalogue, demand.quantity, days, cover, troubles)
    truth = _truth(catalogue, demand, dates)
    keys, last_day = truth.keys[["sku", "location"]], dates[days - 1]
    plans = demand.plans[demand.plans["known_from"] <= last_day]
    tables = {
        "items": catalogue.items,
        "locations": catalogue.locations,
        "demand": _demand_table(catalogue, demand, operations, keys, dates[:days]),
        "plans": plans.reset_index(drop=True),
        "stock": stock_table(operations, keys, first, np.repeat(catalogue.first - 30, stores)),
        "supply_orders": order_table(catalogue, operations.orders, keys, first, days),
        "sourcing": catalogue.sourcing,
        "policies": pd.DataFrame(
            {
                "selector": ["*"],
                "measure": ["cycle_service"],
                "target": [0.95],
                "holding_rate": [0.25],
                "unmet": ["lost"],
            }
        ),
    }
    return Retailer(tables, truth, last_day)


def _truth(catalogue: Catalogue, demand: DemandTruth, dates: pd.DatetimeIndex) -> Truth:
    stores = len(catalogue.locations)
    keys = catalogue.sourcing[["sku", "location"]].assign(
        category=np.repeat(catalogue.items["category"].to_numpy(), stores),
        supplier=catalogue.sourcing["supplier"],
        kind=np.repeat(catalogue.kind, stores),
    )
    lead_times = [
        pd.DataFrame(
            {
                "supplier": s.name,
                "kind": s.kind,
                "days": np.flatnonzero(s.pmf),
                "probability": s.pmf[s.pmf > 0],
            }
        )
        for s in SUPPLIERS
    ]
    return Truth(
        keys, dates, demand.quantity, demand.expected, pd.concat(lead_times, ignore_index=True), demand.plans
    )


def _demand_table(
    catalogue: Catalogue,
    truth: DemandTruth,
    operations: Operations,
    keys: pd.DataFrame,
    dates: pd.DatetimeIndex,
) -> pd.DataFrame:
    """One row per series and day of its life, also where nothing was sold."""
    days, stores = len(dates), len(catalogue.locations)
    row, day = np.nonzero(np.repeat(truth.alive[:, :days], stores, axis=0))
    item, store = row // stores, row % stores
    return pd.DataFrame(
        {
            "sku": keys["sku"].to_numpy()[row],
            "location": keys["location"].to_numpy()[row],
            "date": dates[day],
            "quantity": operations.sales[row, day].astype(float),
            "in_stock": np.round(operations.in_stock[row, day].astype(float), 3),
            "price": truth.price[item, day],
            "promotion": np.round(truth.promotion[item, day].astype(float), 2),
            "temperature": truth.temperature[store, day],
        }
    )


def _write(tables: dict[str, pd.DataFrame], folder: Path, file_format: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if file_format == "csv":
            table.to_csv(folder / f"{name}.csv", index=False)
        else:
            table.to_parquet(folder / f"{name}.parquet", index=False)
