"""Speed, memory and accuracy of thresholds and risk: python benchmarks/thresholds.py [series …].

Each series has a forecast of 60 days, its own mean, one of 40 suppliers and two open orders; risk looks 60
days ahead and is reported for four of them. Work goes through in chunks on one thread a core, as the daily
job does it; lead times and the arrival of open orders are part of it. On 2 cores at least 250,000 series a
minute are asked for, in at most 2 GiB, and at every size as many.

Accuracy is that of levels and chances against draws from the very law the forecasts and lead times have:
gamma demand of independent days, and orders that overtake each other as often as the supplier's do.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
from scipy.stats import gamma

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period
from optimization.chunks import in_chunks
from optimization.lead_time import learn_lead_times
from optimization.position import expect_arrivals
from optimization.risk import stockout_risk
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

HORIZON, SUPPLIERS = 60, 40
AS_OF = pd.Timestamp("2024-06-30")
DAY = Period("day")
DAILY = 0.8  # shape of a day's gamma demand
STEPS = np.array([7, 14, 28, 60])
A_MINUTE, GIB = 250_000, 2.0
LONGER = 10  # days played for one draw: on neighbouring days much the same orders are owed


def forecasts(keys: pd.DataFrame, seed: int, correlation: float = 0.2) -> CumulativeDemand:
    """Gamma demand with means from 0.2 to 50 a day."""
    mean = np.exp(np.random.default_rng(seed).uniform(np.log(0.2), np.log(50), len(keys)))
    unit = gamma.ppf(LEVELS, np.arange(1, HORIZON + 1)[:, None] * DAILY) / DAILY
    rows = np.multiply(mean[:, None, None], unit[None], dtype=np.float32, casting="same_kind")
    sums = (mean[:, None] * np.arange(1, HORIZON + 1)).astype(np.float32)
    return CumulativeDemand(keys, AS_OF, DAY, rows, sums, LEVELS, correlation)


def orders(keys: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Two open orders a series, and 100 receipts a supplier with lead times of 3 to 25 days."""
    history = pd.DataFrame({"supplier": np.repeat([f"s{k:02d}" for k in range(SUPPLIERS)], 100)})
    history = history.assign(sku="other", location="depot", quantity=10.0)
    history["ordered_on"] = AS_OF - pd.to_timedelta(rng.integers(30, 300, len(history)), unit="D")
    taken = 3 + rng.gamma(np.repeat(rng.uniform(2, 10, SUPPLIERS), 100))
    history["received_on"] = history["ordered_on"] + pd.to_timedelta(taken.astype(int), unit="D")
    open_ = pd.concat([keys, keys], ignore_index=True).assign(quantity=100.0)
    open_["ordered_on"] = AS_OF - pd.to_timedelta(rng.integers(0, 8, len(open_)), unit="D")
    table = pd.concat([history, open_], ignore_index=True)
    return table.assign(order_id=np.arange(len(table)).astype(str))


def catalogue(count: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Keys, sourcing and orders of `count` series."""
    keys = pd.DataFrame({"sku": [f"item {k:06d}" for k in range(count)], "location": "shop"})
    sourcing = keys.assign(supplier=[f"s{k % SUPPLIERS:02d}" for k in range(count)], unit_cost=2.0)
    return keys, sourcing, orders(sourcing[["sku", "location", "supplier"]], np.random.default_rng(count))


def measure(count: int) -> dict[str, float]:
    """Series a minute, seconds of each part and peak memory for `count` series."""
    keys, sourcing, table = catalogue(count)
    busy, started = time.process_time(), time.perf_counter()
    lead_times = learn_lead_times(table, sourcing, DAY, AS_OF)
    inbound = expect_arrivals(table, sourcing, DAY, AS_OF, HORIZON)
    known = time.perf_counter() - started

    def decide(rows: slice) -> pd.DataFrame:
        demand = forecasts(keys.iloc[rows].reset_index(drop=True), rows.start)
        supply = supply_terms(demand.keys, {"sourcing": sourcing.iloc[rows]}, DAY, AS_OF)
        part, targets = lead_times.take(rows), set_targets(supply, None, DAY)
        levels = derive_thresholds(demand, supply, part, targets)
        position, coming = demand.keys.assign(on_hand=50.0, reserved=0.0), inbound.of(demand.keys)
        risk = stockout_risk(demand, supply, part, targets, position=position, inbound=coming, steps=STEPS)
        return pd.DataFrame({"series": [len(levels)], "risks": [len(risk)]})

    done = in_chunks(decide, count)
    taken = time.perf_counter() - started
    assert done.sum().tolist() == [count, len(STEPS) * count]
    return {
        "series": count,
        "series_a_minute": round(60 * count / taken),
        "seconds": taken,
        "lead_times_and_inbound_s": known,
        "series_a_minute_of_one_core": round(60 * count / (time.process_time() - busy)),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def accuracy(series: int = 200, draws: int = 100_000) -> dict[str, float]:
    """Differences between what was asked for or stated and what draws give, in points of a hundred."""
    keys, sourcing, table = catalogue(series)
    lead_times = learn_lead_times(table, sourcing, DAY, AS_OF)
    demand = forecasts(keys, 1, correlation=0.0)
    supply = supply_terms(keys, {"sourcing": sourcing}, DAY, AS_OF)
    supply, targets = supply.assign(whole=False), set_targets(supply, None, DAY)
    rng, scale = np.random.default_rng(5), demand.mean[:, 0] / DAILY
    review, wanted = supply["review_periods"].to_numpy(dtype=int), (0.8, 0.9, 0.95, 0.98)
    asked = [targets.assign(target=target) for target in wanted]
    levels = np.stack(
        [derive_thresholds(demand, supply, lead_times, t)["reorder_point"].to_numpy() for t in asked], axis=1
    )
    off = {}
    covered = np.stack(
        [
            _covered(row / unit, pmf, every, own, rng, draws)
            for row, unit, pmf, every, own in zip(
                levels, scale, lead_times.pmf, review, lead_times.overtaking, strict=True
            )
        ]
    )
    for k, target in enumerate(wanted):
        off[f"cycle_service_{target:g}"] = covered[:, k] - target
    position = keys.assign(on_hand=levels[:, -1] / 2, reserved=0.0)
    inbound = expect_arrivals(table, sourcing, DAY, AS_OF, HORIZON)
    risk = stockout_risk(
        demand, supply, lead_times, asked[-1], position=position, inbound=inbound, steps=STEPS
    )
    stated = risk["stockout_probability"].to_numpy().reshape(series, len(STEPS))
    off["stockout_probability"] = stated - _played(
        position, inbound.orders, inbound.arrival, scale, rng, draws // 5
    )
    found = {f"{name}_mean": 100 * float(np.abs(value).mean()) for name, value in off.items()}
    return found | {f"{name}_p99": 100 * float(np.quantile(np.abs(v), 0.99)) for name, v in off.items()}


def _covered(
    levels: np.ndarray,
    pmf: np.ndarray,
    review: int,
    overtaking: float,
    rng: np.random.Generator,
    draws: int,
) -> np.ndarray:
    """(k,) share of moments just before an arrival at which (k,) order-up-to levels cover what is owed.

    In the share `overtaking` every order takes its own time, and may overtake: played day by day. In the
    rest they come as they were placed, and what is owed is the demand of one lead time and review.
    """
    lead = rng.choice(len(pmf), draws, p=pmf)
    owed = rng.gamma(DAILY * (lead + review))
    waiting = (owed[:, None] <= levels).mean(axis=0)
    owed = _owed_before_arrivals(pmf, review, rng, LONGER * draws)
    return (1 - overtaking) * waiting + overtaking * (owed[:, None] <= levels).mean(axis=0)


def _owed_before_arrivals(pmf: np.ndarray, review: int, rng: np.random.Generator, days: int) -> np.ndarray:
    """Demand not yet delivered, at the end of each of many days on whose morrow an order arrives.

    Every `review` days what was asked for since the last review is ordered; the order's lead time of L days
    begins on the morrow, so it is there on the morning of the L + 1st. Demand of a day is gamma (DAILY, 1).
    """
    orders = days // review
    sold = rng.gamma(DAILY, size=orders * review)
    placed = np.arange(1, orders + 1) * review - 1
    arrives = placed + rng.choice(len(pmf), orders, p=pmf) + 1
    brought = np.bincount(arrives, sold.reshape(orders, review).sum(axis=1), minlength=len(sold) + 1)
    some = np.bincount(arrives, minlength=len(sold) + 1)[1 : len(sold) + 1] > 0
    some[: len(pmf) + review] = False  # until the first orders are there, fewer are under way than later
    return (np.cumsum(sold) - np.cumsum(brought[: len(sold)]))[some]


def _played(
    position: pd.DataFrame,
    open_: pd.DataFrame,
    arrival: np.ndarray,
    scale: np.ndarray,
    rng: np.random.Generator,
    draws: int,
) -> np.ndarray:
    """(n, steps) share of played shelves that were empty by then; sales that find nothing are lost."""
    out = np.empty((len(position), len(STEPS)))
    row = pd.Index(position["sku"]).get_indexer(open_["sku"])
    for i in range(len(position)):
        coming = np.zeros((HORIZON + 1, draws))
        for j in np.flatnonzero(row == i):
            reached = np.searchsorted(np.cumsum(arrival[j]), rng.random(draws))
            np.add.at(coming, (reached, np.arange(draws)), open_["quantity"].iloc[j])
        shelf, empty = np.full(draws, position["on_hand"].iloc[i]), np.zeros(draws, dtype=bool)
        asked = rng.gamma(DAILY, size=(HORIZON, draws)) * scale[i]
        for day in range(HORIZON):
            shelf += coming[day] - asked[day]
            empty |= shelf < 0
            np.maximum(shelf, 0, out=shelf)
            out[i, day + 1 == STEPS] = empty.mean()
    return out


if __name__ == "__main__":
    measure(100)  # compile
    sizes = [int(text) for text in sys.argv[1:]] or [20_000, 50_000, 100_000]
    found = [measure(size) for size in sizes]
    for line in [*found, accuracy()]:
        print(json.dumps({name: round(value, 3) for name, value in line.items()}))
    slowest, most = min(line["series_a_minute"] for line in found), max(line["peak_gib"] for line in found)
    print(f"at least {slowest:,.0f} series a minute (asked: {A_MINUTE:,}), {most:.2f} GiB (asked: {GIB:g})")
    sys.exit(slowest < A_MINUTE or most > GIB)
