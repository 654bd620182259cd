"""What rows, absent rows, empty shelves and plans become on the grid."""

import numpy as np
import pandas as pd
import pytest

from forecasting.panel import build_panel
from ingestion.errors import DataError, Problem
from ingestion.periods import Period

DAY = Period("day")


def rows(*entries: tuple, columns: tuple = ("sku", "date", "quantity")) -> pd.DataFrame:
    frame = pd.DataFrame(entries, columns=list(columns))
    return frame.assign(location="x", date=pd.to_datetime(frame["date"]))


@pytest.mark.parametrize(
    ("absent", "gap", "closed"), [("zero", 0.0, 0), ("closed", 0.0, 2), ("missing", np.nan, 0)]
)
def test_absent_rows_mean_what_the_source_says(absent, gap, closed):
    demand = rows(
        ("a", "2024-01-01", 1), ("a", "2024-01-04", 4), ("b", "2024-01-03", 2), ("b", "2024-01-04", 2)
    )
    panel = build_panel({"demand": demand}, DAY, pd.Timestamp("2024-01-04"), 2, absent)
    np.testing.assert_array_equal(panel.quantity[0], [1, gap, gap, 4])
    np.testing.assert_array_equal(
        panel.quantity[1], [np.nan, np.nan, 2, 2]
    )  # before the first row nothing is known
    assert panel.closed.sum() == closed
    assert panel.first.tolist() == [0, 2]


def test_an_empty_shelf_is_missing_demand():
    demand = rows(("a", "2024-01-01", 3, 1.0), ("a", "2024-01-02", 0, 0.0), ("a", "2024-01-03", 2, 0.25),
                  ("a", "2024-01-04", 6, 0.64), columns=("sku", "date", "quantity", "in_stock"))  # fmt: skip
    panel = build_panel({"demand": demand}, DAY, pd.Timestamp("2024-01-04"), 1)
    np.testing.assert_allclose(panel.quantity[0], [3, np.nan, np.nan, 6 / 0.8])
    np.testing.assert_allclose(panel.sold[0], [3, 0, 2, 6])


def test_days_become_weeks():
    demand = pd.concat([rows(("a", day, 2, 0.5), columns=("sku", "date", "quantity", "promotion"))
                        for day in pd.date_range("2024-01-01", periods=14)])  # fmt: skip
    panel = build_panel({"demand": demand}, Period("week"), pd.Timestamp("2024-01-08"), 1)
    np.testing.assert_allclose(panel.quantity, [[14, 14]])
    np.testing.assert_allclose(panel.promotion, [[0.5, 0.5]])
    assert panel.dates.strftime("%Y-%m-%d").tolist() == ["2024-01-01", "2024-01-08", "2024-01-15"]


def test_plans_reach_the_series_they_name_from_the_day_they_are_known():
    demand = rows(*((sku, day, 1) for sku in "ab" for day in pd.date_range("2024-01-01", periods=10)))
    items = pd.DataFrame({"sku": ["a", "b"], "category": ["food", "toys"]})
    plans = pd.DataFrame(
        {
            "date": [pd.Timestamp("2024-01-08"), pd.NaT, pd.NaT],
            "start": [pd.NaT, pd.Timestamp("2024-01-11"), pd.Timestamp("2024-01-12")],
            "end": [pd.NaT, pd.Timestamp("2024-01-12"), pd.Timestamp("2024-01-13")],
            "sku": ["a", None, None],
            "category": [None, "toys", None],
            "promotion": [0.2, 0.3, 0.1],
            "known_from": [pd.Timestamp("2024-01-05"), pd.NaT, pd.Timestamp("2024-01-02")],
        }
    )
    panel = build_panel(
        {"demand": demand, "items": items, "plans": plans}, DAY, pd.Timestamp("2024-01-10"), 3
    )
    np.testing.assert_allclose(panel.plan[0], [0] * 7 + [0.2] + [0] * 3 + [0.1, 0.1])
    np.testing.assert_allclose(panel.plan[1], [0] * 10 + [0.3, 0.3, 0.1])
    assert panel.known[0, 7] == 4
    assert panel.known[1, 10] == -1
    assert panel.known[0, 11] == 1


def test_recorded_promotions_without_plans_are_a_surprise():
    demand = rows(*(("a", day, 1, float(day.day == 5)) for day in pd.date_range("2024-01-01", periods=9)),
                  columns=("sku", "date", "quantity", "promotion"))  # fmt: skip
    panel = build_panel({"demand": demand}, DAY, pd.Timestamp("2024-01-09"), 2)
    assert panel.promotion[0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert panel.known[0, 4] == 4  # known at the end of its own day, never before


def test_a_week_half_on_promotion_has_half_its_depth():
    demand = pd.concat([rows(("a", day, 2)) for day in pd.date_range("2024-01-01", periods=14)])
    plans = pd.DataFrame({"sku": ["a"], "start": pd.Timestamp("2024-01-15"), "promotion": 0.4})
    plans = plans.assign(end=pd.Timestamp("2024-01-21"))
    half = plans.assign(end=pd.Timestamp("2024-01-18"))
    for table, depth in ((plans, 0.4), (half, 0.4 * 4 / 7)):
        panel = build_panel({"demand": demand, "plans": table}, Period("week"), pd.Timestamp("2024-01-08"), 1)
        np.testing.assert_allclose(panel.plan[0, -1], depth, rtol=1e-6)


def test_prices_are_carried_on_and_zero_is_no_price():
    demand = rows(("a", "2024-01-01", 1, 0.0), ("a", "2024-01-02", 1, 5.0), ("a", "2024-01-03", 1, 0.0),
                  columns=("sku", "date", "quantity", "price"))  # fmt: skip
    panel = build_panel({"demand": demand}, DAY, pd.Timestamp("2024-01-03"), 2)
    np.testing.assert_allclose(panel.price[0], [np.nan, 5, 5, 5, 5])
    assert not panel.prices_planned


def test_new_items_are_series_where_they_are_planned_or_sourced():
    demand = rows(*(("a", day, 1) for day in pd.date_range("2024-01-01", periods=5)))
    items = pd.DataFrame({"sku": ["a", "new", "old"], "lifecycle": ["active", "new", "active"]})
    sourcing = pd.DataFrame({"sku": ["new", "new", "old"], "location": ["x", "depot", "x"], "supplier": "s"})
    panel = build_panel(
        {"demand": demand, "items": items, "sourcing": sourcing}, DAY, pd.Timestamp("2024-01-05"), 2
    )
    assert panel.keys.to_numpy().tolist() == [["a", "x"], ["new", "x"]]  # the depot sells nothing itself
    assert np.isnan(panel.quantity[1]).all()


def test_cutting_the_panel_equals_building_it_earlier(shop):
    tables = shop()
    late = build_panel(tables, DAY, pd.Timestamp("2024-07-01"), 20).until(150)
    early = build_panel(tables, DAY, pd.Timestamp("2024-05-30"), 20)
    assert late.as_of == early.as_of
    for name in ("quantity", "promotion", "in_stock", "first", "start", "fade"):
        np.testing.assert_array_equal(getattr(late, name), getattr(early, name))
    np.testing.assert_array_equal(late.plan[:, :171], early.plan)


def test_impossible_requests_say_what_to_do():
    empty = rows(("a", "2024-01-01", 1))[:0]
    with pytest.raises(DataError, match="load demand"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 2)
    with pytest.raises(Problem, match="zero, closed, missing"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 2, absent="gone")
    with pytest.raises(Problem, match="at least one period"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 0)
