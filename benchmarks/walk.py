"""Seconds and memory from raw tables to thresholds on the real data sets.

    python benchmarks/walk.py --data ../shared/data

Each set is walked by the command itself in a process of its own: load, then thresholds, which trains
first. Compiled functions are taken as they lie beside their source; --cold compiles them anew.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"
LIMITS = {"vn2": 90, "freshretail": 120, "pasta": 180}  # seconds


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak GiB of one command; its exit code must be 0."""
    began = time.monotonic()
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    words = program.stderr.read() if program.stderr else b""
    _, status, usage = os.wait4(program.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(words.decode())
    return time.monotonic() - began, usage.ru_maxrss / 2**20


def main() -> None:
    """Walk every set and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data sets")
    parser.add_argument("--cold", action="store_true", help="compile everything anew")
    options = parser.parse_args()
    print(f"{'set':<12} {'load':>7} {'train…thresholds':>17} {'together':>9} {'limit':>6} {'peak GiB':>9}")
    for name, limit in LIMITS.items():
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | ({"NUMBA_CACHE_DIR": f"{folder}/compiled"} if options.cold else {})
            there = ["--workspace", f"{folder}/workspace", "--config", str(EXAMPLES / f"{name}.toml")]
            program = [sys.executable, "-m", "serving.cli"]
            first, low = measure([*program, "load", str(options.data / name), *there], environment)
            then, high = measure(
                [*program, "thresholds", *there, "--out", f"{folder}/t.parquet"], environment
            )
        times = f"{first:>6.1f}s {then:>16.1f}s {first + then:>8.1f}s {limit:>5}s"
        print(f"{name:<12} {times} {max(low, high):>9.2f}", flush=True)


if __name__ == "__main__":
    main()
