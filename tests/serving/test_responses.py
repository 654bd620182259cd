"""What people do about alerts: kept once, in order, in a chain that shows tampering."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from ingestion.errors import Problem
from serving.store.audit import verify
from serving.store.database import open_engine, reading
from serving.store.drafts import IllegalDecisionError
from serving.store.lifecycle import KeyReusedError, Responses, Said, UnknownAlertError
from warning.channels.opening import configured_channels
from warning.engine import Decision, evaluate
from warning.hours import Hours
from warning.lifecycle import STEPS, IllegalStepError
from warning.owners import configured_owners
from warning.routing import Desk
from warning.rules import default_rules

KEY = "whsec_" + "A" * 43 + "="
OWNERS = {"buyer": {"escalate_to": "head"}, "head": {"escalate_to": "board"}, "board": {}}
CHANNELS = {
    "mail": {"kind": "log"},
    "oa": {"kind": "webhook", "url": "https://oa.example/hook", "secret": KEY},
}


def desk(approvals: str = "") -> Desk:
    channels = configured_channels(CHANNELS)
    return Desk(configured_owners(OWNERS, channels), channels, Hours(), approvals)


def said(shop: Any, minutes: float = 1, **more: Any) -> Said:
    return Said("li.na", shop.at + timedelta(minutes=minutes), **more)


def worst(shop: Any, kind: str = "order") -> str:
    """The alert with the most money at risk that recommends this."""
    rows = shop.store.open_alerts().sort_values("money_at_risk", ascending=False)
    return next(row["alert_id"] for row in rows.to_dict("records") if row["recommendation"]["type"] == kind)


def acted(responses: Responses, alert_id: str, shop: Any, minutes: float = 1) -> dict[str, Any]:
    responses.step(alert_id, "acknowledge", said(shop, minutes))
    return responses.step(alert_id, "act", said(shop, minutes))


def test_every_alert_has_an_owner_and_a_deadline_on_the_same_business_day(any_shop: Any) -> None:
    alerts = any_shop.store.open_alerts()
    assert len(alerts) > 20
    assert set(alerts["owner"]) == {"planner"}
    # The shop opened at seven on a Monday.
    assert set(alerts["deadline"]) == {datetime(2026, 3, 9, 18, tzinfo=UTC)}


def test_a_life_goes_step_by_step_and_each_step_is_told(any_shop: Any) -> None:
    responses, alert = any_shop.store.responses(), worst(any_shop)
    for minutes, step in enumerate(STEPS, 1):
        for other in STEPS:
            if other != step:
                with pytest.raises(IllegalStepError):
                    responses.step(alert, other, said(any_shop, minutes))
        responses.step(alert, step, said(any_shop, minutes, reason=f"because of {step}"))
    row, events = any_shop.store.alert(alert)
    assert row["state"].tolist() == ["reviewed"]
    assert row["acknowledged_at"][0] == any_shop.at + timedelta(minutes=1)
    assert row["acted_at"][0] == any_shop.at + timedelta(minutes=2)
    assert row["resolved_on"][0] == pd.Timestamp("2026-03-09")
    assert row["resolution"].tolist() == ["by hand"]
    assert events["event"].tolist() == ["opened", "acknowledged", "acted", "resolved", "reviewed"]
    assert events["actor"].tolist() == ["engine", *["li.na"] * 4]
    assert events["detail"][1] == {"from": "open", "to": "acknowledged", "reason": "because of acknowledge"}
    assert responses.verify() == ""


def test_an_evaluation_leaves_what_people_did(any_shop: Any) -> None:
    responses, alert = any_shop.store.responses(), worst(any_shop)
    responses.step(alert, "acknowledge", said(any_shop))
    before = any_shop.store.alert(alert)[0].iloc[0]
    tomorrow = any_shop.today + pd.Timedelta(days=1)
    again = evaluate(any_shop.facts, default_rules(), tomorrow, any_shop.store.open_alerts())
    any_shop.store.apply(again, any_shop.at + timedelta(days=1))
    after = any_shop.store.alert(alert)[0].iloc[0]
    kept = ["state", "owner", "deadline", "acknowledged_at"]
    assert after[kept].tolist() == before[kept].tolist()
    assert after["updated_on"] == tomorrow


def test_what_does_not_exist_and_who_is_nobody_is_refused(new_shop: Any) -> None:
    responses = new_shop.store.responses(desk())
    with pytest.raises(UnknownAlertError, match="there is no alert 'x'"):
        responses.step("x", "acknowledge", said(new_shop))
    with pytest.raises(UnknownAlertError, match="there is no draft 'x'"):
        responses.decide("x", "approved", said(new_shop))
    with pytest.raises(Problem, match="got nobody"):
        Said(" ", new_shop.at)
    with pytest.raises(Problem, match="an owner is one of buyer, head, board, got 'hed'"):
        responses.assign(worst(new_shop), "hed", said(new_shop))
    with pytest.raises(Problem, match="a comment has words"):
        responses.comment(worst(new_shop), said(new_shop))


def test_a_request_with_a_key_is_done_once(any_shop: Any) -> None:
    responses, alert = any_shop.store.responses(), worst(any_shop)
    first = responses.step(alert, "acknowledge", said(any_shop, key="k1"))
    assert responses.step(alert, "acknowledge", said(any_shop, 5, key="k1")) == first
    with pytest.raises(KeyReusedError, match="'k1' came with another request"):
        responses.step(alert, "act", said(any_shop, key="k1"))
    with pytest.raises(IllegalStepError):
        responses.step(alert, "acknowledge", said(any_shop, key="k2"))
    assert any_shop.store.alert(alert)[1]["event"].tolist() == ["opened", "acknowledged"]
    # What was refused was not done, so that its key is free.
    responses.step(alert, "act", said(any_shop, key="k2"))


def test_two_alerts_of_one_cause_make_one_draft(any_shop: Any) -> None:
    responses, first = any_shop.store.responses(), worst(any_shop)
    what = any_shop.store.alert(first)[0]["recommendation"][0]
    made = acted(responses, first, any_shop)
    assert [(each["kind"], each["quantity"]) for each in made["drafts"]] == [("order", what["quantity"])]
    # The engine finds the shelf empty: out of stock takes over, with another alert of the same cause.
    row = any_shop.store.alert(first)[0].iloc[0]
    mine = (any_shop.facts["sku"] == row["sku"]) & (any_shop.facts["location"] == row["location"])
    other = "out_of_stock" if row["rule"] != "out_of_stock" else "stockout_risk"
    facts = any_shop.facts.assign(
        on_hand=any_shop.facts["on_hand"].mask(mine, 0.0 if other == "out_of_stock" else 1.0),
        reserved=any_shop.facts["reserved"].mask(mine, 0.0),
        stockout_probability=any_shop.facts["stockout_probability"].mask(mine, 0.9),
        order_quantity=any_shop.facts["order_quantity"].mask(mine, what["quantity"] + 10),
    )
    later = any_shop.today + pd.Timedelta(days=1)
    decision = evaluate(facts, default_rules(), later, any_shop.store.open_alerts())
    any_shop.store.apply(decision, any_shop.at + timedelta(days=1))
    now = any_shop.store.open_alerts()
    (second,) = now[(now["sku"] == row["sku"]) & (now["location"] == row["location"])]["alert_id"]
    assert second != first
    again = acted(responses, second, any_shop, 1500)
    assert again["drafts"] == []
    assert [each["draft_id"] for each in again["covered"]] == [made["drafts"][0]["draft_id"]]
    # It had not gone out yet, so that it takes the larger quantity.
    drafts = [each for each in responses.drafts() if each["sku"] == row["sku"]]
    assert [(each["quantity"], each["state"]) for each in drafts] == [(what["quantity"] + 10, "drafted")]


def test_a_need_that_is_gone_leaves_no_draft_behind(any_shop: Any) -> None:
    responses, alert = any_shop.store.responses(), worst(any_shop)
    acted(responses, alert, any_shop)
    ended = any_shop.store.open_alerts()
    decision = Decision(resolved=ended.assign(resolution="cleared", resolved_on=any_shop.today))
    any_shop.store.apply(decision, any_shop.at + timedelta(hours=1))
    (draft,) = responses.drafts(alert_id=alert)
    assert (draft["state"], draft["decided_by"]) == ("withdrawn", "engine")


def test_a_draft_is_decided_once_and_in_order(any_shop: Any) -> None:
    responses, alert = any_shop.store.responses(desk("oa")), worst(any_shop)
    (draft,) = acted(responses, alert, any_shop)["drafts"]
    assert draft["state"] == "requested"
    (asked,) = any_shop.store.outbox.find(channel="oa")
    assert (asked["event"], asked["alert_id"]) == ("approval", alert)
    assert asked["message"]["draft"]["draft_id"] == draft["draft_id"]
    with pytest.raises(IllegalDecisionError, match="a draft that is requested cannot be placed"):
        responses.decide(draft["draft_id"], "placed", said(any_shop, 2))
    first = responses.decide(draft["draft_id"], "approved", said(any_shop, 3, key="cb", reason="fine"))
    assert (first["draft"]["state"], first["draft"]["decided_by"]) == ("approved", "li.na")
    assert (
        responses.decide(draft["draft_id"], "approved", said(any_shop, 4, key="cb", reason="fine")) == first
    )
    again = responses.decide(draft["draft_id"], "approved", said(any_shop, 5))
    assert again["draft"]["decided_at"] == first["draft"]["decided_at"]
    with pytest.raises(IllegalDecisionError, match="a draft that is approved cannot be rejected"):
        responses.decide(draft["draft_id"], "rejected", said(any_shop, 6))
    responses.decide(draft["draft_id"], "placed", said(any_shop, 7))
    events = any_shop.store.alert(alert)[1]
    decided = events[events["event"] == "draft_decided"]["detail"].tolist()
    assert [each["decision"] for each in decided] == ["approved", "placed"]
    assert responses.drafts(state="pending") == []


def test_time_that_passes_escalates_up_to_the_last_owner(any_shop: Any) -> None:
    made, alert = desk(), worst(any_shop)
    responses = any_shop.store.responses(made)
    for other in any_shop.store.open_alerts()["alert_id"]:
        if other != alert:
            acted(responses, other, any_shop)
    responses.assign(alert, "buyer", said(any_shop))
    monday = any_shop.at.replace(hour=18)
    assert responses.pass_time(monday - timedelta(seconds=1)) == 0
    assert responses.pass_time(monday) == 1
    assert responses.pass_time(monday + timedelta(hours=1)) == 0
    # Each owner has until the end of the next business day.
    assert responses.pass_time(monday + timedelta(days=1)) == 1
    assert responses.pass_time(monday + timedelta(days=2)) == 0  # nobody is above the board
    events = any_shop.store.alert(alert)[1]
    overdue = events[events["event"] == "overdue"]["detail"].tolist()
    assert [each["to"] for each in overdue] == ["head", "board"]
    told = [each for each in any_shop.store.outbox.find(alert_id=alert) if each["event"] == "overdue"]
    assert sorted(each["owner"] for each in told if each["channel"] == "mail") == ["board", "head"]
    row = any_shop.store.alert(alert)[0].iloc[0]
    assert (row["owner"], row["escalated_to"]) == ("buyer", "board")


def test_what_nobody_was_brought_is_not_overdue(any_shop: Any) -> None:
    one, busy = configured_owners({"buyer": {"capacity": 1}}, []), any_shop.at + timedelta(days=1)
    facts = any_shop.facts.assign(on_hand=0.0, reserved=0.0)
    tomorrow = any_shop.today + pd.Timedelta(days=1)
    decision = evaluate(facts, default_rules(), tomorrow, any_shop.store.open_alerts())
    fresh = decision.opened.assign(owner="buyer")
    any_shop.store.apply(replace(decision, opened=fresh), busy, Desk(one))
    alerts = any_shop.store.open_alerts()
    waiting = alerts[alerts["attention"] == "queued"]
    assert len(waiting) > 1
    responses = any_shop.store.responses(Desk(one))
    responses.pass_time(busy + timedelta(days=1))
    for alert in waiting["alert_id"]:
        assert "overdue" not in any_shop.store.alert(alert)[1]["event"].tolist()
    # The next day brings another one, which has until the end of that day.
    later = tomorrow + pd.Timedelta(days=1)
    again = evaluate(facts, default_rules(), later, any_shop.store.open_alerts())
    any_shop.store.apply(again, busy + timedelta(days=1), Desk(one))
    brought = any_shop.store.open_alerts().set_index("alert_id").loc[waiting["alert_id"]]
    shown = brought[brought["attention"] == "now"]
    assert len(shown) > 0
    assert set(shown["deadline"]) == {datetime(2026, 3, 11, 18, tzinfo=UTC)}


def test_who_acted_in_time_is_not_escalated(any_shop: Any) -> None:
    responses = any_shop.store.responses(desk())
    for alert in any_shop.store.open_alerts()["alert_id"]:
        acted(responses, alert, any_shop)
    assert responses.pass_time(any_shop.at + timedelta(days=30)) == 0


def test_a_snooze_keeps_quiet_until_it_ends(any_shop: Any) -> None:
    responses, alert = any_shop.store.responses(desk()), worst(any_shop)
    until = any_shop.at + timedelta(days=2)
    responses.snooze(alert, until, said(any_shop, reason="the lorry is on its way"))
    for other in any_shop.store.open_alerts()["alert_id"]:
        if other != alert:
            acted(responses, other, any_shop)
    assert any_shop.store.alert(alert)[0]["snoozed_until"][0] == until
    assert responses.pass_time(until - timedelta(hours=1)) == 0  # its deadline moved with it
    assert responses.pass_time(until) == 1
    row = any_shop.store.alert(alert)[0].iloc[0]
    assert pd.isna(row["snoozed_until"])
    assert row["deadline"] == until.replace(hour=18)
    (woken,) = [each for each in any_shop.store.outbox.find(alert_id=alert) if each["event"] == "woken"][:1]
    assert woken["state"] == "queued"
    responses.snooze(alert, until + timedelta(days=1), said(any_shop, 4000))
    responses.snooze(alert, None, said(any_shop, 4001))
    assert pd.isna(any_shop.store.alert(alert)[0]["snoozed_until"][0])
    with pytest.raises(Problem, match="within 90 days"):
        responses.snooze(alert, any_shop.at, said(any_shop))


TAMPERING = {
    "changed": 'UPDATE alert_events SET detail = \'{"reason": "never mind"}\' WHERE event_id = 7',
    "renamed": "UPDATE alert_events SET actor = 'somebody else' WHERE event_id = 7",
    "redated": "UPDATE alert_events SET at = '2026-01-01 00:00:00' WHERE event_id = 7",
    "removed": "DELETE FROM alert_events WHERE event_id = 7",
    "cut off": "DELETE FROM alert_events WHERE event_id = (SELECT MAX(event_id) FROM alert_events)",
    "inserted": (
        "INSERT INTO alert_events SELECT 9999, alert_id, event, at, actor, detail, hash "
        "FROM alert_events WHERE event_id = 7"
    ),
}
FOUND = {
    "changed": "event 7 of alert .* was changed",
    "renamed": "event 7 of alert .* was changed",
    "redated": "event 7 of alert .* was changed",
    "removed": "event 7 is missing: the next one is 8",
    "cut off": "events after .* are missing",
    "inserted": "the next one is 9999",
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_is_refused_and_where_it_is_forced_found(any_shop: Any, how: str) -> None:
    engine = open_engine(any_shop.url)
    assert any_shop.store.responses().verify() == ""
    if how != "inserted":
        with pytest.raises(Exception, match="only grows"), engine.begin() as connection:
            connection.execute(text(TAMPERING[how]))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE alert_events DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER alert_events_no_update"))
            connection.execute(text("DROP TRIGGER alert_events_no_delete"))
        connection.execute(text(TAMPERING[how]))
    with reading(engine) as connection:
        assert pd.Series([verify(connection)]).str.contains(FOUND[how]).all()
    engine.dispose()
