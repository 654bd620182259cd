"""The alert page: one alert's life, who was told and why somebody was not, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from serving.results import to_records
from serving.store.drafts import next_decisions
from serving.store.store import Missing, Store
from serving.web.overview import Line, line
from serving.web.words import Words
from warning.lifecycle import LIVE, MOVES, STEPS
from warning.routing import Desk, unheard


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
    drafts: each with `may`, the decisions that may follow
    silent: why somebody is not told
    outcome: what was computed of it, "" where it was not judged yet; verdict: what a person said of it last
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
    silent: list[str]
    outcome: str
    verdict: Mapping[str, Any] | None


def alert_view(store: Store, desk: Desk, alert_id: str, words: Words, now: datetime) -> AlertView:
    """An alert's page; Missing where there is none."""
    found, events = store.alert(alert_id)
    alert, zone = to_records(found)[0], desk.hours.zone
    row = found.iloc[0]
    step = next((step for step in STEPS if MOVES[step].before == alert["state"]), "")
    waits = alert["state"] in ("open", "acknowledged")
    judged = store.outcomes.of(alert_id)
    return AlertView(
        line=line(alert | {"name": _name(store, alert)}, words),
        step=step,
        deadline=_moment(row["deadline"], zone, words),
        is_overdue=waits and pd.notna(row["deadline"]) and row["deadline"] < now,
        snoozed_until=_moment(row["snoozed_until"], zone, words),
        is_live=alert["state"] in LIVE,
        owners=tuple(desk.owners),
        drafts=[
            {**draft, "may": next_decisions(draft["state"])}
            for draft in store.responses(desk).drafts(alert_id=alert_id)
        ],
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
        silent=_silent(alert, unheard(desk, alert["owner"] or desk.last_owner), words, bool(desk.channels)),
        outcome=words.known("outcome", judged["outcome"]) if judged else "",
        verdict=store.outcomes.verdict_on(alert_id),
    )


def _name(store: Store, alert: Mapping[str, Any]) -> str | None:
    """The item's name; None where the alert is about something else, or the item is no longer watched."""
    if alert.get("about"):
        return None
    try:
        found = store.positions(alert["sku"], alert["location"], limit=1).rows["name"]
    except Missing:
        return None
    return found.iloc[0] if len(found) else None


def _silent(alert: Mapping[str, Any], deaf: Mapping[str, str], words: Words, has_channels: bool) -> list[str]:
    """Why its owner, or a channel, is not told of an alert."""
    found = [str(alert["muted"])] if alert.get("muted") else []
    found += [words("alert.told.never", channel=channel, reason=reason) for channel, reason in deaf.items()]
    return found if has_channels else [*found, words("alert.told.nowhere")]


def _moment(at: datetime | None, zone: ZoneInfo, words: Words) -> str:
    """A local time in words."""
    if at is None or pd.isna(at):
        return ""
    here = at.astimezone(zone)
    return f"{words.day(here.date(), here.date())} {here:%H:%M}"


def _reason(detail: Mapping[str, Any]) -> str:
    """What a person said with a step, or the engine's own word."""
    return str(detail.get("reason") or detail.get("resolution") or "")
