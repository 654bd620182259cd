"""Orders on real weekly sales cost less than those of the challenge's organiser.

Of the five windows that the benchmark plays, the latest and the one with the shortest history.
"""

import runpy
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "vn2.py"


@pytest.mark.walk
def test_the_plan_costs_less_than_the_organisers_in_each_window(shared_data):
    referee = shared_data.parent / "tools" / "vn2_folds"
    if not referee.exists():
        pytest.skip(f"the referee of the challenge is not at {referee}")
    benchmark = runpy.run_path(str(BENCHMARK))
    table = benchmark["play"](referee, benchmark["Policy"](), slice(0, 5, 4))
    assert len(table) == 2
    assert (table["cost"] < table["organiser"]).all()
    assert table["cost"].mean() < 0.9 * table["organiser"].mean()
