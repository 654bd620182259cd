"""Drafts: what is to be ordered, hurried, moved or sold because of an alert, until it is under way elsewhere.

There is one pending draft per cause: whoever acts on the same alert again, or on another alert of the same
cause, finds it and adds nothing. A draft is drafted → requested (out for approval) → approved → placed, or
rejected or withdrawn on the way. Once placed, the order itself is loaded and counted by what is recommended
next.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from ingestion.errors import Problem
from serving.store.audit import ENGINE
from serving.store.schema import PENDING, UNRESOLVED, alerts, drafts
from warning.outbox import name_of

# What a decision makes of a draft in its state.
DECISIONS: dict[str, dict[str, str]] = {
    "drafted": {"approved": "approved", "rejected": "rejected", "placed": "placed", "withdrawn": "withdrawn"},
    "requested": {"approved": "approved", "rejected": "rejected", "withdrawn": "withdrawn"},
    "approved": {"placed": "placed", "withdrawn": "withdrawn"},
}
DRAWN = ("order", "transfer", "expedite", "promote", "clear", "fix_data")  # what can be drafted
GONE = {"drafted": "withdrawn", "requested": "withdrawn", "approved": "placed"}
# What the end of an alert makes of its drafts; superseded and duplicate leave the cause as it is.
ENDS = {
    **dict.fromkeys(("cleared", "gone", "retired"), GONE),
    "by hand": {"drafted": "placed", "approved": "placed"},
}
SOME = 500  # alerts asked for at once


class IllegalDecisionError(Problem):
    """A decision that a draft in its state cannot take."""


def draw(
    connection: Connection, alert: Mapping[str, Any], by: str, at: datetime
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Drafts of what an alert recommends: those made now, and pending ones that cover it already.

    A draft that has not gone out yet takes the new quantity where that is larger.
    """
    made, covered = [], []
    what = alert.get("recommendation")
    while what:
        if what["type"] in DRAWN:
            row = _row(alert, what, by, at)
            pending = (
                connection.execute(select(drafts).where(drafts.c.cause == row["cause"], PENDING))
                .mappings()
                .first()
            )
            if pending is None:
                connection.execute(insert(drafts).values(row))
                made.append(row)
            else:
                covered.append(_grown(connection, dict(pending), row))
        what = what.get("then")
    return made, covered


def request(connection: Connection, draft_ids: Iterable[str]) -> None:
    """Note that drafts went out for approval."""
    chosen = drafts.c.draft_id.in_(list(draft_ids))
    connection.execute(update(drafts).where(chosen).values(state="requested"))


def decide(
    connection: Connection, draft_id: str, decision: str, by: str, at: datetime, reason: str = ""
) -> dict[str, Any] | None:
    """The draft after a decision, None where there is no such draft; the same again changes nothing."""
    found = connection.execute(select(drafts).where(drafts.c.draft_id == draft_id)).mappings().first()
    if found is None:
        return None
    if found["state"] == decision:
        return dict(found)
    after = DECISIONS.get(found["state"], {}).get(decision)
    if after is None:
        possible = ", ".join(DECISIONS.get(found["state"], {})) or "nothing more"
        raise IllegalDecisionError(
            f"a draft that is {found['state']} cannot be {decision}; it can be {possible}"
        )
    values = {"state": after, "decided_at": at, "decided_by": by, "reason": reason or None}
    connection.execute(update(drafts).where(drafts.c.draft_id == draft_id).values(values))
    return {**found, **values}


def next_decisions(state: str) -> tuple[str, ...]:
    """The decisions that may follow on a draft in its state.

    >>> next_decisions("approved"), next_decisions("placed")
    (('placed', 'withdrawn'), ())
    """
    return tuple(DECISIONS.get(state, {}))


def settle(connection: Connection, ended: Iterable[Mapping[str, Any]], at: datetime) -> None:
    """End what is pending for alerts that are over, so that it does not cover the next need.

    What was approved counts as placed. What was not is withdrawn where the need is gone, and counts as placed
    where somebody resolved the alert by hand, unless its approval is still awaited. Where another alert goes
    on that asks for the same, the draft is that one's from now on.
    """
    over = {row["alert_id"]: ENDS.get(row["resolution"], {}) for row in ended}
    for draft in _pending(connection, [alert for alert, ends in over.items() if ends]):
        values: dict[str, Any] = {}
        if heir := _heir(connection, draft):
            values = {"alert_id": heir}
        elif state := over[draft["alert_id"]].get(draft["state"]):
            values = {"state": state, "decided_at": at, "decided_by": ENGINE, "reason": "the alert is over"}
        if values:
            connection.execute(update(drafts).where(drafts.c.draft_id == draft["draft_id"]).values(values))


def _pending(connection: Connection, alert_ids: list[str]) -> list[dict[str, Any]]:
    """Drafts under way for these alerts."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(alert_ids), SOME):
        chosen = drafts.c.alert_id.in_(alert_ids[start : start + SOME])
        found += [dict(row) for row in connection.execute(select(drafts).where(chosen, PENDING)).mappings()]
    return found


def _heir(connection: Connection, draft: Mapping[str, Any]) -> str | None:
    """Another alert that goes on and asks for the same thing; None where there is none."""
    query = select(alerts).where(
        UNRESOLVED,
        alerts.c.sku == draft["sku"],
        alerts.c.location == draft["location"],
        alerts.c.alert_id != draft["alert_id"],
    )
    for row in connection.execute(query.order_by(alerts.c.alert_id)).mappings():
        what = row["recommendation"]
        while what:
            if _cause(dict(row), what["type"]) == draft["cause"]:
                return row["alert_id"]
            what = what.get("then")
    return None


def find(
    connection: Connection, *, state: str | None, alert_id: str | None, limit: int
) -> list[dict[str, Any]]:
    """Drafts as they stand, the newest first; state may be pending."""
    chosen = [drafts.c.alert_id == alert_id] if alert_id else []
    chosen += [PENDING] if state == "pending" else [drafts.c.state == state] if state else []
    query = select(drafts).where(*chosen).order_by(drafts.c.created_at.desc(), drafts.c.draft_id)
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


def _row(alert: Mapping[str, Any], what: Mapping[str, Any], by: str, at: datetime) -> dict[str, Any]:
    kind = what["type"]
    cause = _cause(alert, kind)
    return {
        "draft_id": name_of(cause, alert["alert_id"], at.isoformat()),
        "cause": cause,
        "kind": kind,
        "alert_id": alert["alert_id"],
        "sku": alert["sku"],
        "location": alert["location"],
        "supplier": what.get("supplier"),
        "source": what.get("source"),
        "quantity": what.get("quantity"),
        "cost": what.get("cost"),
        "order_by": _date(what.get("order_by")),
        "arrives_on": _date(what.get("arrives_on")),
        "state": "drafted",
        "created_at": at,
        "created_by": by,
    }


def _cause(alert: Mapping[str, Any], kind: str) -> str:
    """Name of what a draft is for: the same for every alert that asks for the same thing."""
    return name_of(kind, alert["sku"], alert["location"], alert.get("about") or "")


def _grown(connection: Connection, pending: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    if pending["state"] != "drafted" or (wanted["quantity"] or 0) <= (pending["quantity"] or 0):
        return pending
    names = ("quantity", "cost", "supplier", "source", "order_by", "arrives_on")
    values = {name: wanted[name] for name in names}
    connection.execute(update(drafts).where(drafts.c.draft_id == pending["draft_id"]).values(values))
    return {**pending, **values}


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
