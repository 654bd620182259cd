"""What rows, absent rows, empty shelves and plans become on the grid."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.panel import Panel, build_panel
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


@pytest.mark.parametrize(("period", "most"), [("day", 14), ("week", 2), ("month", 1)])
def test_what_is_shut_for_long_is_not_observed(period, most):
    dates = Period(period).range(pd.Timestamp("2024-01-01"), most + 8)
    open_ = [0, 1, most + 2, most + 3, most + 5, most + 6, most + 7]  # no longer shut than is usual
    longer = [0, 1, *range(most + 3, most + 8)]
    parts = [rows(*((sku, dates[t], 5.0) for t in at)) for sku, at in (("a", open_), ("b", longer))]
    panel = build_panel({"demand": pd.concat(parts)}, Period(period), dates[-1], 1, "closed")
    assert np.isnan(panel.quantity[0]).sum() == 0
    assert np.flatnonzero(np.isnan(panel.quantity[1])).tolist() == [most + 2]
    assert panel.closed.sum(axis=1).tolist() == [most + 1, most + 1]
    assert (panel.sold[panel.closed] == 0).all()


def shelf(*days: tuple[float, float], unit: float = 1.0, hidden: str = "mask") -> Panel:
    """One series from (sold, share in stock) per day."""
    sold, share = zip(*days, strict=True)
    dates = pd.date_range("2024-01-01", periods=len(days))
    demand = pd.DataFrame({"sku": "a", "location": "x", "date": dates, "in_stock": share})
    demand["quantity"] = np.array(sold) * unit
    return build_panel({"demand": demand}, DAY, dates[-1], 1, hidden=hidden)


def test_an_empty_shelf_is_missing_demand():
    panel = shelf((1, 1.0), (19, 1.0), (0, 0.0), (6, 0.64), (2, 0.25))
    np.testing.assert_allclose(panel.quantity[0], [1, 19, np.nan, 6 / 0.8, np.nan])
    np.testing.assert_allclose(panel.sold[0], [1, 19, 0, 6, 2])


def test_where_one_sale_empties_the_shelf_it_still_counts():
    # Usual are 2 of 2 a day. Sold 2 in a quarter of a day: 3 quarters remain, busier by (2 + 1)/(2 + 1/4).
    for unit in (1.0, 1000.0):
        panel = shelf((2, 1.0), (2, 0.25), (0, 0.0), unit=unit)
        np.testing.assert_allclose(panel.quantity[0] / unit, [2, 2 + 0.75 * 2 * 3 / 2.25, np.nan])


def test_hidden_demand_can_be_imputed_or_ignored():
    days = ((4, 1.0), (6, 1.0), (0, 0.0), (3, 0.5))
    assert shelf(*days, hidden="ignore").quantity[0].tolist() == [4, 6, 0, 3]
    said = shelf(*days, hidden="impute").quantity[0]
    usual = (4 * np.exp(-1 / 28) + 6) / (np.exp(-1 / 28) + 1)
    np.testing.assert_allclose(said[2], usual, rtol=1e-5)
    # A customer takes 3, the least ever sold; the half day saw 1 of them, as usual it sees usual / 6.
    np.testing.assert_allclose(said[3], 3 + 0.5 * usual * (2 + 1) / (2 + usual * 0.5 / 3), rtol=1e-5)
    assert not (shelf((0, 0.0), (1, 0.2), hidden="impute").quantity[0] >= 0).any()  # nothing is known yet


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.0, 1.0)), min_size=1, max_size=30),
    st.sampled_from(["mask", "impute"]),
)
def test_demand_is_never_less_than_what_was_sold(days, hidden):
    panel = shelf(*days, hidden=hidden)
    seen = panel.observed[0]
    assert (panel.quantity[0] >= panel.sold[0] - 1e-4)[seen].all()
    assert np.isfinite(panel.quantity[0][panel.in_stock[0] >= 1]).all()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.0, 1.0)), min_size=3, max_size=20), st.integers(1, 19)
)
def test_what_was_hidden_is_judged_by_what_came_before(days, cut):
    cut = min(cut, len(days) - 1)
    late, early = shelf(*days, hidden="impute"), shelf(*days[:cut], hidden="impute")
    np.testing.assert_array_equal(late.until(cut - 1).quantity, early.quantity)


def test_each_series_follows_the_meaning_of_its_source():
    days = ("2024-01-01", "2024-01-03")
    demand = rows(*((sku, day, 2) for sku in "abc" for day in days))
    absent = pd.DataFrame({"sku": ["a", "b"], "location": "x", "absent": ["closed", "missing"]})
    panel = build_panel({"demand": demand}, DAY, pd.Timestamp("2024-01-03"), 1, absent)
    np.testing.assert_array_equal(panel.quantity[:, 1], [0, np.nan, 0])
    assert panel.closed[:, 1].tolist() == [True, False, False]


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
    with pytest.raises(Problem, match="mask, impute, ignore"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 2, hidden="away")
    with pytest.raises(DataError, match="load demand"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 2)
    with pytest.raises(Problem, match="zero, closed, missing"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 2, absent="gone")
    with pytest.raises(Problem, match="at least one period"):
        build_panel({"demand": empty}, DAY, pd.Timestamp("2024-01-05"), 0)
