"""Recommended orders: when, how much, on which grid, at what cost, and why."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from optimization.planning import COLUMNS, cheapest, on_grid, recommend_orders
from optimization.position import Inbound
from optimization.protection import protection_demand
from optimization.thresholds import derive_thresholds

DAYS = 28


def terms(**more) -> pd.DataFrame:
    plain = {"sku": "item 0000", "location": "shop", "supplier": "maker", "unit_cost": 2.0, "moq": 0.0}
    plain |= {
        "lot_size": 0.0,
        "review_periods": 1,
        "order_weekdays": None,
        "next_order": 1,
        "order_cost": 0.0,
        "shelf_life_days": np.nan,
        "lifecycle": "",
    }
    plain |= {"minimum_order_value": np.nan}
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

    def build(on_hand, reserved=0.0, inbound=(), supply=None, targets=None, expiring=None):
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
            expiring=None if expiring is None else np.array([expiring]),
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


def test_what_expires_before_it_sells_is_replaced(plan):
    """20 on hand are enough, unless 5 of them expire: 15 are below 18."""
    assert plan(20.0).empty
    row = plan(20.0, expiring=5.0).iloc[0]
    assert [row["quantity"], row["position"], row["expiring"], row["on_hand"]] == [3, 15, 5, 20]
    assert row["reason"].startswith("20 on hand − 0 reserved − 5 expiring + 0 on the way in time = 15, below")
    assert "预留0－将过期5＋" in row["reason_zh"]


@pytest.mark.parametrize("on_hand", [18.0, 100.0, np.nan])
def test_enough_or_unknown_stock_is_left_alone(plan, on_hand):
    assert plan(on_hand).empty


def test_open_orders_count_if_they_come_in_time(plan):
    assert plan(10.0, inbound=[(3, 5)])["quantity"].tolist() == [3]
    assert plan(10.0, inbound=[(2, 5), (1, 3)]).empty
    assert plan(10.0, inbound=[(4, 500)])["quantity"].tolist() == [8]


@pytest.mark.parametrize(("on_hand", "quantity"), [(16.0, 24), (12.0, 24), (4.0, 36), (0.0, 36)])
def test_quantities_lie_on_the_grid(plan, on_hand, quantity):
    """At least 24, then in twelves: the largest that stays within 17 + 23 and reaches 17."""
    found = plan(on_hand, supply=terms(moq=24.0, lot_size=12.0))["quantity"].tolist()
    assert found == [quantity]
    assert 17 <= on_hand + quantity <= 40


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


@pytest.mark.parametrize("on_hand", [0.0, 5.0, 9.0, 11.0])
@pytest.mark.parametrize("holding", [0.2, 0.9])
def test_the_cheapest_quantity_against_brute_force(usual_demand, lead_time_of, holding, on_hand):
    demand = usual_demand(np.array([4.0]), DAYS, poisson)
    supply = terms(moq=6.0, lot_size=4.0)
    over = protection_demand(demand, lead_time_of({2: 1.0}), np.array([1]))
    targets = aims(target=1 / (1 + holding), holding_cost=holding)
    found = cheapest(over, supply, targets, np.array([on_hand])).item()
    law, values = poisson(12), np.arange(80)
    cost = {}
    for quantity in range(6, 60, 4):
        left = on_hand + quantity - values
        cost[quantity] = law.pmf(values) @ (holding * np.maximum(left, 0) + np.maximum(-left, 0))
    best = min(cost, key=lambda quantity: cost[quantity])
    assert found == best or cost[found] <= cost[best] + 0.1  # the models' grid of levels is coarse
    assert found in cost


def due_by_cost(usual_demand, lead_time_of, on_hand: np.ndarray, holding: float, **more):
    """Levels and orders of a cost target: demand 1 a day, margin 4, lead time 7, review 1."""
    n = len(on_hand)
    demand = usual_demand(np.ones(n), DAYS, poisson)
    keys = demand.keys[["sku"]].assign(review_periods=1)
    supply = pd.concat([terms(sku=sku, **more) for sku in keys["sku"]], ignore_index=True)
    level = 4 / (4 + holding)
    one = aims(measure="cost", target=level, holding_cost=holding, shortage_cost=4.0)
    targets, lead_times = pd.concat([one] * n, ignore_index=True), lead_time_of({7: 1.0}, n)
    thresholds = derive_thresholds(demand, supply, lead_times, targets)
    position = demand.keys.assign(on_hand=on_hand, reserved=0.0)
    orders = recommend_orders(
        demand, supply, lead_times, targets, thresholds=thresholds, position=position, inbound=coming()
    )
    return thresholds, orders


def test_a_dear_order_never_leaves_the_shelf_empty(usual_demand, lead_time_of):
    """Ordering costs 50, more than a day's shortage of one unit ever does: below the reorder point it is
    placed all the same, in the economic quantity √(2 · 50 · 1 / .04) = 50 above the reorder point."""
    levels, orders = due_by_cost(usual_demand, lead_time_of, np.array([0.0]), 0.04, order_cost=50.0)
    point, up_to = levels[["reorder_point", "order_up_to"]].iloc[0]
    assert up_to == point + 49
    assert orders["quantity"].tolist() == [up_to]


@pytest.mark.parametrize("order_cost", [0.0, 5.0, 50.0])
@pytest.mark.parametrize("moq", [0.0, 7.0, 200.0])
@pytest.mark.parametrize("holding", [0.04, 1.5])
def test_a_cost_target_orders_wherever_one_is_due(usual_demand, lead_time_of, order_cost, moq, holding):
    """Below the reorder point always, above it never; within the order-up-to level."""
    on_hand = np.arange(40.0)
    levels, orders = due_by_cost(usual_demand, lead_time_of, on_hand, holding, order_cost=order_cost, moq=moq)
    due = on_hand < levels["reorder_point"].to_numpy()
    assert 0 < due.sum() < len(due)
    assert orders["position"].tolist() == on_hand[due].tolist()
    assert (orders["quantity"] >= max(moq, 1.0)).all()
    assert (orders["position"] + orders["quantity"] <= levels["order_up_to"][due].to_numpy() + 1e-6).all()


def test_a_minimum_value_is_told_not_applied(plan, caplog):
    assert plan(10.0, supply=terms(minimum_order_value=500.0))["quantity"].tolist() == [8]
    assert "minimum_order_value is not applied: 1 recommended orders" in caplog.text
    caplog.clear()
    assert plan(100.0, supply=terms(minimum_order_value=500.0)).empty
    assert not caplog.records


@given(units=st.floats(-50, 500), least=st.integers(1, 60), lot=st.integers(1, 24), down=st.booleans())
def test_the_grid_against_a_search(units, least, lot, down):
    grid = np.array([0, *range(least, 700, lot)])
    near = grid[grid <= units + 1e-6].max(initial=0) if down else grid[grid >= units - 1e-6].min()
    found = on_grid(
        np.array([units]), np.array([float(least)]), np.array([float(lot)]), np.floor if down else np.ceil
    )
    assert found.tolist() == [near if units > 1e-6 else 0]
