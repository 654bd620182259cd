"""Responses: what people do about alerts, each step with its audit event, in one transaction.

Steps, owners, snoozes, comments, and what happens when time passes: snoozes end, deadlines escalate. What may
follow what is `warning.lifecycle`'s to say; a write with a key is done once, however often it is asked for.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, insert, or_, select, update

from ingestion.errors import Problem
from serving.store import audit, drafts, outbox
from serving.store.database import reading, writing
from serving.store.rows import plain
from serving.store.schema import UNRESOLVED, alerts, answered
from warning.lifecycle import WAITING, check_live, check_snooze, next_state
from warning.outbox import name_of
from warning.owners import next_owner
from warning.routing import Desk
from warning.worklist import NOW

STAMPS = {"acknowledged": "acknowledged_at", "acted": "acted_at"}


class UnknownAlertError(Problem):
    """There is no such alert or draft."""


class KeyReusedError(Problem):
    """An idempotency key that came with another request before."""


@dataclass(frozen=True)
class Said:
    """Who said something, when, and why.

    key: names the request; sent again with the same content it changes nothing. "" is never remembered
    """

    by: str
    at: datetime
    reason: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        """Refuse a nobody."""
        if not self.by.strip():
            raise Problem("every step names who takes it, got nobody; give a name")


class Responses:
    """The alerts of one database, for those who work them."""

    def __init__(self, engine: Engine, desk: Desk) -> None:
        self._engine = engine
        self._desk = desk

    def step(self, alert_id: str, step: str, said: Said) -> dict[str, Any]:
        """Take one step of an alert's life; acting also drafts what is recommended.

        Gives the alert, the drafts made and those that cover it already.
        """

        def take(connection: Connection) -> dict[str, Any]:
            alert = _alert(connection, alert_id)
            after = next_state(alert["state"], step)
            values: dict[str, Any] = {"state": after}
            if stamp := STAMPS.get(after):
                values[stamp] = said.at
            if after == "resolved":
                day = max(said.at.astimezone(self._desk.hours.zone).date(), alert["opened_on"])
                values |= {"resolved_on": day, "resolution": "by hand"}
                drafts.settle(connection, [{**alert, **values}], said.at)
            made, covered = drafts.draw(connection, alert, said.by, said.at) if after == "acted" else ([], [])
            if self._desk.approvals:
                self._request(connection, alert, made, said.at)
            detail = {"from": alert["state"], "to": after, "reason": said.reason}
            if made or covered:
                detail["drafts"] = [each["draft_id"] for each in (*made, *covered)]
            alert = self._write(connection, alert, values, after, detail, said)
            return plain({"alert": alert, "drafts": made, "covered": covered})

        return self._once(("step", alert_id, step), said, take)

    def assign(self, alert_id: str, owner: str, said: Said) -> dict[str, Any]:
        """Hand an alert to another owner, who gets until the end of the business day."""
        if owner not in self._desk.owners:
            raise Problem(
                f"an owner is one of {', '.join(self._desk.owners)}, got {owner!r}; add it under [owners]"
            )

        def take(connection: Connection) -> dict[str, Any]:
            alert = _alert(connection, alert_id)
            check_live(alert["state"], "assigned")
            values: dict[str, Any] = {"owner": owner, "deadline": self._desk.hours.deadline(said.at)}
            values |= {"escalated_to": None, "escalated_at": None}
            detail = {"from": alert["owner"], "to": owner, "reason": said.reason}
            return plain({"alert": self._write(connection, alert, values, "assigned", detail, said)})

        return self._once(("assign", alert_id, owner), said, take)

    def snooze(self, alert_id: str, until: datetime | None, said: Said) -> dict[str, Any]:
        """Put an alert off until a moment, or take it up again (None); it is due at the end of that day."""
        if until is not None:
            check_snooze(until, said.at)

        def take(connection: Connection) -> dict[str, Any]:
            alert = _alert(connection, alert_id)
            check_live(alert["state"], "snoozed")
            values: dict[str, Any] = {
                "snoozed_until": until,
                "deadline": self._desk.hours.deadline(until or said.at),
            }
            detail = {"until": until and until.isoformat(), "reason": said.reason}
            event = "snoozed" if until else "taken_up"
            return plain({"alert": self._write(connection, alert, values, event, detail, said)})

        return self._once(("snooze", alert_id, until), said, take)

    def comment(self, alert_id: str, said: Said) -> dict[str, Any]:
        """Leave a remark in an alert's audit."""
        if not said.reason.strip():
            raise Problem("a comment has words, got none; write some")

        def take(connection: Connection) -> dict[str, Any]:
            alert = _alert(connection, alert_id)
            audit.record(connection, [(alert_id, "commented", {"reason": said.reason})], said.at, said.by)
            return plain({"alert": alert})

        return self._once(("comment", alert_id), said, take)

    def decide(self, draft_id: str, decision: str, said: Said) -> dict[str, Any]:
        """Approve, reject, place or withdraw a draft."""

        def take(connection: Connection) -> dict[str, Any]:
            draft = drafts.decide(connection, draft_id, decision, said.by, said.at, said.reason)
            if draft is None:
                raise UnknownAlertError(f"there is no draft {draft_id!r}; list them: GET /v1/drafts")
            if draft["decided_at"] == said.at:
                detail = {"draft": draft_id, "decision": decision, "reason": said.reason}
                audit.record(connection, [(draft["alert_id"], "draft_decided", detail)], said.at, said.by)
            return plain({"draft": draft})

        return self._once(("decide", draft_id, decision), said, take)

    def drafts(
        self, *, state: str | None = None, alert_id: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Drafts, the newest first; state may be pending."""
        with reading(self._engine) as connection:
            return drafts.find(connection, state=state, alert_id=alert_id, limit=limit)

    def pass_time(self, now: datetime) -> int:
        """End snoozes that are over and escalate what nobody acted on in time; gives how many alerts."""
        late = and_(alerts.c.state.in_(WAITING), alerts.c.deadline <= now)
        due = or_(alerts.c.snoozed_until <= now, late)
        with reading(self._engine) as connection:
            if connection.execute(select(alerts.c.alert_id).where(UNRESOLVED, due).limit(1)).first() is None:
                return 0
        with writing(self._engine) as connection:
            found = connection.execute(select(alerts).where(UNRESOLVED, due).order_by(alerts.c.alert_id))
            return sum(self._passed(connection, dict(row), now) for row in found.mappings().all())

    def verify(self) -> str:
        """What is wrong with the audit; "" where it is whole."""
        with reading(self._engine) as connection:
            return audit.verify(connection)

    def _passed(self, connection: Connection, alert: dict[str, Any], now: datetime) -> bool:
        """What the time does to one alert; whether it did anything."""
        said = Said(audit.ENGINE, now)
        until = alert["snoozed_until"]
        if until is not None:
            if until > now:
                return False
            values: dict[str, Any] = {"snoozed_until": None, "deadline": self._desk.hours.deadline(now)}
            self._write(connection, alert, values, "woken", {"until": until.isoformat()}, said)
            return True
        last = alert["escalated_at"]
        if alert["state"] not in WAITING or alert["attention"] not in (None, NOW):
            return False  # it was acted upon, or nobody has been brought it yet
        if last is not None and self._desk.hours.deadline(last) > now:
            return False
        above = next_owner(self._desk.owners, alert)
        if last is not None and not above:
            return False  # there is nobody left to tell
        values = {"escalated_at": now, "escalated_to": above or alert["escalated_to"]}
        detail = {"deadline": alert["deadline"].isoformat(), "to": above or alert["owner"]}
        self._write(connection, alert, values, "overdue", detail, said, told=above)
        return True

    def _request(
        self, connection: Connection, alert: Mapping[str, Any], made: list[dict[str, Any]], at: datetime
    ) -> None:
        """Send drafts out for approval."""
        drafts.request(connection, [each["draft_id"] for each in made])
        for each in made:
            each["state"] = "requested"
            outbox.enqueue_request(connection, self._desk, alert, each, at)

    def _write(
        self,
        connection: Connection,
        alert: dict[str, Any],
        values: dict[str, Any],
        event: str,
        detail: dict[str, Any],
        said: Said,
        told: str = "",
    ) -> dict[str, Any]:
        """Change an alert with its event and what is to be told of it; gives the alert as it is then."""
        connection.execute(update(alerts).where(alerts.c.alert_id == alert["alert_id"]).values(values))
        after = {**alert, **values}
        rows = audit.record(connection, [(alert["alert_id"], event, detail)], said.at, said.by)
        outbox.enqueue(connection, self._desk, rows, {alert["alert_id"]: after}, said.at, told)
        return after

    def _once(
        self, request: tuple[Any, ...], said: Said, take: Callable[[Connection], dict[str, Any]]
    ) -> dict[str, Any]:
        """Answer a request; with a key that was answered before it gets that answer, and nothing else."""
        digest = name_of(*request, said.by, said.reason)
        with writing(self._engine) as connection:
            if said.key:
                query = select(answered.c.digest, answered.c.answer).where(answered.c.key == said.key)
                known = connection.execute(query).first()
                if known is not None and known.digest != digest:
                    raise KeyReusedError(
                        f"the key {said.key!r} came with another request before; use a new one for each"
                    )
                if known is not None:
                    return known.answer
            answer = json.loads(json.dumps(take(connection), default=str))
            if said.key:
                row = {"key": said.key, "digest": digest, "answer": answer, "at": said.at}
                connection.execute(insert(answered).values(row))
            return answer


def _alert(connection: Connection, alert_id: str) -> dict[str, Any]:
    found = connection.execute(select(alerts).where(alerts.c.alert_id == alert_id)).mappings().first()
    if found is None:
        raise UnknownAlertError(f"there is no alert {alert_id!r}; list them: forestock alerts list")
    return dict(found)
