"""Exposure: service of order-up-to levels where orders overtake, against long replays; what orders show."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from ingestion.periods import Period
from optimization.exposure import exposures
from optimization.overtaking import overtaking_share
from optimization.protection import protection_demand
from optimization.receipts import observe
from optimization.replay import replay_thresholds, sample_lead_times
from optimization.supply import Orders
from optimization.thresholds import derive_thresholds
from optimization.undershoot import cycle_levels
from serving import proof

HUMPS = {4: 0.8, 14: 0.2}


def replayed(mean: float, level: float, lead: dict[int, float], review: int):
    rng = np.random.default_rng(8)
    pmf = np.zeros(max(lead) + 1)
    pmf[list(lead)] = list(lead.values())
    demand = rng.poisson(mean, (400, 900)).astype(float)
    took = sample_lead_times(np.tile(pmf, (400, 1)), 900, rng)
    return replay_thresholds(
        demand, level, level, took, review=review, backorder=True, warm_up=100
    ).measures()


@pytest.mark.parametrize(
    ("lead", "review", "level"),
    [(HUMPS, 7, 45.0), (HUMPS, 1, 24.0), ({0: 0.5, 3: 0.5}, 2, 13.0), ({2: 0.2, 3: 0.6, 9: 0.2}, 3, 24.0)],
)
def test_service_is_that_of_a_long_replay_in_which_orders_overtake(
    discrete_demand, known_lead_times, lead, review, level
):
    mean, horizon = 3.0, 40
    pmf = np.zeros(max(lead) + 1)
    pmf[list(lead)] = list(lead.values())
    demand = discrete_demand([poisson(mean * h) for h in range(1, horizon + 1)])
    over = protection_demand(demand, known_lead_times(pmf, overtaking=1.0), np.array([review]))
    played = replayed(mean, level, lead, review)
    assert over.cdf(np.array([level])).item() == pytest.approx(played["cycle_service"], abs=0.004)
    filled = over.fill_level(np.array([played["fill_rate"]])).item()
    assert filled == pytest.approx(level, abs=0.25)
    in_order = protection_demand(demand, known_lead_times(pmf), np.array([review]))
    assert abs(in_order.cdf(np.array([level])).item() - played["cycle_service"]) > 0.01


@pytest.mark.parametrize("lot", [12.0, 30.0])
def test_lots_make_orders_rare_and_those_overtake_less(discrete_demand, known_lead_times, lot):
    """Of orders of four or ten days' demand fewer come before an earlier one than of daily ones."""
    pmf = np.zeros(15)
    pmf[list(HUMPS)] = list(HUMPS.values())
    demand = discrete_demand([poisson(3.0 * h) for h in range(1, 41)])
    lead_times, review = known_lead_times(pmf, overtaking=1.0), np.array([1])
    rng = np.random.default_rng(8)
    wanted = rng.poisson(3.0, (400, 900)).astype(float)
    took = sample_lead_times(np.tile(pmf, (400, 1)), 900, rng)

    lots = Orders(np.array([lot]), np.array([lot]), np.array([True]))

    def served(orders: Orders | None) -> float:
        over = protection_demand(demand, lead_times, review, orders)
        point = round(cycle_levels(over, lots, np.array([[0.9]]))[0].item())
        played = replay_thresholds(
            wanted, point, point + lot - 1, took, lot_size=lot, backorder=True, warm_up=100
        )
        return played.measures()["cycle_service"]

    assert served(lots) == pytest.approx(0.9, abs=0.025)  # a unit more serves a point or two
    assert served(None) < 0.85


@pytest.mark.parametrize(("minimum", "lot"), [(32.0, 1.0), (63.0, 1.0), (63.0, 63.0)])
def test_orders_are_as_far_apart_as_what_they_bring_lasts(usual_demand, lead_time_of, minimum, lot):
    """Of 3 a day, looked at every week; half a week's demand comes on top of a minimum, and times vary.

    A minimum of a week and a half that was taken for one of a week was served at .90.
    """
    lead_times = lead_time_of(HUMPS, overtaking=1.0)
    orders = Orders(np.array([minimum]), np.array([lot]), np.array([True]))
    demand = usual_demand(np.array([3.0]), 28, poisson)
    over = protection_demand(demand, lead_times, np.array([7]), orders)
    point = round(cycle_levels(over, orders, np.array([[0.95]]))[0].item())
    rng = np.random.default_rng(8)
    wanted = rng.poisson(3.0, (200, 1500)).astype(float)
    took = sample_lead_times(np.tile(lead_times.pmf, (200, 1)), 1500, rng)
    at = point, point + minimum - 1, took
    played = replay_thresholds(wanted, *at, review=7, lot_size=lot, moq=minimum, backorder=True, warm_up=100)
    assert played.measures()["cycle_service"] == pytest.approx(0.95, abs=0.016)


@pytest.mark.parametrize("order_cost", [0.1, 2.0])
def test_a_cost_of_ordering_makes_orders_rare_as_lots_do(discrete_demand, known_lead_times, order_cost):
    """A quantity of 8 or 35 units, 3 a day: levels of daily orders would give .92 and .80 for .95."""
    pmf = np.zeros(15)
    pmf[list(HUMPS)] = list(HUMPS.values())
    demand = discrete_demand([poisson(3.0 * h) for h in range(1, 41)])
    supply = {"sku": "item 0000", "location": "shop", "supplier": "maker", "review_periods": 1, "moq": 0.0}
    supply |= {"lot_size": 0.0, "order_cost": order_cost, "whole": True, "shelf_life_days": np.nan}
    supply |= {"order_weekdays": pd.NA}
    target = {"measure": "cycle_service", "target": 0.95, "holding_cost": 0.01, "unmet": "backorder"}
    target |= {"overstock_factor": 1.2}
    told = demand, pd.DataFrame([supply]), known_lead_times(pmf, overtaking=1.0), pd.DataFrame([target])
    row = derive_thresholds(*told).iloc[0]
    rng = np.random.default_rng(8)
    wanted = rng.poisson(3.0, (400, 900)).astype(float)
    took = sample_lead_times(np.tile(pmf, (400, 1)), 900, rng)
    point, up_to = row["reorder_point"], row["order_up_to"]
    played = replay_thresholds(wanted, point, up_to, took, backorder=True, warm_up=100)
    assert played.measures()["cycle_service"] == pytest.approx(0.95, abs=0.015)
    panel = SimpleNamespace(quantity=wanted[:1], observed=wanted[:1] >= 0)
    names = ("demand", "supply", "lead_times", "targets")
    known = dict(zip(names, told, strict=True))
    walk = SimpleNamespace(panel=panel, period=Period("day"), thresholds=row.to_frame().T, **known)
    assert round(proof._derive(walk).levels[0, np.searchsorted(proof.SETTINGS, 0.95)]) == point


def test_orders_as_far_apart_as_the_longest_lead_time_are_not_overtaken():
    pmf = np.array([[0.1, 0.2, 0.3, 0.4]])
    at = np.array([0]), np.array([2])
    found = exposures(pmf, *at, np.array([1.0]), np.array([[4, 4]]))
    assert found.lead.steps.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.lead.chance, pmf[0])


@given(
    weights=st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any),
    review=st.integers(1, 9),
    share=st.integers(0, 100),
)
def test_intervals_are_chances_and_bear_what_orders_do(weights, review, share):
    """Little's law: at any time a mean lead time and half a review are borne, whoever overtakes whom."""
    pmf = np.array(weights) / sum(weights)
    rows = pmf[None], np.array([0]), np.array([review])
    found = exposures(*rows, np.array([share / 100]))
    assert found.lead.chance.sum() == pytest.approx(1.0)
    assert (found.lead.chance > 0).all()
    assert (found.lead.steps >= 0).all()
    mean = pmf @ np.arange(len(pmf))
    # Of units of demand one a period: what is not yet there at the end of a period, over all periods.
    borne = (found.unmet.chance * found.unmet.steps * (found.unmet.steps + 1) / 2).sum()
    assert borne == pytest.approx(mean + (review + 1) / 2)


@given(periods=st.integers(0, 12), review=st.integers(1, 9), share=st.floats(0, 1))
def test_a_certain_lead_time_is_never_overtaken(periods, review, share):
    pmf = np.eye(13)[[periods]]
    found = exposures(pmf, np.array([0]), np.array([review]), np.array([share]))
    assert found.lead.steps.tolist() == [periods]
    ends = {periods: -1 / review, periods + review: 1 / review}
    ends.pop(0, None)
    assert dict(zip(found.unmet.steps.tolist(), found.unmet.chance.tolist(), strict=True)) == pytest.approx(
        ends
    )


@pytest.fixture
def orders():
    """A year of orders every third day by two suppliers, `waits` that lets none overtake."""

    def build(waits: bool, count: int = 120) -> pd.DataFrame:
        rng = np.random.default_rng(1)
        placed = pd.Timestamp("2024-01-01") + pd.to_timedelta(3 * np.arange(count), unit="D")
        lead = np.where(rng.random(count) < 0.8, 4, 14)
        comes = placed + pd.to_timedelta(lead, unit="D")
        if waits:
            comes = pd.DatetimeIndex(np.maximum.accumulate(comes.to_numpy()))
        frame = pd.DataFrame({"order_id": np.arange(count).astype(str), "sku": "a", "location": "x"})
        return frame.assign(supplier="maker", quantity=1.0, ordered_on=placed, received_on=comes)

    return build


def share(orders: pd.DataFrame, as_of: str = "2025-06-01") -> float:
    return overtaking_share(observe(orders, Period("day"), pd.Timestamp(as_of)).rows)["maker"]


def test_orders_show_whether_they_wait_for_each_other(orders):
    assert share(orders(waits=True)) == 0.0
    assert share(orders(waits=False)) > 0.8


def test_an_order_still_open_when_a_later_one_is_there_is_overtaken(orders):
    """Order 0 comes last of all: before it does, the one after it has overtaken it all the same."""
    late = orders(waits=True)
    late.loc[0, "received_on"] = pd.Timestamp("2024-12-31")
    assert share(late, "2024-06-30") > 0.0
    assert share(late, "2024-06-30") == share(
        late.assign(received_on=late["received_on"].where(late.index > 0)), "2024-06-30"
    )


def test_an_order_is_under_way_until_the_last_of_it_is_there(orders):
    """Half comes the next day: the other half says whether later orders overtook it, here or not yet."""
    late = orders(waits=False).assign(quantity=2.0)
    halves = late.assign(received_quantity=1.0)
    early = halves.assign(received_on=late["ordered_on"] + pd.Timedelta(days=1))
    as_of = "2024-12-20"  # some of the last orders are still open
    whole = share(late.assign(received_quantity=2.0), as_of)
    for parts in ([early, halves], [halves, early]):
        assert share(pd.concat(parts, ignore_index=True), as_of) == pytest.approx(whole, abs=1e-12)
    # One of which half is there and half is not is overtaken as one of which nothing is there.
    open_still = late[late["ordered_on"] <= as_of].assign(received_on=pd.NaT, received_quantity=np.nan)
    begun = open_still.assign(received_on=late["ordered_on"] + pd.Timedelta(days=1), received_quantity=1.0)
    one = late.index == 100
    kept = late.assign(received_quantity=2.0)[~one]
    known = [pd.concat([kept, part[part.index == 100]]) for part in (open_still, begun)]
    assert share(known[0], "2024-11-15") == share(known[1], "2024-11-15") > share(kept, "2024-11-15")


def test_orders_far_apart_say_nothing(orders):
    rare = orders(waits=False).iloc[::10]
    assert share(rare) == 0.0
