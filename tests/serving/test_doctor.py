"""The doctor: each pitfall is found at its limit, and a healthy workspace is left alone."""

from dataclasses import replace

import pandas as pd
import pytest

from serving.doctor import Evidence, Finding, Limits, examine
from warning.rules import Rule, default_rules

TODAY = pd.Timestamp("2024-05-31")
SEASON = Rule("season", "stockout_risk", {"notice": 0.3}, valid_until=TODAY.date())


def ago(days: int) -> pd.Timestamp:
    return TODAY - pd.Timedelta(days=days)


def freshness(days: int) -> pd.DataFrame:
    return pd.DataFrame({"source": ["pos", "erp"], "last_date": [ago(days), pd.NaT]})


def alerts(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"alert_id": ["a", "b"], "state": "open", "opened_on": ago(1)} | columns)


HEALTHY = {
    "tables": ["demand", "stock", "supply_orders", "sourcing", "items"],
    "freshness": freshness(4),
    "demand_first": ago(179),
    "demand_last": TODAY,
    "champion": "model-1",
    "trained_on": ago(30),
    "thresholds_changed_on": ago(30),
    "alerts": alerts(),
    "rules": default_rules(),
    "watched": pd.DataFrame({"sku": ["k1"], "location": ["S01"], "category": ["tea"]}),
    "host": "127.0.0.1",
    "horizon_end": ago(-60),
    "holidays_until": ago(-60),
    "workspace_mode": 0o40755,
    "workspace_writable": True,
}


def findings(**change: object) -> list[Finding]:
    return examine(Evidence(TODAY, **(HEALTHY | change)))


def test_a_healthy_workspace_has_no_findings():
    assert findings() == []


def test_what_nobody_looked_at_is_not_reported():
    assert examine(Evidence(TODAY)) == []


@pytest.mark.parametrize(
    ("change", "severity", "words"),
    [
        (
            {"tables": ["demand", "stock", "sourcing"]},
            "warning",
            ["supply_orders", "lead times", "load orders"],
        ),
        ({"tables": ["stock", "supply_orders", "sourcing"]}, "error", ["demand", "nothing can be forecast"]),
        ({"freshness": freshness(5)}, "warning", ["pos is stale", "2024-05-26, 5 days ago", "at most 4"]),
        ({"demand_first": ago(178)}, "warning", ["history is shorter than 180", "179 days", "fallback"]),
        ({"champion": ""}, "error", ["no model is champion", "forestock train"]),
        ({"trained_on": ago(31)}, "warning", ["champion is old", "31 days ago", "forestock train"]),
        ({"thresholds_changed_on": ago(31)}, "warning", ["thresholds have not changed", "forestock run"]),
        ({"alerts": alerts(opened_on=[ago(7), ago(8)])}, "warning", ["older than 7 days", "1", "min_money"]),
        (
            {"rules": [rule for rule in default_rules() if rule.is_shortage]},
            "warning",
            ["no rule sets an upper limit", "overstock"],
        ),
        (
            {"rules": [rule for rule in default_rules() if not rule.is_shortage]},
            "warning",
            ["no rule sets a lower limit", "stockout_risk"],
        ),
        (
            {"rules": [*default_rules(), replace(SEASON, valid_until=ago(1).date())]},
            "warning",
            ["the rule season is no longer in force", "2024-05-30", "later valid_until"],
        ),
        (
            {"rules": [*default_rules(), replace(SEASON, selector={"category": ["Tee", "milch"]})]},
            "warning",
            ["the rule season watches nothing", "category Tee/milch", "correct the rule"],
        ),
        (
            {"rules": [*default_rules(), replace(SEASON, pilot={"location": "S1"})]},
            "warning",
            ["the rule season is live nowhere", "location S1", "correct the rule"],
        ),
        ({"host": "0.0.0.0"}, "error", ["without authentication", "0.0.0.0", "127.0.0.1"]),
        ({"horizon_end": ago(-61)}, "note", ["passes the known holidays", "2024-07-31", "plans"]),
        (
            {
                "policies": pd.DataFrame(
                    {"selector": ["tea", "rice", "*"], "valid_until": [ago(1), ago(0), pd.NaT]}
                )
            },
            "note",
            ["policies have expired", "tea until 2024-05-30", "rule below"],
        ),
        ({"audit": "event 7 is missing"}, "error", ["tampered with", "event 7 is missing", "backup"]),
        ({"notices": {"dead": 3, "sent": 9}}, "warning", ["given up", "3", "notify redrive"]),
        (
            {"channels": 0, "alerts": alerts(opened_on=ago(0), state="acknowledged")},
            "note",
            ["nobody is told of alerts", "no channel", "notify test"],
        ),
        ({"workspace_writable": False}, "error", ["cannot be written", "right to write"]),
        ({"workspace_mode": 0o40777}, "error", ["every account", "0o777", "chmod o-w"]),
    ],
)
def test_each_pitfall_is_found_just_beyond_its_limit(change, severity, words):
    found = findings(**change)
    assert [finding.severity for finding in found] == [severity]
    text = " | ".join((found[0].what, found[0].value, found[0].remedy))
    for word in words:
        assert word in text


def test_rules_that_are_in_shadow_or_over_set_no_limit():
    over = [replace(rule, valid_until=ago(1).date()) for rule in default_rules() if rule.kind == "overstock"]
    dark = [replace(rule, mode="shadow") for rule in default_rules() if rule.kind == "overstock"]
    rest = [rule for rule in default_rules() if rule.kind != "overstock"]
    for rules in ([*rest, *over], [*rest, *dark]):
        assert "no rule sets an upper limit" in [finding.what for finding in findings(rules=rules)]
    seasonal = [*default_rules(), replace(SEASON, selector={"category": "tea"}, pilot={"location": "S01"})]
    assert findings(rules=seasonal) == []


def test_a_weekly_source_may_be_a_week_older():
    assert findings(freshness=freshness(10), period_days=7.0) == []


def test_answered_alerts_may_be_old():
    assert findings(alerts=alerts(opened_on=ago(90), state="acknowledged")) == []


def test_limits_can_be_set_and_the_worst_comes_first():
    found = findings(champion="", freshness=freshness(1), limits=Limits(stale_data=-1), horizon_end=ago(-99))
    assert [finding.severity for finding in found] == ["error", "warning", "note"]
