"""Seconds and memory of panel, training and forecast on simulated data of the shape of M5.

    python benchmarks/scale.py [--items 3049] [--days 1941] [--threads 2] [--warehouse]
    python benchmarks/scale.py --data ../shared/data

At the full size, 30,490 series × 1,941 days, panel, training and forecast must take at most 15 minutes and
10 GiB on 2 cores. Peak memory is of the whole process up to the end of each stage, the table of demand with
it. --warehouse loads and reads the tables through the warehouse before, as the daily job does. --data takes
the two real histories that have limits instead.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from forecasting.panel import build_panel
from forecasting.training import train
from histories import CASES
from ingestion.contracts import TABLES
from ingestion.loading import load
from ingestion.periods import Period
from ingestion.warehouse import Warehouse
from m5_shaped import m5_shaped, write

AHEAD = 28
MINUTES, GIB = 15.0, 10.0
SECONDS, SMALL_GIB = {"vn2": 60.0, "pasta": 180.0}, 4.0  # of the real histories


def peak() -> float:
    """Most memory the process has held so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextmanager
def stage(name: str, taken: dict[str, float]) -> Iterator[None]:
    """Times what happens within and prints it."""
    begun = time.perf_counter()
    yield
    taken[name] = time.perf_counter() - begun
    print(f"{name:<12} {taken[name]:>8.1f} s   peak {peak():>5.2f} GiB", flush=True)


def through_warehouse(tables: dict[str, pd.DataFrame], taken: dict[str, float]) -> dict[str, pd.DataFrame]:
    """The tables as they come back from a warehouse that they were loaded into."""
    with tempfile.TemporaryDirectory() as folder:
        write(tables, Path(folder) / "in")
        tables.clear()
        warehouse = Warehouse(Path(folder) / "warehouse")
        with stage("load", taken):
            load(Path(folder) / "in", {"workspace": {"period": "day"}}, warehouse)
        with stage("read", taken):
            return {name: warehouse.read(name, warehouse.last_date()) for name in TABLES}


def real(data: Path, threads: int) -> None:
    """Training, calibration and forecast at the last origin of each real history that has a limit."""
    for name, limit in SECONDS.items():
        case, taken = CASES[name](data), dict[str, float]()
        panel = case.panel.until(int(case.origins[-1]))
        with stage(name, taken):
            train(panel, case.ahead, threads=threads).model.predict(panel, case.ahead)
        held = taken[name] <= limit and peak() <= SMALL_GIB
        print(f"{name}: at most {limit:.0f} s and {SMALL_GIB:.0f} GiB: {'holds' if held else 'BROKEN'}")


def main() -> None:
    """Reads the arguments, runs the stages, says whether the limits hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=3049)
    parser.add_argument("--days", type=int, default=1941)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warehouse", action="store_true")
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if given.data:
        real(given.data, given.threads)
        return
    taken: dict[str, float] = {}
    with stage("simulate", taken):
        tables = m5_shaped(given.items, given.days, AHEAD)
    print(f"{len(tables['demand']):,} rows of {given.items * 10:,} series", flush=True)
    if given.warehouse:
        tables = through_warehouse(tables, taken)
    with stage("panel", taken):
        panel = build_panel(tables, Period("day"), tables["demand"]["date"].max(), AHEAD)
    tables.clear()
    with stage("train", taken):
        report = train(panel, AHEAD, threads=given.threads)
    with stage("forecast", taken):
        report.model.predict(panel, AHEAD)
    minutes = sum(taken[name] for name in ("panel", "train", "forecast")) / 60
    held = minutes <= MINUTES and peak() <= GIB
    print(f"{report.why}\n{minutes:.1f} minutes, {peak():.2f} GiB: limits {'hold' if held else 'BROKEN'}")


if __name__ == "__main__":
    main()
