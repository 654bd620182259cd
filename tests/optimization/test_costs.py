"""Cost levels: textbook answers for newsvendor, lots and order costs, and simulation where there are none."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.stats import gamma, nbinom, norm, poisson

from ingestion.periods import Period
from optimization.cost_levels import settle_costs
from optimization.fixed_costs import Costs, best_levels, policy_cost
from optimization.lot_sizing import Rates, economic_order_quantity, lot_cost, lot_level
from optimization.protection import protection_demand
from optimization.replay import replay_thresholds
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

DAY = Period("day")
DAYS = 40


def terms(**more) -> pd.DataFrame:
    plain = {"sku": "item 0000", "location": "shop", "supplier": "maker", "category": "food", "moq": 0.0}
    plain |= {"unit_cost": 2.0, "unit_price": 5.0, "lot_size": 0.0, "review_periods": 1}
    plain |= {"order_weekdays": None, "order_cost": 0.0}
    return pd.DataFrame([plain | {"shelf_life_days": np.nan, "whole": True} | more])


def policy(**more) -> pd.DataFrame:
    plain = {"selector": "*", "measure": "cost", "holding_cost": 1.0, "shortage_cost": 4.0}
    return pd.DataFrame([plain | {"unmet": "backorder"} | more])


@pytest.fixture
def levels_of(lead_time_of):
    """Levels of one series whose policy weighs costs."""

    def build(demand, lead=0, policies=None, **more):
        supply, lead_times = terms(**more), lead_time_of({lead: 1.0})
        told = set_targets(supply, policy() if policies is None else policies, DAY)
        targets = settle_costs(demand, supply, lead_times, told)
        return derive_thresholds(demand, supply, lead_times, targets).iloc[0]

    return build


@pytest.mark.parametrize(("lead", "level", "cost"), [(0, 56.6040, 1.99761), (4, 264.767, 4.46678)])
def test_newsvendor_normal(continuous_demand, lead_time_of, levels_of, lead, level, cost):
    """Case 1."""
    demand = continuous_demand([norm(50 * h, 8 * np.sqrt(h)) for h in range(1, 6)])
    costs = policy(holding_cost=0.18, shortage_cost=0.70)
    row = levels_of(demand, lead, costs, whole=False)
    assert row["order_up_to"] == row["reorder_point"] == pytest.approx(level, abs=1e-3)
    over = protection_demand(demand, lead_time_of({lead: 1.0}), np.array([1]))
    short = over.shortage(np.array([level])).item()
    assert 0.18 * (level - 50 * (lead + 1) + short) + 0.7 * short == pytest.approx(cost, abs=1e-5)


@pytest.mark.parametrize(
    ("mean", "costs", "level", "cost"), [(50, (0.18, 0.70), 56, 1.79724), (6, (1.0, 4.0), 8, 3.57011)]
)
def test_newsvendor_poisson(discrete_demand, lead_time_of, levels_of, mean, costs, level, cost):
    """Case 2."""
    demand = discrete_demand([poisson(mean)])
    assert levels_of(demand, 0, policy(holding_cost=costs[0], shortage_cost=costs[1]))["order_up_to"] == level
    short = protection_demand(demand, lead_time_of({0: 1.0}), np.array([1])).shortage(
        np.array([float(level)])
    )
    assert costs[0] * (level - mean + short) + costs[1] * short == pytest.approx(cost, abs=1e-5)


def test_cost_of_a_lot_and_its_reorder_point(continuous_demand, lead_time_of):
    """Case 3, a year at a time, and that the reorder point found for this lot is the cheapest."""
    demand = continuous_demand([norm(1300 / 12, 150 / np.sqrt(12))])
    over = protection_demand(demand, lead_time_of({1: 1.0}), np.array([0]))
    rates = Rates(np.array([1300.0]), np.array([0.225]), np.array([7.5]))

    def cost(point: float) -> float:
        return lot_cost(over, np.array([8.0]), rates, np.array([point]), np.array([328.5])).item()

    assert cost(126.8) == pytest.approx(78.0712, abs=1e-3)
    found = lot_level(over, np.array([328.5]), np.array([7.5 / 7.725])).item()
    best = minimize_scalar(cost, bounds=(50, 250), method="bounded", options={"xatol": 1e-4})
    assert found == pytest.approx(best.x, abs=0.5)
    assert found == pytest.approx(126.8, abs=0.6)


def fixed(k: float, h: float, p: float) -> Costs:
    return Costs(np.array([k]), np.array([h]), np.array([p]))


@pytest.mark.parametrize(
    ("mean", "costs", "levels", "cost"),
    [
        (6, (5.0, 1.0, 4.0), (4, 10), 8.03411),
        (10, (64.0, 1.0, 9.0), (6, 40), 35.022),
        (50, (64.0, 1.0, 9.0), (42, 108), 70.975),
    ],
)
def test_best_levels_with_a_cost_of_ordering(
    discrete_demand, lead_time_of, levels_of, mean, costs, levels, cost
):
    """Cases 4 and 5, and as thresholds: an order is due below s + 1 and goes up to S."""
    demand = discrete_demand([poisson(mean)])
    over = protection_demand(demand, lead_time_of({0: 1.0}), np.array([1]))
    whole = np.array([True])
    low, high, least = best_levels(over, fixed(*costs), whole)
    assert [low.item(), high.item()] == list(levels)
    assert least.item() == pytest.approx(cost, abs=6e-4)
    assert policy_cost(over, fixed(*costs), whole, low, high) == pytest.approx(least)
    for s in range(levels[0] - 3, levels[0] + 4):
        for top in range(levels[1] - 3, levels[1] + 4):
            other = policy_cost(over, fixed(*costs), whole, np.array([float(s)]), np.array([float(top)]))
            assert other.item() >= least.item() - 1e-9
    told = policy(holding_cost=costs[1], shortage_cost=costs[2])
    row = levels_of(demand, 0, told, order_cost=costs[0])
    assert [row["reorder_point"], row["order_up_to"]] == [levels[0] + 1, levels[1]]


def test_large_and_fractional_demand_is_searched_in_steps(continuous_demand, lead_time_of):
    """5,000 a review: the same policy in hundreds of units, within a step; its cost within 1 %."""
    coarse = continuous_demand([gamma(25, scale=2)])
    fine = continuous_demand([gamma(25, scale=200)])
    over = [protection_demand(one, lead_time_of({0: 1.0}), np.array([1])) for one in (coarse, fine)]
    part = np.array([False])
    small = best_levels(over[0], fixed(64.0, 1.0, 9.0), part)
    large = best_levels(over[1], fixed(6400.0, 1.0, 9.0), part)
    assert_allclose(np.array(large), 100 * np.array(small), rtol=0.01)
    whole = best_levels(over[1], fixed(6400.0, 1.0, 9.0), np.array([True]))
    assert_allclose(np.array(whole), np.array(large), rtol=0.02)


def wagner_whitin(demand: list[float], fixed_cost: float, holding: float) -> tuple[float, list[float]]:
    """Least cost of orders that meet a known demand, and their quantities (Wagner and Whitin 1958)."""
    n = len(demand)
    least, first = [0.0] * (n + 1), [0] * (n + 1)
    for end in range(1, n + 1):
        options = []
        for start in range(end):
            held = sum(holding * (t - start) * demand[t] for t in range(start, end))
            options.append((least[start] + fixed_cost + held, start))
        least[end], first[end] = min(options)
    orders, end = [0.0] * n, n
    while end:
        orders[first[end]] = sum(demand[first[end] : end])
        end = first[end]
    return least[n], orders


def test_known_demand_is_ordered_nearly_as_cheaply_as_can_be(levels_of, usual_demand):
    """Case 7, the oracle; and beside it the levels of known even demand: within 5 % of the least cost."""
    assert wagner_whitin([90, 120, 80, 70], 500, 2) == (1380, [210, 0, 150, 0])
    demand = usual_demand(np.array([10.0]), 60, lambda mean: norm(mean, 1e-6))
    row = levels_of(demand, 0, policy(holding_cost=0.5, shortage_cost=200.0), order_cost=120.0)
    days, held, orders, stock = 600, 0.0, 0, 0.0
    for _ in range(days):
        if stock < row["reorder_point"]:
            orders, stock = orders + 1, row["order_up_to"]
        stock -= 10
        held += stock
    assert stock >= 0
    least, _ = wagner_whitin([10.0] * days, 120.0, 0.5)
    assert 120 * orders + 0.5 * held <= 1.05 * least


def test_economic_order_quantity():
    """Case 6; unknown costs make nothing worth ordering ahead."""
    quantity = economic_order_quantity(8, 1300, 0.225)
    assert quantity == pytest.approx(304.047, abs=1e-3)
    assert 8 * 1300 / quantity + 0.225 * quantity / 2 == pytest.approx(68.4105, abs=1e-4)
    assert (
        economic_order_quantity(np.array([0.0, 8.0, np.nan]), 5.0, np.array([1.0, 0.0, 1.0])).tolist()
        == [0] * 3
    )


def play_lots(
    point: float, lot: float, lead: int, mean: float, days: int = 60_000
) -> tuple[np.ndarray, float]:
    """Net stock at the end of each day under (r, nQ), backorders; and the share of units met at once."""
    asked = np.random.default_rng(4).poisson(mean, days)
    due, net, position, ends, late = np.zeros(days + lead + 2), point, point, [], 0.0
    for day in range(days):
        if position < point:
            quantity = lot * np.ceil((point - position) / lot)
            due[day + lead] += quantity
            position += quantity
        net += due[day]
        late += min(max(asked[day] - max(net, 0.0), 0.0), asked[day])
        net -= asked[day]
        position -= asked[day]
        ends.append(net)
    return np.array(ends[200:]), 1.0 - late / asked.sum()


@pytest.mark.parametrize(("lot", "target"), [(12.0, 0.95), (40.0, 0.95), (40.0, 0.8), (6.0, 0.98)])
def test_a_fill_rate_with_lots_is_met_and_not_exceeded(usual_demand, levels_of, lot, target):
    demand = usual_demand(np.array([4.0]), DAYS, poisson)
    told = policy(measure="fill_rate", target=target)
    row = levels_of(demand, 3, told, lot_size=lot)
    fill = play_lots(row["reorder_point"], lot, 3, 4.0)[1]
    less = play_lots(row["reorder_point"] - 2, lot, 3, 4.0)[1]
    assert fill == pytest.approx(target, abs=0.015)
    assert less < target
    single = levels_of(demand, 3, told)["reorder_point"]
    assert row["reorder_point"] < single


@pytest.mark.parametrize(
    ("lot", "holding", "shortage"), [(12.0, 1.0, 9.0), (40.0, 1.0, 9.0), (25.0, 0.2, 20.0)]
)
def test_the_reorder_point_below_a_lot_is_the_cheapest_when_played(
    usual_demand, levels_of, lot, holding, shortage
):
    demand = usual_demand(np.array([4.0]), DAYS, poisson)
    found = levels_of(demand, 3, policy(holding_cost=holding, shortage_cost=shortage), lot_size=lot)

    def cost(point: float) -> float:
        ends, _ = play_lots(point, lot, 3, 4.0, 20_000)
        return float((holding * np.maximum(ends, 0) + shortage * np.maximum(-ends, 0)).mean())

    costs = {point: cost(point) for point in range(32)}
    assert costs[int(found["reorder_point"])] <= 1.02 * min(costs.values())


def play_perishable(
    level: int, lead: int, life: int, mean: float, prices: tuple[float, float, float]
) -> float:
    """Money a day of ordering up to `level` every day, first in first out, sales lost on an empty shelf."""
    holding, shortage, worth = prices
    asked = np.random.default_rng(9).poisson(mean, 12_000)
    shelf, coming, money = [0] * life, [level, *[0] * lead], 0.0
    for units in asked:
        shelf[-1] = coming.pop(0)
        left = units
        for age in range(life):
            sold = min(left, shelf[age])
            shelf[age] -= sold
            left -= sold
        money += shortage * left + worth * shelf[0]
        shelf = [*shelf[1:], 0]
        money += holding * sum(shelf)
        coming.append(max(level - sum(shelf) - sum(coming), 0))
    return money / len(asked)


@pytest.mark.parametrize(("life", "mean"), [(2, 4.0), (3, 4.0), (2, 1.0), (4, 1.5)])
def test_what_perishes_is_held_as_cheaply_as_can_be(usual_demand, levels_of, life, mean):
    """Played over all levels: little dearer than the best, and cheaper than the newsvendor level."""
    prices = 0.02, 3.0, 2.0
    demand = usual_demand(np.array([mean]), DAYS, poisson)
    told = policy(holding_cost=prices[0], shortage_cost=prices[1])
    fresh = int(levels_of(demand, 1, told, shelf_life_days=float(life))["reorder_point"])
    keeps = int(levels_of(demand, 1, told)["reorder_point"])
    costs = {level: play_perishable(level, 1, life, mean, prices) for level in range(1, keeps + 3)}
    assert fresh < keeps
    assert costs[fresh] <= 1.07 * min(costs.values())
    assert costs[fresh] < costs[keeps]


def test_a_long_shelf_life_changes_nothing_and_a_shorter_one_never_raises_the_level(usual_demand, levels_of):
    demand = usual_demand(np.array([4.0]), DAYS, lambda mean: nbinom(mean / 2, 1 / 3))
    told = policy(holding_cost=0.02, shortage_cost=3.0)
    points = [levels_of(demand, 2, told, shelf_life_days=days)["reorder_point"] for days in (1, 2, 4, 8, 37)]
    assert points == sorted(points)
    # The models' grid says little about amounts far below its lowest level.
    assert points[-1] >= levels_of(demand, 2, told)["reorder_point"] - 1
    unknown = levels_of(demand, 2, told, shelf_life_days=1.0, unit_cost=np.nan)
    assert unknown["reorder_point"] >= points[-1]


def test_a_shelf_life_caps_what_is_ordered_ahead(usual_demand, levels_of):
    """√(2·400·4/.02) = 400 would last 100 days; what sells within 10 days after a lead time of 2 is 48."""
    demand = usual_demand(np.array([4.0]), DAYS, poisson)
    told = policy(measure="cycle_service", target=0.95, holding_cost=0.02)
    free = levels_of(demand, 2, told, order_cost=400.0)
    capped = levels_of(demand, 2, told, order_cost=400.0, shelf_life_days=10.0)
    assert capped["reorder_point"] == free["reorder_point"]
    assert free["order_up_to"] == free["reorder_point"] + 399
    assert capped["order_up_to"] == pytest.approx(48, abs=2)
    assert "would not sell within its shelf life" in capped["explanation"]
    assert "保质期内卖不完" in capped["explanation_zh"]
    assert "shelf life" not in free["explanation"]


def test_series_that_are_not_held_for_cost_keep_their_targets(usual_demand, lead_time_of):
    demand = usual_demand(np.array([4.0]), DAYS, poisson)
    supply = terms(lot_size=12.0, order_cost=9.0, shelf_life_days=3.0)
    told = set_targets(supply, policy(measure="fill_rate", target=0.9), DAY)
    settled = settle_costs(demand, supply, lead_time_of({2: 1.0}), told)
    assert settled.drop(columns="cycle_quantity").equals(told)
    assert settled["cycle_quantity"].isna().all()


@pytest.mark.parametrize("lot", [0.0, 10.0])
def test_orders_that_a_cost_makes_rare_overtake_less(usual_demand, lead_time_of, lot):
    """Lead times of 2, 5 or 12 days that overtake, rare orders: near the best by play."""
    demand = usual_demand(np.array([10.0]), DAYS, lambda mean: gamma(mean / 5.0, scale=5.0))
    supply = terms(order_cost=250.0, lot_size=lot, whole=False)
    lead_times = lead_time_of({2: 0.5, 5: 0.3, 12: 0.2}, overtaking=1.0)
    told = set_targets(supply, policy(shortage_cost=1000.0), DAY)
    targets = settle_costs(demand, supply, lead_times, told)
    row = derive_thresholds(demand, supply, lead_times, targets).iloc[0]
    rng, series, days = np.random.default_rng(1), 100, 800
    asked = rng.gamma(2.0, 5.0, (series, days))
    lead = rng.choice([2, 5, 12], (series, days), p=[0.5, 0.3, 0.2])

    def cost(more: float) -> float:
        levels = row["reorder_point"] + more, row["order_up_to"] + more
        played = replay_thresholds(asked, *levels, lead, lot_size=lot, backorder=True, warm_up=100)
        number = (played.orders[:, 100:] > 0).mean()
        return played.stock.mean() + 1000.0 * played.lost.mean() / played.periods + 250.0 * number

    assert cost(0.0) <= 1.1 * min(cost(more) for more in np.arange(-40.0, 41.0, 10.0))
