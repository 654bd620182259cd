"""ABC and XYZ by hand, and policies that name them."""

import numpy as np
import pandas as pd
import pytest

from ingestion.periods import Period
from optimization.classes import asks_for_classes, classify
from optimization.supply import supply_terms
from optimization.targets import set_targets

DAY = Period("day")
LAST = pd.Timestamp("2024-06-30")


def sold(**units: list[float]) -> pd.DataFrame:
    """Units of the last four-week buckets of each sku, the latest last, sold on one day of each."""
    parts = [
        pd.DataFrame(
            {
                "sku": sku,
                "location": "x",
                "date": [LAST - pd.Timedelta(days=28 * (len(of) - 1 - k)) for k in range(len(of))],
                "quantity": of,
            }
        )
        for sku, of in units.items()
    ]
    return pd.concat(parts, ignore_index=True)


def keys(*skus: str) -> pd.DataFrame:
    return pd.DataFrame({"sku": skus, "location": "x"})


def test_turnover_makes_a_b_and_c():
    """Turnover 70, 20, 6, 4: the second completes 80 %, the third 95 %."""
    demand = sold(a=[35, 35], b=[10, 10], c=[3, 3], d=[2, 2])
    worth = pd.Series([1.0] * 4)
    assert classify(keys("a", "b", "c", "d"), demand, worth, DAY)[0].tolist() == ["A", "A", "B", "C"]
    assert classify(keys("d", "c", "b", "a"), demand, worth, DAY)[0].tolist() == ["C", "B", "A", "A"]
    dear = pd.Series([1.0, 1.0, 1.0, 100.0])
    assert classify(keys("a", "b", "c", "d"), demand, dear, DAY)[0].tolist() == ["B", "B", "C", "A"]


def test_evenness_makes_x_y_and_z():
    """Coefficients of variation 0, .87 and 2 over four buckets; one bucket says nothing."""
    demand = sold(x=[5, 5, 5, 5], y=[1, 1, 7, 7], z=[0, 0, 0, 9], young=[9])
    found = classify(keys("x", "y", "z", "young"), demand, pd.Series([np.nan] * 4), DAY)[1]
    assert found.tolist() == ["X", "Y", "Z", "Z"]


def test_a_series_is_not_judged_by_the_time_before_its_first_sale():
    demand = pd.concat([sold(old=[5] * 12), sold(new=[5, 5, 5])])
    assert classify(keys("old", "new"), demand, pd.Series([1.0, 1.0]), DAY)[1].tolist() == ["X", "X"]


def test_nothing_sold_is_c_and_z():
    none = sold(a=[1.0]).iloc[:0]
    for demand in (None, none):
        abc, xyz = classify(keys("a"), demand, pd.Series([1.0]), DAY)
        assert [abc.tolist(), xyz.tolist()] == [["C"], ["Z"]]
    abc, xyz = classify(keys("a", "b"), sold(a=[3, 3]), pd.Series([1.0, 1.0]), DAY)
    assert [abc.tolist(), xyz.tolist()] == [["A", "C"], ["X", "Z"]]


@pytest.mark.parametrize("period", ["week", "month"])
def test_longer_periods_are_their_own_buckets(period):
    clock = Period(period)
    dates = clock.dates(np.arange(600, 612))
    demand = pd.DataFrame({"sku": "a", "location": "x", "date": dates, "quantity": [4.0] * 12})
    assert classify(keys("a"), demand, pd.Series([1.0]), clock)[1].tolist() == ["X"]


def test_the_most_specific_class_wins_and_a_place_beats_it():
    demand = sold(a=[80, 80], b=[10, 10], c=[0, 0, 0, 3], d=[2, 2])
    words = ["*", "class:X", "class:A", "class:CX", "c"]
    policies = pd.DataFrame(
        {"selector": words, "measure": "cycle_service", "target": [0.8, 0.9, 0.98, 0.85, 0.6]}
    )
    tables = {"demand": demand, "policies": policies, "items": pd.DataFrame({"sku": ["a"], "unit_cost": 1.0})}
    supply = supply_terms(keys("a", "b", "c", "d"), tables, DAY, LAST)
    assert (supply["abc"] + supply["xyz"]).tolist() == ["AX", "BX", "CZ", "CX"]
    assert set_targets(supply, policies, DAY)["target"].tolist() == [0.98, 0.9, 0.6, 0.85]
    placed = pd.concat([policies, pd.DataFrame({"selector": ["x"], "measure": "fill_rate", "target": [0.7]})])
    assert set_targets(supply, placed, DAY)["target"].tolist() == [0.7, 0.7, 0.6, 0.7]


def test_classes_are_computed_only_where_a_policy_asks(caplog):
    plain = pd.DataFrame({"selector": ["*", "sku:class"], "measure": "cycle_service", "target": 0.9})
    assert not asks_for_classes(plain)
    assert not asks_for_classes(None)
    assert supply_terms(keys("a"), {"demand": sold(a=[3, 3]), "policies": plain}, DAY, LAST)[
        "abc"
    ].tolist() == [""]
    slip = pd.DataFrame({"selector": ["class:AXX"], "measure": "cycle_service", "target": 0.9})
    set_targets(supply_terms(keys("a"), {"demand": sold(a=[3, 3]), "policies": slip}, DAY, LAST), slip, DAY)
    assert "'class:AXX' (did you mean 'class:AX'" in caplog.text
