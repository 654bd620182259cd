"""Speed and memory of thresholds and risk: python benchmarks/thresholds.py [series …].

Each series has a forecast of 60 days, its own mean, one of 40 suppliers and two open orders; risk looks 60
days ahead and is reported for four of them. Work goes through in chunks on one thread a core, as the
pipeline does it.
"""

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from scipy.stats import gamma

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period
from optimization.lead_time import LeadTimes, learn_lead_times
from optimization.position import Inbound, expect_arrivals
from optimization.risk import stockout_risk
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

HORIZON, SUPPLIERS, CHUNK = 60, 40, 10_000
AS_OF = pd.Timestamp("2024-06-30")
DAY = Period("day")


def forecasts(keys: pd.DataFrame, seed: int) -> CumulativeDemand:
    """Gamma demand with means from 0.2 to 50 a day."""
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.uniform(np.log(0.2), np.log(50), len(keys)))
    shape = np.arange(1, HORIZON + 1) * 0.8
    unit = gamma.ppf(LEVELS, shape[:, None]) / shape[-1]
    rows = (mean[:, None, None] * HORIZON * unit[None]).astype(np.float32)
    sums = (mean[:, None] * np.arange(1, HORIZON + 1)).astype(np.float32)
    return CumulativeDemand(keys, AS_OF, DAY, rows, sums, LEVELS, correlation=0.2)


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


def measure(count: int) -> dict[str, float]:
    """Seconds of each part for `count` series."""
    rng = np.random.default_rng(count)
    keys = pd.DataFrame({"sku": [f"item {k:06d}" for k in range(count)], "location": "shop"})
    sourcing = keys.assign(supplier=[f"s{k % SUPPLIERS:02d}" for k in range(count)], unit_cost=2.0)
    table = orders(sourcing[["sku", "location", "supplier"]], rng)
    busy = time.process_time()
    started = time.perf_counter()
    lead_times = learn_lead_times(table, sourcing, DAY, AS_OF)
    learned = time.perf_counter() - started
    started = time.perf_counter()
    inbound = expect_arrivals(table, sourcing, DAY, AS_OF, HORIZON)
    expected = time.perf_counter() - started
    chunks = [np.arange(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    spent = {"thresholds": 0.0, "risk": 0.0}

    def work(rows: np.ndarray) -> int:
        part = keys.iloc[rows].reset_index(drop=True)
        return _chunk(part, sourcing.iloc[rows], inbound.of(part), lead_times.take(rows), spent)

    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = sum(pool.map(work, chunks))
    elapsed = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "series": done,
        "lead_times_s": learned,
        "inbound_s": expected,
        "elapsed_s": elapsed,
        "cpu_s": time.process_time() - busy,
        **spent,
        "peak_gib": peak,
    } | {"series_a_minute": 60 * done / (learned + expected + elapsed)}


def _chunk(
    keys: pd.DataFrame,
    sourcing: pd.DataFrame,
    inbound: Inbound,
    lead_times: LeadTimes,
    spent: dict[str, float],
) -> int:
    demand = forecasts(keys, len(keys))
    first = time.perf_counter()
    supply = supply_terms(keys, {"sourcing": sourcing}, DAY)
    targets = set_targets(supply, None, DAY)
    derive_thresholds(demand, supply, lead_times, targets)
    second = time.perf_counter()
    position = keys.assign(on_hand=50.0, reserved=0.0)
    steps = np.array([7, 14, 28, 60])
    stockout_risk(demand, supply, lead_times, targets, position=position, inbound=inbound, steps=steps)
    spent["thresholds"] += second - first
    spent["risk"] += time.perf_counter() - second
    return len(keys)


if __name__ == "__main__":
    measure(100)  # compile
    for size in [int(text) for text in sys.argv[1:]] or [10_000, 50_000]:
        print(json.dumps({name: round(value, 3) for name, value in measure(size).items()}))
