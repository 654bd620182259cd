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

Run: python benchmarks/service.py [--items 200] [--weeks 12] [--seeds 0 1 2] [--at-once 2] [--out service.csv]
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from evenings import FILLS, Exchange, Service, serve, trade, walk
from ingestion.retailer import simulate
from optimization.exchange import Curve, compare
from optimization.pictures import exchange_picture
from optimization.replay import Replay

BAND = 0.015  # either way, that service may be off its target
LESS = {"King": 0.15, "fixed cover a kind": 0.25}  # share of stock to do without at equal service
CYCLES, UNITS = ("served", "cycles"), ("met", "demand")  # parts of a `Replay` and their wholes


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
    forecast = pd.concat([s.forecast for s in services])
    return Service(
        pd.concat(keys, ignore_index=True),
        covered=np.concatenate([s.covered for s in services]),
        replay=_together([s.replay for s in services]),
        in_store=_together([s.in_store for s in services]),
        forecast=forecast.groupby(["volume", "horizon"], as_index=False).mean(),
        bias=float(np.mean([s.bias for s in services])),
        lead_times=pd.concat([s.lead_times for s in services]).groupby("supplier", as_index=False).mean(),
    )


def pooled_trades(trades: list[Exchange]) -> Exchange:
    """The exchanges of several retailers as one, its series as in `pooled`."""

    def curve(curves: tuple[Curve, ...]) -> Curve:
        replays = zip(*[c.replays for c in curves], strict=True)
        return replace(curves[0], replays=tuple(_together(list(at)) for at in replays))

    def each(parts: list[list[Curve]]) -> list[Curve]:
        return [curve(several) for several in zip(*parts, strict=True)]

    return Exchange(
        curves=each([t.curves for t in trades]),
        fills=curve(tuple(t.fills for t in trades)),
        less=each([t.less for t in trades]),
        known=each([t.known for t in trades]),
    )


def _together(replays: list[Replay]) -> Replay:
    arrays = {
        field.name: np.concatenate([getattr(r, field.name) for r in replays])
        for field in fields(Replay)
        if isinstance(getattr(replays[0], field.name), np.ndarray)
    }
    return replace(replays[0], **arrays)


def achieved(keys: pd.DataFrame, exchange: Exchange) -> pd.DataFrame:
    """Cycle service and fill rate reached at each target, over all series and by group, with their errors.

    error: standard error of the ratio over items; passes: within BAND of the target; unit_less: what a unit
    less everywhere would have reached; truth_known: what one reaches who knew the truth
    """
    groups = {"all": pd.Series("all", index=keys.index)}
    groups |= {name: keys[name] for name in ("volume", "supplier_kind")}
    item = pd.factorize(keys["sku"])[0]
    rows = []
    ours = exchange.curves[0], exchange.fills
    plays = zip(ours, exchange.less, exchange.known, strict=True)
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


def verdicts(keys: pd.DataFrame, exchange: Exchange, table: pd.DataFrame, saved: pd.DataFrame) -> list[str]:
    """One line a demand on the thresholds: what is asked, what came out, pass or FAIL.

    table, saved: from `achieved` and `savings`
    """
    lines = []
    for row in table[table["by"] != "all"].itertuples():
        word = "alpha" if row.measure == "cycle_service" else "beta"
        lines.append(
            f"{word} {row.target:.2f} {row.by.replace('supplier_kind', 'supplier')} {row.group}: "
            f"{row.achieved:.3f} ± {row.error:.3f} (a unit less {row.unit_less:.3f}, the truth known "
            f"{row.truth_known:.3f}), asked {row.target:.2f} ± {BAND}: {'pass' if row.passes else 'FAIL'}"
        )
    knowing = replace(exchange, curves=[exchange.known[0], *exchange.curves[1:]], fills=exchange.known[1])
    best = savings(keys, knowing).set_index(["measure", "policy", "setting"])["saving"]
    for row in saved[saved["setting"].isin(FILLS) & saved["policy"].isin(list(LESS))].itertuples():
        asked = LESS[row.policy]
        known = best[row.measure, row.policy, row.setting]
        found, passes = f"{row.saving:.3f} [{row.low:.3f}, {row.high:.3f}]", row.saving >= asked
        if np.isnan(row.saving):
            found, passes = f"beyond its reach, {row.at_least:.3f} of its largest", row.at_least >= asked
        lines.append(
            f"stock without {row.policy} at equal {row.measure.replace('_', ' ')}, target {row.setting:.2f}: "
            f"{found} (the truth known {known:.3f}), asked {asked:.2f}: {'pass' if passes else 'FAIL'}"
        )
    return lines


def savings(keys: pd.DataFrame, exchange: Exchange, seed: int = 0) -> pd.DataFrame:
    """Stock that ours does without at equal service, against each rule at one setting for all, and against a
    fixed cover that each kind of item sets for itself.

    At targets of cycle service where cycle service is equal, and at targets of fill rate where that is.
    Beside what `exchange.compare` gives, at_least: share of the stock of a rule's largest setting, which is
    less than the saving where that setting serves less; NaN where each kind has a setting of its own.
    """
    levels, *classic = exchange.curves
    cover = Curve("fixed cover a kind", classic[-1].settings, classic[-1].replays)
    kinds = keys["kind"].to_numpy()
    most = {rule.policy: float(rule.replays[-1].stock.mean()) for rule in classic}
    found = []
    for kind, ours in zip(("cycle_service", "fill_rate"), (levels, exchange.fills), strict=True):
        for table in (
            compare(ours, classic, kind, seed=seed),
            compare(ours, [cover], kind, groups=kinds, seed=seed),
        ):
            table.insert(0, "measure", kind)
            table["at_least"] = 1.0 - table["stock"] / table["policy"].map(most)
            found.append(table)
    return pd.concat(found, ignore_index=True)


def measure(seed: int, items: int, weeks: int, threads: int) -> tuple[Service, Exchange]:
    """One simulated retailer."""
    with tempfile.TemporaryDirectory() as folder:
        walked = walk(simulate(seed, items=items), Path(folder), weeks, seed, threads)
    return serve(walked), trade(walked)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for name, default in (("items", 200), ("weeks", 12), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--at-once", type=int, default=1, help="retailers measured at once")
    parser.add_argument("--out", type=Path, help="write the table of service as CSV")
    parser.add_argument("--picture", type=Path, help="draw the exchange curves as PNG or SVG")
    options = parser.parse_args()
    began = time.perf_counter()
    one = partial(measure, items=options.items, weeks=options.weeks, threads=options.threads)
    with ProcessPoolExecutor(options.at_once, mp_context=get_context("spawn")) as pool:
        services, trades = zip(*pool.map(one, options.seeds), strict=True)
    service, exchange = pooled(list(services)), pooled_trades(list(trades))
    table = report(service)
    if options.out:
        table.to_csv(options.out, index=False)
    print(f"Target .95, {options.weeks} weeks of evenings, {time.perf_counter() - began:.0f} s")
    print(table.round(3).to_string(index=False))
    interval = service.replay.summary().set_index("measure").loc["cycle_service"]
    print(f"\ncycles: 95 % interval over series {interval['low']:.3f} to {interval['high']:.3f}")
    print("\nTargets and what was achieved, single units, demand waits")
    reached = achieved(service.keys, exchange)
    print(reached.round(3).to_string(index=False))
    saved = savings(service.keys, exchange)
    print("\nStock at equal service")
    print(saved.round(3).to_string(index=False))
    print("\n" + "\n".join(verdicts(service.keys, exchange, reached, saved)))
    if options.picture:
        exchange_picture(exchange.curves, "cycle_service", None, "units").savefig(options.picture)
    print("\nForecast: share of true sums within the quantile, whole units")
    print(service.forecast.round(3).to_string(index=False))
    print(f"bias of the next 28 days: {service.bias:+.3f}")
    print("\nLead times: learned against true")
    print(service.lead_times.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
