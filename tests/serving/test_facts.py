"""Facts: what the rules see of open orders, against the order's own arithmetic."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period
from optimization.lead_time import LeadTimes
from optimization.overstock import overstock_outlook
from optimization.planning import recommend_orders
from optimization.position import Inbound
from optimization.thresholds import derive_thresholds
from serving.facts import assemble_facts

KEYS = pd.DataFrame({"sku": ["a", "b"], "location": ["x", "x"]})
AS_OF, DAYS = pd.Timestamp("2024-03-31"), 10


@pytest.fixture
def demand() -> CumulativeDemand:
    """4 a day, for certain."""
    sums = np.tile(4.0 * np.arange(1, DAYS + 1), (2, 1)).astype(np.float32)
    rows = np.repeat(sums[:, :, None], len(LEVELS), axis=2)
    return CumulativeDemand(KEYS, AS_OF, Period("day"), rows, sums, LEVELS)


@pytest.fixture
def lead_times() -> LeadTimes:
    """Three days as ten receipts' rounding leaves them: 3 + 1e-12 in the mean is not a fourth day."""
    pmf = np.array([[0.0, 0.0, 0.0, 1.0 - 1e-12, 1e-12]])
    known = LeadTimes(
        keys=KEYS.assign(supplier="maker"),
        period=Period("day"),
        distributions=pmf,
        which=np.zeros(2, dtype=np.int64),
        never=np.zeros(2),
        lost_after=np.full(2, 1000.0),
        receipts=np.full(2, 50.0),
        source=np.full(2, "receipts of the supplier", dtype=object),
        on_time=np.full(2, np.nan),
        lateness=np.zeros((0, 1)),
        late_which=np.full(2, -1),
        earliest=0,
        overtaking=np.zeros(2),
        set_aside={},
    )
    assert known.mean[0] > 3
    return known


def inbound(days: list[int], overdue: list[bool]) -> Inbound:
    """Orders of 5, 6, 7, … units of item a that come on these days, for certain."""
    arrival = np.zeros((len(days), DAYS))
    arrival[np.arange(len(days)), np.array(days) - 1] = 1.0
    orders = pd.DataFrame({"sku": "a", "location": "x", "quantity": 5.0 + np.arange(len(days))})
    orders["promised_on"] = AS_OF - pd.to_timedelta(np.arange(len(days)), unit="D")
    return Inbound(orders.assign(supplier=[f"s{day}" for day in days], overdue=overdue), arrival)


def see(demand: CumulativeDemand, lead_times: LeadTimes, coming: Inbound) -> tuple[pd.Series, pd.DataFrame]:
    supply = lead_times.keys.assign(unit_cost=2.0, moq=0.0, lot_size=0.0, review_periods=2, order_cost=0.0)
    supply = supply.assign(shelf_life_days=np.nan, whole=True, minimum_order_value=np.nan, lifecycle="active")
    supply = supply.assign(order_weekdays=None, next_order=1)
    aims = {"measure": "cycle_service", "target": 0.95, "holding_cost": 0.2, "shortage_cost": 1.0}
    targets = pd.DataFrame(aims | {"unmet": "lost", "overstock_factor": 1.2}, index=range(2))
    ahead = {"position": KEYS.assign(on_hand=2.0, reserved=1.0), "inbound": coming}
    thresholds = derive_thresholds(demand, supply, lead_times, targets)
    orders = recommend_orders(demand, supply, lead_times, targets, thresholds=thresholds, **ahead)
    items = pd.DataFrame({"sku": ["a", "b"]})
    position = ahead["position"]
    lots = position.assign(row=[0, 1], quantity=position["on_hand"], expires_on=pd.Timestamp("2024-05-01"))
    overstock = overstock_outlook(demand, supply, targets, position=position, lots=lots)
    results = {"thresholds": thresholds, "orders": orders, "overstock": overstock}
    facts = assemble_facts(demand, items, supply, lead_times, risk=None, **results, **ahead)
    return facts.set_index("sku").loc["a"], orders[orders["sku"] == "a"]


def test_an_alert_counts_the_lead_time_and_an_order_the_review_too(
    demand: CumulativeDemand, lead_times: LeadTimes
) -> None:
    """Of orders due on days 3, 4, 5, 6 the alert counts one, the order (lead time 3, review 2) three."""
    fact, orders = see(demand, lead_times, inbound([3, 4, 5, 6], [False] * 4))
    assert fact["inbound"] == 5
    assert fact["projected"] == 2 - 1 + 5 - 12
    assert orders["inbound"].tolist() == [5 + 6 + 7]


def test_rounding_is_the_same_for_both(demand: CumulativeDemand, lead_times: LeadTimes) -> None:
    """A mean of exactly three days, and one that float arithmetic left a hair above it, count alike."""
    exact = replace(lead_times, distributions=np.eye(5)[3:4])
    coming = inbound([3, 4, 5, 6], [False] * 4)
    for known in (exact, lead_times):
        fact, orders = see(demand, known, coming)
        assert [fact["inbound"], orders["inbound"].item()] == [5, 18]


def test_the_outlook_of_the_shelf_is_seen(demand: CumulativeDemand, lead_times: LeadTimes) -> None:
    """One of two units is free: it is sold on the first day of four units, a month before it expires."""
    fact, _ = see(demand, lead_times, inbound([3], [False]))
    assert [fact["days_of_cover"], fact["days_of_cover_q90"], fact["units_to_clear"]] == [1, 1, 0]
    assert [fact["money_to_clear"], fact["expiring_units"]] == [0, 0]
    assert fact["sell_before_expiry_probability"] == 1
    assert fact["first_expiry_on"] == pd.Timestamp("2024-05-01")


def test_what_is_overdue_is_named_by_who_owes_most(demand: CumulativeDemand, lead_times: LeadTimes) -> None:
    fact, _ = see(demand, lead_times, inbound([1, 2, 9], [True, True, False]))
    assert [fact["late"], fact["late_supplier"]] == [5 + 6, "s2"]
    none, _ = see(demand, lead_times, inbound([1], [False]))
    assert none["late"] == 0
    assert pd.isna(none["late_supplier"])
