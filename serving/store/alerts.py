"""Alerts: how the engine's decision is kept, and the worklist read from what is kept.

A decision is applied whole or not at all. Applying it again, or after another process applied the same,
changes nothing: an alert that is known is not opened again, a cause with an unresolved alert gets no second,
and an update that changes no column leaves no trace. Only an alert that ended on the business day it began
opens again, because the engine names an alert by that day. An evaluation of earlier data than what has been
evaluated or published already applies nothing: the worklist is of the present.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    collate,
    func,
    or_,
    select,
    tuple_,
    update,
)

from serving.store import audit, drafts, outbox, standing
from serving.store.paging import Page, read_cursor, write_cursor
from serving.store.rows import BATCH, add, fetch, plain, to_frame, to_rows
from serving.store.schema import UNRESOLVED, alerts, positions, snapshots
from warning import worklist
from warning.engine import Decision
from warning.routing import Desk
from warning.rules import TIERS
from warning.silences import COLUMNS
from warning.worklist import ATTENTION

# What identifies an alert or belongs to its life; an evaluation does not change these.
LIFE = (
    *("owner", "deadline", "acknowledged_at", "acted_at"),
    *("snoozed_until", "escalated_to", "escalated_at"),
)
KEPT = (
    *("alert_id", "fingerprint", "rule", "sku", "location", "about", "state", "opened_on", "resolved_on"),
    *LIFE,
    *ATTENTION,
)
CHANGING = tuple(column.name for column in alerts.columns if column.name not in KEPT)
ENDING = ("state", "resolved_on", "updated_on", "resolution", "change")
ORDER_KINDS = (float, int, float, str, str, str, str)  # of the keys that `_order` gives
# An audit event tells these; the rest follows from them or says only that another day has come.
TOLD = (
    "tier",
    "rule_version",
    "money_at_risk",
    "recommendation",
    "on_hand",
    "inbound",
    "projected",
    "threshold",
    "data_state",
)
# What attention is decided by.
WEIGHED = tuple(
    dict.fromkeys(
        (*COLUMNS, "money_at_risk", "units_at_risk", "attention", "attention_on", "state"),
    )
)


@dataclass(frozen=True)
class Applied:
    """How many alerts a decision changed in the store.

    stale: it was about earlier data than what the store knows, so nothing was applied
    """

    opened: int
    updated: int
    resolved: int
    stale: bool = False


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts to list; None leaves a filter open.

    state: unresolved, all, or one state of an alert's life
    text: part of a sku, location, title or item name, in any case
    attention: now (brought to its owner), queued or silenced
    owner: who answers for it; supplier: who delivers, "" where nobody is known
    """

    sku: str | None = None
    location: str | None = None
    tier: str | None = None
    rule: str | None = None
    state: str = "unresolved"
    text: str | None = None
    attention: str | None = None
    owner: str | None = None
    supplier: str | None = None


def apply(connection: Connection, decision: Decision, at: datetime, desk: Desk) -> Applied:
    """Open, update and resolve alerts, each with its audit event and what is to be told of it.

    desk: who answers for a new alert, by when, and where this is told
    The connection must be the only writer.
    """
    if _is_stale(connection, decision):
        return Applied(0, 0, 0, stale=True)
    standing.keep(connection, decision)
    live = _unresolved(connection)
    opened, reopened = _new(
        connection, to_rows(decision.opened, alerts), {row["fingerprint"] for row in live.values()}
    )
    updated = _changed(live, to_rows(decision.updated, alerts))
    ended = [
        {**row, "state": "resolved", "resolved_on": row["resolved_on"] or row["updated_on"]}
        for row in to_rows(decision.resolved, alerts)
        if _follows(live.get(row["alert_id"]), row)
    ]
    opened, reopened = (
        [_assigned(row, desk, at) for row in opened],
        [_assigned(row, desk, at) for row in reopened],
    )
    add(connection, alerts, opened)
    _write(connection, reopened, ("state", "resolved_on", *LIFE, *CHANGING))
    _write(connection, updated, CHANGING)
    _write(connection, ended, ENDING)
    events = [(row["alert_id"], "opened", _origin(row)) for row in opened]
    events += [(row["alert_id"], "reopened", _origin(row)) for row in reopened]
    events += _told(live, updated)
    events += [(row["alert_id"], "resolved", {"resolution": row["resolution"]}) for row in ended]
    known = {row["alert_id"]: row for row in (*opened, *reopened)}
    known |= {row["alert_id"]: _onto(live, row, CHANGING) for row in updated}
    known |= {row["alert_id"]: _onto(live, row, ENDING) for row in ended}
    over = {row["alert_id"] for row in ended}
    left = {name: row for name, row in (live | known).items() if name not in over}
    events += _attend(connection, left, known, desk, at, decision.today and decision.today.date())
    outbox.enqueue(connection, desk, audit.record(connection, events, at), known, at)
    drafts.settle(connection, ended, at)
    return Applied(len(opened) + len(reopened), len(updated), len(ended))


def attend(connection: Connection, at: datetime, desk: Desk) -> None:
    """Weigh anew who is brought what, such as after a silence began or ended; the connection must be the
    only writer.
    """
    live = _unresolved(connection)
    known: dict[str, dict[str, Any]] = {}
    events = _attend(connection, live, known, desk, at, None)
    outbox.enqueue(connection, desk, audit.record(connection, events, at), known, at)


def _attend(
    connection: Connection,
    live: dict[str, dict[str, Any]],
    known: dict[str, dict[str, Any]],
    desk: Desk,
    at: datetime,
    today: date | None,
) -> list[tuple[str, str, dict[str, Any]]]:
    """Write what attention each unresolved alert gets; an event for each that comes to its owner late.

    live: all unresolved alerts by id; known: those of them that events tell of, brought up to date
    today: business date; None is the last one evaluated
    """
    if not live:
        return []
    frame = pd.DataFrame([[row.get(name) for name in WEIGHED] for row in live.values()], columns=[*WEIGHED])
    today = today or max(row["updated_on"] for row in live.values())
    active = standing.active_silences(connection, at)
    found = worklist.attend(frame, active, desk.capacities, today, at)
    changed: list[dict[str, Any]] = []
    events = []
    for row, values in zip(live.values(), found.itertuples(index=False), strict=True):
        given = dict(zip(ATTENTION, values, strict=True))
        if all(row.get(name) == given[name] for name in ATTENTION):
            continue
        if (
            row.get("attention") in (worklist.QUEUED, worklist.SILENCED)
            and given["attention"] == worklist.NOW
        ):
            events.append((row["alert_id"], "shown", {"after": row["muted"]}))
            given["deadline"] = desk.hours.deadline(at)  # nobody was to act before
        changed.append({**row, **given})
        known[row["alert_id"]] = changed[-1]
    _write(connection, changed, (*ATTENTION, "deadline"))
    return events


def _onto(live: dict[str, dict[str, Any]], row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """An alert as it is once these columns of a row are written."""
    return live[row["alert_id"]] | {name: row[name] for name in names}


def _assigned(row: dict[str, Any], desk: Desk, at: datetime) -> dict[str, Any]:
    """A new alert, or one that is back, with who answers for it by when."""
    life = dict.fromkeys(LIFE)
    return {**row, **life, "owner": row["owner"] or desk.last_owner, "deadline": desk.hours.deadline(at)}


def unresolved(connection: Connection) -> pd.DataFrame:
    """Every alert that has not been resolved, as the engine's next evaluation needs them."""
    columns = list(alerts.columns)
    return fetch(connection, select(*columns).where(UNRESOLVED).order_by(alerts.c.alert_id), columns)


def page(
    connection: Connection, snapshot_id: int | None, chosen: AlertFilter, limit: int, cursor: str | None
) -> Page:
    """Alerts with their item's name and category, in the order of `warning.alerts.rank`.

    snapshot_id: where names and categories are looked up
    """
    question = ["alerts", *vars(chosen).values()]
    columns = [*alerts.columns, positions.c.name, positions.c.category]
    joined = alerts.outerjoin(
        positions,
        and_(
            positions.c.snapshot_id == snapshot_id,
            positions.c.sku == alerts.c.sku,
            positions.c.location == alerts.c.location,
        ),
    )
    conditions = _conditions(chosen)
    total = connection.execute(select(func.count()).select_from(joined).where(*conditions)).scalar_one()
    order = _order(connection)
    if cursor is not None:
        after = read_cursor(cursor, question, ORDER_KINDS)
        conditions.append(tuple_(*order) > tuple_(*after))
    query = select(*columns, *order).select_from(joined).where(*conditions)
    rows = connection.execute(query.order_by(*order).limit(limit + 1)).fetchall()
    frame = to_frame([row[: len(columns)] for row in rows[:limit]], columns)
    if len(rows) <= limit:
        return Page(frame, None, total)
    return Page(frame, write_cursor(question, rows[limit - 1][len(columns) :]), total)


def is_known(connection: Connection, sku: str | None, location: str | None) -> bool:
    """Whether there ever was an alert about the sku, the location, or the sku at the location."""
    conditions = _conditions(AlertFilter(sku=sku, location=location, state="all"))
    return connection.execute(select(alerts.c.alert_id).where(*conditions).limit(1)).first() is not None


def distribution(connection: Connection) -> pd.DataFrame:
    """tier, rule, location, attention, alerts, money of what is unresolved; unknown money counts as 0."""
    keys = [alerts.c.tier, alerts.c.rule, alerts.c.location, alerts.c.attention]
    measures = [
        func.count().label("alerts"),
        func.coalesce(func.sum(alerts.c.money_at_risk), 0.0).label("money"),
    ]
    query = select(*keys, *measures).where(UNRESOLVED).group_by(*keys).order_by(*keys)
    rows = connection.execute(query).fetchall()
    return pd.DataFrame(
        [tuple(row) for row in rows], columns=["tier", "rule", "location", "attention", "alerts", "money"]
    )


def together(connection: Connection, limit: int) -> pd.DataFrame:
    """location, supplier, alerts, money_at_risk of what is brought to its owners, where there are several."""
    keys = [alerts.c.location, alerts.c.supplier]
    count = func.count().label("alerts")
    money = func.coalesce(func.sum(alerts.c.money_at_risk), 0.0).label("money_at_risk")
    mine = (UNRESOLVED, alerts.c.attention == worklist.NOW, func.coalesce(alerts.c.supplier, "") != "")
    query = select(*keys, count, money).where(*mine).group_by(*keys).having(func.count() > 1)
    rows = connection.execute(query.order_by(money.desc(), *keys).limit(limit)).fetchall()
    return pd.DataFrame(
        [tuple(row) for row in rows], columns=["location", "supplier", "alerts", "money_at_risk"]
    )


def _order(connection: Connection) -> list[ColumnElement[Any]]:
    """Keys of the worklist, all ascending, as `warning.alerts.rank` sorts: what is unknown comes last."""
    severity = case({tier: -place for place, tier in enumerate(TIERS)}, value=alerts.c.tier)
    # Neither money nor units at risk are negative, so that -(-1) comes after everything known.
    numbers = [-func.coalesce(alerts.c[name], -1.0) for name in ("money_at_risk", "units_at_risk")]
    names: list[ColumnElement[Any]] = [alerts.c[name] for name in ("sku", "location", "rule", "alert_id")]
    if connection.dialect.name == "postgresql":  # a language's own order would not be that of `rank`
        names = [collate(name, "C") for name in names]
    return [numbers[0], severity, numbers[1], *names]


def _is_stale(connection: Connection, decision: Decision) -> bool:
    """Whether a decision lies before what was decided, or rests on earlier data than what was published."""
    made = _latest(decision.opened, decision.updated, decision.resolved, column="updated_on")
    made = made if decision.today is None else decision.today.date()
    knew = _latest(decision.opened, decision.updated, column="data_as_of")
    decided = connection.execute(select(func.max(alerts.c.updated_on))).scalar_one_or_none()
    published = connection.execute(select(func.max(snapshots.c.as_of))).scalar_one_or_none()
    return (
        (made is not None and decided is not None and made < decided)
        or (made is not None and published is not None and made < published)
        or (knew is not None and published is not None and knew < published)
    )


def _latest(*frames: pd.DataFrame, column: str) -> date | None:
    dates = [frame[column].max() for frame in frames if len(frame)]
    known = [pd.Timestamp(day).date() for day in dates if pd.notna(day)]
    return max(known, default=None)


def _conditions(chosen: AlertFilter) -> list[ColumnElement[bool]]:
    names = ("sku", "location", "tier", "rule", "attention", "owner")
    equal = {name: getattr(chosen, name) for name in names}
    conditions = [alerts.c[name] == value for name, value in equal.items() if value is not None]
    if chosen.supplier is not None:
        conditions.append(func.coalesce(alerts.c.supplier, "") == chosen.supplier)
    if chosen.state == "unresolved":
        conditions.append(UNRESOLVED)
    elif chosen.state != "all":
        conditions.append(alerts.c.state == chosen.state)
    if chosen.text:
        searched = (alerts.c.sku, alerts.c.location, alerts.c.title, positions.c.name)
        conditions.append(or_(*(column.icontains(chosen.text, autoescape=True) for column in searched)))
    return conditions


def _unresolved(connection: Connection) -> dict[str, dict[str, Any]]:
    rows = connection.execute(select(alerts).where(UNRESOLVED)).mappings()
    return {row["alert_id"]: dict(row) for row in rows}


def _new(
    connection: Connection, rows: list[dict[str, Any]], taken: set[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Alerts that nobody has opened yet, and alerts that ended today and are back."""
    ended: dict[str, Any] = {}
    for start in range(0, len(rows), BATCH):
        ids = [row["alert_id"] for row in rows[start : start + BATCH]]
        known = select(alerts.c.alert_id, alerts.c.resolved_on).where(alerts.c.alert_id.in_(ids))
        ended |= {found.alert_id: found.resolved_on for found in connection.execute(known)}
    new, back = [], []
    for row in rows:
        if row["fingerprint"] in taken:
            continue
        if row["alert_id"] not in ended:
            new.append(row)
        elif row["change"] == "reopened" or ended[row["alert_id"]] == row["opened_on"]:
            back.append(row)
        taken.add(row["fingerprint"])
    return new, back


def _follows(before: dict[str, Any] | None, row: dict[str, Any]) -> bool:
    """Whether a row is about an unresolved alert and no older than what is known of it."""
    return before is not None and row["updated_on"] >= before["updated_on"]


def _changed(live: dict[str, dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that change their alert."""
    return [
        row
        for row in rows
        if _follows(before := live.get(row["alert_id"]), row)
        and before is not None
        and any(before[name] != row[name] for name in CHANGING)
    ]


def _told(
    live: dict[str, dict[str, Any]], rows: list[dict[str, Any]]
) -> list[tuple[str, str, dict[str, Any]]]:
    """An event {column: [before, after]} for each row that changes something worth telling."""
    out = []
    for row in rows:
        before = live[row["alert_id"]]
        changed = {name: [before[name], row[name]] for name in TOLD if before[name] != row[name]}
        if changed:
            out.append((row["alert_id"], "tier_changed" if "tier" in changed else "updated", changed))
    return out


def _write(connection: Connection, rows: list[dict[str, Any]], names: Iterable[str]) -> None:
    names = tuple(names)
    statement = update(alerts).where(alerts.c.alert_id == bindparam("this_alert"))
    statement = statement.values({name: bindparam(f"new_{name}") for name in names})
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        connection.execute(
            statement,
            [
                {"this_alert": row["alert_id"], **{f"new_{name}": row[name] for name in names}}
                for row in batch
            ],
        )


def _origin(row: dict[str, Any]) -> dict[str, Any]:
    """What said that the alert is there: the versions that make it traceable, and the limits of then."""
    names = ("rule", "rule_version", "tier", "money_at_risk", "data_as_of", "data_digest", "model_version")
    limits = ("threshold", "bound", "units_at_risk")  # an outcome is judged by what was said first
    return {name: plain(row[name]) for name in (*names, *limits)}
