"""Snapshots: what a run published for every sku and location, and the pages read from it.

The current snapshot is the one with the latest data, and of several runs on the same data the one published
last, even where it had been published before.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Integer,
    Table,
    and_,
    func,
    insert,
    select,
    tuple_,
    update,
)

from serving.store.paging import BadCursor, Page, open_cursor, read_cursor, write_cursor
from serving.store.rows import add, digest, fetch, to_frame, to_rows
from serving.store.schema import orders, positions, snapshots, thresholds


@dataclass(frozen=True)
class Snapshot:
    """One publication.

    as_of: first date of the last complete period that it knows
    data_digest, model_version: what it was computed from
    thresholds_digest: SHA-256 of its thresholds; equal digests mean equal thresholds
    results_digest: names the run's larger tables (`serving.results`); empty is those written last for as_of
    published: the place of its last publication among all
    """

    snapshot_id: int
    as_of: date
    data_digest: str
    model_version: str
    content_digest: str
    thresholds_digest: str
    results_digest: str
    created_at: datetime
    published: int


@dataclass(frozen=True)
class Publication:
    """A run's tables as rows, with their digests; made before the store is locked."""

    rows: dict[str, list[dict[str, Any]]]
    content_digest: str
    thresholds_digest: str


def prepare(tables: dict[str, pd.DataFrame]) -> Publication:
    """Rows of thresholds, positions and orders; Problem where a table lacks a column."""
    rows = {
        "thresholds": to_rows(tables["thresholds"], thresholds, filled=["snapshot_id"]),
        "positions": to_rows(tables["positions"], positions, filled=["snapshot_id"]),
        "orders": to_rows(tables["orders"], orders, filled=["snapshot_id", "line"]),
    }
    digests = {name: digest(lines) for name, lines in rows.items()}
    for line, order in enumerate(rows["orders"]):
        order["line"] = line
    return Publication(rows, digest([digests]), digests["thresholds"])


def publish(
    connection: Connection,
    as_of: date,
    data_digest: str,
    model_version: str,
    tables: Publication,
    *,
    results_digest: str,
    at: datetime,
) -> Snapshot:
    """Keep a run's tables as one snapshot; the same content again gives the snapshot there is.

    Either way it becomes the last of its date; where it is that already, nothing changes.
    """
    identity: dict[str, Any] = {
        "as_of": as_of,
        "data_digest": data_digest,
        "model_version": model_version,
        "content_digest": tables.content_digest,
        "results_digest": results_digest,
    }
    last = connection.execute(select(func.max(snapshots.c.published))).scalar_one_or_none() or 0
    same = select(snapshots).where(*(snapshots.c[name] == value for name, value in identity.items()))
    if found := connection.execute(same).one_or_none():
        return _again(connection, Snapshot(**found._mapping), last)
    written = {**identity, "thresholds_digest": tables.thresholds_digest, "created_at": at}
    written["published"] = last + 1
    snapshot_id = connection.execute(
        insert(snapshots).values(**written).returning(snapshots.c.snapshot_id)
    ).scalar_one()
    for table in (thresholds, positions, orders):
        add(connection, table, [{"snapshot_id": snapshot_id, **row} for row in tables.rows[table.name]])
    return Snapshot(snapshot_id=snapshot_id, **written)


def current(connection: Connection) -> Snapshot | None:
    """The snapshot in force; None before the first run."""
    query = select(snapshots).order_by(snapshots.c.as_of.desc(), snapshots.c.published.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return Snapshot(**found._mapping) if found else None


def of_date(connection: Connection, as_of: date) -> Snapshot | None:
    """The last snapshot of a date; None where there is none."""
    query = select(snapshots).where(snapshots.c.as_of == as_of).order_by(snapshots.c.published.desc())
    found = connection.execute(query.limit(1)).one_or_none()
    return Snapshot(**found._mapping) if found else None


def dates_since(connection: Connection, first: date) -> list[date]:
    """as_of of all snapshots from a date on, each once, the oldest first."""
    query = select(snapshots.c.as_of).distinct().where(snapshots.c.as_of >= first)
    return sorted(connection.execute(query).scalars())


def all_rows(
    connection: Connection, table: Table, snapshot: Snapshot, limit: int | None = None
) -> pd.DataFrame:
    """All that one of the snapshot's tables says, in the order of its key, or the first rows of it."""
    columns = [column for column in table.columns if column.name not in ("snapshot_id", "line")]
    order = [column for column in table.primary_key.columns if column.name != "snapshot_id"]
    query = select(*columns).where(table.c.snapshot_id == snapshot.snapshot_id).order_by(*order)
    return fetch(connection, query if limit is None else query.limit(limit), columns)


def of_cursor(connection: Connection, snapshot: Snapshot, cursor: str | None) -> Snapshot:
    """The snapshot whose pages `cursor` turns: a new run in between does not mix two answers.

    A cursor begins with the number of its snapshot or, where it is one of `serving.results`, with the name of
    the run's larger tables. `snapshot` where it begins with neither: the cursor will be refused.
    """
    asked, _ = open_cursor(cursor) if cursor is not None else ([], [])
    named = asked[0] if asked else None
    if isinstance(named, str) and named:
        same = snapshots.c.results_digest == named
    elif isinstance(named, int) and 0 < named < 2**31:  # what the database's integers hold
        same = snapshots.c.snapshot_id == named
    else:
        return snapshot
    query = select(snapshots).where(same).order_by(snapshots.c.published.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return Snapshot(**found._mapping) if found else snapshot


def page(
    connection: Connection,
    table: Table,
    snapshot: Snapshot,
    filters: dict[str, str | None],
    *,
    limit: int,
    cursor: str | None,
) -> Page:
    """Rows of one of the snapshot's tables in the order of its key.

    filters: column → the value it must have; None leaves it open
    """
    asked = {name: value for name, value in filters.items() if value is not None}
    question = [snapshot.snapshot_id, table.name, *sorted(asked.items())]
    chosen: list[ColumnElement[bool]] = [table.c.snapshot_id == snapshot.snapshot_id]
    chosen += [table.c[name] == value for name, value in asked.items()]
    order = [column for column in table.primary_key.columns if column.name != "snapshot_id"]
    total = connection.execute(select(func.count()).select_from(table).where(*chosen)).scalar_one()
    if cursor is not None:
        kinds = [int if isinstance(column.type, Integer) else str for column in order]
        after = read_cursor(cursor, question, kinds)
        after = [_typed(value, column) for value, column in zip(after, order, strict=True)]
        chosen.append(tuple_(*order) > tuple_(*after))
    columns = [column for column in table.columns if column.name not in ("snapshot_id", "line")]
    query = select(*columns, *order).where(*chosen).order_by(*order).limit(limit + 1)
    rows = connection.execute(query).fetchall()
    more = len(rows) > limit
    last = rows[limit - 1][len(columns) :] if more else ()
    frame = to_frame(rows[:limit], columns)
    return Page(frame, write_cursor(question, last) if more else None, total)


def rows_of(
    connection: Connection, table: Table, snapshot: Snapshot, sku: str, location: str
) -> pd.DataFrame:
    """What one of the snapshot's tables says about one sku at one location, in the order of its key."""
    order = [column for column in table.primary_key.columns if column.name != "snapshot_id"]
    columns = [column for column in table.columns if column.name not in ("snapshot_id", "line")]
    query = select(*columns).where(
        and_(table.c.snapshot_id == snapshot.snapshot_id, table.c.sku == sku, table.c.location == location)
    )
    return fetch(connection, query.order_by(*order), columns)


def is_watched(connection: Connection, snapshot: Snapshot, sku: str | None, location: str | None) -> bool:
    """Whether the snapshot knows the sku, the location, or the sku at the location; None asks for any."""
    query = select(positions.c.sku).where(positions.c.snapshot_id == snapshot.snapshot_id)
    if sku is not None:
        query = query.where(positions.c.sku == sku)
    if location is not None:
        query = query.where(positions.c.location == location)
    return connection.execute(query.limit(1)).first() is not None


def count(connection: Connection, snapshot: Snapshot) -> int:
    """How many skus at locations the snapshot watches."""
    query = select(func.count()).select_from(positions).where(positions.c.snapshot_id == snapshot.snapshot_id)
    return connection.execute(query).scalar_one()


def locations(connection: Connection, snapshot: Snapshot) -> list[str]:
    """The locations that the snapshot watches, sorted."""
    query = select(positions.c.location).distinct().where(positions.c.snapshot_id == snapshot.snapshot_id)
    return sorted(connection.execute(query).scalars())


def earliest_expiry(connection: Connection, snapshot: Snapshot) -> date | None:
    """Last date on which all of the snapshot's thresholds are valid; None where it has none."""
    query = select(func.min(thresholds.c.valid_until)).where(thresholds.c.snapshot_id == snapshot.snapshot_id)
    return connection.execute(query).scalar_one_or_none()


def _again(connection: Connection, snapshot: Snapshot, last: int) -> Snapshot:
    """The snapshot as the last publication."""
    if snapshot.published == last:
        return snapshot
    this = snapshots.c.snapshot_id == snapshot.snapshot_id
    connection.execute(update(snapshots).where(this).values(published=last + 1))
    return replace(snapshot, published=last + 1)


def _typed(value: Any, column: Column[Any]) -> Any:
    try:
        return date.fromisoformat(value) if isinstance(column.type, Date) else value
    except ValueError:
        raise BadCursor("the cursor was changed; start without a cursor") from None
