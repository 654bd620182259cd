"""Accuracy of cumulative demand against what a data scientist would use, on real histories, in one run.

    python benchmarks/accuracy.py --data ../shared/data [--sets pasta,freshretail,vn2] [--json out.json]

Ours is trained at the first origin and once more halfway, and predicts every origin from the panel as it was
then; each peer is fitted anew per series and origin. Peers: AutoETS, SBA, TSB and seasonal naive of
statsforecast with normal √h intervals, and a negative binomial on the series' own past cumulative errors.
Scores: pinball at .5 .8 .9 .95 .99, scaled by mean in-stock demand × √h, each series weighted alike and by
volume; coverage, the middle of P(Y < q) and P(Y ≤ q); bias. Only windows with full shelves are scored.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import statsforecast.models as statsforecast
from scipy.stats import nbinom, norm

from forecasting.backtest import SCORED, Folds, folds_of, pinball
from forecasting.cumulative import LEVELS
from forecasting.panel import Panel, build_panel
from forecasting.training import train
from ingestion.periods import Period

LEVEL = np.array(SCORED)
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Case:
    """A data set and how it is walked: origins are counted back from the last that can be scored."""

    panel: Panel
    horizons: np.ndarray
    origins: np.ndarray
    season: int
    window: int


def pasta(data: Path) -> Case:
    """118 grocery items, four years of days, promotions known ahead."""
    frame = pd.read_parquet(data / "pasta" / "daily.parquet").rename(columns={"value": "quantity"})
    frame = frame.assign(sku=frame["brand"] + frame["product"].astype("str"), location="store")
    frame["date"] = frame["date"].astype("datetime64[ns]")
    items = frame[["sku", "brand"]].drop_duplicates().assign(category="pasta")
    plans = frame[["sku", "location", "date", "promotion"]]
    tables = {
        "demand": frame[["sku", "location", "date", "quantity", "promotion"]],
        "plans": plans,
        "items": items,
    }
    return _case(tables, Period("day"), "closed", "IT", (8, 21))


def freshretail(data: Path) -> Case:
    """500 store-items, 90 days, hours out of stock, discounts and promotions known ahead."""
    frame = pd.read_parquet(data / "freshretail" / "daily.parquet")
    demand = pd.DataFrame(
        {
            "sku": frame["product_id"].astype("str"),
            "location": frame["store_id"].astype("str"),
            "date": frame["dt"].astype("datetime64[ns]"),
            "quantity": frame["sale_amount"].astype(float),
            "in_stock": 1 - frame["stockout_hours_6_22"] / 16,
            "price": frame["discount"].astype(float),
            "promotion": frame["activity_flag"].astype(float),
        }
    )
    items = pd.DataFrame({"sku": demand["sku"], "category": frame["first_category_id"].astype("str")})
    plans = demand[["sku", "location", "date", "promotion", "price"]]
    tables = {"demand": demand, "plans": plans, "items": items.drop_duplicates("sku")}
    return _case(tables, Period("day"), "missing", "CN", (7, 3))


def vn2(data: Path) -> Case:
    """599 store-items, three years of weeks, weeks out of stock masked."""
    demand = pd.read_parquet(data / "vn2" / "demand.parquet")
    items = pd.read_parquet(data / "vn2" / "items.parquet").drop_duplicates("sku")
    items = items[["sku", "Department", "ProductGroup"]]
    items.columns = pd.Index(["sku", "category", "subcategory"])
    tables = {"demand": demand.assign(in_stock=demand["in_stock"].astype(float)), "items": items}
    return _case(tables, Period("week"), "missing", None, (9, 3))


def _case(tables: Tables, period: Period, absent: str, country: str | None, walk: tuple[int, int]) -> Case:
    daily = period.name == "day"
    horizons = np.array([7, 14, 28]) if daily else np.array([1, 2, 3, 4])
    last = tables["demand"]["date"].max()
    panel = build_panel(tables, period, last, int(horizons[-1]), absent, country)
    if "price" in tables.get("plans", pd.DataFrame()):
        panel = replace(panel, prices_planned=True)  # the plans end with the history here
    count, step = walk
    origins = panel.length - 1 - int(horizons[-1]) - step * np.arange(count)[::-1]
    return Case(panel, horizons, origins, 7 if daily else 52, 56 if daily else 13)


def ours(case: Case, folds: Folds) -> np.ndarray:
    """(m, g, levels) units."""
    out = np.empty((*folds.actual.shape, len(LEVEL)))
    halfway = case.origins[len(case.origins) // 2]
    model = None
    for origin in case.origins:
        panel = case.panel.until(int(origin))
        if model is None or origin == halfway:
            model = train(panel, int(case.horizons[-1])).model
        demand = model.predict(panel, int(case.horizons[-1]))
        rows = folds.origin == origin
        chosen = demand.quantiles[folds.series[rows]][:, case.horizons - 1]
        out[rows] = chosen[:, :, np.searchsorted(LEVELS, LEVEL)]
    return out


Peer = Callable[[np.ndarray, Case], np.ndarray]


def by_statsforecast(make: Callable[[Case], object]) -> Peer:
    """A statsforecast model's sums with the normal spread of its one-step errors times √h."""

    def predict(history: np.ndarray, case: Case) -> np.ndarray:
        model = make(case)
        try:
            said = model.forecast(y=history, h=int(case.horizons[-1]), fitted=True)  # type: ignore[attr-defined]
        except (ValueError, ZeroDivisionError, IndexError, np.linalg.LinAlgError):
            said = {
                "mean": np.full(case.horizons[-1], history.mean()),
                "fitted": np.full(len(history), history.mean()),
            }
        spread = np.nanstd((history - said["fitted"])[-365:])
        mean = np.cumsum(said["mean"])[case.horizons - 1]
        return np.maximum(mean[:, None] + norm.ppf(LEVEL) * spread * np.sqrt(case.horizons)[:, None], 0.0)

    return predict


def negative_binomial(history: np.ndarray, case: Case) -> np.ndarray:
    """Mean of the last weeks; variance of that mean's own past errors over each horizon."""
    running = np.concatenate([[0.0], np.cumsum(history)])
    length = len(history)
    out = np.empty((len(case.horizons), len(LEVEL)))
    for g, h in enumerate(case.horizons):
        at = np.arange(min(case.window, max(length // 2, 1)), length - h + 1)
        low = np.maximum(at - case.window, 0)
        said = (running[at] - running[low]) / np.maximum(at - low, 1) * h
        error = running[at + h] - running[at] - said if len(at) else np.zeros(1)
        back = min(case.window, length)
        mean = max((running[length] - running[length - back]) / back * h, 1e-6)
        variance = max(float(np.mean(error**2)), mean * 1.0001)
        out[g] = nbinom.ppf(LEVEL, mean * mean / (variance - mean), mean / variance)
    return out


PEERS: dict[str, Peer] = {
    "AutoETS √h": by_statsforecast(
        lambda case: statsforecast.AutoETS(season_length=case.season if case.season < 25 else 1)
    ),
    "SBA √h": by_statsforecast(lambda _: statsforecast.CrostonSBA()),
    "TSB √h": by_statsforecast(lambda _: statsforecast.TSB(0.1, 0.1)),
    "SeasonalNaive √h": by_statsforecast(lambda case: statsforecast.SeasonalNaive(case.season)),
    "negative binomial": negative_binomial,
}


def by_peer(peer: Peer, case: Case, folds: Folds) -> np.ndarray:
    """(m, g, levels) units; where demand was not observed the series' mean stands in."""
    out = np.empty((*folds.actual.shape, len(LEVEL)))
    for k, (i, at) in enumerate(zip(folds.series, folds.origin, strict=True)):
        history = case.panel.quantity[i, case.panel.first[i] : at + 1].astype(float)
        history = history[-730:] if len(history) > 2 else np.zeros(10)
        seen = np.isfinite(history)
        mean = history[seen].mean() if seen.any() else 0.0
        out[k] = peer(np.where(seen, history, mean), case)
    return out


def scores(folds: Folds, quantiles: np.ndarray) -> dict[str, object]:
    """Pinball alike and by volume, per level and overall, per origin; coverage; bias of the median."""
    used = folds.clean & (folds.scale > 0)
    actual, given, scale = folds.actual[used], quantiles[used], folds.scale[used][:, None]
    loss = pinball(actual, given, LEVEL)
    root = np.broadcast_to(np.sqrt(folds.horizons), folds.actual.shape)[used]
    volume = scale[:, 0] / root
    weighted = (loss / root[:, None]).sum(axis=0) / volume.sum()
    cover = 0.5 * ((actual[:, None] < given).mean(axis=0) + (actual[:, None] <= given).mean(axis=0))
    origin = np.broadcast_to(folds.origin[:, None], folds.actual.shape)[used]
    alike = (loss / scale).mean(axis=1)
    return {
        "pinball": float(alike.mean()),
        "by volume": float(weighted.mean()),
        **{
            f"pinball {level}": float(value)
            for level, value in zip(SCORED, (loss / scale).mean(axis=0), strict=True)
        },
        **{f"coverage {level}": float(value) for level, value in zip(SCORED, cover, strict=True)},
        "bias of median": float(given[:, 0].sum() / actual.sum() - 1),
        "origins": [float(alike[origin == at].mean()) for at in np.unique(origin)],
    }


def compare(name: str, case: Case) -> pd.DataFrame:
    """One row per method; ratio is to the best peer."""
    series, origin = (
        part.ravel() for part in np.meshgrid(np.arange(case.panel.series), case.origins, indexing="ij")
    )
    folds = folds_of(case.panel, series, origin, case.horizons, int(case.origins[0]))
    methods = {
        "ours": ours,
        **{key: (lambda c, f, peer=peer: by_peer(peer, c, f)) for key, peer in PEERS.items()},
    }
    rows = []
    for key, method in methods.items():
        begun = time.perf_counter()
        rows.append({"set": name, "method": key} | scores(folds, method(case, folds)))
        rows[-1]["seconds"] = round(time.perf_counter() - begun, 1)
        print(f"{name}: {key} took {rows[-1]['seconds']} s", flush=True)
    table = pd.DataFrame(rows)
    for column in ("pinball", "by volume", "pinball 0.95", "pinball 0.99"):
        table[f"ratio {column}"] = table[column] / table.loc[1:, column].min()
    return table


def main() -> None:
    """Reads the arguments, prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="pasta,freshretail,vn2")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    found = [compare(name, {"pasta": pasta, "freshretail": freshretail, "vn2": vn2}[name](given.data))
             for name in given.sets.split(",")]  # fmt: skip
    table = pd.concat(found, ignore_index=True)
    print(table.drop(columns="origins").set_index(["set", "method"]).round(3).T.to_string())
    if given.json:
        given.json.write_text(json.dumps(table.to_dict("records"), indent=1))


if __name__ == "__main__":
    main()
