"""Inhibition: the graver speaks, a late supplier for its orders, stale data silence all; shadows too."""

import numpy as np
import pandas as pd

from warning.engine import Shadow, evaluate
from warning.rules import Rule, default_rules

TODAY = pd.Timestamp("2024-05-01")
NONE = pd.DataFrame()


def facts(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows).assign(sku=[f"k{i}" for i in range(len(rows))], location="s")


def spoken(frame: pd.DataFrame, **more: object) -> dict[str, list[str]]:
    opened = evaluate(frame, default_rules(), TODAY, NONE, **more).opened
    return {sku: sorted(part["rule"]) for sku, part in opened.groupby("sku")}


LATE = {"on_hand": 50.0, "late": 9.0, "late_days": 8.0, "late_supplier": "Acme"}


def test_a_late_delivery_speaks_where_nothing_graver_does():
    frame = facts(LATE, LATE | {"stockout_probability": 0.9}, LATE | {"on_hand": 0.0})
    assert spoken(frame) == {"k0": ["late_inbound"], "k1": ["stockout_risk"], "k2": ["out_of_stock"]}


def test_a_supplier_that_is_late_as_such_speaks_for_its_orders_alone():
    frame = facts(LATE, LATE | {"late_supplier": "Other"}, LATE | {"stockout_probability": 0.9})
    suppliers = pd.DataFrame({"supplier": ["Acme", "Other"], "open_orders": 9.0, "overdue": [6.0, 1.0]})
    # The risk of running out stays told: it needs an order or a transfer, whoever is late.
    assert spoken(frame, suppliers=suppliers) == {
        "": ["supplier_late"],
        "k1": ["late_inbound"],
        "k2": ["stockout_risk"],
    }


def test_dead_before_slow_before_too_much_and_expiry_beside_them():
    surplus = {"on_hand": 500.0, "overstock_level": 120.0, "days_of_cover": 400.0, "days_since_sale": 100.0}
    frame = facts(
        surplus,
        surplus | {"days_since_sale": 1.0},
        surplus | {"days_since_sale": 1.0, "days_of_cover": 9.0},
        surplus | {"sell_before_expiry_probability": 0.0},
    )
    assert spoken(frame) == {
        "k0": ["dead_stock"],
        "k1": ["slow_stock"],
        "k2": ["overstock"],
        "k3": ["dead_stock", "expiry"],
    }


WORST = {
    "on_hand": 0.0,
    "stockout_probability": 1.0,
    "late": 5.0,
    "late_days": 9.0,
    "sell_before_expiry_probability": 0.0,
    "days_since_sale": 300.0,
    "demand_once_in": 1e6,
}


def test_stale_data_raise_a_data_alert_and_never_a_stock_alert():
    sources = pd.DataFrame(
        {"source": ["pos.csv"], "table": "demand", "behind_days": 9, "stale": True, "positions": 2}
    )
    frame = facts(WORST | {"stale_source": "pos.csv"}, {"on_hand": np.nan, "stale_source": "pos.csv"})
    assert spoken(frame, sources=sources) == {"": ["stale_data"]}
    assert spoken(frame) == {}


def test_what_was_open_when_data_went_stale_stays_and_says_so():
    frame = facts(WORST)
    held = evaluate(frame, default_rules(), TODAY, NONE).opened
    dark = evaluate(frame.assign(stale_source="pos.csv"), default_rules(), TODAY, held)
    assert dark.opened.empty
    assert dark.resolved.empty
    assert set(dark.updated["change"]) == {"no_data"}
    assert set(dark.updated["data_state"]) == {"stale"}
    assert set(dark.updated["rule"]) == set(held["rule"])
    # When data come back, what is no longer true ends and the rest is measured again.
    well = frame.assign(on_hand=90.0, stockout_probability=0.0, demand_once_in=1.0, late=0.0)
    back = evaluate(
        well.assign(sell_before_expiry_probability=1.0, days_since_sale=0.0),
        default_rules(),
        TODAY,
        dark.updated,
    )
    assert back.updated.empty
    assert set(back.resolved["resolution"]) == {"cleared"}


def test_a_rule_in_shadow_is_recorded_and_heeds_the_live_ones_but_silences_none():
    shadow = Rule("trial", "stockout_risk", {"notice": 0.1}, mode="shadow", priority=1)
    frame = facts(
        {"on_hand": 5.0, "stockout_probability": 0.2},
        {"on_hand": 0.0, "stockout_probability": 0.2},
        {"on_hand": 5.0, "stockout_probability": 0.6},
    )
    decision = evaluate(frame, [shadow, *default_rules()], TODAY, NONE)
    live = dict(zip(decision.opened["sku"], decision.opened["rule"], strict=True))
    assert live == {"k1": "out_of_stock", "k2": "stockout_risk"}
    assert set(decision.shadow.opened["sku"]) == {"k0", "k2"}
    again = evaluate(
        frame, [shadow, *default_rules()], TODAY, decision.opened, shadow=Shadow(decision.shadow.opened)
    )
    assert again.shadow.opened.empty
    assert len(again.shadow.updated) == 2
    live_now = Rule("trial", "stockout_risk", {"notice": 0.1}, version=2, priority=1)
    switched = evaluate(
        frame, [live_now, *default_rules()], TODAY, decision.opened, shadow=Shadow(decision.shadow.opened)
    )
    assert set(switched.shadow.resolved["resolution"]) == {"retired"}
    assert set(switched.opened["rule"]) == {"trial"}


def test_a_pilot_is_live_where_it_says_and_in_shadow_elsewhere():
    rule = Rule("out", "out_of_stock", {"critical": 0.0}, pilot={"region": "north"})
    frame = facts({"on_hand": 0.0, "region": "north"}, {"on_hand": 0.0, "region": "south"})
    decision = evaluate(frame, [rule], TODAY, NONE)
    assert decision.opened["sku"].tolist() == ["k0"]
    assert decision.shadow.opened["sku"].tolist() == ["k1"]
    widened = Rule("out", "out_of_stock", {"critical": 0.0}, version=2)
    after = evaluate(frame, [widened], TODAY, decision.opened, shadow=Shadow(decision.shadow.opened))
    assert after.opened["sku"].tolist() == ["k1"]
    assert after.shadow.resolved["sku"].tolist() == ["k1"]
    assert after.updated["sku"].tolist() == ["k0"]


def test_a_rule_out_of_its_dates_retires_its_alerts():
    rule = Rule("out", "out_of_stock", {"critical": 0.0}, valid_until=TODAY.date())
    frame = facts({"on_hand": 0.0})
    held = evaluate(frame, [rule], TODAY, NONE).opened
    later = evaluate(frame, [rule], TODAY + pd.Timedelta(days=1), held)
    assert later.resolved["resolution"].tolist() == ["retired"]
