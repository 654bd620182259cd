"""Claims: how workers take what is due from the outbox, and say what became of it.

A worker claims what is due for a while; who dies while sending loses the claim, and another sends it again
under the same name. On PostgreSQL workers step over what others hold (SKIP LOCKED), on SQLite they queue for
the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, func, or_, select, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite

from serving.store.database import reading, stepping_over
from serving.store.rows import add
from serving.store.schema import Moment, channel_states, deliveries, notices
from warning.notices import Notice
from warning.outbox import Bucket, full_bucket, name_of, parcels, refill, take
from warning.routing import Channel

FAR = 1000  # notices that one claim looks at


@dataclass(frozen=True)
class Parcel:
    """Notices that go out as one message, claimed by a worker until `until`.

    parcel_id: the notice's own name where it goes alone; the same in every attempt
    attempts: including the one that is due now
    """

    parcel_id: str
    channel: str
    notices: tuple[Notice, ...]
    attempts: int
    until: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    state: sent, queued (to be tried again at `due_at`) or dead
    detail: what the receiver said; no secret
    blocked_until: before which the channel must not be used at all
    """

    state: str
    detail: str
    due_at: datetime | None = None
    blocked_until: datetime | None = None


class Outbox:
    """The notices of one database, for those who deliver them and those who ask about them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(
        self, channel: Channel, worker: str, now: datetime, lease: timedelta, *, most: int, at_once: int
    ) -> list[Parcel]:
        """What is due on a channel and may be sent now, claimed for `lease`; the oldest first.

        most: notices in one message; at_once: messages
        """
        with stepping_over(self._engine) as connection:
            bucket = _open_bucket(connection, channel, now)
            if bucket is None:
                return []
            waiting = _waiting(connection, channel, now)
            together = 1 if channel.digest is not None and channel.together is not None else channel.together
            fresh = parcels([row["notice_id"] for row in waiting if not row["parcel"]], together, most)
            groups = [*dict.fromkeys(row["parcel"] for row in waiting if row["parcel"])]
            named: dict[str, list[str]] = {group: [] for group in groups} | {
                ids[0] if len(ids) == 1 else name_of(*ids): ids for ids in fresh
            }
            bucket, granted = take(bucket, min(len(named), at_once))
            chosen = list(named)[:granted]
            for parcel_id in chosen:
                _hold(connection, parcel_id, named[parcel_id], worker, now + lease)
            connection.execute(
                update(channel_states)
                .where(channel_states.c.channel == channel.name)
                .values(tokens=bucket.tokens, filled_at=bucket.filled_at)
            )
            return [_parcel(connection, parcel_id, now + lease) for parcel_id in chosen]

    def settle(self, parcel: Parcel, worker: str, outcome: Outcome, now: datetime) -> None:
        """Note what became of an attempt.

        What arrived has arrived, whoever holds it by now; of a failure only the one who holds it may speak.
        """
        mine = [notices.c.parcel == parcel.parcel_id, notices.c.state == "queued"]
        if outcome.state != "sent":
            mine.append(notices.c.lease_by == worker)
        values: dict[str, Any] = {"state": outcome.state, "reason": outcome.detail, "lease_by": None}
        values |= {"lease_until": None, "sent_at": now if outcome.state == "sent" else None}
        values |= {"due_at": outcome.due_at} if outcome.due_at else {}
        said = {"queued": "retry"}.get(outcome.state, outcome.state)
        with stepping_over(self._engine) as connection:
            ids = (
                connection.execute(select(notices.c.notice_id).where(*mine).with_for_update()).scalars().all()
            )
            connection.execute(update(notices).where(notices.c.notice_id.in_(ids)).values(values))
            tried = [
                {"notice_id": each, "at": now, "outcome": said, "detail": outcome.detail} for each in ids
            ]
            add(connection, deliveries, tried)
            if outcome.blocked_until is not None:
                connection.execute(
                    update(channel_states)
                    .where(channel_states.c.channel == parcel.channel)
                    .values(blocked_until=outcome.blocked_until)
                )

    def redrive(self, now: datetime, channel: str | None = None, ids: Sequence[str] = ()) -> int:
        """Queue what was given up once more, under the same names; gives how many notices that are."""
        chosen = [notices.c.state == "dead"]
        chosen += [notices.c.channel == channel] if channel else []
        chosen += [notices.c.notice_id.in_(ids)] if ids else []
        with stepping_over(self._engine) as connection:
            found = connection.execute(
                update(notices)
                .where(*chosen)
                .values(state="queued", attempts=0, due_at=now, lease_until=None)
            )
            return found.rowcount

    def next_due(self, channels: Iterable[str]) -> datetime | None:
        """When the next notice of these channels may be claimed, as far as its channel's rate allows; None
        where none is queued.
        """
        due, rested = notices.c.due_at, channel_states.c.blocked_until
        when = _later(_later(due, func.coalesce(notices.c.lease_until, due)), func.coalesce(rested, due))
        query = (
            select(type_coerce(func.min(when), Moment))
            .select_from(notices.outerjoin(channel_states, channel_states.c.channel == notices.c.channel))
            .where(notices.c.state == "queued", notices.c.channel.in_(list(channels)))
        )
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none()

    def find(
        self,
        *,
        state: str | None = None,
        channel: str | None = None,
        alert_id: str | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Notices as they stand, the newest first."""
        asked = {"state": state, "channel": channel, "alert_id": alert_id}
        chosen = [notices.c[name] == value for name, value in asked.items() if value is not None]
        query = select(notices).where(*chosen)
        query = query.order_by(notices.c.created_at.desc(), notices.c.notice_id).limit(limit)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def attempts(self, notice_id: str) -> list[dict[str, Any]]:
        """at, outcome, detail of every attempt to deliver a notice, in order."""
        columns = [deliveries.c[name] for name in ("at", "outcome", "detail")]
        query = select(*columns).where(deliveries.c.notice_id == notice_id)
        with reading(self._engine) as connection:
            found = connection.execute(query.order_by(deliveries.c.delivery_id)).mappings()
            return [dict(row) for row in found]

    def count(self) -> dict[tuple[str, str], int]:
        """How many notices there are per channel and state."""
        query = select(notices.c.channel, notices.c.state, func.count()).group_by(
            notices.c.channel, notices.c.state
        )
        with reading(self._engine) as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _later(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((one > other, one), else_=other)


def _open_bucket(connection: Connection, channel: Channel, now: datetime) -> Bucket | None:
    """What a channel may send now; None where another worker has it, or its receiver asked for a rest."""
    rested = full_bucket(channel.per_minute, now)
    new = {"channel": channel.name, "tokens": rested.tokens, "filled_at": rested.filled_at}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(channel_states).values(new).on_conflict_do_nothing())
    query = select(channel_states).where(channel_states.c.channel == channel.name)
    row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
    if row is None or (row["blocked_until"] is not None and row["blocked_until"] > now):
        return None
    return refill(Bucket(row["tokens"], row["filled_at"]), channel.per_minute, now)


def _waiting(connection: Connection, channel: Channel, now: datetime) -> list[dict[str, Any]]:
    free = or_(notices.c.lease_until.is_(None), notices.c.lease_until <= now)
    query = select(notices.c.notice_id, notices.c.parcel).where(
        notices.c.state == "queued", notices.c.channel == channel.name, notices.c.due_at <= now, free
    )
    query = query.order_by(notices.c.created_at, notices.c.event_id, notices.c.notice_id).limit(FAR)
    return [dict(row) for row in connection.execute(query.with_for_update(skip_locked=True)).mappings()]


def _hold(connection: Connection, parcel_id: str, ids: Sequence[str], worker: str, until: datetime) -> None:
    members = notices.c.notice_id.in_(ids) if ids else notices.c.parcel == parcel_id
    connection.execute(
        update(notices)
        .where(members, notices.c.state == "queued")
        .values(parcel=parcel_id, lease_by=worker, lease_until=until, attempts=notices.c.attempts + 1)
    )


def _parcel(connection: Connection, parcel_id: str, until: datetime) -> Parcel:
    query = select(notices).where(notices.c.parcel == parcel_id, notices.c.state == "queued")
    rows = connection.execute(query.order_by(notices.c.created_at, notices.c.notice_id)).mappings().all()
    told = tuple(Notice(row["notice_id"], row["event"], row["message"], row["created_at"]) for row in rows)
    return Parcel(parcel_id, rows[0]["channel"], told, rows[0]["attempts"], until)
