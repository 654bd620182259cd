"""What empty shelves hide: bias against true demand with stockouts masked, imputed and taken for demand.

    python benchmarks/hidden_demand.py [--seeds 4] [--items 150] [--data ../shared/data]

The simulated retailer knows what customers wanted. Per seed, the trained model forecasts the next 28 days as
of three dates four weeks apart; bias is forecast over true demand, less one, over all series. It has two
causes. What the weeks themselves bring (weather, moods, a spring seen once before) moves it by a few percent
either way, and would if no shelf had ever been empty: "known" is such a history, of the true demand. What is
left is owed to empty shelves. Both are judged on the mean over seeds and dates, with its standard error.
On FreshRetail nobody knows the truth: shown is what a day with a share of its hours in stock sold, over what
fully stocked days of the same series within three weeks sold.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.backtest import Folds, build_folds
from forecasting.panel import Panel, build_panel
from forecasting.shelves import HIDDEN
from forecasting.training import train
from ingestion.periods import Period
from ingestion.retailer import Retailer, simulate

DAY = Period("day")
AHEAD = 28
PAIR = ["sku", "location"]
KNOWN = "known"  # the history of a shop in which no shelf was ever empty
MOST = 2.0  # percent of true demand
EDGES = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)


def biases(retailer: Retailer, treatment: str, back: int) -> tuple[float, float]:
    """Of the mean of the history's demand and of the forecast, shares of true demand, `back` days ago.

    treatment: of hidden demand, as `build_panel` has them; or KNOWN
    """
    as_of = retailer.last_day - pd.Timedelta(days=back)
    tables, hidden = retailer.tables, treatment
    if treatment == KNOWN:
        tables, hidden = {**tables, "demand": told(retailer)}, "ignore"
    panel = build_panel(tables, DAY, as_of, AHEAD, hidden=hidden)
    true = retailer.truth.quantity[_rows(retailer, panel.keys)]
    lived = np.isfinite(panel.sold)
    past = _mean(panel.quantity, panel.observed) / _mean(true[:, : panel.length], lived) - 1
    demand = train(panel, AHEAD, threads=1).model.predict(panel, AHEAD)
    ahead = true[:, panel.length : panel.length + AHEAD].sum()
    return float(past), float(demand.mean[:, -1].sum(dtype=float) / ahead - 1)


def completed(retailer: Retailer) -> pd.DataFrame:
    """Windows of the backtest that errors are learned from, by the share of their days that was observed.

    over the truth: what was told from what was seen, over what customers wanted
    """
    panel = build_panel(retailer.tables, DAY, retailer.last_day, AHEAD)
    folds = build_folds(panel, AHEAD, 8, 0)
    true = retailer.truth.quantity[_rows(retailer, panel.keys)][:, : panel.length]
    seen, wanted = (_windows(values, folds) for values in (panel.observed, true))
    share = np.where(np.isfinite(folds.actual), seen / folds.horizons, np.nan)
    rows = []
    for low, high in pairwise((0.25, 0.5, 0.75, 1.0, np.inf)):
        cell = (share >= low) & (share < high)
        told = folds.actual[cell].sum() / wanted[cell].sum()
        rows.append(
            {"days seen": f"{low:.2f}–{min(high, 1.0):.2f}", "windows": cell.sum(), "over the truth": told}
        )
    return pd.DataFrame(rows)


def _windows(values: np.ndarray, folds: Folds) -> np.ndarray:
    """(m, g) sums of values (n, T) over the windows of the folds."""
    running = np.pad(np.cumsum(values, axis=1, dtype=float), ((0, 0), (1, 0)))
    end = np.minimum(folds.origin[:, None] + 1 + folds.horizons, values.shape[1])
    return running[folds.series[:, None], end] - running[folds.series, folds.origin + 1][:, None]


def told(retailer: Retailer) -> pd.DataFrame:
    """The table of demand as if customers had been asked and no shelf had ever been empty."""
    table = retailer.tables["demand"]
    date = retailer.truth.dates.get_indexer(pd.Index(table["date"]))
    wanted = retailer.truth.quantity[_rows(retailer, table), date]
    return table.assign(quantity=wanted.astype(float), in_stock=1.0)


def _rows(retailer: Retailer, table: pd.DataFrame) -> np.ndarray:
    """Row of the truth that each row of a table is of."""
    keys = pd.MultiIndex.from_frame(retailer.truth.keys[PAIR])
    return keys.get_indexer(pd.MultiIndex.from_frame(table[PAIR]))


def _mean(values: np.ndarray, used: np.ndarray) -> float:
    """Sum over series of their means over the cells that are used."""
    total = np.where(used, values, 0.0).sum(axis=1, dtype=float)
    return float((total / np.maximum(used.sum(axis=1), 1)).sum())


def simulated(seeds: int, items: int) -> pd.DataFrame:
    """One row per seed, date and treatment."""
    rows = []
    for seed in range(seeds):
        retailer = simulate(seed, items=items, stores=2, days=600, future_days=AHEAD)
        print(completed(retailer).round(3).to_string(index=False), flush=True)
        for back in (0, 28, 56):
            for treatment in (KNOWN, *HIDDEN):
                past, ahead = biases(retailer, treatment, back)
                rows.append(
                    {"seed": seed, "back": back, "treatment": treatment, "history": past, "ahead": ahead}
                )
                print(f"seed {seed}, {back} days back, {treatment}: {past:+.1%} {ahead:+.1%}", flush=True)
    return pd.DataFrame(rows)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Per treatment, the mean over seeds and dates and its standard error, percent.

    owed to shelves: the bias ahead less that of a known history at the same seed and date
    """
    cells = found.set_index(["treatment", "seed", "back"])
    owed = cells["ahead"] - cells["ahead"].xs(KNOWN).reindex(cells.index.droplevel(0)).to_numpy()
    table = cells.assign(**{"owed to shelves": owed})
    return 100 * table.groupby("treatment", sort=False).agg(["mean", "sem"])


def freshretail(data: Path) -> Panel:
    """The real history with the share of opening hours in stock."""
    frame = pd.read_parquet(data / "freshretail" / "daily.parquet")
    demand = pd.DataFrame({"sku": frame["product_id"].astype("str"), "quantity": frame["sale_amount"]})
    demand["location"] = frame["store_id"].astype("str")
    demand["date"] = frame["dt"].astype("datetime64[ns]")
    demand["in_stock"] = 1 - frame["stockout_hours_6_22"] / 16
    return build_panel({"demand": demand}, DAY, demand["date"].max(), 1, "missing", hidden="impute")


def by_share(panel: Panel) -> pd.DataFrame:
    """Sold and completed demand per band of the share in stock, over what full days nearby sold."""
    full = (panel.in_stock >= 1) & np.isfinite(panel.sold)
    sold = np.where(full, panel.sold, 0.0)
    usual = np.full(sold.shape, np.nan)
    for t in range(panel.length):
        near = slice(max(t - 21, 0), t + 22)
        count = full[:, near].sum(axis=1) - full[:, t]
        total = sold[:, near].sum(axis=1) - sold[:, t]
        usual[:, t] = np.where(count >= 5, total / np.maximum(count, 1), np.nan)
    rows = []
    for low, high in [*pairwise(EDGES), (1.0, np.inf)]:
        cell = np.isfinite(usual) & panel.observed & (panel.in_stock >= low) & (panel.in_stock < high)
        base = usual[cell].sum()
        rows.append(
            {
                "share in stock": f"{low:.2f}–{min(high, 1.0):.2f}",
                "days": int(cell.sum()),
                "sold": panel.sold[cell].sum() / base,
                "over the root": (panel.sold[cell] / np.sqrt(np.maximum(panel.in_stock[cell], 0.01))).sum()
                / base,
                "imputed": panel.quantity[cell].sum() / base,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Reads the arguments, prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--items", type=int, default=150)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if given.data:
        print(by_share(freshretail(given.data)).round(3).to_string(index=False))
    if given.seeds:
        table = summary(simulated(given.seeds, given.items))
        print(table.round(2).to_string())
        masked = table.loc["mask", ("ahead", "mean")]
        print(f"masked: {masked:+.2f} %, limit {MOST:.0f}: {'pass' if abs(masked) <= MOST else 'FAIL'}")


if __name__ == "__main__":
    main()
