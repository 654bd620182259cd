"""What is kept of reviews: outcomes, verdicts, the figures of a month, proposals and what was decided of
them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ingestion.errors import Problem
from serving.store.store import Store
from warning.judging import OUTCOME_COLUMNS
from warning.tuning import Proposal

AT = datetime(2026, 3, 9, 7, tzinfo=UTC)
LATER = AT + timedelta(days=1)


def proposal(segment: str = "Dairy", factor: float = 0.6) -> Proposal:
    change, undo = ({"sensitivity": {"category": {segment: value}}} for value in (factor, 1.0))
    now, then = (
        {"alerts_a_day": 2.0, "false": 9, "cost": 45.0},
        {"alerts_a_day": 1.0, "false": 3, "cost": 15.0},
    )
    said = {"en": "3 instead of 9 false alerts", "zh": "误报 9 → 3"}
    return Proposal("trigger", "category", segment, "stockout_risk", change, undo, now, then, said)


def judged(alerts: pd.DataFrame) -> pd.DataFrame:
    rows = alerts.assign(
        chain=alerts["alert_id"], outcome="hit", avoidable=False, prevented=True, time_left=4.0, needed=3.0
    )
    return rows.assign(judged_by="forestock", reason="")[list(OUTCOME_COLUMNS)]


def test_alerts_come_back_with_the_limits_of_their_first_day(any_shop):
    store, opened = any_shop.store, any_shop.decision.opened.set_index("alert_id")
    worse = any_shop.decision.opened.assign(threshold=1.0, units_at_risk=2.0, bound=0.5)
    again = any_shop.decision.__class__(updated=worse, today=any_shop.today)
    store.apply(again, LATER)
    found = store.outcomes.alerts(any_shop.today.date(), any_shop.today.date()).set_index("alert_id")
    assert len(found) == len(opened)
    for name in ("threshold", "bound", "units_at_risk"):
        before = opened[name].reindex(found.index).astype(float)
        np.testing.assert_allclose(found[name].astype(float), before, equal_nan=True)
    assert store.outcomes.alerts(date(2020, 1, 1), date(2020, 12, 31)).empty


def test_outcomes_are_replaced_period_by_period(any_shop):
    kept, day = any_shop.store.outcomes, any_shop.today.date()
    rows = judged(kept.alerts(day, day))
    kept.keep(rows, day, day, AT)
    kept.keep(rows.assign(outcome="false", time_left=np.nan), day, day, LATER)
    one = kept.of(rows["alert_id"].iloc[0])
    assert one is not None
    assert (one["outcome"], one["time_left"], one["prevented"]) == ("false", None, True)
    kept.keep(rows.iloc[:0], day, day, LATER)
    assert kept.of(rows["alert_id"].iloc[0]) is None


def test_a_verdict_needs_an_alert_an_outcome_a_name_and_a_reason(any_shop):
    kept = any_shop.store.outcomes
    alert = any_shop.decision.opened["alert_id"].iloc[0]
    kept.say(alert, "false", author="Mei", reason="the count was wrong", at=AT)
    kept.say(alert, "hit", author="Tom", reason="it was not", at=LATER)
    rows = kept.verdicts()
    assert rows[["kind", "subject", "value", "author"]].to_numpy().tolist() == [
        ["verdict", alert, "false", "Mei"],
        ["verdict", alert, "hit", "Tom"],
    ]
    assert rows["at"].is_monotonic_increasing
    for said in (
        ("no such alert", "hit", "Mei", "x"),
        (alert, "nice", "Mei", "x"),
        (alert, "hit", "Mei", " "),
    ):
        with pytest.raises(Problem, match=r"alert|verdict"):
            kept.say(said[0], said[1], author=said[2], reason=said[3], at=AT)


def test_a_month_is_held_against_the_one_before(any_shop):
    kept = any_shop.store.outcomes
    assert kept.last_review() is None
    assert kept.reviewed("2026-02") is None
    kept.review("2026-02", {"hit_rate": 0.8, "response_time": float("nan")}, AT)
    kept.review("2026-02", {"hit_rate": 0.9, "response_time": float("nan")}, LATER)
    assert kept.reviewed("2026-02") == {"hit_rate": 0.9, "response_time": None}
    assert kept.last_review() == LATER


def test_proposals_are_offered_decided_and_rolled_back(database: str):
    store = Store.open(database)
    kept = store.proposals
    dairy, bakery = proposal("Dairy"), proposal("Bakery")
    kept.offer([dairy, bakery], AT)
    kept.offer([dairy], LATER)
    assert {one.proposal.segment: one.state for one in kept.list()} == {
        "Dairy": "proposed",
        "Bakery": "outdated",
    }
    assert kept.get(dairy.proposal_id).proposal == dairy
    done = kept.decide(dairy.proposal_id, "approved", by="Mei", reason="fewer calls", at=LATER)
    assert (done.state, done.decided_by, done.decided_at) == ("approved", "Mei", LATER)
    kept.offer([dairy], LATER)
    assert kept.get(dairy.proposal_id).state == "approved"
    with pytest.raises(Problem, match="only what is proposed can be approved"):
        kept.decide(dairy.proposal_id, "approved", by="Mei", reason="", at=LATER)
    kept.decide(dairy.proposal_id, "rolled_back", by="Tom", reason="missed one", at=LATER)
    kept.offer([dairy], LATER)
    assert kept.get(dairy.proposal_id).state == "rolled_back"
    with pytest.raises(Problem, match="no proposal"):
        kept.get("nothing")
    with pytest.raises(Problem, match="--by"):
        kept.decide(bakery.proposal_id, "approved", by=" ", reason="", at=LATER)
    store.close()


def test_a_proposal_is_named_by_what_it_changes():
    assert proposal().proposal_id == proposal().proposal_id
    assert (
        len({proposal().proposal_id, proposal("Bakery").proposal_id, proposal(factor=0.5).proposal_id}) == 3
    )
