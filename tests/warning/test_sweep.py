"""Sweep: opens and ends what the engine does, rule by rule and day by day, whatever the setting."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from warning.kinds import SHORTAGES
from warning.rerun import Day, rerun
from warning.rules import Rule, default_rules
from warning.sweep import Setting, fire, read

N, T = 12, 18
DAY0 = pd.Timestamp("2024-01-01")


def wander(rng: np.random.Generator) -> list[Day]:
    """Positions whose stock and risk wander, with days nobody counted, stale ones, and some that are gone."""
    keys = pd.DataFrame({"sku": [f"k{i}" for i in range(N)], "location": "s"})
    risk, stock = rng.uniform(0, 0.6, N), rng.uniform(5, 40, N)
    days = []
    for t in range(T):
        risk = np.clip(risk + rng.normal(0, 0.18, N), 0, 1)
        stock = np.maximum(stock + rng.normal(-0.5, 6, N), 0) * (rng.random(N) > 0.04)
        facts = keys.assign(
            category=np.where(np.arange(N) % 2, "a", "b"),
            on_hand=np.where(rng.random(N) < 0.06, np.nan, stock),
            projected=stock - 8,
            safety_stock=10.0,
            reorder_point=20.0,
            order_up_to=40.0,
            stockout_probability=risk,
            expected_lost_units=3 * risk,
            unit_cost=2.0,
            lifecycle=np.where(np.arange(N) == 3, "discontinued", "active"),
            stale_source=np.where(rng.random(N) < 0.05, "pos", None),
        )
        days.append(Day(DAY0 + pd.Timedelta(days=t), facts[rng.random(N) > 0.02].reset_index(drop=True)))
    return days


def plain(alerts: pd.DataFrame) -> list[tuple[object, ...]]:
    rows = alerts[["rule", "sku", "location", "opened_on", "resolved_on"]]
    rows = rows.assign(
        opened_on=pd.to_datetime(rows["opened_on"]),
        resolved_on=pd.to_datetime(rows["resolved_on"]).fillna(DAY0),
    )
    return sorted(rows.itertuples(index=False, name=None))


def rules() -> list[Rule]:
    """The shortage rules with every way of waiting."""
    out, risk, low = (rule for rule in default_rules() if rule.kind in SHORTAGES)
    return [
        replace(out, cooldown_days=0),
        replace(
            risk,
            tiers={"notice": 0.3, "warning": 0.5, "critical": 0.8},
            pending_days=1,
            cooldown_days=4,
            sensitivity={"category": {"a": 1.6, "b": 0.7}},
        ),
        replace(low, cooldown_days=2, min_money=1.0),
        Rule(
            "ours", "low_stock", {"warning": 0.3}, selector={"category": "b"}, stock="available", priority=1
        ),
    ]


@pytest.mark.parametrize("seed", range(2))
def test_agrees_with_the_engine(seed):
    days = wander(np.random.default_rng(seed))
    keys = pd.DataFrame({"sku": [f"k{i}" for i in range(N)], "location": "s"})
    told, swept = rerun(rules(), days).alerts, fire(read(rules(), days, keys))
    assert len(told) > 15
    assert plain(swept) == plain(told)
    low = told[told["kind"] == "low_stock"].sort_values(["rule", "sku", "opened_on"])
    mine = swept[swept["kind"] == "low_stock"].sort_values(["rule", "sku", "opened_on"])
    np.testing.assert_allclose(mine["threshold"], low["threshold"])


def test_a_setting_is_what_the_changed_rule_does():
    days = wander(np.random.default_rng(7))
    keys = pd.DataFrame({"sku": [f"k{i}" for i in range(N)], "location": "s"})
    readings = read(rules(), days, keys)
    changed = [
        replace(rule, sensitivity={"category": {"a": 0.8, "b": 0.35}}, hysteresis=0.25)
        if rule.name == "stockout_risk"
        else rule
        for rule in rules()
    ]
    setting = {"stockout_risk": Setting(0.5, 0.25)}
    assert plain(fire(readings, setting)) == plain(rerun(changed, days).alerts)
    halves = fire(readings, {"stockout_risk": Setting(np.where(np.arange(N) % 2, 0.5, 1.0), 0.25)})
    odd = halves["sku"].str[1:].astype(int) % 2 == 1
    alike = fire(readings, setting)
    assert plain(halves[odd]) == plain(alike[alike["sku"].str[1:].astype(int) % 2 == 1])
    assert plain(halves) != plain(alike)


def test_nothing_to_read_is_nothing_to_fire():
    days = wander(np.random.default_rng(1))
    keys = days[0].facts[["sku", "location"]]
    assert fire(read([], days, keys)).empty
