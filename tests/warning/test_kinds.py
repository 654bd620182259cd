"""Kinds of rules beside stock and risk: exact at their bounds, silent elsewhere, golden words."""

import math

import numpy as np
import pandas as pd
import pytest

from warning.engine import evaluate
from warning.facts import complete
from warning.grading import grade
from warning.rules import Rule, default_rules

TODAY = pd.Timestamp("2024-05-01")
RULES = {rule.name: rule for rule in default_rules()}
NONE = pd.DataFrame()


def tiers(rule: Rule, previous: int = 0, **facts: object) -> list[int]:
    subject = rule.shape.subject
    count = max(len(v) if isinstance(v, list) else 1 for v in facts.values())
    keys = {"sku": [f"k{i}" for i in range(count)], "location": "s"}
    if subject != "item":
        keys = {subject: keys["sku"]}
    frame = complete(pd.DataFrame(keys).assign(**facts), subject)
    return grade(rule, frame, np.full(count, previous, dtype=np.int8)).tier.tolist()


@pytest.mark.parametrize(
    ("rule", "facts", "expected"),
    [
        ("stale_data", {"stale": [True, True, False], "behind_days": [8, 28, 99]}, [2, 3, 0]),
        (
            "contradictory_data",
            {"contradictions": [0, 1, 4, 5, 20, 3], "positions": [100, 100, 100, 100, 100, 0]},
            [0, 0, 0, 1, 2, 2],
        ),
        ("supplier_late", {"overdue": [2, 3, 3, 6, 0], "open_orders": [2, 11, 10, 10, 0]}, [0, 0, 1, 2, 0]),
        (
            "supplier_shift",
            {"shifted": [True, True, False, True], "trend": [0.14, 0.15, 0.9, -0.5]},
            [0, 1, 0, 0],
        ),
        ("late_inbound", {"late": [5, 5, 5, 0], "late_days": [0, 1, 7, 9]}, [0, 1, 2, 0]),
        (
            "expiry",
            {"on_hand": [9, 9, 9, 0, 9], "sell_before_expiry_probability": [0.71, 0.7, 0.1, 0.0, np.nan]},
            [0, 1, 3, 0, 0],
        ),
        (
            "dead_stock",
            {"on_hand": [9, 9, 9, 0, 9], "days_since_sale": [89, 90, 180, 99, np.nan]},
            [0, 1, 2, 0, 0],
        ),
        ("slow_stock", {"on_hand": [9, 9, 9, 0], "days_of_cover": [179, 180, 365, 999]}, [0, 1, 2, 0]),
        ("abnormal_demand", {"demand_once_in": [999, 1000, 10_000, np.nan]}, [0, 1, 2, 0]),
    ],
)
def test_each_kind_begins_at_its_bound_and_where_it_applies(rule, facts, expected):
    assert tiers(RULES[rule], **facts) == expected


def test_a_shift_that_luck_may_explain_again_goes_on_and_one_that_is_gone_ends():
    rule = RULES["supplier_shift"]
    assert tiers(rule, 1, shifted=[False, False, True], trend=[0.3, -0.1, 0.11]) == [1, 0, 1]
    assert tiers(rule, 1, shifted=True, trend=0.09) == [0]


def test_surplus_and_late_kinds_cannot_tell_without_a_count():
    for name, facts in [
        ("expiry", {"sell_before_expiry_probability": 0.0}),
        ("dead_stock", {"days_since_sale": 500.0}),
        ("slow_stock", {"days_of_cover": 500.0}),
    ]:
        assert tiers(RULES[name], on_hand=np.nan, **facts) == [0]
        assert tiers(RULES[name], 1, on_hand=np.nan, **facts) == [1]


def test_a_sensitive_category_fires_at_half_the_bounds_and_a_dull_one_at_twice():
    rule = Rule(
        "risk",
        "stockout_risk",
        {"notice": 0.4, "critical": 0.8},
        sensitivity={"category": {"a": 2.0, "z": 0.5}},
    )
    chance = [0.19, 0.2, 0.4, 0.39, 0.4, 0.79, 0.8, 1.0]
    category = ["a", "a", "a", "m", "m", "z", "z", "z"]
    # 0.8 / 0.5 lies beyond certainty: it stays at it, so that a sure stockout is still critical.
    expected = [0, 1, 3, 0, 1, 0, 1, 3]
    assert tiers(rule, on_hand=5.0, stockout_probability=chance, category=category) == expected
    # The hysteresis of .1 shrinks and grows likewise.
    assert tiers(rule, 1, on_hand=5.0, stockout_probability=[0.15, 0.149], category="a") == [1, 0]


def opened(subject: str, facts: dict[str, object]) -> pd.Series:
    frame = pd.DataFrame([facts])
    items = frame if subject == "item" else pd.DataFrame({"sku": [], "location": []})
    others = {} if subject == "item" else {f"{subject}s": frame}
    found = evaluate(items, default_rules(), TODAY, NONE, "CNY", **others).opened
    assert len(found) == 1
    return found.iloc[0]


MILK = {
    "sku": "A1",
    "location": "S1",
    "name": "Milk",
    "on_hand": 40.0,
    "inbound": 0.0,
    "projected": 30.0,
    "safety_stock": 10.0,
    "reorder_point": 20.0,
    "order_up_to": 60.0,
    "unit_cost": 2.0,
    "unit_price": 3.0,
    "order_quantity": 0.0,
    "stockout_probability": 0.0,
}
POSITION = (
    " On hand 40, reserved 0, inbound 0, projected 30 at the end of the lead time; "
    "safety stock 10, reorder point 20."
)
GOLDEN = [
    (
        "source",
        {
            "source": "pos.csv",
            "table": "demand",
            "last": pd.Timestamp("2024-04-20"),
            "behind_days": 10,
            "stale": True,
            "positions": 120,
        },
        "pos.csv: no new data for 10 days",
        (
            "Its last data are of 2024-04-20, 10 days behind the newest source. 120 items rest on it; until "
            "newer data come, no stock alert is raised or ended for them."
        ),
        "Load a newer export of pos.csv.",
        "pos.csv：10 天没有新数据",
        "fix_data",
    ),
    (
        "supplier",
        {
            "supplier": "Acme",
            "open_orders": 10,
            "overdue": 4,
            "late": 250.0,
            "positions": 7,
            "details": "Ships on Mondays.",
        },
        "Acme: 40% of its open orders are overdue",
        (
            "4 of 10 open order lines are past their promise (limit 30%); 7 items wait for 250 units. "
            "Ships on Mondays."
        ),
        "Expedite the 250 on order from Acme (overdue).",
        "Acme：40% 的未到订单已逾期",
        "expedite",
    ),
    (
        "supplier",
        {"supplier": "Acme", "shifted": True, "trend": 0.4, "details": "", "details_zh": ""},
        "Acme: lead times 40% longer",
        "Deliveries of late took 40% longer than in the year before, which is more than luck (limit 40%).",
        ("Levels follow the new lead times already; agree with Acme on dates that hold, or order elsewhere."),
        "Acme：交期变长 40%",
        "check",
    ),
    (
        "item",
        MILK | {"late": 12.0, "late_days": 9.0, "late_supplier": "Acme"},
        "A1 (Milk) at S1: a delivery is 9 days overdue",
        "12 units on order are overdue, the oldest by 9 days (limit 7)." + POSITION,
        "Expedite the 12 on order from Acme (overdue).",
        "S1 A1 (Milk)：到货已逾期 9 天",
        "expedite",
    ),
    (
        "item",
        MILK
        | {
            "sell_before_expiry_probability": 0.25,
            "expiring_units": 8.0,
            "first_expiry_on": pd.Timestamp("2024-05-04"),
        },
        "A1 (Milk) at S1: 75% chance that stock expires unsold",
        (
            "Of 40 available, 8 are expected to expire unsold, the first after 2024-05-04; the chance that "
            "some do is 75% (limit 60%)." + POSITION + " At stake: 8 (16 CNY)."
        ),
        "Promote 8 (16 CNY).",
        "S1 A1 (Milk)：到期前卖不完的概率 75%",
        "promote",
    ),
    (
        "item",
        MILK | {"days_since_sale": 95.0},
        "A1 (Milk) at S1: nothing sold for 95 days",
        "Nothing was sold for 95 days (limit 90)." + POSITION + " What does not pay to keep: 40 (80 CNY).",
        "Clear 40 (80 CNY).",
        "S1 A1 (Milk)：95 天没有销售",
        "clear",
    ),
    (
        "item",
        MILK | {"days_of_cover": 200.0, "units_to_clear": 25.0, "money_to_clear": 50.0},
        "A1 (Milk) at S1: stock for 200 days",
        (
            "What is on hand lasts for about 200 days (limit 180)."
            + POSITION
            + " What does not pay to keep: 25 (50 CNY)."
        ),
        "Promote 25 (50 CNY).",
        "S1 A1 (Milk)：库存可用 200 天",
        "promote",
    ),
    (
        "item",
        MILK | {"demand_seen": 90.0, "demand_expected": 30.0, "demand_days": 7.0, "demand_once_in": 4321.0},
        "A1 (Milk) at S1: demand far above the forecast",
        (
            "90 were sold in the last 7 days, 30 were expected: so far out lies one such window in 4,300 "
            "(limit 1,000)." + POSITION
        ),
        (
            "Find the reason: tag an event that will not come again, correct a wrong figure, or let the "
            "model learn what lasts."
        ),
        "S1 A1 (Milk)：需求远高于预测",
        "check",
    ),
]


@pytest.mark.parametrize(("subject", "facts", "title", "reason", "remedy", "title_zh", "what"), GOLDEN)
def test_golden_words(subject, facts, title, reason, remedy, title_zh, what):
    row = opened(subject, facts)
    assert [row["title"], row["reason"], row["remedy"]] == [title, reason, remedy]
    assert row["title_zh"] == title_zh
    assert row["recommendation"]["type"] == what
    assert "{" not in row["reason_zh"] + row["remedy_zh"]
    assert "nan" not in (row["reason"] + row["reason_zh"] + row["remedy_zh"]).lower()


def test_demand_that_went_away_is_told_as_such():
    row = opened("item", MILK | {"demand_seen": 0.0, "demand_expected": 30.0, "demand_once_in": 5000.0})
    assert row["title"] == "A1 (Milk) at S1: demand far below the forecast"


def test_a_rule_that_only_notifies_recommends_no_order():
    facts = pd.DataFrame([MILK | {"on_hand": 0.0, "order_quantity": 50.0, "order_supplier": "Acme"}])
    rule = Rule("out", "out_of_stock", {"critical": 0.0})
    loud, quiet = (
        evaluate(
            facts, [Rule("out", "out_of_stock", {"critical": 0.0}, notify_only=told)], TODAY, NONE
        ).opened.iloc[0]
        for told in (False, True)
    )
    assert rule.notify_only is False
    assert (loud["recommendation"]["type"], quiet["recommendation"]["type"]) == ("order", "watch")
    assert quiet["remedy"] == "This rule only tells; nothing is ordered by it."
    assert quiet["remedy_zh"] == "本规则仅通知，不触发订货。"


def test_what_another_place_supplies_is_a_transfer():
    facts = MILK | {"on_hand": 0.0, "order_quantity": 50.0, "order_supplier": "DC1", "order_kind": "transfer"}
    row = opened("item", facts)
    assert row["recommendation"]["type"] == "transfer"
    assert row["remedy"] == "Move 50 from DC1."


def test_an_alert_about_a_supplier_or_source_names_it_and_counts_its_money():
    suppliers = pd.DataFrame({"supplier": ["a", "b"], "open_orders": 10.0, "overdue": 5.0})
    suppliers["expected_lost_money"] = [10.0, 90.0]
    found = evaluate(
        pd.DataFrame({"sku": [], "location": []}), default_rules(), TODAY, NONE, suppliers=suppliers
    )
    rows = found.opened
    assert rows[["about", "subject", "sku", "location"]].to_numpy().tolist() == [
        ["b", "supplier", "", ""],
        ["a", "supplier", "", ""],
    ]
    assert rows["money_at_risk"].tolist() == [90.0, 10.0]
    assert rows["supplier"].tolist() == ["b", "a"]
    assert rows["fingerprint"].nunique() == 2
    assert math.isnan(rows["on_hand"].iloc[0])
