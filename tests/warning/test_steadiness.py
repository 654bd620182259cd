"""Steadiness: pending times, cooldowns, what a person settled, and no flapping whatever a series does."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warning.alerts import ALERT_COLUMNS
from warning.engine import Decision, evaluate
from warning.kinds import TIERS
from warning.rerun import Day, after, rerun
from warning.rules import Rule, default_rules
from warning.steadiness import Past

START = pd.Timestamp("2024-05-01")


def day(number: int, **facts: object) -> Day:
    row = {"sku": "a", "location": "s", "on_hand": 5.0, "expected_lost_units": 1.0, "unit_price": 2.0}
    return Day(START + pd.Timedelta(days=number), pd.DataFrame([row | facts]))


def play(rule: Rule, chances: list[float]) -> list[Decision]:
    """Decisions of successive days on a chance of running out, each kept before the next."""
    held, past, made = pd.DataFrame(columns=list(ALERT_COLUMNS)), Past(), []
    for number, chance in enumerate(chances):
        today = day(number, stockout_probability=chance)
        made.append(evaluate(today.facts, [rule], today.today, held, past=past))
        held, past = after(made[-1], held, past)
    return made


def opened_on(made: list[Decision]) -> list[int]:
    return [number for number, decision in enumerate(made) if len(decision.opened)]


RISK = Rule("risk", "stockout_risk", {"notice": 0.3, "critical": 0.8}, cooldown_days=0)


@pytest.mark.parametrize(("pending", "days"), [(0, [0]), (1, [1]), (2, [2]), (9, [])])
def test_a_breach_opens_once_it_has_lasted(pending, days):
    rule = Rule("risk", "stockout_risk", {"notice": 0.3}, pending_days=pending)
    made = play(rule, [0.4] * 5)
    assert opened_on(made) == days
    assert [len(decision.pending) for decision in made] == [int(k < pending) for k in range(5)]


def test_a_breach_that_pauses_waits_anew_and_one_that_cannot_be_measured_goes_on_waiting():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3}, pending_days=2)
    assert opened_on(play(rule, [0.4, 0.4, 0.1, 0.4, 0.4, 0.4])) == [5]
    assert opened_on(play(rule, [0.4, np.nan, 0.4])) == [2]
    assert opened_on(play(rule, [0.4, np.nan, np.nan])) == []


def test_what_waits_does_not_silence_what_is_there():
    """A breach that still waits leaves the cause to the next rule."""
    rules = [
        Rule("risk", "stockout_risk", {"notice": 0.3}, pending_days=3),
        Rule("low", "low_stock", {"notice": 0.1}, stock="available"),
    ]
    facts = day(0, stockout_probability=0.9, safety_stock=50.0).facts
    decision = evaluate(facts, rules, START, pd.DataFrame())
    assert decision.opened["rule"].tolist() == ["low"]
    assert decision.pending["rule"].tolist() == ["risk"]


def test_within_its_cooldown_a_cause_returns_under_its_old_identity():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3, "critical": 0.8}, cooldown_days=3)
    made = play(rule, [0.4, 0.0, 0.0, 0.9])
    first, back = made[0].opened.iloc[0], made[3].opened.iloc[0]
    assert (back["alert_id"], back["opened_on"]) == (first["alert_id"], first["opened_on"])
    assert (back["change"], back["tier"], back["previous_tier"]) == ("reopened", "critical", "notice")
    later = play(rule, [0.4, 0.0, 0.0, 0.0, 0.0, 0.4])[5].opened.iloc[0]
    assert later["change"] == "opened"
    assert later["alert_id"] != first["alert_id"]
    assert later["fingerprint"] == first["fingerprint"]


def test_what_a_person_resolved_is_believed_for_the_cooldown_unless_it_gets_worse():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3, "critical": 0.8}, cooldown_days=3)
    alert = play(rule, [0.4])[0].opened.assign(state="resolved", resolution="by hand", resolved_on=START)
    past = Past(ended=alert)

    def opened(number: int, chance: float, ended: Past = past) -> pd.DataFrame:
        today = day(number, stockout_probability=chance)
        return evaluate(today.facts, [rule], today.today, pd.DataFrame(), past=ended).opened

    assert opened(1, 0.4).empty
    assert opened(3, 0.4).empty
    assert opened(4, 0.4)["change"].tolist() == ["opened"]
    assert opened(1, 0.9)["tier"].tolist() == ["critical"]


def test_a_reviewed_alert_is_closed_for_good():
    rule = Rule("risk", "stockout_risk", {"notice": 0.3}, cooldown_days=3)
    ended = play(rule, [0.4])[0].opened.assign(state="reviewed", resolution="cleared", resolved_on=START)
    today = day(1, stockout_probability=0.4)
    back = evaluate(today.facts, [rule], today.today, pd.DataFrame(), past=Past(ended=ended)).opened
    assert back["change"].tolist() == ["opened"]


@given(st.lists(st.floats(-0.1, 0.1), min_size=8, max_size=25), st.floats(0.25, 0.35))
@settings(max_examples=12, deadline=None)
def test_a_random_walk_around_the_bound_does_not_flap(steps, start):
    """Of one cause at most one alert is open, and within a cooldown it stays the same one."""
    chances = np.clip(start + np.cumsum(steps), 0.0, 1.0)
    rule = Rule("risk", "stockout_risk", {"notice": 0.3, "critical": 0.8}, cooldown_days=3)
    alerts = rerun([rule], [day(k, stockout_probability=c) for k, c in enumerate(chances)]).alerts
    spans = alerts.sort_values("opened_on")
    last = START + pd.Timedelta(days=len(chances))
    ends = pd.to_datetime(spans["resolved_on"]).fillna(last)
    gap = spans["opened_on"].iloc[1:].to_numpy() - ends.iloc[:-1].to_numpy()
    assert (gap > np.timedelta64(3, "D")).all()
    # Every opening has a breach, and no breach goes by without an alert.
    breach = chances >= 0.3
    assert len(alerts) <= int((np.diff(breach.astype(int), prepend=0) == 1).sum())
    for number in np.flatnonzero(breach):
        at = START + pd.Timedelta(days=int(number))
        assert ((spans["opened_on"] <= at) & (ends >= at)).any()


@given(st.lists(st.sampled_from([0.0, 3.0, 60.0, 130.0, 400.0]), min_size=4, max_size=12))
@settings(max_examples=10, deadline=None)
def test_stock_that_jumps_has_at_most_one_open_alert_per_cause(levels):
    """Whatever the stock does, never two open alerts of one rule, nor two of one cause."""
    rows = {"safety_stock": 20.0, "order_up_to": 100.0, "overstock_level": 120.0}
    held, past = pd.DataFrame(columns=list(ALERT_COLUMNS)), Past()
    for number, on_hand in enumerate(levels):
        risk = 1.0 if on_hand <= 0 else 0.5 if on_hand < 20 else 0.0
        today = day(number, on_hand=on_hand, projected=on_hand, stockout_probability=risk, **rows)
        held, past = after(
            evaluate(today.facts, default_rules(), today.today, held, past=past, words=False), held, past
        )
        assert not held["fingerprint"].duplicated().any()
        causes = held["kind"].map({"overstock": "surplus"}).fillna("shortage")
        assert not causes.duplicated().any()


def test_an_alternating_series_is_one_alert_not_ten():
    chances = [0.4, 0.05] * 10
    steady = rerun(
        [Rule("risk", "stockout_risk", {"notice": 0.3}, cooldown_days=3)],
        [day(k, stockout_probability=c) for k, c in enumerate(chances)],
    )
    flapping = rerun([RISK], [day(k, stockout_probability=c) for k, c in enumerate(chances)])
    assert (len(steady.alerts), len(flapping.alerts)) == (1, 10)
    assert set(steady.alerts["tier"]) <= set(TIERS)
