"""The outbox: what is to be told, written with what gives the reason.

A notice is written in the transaction that writes the event it tells of: neither is there without the other.
Its name comes from the event and the channel, so that the same event is told once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from serving.store.rows import add, plain
from serving.store.schema import notices
from warning.kinds import TIERS
from warning.outbox import name_of
from warning.routing import Desk, route

# Audit event → what it is called where it is told; `shown` is an alert that waited and now is brought.
SAID_AS = {name: name for name in ("opened", "reopened", "resolved", "overdue", "woken")} | {
    "shown": "opened"
}
# Of an alert, what people and programs are told.
TOLD = (
    *("alert_id", "rule", "rule_version", "kind", "sku", "location", "about", "tier", "previous_tier"),
    *("state", "resolution", "owner", "opened_on", "updated_on", "resolved_on", "money_at_risk"),
    *("recommendation", "title", "reason", "remedy", "title_zh", "reason_zh", "remedy_zh"),
    *("on_hand", "inbound", "projected", "threshold", "safety_stock", "reorder_point", "order_up_to"),
    *("stockout_probability", "days_to_stockout", "data_as_of", "data_digest", "model_version"),
)


def enqueue(
    connection: Connection,
    desk: Desk,
    events: Iterable[Mapping[str, Any]],
    alerts: Mapping[str, Mapping[str, Any]],
    at: datetime,
    owner: str = "",
) -> None:
    """Notices of audit events, one per channel that could hear of them.

    events: rows as `audit.record` gives them; alerts: by id, as they are after the event
    owner: who is told; empty is each alert's own
    """
    if not desk.channels:
        return
    rows = []
    for event in events:
        name = _name(event)
        if name:
            alert = alerts[event["alert_id"]]
            message = _message(alert, desk)
            rows += [
                _row(
                    name_of(event["hash"], found.channel),
                    name,
                    found.channel,
                    message,
                    at,
                    alert_id=event["alert_id"],
                    event_id=event["event_id"],
                    owner=owner or alert.get("owner"),
                    tier=alert["tier"],
                    state="skipped" if found.skipped else "queued",
                    reason=found.skipped,
                    due_at=found.due_at,
                )
                for found in route(desk, name, alert, at, owner, alert.get("muted") or "")
            ]
    add(connection, notices, rows)


def enqueue_request(
    connection: Connection, desk: Desk, alert: Mapping[str, Any], draft: Mapping[str, Any], at: datetime
) -> None:
    """The notice that asks for a draft's approval."""
    message = {**_message(alert, desk), "draft": plain(dict(draft))}
    row = _row(
        name_of("approval", draft["draft_id"]),
        "approval",
        desk.approvals,
        message,
        at,
        alert_id=alert["alert_id"],
        owner=alert.get("owner"),
        tier=alert["tier"],
    )
    add(connection, notices, [row])


def _row(
    notice_id: str, event: str, channel: str, message: dict[str, Any], at: datetime, **about: Any
) -> dict[str, Any]:
    usual = {"state": "queued", "reason": "", "due_at": at, "event_id": None, "attempts": 0, "created_at": at}
    named = {"notice_id": notice_id, "event": event, "channel": channel, "message": message}
    return {**usual, **named, **about}


def _name(event: Mapping[str, Any]) -> str:
    """What an audit event is called where it is told; "" where it is not."""
    if event["event"] == "tier_changed":
        before, after = map(TIERS.index, event["detail"]["tier"])
        return "raised" if after > before else "eased"
    return SAID_AS.get(event["event"], "")


def _message(alert: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
    told = {name: plain(alert.get(name)) for name in TOLD if alert.get(name) is not None}
    if alert.get("deadline") is not None:
        told["deadline"] = alert["deadline"].isoformat()
    return told | ({"currency": desk.currency} if desk.currency else {})
