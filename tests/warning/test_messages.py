"""Messages and remedies: golden texts in both languages, and what is recommended when."""

import math

import pandas as pd
import pytest

from warning.engine import evaluate
from warning.rules import Rule, default_rules, literal_rules

TODAY = pd.Timestamp("2024-05-01")
MILK = {
    "sku": "A1",
    "location": "S1",
    "name": "Milk 1 l",
    "on_hand": 12.0,
    "reserved": 2.0,
    "inbound": 20.0,
    "projected": 4.0,
    "safety_stock": 50.0,
    "reorder_point": 90.0,
    "order_up_to": 150.0,
    "overstock_level": 180.0,
    "stockout_probability": 0.62,
    "expected_lost_units": 18.0,
    "unavoidable_lost_units": 5.25,
    "days_to_stockout": 6.2,
    "unit_cost": 10.0,
    "unit_price": 30.0,
    "order_quantity": 130.0,
    "order_supplier": "Acme",
    "order_by": pd.Timestamp("2024-05-02"),
    "order_arrives_on": pd.Timestamp("2024-05-12"),
    "order_cost": 1300.0,
}


def alert(rules: tuple[Rule, ...] | None = None, **change: object) -> pd.Series:
    facts = pd.DataFrame([MILK | change])
    opened = evaluate(facts, rules or default_rules(), TODAY, pd.DataFrame(), currency="CNY").opened
    assert len(opened) == 1
    return opened.iloc[0]


def texts(row: pd.Series, suffix: str = "") -> list[str]:
    return [row[name + suffix] for name in ("title", "reason", "remedy")]


def test_stockout_risk_in_words():
    row = alert()
    assert texts(row) == [
        "A1 (Milk 1 l) at S1: 62% chance of running out",
        (
            "The chance of running out within lead time and review is 62% (limit 50%). "
            "On hand 12, reserved 2, inbound 20, projected 4 at the end of the lead time; "
            "safety stock 50, reorder point 90. Days to stockout: about 6. "
            "Expected lost sales: 18 (540 CNY), of which the next order cannot save 5.25."
        ),
        "Order 130 from Acme by 2024-05-02, cost 1,300 CNY (arrives 2024-05-12).",
    ]
    assert texts(row, "_zh") == [
        "S1 A1 (Milk 1 l)：断货概率 62%",
        (
            "在提前期加补货周期内断货的概率为 62%（限值 50%）。"
            "在库 12，预留 2，在途 20，提前期末预计 4；安全库存 50，再订货点 90。"
            "预计约 6 天后断货。预计损失销量 18（540 CNY），其中 5.25 下次下单也来不及。"
        ),
        "2024-05-02 前向 Acme 订购 130，金额 1,300 CNY（2024-05-12 到货）。",
    ]


def test_out_of_stock_with_an_overdue_delivery_in_words():
    row = alert(on_hand=0.0, inbound=0.0, projected=-26.0, late=20.0, late_supplier="Acme")
    assert texts(row) == [
        "A1 (Milk 1 l) at S1 is out of stock",
        (
            "Nothing is available for sale. "
            "On hand 0, reserved 2, inbound 0, projected -26 at the end of the lead time; "
            "safety stock 50, reorder point 90. "
            "Expected lost sales: 18 (540 CNY), of which the next order cannot save 5.25."
        ),
        (
            "Expedite the 20 on order from Acme (overdue). "
            "Order 130 from Acme by 2024-05-02, cost 1,300 CNY (arrives 2024-05-12)."
        ),
    ]
    assert row["title_zh"] == "S1 A1 (Milk 1 l)：已断货"
    assert row["remedy_zh"] == (
        "催交 Acme 的在途 20（已逾期）。2024-05-02 前向 Acme 订购 130，金额 1,300 CNY（2024-05-12 到货）。"
    )


def test_low_stock_in_words():
    row = alert(literal_rules(), on_hand=45.0, reserved=0.0, stockout_probability=0.1, name=None)
    assert row["title"] == "A1 at S1: 10% below the safety stock"
    assert row["reason"].startswith(
        "Available stock is 45, 10% below the safety stock of 50 (limit 45, 10% below). On hand 45,"
    )
    assert row["reason_zh"].startswith(
        "可用库存为 45，低于安全库存 50 达 10%（限值：低 10%，即 45）。在库 45，"
    )


def test_overstock_in_words():
    row = alert(on_hand=502.0, inbound=10.0, projected=480.0, stockout_probability=0.0)
    assert texts(row) == [
        "A1 (Milk 1 l) at S1: 178% above the overstock level",
        (
            "Available stock is 500, 178% above the overstock level of 180 (limit 270, 50% above). "
            "On hand 502, reserved 2, inbound 10, projected 480 at the end of the lead time; "
            "safety stock 50, reorder point 90. Surplus above 150: 350 (3,500 CNY)."
        ),
        "Promote 350 (3,500 CNY). Hold back the 10 on order.",
    ]
    assert row["remedy_zh"] == "促销 350（3,500 CNY）。暂缓在途 10。"


def test_a_limit_that_is_the_level_itself_is_said_once():
    row = alert(on_hand=200.0, reserved=0.0, projected=180.0, stockout_probability=0.0)
    assert "11% above the overstock level of 180 (limit 180)." in row["reason"]


def test_stock_that_nobody_needs_in_words():
    row = alert(
        on_hand=502.0,
        inbound=0.0,
        overstock_level=0.0,
        order_up_to=0.0,
        stockout_probability=0.0,
        projected=500.0,
    )
    assert row["title"] == "A1 (Milk 1 l) at S1: stock without demand"
    assert row["reason"].startswith("Available stock is 500, and none is needed.")
    assert texts(row, "_zh")[0] == "S1 A1 (Milk 1 l)：有库存无需求"
    assert row["remedy"] == "Clear 500 (5,000 CNY)."
    assert math.isnan(row["measure"])


def test_unknown_stock_in_words():
    row = alert(on_hand=math.nan)
    assert texts(row)[0] == "A1 (Milk 1 l) at S1: stock unknown"
    assert "On hand unknown" in row["reason"]
    assert texts(row)[2] == "Load a stock count for it."
    assert texts(row, "_zh")[2] == "请导入库存数据。"
    assert row["recommendation"]["type"] == "fix_data"


def test_an_order_is_a_typed_recommendation_that_travels_as_json():
    assert alert()["recommendation"] == {
        "type": "order",
        "quantity": 130.0,
        "supplier": "Acme",
        "order_by": "2024-05-02",
        "arrives_on": "2024-05-12",
        "cost": 1300.0,
        "value": None,
        "then": None,
    }


SHORT = {"on_hand": 5.0, "stockout_probability": 0.9}
SURPLUS = {"on_hand": 400.0, "stockout_probability": 0.0, "projected": 380.0}


@pytest.mark.parametrize(
    ("change", "what", "then"),
    [
        (SHORT | {"late": 7.0}, "expedite", "order"),
        (SHORT | {"late": 7.0, "order_quantity": 0.0}, "expedite", None),
        (SHORT | {"order_quantity": 0.0}, "expedite", None),
        (SHORT | {"order_quantity": 0.0, "inbound": 0.0}, "watch", None),
        (SHORT | {"order_quantity": math.nan, "inbound": 0.0}, "fix_data", None),
        ({"stockout_probability": 0.1, "order_quantity": 0.0}, "watch", None),
        (SURPLUS, "promote", None),
        (SURPLUS | {"lifecycle": "phase_out"}, "clear", None),
        (SURPLUS | {"lifecycle": "discontinued"}, "clear", None),
    ],
)
def test_what_is_recommended_when(change, what, then):
    found = alert(**change)["recommendation"]
    assert found["type"] == what
    assert (found["then"] and found["then"]["type"]) == then


def test_a_near_certainty_is_not_called_certain():
    assert ">99%" in alert(stockout_probability=0.9985)["title"]
    assert "100%" in alert(stockout_probability=1.0)["title"]


def test_no_price_is_no_amount():
    row = alert(unit_price=math.nan, unit_cost=math.nan, order_cost=math.nan)
    assert "CNY" not in row["reason"] + row["remedy"]
    assert math.isnan(row["money_at_risk"])
