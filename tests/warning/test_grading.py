"""Grading: exact at the boundary, hysteresis, and what missing data does."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import DataError, Problem
from warning.engine import evaluate
from warning.facts import complete
from warning.grading import grade
from warning.rules import Rule, literal_rules


def tiers(rule: Rule, previous: int = 0, **facts: object) -> list[int]:
    count = max(len(v) if isinstance(v, list) else 1 for v in facts.values())
    frame = pd.DataFrame({"sku": [f"k{i}" for i in range(count)], "location": "s"}).assign(**facts)
    return grade(rule, complete(frame), np.full(count, previous, dtype=np.int8)).tier.tolist()


RULES = {rule.name: rule for rule in literal_rules()}
LOW, HIGH = RULES["below_safety_stock"], RULES["overstock"]


@given(st.integers(1, 10**6), st.integers(1, 99), st.sampled_from(["1", "0.001", "1000"]), st.booleans())
def test_ten_percent_below_is_exact_for_every_level_and_unit(level, percent, unit, below):
    safety = Decimal(level) * Decimal(unit)
    limit = safety * (100 - percent) / 100
    rule = Rule("low", "low_stock", {"warning": percent / 100}, stock="available")
    stock = limit if below else limit + safety / 10**6
    assert tiers(rule, on_hand=float(stock), safety_stock=float(safety)) == [2 if below else 0]


@given(st.integers(1, 10**6), st.integers(1, 300), st.booleans())
def test_twenty_percent_above_is_exact_for_every_level(level, percent, above):
    limit = Decimal(level) * (100 + percent) / 100
    rule = Rule("high", "overstock", {"notice": percent / 100}, basis="safety_stock")
    stock = limit if above else limit - Decimal(level) / 10**6
    assert tiers(rule, on_hand=float(stock), safety_stock=float(level)) == [1 if above else 0]


def test_the_literal_rule_on_a_safety_stock_of_a_hundred():
    stock = [89.0, 90.0, 90.5, 100.0, 119.5, 120.0, 121.0]
    assert tiers(LOW, on_hand=stock, safety_stock=100.0) == [2, 2, 0, 0, 0, 0, 0]
    assert tiers(HIGH, on_hand=stock, safety_stock=100.0) == [0, 0, 0, 0, 0, 1, 1]


def test_risk_reaches_each_tier_at_its_bound():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3, "warning": 0.5, "critical": 0.8})
    chance = [0.29, 0.3, 0.49, 0.5, 0.79, 0.8, 1.0, np.nan]
    assert tiers(rule, on_hand=5.0, stockout_probability=chance) == [0, 1, 1, 2, 2, 3, 3, 0]


def test_a_tier_ends_only_below_its_bound_less_the_hysteresis():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3, "critical": 0.8}, hysteresis=0.1)
    chance = [0.9, 0.75, 0.7, 0.69, 0.3, 0.2, 0.19]
    assert tiers(rule, 3, on_hand=5.0, stockout_probability=chance) == [3, 3, 3, 1, 1, 1, 0]
    assert tiers(rule, 1, on_hand=5.0, stockout_probability=chance) == [3, 1, 1, 1, 1, 1, 0]


def test_a_wide_hysteresis_keeps_the_alert_and_not_its_worst_tier():
    rule = Rule("low", "low_stock", {"notice": 0.0, "warning": 0.5}, hysteresis=0.8)
    stock = [40.0, 99.0, 101.0, 180.0, 181.0]
    assert tiers(rule, 2, on_hand=1.0, projected=stock, safety_stock=100.0) == [2, 2, 1, 1, 0]


def test_reserved_stock_is_not_available():
    rule = Rule("out", "out_of_stock", {"critical": 0.0})
    assert tiers(rule, on_hand=[5.0, 5.0, 5.0], reserved=[5.0, 4.0, np.nan]) == [3, 0, 0]


def test_out_of_stock_ends_above_a_tenth_of_the_safety_stock():
    rule = Rule("out", "out_of_stock", {"critical": 0.0})
    assert tiers(rule, 3, on_hand=[10.0, 10.5], safety_stock=100.0) == [3, 0]
    assert tiers(rule, 3, on_hand=[0.0, 1.0], safety_stock=np.nan) == [3, 0]


def test_nobody_misses_what_is_not_meant_to_be_stocked():
    rule = Rule("out", "out_of_stock", {"critical": 0.0})
    assert tiers(rule, on_hand=0.0, order_up_to=[0.0, 5.0, np.nan]) == [0, 3, 3]


def test_any_stock_is_too_much_where_none_is_needed():
    rule = Rule("high", "overstock", {"notice": 0.2, "warning": 1.0})
    assert tiers(rule, on_hand=[0.0, 1.0], overstock_level=0.0) == [0, 2]


def test_unknown_stock_raises_no_stock_alert_and_ends_none():
    unknown = {"on_hand": np.nan, "projected": -5.0, "stockout_probability": 0.9, "order_up_to": 0.0}
    for rule in (
        Rule("out", "out_of_stock", {"critical": 0.0}),
        Rule("risk", "stockout_risk", {"critical": 0.5}),
        Rule("low", "low_stock", {"notice": 0.1, "warning": 0.5}),
        Rule("high", "overstock", {"notice": 0.1}),
    ):
        assert tiers(rule, safety_stock=10.0, **unknown) == [0]
        assert tiers(rule, 1, safety_stock=10.0, **unknown) == [1]
    assert tiers(Rule("data", "no_position", {"warning": 0.0}), **unknown) == [2]


def test_low_stock_looks_at_the_end_of_the_lead_time_and_else_at_today():
    rule = Rule("low", "low_stock", {"notice": 0.1})
    assert tiers(rule, on_hand=50.0, projected=[95.0, 90.0, np.nan], safety_stock=100.0) == [0, 1, 1]


def test_position_counts_what_is_on_order():
    rule = Rule("reorder", "low_stock", {"notice": 0.0}, basis="reorder_point", stock="position")
    assert tiers(rule, on_hand=40.0, inbound=[59.0, 60.0, 61.0], reorder_point=100.0) == [1, 1, 0]


def test_discontinued_items_warn_of_too_much_only():
    words = {"lifecycle": ["discontinued", "phase_out", None]}
    assert tiers(LOW, on_hand=1.0, safety_stock=100.0, **words) == [0, 2, 2]
    assert tiers(HIGH, on_hand=500.0, safety_stock=100.0, **words) == [1, 1, 1]
    assert tiers(Rule("data", "no_position", {"notice": 0.0}), on_hand=np.nan, **words) == [0, 1, 1]


def test_a_selector_watches_only_what_it_names():
    rule = Rule("low", "low_stock", {"notice": 0.1}, selector={"category": ["milk", "eggs"], "floor": 2})
    facts = {"category": ["milk", "eggs", "beer", "milk"], "floor": [2, 2, 2, 1]}
    assert tiers(rule, on_hand=0.0, safety_stock=5.0, **facts) == [1, 1, 0, 0]


def test_a_column_that_nobody_has_is_refused_with_the_nearest_names():
    rule = Rule("low", "low_stock", {"notice": 0.1}, selector={"category": "milk"})
    frame = pd.DataFrame({"sku": ["a"], "location": "s", "categry": "milk"})
    words = r"rule 'low' selects by 'category', which no position has; did you mean 'categry'\?"
    with pytest.raises(Problem, match=words):
        evaluate(frame, [rule], pd.Timestamp("2024-05-01"), pd.DataFrame())
    for column in ("sensitivity", "pilot"):
        change = {"sensitivity": {"floor": {"2": 2.0}}, "pilot": {"floor": 2}}[column]
        with pytest.raises(Problem, match="'floor', which no position has"):
            evaluate(
                frame,
                [replace(rule, selector={}, **{column: change})],
                pd.Timestamp("2024-05-01"),
                pd.DataFrame(),
            )


def test_small_money_opens_nothing_but_ends_nothing_either():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3}, min_money=100.0)
    facts = {"on_hand": 5.0, "stockout_probability": 0.5, "expected_lost_money": [99.0, 100.0, np.nan]}
    assert tiers(rule, **facts) == [0, 1, 1]
    assert tiers(rule, 1, **facts) == [1, 1, 1]


def test_money_at_risk_is_lost_sales_at_the_price_or_surplus_at_cost():
    frame = complete(
        pd.DataFrame(
            {
                "sku": ["told", "priced", "costed", "unknown"],
                "location": "s",
                "on_hand": 30.0,
                "order_up_to": 10.0,
                "overstock_level": 12.0,
                "expected_lost_units": 4.0,
                "expected_lost_money": [77.0, np.nan, np.nan, np.nan],
                "unit_price": [5.0, 5.0, np.nan, np.nan],
                "unit_cost": [3.0, 3.0, 3.0, np.nan],
            }
        )
    )
    none = np.zeros(4, dtype=np.int8)
    short = grade(Rule("risk", "stockout_risk", {"notice": 0.3}), frame, none)
    assert short.money[:3].tolist() == [77.0, 20.0, 12.0]
    over = grade(Rule("high", "overstock", {"notice": 0.2}), frame, none)
    assert over.units.tolist() == [20.0] * 4
    assert over.money[:3].tolist() == [60.0] * 3
    assert np.isnan([short.money[3], over.money[3]]).all()


def test_lost_units_that_cost_nothing_have_no_known_price():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3})
    frame = pd.DataFrame({"sku": ["a", "b", "c"], "location": "s", "expected_lost_units": [4.0, 4.0, 0.0]})
    frame = frame.assign(expected_lost_money=0.0, unit_price=[np.nan, 5.0, np.nan])
    money = grade(rule, complete(frame), np.zeros(3, dtype=np.int8)).money
    assert np.isnan(money[0])
    assert money[1:].tolist() == [20.0, 0.0]


def test_a_tier_that_the_rule_no_longer_has_becomes_the_nearest():
    rule = Rule("risk", "stockout_risk", {"warning": 0.5}, hysteresis=0.2)
    assert tiers(rule, 1, on_hand=5.0, stockout_probability=[0.4, 0.2]) == [2, 0]
    assert tiers(rule, 3, on_hand=5.0, stockout_probability=[0.9, 0.2]) == [2, 0]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"sku": ["a"]}, "location is absent"),
        ({"sku": ["a", None], "location": "s"}, "row 1 has none"),
        ({"sku": ["a", "a"], "location": "s"}, "a at s occurs twice"),
    ],
)
def test_facts_without_proper_keys_are_refused(frame, words):
    with pytest.raises(DataError, match=words):
        complete(pd.DataFrame(frame))
