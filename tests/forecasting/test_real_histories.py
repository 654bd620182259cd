"""Real histories: promotions in waves, shelves empty half of the time, weeks with 60% zeros."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.gbm import Gbm
from forecasting.panel import Panel, build_panel
from forecasting.training import TrainingReport, train
from ingestion.periods import Period

QUICK = (Baseline("moving_average"), Baseline("sba"), Gbm(pairs=7000, trees=50))


def vn2(data: Path) -> Panel:
    demand = pd.read_parquet(data / "vn2" / "demand.parquet")
    demand = demand.assign(in_stock=demand["in_stock"].astype(float))
    return build_panel({"demand": demand}, Period("week"), demand["date"].max(), 6, "missing")


def freshretail(data: Path) -> Panel:
    frame = pd.read_parquet(data / "freshretail" / "daily.parquet")
    demand = pd.DataFrame({"sku": frame["product_id"].astype("str"), "quantity": frame["sale_amount"]})
    demand["location"] = frame["store_id"].astype("str")
    demand["date"] = frame["dt"].astype("datetime64[ns]")
    demand["in_stock"] = 1 - frame["stockout_hours_6_22"] / 16
    demand["price"], demand["promotion"] = frame["discount"], frame["activity_flag"]
    return build_panel({"demand": demand}, Period("day"), demand["date"].max(), 14, "missing", "CN")


def pasta(data: Path) -> Panel:
    frame = pd.read_parquet(data / "pasta" / "daily.parquet").rename(columns={"value": "quantity"})
    frame = frame.assign(sku=frame["brand"] + frame["product"].astype("str"), location="store")
    frame["date"] = frame["date"].astype("datetime64[ns]")
    demand = frame[["sku", "location", "date", "quantity", "promotion"]]
    plans = demand[["sku", "location", "date", "promotion"]]
    as_of = demand["date"].max() - pd.Timedelta(days=14)
    return build_panel({"demand": demand, "plans": plans}, Period("day"), as_of, 14, "closed", "IT")


@cache
def trained(read: Callable[[Path], Panel], data: Path) -> tuple[Panel, TrainingReport]:
    """A history and what training finds on it, once for all tests of a process."""
    panel = read(data)
    return panel, train(panel, threads=1, candidates=QUICK)


# Least that a learned forecast must save of the loss of the best plain one.
@pytest.mark.parametrize(("read", "saved"), [(vn2, 0.2), (freshretail, 0.0), (pasta, 0.02)])
def test_a_learned_forecast_loses_less_and_its_levels_hold(read, saved: float, shared_data: Path):
    panel, report = trained(read, shared_data)
    every = report.scores[report.scores["segment"] == "all"].set_index("candidate")
    plain = every.loc[["moving_average", "sba"], "pinball"].min()
    learned = every.drop(index=["moving_average", "sba"])
    best = learned["pinball"].idxmin()
    assert learned.loc[best, "pinball"] < (1 - saved) * plain
    # Learned on the other half of the origins: months between them move the middle, not the tail.
    for level, drift in ((0.8, 0.08), (0.9, 0.05), (0.95, 0.03), (0.99, 0.01)):
        assert learned.loc[best, f"within_{level}"] > level - drift
        assert learned.loc[best, f"below_{level}"] < level + drift
    assert report.verdict is not None, "the gate was asked"
    assert report.earned == report.verdict.promoted
    demand = report.model.predict(panel, panel.horizon)
    assert np.isfinite(demand.quantiles).all()
    assert set(demand.method) <= {report.champion, "pooled"}


def test_promotions_known_ahead_move_the_forecast(shared_data: Path):
    panel, report = trained(pasta, shared_data)
    ahead = panel.plan[:, panel.length :]
    cut = replace(panel, plan=np.where(np.arange(panel.plan.shape[1]) < panel.length, panel.plan, 0))
    with_plan, without = (report.model.predict(one, 14).mean[:, -1] for one in (panel, cut))
    often = ahead.mean(axis=1) > 0.7
    assert with_plan[often].sum() > 1.2 * without[often].sum()
