"""Accuracy of lead times on real deliveries: python benchmarks/lead_times.py FILE [--years 2011 … 2013].

FILE is the public table of deliveries of the Supply Chain Management System (USAID, 2006–2013). Standing at
the end of each year, the lead times of the deliveries of the year after are predicted, for vendors with at
least ten receipts by then, from nothing but what was known. Beside ours stand the plain quantiles of the
vendor's past receipts and the normal distribution with their mean and standard deviation. The half-life of a
receipt was chosen on the years up to 2010; the years after are the test.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from ingestion.periods import Period
from optimization.lead_time import learn_lead_times
from optimization.receipts import HALF_LIFE

LEVELS = np.array([0.5, 0.8, 0.9, 0.95])
FEWEST = 10  # receipts of a vendor
NAMES = {
    "order_id": "PO / SO #", "line": "ID", "sku": "Item Description", "location": "Country",
    "supplier": "Vendor", "quantity": "Line Item Quantity", "ordered_on": "PO Sent to Vendor Date",
    "promised_on": "Scheduled Delivery Date", "received_on": "Delivered to Client Date",
}  # fmt: skip
WRITTEN = {"ordered_on": "%m/%d/%y", "promised_on": "%d-%b-%y", "received_on": "%d-%b-%y"}


def deliveries(file: Path) -> pd.DataFrame:
    """The table as supply orders; those out of a depot carry no order date and are left out."""
    raw = pd.read_csv(file)
    table = pd.DataFrame({name: raw[column] for name, column in NAMES.items()})
    for column, text in WRITTEN.items():
        table[column] = pd.to_datetime(table[column], format=text, errors="coerce")
    return table[table["ordered_on"].notna()].astype({"line": "str", "quantity": "float64"})


def tested(orders: pd.DataFrame, year: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Receipts known at the end of the year before, and the deliveries of `year` to be predicted."""
    as_of = pd.Timestamp(year - 1, 12, 31)
    orders = orders[orders["received_on"] >= orders["ordered_on"]]
    past = orders[orders["received_on"] <= as_of]
    often = orders["supplier"].map(past.groupby("supplier").size())
    coming = orders["received_on"].gt(as_of) & orders["received_on"].le(as_of + pd.Timedelta(days=365))
    return past, orders[coming & (often >= FEWEST)]


def predictions(orders: pd.DataFrame, year: int, half_life: float = HALF_LIFE) -> dict[str, np.ndarray]:
    """(tests, levels) days by ours, the plain quantiles and the normal fit; and `taken`, (tests, 1)."""
    past, test = tested(orders, year)
    learned = learn_lead_times(
        orders, test, Period("day"), pd.Timestamp(year - 1, 12, 31), half_life_days=half_life
    )
    days = (past["received_on"] - past["ordered_on"]).dt.days.groupby(past["supplier"])
    fit = days.agg(["mean", "std"]).loc[test["supplier"]].to_numpy()
    return {
        "taken": (test["received_on"] - test["ordered_on"]).dt.days.to_numpy()[:, None],
        "ours": np.stack([learned.quantile(level) for level in LEVELS], axis=1),
        "plain": np.stack([days.quantile(level).loc[test["supplier"]] for level in LEVELS], axis=1),
        "normal": fit[:, :1] + fit[:, 1:] * norm.ppf(LEVELS),
    }


def scores(orders: pd.DataFrame, years: list[int], half_life: float = HALF_LIFE) -> pd.DataFrame:
    """Per year and method: deliveries, mean pinball loss in days, and the share within each quantile."""
    rows = []
    for year in years:
        found = predictions(orders, year, half_life)
        taken = found.pop("taken")
        for name, quantiles in found.items():
            loss = np.maximum(LEVELS * (taken - quantiles), (LEVELS - 1) * (taken - quantiles)).mean()
            within = (taken <= quantiles).mean(axis=0)
            rows.append((year, name, len(taken), loss, *within))
    return pd.DataFrame(
        rows, columns=["year", "method", "deliveries", "pinball", *[f"within q{v:g}" for v in LEVELS]]
    )


def main() -> None:
    """Print the choice of the half-life, then the years asked for and their mean."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[2011, 2012, 2013])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    orders = deliveries(options.file)
    print("Half-life of a receipt, days: pinball of 2009 and 2010")
    for half_life in (90.0, 120.0, 180.0, 240.0, 365.0, 730.0):
        table = scores(orders, [2009, 2010], half_life)
        print(f"{half_life:5.0f}  {table.loc[table['method'] == 'ours', 'pinball'].mean():.2f}")
    table = scores(orders, options.years)
    print("\n" + table.round(3).to_string(index=False))
    print("\nmean of the years")
    print(table.drop(columns="year").groupby("method", sort=False).mean().round(3).to_string())


if __name__ == "__main__":
    main()
