"""The engine: one alert per cause, the same answer twice, no flapping, and an alert's life across days."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.errors import Problem
from warning.alerts import ALERT_COLUMNS, fingerprint
from warning.engine import Decision, evaluate
from warning.rules import Rule, default_rules, literal_rules

TODAY = pd.Timestamp("2024-05-01")
NONE = pd.DataFrame()

amounts = st.sampled_from([-3.0, 0.0, 1.0, 9.0, 50.0, 90.0, 100.0, 121.0, 500.0, math.nan])
position = st.fixed_dictionaries(
    {
        "on_hand": amounts,
        "reserved": st.sampled_from([0.0, 5.0, math.nan]),
        "inbound": st.sampled_from([0.0, 20.0, math.nan]),
        "projected": amounts,
        "safety_stock": st.sampled_from([0.0, 10.0, 100.0, math.nan]),
        "order_up_to": st.sampled_from([0.0, 100.0, math.nan]),
        "overstock_level": st.sampled_from([0.0, 120.0, math.nan]),
        "stockout_probability": st.sampled_from([0.0, 0.25, 0.3, 0.6, 1.0, math.nan]),
        "expected_lost_units": st.sampled_from([0.0, 4.5, math.nan]),
        "unit_price": st.sampled_from([0.0, 3.0, math.nan]),
        "unit_cost": st.sampled_from([2.0, math.nan]),
        "lifecycle": st.sampled_from([None, "active", "phase_out", "discontinued"]),
        "order_quantity": st.sampled_from([0.0, 30.0, math.nan]),
        "late": st.sampled_from([0.0, 7.0]),
    }
)
shops = st.lists(position, min_size=1, max_size=8)
presets = st.sampled_from([default_rules(), literal_rules()])


def facts(rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows).assign(sku=[f"k{i}" for i in range(len(rows))], location="s")


def after(decision: Decision, before: pd.DataFrame) -> pd.DataFrame:
    """The open alerts a store holds once the decision is written."""
    gone = set(decision.resolved["alert_id"]) | set(decision.updated["alert_id"])
    kept = before[~before["alert_id"].isin(gone)] if len(before) else before
    parts = [part for part in (kept, decision.updated, decision.opened) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else decision.opened


def same(one: pd.DataFrame, other: pd.DataFrame, but: tuple[str, ...] = ()) -> None:
    pd.testing.assert_frame_equal(
        one.drop(columns=list(but)), other.drop(columns=list(but)), check_dtype=False
    )


def check_one_voice(alerts: pd.DataFrame) -> None:
    assert not alerts["fingerprint"].duplicated().any()
    shortages = alerts[alerts["kind"].isin(["out_of_stock", "stockout_risk", "low_stock"])]
    assert not shortages.duplicated(["sku", "location"]).any()


@given(shops, presets)
@settings(max_examples=12, deadline=None)
def test_evaluating_again_changes_nothing(rows, rules):
    frame = facts(rows)
    first = evaluate(frame, rules, TODAY, NONE)
    same(evaluate(frame, rules, TODAY, NONE).opened, first.opened)
    second = evaluate(frame, rules, TODAY, first.opened)
    assert second.opened.empty
    assert second.resolved.empty
    assert set(second.updated["change"]) <= {"same"}
    same(second.updated, first.opened, but=("change", "previous_tier"))


@given(st.lists(shops, min_size=2, max_size=4), presets)
@settings(max_examples=12, deadline=None)
def test_every_cause_has_one_alert_on_every_day(days, rules):
    held = NONE
    for number, rows in enumerate(days):
        decision = evaluate(facts(rows), rules, TODAY + pd.Timedelta(days=number), held)
        frames = (decision.opened, decision.updated, decision.resolved)
        assert all(tuple(frame.columns) == ALERT_COLUMNS for frame in frames)
        if len(held):
            assert set(decision.updated["alert_id"]) | set(decision.resolved["alert_id"]) <= set(
                held["alert_id"]
            )
        held = after(decision, held)
        check_one_voice(held)


@given(shops, presets)
@settings(max_examples=10, deadline=None)
def test_the_order_of_positions_does_not_matter(rows, rules):
    frame = facts(rows)
    same(evaluate(frame, rules, TODAY, NONE).opened, evaluate(frame.iloc[::-1], rules, TODAY, NONE).opened)


@given(shops, presets)
@settings(max_examples=10, deadline=None)
def test_no_stock_alert_comes_from_unknown_stock_or_a_discontinued_shortage(rows, rules):
    frame = facts(rows)
    opened = evaluate(frame, rules, TODAY, NONE).opened
    unknown = frame.loc[frame["on_hand"].isna(), "sku"]
    assert set(opened.loc[opened["sku"].isin(unknown), "kind"]) <= {"no_position"}
    ended = frame.loc[frame["lifecycle"] == "discontinued", "sku"]
    assert set(opened.loc[opened["sku"].isin(ended), "kind"]) <= {"overstock"}


@given(st.lists(st.floats(0.2, 0.49), min_size=2, max_size=4))
@settings(max_examples=12, deadline=None)
def test_a_chance_that_oscillates_inside_the_band_opens_one_alert_and_ends_none(chances):
    rule = Rule("risk", "stockout_risk", {"notice": 0.3, "warning": 0.5}, hysteresis=0.1)
    frame = facts([{"on_hand": 5.0, "stockout_probability": 0.3}])
    held = evaluate(frame, [rule], TODAY, NONE).opened
    for number, chance in enumerate(chances):
        day = TODAY + pd.Timedelta(days=number + 1)
        decision = evaluate(frame.assign(stockout_probability=chance), [rule], day, held)
        assert decision.opened.empty
        assert decision.resolved.empty
        held = after(decision, held)
    assert held["opened_on"].tolist() == [TODAY]


def test_one_cause_speaks_once_and_the_worst_speaks():
    rows = [
        {"on_hand": 0.0, "stockout_probability": 1.0, "projected": -5.0},
        {"on_hand": 5.0, "stockout_probability": 0.7, "projected": -5.0},
        {"on_hand": 5.0, "stockout_probability": 0.1, "projected": 20.0},
    ]
    opened = evaluate(facts(rows).assign(safety_stock=100.0), default_rules(), TODAY, NONE).opened
    assert dict(zip(opened["sku"], opened["rule"], strict=True)) == {
        "k0": "out_of_stock",
        "k1": "stockout_risk",
        "k2": "below_safety_stock",
    }


def test_of_two_rules_of_a_kind_the_earlier_speaks():
    milk = Rule("milk", "overstock", {"warning": 0.1}, selector={"category": "milk"})
    frame = facts([{"on_hand": 200.0, "category": "milk"}, {"on_hand": 200.0, "category": "beer"}])
    opened = evaluate(frame.assign(overstock_level=120.0), [milk, *default_rules()], TODAY, NONE).opened
    assert dict(zip(opened["sku"], opened["rule"], strict=True)) == {"k0": "milk", "k1": "overstock"}


def test_an_alert_escalates_eases_and_ends_under_one_identity():
    frame = facts([{"on_hand": 5.0, "stockout_probability": 0.65}])
    held = evaluate(frame, default_rules(), TODAY, NONE).opened
    held["state"] = "acknowledged"
    for number, (chance, tier, change) in enumerate(
        [(0.95, "critical", "escalated"), (0.85, "critical", "same"), (0.7, "warning", "eased")], start=1
    ):
        day = TODAY + pd.Timedelta(days=number)
        before = held.iloc[0]
        held = evaluate(frame.assign(stockout_probability=chance), default_rules(), day, held).updated
        row = held.iloc[0]
        assert (row["tier"], row["change"], row["previous_tier"]) == (tier, change, before["tier"])
        assert (row["alert_id"], row["state"]) == (before["alert_id"], "acknowledged")
        assert (row["opened_on"], row["updated_on"]) == (TODAY, day)
    last = TODAY + pd.Timedelta(days=9)
    ended = evaluate(frame.assign(stockout_probability=0.1), default_rules(), last, held).resolved.iloc[0]
    assert (ended["state"], ended["resolution"], ended["resolved_on"]) == ("resolved", "cleared", last)
    assert ended["alert_id"] == held.iloc[0]["alert_id"]


def test_an_alert_is_superseded_when_an_earlier_rule_takes_its_cause():
    frame = facts([{"on_hand": 5.0, "stockout_probability": 0.9}])
    held = evaluate(frame, default_rules(), TODAY, NONE).opened
    decision = evaluate(frame.assign(on_hand=0.0), default_rules(), TODAY, held)
    assert decision.opened["rule"].tolist() == ["out_of_stock"]
    assert decision.resolved["resolution"].tolist() == ["superseded"]


def test_alerts_end_with_their_rule_or_their_position():
    frame = facts([{"on_hand": 0.0}, {"on_hand": 0.0}])
    held = evaluate(frame, default_rules(), TODAY, NONE).opened
    others = [rule for rule in default_rules() if rule.name != "out_of_stock"]
    assert set(evaluate(frame, others, TODAY, held).resolved["resolution"]) == {"retired"}
    narrowed = [Rule("out_of_stock", "out_of_stock", {"critical": 0.0}, selector={"sku": "k1"})]
    left = evaluate(frame, narrowed, TODAY, held).resolved
    assert left[["sku", "resolution"]].to_numpy().tolist() == [["k0", "retired"]]
    gone = evaluate(frame.iloc[:1], default_rules(), TODAY, held).resolved
    assert gone[["sku", "resolution"]].to_numpy().tolist() == [["k1", "gone"]]


def test_what_cannot_be_measured_stays_as_it_is():
    frame = facts([{"on_hand": 5.0, "stockout_probability": 0.9}])
    held = evaluate(frame, default_rules(), TODAY, NONE).opened
    decision = evaluate(frame.assign(on_hand=np.nan), default_rules(), TODAY, held)
    assert decision.opened["rule"].tolist() == ["no_position"]
    assert decision.resolved.empty
    kept = decision.updated
    assert kept[["change", "data_state"]].to_numpy().tolist() == [["no_data", "unknown"]]
    same(kept, held, but=("change", "data_state", "previous_tier"))
    back = evaluate(frame, default_rules(), TODAY, kept).updated
    assert back[["change", "data_state"]].to_numpy().tolist() == [["same", "known"]]


def test_a_second_alert_for_the_same_thing_is_ended():
    frame = facts([{"on_hand": 0.0}])
    first = evaluate(frame, default_rules(), TODAY, NONE).opened
    later = evaluate(frame, default_rules(), TODAY + pd.Timedelta(days=1), NONE).opened
    decision = evaluate(frame, default_rules(), TODAY, pd.concat([later, first]))
    assert decision.updated["alert_id"].tolist() == first["alert_id"].tolist()
    assert decision.resolved["alert_id"].tolist() == later["alert_id"].tolist()
    assert decision.resolved["resolution"].tolist() == ["duplicate"]


def test_ended_alerts_are_ignored_and_a_return_on_a_later_day_is_a_new_alert():
    frame = facts([{"on_hand": 0.0}])
    first = evaluate(frame, default_rules(), TODAY, NONE).opened
    ended = first.assign(state="resolved")
    again = evaluate(frame, default_rules(), TODAY + pd.Timedelta(days=1), ended).opened
    assert again["fingerprint"].tolist() == first["fingerprint"].tolist()
    assert again["alert_id"].tolist() != first["alert_id"].tolist()
    same_day = evaluate(frame, default_rules(), TODAY + pd.Timedelta(hours=5), ended).opened
    assert same_day["alert_id"].tolist() == first["alert_id"].tolist()


def test_the_queue_is_ranked_by_money_with_unknown_money_last():
    frame = facts([{"on_hand": 0.0, "expected_lost_money": money} for money in (5.0, math.nan, 70.0, 9.0)])
    assert evaluate(frame, default_rules(), TODAY, NONE).opened["sku"].tolist() == ["k2", "k3", "k0", "k1"]


def test_every_alert_names_its_data_model_and_rule():
    frame = facts([{"on_hand": 0.0}]).assign(data_as_of=TODAY, data_digest="d1", model_version="m1")
    row = evaluate(frame, default_rules(), TODAY, NONE).opened.iloc[0]
    assert (row["data_as_of"], row["data_digest"], row["model_version"]) == (TODAY, "d1", "m1")
    assert (row["rule"], row["rule_version"]) == ("out_of_stock", 1)


def test_a_fingerprint_is_stable_and_keeps_its_parts_apart():
    assert fingerprint("r", "a", "bc") == "e18023843d5c5225072e126f5ac5bf76"
    assert fingerprint("r", "ab", "c") != fingerprint("r", "a", "bc")
    assert fingerprint("r", 'a", "b', "c") != fingerprint("r", "a", 'b", "c')


def test_nothing_to_watch_decides_nothing():
    for frame in (pd.DataFrame({"sku": [], "location": []}), facts([{"on_hand": 50.0}])):
        decision = evaluate(frame, default_rules(), TODAY, NONE)
        assert len(decision.opened) + len(decision.updated) + len(decision.resolved) == 0
    assert evaluate(facts([{"on_hand": 0.0}]), [], TODAY, NONE).opened.empty


def test_two_rules_of_one_name_and_an_unknown_tier_are_refused():
    frame = facts([{"on_hand": 0.0}])
    with pytest.raises(Problem, match="rule names must be distinct"):
        evaluate(frame, [*default_rules(), default_rules()[0]], TODAY, NONE)
    held = evaluate(frame, default_rules(), TODAY, NONE).opened.assign(tier="red")
    with pytest.raises(Problem, match="tier must be one of notice, warning, critical, got 'red'"):
        evaluate(frame, default_rules(), TODAY, held)


def test_twenty_thousand_positions_take_seconds():
    count = 20_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "sku": np.arange(count).astype(str),
            "location": "s",
            "on_hand": rng.poisson(40, count).astype(float),
            "safety_stock": 30.0,
            "overstock_level": 60.0,
            "stockout_probability": rng.beta(0.3, 3, count),
        }
    )
    opened = evaluate(frame, default_rules(), TODAY, NONE).opened
    risky = int((frame["stockout_probability"] >= 0.5).sum())
    assert (opened["rule"] == "stockout_risk").sum() == risky
