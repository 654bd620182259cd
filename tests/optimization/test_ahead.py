"""Thresholds ahead: exact for independent demand, equal where it is flat, and moved before the event."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import gamma, poisson

from forecasting.cumulative import LEVELS, CumulativeDemand
from forecasting.gbm import Gbm
from forecasting.panel import build_panel
from forecasting.training import train
from ingestion.periods import Period
from ingestion.retailer import simulate
from optimization.ahead import demand_after, thresholds_ahead
from optimization.lead_time import learn_lead_times
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

DAY = Period("day")
AS_OF = pd.Timestamp("2024-03-31")
LEVEL = ["safety_stock", "reorder_point", "order_up_to", "overstock_level"]
lawful = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def demand_of(rates: np.ndarray, law=poisson) -> CumulativeDemand:
    """Independent days with these means, (n, H)."""
    sums = np.cumsum(rates, axis=1)
    rows = law(np.maximum(sums, 1e-12)[:, :, None]).ppf(LEVELS)
    keys = pd.DataFrame({"sku": [f"item {i:04d}" for i in range(len(rates))], "location": "shop"})
    return CumulativeDemand(keys, AS_OF, DAY, rows.astype(np.float32), sums.astype(np.float32), LEVELS)


def terms(demand: CumulativeDemand, review: int = 1, **more) -> pd.DataFrame:
    plain = {"supplier": "maker", "unit_cost": 2.0, "moq": 0.0, "lot_size": 0.0, "order_cost": 0.0}
    plain |= {"review_periods": review, "order_weekdays": None, "shelf_life_days": np.nan, "whole": True}
    return demand.keys.assign(**plain | more)


def aims(demand: CumulativeDemand, target: float = 0.95) -> pd.DataFrame:
    plain = {"measure": "cycle_service", "target": target, "holding_cost": 0.01, "shortage_cost": 3.0}
    return pd.DataFrame(plain | {"unmet": "lost", "overstock_factor": 1.2}, index=range(len(demand.keys)))


@pytest.fixture
def ahead(lead_time_of):
    def build(demand, lead=2, review=1, **more):
        supply, lead_times = terms(demand, review, **more), lead_time_of({lead: 1.0}, len(demand.keys))
        return thresholds_ahead(demand, supply, lead_times, lambda _: aims(demand), "v1")

    return build


def test_the_first_row_is_the_one_of_today(ahead, lead_time_of):
    demand = demand_of(np.random.default_rng(3).uniform(0.1, 9, (3, 30)))
    today = derive_thresholds(demand, terms(demand, 7), lead_time_of({3: 1.0}, 3), aims(demand), "v1")
    found = ahead(demand, lead=3, review=7)
    assert found["valid_from"].dt.strftime("%m-%d").tolist()[:3] == ["04-01", "04-08", "04-15"]
    assert found["valid_until"].dt.strftime("%m-%d").tolist()[:3] == ["04-07", "04-14", "04-21"]
    assert found["sku"].tolist() == np.repeat(demand.keys["sku"], 3).tolist()
    first = found.drop_duplicates(["sku", "location"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(first, today, check_exact=True)
    assert (found["data_as_of"] == AS_OF).all()


def test_what_the_forecast_does_not_cover_is_not_told(ahead):
    """Of 30 days, lead time 3 and review 7 leave 20 to begin in; today's row stays in any case."""
    demand = demand_of(np.ones((1, 30)))
    starts = (ahead(demand, lead=3, review=7)["valid_from"] - AS_OF).dt.days
    assert starts.tolist() == [1, 8, 15]
    assert (ahead(demand, lead=3, review=1)["beyond_horizon"] == 0).all()
    assert len(ahead(demand, lead=40, review=7)) == 1


def test_levels_are_exact_for_independent_days(ahead):
    """Poisson days with a weekly pattern, three times as many on days 15 to 18: the law of each interval."""
    rates = np.tile([4.0, 4, 4, 4, 6, 9, 2], 6)[None]
    rates[0, 14:18] *= 3
    found = ahead(demand_of(rates))
    interval = np.array([rates[0, k : k + 3].sum() for k in range(len(found))])
    exact = poisson(interval).ppf(0.95)
    assert_allclose(found["protection_mean"], interval, rtol=1e-5)
    assert (np.abs(found["reorder_point"] - exact) <= 1).all()
    # What is first seen from day 12 on, three days before the event, and last on day 18.
    assert found["reorder_point"].iloc[12] > 1.3 * found["reorder_point"].iloc[5]
    assert found["reorder_point"].iloc[18] < 0.6 * found["reorder_point"].iloc[14]


@lawful
@given(
    rate=st.floats(0.05, 50), lead=st.integers(0, 5), review=st.integers(1, 5), target=st.floats(0.5, 0.99)
)
def test_flat_demand_has_the_same_levels_in_every_period(lead_time_of, rate, lead, review, target):
    demand = demand_of(np.full((1, 28), rate), lambda mean: gamma(mean / 2, scale=2))
    supply, lead_times = terms(demand, review).assign(whole=False), lead_time_of({lead: 0.5, lead + 2: 0.5})
    found = thresholds_ahead(demand, supply, lead_times, lambda _: aims(demand, target))
    assert len(found) > 3
    levels = found[LEVEL].to_numpy(dtype=float)
    assert_allclose(levels, np.tile(levels[0], (len(levels), 1)), rtol=1e-4, atol=1e-4 * rate)


@lawful
@given(
    rates=st.lists(st.floats(0, 20), min_size=6, max_size=20),
    after=st.integers(0, 19),
    unit=st.sampled_from([0.001, 1000.0]),
)
def test_means_are_differences_and_rows_stay_in_order(rates, after, unit):
    demand = demand_of(np.array([rates]), lambda mean: gamma(mean, scale=1))
    after = min(after, len(rates) - 1)
    later = demand_after(demand, after)
    inside = len(rates) - after
    sums = np.cumsum(rates)
    begun = sums[after - 1] if after else 0.0
    assert_allclose(later.mean[0, :inside], sums[after:] - begun, rtol=1e-4, atol=1e-4)
    assert (np.diff(later.mean[0]) >= 0).all()
    assert (np.diff(later.quantiles[0], axis=1) >= -1e-6).all()
    assert (np.diff(later.quantiles[0], axis=0) >= -1e-3).all()
    grams = CumulativeDemand(
        demand.keys, AS_OF, DAY, demand.quantiles * np.float32(unit), demand.mean * np.float32(unit), LEVELS
    )
    scaled = demand_after(grams, after).quantiles / unit
    assert_allclose(scaled, later.quantiles, rtol=1e-3, atol=1e-3)


def test_nothing_asked_for_needs_nothing_later(ahead):
    demand = demand_of(np.zeros((1, 20)))
    assert (ahead(demand)[["reorder_point", "safety_stock"]] == 0).all(axis=None)
    begins = np.zeros((1, 20))
    begins[0, 10:] = 5.0
    levels = ahead(demand_of(begins))["reorder_point"].to_numpy()
    assert (levels[:8] <= 1).all()
    assert (levels[10:] >= 18).all()


def test_a_policy_that_begins_later_moves_the_levels_from_then_on(lead_time_of):
    demand = demand_of(np.full((1, 30), 4.0))
    rows = {"selector": ["*", "*"], "measure": "cycle_service", "target": [0.9, 0.99], "unmet": "lost"}
    begins = AS_OF + pd.Timedelta(days=9)
    policies = pd.DataFrame(rows | {"valid_from": [pd.NaT, begins], "valid_until": pd.NaT})
    supply = terms(demand, category="food", unit_price=5.0)
    found = thresholds_ahead(
        demand, supply, lead_time_of({2: 1.0}), lambda day: set_targets(supply, policies, DAY, on=day)
    )
    assert found["target"].tolist() == [0.9] * 8 + [0.99] * (len(found) - 8)
    assert found["valid_from"].iloc[8] == begins


def test_the_past_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        demand_after(demand_of(np.ones((1, 5))), -1)


def test_a_planned_promotion_of_the_retailer_moves_the_levels_before_it():
    """In three weeks: levels rise in the reviews whose protection interval meets it, and fall after."""
    retailer = simulate(seed=6, items=12, stores=2, days=400)
    tables, as_of, horizon = dict(retailer.tables), retailer.last_day, 49
    first, last = as_of + pd.Timedelta(days=22), as_of + pd.Timedelta(days=28)
    plans = tables["plans"]
    sold = tables["demand"].groupby("sku")["quantity"].sum()
    promoted = tables["demand"][tables["demand"]["promotion"] > 0]["sku"].unique()
    sku = sold[sold.index.isin(promoted)].idxmax()
    past = plans[plans["end"] <= as_of]
    plan = pd.DataFrame({"start": [first], "end": [last], "sku": sku, "promotion": 0.4, "known_from": as_of})
    levels = {}
    for name, known in {"plain": past, "planned": pd.concat([past, plan], ignore_index=True)}.items():
        panel = build_panel(tables | {"plans": known}, DAY, as_of, horizon)
        if name == "plain":
            model = train(panel, threads=1, candidates=(Gbm(pairs=4000, trees=40),), origins=4).model
        demand = model.predict(panel, horizon)
        supply = supply_terms(demand.keys, tables, DAY, as_of)
        lead_times = learn_lead_times(tables["supply_orders"], supply, DAY, as_of)
        targets = set_targets(supply, tables["policies"], DAY)
        rows = thresholds_ahead(demand, supply, lead_times, lambda _, targets=targets: targets)
        levels[name] = rows[rows["sku"] == sku]
    plain, planned = levels["plain"], levels["planned"]
    assert plain["valid_from"].tolist() == planned["valid_from"].tolist()
    gained = planned["protection_mean"].to_numpy() / plain["protection_mean"].to_numpy()
    review = planned["review_periods"].to_numpy()
    lead = np.round(planned["lead_time_mean"].to_numpy())
    meets = (planned["valid_from"] <= last) & (
        planned["valid_from"] + pd.to_timedelta(review + lead - 1, unit="D") >= first
    )
    assert meets.any()
    assert (gained[meets.to_numpy()] > 1.02).all()
    whole = planned["valid_from"] > last
    assert (np.abs(gained[(~meets).to_numpy()] - 1) < 0.25).all()
    peak = planned["reorder_point"][meets].groupby(planned["location"]).max()
    now = planned.groupby("location")["reorder_point"].first()
    after = planned["reorder_point"][whole].groupby(planned["location"]).last()
    assert (peak > 1.1 * now).all()
    assert (after < peak).all()
