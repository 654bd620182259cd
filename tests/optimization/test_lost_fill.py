"""Fill rates where sales are lost: levels against long replays, and laws that must hold."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, nbinom, poisson

from optimization.lost_fill import settle_fill_rates
from optimization.replay import replay_thresholds, sample_lead_times
from optimization.thresholds import derive_thresholds


def terms(n: int = 1, **more) -> pd.DataFrame:
    plain = {"sku": [f"item {i:04d}" for i in range(n)], "location": "shop", "supplier": "maker"}
    plain |= {"review_periods": 1, "moq": 0.0, "lot_size": 0.0, "order_cost": 0.0, "whole": True}
    plain |= {"order_weekdays": pd.NA, "shelf_life_days": np.nan}
    return pd.DataFrame(plain | more)


def aims(n: int = 1, **more) -> pd.DataFrame:
    plain = {"measure": "fill_rate", "target": 0.9, "holding_cost": 0.01, "shortage_cost": 3.0}
    return pd.DataFrame(plain | {"unmet": "lost", "overstock_factor": 1.2} | more, index=range(n))


def levels(demand, lead_times, targets, supply=None) -> tuple[pd.Series, pd.Series]:
    """Thresholds of the first series as played, and as the formula has them."""
    parts = demand, terms(len(targets)) if supply is None else supply, lead_times
    played = derive_thresholds(*parts, settle_fill_rates(*parts, targets))
    return played.iloc[0], derive_thresholds(*parts, targets).iloc[0]


def served(point: float, lead_time, mean: float = 4.0, review: int = 1, lot: float = 1.0) -> float:
    """Share of Poisson demand served from the shelf in 60 replays of 3,000 periods."""
    truth = np.random.default_rng(5).poisson(mean, (60, 3000)).astype(float)
    high = point + lot - 1
    played = replay_thresholds(truth, point, high, lead_time, review=review, lot_size=lot, warm_up=200)
    return played.measures()["fill_rate"]


@pytest.mark.parametrize("target", [0.8, 0.9, 0.95])
@pytest.mark.parametrize(
    ("lead", "review", "lot"), [(2, 1, 1.0), (7, 1, 1.0), (14, 1, 1.0), (7, 7, 1.0), (3, 1, 12.0)]
)
def test_the_target_is_met_and_not_exceeded(usual_demand, lead_time_of, lead, review, lot, target):
    """Within 1.5 points, or by the fewest whole units; 256 paths know the rate to half a point."""
    demand, supply = usual_demand(np.array([4.0]), 28, poisson), terms(review_periods=review, lot_size=lot)
    played, formula = levels(demand, lead_time_of({lead: 1.0}), aims(target=target), supply)
    point = played["reorder_point"]
    fill = served(point, lead, review=review, lot=lot)
    assert fill >= target - 0.005
    assert fill <= target + 0.015 or served(point - 1, lead, review=review, lot=lot) < target + 0.005
    assert point < formula["reorder_point"] + (lot > 1)


@pytest.mark.parametrize(
    ("lead", "points", "fills", "stocks"),
    [(7, (33, 38), (0.907, 0.967), (3.9, 7.0)), (14, (59, 69), (0.905, 0.977), (4.7, 10.3))],
)
def test_the_formula_holds_about_twice_the_stock(usual_demand, lead_time_of, lead, points, fills, stocks):
    """The figures of decision 9 for a target of 90 %, played first."""
    demand = usual_demand(np.array([4.0]), 28, poisson)
    found = tuple(row["reorder_point"] for row in levels(demand, lead_time_of({lead: 1.0}), aims()))
    assert found == points
    truth = np.random.default_rng(5).poisson(4.0, (60, 3000)).astype(float)
    for point, fill, stock in zip(points, fills, stocks, strict=True):
        played = replay_thresholds(truth, point, point, lead, warm_up=200)
        assert played.measures()["fill_rate"] == pytest.approx(fill, abs=0.002)
        assert played.stock.mean() == pytest.approx(stock, abs=0.1)


@pytest.mark.parametrize("horizon", [15, 28, 60])
def test_it_matters_little_how_far_the_forecast_reaches(usual_demand, lead_time_of, horizon):
    """The shortest reaches one review interval after the lead time: 256 periods know less than 3,584."""
    demand = usual_demand(np.array([4.0]), horizon, poisson)
    point = levels(demand, lead_time_of({14: 1.0}), aims())[0]["reorder_point"]
    assert point == pytest.approx(59, abs=2 if horizon == 15 else 1)


@pytest.mark.parametrize("target", [0.8, 0.9, 0.95])
@pytest.mark.parametrize(
    ("law", "review"), [({4: 0.5, 8: 0.5}, 1), ({4: 0.8, 14: 0.2}, 7), ({2: 0.9, 14: 0.1}, 3)]
)
@pytest.mark.parametrize("overtaking", [0.0, 1.0])
def test_uncertain_lead_times_are_played_as_orders_come(
    usual_demand, lead_time_of, law, review, overtaking, target
):
    """Orders that take their own time, and orders that wait for the one before, as they were received."""
    row = np.bincount(list(law), list(law.values()))
    took = sample_lead_times(np.tile(row, (60, 1)), 3000, np.random.default_rng(3))
    for k in range(review, 3000, review) if overtaking == 0 else ():
        took[:, k] = np.maximum(took[:, k], took[:, k - review] - review)
    known = np.bincount(took[:, 60 * review :: review].ravel()) / took[:, 60 * review :: review].size
    lead_times = lead_time_of({k: p for k, p in enumerate(known) if p > 0}, overtaking=overtaking)
    demand = usual_demand(np.array([4.0]), 40, poisson)
    played, formula = levels(demand, lead_times, aims(target=target), terms(review_periods=review))
    fill = served(played["reorder_point"], took, review=review)
    assert target - 0.01 <= fill <= target + 0.03
    assert played["reorder_point"] <= formula["reorder_point"]


@pytest.mark.parametrize(("target", "fewest"), [(0.9, 2), (0.98, 3)])
def test_without_lead_time_a_slow_item_needs_as_much_as_if_demand_waited(
    usual_demand, lead_time_of, target, fewest
):
    """A tenth of a unit a day, ordered overnight: one unit serves .78 of it, two .94, three .985."""
    demand = usual_demand(np.array([0.1]), 60, lambda m: nbinom(2 * m, 2 / 3))
    played, formula = levels(demand, lead_time_of({0: 1.0}), aims(target=target))
    assert played["reorder_point"] == formula["reorder_point"] == fewest


def test_only_lost_fill_rates_are_played(usual_demand, lead_time_of):
    """Not where demand waits, for another measure, with a cost of ordering or beyond the forecast."""
    demand, lead_times, told, supply = (
        usual_demand(np.full(5, 4.0), 12, poisson), lead_time_of({7: 1.0}, 5), aims(5), terms(5)
    )  # fmt: skip
    told.loc[1, "unmet"] = "backorder"
    told.loc[2, "measure"] = "cycle_service"
    told.loc[3, "measure"] = "cost"
    supply.loc[4, "order_cost"] = 9.0
    settled = settle_fill_rates(demand, supply, lead_times, told)
    assert settled.drop(columns="level_share").equals(told)
    assert settled["level_share"].iloc[0] < 1.0
    assert settled["level_share"].iloc[1:].tolist() == [1.0] * 4
    before, after = (derive_thresholds(demand, supply, lead_times, t) for t in (told, settled))
    assert after.iloc[1:].equals(before.iloc[1:])
    beyond = settle_fill_rates(demand, supply, lead_time_of({12: 1.0}, 5), told)
    assert (beyond["level_share"] == 1.0).all()
    last = settle_fill_rates(demand, supply, lead_time_of({11: 1.0}, 5), told)
    assert last["level_share"].iloc[0] < 1.0


@pytest.mark.parametrize("more", [{}, {"lot_size": 12.0}, {"whole": False}, {"moq": 30.0, "whole": False}])
@pytest.mark.parametrize("lead", [{0: 1.0}, {5: 1.0}, {2: 0.6, 9: 0.4}])
def test_the_level_rises_with_the_target_up_to_that_of_demand_that_waits(
    usual_demand, lead_time_of, more, lead
):
    means = np.array([0.05, 0.6, 5.0, 300.0])
    demand = usual_demand(means, 20, lambda m: nbinom(m / 2, 1 / 3))
    parts = demand, terms(4, **more), lead_time_of(lead, 4)

    def points(target: float, unmet: str) -> np.ndarray:
        told = settle_fill_rates(*parts, aims(4, target=target, unmet=unmet))
        return derive_thresholds(*parts, told)["reorder_point"].to_numpy()

    rising = [points(target, "lost") for target in (0.3, 0.7, 0.9, 0.98)]
    assert (np.diff(rising, axis=0) >= -1e-9).all()
    for found, target in zip(rising, (0.3, 0.7, 0.9, 0.98), strict=True):
        assert (found <= points(target, "backorder")).all()


def test_the_level_follows_the_unit_and_no_demand_needs_none(usual_demand, lead_time_of):
    means, lead_times, supply = np.array([0.3, 2.0, 30.0]), lead_time_of({3: 1.0}, 3), terms(3, whole=False)

    def share(unit: float) -> list[float]:
        demand = usual_demand(means * unit, 20, lambda m: gamma(m / (2 * unit), scale=2 * unit))
        return settle_fill_rates(demand, supply, lead_times, aims(3))["level_share"].tolist()

    assert share(1000.0) == pytest.approx(share(1.0), abs=2e-3)
    nothing = usual_demand(np.zeros(1), 20, lambda m: poisson(np.maximum(m, 1e-12)))
    assert levels(nothing, lead_time_of({3: 1.0}), aims())[0]["reorder_point"] == 0


def test_the_words_keep_the_target_that_was_asked_for(usual_demand, lead_time_of):
    row = levels(usual_demand(np.array([4.0]), 28, poisson), lead_time_of({7: 1.0}), aims())[0]
    assert row["target"] == 0.9
    assert "below 33, up to 33: with it 90% of units are served from the shelf" in row["explanation"]
    parts = row["from_demand"] + row["from_lead_time"] + row["from_review"]
    assert parts == pytest.approx(row["safety_stock"], abs=1e-9)
    assert row["safety_stock"] == pytest.approx(33 - 32, abs=1e-4)
