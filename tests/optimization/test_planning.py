"""Recommended orders: when, how much, on which grid, at what cost, and why."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from optimization.planning import COLUMNS, cheapest, on_grid, outstanding, recommend_orders
from optimization.position import Inbound, on_shelf
from optimization.protection import protection_demand
from optimization.thresholds import derive_thresholds

DAYS = 28


def terms(**more) -> pd.DataFrame:
    plain = {"sku": "item 0000", "location": "shop", "supplier": "maker", "unit_cost": 2.0, "moq": 0.0}
    plain |= {"lot_size": 0.0, "review_periods": 1, "order_cost": 0.0, "shelf_life_days": np.nan}
    return pd.DataFrame([plain | {"whole": True} | more])


def aims(**more) -> pd.DataFrame:
    plain = {"measure": "cycle_service", "target": 0.95, "holding_cost": 0.2, "shortage_cost": 1.0}
    return pd.DataFrame([plain | {"unmet": "lost", "overstock_factor": 1.2} | more])


def coming(*orders: tuple[int, float]) -> Inbound:
    """(day, quantity) of certain arrivals."""
    arrival = np.zeros((len(orders), DAYS))
    arrival[np.arange(len(orders)), [day - 1 for day, _ in orders]] = 1.0
    frame = pd.DataFrame({"sku": "item 0000", "location": "shop", "quantity": [float(q) for _, q in orders]})
    return Inbound(frame, arrival)


@pytest.fixture
def plan(usual_demand, lead_time_of):
    """Orders for one series, Poisson(4) a day, lead time 2, review 1: reorder point 18."""

    def build(on_hand, reserved=0.0, inbound=(), supply=None, targets=None):
        demand = usual_demand(np.array([4.0]), DAYS, poisson)
        supply, targets = terms() if supply is None else supply, aims() if targets is None else targets
        lead_times = lead_time_of({2: 1.0})
        return recommend_orders(
            demand,
            supply,
            lead_times,
            targets,
            thresholds=derive_thresholds(demand, supply, lead_times, targets),
            position=demand.keys.assign(on_hand=on_hand, reserved=reserved),
            inbound=coming(*inbound),
        )

    return build


def test_an_order_fills_up_to_the_level(plan):
    orders = plan(10.0, reserved=3.0)
    assert orders.columns.tolist() == COLUMNS
    row = orders.iloc[0]
    assert [row["kind"], row["supplier"], row["quantity"], row["cost"]] == ["purchase", "maker", 11, 22]
    assert str(row["order_on"].date()) == "2024-04-01"
    assert str(row["arrives_on"].date()) == "2024-04-03"
    assert row["reason"] == (
        "10 on hand − 3 reserved + 0 on the way in time = 7, below the reorder point 18: "
        "order 11, which makes 18."
    )
    assert "现有10－预留3" in row["reason_zh"]


@pytest.mark.parametrize("on_hand", [18.0, 100.0, np.nan])
def test_enough_or_unknown_stock_is_left_alone(plan, on_hand):
    assert plan(on_hand).empty


def test_open_orders_count_if_they_come_in_time(plan):
    assert plan(10.0, inbound=[(3, 5)])["quantity"].tolist() == [3]
    assert plan(10.0, inbound=[(2, 5), (1, 3)]).empty
    assert plan(10.0, inbound=[(4, 500)])["quantity"].tolist() == [8]


@pytest.mark.parametrize(("on_hand", "quantity"), [(17.0, 24), (12.0, 24), (5.0, 36), (0.0, 36)])
def test_quantities_lie_on_the_grid(plan, on_hand, quantity):
    """At least 24, then in twelves: the largest that stays within 18 + 23 and reaches 18."""
    found = plan(on_hand, supply=terms(moq=24.0, lot_size=12.0))["quantity"].tolist()
    assert found == [quantity]
    assert 18 <= on_hand + quantity <= 41


def test_the_cost_of_ordering_is_counted(plan):
    orders = plan(10.0, supply=terms(order_cost=7.0), targets=aims(holding_cost=0.9))
    assert orders["cost"].tolist() == (2 * orders["quantity"] + 7).tolist()


def test_a_short_shelf_life_caps_the_order(plan):
    """Lots of 60 would take 15 days to sell; five days of shelf life after 2 of lead time sell 28."""
    free = plan(0.0, supply=terms(moq=10.0, lot_size=10.0, order_cost=400.0))
    capped = plan(0.0, supply=terms(moq=10.0, lot_size=10.0, order_cost=400.0, shelf_life_days=5.0))
    assert free["quantity"].iloc[0] > 50
    assert capped["quantity"].tolist() == [20]
    assert "shelf life" not in free["reason"].iloc[0] + capped["reason"].iloc[0]
    tight = plan(0.0, supply=terms(shelf_life_days=1.0))
    assert tight["quantity"].tolist() == [12]
    assert tight["reason"].iloc[0].endswith("More would not sell within its shelf life.")


@pytest.mark.parametrize("fixed", [0.0, 3.0, 60.0])
@pytest.mark.parametrize("on_hand", [0.0, 9.0, 12.0, 15.0])
def test_the_cheapest_quantity_against_brute_force(usual_demand, lead_time_of, fixed, on_hand):
    demand = usual_demand(np.array([4.0]), DAYS, poisson)
    supply = terms(moq=6.0, lot_size=4.0, order_cost=fixed)
    over = protection_demand(demand, lead_time_of({2: 1.0}), np.array([1]))
    found = cheapest(over, supply, aims(target=1 / 1.2), np.array([on_hand])).item()
    law, values = poisson(12), np.arange(80)
    cost = {}
    for quantity in [0, *range(6, 60, 4)]:
        left = on_hand + quantity - values
        per_value = 0.2 * np.maximum(left, 0) + 1.0 * np.maximum(-left, 0)
        cost[quantity] = law.pmf(values) @ per_value + fixed * (quantity > 0)
    best = min(cost, key=lambda quantity: cost[quantity])
    assert found == best or cost[found] <= cost[best] + 0.1  # the models' grid of levels is coarse


@given(units=st.floats(-50, 500), least=st.integers(1, 60), lot=st.integers(1, 24), down=st.booleans())
def test_the_grid_against_a_search(units, least, lot, down):
    grid = np.array([0, *range(least, 700, lot)])
    near = grid[grid <= units + 1e-6].max(initial=0) if down else grid[grid >= units - 1e-6].min()
    found = on_grid(
        np.array([units]), np.array([float(least)]), np.array([float(lot)]), np.floor if down else np.ceil
    )
    assert found.tolist() == [near if units > 1e-6 else 0]


def test_orders_of_unknown_series_are_ignored(usual_demand):
    keys = usual_demand(np.array([4.0, 4.0]), DAYS, poisson).keys
    inbound = coming((1, 5), (2, 7))
    inbound.orders["sku"] = ["item 0001", "stranger"]
    assert outstanding(keys, inbound, np.array([3, 3])).tolist() == [0, 5]


def test_the_latest_count_is_the_position():
    keys = pd.DataFrame({"sku": ["a", "b"], "location": ["x", "x"]})
    days = pd.to_datetime(["2024-01-02", "2024-01-01"])
    stock = pd.DataFrame({"sku": "a", "location": "x", "as_of": days, "on_hand": [5.0, 9.0]})
    found = on_shelf(keys, stock)
    assert found["on_hand"].tolist()[0] == 5
    assert np.isnan(found["on_hand"].tolist()[1])
    assert found["reserved"].tolist() == [0, 0]
    assert on_shelf(keys, None)["on_hand"].isna().all()
