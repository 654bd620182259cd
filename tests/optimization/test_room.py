"""The whole room on the simulated retailer: its tables in, levels, risk and orders out."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period
from ingestion.retailer import simulate
from optimization.lead_time import learn_lead_times
from optimization.planning import recommend_orders
from optimization.position import expect_arrivals, on_shelf
from optimization.risk import stockout_risk
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

DAY, HORIZON = Period("day"), 42


@pytest.fixture(scope="module")
def retailer():
    return simulate(seed=3, items=20, stores=2, days=400)


def forecast(demand: pd.DataFrame, as_of: pd.Timestamp) -> CumulativeDemand:
    """Negative binomial around each series' mean: enough to carry the supply side."""
    means = demand.groupby(["sku", "location"])["quantity"].mean()
    sums = np.outer(means.to_numpy().clip(0.01), np.arange(1, HORIZON + 1))
    rows = nbinom.ppf(LEVELS, sums[:, :, None] / 1.5, 0.4).astype(np.float32)
    keys = means.index.to_frame(index=False)
    return CumulativeDemand(
        keys, as_of, DAY, np.maximum.accumulate(rows, axis=1), sums.astype(np.float32), LEVELS
    )


def decide(demand, tables):
    as_of = demand.as_of
    supply = supply_terms(demand.keys, tables, DAY, as_of)
    lead_times = learn_lead_times(tables["supply_orders"], supply, DAY, as_of)
    targets = set_targets(supply, tables["policies"], DAY)
    thresholds = derive_thresholds(demand, supply, lead_times, targets)
    position = on_shelf(demand.keys, tables["stock"], tables["demand"], tables["supply_orders"], DAY, as_of)
    inbound = expect_arrivals(tables["supply_orders"], tables["sourcing"], DAY, as_of, HORIZON)
    ahead = {"position": position, "inbound": inbound}
    risk = stockout_risk(demand, supply, lead_times, targets, **ahead)
    orders = recommend_orders(demand, supply, lead_times, targets, thresholds=thresholds, **ahead)
    return lead_times, thresholds, risk, orders


def test_the_retailer_gets_levels_risk_and_orders(retailer):
    demand = forecast(retailer.tables["demand"], retailer.tables["demand"]["date"].max())
    _, thresholds, risk, orders = decide(demand, retailer.tables)
    assert len(thresholds) == len(demand.keys)
    assert len(risk) == len(demand.keys) * HORIZON
    assert thresholds.drop(columns="supplier").notna().all(axis=None)
    assert risk["stockout_probability"].between(0, 1 + 1e-6).all()
    assert (risk["unavoidable_probability"] <= risk["stockout_probability"] + 1e-6).all()
    level = thresholds.set_index(["sku", "location"]).loc[
        pd.MultiIndex.from_frame(orders[["sku", "location"]])
    ]
    reached = orders["position"].to_numpy() + orders["quantity"].to_numpy()
    perishable = orders["reason"].str.contains("shelf life").to_numpy()
    assert ((reached >= level["reorder_point"].to_numpy() - 1e-6) ^ perishable).all()
    assert (reached <= level["order_up_to"].to_numpy() + 1e-6).all()


def test_lead_times_are_near_the_truth(retailer):
    """Mean and 90 % quantile over suppliers of every kind, against what the simulation drew from."""
    demand = forecast(retailer.tables["demand"], retailer.tables["demand"]["date"].max())
    lead_times, *_ = decide(demand, retailer.tables)
    found = pd.DataFrame(
        {"supplier": lead_times.keys["supplier"], "mean": lead_times.mean, "q90": lead_times.quantile(0.9)}
    )
    found = found.groupby("supplier").mean()
    for supplier, truth in retailer.truth.lead_times.groupby("supplier"):
        if supplier not in found.index:
            continue
        mean = (truth["days"] * truth["probability"]).sum()
        q90 = truth["days"][truth["probability"].cumsum() >= 0.9 - 1e-9].iloc[0]
        assert found.loc[supplier, "mean"] == pytest.approx(mean, rel=0.15, abs=0.5)
        assert found.loc[supplier, "q90"] == pytest.approx(q90, rel=0.2, abs=1.5)


def test_empty_tables_fall_back_and_say_so(retailer):
    demand = forecast(retailer.tables["demand"], retailer.tables["demand"]["date"].max())
    nothing = {name: table.iloc[:0] for name, table in retailer.tables.items()}
    lead_times, thresholds, risk, orders = decide(demand, nothing)
    assert set(lead_times.source) == {"default"}
    assert len(thresholds) == len(demand.keys)
    assert risk["stockout_probability"].isna().all()
    assert orders.empty


def test_no_series_give_empty_frames_with_their_columns(retailer):
    demand = forecast(retailer.tables["demand"], retailer.tables["demand"]["date"].max())
    _, *frames = decide(demand.take(np.zeros(len(demand.keys), dtype=bool)), retailer.tables)
    assert [len(frame) for frame in frames] == [0, 0, 0]
    assert all("sku" in frame for frame in frames)


def test_poison_after_the_as_of_date_changes_nothing(retailer):
    tables = dict(retailer.tables)
    as_of = tables["demand"]["date"].max() - pd.Timedelta(days=30)
    demand = forecast(tables["demand"], as_of)
    stock = tables["stock"]
    tables["stock"] = stock[stock["as_of"] <= as_of]
    orders = tables["supply_orders"]
    poisoned = orders.copy()
    poisoned.loc[poisoned["received_on"] > as_of, "received_on"] = as_of + pd.Timedelta(days=1)
    later = orders.tail(20).assign(ordered_on=as_of + pd.Timedelta(days=2), quantity=1e6)
    later["order_id"] = "poison " + later["order_id"]
    poisoned = pd.concat([poisoned, later], ignore_index=True)
    for one, two in zip(
        decide(demand, tables)[1:], decide(demand, tables | {"supply_orders": poisoned})[1:], strict=True
    ):
        pd.testing.assert_frame_equal(one, two, check_exact=True)
