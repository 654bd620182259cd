"""The audit: every step of every alert's life, in one chain.

Each event carries a hash over itself and the hash of the event before it, whichever alert that was about. Who
changes, removes or inserts an event, or cuts events off the end, breaks the chain; `verify` says where. The
database refuses such changes as well; the chain is for who owns the database.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select, update

from serving.store.rows import BATCH, add, plain
from serving.store.schema import alert_events, audit_head

ENGINE = "engine"  # the actor of what nobody asked for
ORIGIN = ""  # the hash before the first event
HEAD = 1
Event = tuple[str, str, dict[str, Any]]


def record(
    connection: Connection, events: Iterable[Event], at: datetime, actor: str = ENGINE
) -> list[dict[str, Any]]:
    """Append (alert_id, event, detail) to the chain and give the rows; nobody else may be writing."""
    count, last = _head(connection)
    rows = []
    for alert_id, event, detail in events:
        count += 1
        row = {
            "event_id": count,
            "alert_id": alert_id,
            "event": event,
            "at": at,
            "actor": actor,
            "detail": plain(detail),
        }
        last = link(last, row)
        rows.append({**row, "hash": last})
    if rows:
        add(connection, alert_events, rows)
        connection.execute(update(audit_head).values(events=count, hash=last))
    return rows


def link(before: str, row: dict[str, Any]) -> str:
    """Hash of an event that follows the one with hash `before`."""
    at = row["at"].astimezone(UTC).isoformat()
    told = [before, row["event_id"], row["alert_id"], row["event"], at, row["actor"], row["detail"]]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify(connection: Connection) -> str:
    """What is wrong with the chain, of its first break; "" where it is whole."""
    count, last = 0, ORIGIN
    columns = list(alert_events.columns)
    while True:
        query = select(*columns).where(alert_events.c.event_id > count)
        rows = connection.execute(query.order_by(alert_events.c.event_id).limit(BATCH)).mappings().all()
        for row in rows:
            count += 1
            if row["event_id"] != count:
                return f"event {count} is missing: the next one is {row['event_id']}"
            last = link(last, dict(row))
            if row["hash"] != last:
                return f"event {count} of alert {row['alert_id']} was changed, or one before it replaced"
        if len(rows) < BATCH:
            break
    if (count, last) != _kept(connection):
        return f"events after {count} are missing, or the chain was written anew"
    return ""


def events(connection: Connection, alert_id: str) -> pd.DataFrame:
    """event, at, actor, detail of one alert, oldest first."""
    columns = [alert_events.c[name] for name in ("event", "at", "actor", "detail")]
    query = select(*columns).where(alert_events.c.alert_id == alert_id)
    rows = connection.execute(query.order_by(alert_events.c.event_id)).fetchall()
    return pd.DataFrame([tuple(row) for row in rows], columns=["event", "at", "actor", "detail"])


def _head(connection: Connection) -> tuple[int, str]:
    """How many events there are and the hash of the last, ready to go on from."""
    if connection.execute(select(audit_head.c.head)).first() is None:
        connection.execute(insert(audit_head).values(head=HEAD, events=0, hash=ORIGIN))
    return _kept(connection)


def _kept(connection: Connection) -> tuple[int, str]:
    found = connection.execute(select(audit_head.c.events, audit_head.c.hash)).first()
    return (0, ORIGIN) if found is None else (found.events, found.hash)
