"""Rules: what is refused, and how configuration changes the presets."""

import pytest

from ingestion.errors import Problem
from warning.rules import Rule, configured_rules, default_rules, literal_rules


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
    low, high = literal_rules()[-2:]
    assert (low.basis, low.stock, low.tiers) == ("safety_stock", "available", {"warning": 0.1})
    assert (high.basis, high.stock, high.tiers) == ("safety_stock", "available", {"notice": 0.2})


def test_configuration_changes_adds_and_removes_rules():
    rules = configured_rules(
        {
            "preset": "literal",
            "rules": {
                "stockout_risk": {"enabled": False},
                "overstock": {"version": 3, "min_money": 100.0},
                "milk": {"kind": "low_stock", "tiers": {"critical": 0.2}, "selector": {"category": "milk"}},
            },
        }
    )
    # The new rule speaks before the preset's of the same kind.
    assert [rule.name for rule in rules] == [
        "no_position",
        "out_of_stock",
        "milk",
        "below_safety_stock",
        "overstock",
    ]
    assert rules[-1].version == 3
    assert rules[-1].min_money == 100.0
    assert rules[-1].basis == "safety_stock"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"preset": "strict"}, ["warning.preset", "'strict'", "literal"]),
        ({"rule": {}}, ["'rule'", "'rules'"]),
        ({"rules": {"overstock": {"tier": {}}}}, ["warning.rules.overstock", "'tier'", "'tiers'"]),
        ({"rules": {"overstok": {"version": 2}}}, ["warning.rules.overstok", "kind and tiers", "overstock"]),
        ({"rules": {"overstock": 3}}, ["warning.rules.overstock", "3", "table"]),
        ({"rules": []}, ["warning.rules", "table"]),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(config, words):
    with pytest.raises(Problem) as caught:
        configured_rules(config)
    for word in words:
        assert word in str(caught.value)
