"""The alert page: one alert's life, and the steps a person takes from it.

A form must come from a page of ours: browsers say where a request comes from, and any other place is refused.
Who takes a step is typed once and remembered in a cookie until there are accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pandas as pd
from starlette.requests import Request

from ingestion.errors import Problem
from serving.results import to_records
from serving.store.lifecycle import Responses, Said
from serving.store.store import Store
from serving.web.overview import Line, line
from serving.web.words import Words
from warning.lifecycle import LIVE, MOVES, STEPS
from warning.routing import Desk

MOST_BYTES = 8192  # of a form
SNOOZES = (1, 3, 7)  # days that the page offers
WHO = "who"  # the cookie that remembers a name


class ElsewhereError(Problem):
    """A form that was not sent from a page of ours."""


@dataclass(frozen=True)
class Told:
    """One event or notice as the page lists it."""

    at: str
    what: str
    who: str
    text: str


@dataclass(frozen=True)
class AlertView:
    """What the template shows of an alert.

    step: the step that may follow; "" where none may
    deadline, snoozed_until: local times, "" where there are none; is_overdue: the deadline has passed
    """

    line: Line
    step: str
    deadline: str
    is_overdue: bool
    snoozed_until: str
    is_live: bool
    owners: tuple[str, ...]
    drafts: list[dict[str, Any]]
    events: list[Told]
    notices: list[Told]
    who: str


def alert_view(store: Store, desk: Desk, alert_id: str, words: Words, now: datetime, who: str) -> AlertView:
    """An alert's page; Missing where there is none.

    who: the name that the browser remembers
    """
    found, events = store.alert(alert_id)
    alert, zone = to_records(found)[0], desk.hours.zone
    row = found.iloc[0]
    step = next((step for step in STEPS if MOVES[step].before == alert["state"]), "")
    waits = alert["state"] in ("open", "acknowledged")
    return AlertView(
        line=line(alert, words),
        step=step,
        deadline=_moment(row["deadline"], zone, words),
        is_overdue=waits and pd.notna(row["deadline"]) and row["deadline"] < now,
        snoozed_until=_moment(row["snoozed_until"], zone, words),
        is_live=alert["state"] in LIVE,
        owners=tuple(desk.owners),
        drafts=store.responses(desk).drafts(alert_id=alert_id),
        events=[
            Told(
                _moment(each["at"], zone, words),
                words.known("event", each["event"]),
                words("actor.engine") if each["actor"] == "engine" else each["actor"],
                _reason(each["detail"]),
            )
            for each in events.to_dict("records")
        ],
        notices=[
            Told(
                _moment(each["sent_at"] or each["due_at"], zone, words),
                words.known("event", each["event"]),
                each["channel"],
                " ".join(part for part in (words.known("notice", each["state"]), each["reason"]) if part),
            )
            for each in reversed(store.outbox.find(alert_id=alert_id, limit=100))
        ],
        who=who,
    )


def check_here(request: Request) -> None:
    """ElsewhereError unless the browser says that a form comes from a page of this service."""
    origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "same-origin")
    if urlsplit(origin).netloc != request.headers.get("host") or site != "same-origin":
        raise ElsewhereError(
            f"a form is sent from a page of this service, this one came from {origin or 'nowhere'!r}; "
            f"open the page and send it from there, or use the API"
        )


async def bounded_body(request: Request) -> bytes:
    """A form's content; Problem where it is larger than any of ours."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Problem(f"a form has at most {MOST_BYTES} bytes, got more; write less")
    return body


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form."""
    return {name: value.strip() for name, value in parse_qsl(body.decode("utf-8", "replace"))}


def respond(responses: Responses, alert_id: str, form: Mapping[str, str], now: datetime) -> None:
    """Do what a form asks for; Problem says why it cannot be done."""
    said, what = Said(form.get("by", ""), now, form.get("reason", "")[:2000]), form.get("do", "")
    if what in STEPS:
        responses.step(alert_id, what, said)
    elif what == "assign":
        responses.assign(alert_id, form.get("owner", ""), said)
    elif what == "comment":
        responses.comment(alert_id, said)
    elif what == "take_up":
        responses.snooze(alert_id, None, said)
    elif what == "snooze" and form.get("days", "").isdigit():
        responses.snooze(alert_id, now + timedelta(days=int(form["days"])), said)
    else:
        raise Problem(f"the page offers {', '.join(STEPS)} and more, got {what!r}; use its buttons")


def _moment(at: datetime | None, zone: ZoneInfo, words: Words) -> str:
    """A local time in words."""
    if at is None or pd.isna(at):
        return ""
    here = at.astimezone(zone)
    return f"{words.day(here.date(), here.date())} {here:%H:%M}"


def _reason(detail: Mapping[str, Any]) -> str:
    """What a person said with a step, or the engine's own word."""
    return str(detail.get("reason") or detail.get("resolution") or "")
