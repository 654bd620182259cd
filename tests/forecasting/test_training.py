"""The choice of the model, and training on histories that are too short for one."""

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.gbm import Gbm
from forecasting.panel import build_panel
from forecasting.training import choose, train
from ingestion.periods import Period

QUICK = (Baseline("moving_average"), Baseline("tsb"), Gbm(rows=8000, trees=30))


def test_a_plain_forecast_serves_unless_it_is_beaten():
    loss = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert choose({"sba": loss, "lightgbm": loss * 1.1})[0] == "sba"
    assert choose({"sba": loss, "lightgbm": loss * 1.1})[1].endswith("lightgbm 10.0% more, so sba serves")
    assert choose({"sba": loss, "tsb": loss * 0.9, "lightgbm": loss * 0.8})[0] == "lightgbm"
    nothing = np.full((2, 2), np.nan)
    assert choose({"tsb": nothing, "lightgbm": nothing})[0] == "tsb"


def test_only_windows_that_all_were_scored_on_count():
    first, second = np.array([[1.0, np.nan]]), np.array([[2.0, 0.0]])
    assert choose({"sba": first, "tsb": second})[0] == "sba"


def test_promotions_earn_the_global_model_its_place(shop):
    tables = shop(n=20, days=300)
    panel = build_panel(tables, Period("day"), tables["demand"]["date"].max(), 14)
    report = train(panel, threads=1, candidates=QUICK)
    assert report.champion == "lightgbm"
    assert report.earned
    every = report.scores[report.scores["segment"] == "all"].set_index("candidate")
    assert every.loc["lightgbm", "pinball"] < every.loc["tsb", "pinball"]
    assert abs(every.loc["lightgbm", "bias"]) < 0.1
    for level in (0.8, 0.9, 0.95):
        assert every.loc["lightgbm", f"below_{level}"] - 0.05 <= level
        assert every.loc["lightgbm", f"within_{level}"] + 0.05 >= level
    assert "fewer than 365" in report.notes[0]


@pytest.mark.parametrize("days", [1, 2, 5, 12, 30])
def test_a_short_history_trains_a_plain_forecast(shop, days):
    tables = shop(n=4, days=days)
    panel = build_panel(tables, Period("day"), tables["demand"]["date"].max(), 28)
    report = train(panel, threads=1, candidates=QUICK)
    demand = report.model.predict(panel, 28)
    assert np.isfinite(demand.quantiles).all()
    assert not report.earned
    assert "fewer than 180" in report.notes[0]


@pytest.mark.parametrize("name", ["week", "month"])
def test_weeks_and_months_train(shop, name):
    tables = shop(n=10, days=900)
    period = Period(name)
    panel = build_panel(tables, period, period.dates(period.index(tables["demand"]["date"].max()) - 1)[0], 6)
    report = train(panel, threads=1, candidates=QUICK)
    demand = report.model.predict(panel, 6)
    busy = panel.quantity[-1, -12:].mean() * 6
    assert demand.mean[-1, -1] == pytest.approx(busy, rel=0.25)
    assert demand.period == period


def test_all_zero_demand_trains():
    demand = pd.DataFrame({"sku": "a", "location": "x", "date": pd.date_range("2024-01-01", periods=90),
                           "quantity": 0.0})  # fmt: skip
    panel = build_panel({"demand": demand}, Period("day"), pd.Timestamp("2024-03-30"), 14)
    report = train(panel, threads=1, candidates=QUICK)
    assert (report.model.predict(panel, 14).mean == 0).all()
    assert "no window could be scored" in report.why
