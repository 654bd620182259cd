"""Rules: what is refused, in which order they speak, and when they are in force."""

from dataclasses import replace
from datetime import date

import pytest

from ingestion.errors import Problem
from warning.rules import KINDS, Rule, default_rules, in_order, literal_rules


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "low"}, ["rule 'r'", "kind", "'low'", "low_stock"]),
        ({"basis": "order_up_to"}, ["basis", "'order_up_to'", "safety_stock, reorder_point"]),
        ({"stock": "shelf"}, ["stock", "'shelf'", "available"]),
        ({"tiers": {}}, ["tiers", "notice, warning, critical"]),
        ({"tiers": {"red": 0.1}}, ["tiers", "'red'"]),
        ({"tiers": {"notice": 0.5, "critical": 0.2}}, ["rising from notice to critical"]),
        ({"tiers": {"notice": float("nan")}}, ["bound", "nan", "write 10 % as 0.1"]),
        ({"tiers": {"notice": "10%"}}, ["bound", "'10%'", "write 10 % as 0.1"]),
        ({"kind": "stockout_risk", "tiers": {"notice": 30}}, ["bound", "30", "write 80 % as 0.8"]),
        ({"hysteresis": -0.1}, ["hysteresis", "-0.1"]),
        ({"min_money": True}, ["min_money", "True"]),
        ({"version": 0}, ["version", "whole number from 1"]),
        ({"selector": {"category": []}}, ["selector.category", "at least one"]),
        ({"name": "a rule"}, ["'a rule'", "rename"]),
        ({"pending_days": 1.5}, ["pending_days", "1.5", "whole number from 0"]),
        ({"cooldown_days": -1}, ["cooldown_days", "-1"]),
        ({"mode": "dark"}, ["mode", "'dark'", "live, shadow"]),
        ({"notify_only": 1}, ["notify_only", "true or false", "1"]),
        ({"pilot": "S1"}, ["pilot", "'S1'", "a table"]),
        ({"sensitivity": {"category": {"milk": 0}}}, ["sensitivity.category.milk", "above 0", "half"]),
        ({"sensitivity": {"category": 2.0}}, ["sensitivity.category", "2.0", "a table of factors"]),
        ({"valid_from": "1 May"}, ["valid_from", "'1 May'", "2024-12-31"]),
        (
            {"valid_from": date(2024, 5, 2), "valid_until": date(2024, 5, 1)},
            ["valid_until", "2024-05-01", "swap"],
        ),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_rule_value_and_remedy(change, words):
    values = {"name": "r", "kind": "low_stock", "tiers": {"notice": 0.1}} | change
    with pytest.raises(Problem) as caught:
        Rule(**values)
    for word in words:
        assert word in str(caught.value)


def test_the_presets_have_both_limits():
    for rules in (default_rules(), literal_rules()):
        assert any(rule.is_shortage for rule in rules)
        assert any(rule.kind == "overstock" for rule in rules)


def test_the_literal_preset_is_ten_below_and_twenty_above_the_safety_stock_at_hand():
    rules = {rule.name: rule for rule in literal_rules()}
    low, high = rules["below_safety_stock"], rules["overstock"]
    assert (low.basis, low.stock, low.tiers) == ("safety_stock", "available", {"warning": 0.1})
    assert (high.basis, high.stock, high.tiers) == ("safety_stock", "available", {"notice": 0.2})


def test_rules_speak_by_kind_then_priority_then_the_more_specific():
    low = Rule("low", "low_stock", {"notice": 0.1})
    milk = replace(low, name="milk", selector={"category": "milk"})
    first = replace(low, name="first", priority=1)
    out = Rule("out", "out_of_stock", {"critical": 0.0})
    assert [rule.name for rule in in_order([low, milk, first, out])] == ["out", "first", "milk", "low"]


def test_every_kind_is_in_the_default_preset_and_takes_its_own_hysteresis():
    rules = default_rules()
    assert {rule.kind for rule in rules} == set(KINDS)
    assert Rule("slow", "slow_stock", {"notice": 180.0}).hysteresis == 14.0
    assert Rule("slow", "slow_stock", {"notice": 180.0}, hysteresis=5.0).hysteresis == 5.0


def test_a_rule_is_in_force_between_its_dates():
    rule = Rule("r", "low_stock", {"notice": 0.1}, valid_from=date(2024, 5, 1), valid_until=date(2024, 5, 3))
    assert [rule.is_in_force(date(2024, 5, day)) for day in (1, 3, 4)] == [True, True, False]
    assert not rule.is_in_force(date(2024, 4, 30))
