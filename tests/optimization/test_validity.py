"""Validity: overrides by sku, category, place and class hold in their time and give way afterwards."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.loading import load
from ingestion.periods import Period
from ingestion.warehouse import Warehouse
from optimization.targets import set_targets
from optimization.validity import expired, in_force

DAY = Period("day")
RULE = {"measure": "cycle_service", "unmet": "lost"}


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp("2024-04-01") + pd.Timedelta(days=number)


def rows(*given: tuple[str, float, int | None, int | None]) -> pd.DataFrame:
    """Selector, target, first and last day."""
    table = pd.DataFrame(given, columns=["selector", "target", "valid_from", "valid_until"])
    dates = {
        name: [pd.NaT if np.isnan(x) else day(int(x)) for x in table[name].astype(float)]
        for name in ("valid_from", "valid_until")
    }
    return table.assign(**RULE, **dates)


def target(policies: pd.DataFrame, on: int | None) -> float:
    supply = pd.DataFrame(
        {"sku": ["tea"], "location": "shop", "category": "drinks", "review_periods": 1, "unit_cost": 2.0}
    ).assign(unit_price=5.0, abc="A", xyz="X")
    found = set_targets(supply, policies, DAY, on=None if on is None else day(on))
    return float(found["target"].iloc[0])


@pytest.mark.parametrize("selector", ["tea", "drinks", "shop", "class:A", "class:AX", "*"])
def test_an_override_holds_from_its_first_to_its_last_day(selector):
    policies = rows((selector, 0.6, 3, 5), ("*", 0.9, None, None))
    assert [target(policies, on) for on in range(2, 7)] == [0.9, 0.6, 0.6, 0.6, 0.9]


def test_an_expired_override_gives_way_to_the_rule_below_it():
    policies = rows(("sku:tea", 0.99, None, 2), ("category:drinks", 0.97, None, 4), ("class:A", 0.9, None, 6))
    assert [target(policies, on) for on in (2, 3, 5, 7)] == [0.99, 0.97, 0.9, 0.95]
    assert expired(policies, day(5))["selector"].tolist() == ["sku:tea", "category:drinks"]


def test_of_one_selector_the_row_that_began_last_counts():
    policies = rows(("tea", 0.7, 2, 9), ("tea", 0.8, 4, 6), ("tea", 0.9, None, None))
    assert [target(policies, on) for on in (1, 3, 5, 8, 10)] == [0.9, 0.7, 0.8, 0.7, 0.9]


def test_an_override_that_only_ends_counts_wherever_it_stands():
    """The warehouse gives rows without a last day after those with one."""
    override, rule = ("tea", 0.99, None, 4), ("tea", 0.9, None, None)
    for policies in (rows(override, rule), rows(rule, override)):
        assert [target(policies, on) for on in (0, 4, 5)] == [0.99, 0.99, 0.9]
    began = rows(("tea", 0.99, 2, 4), ("tea", 0.8, 2, None), ("tea", 0.9, None, None))
    assert [target(began, on) for on in (1, 2, 4, 5)] == [0.9, 0.99, 0.99, 0.8]


def test_without_a_date_only_what_always_holds_counts():
    policies = rows(("tea", 0.7, 2, None), ("tea", 0.8, None, 9))
    assert target(policies, None) == 0.95
    assert target(policies.drop(columns=["valid_from", "valid_until"]), None) == 0.8


@given(
    spans=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), max_size=6),
    on=st.integers(-1, 10),
)
def test_against_a_search(spans, on):
    policies = rows(*[("tea", 0.5 + 0.01 * k, first, last) for k, (first, last) in enumerate(spans)])
    held = [(first, k) for k, (first, last) in enumerate(spans) if first <= on <= last]
    wanted = 0.95 if not held else 0.5 + 0.01 * max(held)[1]
    assert target(policies, on) == pytest.approx(wanted)
    assert len(in_force(policies, day(on))) == len(held)


def test_dates_are_loaded_and_a_last_day_before_the_first_is_set_aside(tmp_path):
    """Of one selector several rows may hold in turn."""
    pd.DataFrame({"sku": ["tea"], "location": "shop", "date": ["2024-03-31"], "quantity": 1}).to_csv(
        tmp_path / "demand.csv", index=False
    )
    policies = rows(("tea", 0.7, 2, 4), ("tea", 0.8, 5, None), ("tea", 0.9, None, None), ("rice", 0.9, 4, 2))
    policies.to_csv(tmp_path / "policies.csv", index=False)
    warehouse = Warehouse(tmp_path / "warehouse")
    report = load(tmp_path, {"workspace": {"period": "day"}}, warehouse)
    assert [str(row) for row in report.quarantined["rule"]] == ["must not lie before valid_from"]
    found = warehouse.read("policies", day(0))
    assert [target(found, on) for on in (0, 3, 6)] == [0.9, 0.7, 0.8]
