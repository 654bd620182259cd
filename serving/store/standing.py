"""Standing: what an evaluation must remember of the ones before, beside the alerts that are open.

Breaches that have not lasted long enough, alerts that ended lately, what rules in shadow have open, and who
wants quiet. Each evaluation replaces the pending breaches by its own.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Connection, Table, bindparam, delete, select, update

from serving.store.rows import BATCH, add, fetch, to_rows
from serving.store.schema import (
    SHADOW_UNRESOLVED,
    UNRESOLVED,
    alerts,
    pending_breaches,
    shadow_alerts,
    silences,
)
from warning.engine import Changes, Decision, Shadow
from warning.rules import Rule
from warning.silences import Silence
from warning.steadiness import ENDED, PENDING, Past


class Standing(NamedTuple):
    """All that an evaluation takes from the store."""

    open_alerts: pd.DataFrame
    past: Past
    shadow: Shadow


def read(connection: Connection, rules: Sequence[Rule], today: date) -> Standing:
    """What stands before an evaluation by these rules on a business date."""
    since = today - timedelta(days=max((rule.cooldown_days for rule in rules), default=0))
    columns = list(alerts.columns)
    live = fetch(connection, select(*columns).where(UNRESOLVED).order_by(alerts.c.alert_id), columns)
    dark = list(shadow_alerts.columns)
    shadows = fetch(
        connection, select(*dark).where(SHADOW_UNRESOLVED).order_by(shadow_alerts.c.alert_id), dark
    )
    return Standing(
        live,
        Past(_pending(connection, shadow=False), _ended(connection, alerts, since)),
        Shadow(shadows, Past(_pending(connection, shadow=True), _ended(connection, shadow_alerts, since))),
    )


def keep(connection: Connection, decision: Decision) -> None:
    """Replace the pending breaches, and record what rules in shadow found; nobody else may be writing."""
    connection.execute(delete(pending_breaches))
    for dark, changes in ((False, decision), (True, decision.shadow)):
        rows = to_rows(changes.pending.assign(shadow=dark), pending_breaches)
        add(connection, pending_breaches, rows)
    _keep_shadow(connection, decision.shadow)


def _keep_shadow(connection: Connection, changes: Changes) -> None:
    """Open, measure anew and end shadow alerts; what is known already changes nothing."""
    query = select(shadow_alerts.c.alert_id, shadow_alerts.c.fingerprint, shadow_alerts.c.updated_on)
    live = connection.execute(query.where(SHADOW_UNRESOLVED)).mappings().all()
    last = {row["alert_id"]: row["updated_on"] for row in live}
    taken = {row["fingerprint"] for row in live}
    opened = [row for row in to_rows(changes.opened, shadow_alerts) if row["fingerprint"] not in taken]
    known = _known(connection, [row["alert_id"] for row in opened])
    add(connection, shadow_alerts, [row for row in opened if row["alert_id"] not in known])
    again = [row for row in opened if row["alert_id"] in known]
    later = [*to_rows(changes.updated, shadow_alerts), *to_rows(changes.resolved, shadow_alerts)]
    _write(
        connection,
        [*again, *(row for row in later if row["updated_on"] >= last.get(row["alert_id"], date.max))],
    )


def _known(connection: Connection, names: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(names), BATCH):
        part = select(shadow_alerts.c.alert_id).where(
            shadow_alerts.c.alert_id.in_(names[start : start + BATCH])
        )
        found |= set(connection.execute(part).scalars())
    return found


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    names = [column.name for column in shadow_alerts.columns if column.name != "alert_id"]
    statement = update(shadow_alerts).where(shadow_alerts.c.alert_id == bindparam("this_alert"))
    statement = statement.values({name: bindparam(f"new_{name}") for name in names})
    for start in range(0, len(rows), BATCH):
        connection.execute(
            statement,
            [
                {"this_alert": row["alert_id"], **{f"new_{name}": row[name] for name in names}}
                for row in rows[start : start + BATCH]
            ],
        )


def _pending(connection: Connection, *, shadow: bool) -> pd.DataFrame:
    columns = [pending_breaches.c[name] for name in PENDING]
    query = select(*columns).where(pending_breaches.c.shadow == shadow).order_by(*columns)
    return fetch(connection, query, columns)


def _ended(connection: Connection, table: Table, since: date) -> pd.DataFrame:
    columns = [table.c[name] for name in ENDED]
    query = select(*columns).where(table.c.resolved_on >= since)
    return fetch(connection, query.order_by(table.c.alert_id), columns)


def active_silences(connection: Connection, at: datetime) -> list[Silence]:
    """The silences that hold at a moment, oldest first: of several the first is named."""
    query = select(silences).where(silences.c.starts_at <= at, silences.c.ends_at > at)
    rows = connection.execute(query.order_by(silences.c.created_at, silences.c.silence_id))
    return [silence_of(row._mapping) for row in rows]


def silence_of(row: object) -> Silence:
    """A silence from its row."""
    values = dict(row)  # type: ignore[call-overload]
    values.pop("created_at")
    return Silence(**{**values, "selector": {k: tuple(v) for k, v in values["selector"].items()}})
