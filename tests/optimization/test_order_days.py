"""A supplier that takes orders on some weekdays: what is ordered when, what it averts, which levels hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import poisson

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period
from optimization.ahead import demand_after, on_next_order_day, thresholds_ahead
from optimization.planning import recommend_orders
from optimization.position import Inbound
from optimization.risk import stockout_risk
from optimization.supply import supply_terms
from optimization.thresholds import derive_thresholds

DAY, DAYS, LEAD = Period("day"), 42, 2
TUESDAY = pd.Timestamp("2024-04-02")
SUNDAY = pd.Timestamp("2024-04-07")
LEVEL = ["safety_stock", "reorder_point", "order_up_to", "overstock_level"]
lawful = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def steady(as_of: pd.Timestamp, n: int = 1) -> CumulativeDemand:
    """Exactly four a day."""
    sums = np.tile(4.0 * np.arange(1, DAYS + 1, dtype=np.float32), (n, 1))
    rows = np.repeat(sums[:, :, None], len(LEVELS), axis=2)
    keys = pd.DataFrame({"sku": [f"item {i:04d}" for i in range(n)], "location": "shop"})
    return CumulativeDemand(keys, as_of, DAY, rows, sums, LEVELS)


def uneven(as_of: pd.Timestamp) -> CumulativeDemand:
    """Poisson days: one before Monday the 8th, nine from then on."""
    days = pd.date_range(as_of + pd.Timedelta(days=1), periods=DAYS)
    sums = np.cumsum(np.where(days > SUNDAY, 9.0, 1.0))[None]
    rows = poisson(sums[:, :, None]).ppf(LEVELS).astype(np.float32)
    keys = pd.DataFrame({"sku": ["item 0000"], "location": "shop"})
    return CumulativeDemand(keys, as_of, DAY, rows, sums.astype(np.float32), LEVELS)


def coming(*orders: tuple[int, float]) -> Inbound:
    """(day, quantity) of certain arrivals."""
    arrival = np.zeros((len(orders), DAYS))
    arrival[np.arange(len(orders)), [day - 1 for day, _ in orders]] = 1.0
    frame = pd.DataFrame({"sku": "item 0000", "location": "shop", "quantity": [float(q) for _, q in orders]})
    return Inbound(frame, arrival)


def terms(demand: CumulativeDemand, weekdays: list[str | None]) -> pd.DataFrame:
    sourcing = demand.keys.assign(supplier="maker", unit_cost=2.0, order_weekdays=weekdays)
    return supply_terms(demand.keys, {"sourcing": sourcing}, demand.period, demand.as_of)


def aims(n: int = 1, **more) -> pd.DataFrame:
    plain = {"measure": "cycle_service", "target": 0.95, "holding_cost": 0.2, "shortage_cost": 1.0}
    return pd.DataFrame(plain | {"unmet": "backorder", "overstock_factor": 1.2} | more, index=range(n))


@pytest.fixture
def plan(lead_time_of):
    """Orders of series with these amounts on hand, lead time 2."""

    def build(demand, weekdays, on_hand, inbound=(), **aim):
        n = len(demand.keys)
        supply, lead_times, targets = terms(demand, weekdays), lead_time_of({LEAD: 1.0}, n), aims(n, **aim)
        today = targets, derive_thresholds(demand, supply, lead_times, targets)
        parts = demand, supply, lead_times
        targets, thresholds = on_next_order_day(*parts, lambda _: targets, today)
        position = demand.keys.assign(on_hand=on_hand, reserved=0.0)
        return recommend_orders(
            *parts, targets, thresholds=thresholds, position=position, inbound=coming(*inbound)
        )

    return build


@pytest.fixture
def risk(lead_time_of):
    def build(demand, weekdays, on_hand, lead=LEAD):
        n = len(demand.keys)
        return stockout_risk(
            demand,
            terms(demand, weekdays),
            lead_time_of({lead: 1.0}, n),
            aims(n),
            position=demand.keys.assign(on_hand=on_hand, reserved=0.0),
            inbound=coming(),
        )

    return build


def test_an_order_waits_for_the_order_day(plan):
    """From Tuesday to Monday 20 of 30 are sold; of Monday's nine days' 36 the other 10 cover the first."""
    row = plan(steady(TUESDAY), ["Mon"], [30.0]).iloc[0]
    assert [str(row[name].date()) for name in ("order_on", "arrives_on")] == ["2024-04-08", "2024-04-10"]
    assert [row["on_hand"], row["position"], row["quantity"]] == [30, 10, 26]
    assert row["reason"] == (
        "30 on hand − 0 reserved + 0 on the way in time − 20 likely sold before the order day = 10, "
        "below the reorder point 36: order 26, which makes 36."
    )
    assert "及时到货0－订货日前预计售出20＝10，" in row["reason_zh"]
    assert plan(steady(TUESDAY), ["Mon"], [56.0]).empty


def test_each_series_has_its_own_day(plan):
    """In the order of the series, and without a calendar exactly as before there was any."""
    weekdays = ["Fri", None, "Mon", "3", None]
    orders = plan(steady(TUESDAY, 5), weekdays, [9.0, 3.0, 9.0, 9.0, 400.0])
    assert orders["sku"].tolist() == [f"item {i:04d}" for i in range(4)]
    assert orders["order_on"].dt.strftime("%m-%d").tolist() == ["04-05", "04-03", "04-08", "04-03"]
    assert orders["arrives_on"].dt.strftime("%m-%d").tolist() == ["04-07", "04-05", "04-10", "04-05"]
    assert orders["quantity"].tolist() == [35, 9, 47, 27]
    assert not orders["reason"].iloc[1].count("order day")


@pytest.mark.parametrize("on_hand", [20.0, 26.0, 40.0, 55.0, 70.0])
@pytest.mark.parametrize("aim", [{}, {"measure": "cost"}, {"measure": "cost", "unmet": "lost"}])
def test_the_order_seen_ahead_is_the_one_placed_on_its_eve(plan, on_hand, aim):
    """Demand is known: Tuesday's plan for Monday is Sunday's, with the 20 sold by then off the shelf."""
    ahead = plan(steady(TUESDAY), ["Mon"], [on_hand], inbound=[(4, 2.0), (9, 3.0)], **aim)
    eve = plan(steady(SUNDAY), ["Mon"], [on_hand - 18.0], inbound=[(4, 3.0)], **aim)
    same = ["quantity", "order_on", "arrives_on", "position", "cost"]
    pd.testing.assert_frame_equal(ahead[same], eve[same])
    assert len(ahead) == (on_hand < 51)


def test_an_empty_shelf_loses_no_more_than_it_has(plan):
    """Of 20 asked for before Monday 6 can be sold; where the rest is owed, it is ordered as well."""
    lost, owed = (
        plan(steady(TUESDAY), ["Mon"], [6.0], unmet=unmet)["quantity"] for unmet in ("lost", "backorder")
    )
    assert [lost.item(), owed.item()] == [36, 50]


def test_the_level_is_the_one_of_the_order_day(plan):
    """Today's level knows 5 quiet days and 4 busy ones, Monday's nine busy ones: about 41 and 81 units."""
    row = plan(uneven(TUESDAY), ["Mon"], [60.0]).iloc[0]
    eve = plan(uneven(SUNDAY), ["Mon"], [55.0]).iloc[0]
    assert abs(row["quantity"] - eve["quantity"]) <= 1
    assert row["position"] + row["quantity"] > poisson(81).ppf(0.9)


@lawful
@given(
    day=st.integers(0, 13), weekdays=st.sampled_from(["Mon", "Tue Fri", "1, 3, 7"]), lead=st.integers(0, 3)
)
def test_orders_go_out_on_the_first_order_day(lead_time_of, day, weekdays, lead):
    as_of = TUESDAY + pd.Timedelta(days=day)
    demand, lead_times = steady(as_of), lead_time_of({lead: 1.0})
    supply = terms(demand, [weekdays])
    on_next = on_next_order_day(
        *(demand, supply, lead_times, lambda _: aims()),
        (aims(), derive_thresholds(demand, supply, lead_times, aims())),
    )
    position = demand.keys.assign(on_hand=0.0, reserved=0.0)
    row = recommend_orders(
        demand, supply, lead_times, on_next[0], thresholds=on_next[1], position=position, inbound=coming()
    ).iloc[0]
    names = {"Mon": [0], "Tue Fri": [1, 4], "1, 3, 7": [0, 2, 6]}[weekdays]
    first = next(day for day in pd.date_range(as_of, periods=9)[1:] if day.weekday() in names)
    assert [row["order_on"], row["arrives_on"]] == [first, first + pd.Timedelta(days=lead)]


def test_what_is_short_before_the_order_day_cannot_be_averted(risk):
    """Ten last to Thursday, Monday's order is there on Wednesday the 10th: 18 units are short before."""
    table = risk(steady(TUESDAY), ["Mon"], [10.0])
    assert table["order_by"].unique().tolist() == [pd.Timestamp("2024-04-08")]
    short = table.set_index("date")["expected_lost_units"]
    assert short["2024-04-09"] == pytest.approx(18, abs=0.1)
    assert table["unavoidable_lost_units"].iloc[-1] == pytest.approx(18, abs=0.1)
    assert table["unavoidable_probability"].iloc[-1] == pytest.approx(1, abs=0.01)
    daily = risk(steady(TUESDAY), [None], [10.0])
    assert daily["order_by"].unique().tolist() == [pd.Timestamp("2024-04-03")]
    assert daily["unavoidable_lost_units"].iloc[-1] == 0


@settings(lawful, max_examples=10)
@given(on_hand=st.floats(0, 60), weekdays=st.sampled_from(["Mon", "Mon, Thu", "7"]), lead=st.integers(0, 4))
def test_risk_counts_from_the_earliest_arrival(risk, on_hand, weekdays, lead):
    """What is lost before is unavoidable; to order by: the last order day up to that of a daily supplier."""
    plain, table = (risk(uneven(TUESDAY), [given], [on_hand], lead) for given in (None, weekdays))
    for name in ("stockout_probability", "expected_lost_units", "expected_on_hand"):
        assert_allclose(table[name], plain[name])
    names = {"Mon": [0], "Mon, Thu": [0, 3], "7": [6]}[weekdays]
    open_days = [day for day in plain["date"] if day.weekday() in names]
    arrives = (open_days[0] - TUESDAY).days + lead
    lost, passed = (table[name].to_numpy() for name in ("expected_lost_units", "stockout_probability"))
    until = np.minimum(np.arange(DAYS), arrives - 2)
    assert_allclose(table["unavoidable_lost_units"], lost[until] if arrives > 1 else 0, rtol=1e-5, atol=1e-6)
    assert_allclose(
        table["unavoidable_probability"], passed[until] if arrives > 1 else 0, rtol=1e-5, atol=1e-6
    )
    any_day = plain["order_by"].iloc[0]
    in_time = [day for day in open_days if day <= any_day]
    assert table["order_by"].iloc[0] == (in_time[-1] if in_time else open_days[0])


@pytest.mark.parametrize(
    ("weekdays", "starts"),
    [
        ("Mon", ["04-03", "04-08", "04-15", "04-22", "04-29"]),
        ("Mon, Thu", ["04-03", "04-04", "04-08", "04-11", "04-15", "04-18", "04-22", "04-25", "04-29"]),
        ("Wed", ["04-03", "04-10", "04-17", "04-24", "05-01"]),
        ("Tue, Wed", ["04-03", "04-09", "04-10", "04-16", "04-17", "04-23", "04-24", "04-30", "05-01"]),
    ],
)
def test_review_periods_begin_on_order_days(lead_time_of, weekdays, starts):
    demand, lead_times = uneven(TUESDAY), lead_time_of({LEAD: 1.0})
    supply = terms(demand, [weekdays])
    found = thresholds_ahead(demand, supply, lead_times, lambda _: aims())
    assert found["valid_from"].dt.strftime("%m-%d").tolist()[: len(starts)] == starts
    ends = found["valid_until"] + pd.Timedelta(days=1)
    assert ends.iloc[:-1].tolist() == found["valid_from"].iloc[1:].tolist()
    today = derive_thresholds(demand, supply, lead_times, aims())
    pd.testing.assert_frame_equal(found.iloc[:1], today, check_exact=True)
    after = (found["valid_from"].iloc[1] - TUESDAY).days - 1
    second = derive_thresholds(demand_after(demand, after), supply, lead_times, aims())
    pd.testing.assert_frame_equal(found[LEVEL].iloc[[1]].reset_index(drop=True), second[LEVEL])


def test_the_plan_takes_the_levels_and_policies_of_its_day(lead_time_of):
    """Those published ahead for it; series that can be ordered tomorrow keep today's."""
    one = uneven(TUESDAY)
    demand = one.take(np.zeros(3, dtype=np.int64))
    demand.keys["sku"] = ["a", "b", "c"]
    supply, lead_times = terms(demand, ["Mon", None, "Fri"]), lead_time_of({LEAD: 1.0}, 3)

    def targets_on(day: pd.Timestamp) -> pd.DataFrame:
        return aims(3, target=0.99 if day > SUNDAY else 0.9)

    today = aims(3, target=0.9), derive_thresholds(demand, supply, lead_times, aims(3, target=0.9))
    targets, levels = on_next_order_day(demand, supply, lead_times, targets_on, today)
    assert targets["target"].tolist() == [0.99, 0.9, 0.9]
    assert levels["sku"].tolist() == ["a", "b", "c"]
    ahead = thresholds_ahead(demand, supply, lead_times, targets_on)
    days = pd.to_datetime(["2024-04-08", "2024-04-03", "2024-04-05"])
    assert levels["valid_from"].tolist() == list(days)
    for row, day in enumerate(days):
        published = ahead[(ahead["sku"] == levels["sku"][row]) & (ahead["valid_from"] == day)]
        assert_allclose(levels.loc[row, LEVEL].astype(float), published[LEVEL].iloc[0].astype(float))


@pytest.mark.parametrize("name", ["week", "month"])
def test_longer_periods_know_no_weekdays(name, usual_demand, lead_time_of):
    demand = usual_demand(np.array([4.0]), 20, poisson, Period(name))
    plain, dated = terms(demand, [None]), terms(demand, ["Thu"])
    pd.testing.assert_frame_equal(plain.drop(columns="order_weekdays"), dated.drop(columns="order_weekdays"))
    lead_times = lead_time_of({LEAD: 1.0}, period=Period(name))
    one, two = (thresholds_ahead(demand, t, lead_times, lambda _: aims()) for t in (plain, dated))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    position, inbound = demand.keys.assign(on_hand=5.0, reserved=0.0), coming()
    one, two = (
        stockout_risk(demand, t, lead_times, aims(), position=position, inbound=inbound)
        for t in (plain, dated)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_an_open_order_that_has_not_come_is_known_to_be_late():
    """Of two, both half here by day 3: one counts as come by then, of the other the rest is sure."""
    arrival = np.array([[0.0, 0.2, 0.4, 0.4, 0.0], [0.0, 0.0, 0.2, 0.3, 0.5]])
    frame = pd.DataFrame({"sku": ["a", "b"], "location": "shop", "quantity": 1.0})
    later = Inbound(frame, arrival).after(3)
    assert later.orders["sku"].tolist() == ["b"]
    assert_allclose(later.arrival, [[0.375, 0.625]])
