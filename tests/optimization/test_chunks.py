"""Chunks: the same answer as in one piece, in order, whatever the size and the threads."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from optimization.chunks import in_chunks
from optimization.position import Inbound
from optimization.risk import stockout_risk
from optimization.thresholds import derive_thresholds


@pytest.mark.parametrize(("size", "threads"), [(1, 2), (3, 1), (7, 3), (100, None)])
def test_levels_and_risk_do_not_depend_on_the_chunks(usual_demand, lead_time_of, size, threads):
    n = 7
    demand = usual_demand(np.linspace(0.5, 9, n), 20, lambda mean: gamma(mean / 2, scale=2))
    keys = demand.keys.assign(supplier="maker", unit_cost=2.0, moq=0.0, lot_size=0.0, review_periods=2)
    keys = keys.assign(order_weekdays=[None, "Tue"] * 3 + ["1 4"], next_order=[1, 2] * 3 + [1])
    supply = keys.assign(order_cost=0.0, shelf_life_days=np.nan, whole=[True, False] * 3 + [True])
    aims = {"measure": "cycle_service", "target": 0.9, "holding_cost": 0.1, "shortage_cost": 1.0}
    targets = pd.DataFrame(aims | {"unmet": "lost", "overstock_factor": 1.2}, index=range(n))
    lead_times = lead_time_of({2: 0.5, 5: 0.5}, n)
    arrival = np.zeros((2, 20))
    arrival[:, [3, 9]] = 0.5
    inbound = Inbound(demand.keys.iloc[[5, 2]].assign(quantity=[4.0, 9.0]).reset_index(drop=True), arrival)
    position = demand.keys.assign(on_hand=20.0, reserved=1.0)

    def decide(rows: slice) -> pd.DataFrame:
        part = demand.take(rows)
        terms = part, supply.iloc[rows], lead_times.take(rows), targets.iloc[rows]
        risk = stockout_risk(*terms, position=position.iloc[rows], inbound=inbound.of(part.keys))
        return derive_thresholds(*terms).merge(risk, on=["sku", "location"])

    whole = decide(slice(0, n))
    pd.testing.assert_frame_equal(in_chunks(decide, n, threads, size), whole, check_exact=True)


def test_no_series_at_all_still_give_columns():
    found = in_chunks(lambda rows: pd.DataFrame({"row": range(rows.start, rows.stop)}), 0)
    assert found.columns.tolist() == ["row"]
    assert found.empty
