"""The rulebook: files of rules change what there is, versions are dated, and a file written reads back."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.errors import Problem
from warning.rulebook import (
    Saved,
    changed,
    configured_rules,
    in_force,
    read_rules,
    rule_of,
    spec_of,
    versions_to_save,
    write_rules,
)
from warning.rules import Rule, default_rules, literal_rules

DAY = date(2024, 5, 1)
LOW = Rule("low", "low_stock", {"notice": 0.1})


def names(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.name for rule in rules]


def test_a_file_changes_adds_and_removes_rules():
    rules = configured_rules(
        "literal",
        [
            {"name": "stockout_risk", "enabled": False},
            {"name": "overstock", "version": 3, "min_money": 100.0},
            {
                "name": "milk",
                "kind": "low_stock",
                "tiers": {"critical": 0.2},
                "selector": {"category": "milk"},
            },
        ],
    )
    found = {rule.name: rule for rule in rules}
    assert "stockout_risk" not in found
    # The more specific rule speaks before the preset's of the same kind.
    assert names(rules).index("milk") < names(rules).index("below_safety_stock")
    changed_rule = found["overstock"]
    assert (changed_rule.version, changed_rule.min_money, changed_rule.basis) == (3, 100.0, "safety_stock")


def test_a_pilot_holds_for_every_rule_about_items_that_names_none():
    own = {"name": "overstock", "pilot": {"location": "S1"}}
    rules = {rule.name: rule for rule in configured_rules("default", [own], {"category": "milk"})}
    assert rules["out_of_stock"].is_live_at == {"category": ("milk",)}
    assert rules["overstock"].is_live_at == {"location": ("S1",)}
    assert rules["stale_data"].is_live_at == rules["supplier_late"].is_live_at == {}


def test_another_kind_brings_its_own_level_and_hysteresis():
    (rule,) = changed([LOW], [{"name": "low", "kind": "slow_stock", "tiers": {"notice": 90}}])
    assert (rule.basis, rule.stock, rule.hysteresis) == ("none", "available", 14.0)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"name": "overstock", "tier": {}}], ["rule 'overstock'", "'tier'", "'tiers'"]),
        ([{"name": "overstok", "version": 2}], ["'overstok' is new", "kind and tiers", "'overstock'"]),
        ([{"tiers": {}}], ["rules[1]", "must have a name"]),
        ([3], ["rules[1]", "a table", "3"]),
        ({"overstock": {}}, ["list of tables", "[[rules]]"]),
        ([{"name": "a", "enabled": "no"}], ["rule 'a'", "enabled", "'no'"]),
        ([{"name": "overstock"}, {"name": "overstock"}], ["'overstock'", "twice"]),
        ([{"name": "overstock", "valid_from": "May"}], ["valid_from", "'May'", "2024-12-31"]),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(entries, words):
    with pytest.raises(Problem) as caught:
        changed(default_rules(), entries)
    for word in words:
        assert word in str(caught.value)


def test_of_the_versions_the_last_that_has_begun_is_in_force():
    saved = [
        Saved(Rule("low", "low_stock", {"notice": bound}, version, valid_from=first), True, "ann", "")
        for version, bound, first in [(2, 0.2, date(2024, 5, 1)), (3, 0.3, date(2024, 5, 10))]
    ]
    bounds = [
        in_force([LOW], saved, date(2024, *day))[0].tiers["notice"] for day in [(4, 30), (5, 9), (5, 10)]
    ]
    assert bounds == [0.1, 0.2, 0.3]
    gone = Saved(Rule("low", "low_stock", {"notice": 0.3}, 4, valid_from=date(2024, 6, 1)), False, "ann", "")
    assert in_force([LOW], [*saved, gone], date(2024, 6, 1)) == ()
    assert names(in_force([LOW], [*saved, gone], date(2024, 5, 31))) == ["low"]


def test_a_version_whose_time_is_over_gives_way_to_the_one_before_it():
    def version(number: int, bound: float, last: date | None = None, enabled: bool = True) -> Saved:
        rule = Rule("low", "low_stock", {"notice": bound}, number, valid_from=DAY, valid_until=last)
        return Saved(rule, enabled, "ann", "")

    for_may, for_june = version(2, 0.2, date(2024, 5, 31)), version(3, 0.3, date(2024, 6, 30))
    both = [for_may, for_june]
    bounds = [
        in_force([LOW], both, date(2024, *day))[0].tiers["notice"] for day in [(5, 31), (6, 30), (7, 1)]
    ]
    assert bounds == [0.3, 0.3, 0.1]
    assert in_force([LOW], [version(2, 0.2), for_june], date(2024, 7, 1))[0].tiers["notice"] == 0.2
    # What was withdrawn stays so, and what has nothing before it can still be named as over.
    gone = version(4, 0.3, date(2024, 6, 30), enabled=False)
    assert in_force([LOW], [*both, gone], date(2024, 7, 1)) == ()
    (over,) = in_force([], both, date(2024, 7, 1))
    assert not over.is_in_force(date(2024, 7, 1))


def save(rules: tuple[Rule, ...], saved: list[Saved], entries: list[dict[str, object]]) -> list[Saved]:
    return versions_to_save(rules, saved, entries, DAY, author="ann", reason="why")


def test_saving_adds_a_version_of_what_really_changes_and_an_older_file_rolls_back():
    rules = (LOW,)
    first = save(rules, [], [{"name": "low", "tiers": {"notice": 0.2}}])
    assert [(one.rule.version, one.rule.tiers, one.rule.valid_from) for one in first] == [
        (2, {"notice": 0.2}, DAY)
    ]
    now = in_force(rules, first, DAY)
    assert save(now, first, [{"name": "low", "tiers": {"notice": 0.2}}]) == []
    back = save(now, first, [{"name": "low", "tiers": {"notice": 0.1}}])
    assert [(one.rule.version, one.rule.tiers) for one in back] == [(3, {"notice": 0.1})]
    withdrawn = save(now, first, [{"name": "low", "enabled": False}])
    assert [(one.rule.version, one.enabled) for one in withdrawn] == [(3, False)]
    assert in_force(rules, [*first, *withdrawn], DAY) == ()
    again = save((), [*first, *withdrawn], [{"name": "low", "kind": "low_stock", "tiers": {"notice": 0.1}}])
    assert [one.rule.version for one in again] == [4]


shares = st.floats(0.01, 5.0, allow_nan=False)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)


@given(
    st.builds(
        Rule,
        name=st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True),
        kind=st.sampled_from(["low_stock", "overstock"]),
        tiers=st.builds(lambda low, more: {"notice": low, "critical": low + more}, shares, shares),
        version=st.integers(1, 99),
        hysteresis=shares,
        selector=st.dictionaries(texts, st.lists(texts, min_size=1, max_size=2), max_size=2),
        sensitivity=st.dictionaries(
            texts, st.dictionaries(texts, shares, min_size=1, max_size=2), max_size=1
        ),
        pending_days=st.integers(0, 9),
        notify_only=st.booleans(),
        mode=st.sampled_from(["live", "shadow"]),
        valid_from=st.none() | st.dates(),
    )
)
@settings(max_examples=40, deadline=None)
def test_a_rule_survives_the_store_and_the_file(tmp_path_factory, rule):
    assert rule_of(spec_of(rule)) == rule
    path = tmp_path_factory.mktemp("rules") / "rules.toml"
    path.write_text(write_rules([rule]), encoding="utf-8")
    (entry,) = read_rules(path)
    (back,) = changed([], [entry])
    assert spec_of(back) == spec_of(rule)


@pytest.mark.parametrize("preset", [default_rules, literal_rules])
def test_a_preset_written_as_a_file_changes_nothing(tmp_path, preset):
    path = tmp_path / "rules.toml"
    path.write_text(write_rules(preset()), encoding="utf-8")
    assert save(preset(), [], read_rules(path)) == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "[[rules]", ["a.toml is not toml", "line 1"]),
        ("a.json", "{", ["a.json is not json"]),
        ("a.toml", "x = 1", ["holds no rules", "[[rules]]"]),
        ("a.json", "[]", ["holds no rules"]),
    ],
)
def test_a_file_that_holds_no_rules_is_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(Problem) as caught:
        read_rules(tmp_path / name)
    for word in words:
        assert word in str(caught.value)
