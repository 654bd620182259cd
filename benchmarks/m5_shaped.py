"""A simulated retailer of the shape of the M5 data: 3,049 items in 10 stores, 1,941 days, two thirds zeros.

    python benchmarks/m5_shaped.py OUT [--items 3049] [--days 1941]

writes tables that `forestock load` takes, demand by year. Benchmarks call `m5_shaped` and keep the tables in
memory: sku and location are categories and numbers are float32, so that 59 million rows take 1.4 GiB.
Nothing here is taken from M5: only its sizes, its share of zeros, its calendar and its kinds of events.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

START = pd.Timestamp("2011-01-29")
STORES = ("CA_1", "CA_2", "CA_3", "CA_4", "TX_1", "TX_2", "TX_3", "WI_1", "WI_2", "WI_3")
DEPARTMENTS = {"FOODS": 3, "HOBBIES": 2, "HOUSEHOLD": 2}
SHARES = {"FOODS": 0.47, "HOBBIES": 0.19, "HOUSEHOLD": 0.34}
MEDIAN = {"FOODS": 0.75, "HOBBIES": 0.3, "HOUSEHOLD": 0.4}  # units a day
SEASON = {"FOODS": 0.08, "HOBBIES": 0.05, "HOUSEHOLD": 0.15}  # swing over the year
WEEK = np.array([0.92, 0.87, 0.86, 0.88, 0.99, 1.24, 1.24])  # from Monday
# Days of a month on which food benefits are paid out, by state.
BENEFITS = {
    "CA": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    "TX": (1, 3, 5, 6, 7, 9, 11, 12, 13, 15),
    "WI": (2, 3, 5, 6, 8, 9, 11, 12, 14, 15),
}
# Day of the year, and demand as a share of that of an ordinary day.
EVENTS = {
    "Valentine": ("02-14", 1.05),
    "Independence Day": ("07-04", 1.1),
    "Halloween": ("10-31", 1.1),
    "Thanksgiving": ("11-25", 0.6),
    "Christmas": ("12-25", 0.0),
    "New Year": ("01-01", 0.7),
}


def m5_shaped(
    items: int = 3049, days: int = 1941, horizon: int = 28, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """The tables items, locations, demand and plans; plans reach `horizon` days beyond the demand."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range(START, periods=days + horizon, freq="D")
    catalogue = _items(rng, items)
    places = pd.DataFrame({"location": STORES, "region": [s[:2] for s in STORES], "country": "US"})
    depth, promotions = _promotions(rng, catalogue, dates)
    plans = pd.concat([promotions, _events(dates)], ignore_index=True)
    demand = _demand(rng, catalogue, dates[:days], depth[:, :days])
    return {"items": catalogue, "locations": places, "demand": demand, "plans": plans}


def _items(rng: np.random.Generator, items: int) -> pd.DataFrame:
    category = rng.choice(list(SHARES), items, p=list(SHARES.values()))
    department = [f"{name}_{rng.integers(DEPARTMENTS[name]) + 1}" for name in category]
    frame = pd.DataFrame({"category": category, "subcategory": department})
    frame["sku"] = [f"{name}_{k + 1:04d}" for k, name in enumerate(department)]
    frame["unit_price"] = np.round(np.exp(rng.normal(1.3, 0.7, items)), 2)
    return frame.sort_values("sku", ignore_index=True)


def _promotions(
    rng: np.random.Generator, catalogue: pd.DataFrame, dates: pd.DatetimeIndex
) -> tuple[np.ndarray, pd.DataFrame]:
    """(items, days) depth: waves of two weeks in which a fifth of a category takes part; and their plans."""
    depth = np.zeros((len(catalogue), len(dates)), dtype=np.float32)
    rows = []
    for name in SHARES:
        members = np.flatnonzero(catalogue["category"] == name)
        for day in range(int(rng.integers(40)), len(dates), 45):
            for item in members[rng.random(len(members)) < 0.2]:
                cut = float(rng.choice([0.1, 0.2, 0.3]))
                depth[item, day : day + 14] = cut
                rows.append((catalogue["sku"][item], cut, dates[0] + pd.Timedelta(days=day)))
    plans = pd.DataFrame(rows, columns=["sku", "promotion", "start"])
    return depth, plans.assign(
        end=plans["start"] + pd.Timedelta(days=13), known_from=plans["start"] - pd.Timedelta(days=60)
    )


def _events(dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Holidays everywhere, and days of food benefits in the stores of each state."""
    month_day = dates.strftime("%m-%d")
    frames = [
        pd.DataFrame({"date": dates[month_day == day], "event": name}) for name, (day, _) in EVENTS.items()
    ]
    frames += [
        pd.DataFrame({"date": dates[_benefit(dates, store)], "location": store, "event": "benefits"})
        for store in STORES
    ]
    return pd.concat(frames, ignore_index=True)


def _benefit(dates: pd.DatetimeIndex, store: str) -> np.ndarray:
    return np.isin(dates.day, BENEFITS[store[:2]])


def _demand(
    rng: np.random.Generator, catalogue: pd.DataFrame, dates: pd.DatetimeIndex, depth: np.ndarray
) -> pd.DataFrame:
    """One row per series and day from its first sale on, drawn store by store."""
    items, days = depth.shape
    first = np.where(rng.random(items) < 0.2, rng.integers(0, days * 3 // 4, items), 0)
    alive = np.arange(days) >= first[:, None]
    count = int(alive.sum())
    quantity = np.empty((len(STORES), count), dtype=np.float32)
    price = np.empty_like(quantity)
    rate = np.exp(rng.normal(0, 1.1, items)) * catalogue["category"].map(MEDIAN).to_numpy()
    for s, store in enumerate(STORES):
        wanted = _expected(rng, catalogue, dates, depth, store)
        wanted *= (rate * np.exp(rng.normal(0, 0.35, items)))[:, None]
        quantity[s] = _draw(rng, wanted)[alive]
        shelf = catalogue["unit_price"].to_numpy()[:, None] * rng.uniform(0.97, 1.03) * (1 - depth)
        price[s] = np.round(shelf, 2)[alive]
    item, day = np.nonzero(alive)
    return pd.DataFrame(
        {
            "sku": pd.Categorical.from_codes(np.tile(item.astype(np.int16), len(STORES)), catalogue["sku"]),
            "location": pd.Categorical.from_codes(
                np.repeat(np.arange(len(STORES), dtype=np.int8), count), list(STORES)
            ),
            "date": np.tile(dates.to_numpy()[day], len(STORES)),
            "quantity": quantity.reshape(-1),
            "price": price.reshape(-1),
            "promotion": np.tile(depth[alive], len(STORES)),
        },
        copy=False,
    )


def _expected(
    rng: np.random.Generator, catalogue: pd.DataFrame, dates: pd.DatetimeIndex, depth: np.ndarray, store: str
) -> np.ndarray:
    """(items, days) demand of one store as a multiple of each item's usual rate."""
    year = 2 * np.pi * (dates.day_of_year.to_numpy() / 365.25)
    swing = catalogue["category"].map(SEASON).to_numpy(dtype=np.float32)
    food = (catalogue["category"] == "FOODS").to_numpy()
    common = WEEK[dates.day_of_week] * np.exp(0.02 * np.cumsum(rng.normal(0, 0.3, len(dates))))
    month_day = dates.strftime("%m-%d")
    for day, factor in EVENTS.values():
        common[month_day == day] *= factor
    out = (1 + swing[:, None] * np.cos(year - rng.uniform(0, 2 * np.pi, len(swing))[:, None])) * common
    out *= 1 + 2.5 * depth
    out *= np.where(food[:, None] & _benefit(dates, store), 1.15, 1.0)
    return out.astype(np.float32)


def _draw(rng: np.random.Generator, wanted: np.ndarray) -> np.ndarray:
    """Units around `wanted`: busy and quiet days of an item last, and now and then it is not to be had."""
    noise = rng.normal(0, 0.4 * np.sqrt(1 - 0.8**2), wanted.shape).astype(np.float32)
    mood = np.exp(lfilter([1], [1, -0.8], noise, axis=1) - 0.08)
    starts = (rng.random(wanted.shape) < 1 / 250).astype(np.float32)
    gone = lfilter(np.ones(12, dtype=np.float32), [1], starts, axis=1) > 0
    return np.where(gone, 0.0, rng.poisson(rng.gamma(2.0, wanted * mood / 2.0)))


def write(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Parquet files named after the tables; demand one file a year."""
    (folder / "demand").mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if name != "demand":
            table.to_parquet(folder / f"{name}.parquet", index=False)
    demand = tables["demand"]
    year = demand["date"].to_numpy().astype("datetime64[Y]").astype(int) + 1970
    for k in np.unique(year):
        demand[year == k].to_parquet(folder / "demand" / f"{k}.parquet", index=False)


def main() -> None:
    """Reads the arguments, writes the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=int, default=3049)
    parser.add_argument("--days", type=int, default=1941)
    given = parser.parse_args()
    write(m5_shaped(given.items, given.days), given.out)


if __name__ == "__main__":
    main()
