"""The position: counts rolled forward to the as-of date, and what is on its way within an interval."""

import numpy as np
import pandas as pd
import pytest

from ingestion.periods import Period
from ingestion.retailer import simulate
from optimization.position import Inbound, due_within, expect_arrivals, on_shelf

DAY, WEEK = Period("day"), Period("week")
KEYS = pd.DataFrame({"sku": ["a", "b"], "location": ["x", "x"]})
PLACE = {"sku": "a", "location": "x"}
NO_ORDERS = pd.DataFrame(
    columns=["sku", "location", "supplier", "kind", "quantity", "ordered_on", "received_on"]
)
NO_SALES = pd.DataFrame(columns=["sku", "location", "date", "quantity"])


def dated(name: str, rows: dict[str, float], value: str, **more) -> pd.DataFrame:
    return pd.DataFrame({**PLACE, name: pd.to_datetime(list(rows)), value: list(rows.values())} | more)


def received(rows: dict[str, float], **more) -> pd.DataFrame:
    plain = {"supplier": "maker", "kind": "purchase", "ordered_on": pd.Timestamp("2024-01-01")}
    return dated("received_on", rows, "quantity", **(plain | {"received_quantity": np.nan} | more))


@pytest.fixture(scope="module")
def retailer():
    """The last day, a Thursday, is counted like every Sunday."""
    return simulate(seed=5, items=15, stores=3, days=207)


@pytest.mark.parametrize("days_without", [1, 4, 11, 60])
def test_the_simulated_shelf_is_found_again(retailer, days_without):
    """Without the counts of the last days the rolled one is the true stock of the last evening."""
    tables, last = retailer.tables, retailer.last_day
    stock = tables["stock"]
    truth = stock[stock["as_of"] == last]
    old = stock[stock["as_of"] <= last - pd.Timedelta(days=days_without)]
    found = on_shelf(truth, old, tables["demand"], tables["supply_orders"], DAY, last)
    counted = found["on_hand"].notna().to_numpy()
    assert counted.mean() > 0.7
    assert found["on_hand"][counted].tolist() == truth["on_hand"].to_numpy()[counted].tolist()
    assert (found["rolled"][counted] != 0).mean() > 0.3
    assert found["counted_on"].max() < last


def test_a_midweek_date_uses_sunday_and_what_came_since(retailer):
    """As of a Wednesday: Sunday's count rolled to it, then on to the next Sunday's count."""
    tables = retailer.tables
    sunday = retailer.last_day - pd.Timedelta(days=retailer.last_day.day_of_week + 8)
    wednesday, next_sunday = sunday + pd.Timedelta(days=3), sunday + pd.Timedelta(days=7)
    stock = tables["stock"]
    truth = stock[stock["as_of"] == next_sunday].reset_index(drop=True)
    moves = (tables["demand"], tables["supply_orders"], DAY)
    middle = on_shelf(truth, stock, *moves, wednesday)
    known = middle["on_hand"].notna().to_numpy()
    assert (middle["counted_on"][known] == sunday).all()
    as_counted = middle.assign(as_of=wednesday)[["sku", "location", "as_of", "on_hand"]]
    later = on_shelf(truth, as_counted, *moves, next_sunday)
    assert later["on_hand"][known].tolist() == truth["on_hand"][known].tolist()
    assert (middle["on_hand"] != truth["on_hand"])[known].any()


def test_a_count_is_rolled_forward_by_hand():
    """Counted 10 on Monday evening; 3 + 2 sold, 6 in, and what is dated before or after does not count."""
    stock = dated("as_of", {"2024-01-01": 10.0, "2024-01-04": 99.0}, "on_hand", reserved=2.0)
    days = {"2024-01-01": 50.0, "2024-01-02": 3.0, "2024-01-03": 2.0, "2024-01-04": 70.0}
    orders = received({"2024-01-01": 40.0, "2024-01-03": 8.0, "2024-01-04": 80.0})
    orders.loc[1, "received_quantity"] = 6.0
    found = on_shelf(KEYS, stock, dated("date", days, "quantity"), orders, DAY, pd.Timestamp("2024-01-03"))
    assert found.columns.tolist() == ["sku", "location", "on_hand", "reserved", "counted_on", "rolled"]
    first = found.iloc[0]
    assert [first["on_hand"], first["reserved"], first["rolled"]] == [11, 2, 1]
    assert first["counted_on"] == pd.Timestamp("2024-01-01")
    assert np.isnan(found["on_hand"].iloc[1])
    assert found["reserved"].iloc[1] == 0


def test_each_series_rolls_from_its_own_count():
    """Item a counted on Monday, b on Tuesday: Tuesday's sale and receipt move a alone."""
    stock = pd.concat(
        [
            dated("as_of", {"2024-01-01": 10.0}, "on_hand"),
            dated("as_of", {"2024-01-02": 10.0}, "on_hand", sku="b"),
        ]
    )
    days = {"2024-01-02": 3.0, "2024-01-03": 1.0}
    sold = pd.concat([dated("date", days, "quantity", sku=sku) for sku in ("a", "b")])
    orders = pd.concat([received({"2024-01-02": 7.0}, sku=sku) for sku in ("a", "b")])
    found = on_shelf(KEYS, stock, sold, orders, DAY, pd.Timestamp("2024-01-03"))
    assert found["on_hand"].tolist() == [10 + 7 - 3 - 1, 10 - 1]


def test_a_count_holds_at_the_end_of_its_week():
    """Counted on Tuesday of the first week: what moves in that week is in the count, the next is not."""
    stock = dated("as_of", {"2024-01-02": 10.0}, "on_hand")
    sold = dated("date", {"2024-01-01": 4.0, "2024-01-08": 5.0}, "quantity")
    orders = received({"2024-01-05": 20.0, "2024-01-10": 7.0})  # quantity received where not given: ordered
    found = on_shelf(KEYS, stock, sold, orders, WEEK, pd.Timestamp("2024-01-08"))
    assert found["on_hand"].iloc[0] == 12
    same = on_shelf(KEYS, stock, sold, orders, WEEK, pd.Timestamp("2024-01-01"))
    assert same["on_hand"].iloc[0] == 10


@pytest.mark.parametrize(("counted", "sold", "left"), [(3.0, 5.0, 0.0), (-4.0, 5.0, -4.0), (-4.0, 0.0, -4.0)])
def test_rolling_never_takes_the_shelf_below_nothing(counted, sold, left):
    """A count below nothing is a backlog and stays one."""
    stock = dated("as_of", {"2024-01-01": counted}, "on_hand")
    sales = dated("date", {"2024-01-02": sold}, "quantity")
    found = on_shelf(KEYS, stock, sales, NO_ORDERS, DAY, pd.Timestamp("2024-01-02")).iloc[0]
    assert [found["on_hand"], found["rolled"]] == [left, left - counted]


def test_a_transfer_leaves_the_place_that_sends_it():
    keys = pd.DataFrame({"sku": "a", "location": ["x", "y"]})
    stock = pd.concat([dated("as_of", {"2024-01-01": 10.0}, "on_hand", location=at) for at in ("x", "y")])
    orders = received({"2024-01-03": 4.0}, supplier="y", kind="transfer")
    orders["ordered_on"] = pd.Timestamp("2024-01-02")
    found = on_shelf(keys, stock, NO_SALES, orders, DAY, pd.Timestamp("2024-01-03"))
    assert found["on_hand"].tolist() == [14, 6]
    # On the road it stands on neither shelf; of a part that has come the rest is still on the road.
    on_the_road = on_shelf(keys, stock, NO_SALES, orders, DAY, pd.Timestamp("2024-01-02"))
    assert on_the_road["on_hand"].tolist() == [10, 6]
    orders["received_quantity"] = 1.0
    in_part = on_shelf(keys, stock, NO_SALES, orders, DAY, pd.Timestamp("2024-01-03"))
    assert in_part["on_hand"].tolist() == [11, 6]
    before_it_left = on_shelf(keys, stock, NO_SALES, orders, DAY, pd.Timestamp("2024-01-01"))
    assert before_it_left["on_hand"].tolist() == [10, 10]


def test_without_counts_nothing_is_known():
    empty = pd.DataFrame(columns=["sku", "location", "as_of", "on_hand", "reserved"])
    found = on_shelf(KEYS, empty, NO_SALES, NO_ORDERS, DAY, pd.Timestamp("2024-01-02"))
    assert found["on_hand"].isna().all()
    assert found["reserved"].tolist() == [0, 0]
    assert on_shelf(
        KEYS.iloc[:0], empty, NO_SALES, received({"2024-01-02": 1.0}), DAY, pd.Timestamp("2024-01-02")
    ).empty


def test_what_is_due_within_an_interval():
    """By day 3 with chance .5 counts, with .4 does not; strangers' orders never do."""
    arrival = np.array([[0.0, 0.0, 0.5, 0.5], [0.0, 0.4, 0.0, 0.6], [1.0, 0.0, 0.0, 0.0]])
    orders = pd.DataFrame({"sku": ["a", "b", "stranger"], "location": "x", "quantity": [5.0, 7.0, 9.0]})
    inbound = Inbound(orders, arrival)
    assert due_within(KEYS, inbound, np.array([2, 2])).tolist() == [0, 0]
    assert due_within(KEYS, inbound, np.array([3, 3])).tolist() == [5, 0]
    assert due_within(KEYS, inbound, np.array([0, 4])).tolist() == [0, 7]


def test_a_promise_without_a_record_does_not_make_an_order_faster_than_any_before():
    as_of = pd.Timestamp("2024-06-30")
    leads = np.array([7] * 6 + [9] * 3 + [12])
    placed = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(10) * 7, "D")
    past = pd.DataFrame({"ordered_on": placed, "received_on": placed + pd.to_timedelta(leads, "D")})
    now = pd.DataFrame({"ordered_on": [as_of], "promised_on": [as_of + pd.Timedelta(days=5)]})
    orders = pd.concat([past, now], ignore_index=True).assign(
        sku="a", location="s", supplier="x", quantity=30.0
    )
    orders["order_id"] = [f"o{k}" for k in range(len(orders))]
    sourcing = pd.DataFrame({"sku": ["a"], "location": ["s"], "supplier": ["x"]})
    inbound = expect_arrivals(orders, sourcing, Period("day"), as_of, 20)
    assert inbound.arrival.shape == (1, 20)
    assert inbound.arrival[0, :6].sum() == 0
    assert inbound.arrival[0].sum() > 0.9
