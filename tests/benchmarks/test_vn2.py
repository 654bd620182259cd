"""Orders on real weekly sales cost less than the organiser's; `benchmarks/vn2.py` plays all windows."""

import runpy
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "vn2.py"


@pytest.mark.walk
def test_the_plan_costs_less_than_the_organisers(shared_data):
    referee = shared_data.parent / "tools" / "vn2_folds"
    if not referee.exists():
        pytest.skip(f"the referee of the challenge is not at {referee}")
    benchmark = runpy.run_path(str(BENCHMARK))
    table = benchmark["play"](referee, benchmark["Policy"](), windows=1)
    assert len(table) == 1
    assert (table["cost"] < 0.97 * table["organiser"]).all()
