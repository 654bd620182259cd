"""Do the thresholds keep their promise? Replays them against the true demand of the simulated retailer.

The walk is taken from the tables as a business would hand them over: load, panel, training, lead times and
thresholds, at the end of every day of the test weeks, each with what was known then. The model is trained
before them and every four weeks. Two measures:

covered    the share of true random protection intervals whose true demand stays within the reorder point
           derived at their start, over all series and days: the plain statement behind the target;
cycles     the share of replenishment cycles without a stockout when the thresholds are followed day by day,
           with lead times from the suppliers' true distributions, in two worlds: single units and demand
           that waits, for which a target of cycle service is defined; and lots, minimums and lost sales, in
           which a store lives. Beside it fill rate, stock and turns.

Beside them, what may be at fault: the coverage of the forecast's own sums, its bias, and how far learned lead
times are from the true ones.

Run: python benchmarks/service.py [--items 200] [--weeks 8] [--seed 0] [--out service.csv]
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from forecasting.models import DemandModel
from forecasting.panel import Panel, build_panel
from forecasting.training import train
from ingestion.loading import load
from ingestion.retailer import Retailer, Truth, simulate
from ingestion.warehouse import Warehouse
from optimization.lead_time import LeadTimes, learn_lead_times
from optimization.replay import Replay, covered, replay_thresholds, sample_lead_times
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

HORIZON = 35  # days: beyond the longest likely lead time and review of the simulated suppliers
BEFORE, INTO = (
    35,
    14,
)  # days played unmeasured: before the test weeks with the first thresholds, and into them
READ = ("items", "locations", "demand", "plans", "supply_orders", "sourcing", "policies")
KEY = ["sku", "location"]
RETRAIN = 28  # days between trainings
DAY = pd.Timedelta(days=1)
LEVELS = [0.5, 0.8, 0.9, 0.95, 0.99]


@dataclass(frozen=True)
class Service:
    """What was derived at the end of each of T days for n series, and what came true.

    keys: (n,) sku, location, kind, supplier, supplier kind, volume
    covered: (n, T) chance that true demand over the protection interval stayed within the reorder point
    replay: ordering every unit up to the reorder point, unmet demand waits
    in_store: ordering in lots and minimums up to the order-up-to level, unmet demand is lost
    forecast: volume, horizon, level, within: share of true sums within the forecast's quantile
    bias: forecast over true mean of the next 28 days, less one
    lead_times: supplier, largest distance between the learned and the true distribution function
    """

    keys: pd.DataFrame
    covered: np.ndarray
    replay: Replay
    in_store: Replay
    forecast: pd.DataFrame
    bias: float
    lead_times: pd.DataFrame


@dataclass(frozen=True)
class Day:
    """What one evening derives."""

    thresholds: pd.DataFrame
    demand: CumulativeDemand
    lead_times: LeadTimes


def measure(retailer: Retailer, folder: Path, weeks: int = 8, seed: int = 0, threads: int = 2) -> Service:
    """Derive thresholds on every evening of the last `weeks` of the history, and replay them.

    weeks: at least 3, as the replay measures from the third on
    """
    retailer.write(folder / "tables")
    warehouse = Warehouse(folder / "warehouse")
    load(folder / "tables", {}, warehouse)
    dates = pd.date_range(end=retailer.last_day, periods=7 * weeks)
    evenings = []
    for k, date in enumerate(dates):
        if k % RETRAIN == 0:
            model = train(_panel(warehouse, date), threads=threads, seed=seed).model
        evenings.append(_evening(warehouse, model, date))
    keys = _keys(retailer.truth, dates)
    rows = [_rows(evening.thresholds, keys) for evening in evenings]
    levels = {
        column: np.stack([e.thresholds[column].to_numpy()[r] for e, r in zip(evenings, rows, strict=True)], 1)
        for column in ("reorder_point", "order_up_to")
    }
    ahead = [_matrix(retailer.truth, keys, date + DAY, date + 60 * DAY) for date in dates]
    pmfs, review = (
        _true_lead_times(retailer.truth, keys),
        _terms(retailer, keys, "review_periods").astype(int),
    )
    inside = [covered(a, levels["reorder_point"][:, t], pmfs, review) for t, a in enumerate(ahead)]
    replay, in_store = _replays(retailer, keys, dates, levels, seed)
    return Service(
        keys,
        covered=np.stack(inside, axis=1),
        replay=replay,
        in_store=in_store,
        forecast=_forecast_coverage(keys, evenings, rows, ahead),
        bias=_bias(evenings, rows, ahead),
        lead_times=_lead_time_distance(retailer.truth, evenings[0].lead_times),
    )


def _replays(
    retailer: Retailer, keys: pd.DataFrame, dates: pd.DatetimeIndex, levels: dict[str, np.ndarray], seed: int
) -> tuple[Replay, Replay]:
    """The two worlds; on the days before the test weeks the first thresholds hold."""
    true = _matrix(retailer.truth, keys, dates[0] - BEFORE * DAY, dates[-1])
    lead = sample_lead_times(
        _true_lead_times(retailer.truth, keys), true.shape[1], np.random.default_rng(seed)
    )
    point, up_to = (
        np.hstack([np.repeat(levels[c][:, :1], BEFORE, axis=1), levels[c]])
        for c in ("reorder_point", "order_up_to")
    )
    common: dict[str, Any] = {
        "lead_time": lead,
        "review": _terms(retailer, keys, "review_periods"),
        "warm_up": BEFORE + INTO,
    }
    lots = {"lot_size": _terms(retailer, keys, "lot_size"), "moq": _terms(retailer, keys, "moq")}
    plain = replay_thresholds(true, point, point, backorder=True, **common)
    return plain, replay_thresholds(true, point, up_to, **common, **lots)


def _panel(warehouse: Warehouse, date: pd.Timestamp) -> Panel:
    return build_panel(_tables(warehouse, date), warehouse.period, date, HORIZON)


def _tables(warehouse: Warehouse, date: pd.Timestamp) -> dict[str, pd.DataFrame]:
    return {name: warehouse.read(name, date) for name in READ}


def _evening(warehouse: Warehouse, model: DemandModel, date: pd.Timestamp) -> Day:
    tables = _tables(warehouse, date)
    demand = model.predict(build_panel(tables, warehouse.period, date, HORIZON), HORIZON)
    supply = supply_terms(demand.keys, tables, warehouse.period)
    lead_times = learn_lead_times(tables["supply_orders"], supply, warehouse.period, date)
    targets = set_targets(supply, tables["policies"], warehouse.period)
    return Day(derive_thresholds(demand, supply, lead_times, targets), demand, lead_times)


def _keys(truth: Truth, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Series that are sold all through the test weeks and known from their first evening."""
    test = (truth.dates >= dates[0]) & (truth.dates <= dates[-1] + 60 * DAY)
    before = truth.expected[:, (truth.dates < dates[0]) & (truth.dates >= dates[0] - 90 * DAY)]
    sold = (truth.expected[:, test] > 0).all(axis=1) & (before[:, -1] > 0)
    kinds = truth.lead_times.drop_duplicates("supplier").set_index("supplier")["kind"]
    keys = truth.keys.assign(supplier_kind=truth.keys["supplier"].map(kinds))[sold].reset_index(drop=True)
    volume = pd.qcut(before[sold].mean(axis=1), 3, labels=["low", "middle", "high"])
    return keys.assign(volume=np.asarray(volume, dtype=object))


def _rows(frame: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    where = pd.MultiIndex.from_frame(frame[KEY]).get_indexer(pd.MultiIndex.from_frame(keys[KEY]))
    if (where < 0).any():
        raise SystemExit(f"no thresholds for {keys.loc[where < 0, KEY].iloc[0].to_list()}")
    return where


def _matrix(truth: Truth, keys: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> np.ndarray:
    rows = _rows(truth.keys, keys)
    return truth.quantity[rows][:, (truth.dates >= first) & (truth.dates <= last)].astype(float)


def _true_lead_times(truth: Truth, keys: pd.DataFrame) -> np.ndarray:
    width = int(truth.lead_times["days"].max()) + 1
    pmfs = {s: np.pad(truth.pmf(s), (0, width - len(truth.pmf(s)))) for s in keys["supplier"].unique()}
    return np.stack([pmfs[s] for s in keys["supplier"]])


def _terms(retailer: Retailer, keys: pd.DataFrame, column: str) -> np.ndarray:
    sourcing = retailer.tables["sourcing"]
    return sourcing[column].to_numpy()[_rows(sourcing, keys)]


def _forecast_coverage(
    keys: pd.DataFrame, evenings: list[Day], rows: list[np.ndarray], ahead: list[np.ndarray]
) -> pd.DataFrame:
    """Share of true sums within the quantile; of a tie, the share that makes a right forecast right."""
    parts = []
    for evening, row, future in zip(evenings[::7], rows[::7], ahead[::7], strict=True):
        quantiles = evening.demand.quantile(LEVELS)[row]
        sums = np.cumsum(future, axis=1)
        for h in (7, 14, 28):
            for k, level in enumerate(LEVELS):
                within = sums[:, h - 1] <= np.ceil(quantiles[:, h - 1, k] - 1e-4)
                parts.append(
                    pd.DataFrame({"volume": keys["volume"], "horizon": h, "level": level, "w": within})
                )
    table = pd.concat(parts)
    return table.pivot_table(
        index=["volume", "horizon"], columns="level", values="w", aggfunc="mean"
    ).reset_index()


def _bias(evenings: list[Day], rows: list[np.ndarray], ahead: list[np.ndarray]) -> float:
    predicted = sum(e.demand.mean[r, 27].sum() for e, r in zip(evenings[::7], rows[::7], strict=True))
    return float(predicted / sum(a[:, :28].sum() for a in ahead[::7]) - 1)


def _lead_time_distance(truth: Truth, learned: LeadTimes) -> pd.DataFrame:
    rows = []
    for supplier, members in learned.keys.groupby("supplier").indices.items():
        true, known = truth.pmf(str(supplier)), learned.pmf[members].mean(axis=0)
        width = max(len(true), len(known))
        gap = [np.cumsum(np.pad(p, (0, width - len(p)))) for p in (true, known)]
        rows.append((supplier, len(members), np.abs(gap[0] - gap[1]).max()))
    return pd.DataFrame(rows, columns=["supplier", "series", "largest distance"])


def report(service: Service) -> pd.DataFrame:
    """Share covered, cycle service, fill rate, mean stock and turns, over all and by group."""
    groups = {"all": pd.Series("all", index=service.keys.index)}
    groups |= {name: service.keys[name] for name in ("volume", "supplier_kind", "kind")}
    rows = []
    for name, labels in groups.items():
        for label in pd.unique(labels):
            member = (labels == label).to_numpy()
            plain, lots = (r.measures(member) for r in (service.replay, service.in_store))
            rows.append(
                {
                    "by": name,
                    "group": label,
                    "series": member.sum(),
                    "covered": service.covered[member].mean(),
                    "cycles": plain["cycle_service"],
                    "fill": plain["fill_rate"],
                    "stock": plain["mean_stock"],
                    "turns": plain["turns"],
                    "cycles in store": lots["cycle_service"],
                    "fill in store": lots["fill_rate"],
                    "stock in store": lots["mean_stock"],
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for name, default in (("items", 200), ("weeks", 8), ("seed", 0), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, help="write the table of service as CSV")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        retailer = simulate(options.seed, items=options.items)
        service = measure(retailer, Path(folder), options.weeks, options.seed, options.threads)
    table = report(service)
    if options.out:
        table.to_csv(options.out, index=False)
    print(f"Target .95, {options.weeks} weeks of evenings, {time.perf_counter() - began:.0f} s")
    print(table.round(3).to_string(index=False))
    interval = service.replay.summary().set_index("measure").loc["cycle_service"]
    print(f"\ncycles: 95 % interval over series {interval['low']:.3f} to {interval['high']:.3f}")
    print("\nForecast: share of true sums within the quantile, whole units")
    print(service.forecast.round(3).to_string(index=False))
    print(f"bias of the next 28 days: {service.bias:+.3f}")
    print("\nLead times: learned against true")
    print(service.lead_times.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
