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

The same evenings give the exchange of stock for service: ours at several targets against King's formula,
z·σ·√L and one fixed cover a class of items, at equal service, in the world of single units. `known_truth.py`
gives what one reaches who knows the true distributions: no forecast can be expected to do much better.

Beside them, what may be at fault: the coverage of the forecast's own sums, its bias, and how far learned lead
times are from the true ones. Each verdict stands beside the standard error of its figure, taken over items,
whose stores share promotions: a miss smaller than that says nothing.

Run: python benchmarks/service.py [--items 200] [--weeks 12] [--seeds 0 1 2] [--out service.csv]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand, in_units
from forecasting.models import DemandModel
from forecasting.panel import Panel, build_panel
from forecasting.training import train
from ingestion.loading import load
from ingestion.retailer import Retailer, Truth, simulate
from ingestion.warehouse import Warehouse
from known_truth import known_levels
from optimization.classic import Facts, fixed_cover, king, past_demand, root_of_time
from optimization.exchange import Curve, compare
from optimization.lead_time import LeadTimes, learn_lead_times
from optimization.pictures import exchange_picture
from optimization.protection import protection_demand
from optimization.replay import Replay, covered, replay_thresholds, sample_lead_times
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds, round_up

HORIZON = 35  # days: beyond the longest likely lead time and review of the simulated suppliers
# Days played unmeasured: before the test weeks with the first thresholds, and into them until what those
# ordered has come: the longest usual lead time and review.
BEFORE, INTO = 35, 28
BAND = 0.015  # either way, that service may be off its target
LESS = {"King": 0.15, "fixed cover a kind": 0.25}  # share of stock to do without at equal service
READ = ("items", "locations", "demand", "plans", "supply_orders", "sourcing", "policies")
KEY = ["sku", "location"]
RETRAIN = 28  # days between trainings
DAY = pd.Timedelta(days=1)
LEVELS = [0.5, 0.8, 0.9, 0.95, 0.99]
FILLS = np.array([0.9, 0.95, 0.98])
CYCLES, UNITS = ("served", "cycles"), ("met", "demand")  # parts of a `Replay` and their wholes
SETTINGS = np.array([0.6, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99, 0.995])
WIDER = np.array([0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 0.99999, 0.9999999])
COVERS = np.array([3, 5, 7, 9, 11, 13, 15, 18, 21, 25, 30, 40, 60, 90, 150], dtype=float)  # days
PAST = 91  # days of demand that the classic rules look back on


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
    curves: exchange of stock for service by ours and the classic rules, in the world of `replay`
    fills: the levels of fill-rate targets, replayed in the same world
    less: both at FILLS with a unit less everywhere: whole units cannot hit what lies between
    known: both kinds for one who knew the true distributions of demand and lead time
    """

    keys: pd.DataFrame
    covered: np.ndarray
    replay: Replay
    in_store: Replay
    forecast: pd.DataFrame
    bias: float
    lead_times: pd.DataFrame
    curves: list[Curve]
    fills: Curve
    less: list[Curve]
    known: list[Curve]


@dataclass(frozen=True)
class Day:
    """What one evening derives.

    levels: (N, SETTINGS) units that cover the protection interval with each chance; fills: (N, FILLS) units
        with each fill rate; facts: what classic rules know, (N, 1) each
    """

    thresholds: pd.DataFrame
    demand: CumulativeDemand
    lead_times: LeadTimes
    levels: np.ndarray
    fills: np.ndarray
    facts: Facts


def measure(retailer: Retailer, folder: Path, weeks: int = 12, seed: int = 0, threads: int = 2) -> Service:
    """Derive thresholds on every evening of the last `weeks` of the history, and replay them.

    weeks: at least 5, as the replay measures from the fifth on
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
    worlds = _worlds(retailer, keys, dates, seed)
    replay, in_store = _replays(worlds, levels)
    curves, fills, less = _curves(worlds, evenings, rows)
    at = _rows(retailer.truth.keys, keys), dates
    true = known_levels(retailer.truth, at, (pmfs, review), (SETTINGS, FILLS), seed)
    return Service(
        keys,
        covered=np.stack(inside, axis=1),
        replay=replay,
        in_store=in_store,
        forecast=_forecast_coverage(keys, evenings, rows, ahead),
        bias=_bias(evenings, rows, ahead),
        lead_times=_lead_time_distance(retailer.truth, evenings[0].lead_times),
        curves=curves,
        fills=fills,
        less=less,
        known=[_curve("the truth known", worlds, x, y) for x, y in zip((SETTINGS, FILLS), true, strict=True)],
    )


@dataclass(frozen=True)
class _Worlds:
    """True demand, (n, T) from `BEFORE` the test weeks on, and the arguments of a replay in each world."""

    demand: np.ndarray
    plain: dict[str, Any]
    store: dict[str, Any]


def _worlds(retailer: Retailer, keys: pd.DataFrame, dates: pd.DatetimeIndex, seed: int) -> _Worlds:
    true = _matrix(retailer.truth, keys, dates[0] - BEFORE * DAY, dates[-1])
    lead = sample_lead_times(
        _true_lead_times(retailer.truth, keys), true.shape[1], np.random.default_rng(seed)
    )
    common: dict[str, Any] = {
        "lead_time": lead,
        "review": _terms(retailer, keys, "review_periods"),
        "warm_up": BEFORE + INTO,
    }
    lots = {"lot_size": _terms(retailer, keys, "lot_size"), "moq": _terms(retailer, keys, "moq")}
    return _Worlds(true, common | {"backorder": True}, common | lots)


def _replays(worlds: _Worlds, levels: dict[str, np.ndarray]) -> tuple[Replay, Replay]:
    """The two worlds; on the days before the test weeks the first thresholds hold."""
    point, up_to = (_from_before(levels[c]) for c in ("reorder_point", "order_up_to"))
    plain = replay_thresholds(worlds.demand, point, point, **worlds.plain)
    return plain, replay_thresholds(worlds.demand, point, up_to, **worlds.store)


def _from_before(levels: np.ndarray) -> np.ndarray:
    return np.hstack([np.repeat(levels[:, :1], BEFORE, axis=1), levels])


def _curves(
    worlds: _Worlds, evenings: list[Day], rows: list[np.ndarray]
) -> tuple[list[Curve], Curve, list[Curve]]:
    """Ours first, then the classic rules; ours at fill rates; ours with a unit less, of both kinds."""

    def stack(what: Callable[[Day], np.ndarray]) -> np.ndarray:
        return np.stack([what(day)[row] for day, row in zip(evenings, rows, strict=True)], axis=1)

    ours, filled = stack(lambda day: day.levels), stack(lambda day: day.fills)
    facts = Facts(*(stack(lambda day, k=k: day.facts[k][:, 0]) for k in range(4)))
    rules = (("King", king, WIDER), ("z·σ·√L", root_of_time, WIDER), ("fixed cover", fixed_cover, COVERS))
    curves = [_curve("forestock", worlds, SETTINGS, ours)]
    curves += [_curve(n, worlds, at, np.stack([rule(facts, x) for x in at], axis=2)) for n, rule, at in rules]
    less = ours[:, :, np.searchsorted(SETTINGS, FILLS)] - 1.0, filled - 1.0
    return (
        curves,
        _curve("forestock", worlds, FILLS, filled, round_up),
        [
            _curve("a unit less", worlds, FILLS, less[0]),
            _curve("a unit less", worlds, FILLS, less[1], round_up),
        ],
    )


def _curve(
    name: str,
    worlds: _Worlds,
    settings: np.ndarray,
    levels: np.ndarray,
    rounded: Callable[[np.ndarray, bool], np.ndarray] = in_units,
) -> Curve:
    """Levels (n, T, settings) played in the world of single units."""
    replays = []
    for k in range(len(settings)):
        whole = rounded(np.maximum(_from_before(levels[:, :, k]), 0.0), True)
        replays.append(replay_thresholds(worlds.demand, whole, whole, **worlds.plain))
    return Curve(name, settings, tuple(replays))


def _panel(warehouse: Warehouse, date: pd.Timestamp) -> Panel:
    return build_panel(_tables(warehouse, date), warehouse.period, date, HORIZON)


def _tables(warehouse: Warehouse, date: pd.Timestamp) -> dict[str, pd.DataFrame]:
    return {name: warehouse.read(name, date) for name in READ}


def _evening(warehouse: Warehouse, model: DemandModel, date: pd.Timestamp) -> Day:
    tables = _tables(warehouse, date)
    panel = build_panel(tables, warehouse.period, date, HORIZON)
    demand = model.predict(panel, HORIZON)
    supply = supply_terms(demand.keys, tables, warehouse.period)
    lead_times = learn_lead_times(tables["supply_orders"], supply, warehouse.period, date)
    targets = set_targets(supply, tables["policies"], warehouse.period)
    review = supply["review_periods"].to_numpy(dtype=np.int64)
    over = protection_demand(demand, lead_times, review)
    fills = np.stack([over.fill_level(np.full(len(review), target)) for target in FILLS], axis=1)
    mean, sd = past_demand(panel.quantity, panel.observed, PAST)
    facts = Facts(*(x[:, None] for x in (mean, sd, lead_times.mean + review, lead_times.sd)))
    thresholds = derive_thresholds(demand, supply, lead_times, targets)
    return Day(thresholds, demand, lead_times, over.quantile(SETTINGS), fills, facts)


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


def pooled(services: list[Service]) -> Service:
    """Several retailers as one; items of one are not those of another."""
    keys = [s.keys.assign(sku=f"{k} " + s.keys["sku"].astype("str")) for k, s in enumerate(services)]

    def together(replays: list[Replay]) -> Replay:
        arrays = {
            field.name: np.concatenate([getattr(r, field.name) for r in replays])
            for field in fields(Replay)
            if isinstance(getattr(replays[0], field.name), np.ndarray)
        }
        return replace(replays[0], **arrays)

    def each(parts: list[list[Curve]]) -> list[Curve]:
        return [curve(list(several)) for several in zip(*parts, strict=True)]

    def curve(curves: list[Curve]) -> Curve:
        return replace(
            curves[0],
            replays=tuple(together(list(at)) for at in zip(*[c.replays for c in curves], strict=True)),
        )

    return Service(
        pd.concat(keys, ignore_index=True),
        covered=np.concatenate([s.covered for s in services]),
        replay=together([s.replay for s in services]),
        in_store=together([s.in_store for s in services]),
        forecast=pd.concat([s.forecast for s in services])
        .groupby(["volume", "horizon"], as_index=False)
        .mean(),
        bias=float(np.mean([s.bias for s in services])),
        lead_times=pd.concat([s.lead_times for s in services]).groupby("supplier", as_index=False).mean(),
        curves=each([s.curves for s in services]),
        fills=curve([s.fills for s in services]),
        less=each([s.less for s in services]),
        known=each([s.known for s in services]),
    )


def achieved(service: Service) -> pd.DataFrame:
    """Cycle service and fill rate reached at each target, over all series and by group, with their errors.

    error: standard error of the ratio over items; passes: within BAND of the target; unit_less: what a unit
    less everywhere would have reached; truth_known: what one reaches who knew the truth
    """
    groups = {"all": pd.Series("all", index=service.keys.index)}
    groups |= {name: service.keys[name] for name in ("volume", "supplier_kind")}
    item = pd.factorize(service.keys["sku"])[0]
    rows = []
    ours = service.curves[0], service.fills
    plays = zip(ours, service.less, service.known, strict=True)
    for counted, curves in zip((CYCLES, UNITS), plays, strict=True):
        at, below, known = (dict(zip(c.settings, c.replays, strict=True)) for c in curves)
        for name, labels in groups.items():
            for label in pd.unique(labels):
                member = (labels == label).to_numpy()
                for target in FILLS:
                    got, error = _reached(at[target], counted, member, item)
                    lower, _ = _reached(below[target], counted, member, item)
                    best, _ = _reached(known[target], counted, member, item)
                    measure = "cycle_service" if counted == CYCLES else "fill_rate"
                    near = abs(got - target) <= BAND
                    rows.append((measure, name, label, target, got, error, lower, best, near))
    columns = ["measure", "by", "group", "target", "achieved", "error", "unit_less", "truth_known", "passes"]
    return pd.DataFrame(rows, columns=columns)


def _reached(
    replay: Replay, counted: tuple[str, str], member: np.ndarray, item: np.ndarray
) -> tuple[float, float]:
    """Σ part / Σ whole of the members, and its standard error where items, not series, are independent."""
    part, whole = (getattr(replay, name)[member] for name in counted)
    sums = [np.bincount(item[member], x) for x in (part, whole)]
    seen = np.bincount(item[member]) > 0
    got = part.sum() / whole.sum()
    off, count = (sums[0] - got * sums[1])[seen], int(seen.sum())
    return float(got), float(np.sqrt(np.square(off).sum() * count / max(count - 1, 1)) / whole.sum())


def verdicts(service: Service, saved: pd.DataFrame) -> list[str]:
    """One line a demand on the thresholds: what is asked, what came out, pass or FAIL."""
    table = achieved(service)
    lines = []
    for row in table[table["by"] != "all"].itertuples():
        word = "alpha" if row.measure == "cycle_service" else "beta"
        lines.append(
            f"{word} {row.target:.2f} {row.by.replace('supplier_kind', 'supplier')} {row.group}: "
            f"{row.achieved:.3f} ± {row.error:.3f} (a unit less {row.unit_less:.3f}, the truth known "
            f"{row.truth_known:.3f}), asked {row.target:.2f} ± {BAND}: {'pass' if row.passes else 'FAIL'}"
        )
    best = savings(replace(service, curves=[service.known[0], *service.curves[1:]]))
    best = best.set_index(["policy", "setting"])["saving"]
    for row in saved[saved["setting"].isin(FILLS) & saved["policy"].isin(list(LESS))].itertuples():
        asked = LESS[row.policy]
        lines.append(
            f"stock without {row.policy} at equal service, target {row.setting:.2f}: {row.saving:.3f} "
            f"[{row.low:.3f}, {row.high:.3f}] (the truth known {best[row.policy, row.setting]:.3f}), "
            f"asked {asked:.2f}: {'pass' if row.saving >= asked else 'FAIL'}"
        )
    return lines


def savings(service: Service, seed: int = 0) -> pd.DataFrame:
    """Stock that ours does without at equal cycle service: against each rule at one setting for all, and
    against a fixed cover that each kind of item sets for itself."""
    ours, *classic = service.curves
    cover = Curve("fixed cover a kind", classic[-1].settings, classic[-1].replays)
    whole = compare(ours, classic, seed=seed)
    by_kind = compare(ours, [cover], groups=service.keys["kind"].to_numpy(), seed=seed)
    return pd.concat([whole, by_kind], ignore_index=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for name, default in (("items", 200), ("weeks", 12), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, help="write the table of service as CSV")
    parser.add_argument("--picture", type=Path, help="draw the exchange curves as PNG or SVG")
    options = parser.parse_args()
    began = time.perf_counter()
    services = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            retailer = simulate(seed, items=options.items)
            services.append(measure(retailer, Path(folder), options.weeks, seed, options.threads))
    service = pooled(services)
    table = report(service)
    if options.out:
        table.to_csv(options.out, index=False)
    print(f"Target .95, {options.weeks} weeks of evenings, {time.perf_counter() - began:.0f} s")
    print(table.round(3).to_string(index=False))
    interval = service.replay.summary().set_index("measure").loc["cycle_service"]
    print(f"\ncycles: 95 % interval over series {interval['low']:.3f} to {interval['high']:.3f}")
    print("\nTargets and what was achieved, single units, demand waits")
    print(achieved(service).round(3).to_string(index=False))
    saved = savings(service)
    print("\nStock at equal cycle service")
    print(saved.round(3).to_string(index=False))
    print("\n" + "\n".join(verdicts(service, saved)))
    if options.picture:
        exchange_picture(service.curves, "cycle_service", None, "units").savefig(options.picture)
    print("\nForecast: share of true sums within the quantile, whole units")
    print(service.forecast.round(3).to_string(index=False))
    print(f"bias of the next 28 days: {service.bias:+.3f}")
    print("\nLead times: learned against true")
    print(service.lead_times.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
