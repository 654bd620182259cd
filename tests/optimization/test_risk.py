"""Stockout risk: the textbook case to its last digit, an oracle of independent days, and laws."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import gamma, poisson

from ingestion.errors import Problem
from optimization.position import Inbound
from optimization.projection import Shelf, follow_paths, project_stock
from optimization.risk import latest_order, stockout_risk

ARRIVAL = {7: 0.6, 9: 0.3, 12: 0.1}
DAYS = 14


def arriving(
    chances: dict[int, float], quantity: float, steps: int = DAYS, sku: str = "item 0000"
) -> Inbound:
    row = np.zeros((1, steps))
    for day, chance in chances.items():
        row[0, day - 1] = chance
    orders = pd.DataFrame({"sku": [sku], "location": ["shop"], "quantity": [quantity]})
    return Inbound(orders, row)


def nothing(steps: int = DAYS) -> Inbound:
    return Inbound(arriving({}, 0.0).orders.iloc[:0], np.zeros((0, steps)))


def joint_passage(rate: float, first: int, second: int, days: int) -> dict[tuple[int, int], float]:
    """P(first day on which summed Poisson demand exceeds `first`, and `second`); days + 1 = not yet."""
    step = poisson(rate).pmf(np.arange(second + 1))
    below, joint = np.zeros((days + 2, second + 1)), {}
    below[days + 1, 0] = 1.0  # by the day the first level was passed (days + 1: not yet) and units so far
    for day in range(1, days + 1):
        after = np.array([np.convolve(row, step)[: second + 1] for row in below])
        for passed in range(1, days + 2):
            gone = below[passed].sum() - after[passed].sum()
            key = (day if passed > days else passed, day)
            joint[key] = joint.get(key, 0.0) + gone
        after[day, first + 1 :] += after[days + 1, first + 1 :]
        after[days + 1, first + 1 :] = 0.0
        below = after
    for passed in range(1, days + 2):
        joint[(passed, days + 1)] = below[passed].sum()
    return joint


@pytest.mark.parametrize(("arrival", "answer"), [(ARRIVAL, 0.107829), ({7: 1.0}, 0.011616)])
def test_first_passage_of_the_textbook_case(arrival, answer):
    """Case 15: with 20 on hand and 30 to come all that counts of a path is when it passes 20 and 50."""
    rows, steps, weights = [], [], []
    for (first, second), chance in joint_passage(2.0, 20, 50, DAYS).items():
        days = np.arange(1, DAYS + 1)
        for day, of_day in arrival.items():
            rows.append(np.where(days >= second, 51.0, np.where(days >= first, 21.0, 0.0)))
            steps.append([day - 1])
            weights.append(chance * of_day)
    out = np.empty((5, DAYS))
    never = np.full(len(rows), DAYS, dtype=np.int64)
    asked = np.diff(rows, axis=1, prepend=0.0).T.copy()
    supply = (np.array(steps).T.copy(), np.array([30.0]), never, np.zeros_like(asked))
    follow_paths(asked, np.array(weights), supply, (20.0, False), out)
    assert round(out[0, -1], 6) == answer


def test_the_sampled_case_is_near_the_exact_one(usual_demand, lead_time_of):
    demand = usual_demand(np.array([2.0]), DAYS, poisson)
    shelf = Shelf(np.array([20.0]), np.array([False]), np.array([True]))
    found = project_stock(
        demand, shelf, lead_time_of({3: 1.0}), arriving(ARRIVAL, 30.0), DAYS, paths=4096, seed=1
    )
    assert found.stockout[0, -1] == pytest.approx(0.107829, abs=0.01)


def test_against_a_simulation_of_independent_days(usual_demand, lead_time_of):
    """Two open orders, lost sales: chance, stock and units short, day by day."""
    demand = usual_demand(np.array([6.0]), 20, poisson)
    orders = pd.DataFrame({"sku": "item 0000", "location": "shop", "quantity": [30.0, 40.0]}, index=[0, 1])
    arrival = np.zeros((2, 20))
    arrival[0, [2, 4]], arrival[1, [8, 12]] = [0.5, 0.5], [0.7, 0.2]
    shelf = Shelf(np.array([25.0]), np.array([False]), np.array([True]))
    inbound, lead = Inbound(orders, arrival), lead_time_of({5: 0.5, 9: 0.5})
    found = project_stock(demand, shelf, lead, inbound, 20, paths=4096, seed=3)
    rng, count = np.random.default_rng(7), 40_000
    days = rng.poisson(6.0, (count, 20))
    first = rng.choice([2, 4], count)
    second = rng.choice([8, 12, 99], count, p=[0.7, 0.2, 0.1])
    fresh = rng.choice([5, 9], count)
    stock, out, lost = np.full(count, 25.0), np.zeros(count, bool), np.zeros(count)
    early, early_lost = np.zeros(count, bool), np.zeros(count)
    for day in range(20):
        stock += 30 * (first == day) + 40 * (second == day) - days[:, day]
        short = np.maximum(-stock, 0)
        early |= (short > 0) & ~out & (day < fresh)
        early_lost += short * (day < fresh)
        out |= short > 0
        lost += short
        stock = np.maximum(stock, 0)
        assert found.stockout[0, day] == pytest.approx(out.mean(), abs=0.025)
        assert found.early[0, day] == pytest.approx(early.mean(), abs=0.025)
        assert found.on_hand[0, day] == pytest.approx(stock.mean(), abs=1.0)
        assert found.lost[0, day] == pytest.approx(lost.mean(), abs=0.5 + 0.02 * lost.mean())
        assert found.early_lost[0, day] == pytest.approx(early_lost.mean(), abs=0.5)


@pytest.mark.parametrize("pace", [[0, 1, 1, 1, 1, 1, 0], [1, 1, 9, 9, 1, 0, 0]])
def test_periods_in_which_nothing_is_asked_for_hold_no_sum_up(continuous_demand, lead_time_of, pace):
    """Nothing to come: the chance of having run out is that of the sum, also after closed days and peaks."""
    laws = [gamma(0.5 * units + 1e-3) for units in np.cumsum(pace * 3)]
    demand = continuous_demand(laws)
    shelf = Shelf(np.array([8.0]), np.array([False]), np.array([False]))
    found = project_stock(demand, shelf, lead_time_of({3: 1.0}), nothing(21), 21)
    assert_allclose(found.stockout[0], [law.sf(8.0) for law in laws], atol=0.03)


def test_backorders_wait_and_lost_sales_do_not():
    """Demand 5 a day, 8 on the shelf, 20 come on day 4: short 2 + 5, then the backlog of 7 is served."""
    asked = np.full((4, 1), 5.0)
    supply = (np.array([[3]]), np.array([20.0]), np.array([2]), np.zeros((4, 1)))
    lost, waiting = np.empty((5, 4)), np.empty((5, 4))
    follow_paths(asked, np.ones(1), supply, (8.0, False), lost)
    follow_paths(asked, np.ones(1), supply, (8.0, True), waiting)
    assert lost[1].tolist() == [3, 0, 0, 15]
    assert waiting[1].tolist() == [3, 0, 0, 8]
    assert lost[2].tolist() == waiting[2].tolist() == [0, 2, 7, 7]
    assert lost[0].tolist() == [0, 1, 1, 1]
    assert lost[4].tolist() == [0, 2, 2, 2]  # an order placed today is there on day 3


def test_what_was_promised_is_owed_until_it_is_there_also_where_demand_is_lost():
    """Five more promised than there are, 2 a day lost meanwhile: of 20 on day 3, 5 are gone at once."""
    asked, out = np.full((5, 1), 2.0), np.empty((5, 5))
    supply = (np.array([[2]]), np.array([20.0]), np.array([5]), np.zeros((5, 1)))
    follow_paths(asked, np.ones(1), supply, (-5.0, False), out)
    assert out[1].tolist() == [0, 0, 13, 11, 9]
    assert out[2].tolist() == [2, 4, 4, 4, 4]


def test_latest_order_leaves_room_for_the_lead_time():
    """Out for sure by the end of day 6: with lead time 2 an order at the start of day 4 is there on day 6."""
    stockout = np.array([[0.0] * 5 + [1.0] * 5], dtype=np.float32)
    two, accepted = np.array([[0.0, 0.0, 1.0]]), np.array([0.05])

    def last(chances, lead, never=0.0):
        placed = (lead, np.zeros(1, dtype=np.int64), np.array([never]))
        return latest_order(chances, placed, accepted).tolist()

    assert last(stockout, two) == [4]
    assert last(stockout, np.eye(9)[8:]) == [1]
    assert last(0.04 * stockout, two) == [0]
    assert last(stockout, two, never=0.04) == [4]
    # Out with chance .03 from day 3, for sure from day 6: coming or not, day 4's order is late with at
    # least .96 × .03 + .04, day 1's (there on day 3) with .04 alone.
    early = np.array([[0.0, 0.0, 0.03, 0.03, 0.03] + [1.0] * 5], dtype=np.float32)
    assert last(early, two) == [4]
    assert last(early, two, never=0.04) == [1]


def test_an_order_that_may_never_come_averts_less(usual_demand, lead_time_of):
    """A quarter of orders never arrive: that share of every later stockout no order placed today averts."""
    demand = usual_demand(np.array([5.0]), DAYS, poisson)
    shelf = Shelf(np.array([12.0]), np.array([False]), np.array([True]))
    sure, doubtful = lead_time_of({2: 1.0}), replace(lead_time_of({2: 1.0}), never=np.array([0.25]))
    one, two = (
        project_stock(demand, shelf, lead, nothing(), DAYS, paths=4096, seed=2) for lead in (sure, doubtful)
    )
    assert_allclose(two.stockout, one.stockout)
    assert_allclose(
        two.early, 0.75 * one.early[:, 1:2].clip(0) * (np.arange(DAYS) >= 1) + 0.25 * one.stockout, atol=0.02
    )
    assert two.early_lost[0, -1] - one.early_lost[0, -1] == pytest.approx(0.25 * one.lost[0, -1], rel=0.1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(levels=st.tuples(st.floats(0, 60), st.floats(0, 60)), day=st.integers(1, 13), backorder=st.booleans())
def test_risk_rises_with_time_and_never_with_stock(usual_demand, lead_time_of, levels, day, backorder):
    stock, more = levels
    demand = usual_demand(np.array([3.0, 3.0]), DAYS, poisson)
    shelf = Shelf(np.array([stock, stock + more]), np.full(2, backorder), np.array([True, True]))
    found = project_stock(demand, shelf, lead_time_of({2: 1.0}, 2), arriving({day: 1.0}, 20.0), DAYS)
    assert (np.diff(found.stockout, axis=1) >= -1e-6).all()
    plain = project_stock(demand, shelf, lead_time_of({2: 1.0}, 2), nothing(), DAYS)
    assert (plain.stockout[1] <= plain.stockout[0] + 1e-6).all()
    assert (plain.lost[1] <= plain.lost[0] + 1e-4).all()
    assert (found.stockout[0] <= plain.stockout[0] + 1e-6).all()
    assert (found.early <= found.stockout + 1e-6).all()
    assert (found.early_lost <= found.lost + 1e-4).all()


@pytest.fixture
def usual_case(usual_demand, lead_time_of):
    def build(on_hand: list[float], supply=None, reserved=0.0, **more):
        n = len(on_hand)
        keys = usual_demand(np.full(n, 2.0), DAYS, poisson)
        return stockout_risk(
            keys,
            pd.DataFrame({"whole": [True] * n, "order_weekdays": None, "next_order": 1} | (supply or {})),
            lead_time_of({3: 1.0}, n),
            pd.DataFrame({"target": [0.95] * n, "unmet": ["lost"] * n, "shortage_cost": [4.0] * n}),
            position=keys.keys.assign(on_hand=on_hand, reserved=reserved),
            **{"inbound": nothing(), **more},
        )

    return build


def test_the_long_frame(usual_case):
    risk = usual_case([10.0, np.nan, 1000.0], steps=np.array([7, 14]))
    assert risk["horizon"].tolist() == [7, 14] * 3
    assert risk["date"].dt.strftime("%m-%d").tolist() == ["04-07", "04-14"] * 3
    one, uncounted, plenty = (risk.iloc[i : i + 2] for i in (0, 2, 4))
    assert_allclose(one["stockout_probability"], poisson([14, 28]).sf(10), atol=0.02)
    assert_allclose(one["expected_lost_money"], 4 * one["expected_lost_units"])
    assert uncounted["stockout_probability"].isna().all()
    assert plenty["stockout_probability"].tolist() == [0, 0]
    assert plenty["order_by"].isna().all()
    # Poisson(6) ≤ 10 at .957 on day 3 but Poisson(8) at .816 on day 4: an order that takes 3 days is
    # there at the start of day 4 only if it goes out on day 1.
    assert one["order_by"].dt.strftime("%m-%d").unique().tolist() == ["04-01"]


def test_a_far_order_does_not_hide_a_stockout(usual_case):
    near = usual_case([10.0], inbound=arriving({3: 1.0}, 60.0))
    far = usual_case([10.0], inbound=arriving({13: 1.0}, 60.0))
    assert near["stockout_probability"].iloc[-1] < 0.01
    assert far["stockout_probability"].iloc[-1] > 0.95


def test_the_same_seed_gives_the_same_bytes(usual_case):
    one, two = (usual_case([10.0], seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_horizon_past_the_forecast_is_refused(usual_case):
    with pytest.raises(Problem, match="1 to 14 periods"):
        usual_case([10.0], horizon=15)


def test_the_oracle_itself():
    """Marginals of the joint passage times are Poisson tails."""
    joint = joint_passage(2.0, 20, 50, DAYS)
    assert sum(joint.values()) == pytest.approx(1, abs=1e-12)
    for day, after in pairwise(range(5, DAYS + 1)):
        by = sum(chance for (first, _), chance in joint.items() if first <= day)
        assert by == pytest.approx(poisson(2 * day).sf(20), abs=1e-12)
        assert after == day + 1


def test_what_expires_on_the_shelf_does_not_serve(usual_case):
    """60 of 75 can be sold up to day 3, 5 are promised: day by day against paths of independent days."""
    lots = pd.DataFrame(
        {
            "row": [0, 0],
            "quantity": [60.0, 15.0],
            "expires_on": pd.to_datetime(["2024-04-03", "2024-12-31"]),
            "source": "lot",
        }
    )
    risk = usual_case([75.0], reserved=5.0, inbound=arriving({13: 1.0}, 40.0), lots=lots, paths=4096)
    rng = np.random.default_rng(11)
    days = rng.poisson(2.0, (40_000, DAYS))
    soon, later, fresh = (np.full(len(days), units) for units in (55.0, 15.0, 0.0))
    out, lost = np.zeros(len(days), bool), np.zeros(len(days))
    for day in range(DAYS):
        fresh += 40.0 * (day == 12)
        asked = days[:, day].astype(float)
        for shelf in (soon, later, fresh):
            taken = np.minimum(shelf, asked)
            np.subtract(shelf, taken, out=shelf)
            asked -= taken
        out |= asked > 0
        lost += asked
        row = risk.iloc[day]
        assert row["stockout_probability"] == pytest.approx(out.mean(), abs=0.02)
        assert row["expected_lost_units"] == pytest.approx(lost.mean(), abs=0.1)
        assert row["expected_on_hand"] == pytest.approx((soon + later + fresh).mean(), abs=0.5)
        soon[:] = 0.0 if day == 2 else soon
    told = usual_case([75.0], reserved=5.0, lots=lots.assign(source="receipt"))
    pd.testing.assert_frame_equal(told, usual_case([75.0], reserved=5.0))
