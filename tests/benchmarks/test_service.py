"""Thresholds keep their promise: derived from what the retailer knew, replayed against what was true."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from ingestion.retailer import simulate

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "service.py"


@pytest.mark.walk
def test_thresholds_reach_their_target_against_true_demand_and_lead_times(tmp_path):
    benchmark = runpy.run_path(str(BENCHMARK))
    walked = benchmark["walk"](simulate(seed=0, items=80), tmp_path, weeks=7, threads=1, retrain=49)
    table: pd.DataFrame = benchmark["report"](benchmark["serve"](walked)).set_index(["by", "group"])
    everything = table.loc[("all", "all")]
    assert everything["series"] >= 200
    # Replenishment cycles end without a stockout as often as they should when the thresholds are followed …
    assert everything["cycles"] == pytest.approx(0.95, abs=0.03)
    # … and the reorder point covers true demand over the true random protection interval nearly as often:
    # hot spells that nobody can forecast lift the demand of whole categories at once.
    assert everything["covered"] == pytest.approx(0.95, abs=0.04)
    # No volume third and no kind of supplier is left unprotected.
    groups = table.loc[["volume", "supplier_kind"], "cycles"]
    assert groups.between(0.87, 0.995).all(), groups
