"""Rules and silences over HTTP: what is in force, what a change would fire, and saving it.

Saving the same again changes nothing; a silence is made once per Idempotency-Key.
"""

import datetime as dt
from datetime import UTC, datetime
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serving.api.bodies import Written
from serving.api.formats import json_response
from serving.api.questions import Here, Service
from serving.api.routes import ERRORS
from serving.hindsight import kept_days
from serving.results import to_records
from serving.store.rules import Rules
from serving.store.store import Missing
from serving.watching import business_date
from warning.outbox import name_of
from warning.preview import preview
from warning.rulebook import Saved, changed, spec_of
from warning.selection import nearest
from warning.silences import Silence, make_silence

MOST_RULES, MOST_DAYS, MOST_TOLD = 100, 92, 500
NO_STORE = {"Cache-Control": "private, no-store"}
Entry = dict[str, Any]

router = APIRouter(prefix="/v1", responses=ERRORS, tags=["rules"], route_class=Written)


class RulesIn(BaseModel):
    """Rules by name and what changes of them; a new rule names its kind and tiers."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Entry] = Field(
        min_length=1, max_length=MOST_RULES, examples=[[{"name": "overstock", "tiers": {"notice": 0.5}}]]
    )


class PreviewIn(RulesIn):
    """Rules to try on the last days whose facts were kept."""

    days: int = Field(30, ge=1, le=MOST_DAYS)


class SaveIn(RulesIn):
    """Rules to save as new versions."""

    author: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)
    valid_from: dt.date | None = Field(
        None, description="First business date; the last one evaluated if left out."
    )


class SilenceIn(BaseModel):
    """Quiet about the alerts that meet all of the selector."""

    model_config = ConfigDict(extra="forbid")

    selector: dict[str, str | list[str]] = Field(min_length=1, examples=[{"location": "S1"}])
    reason: str = Field(min_length=1, max_length=2000)
    author: str = Field(min_length=1, max_length=200)
    ends_at: datetime
    starts_at: datetime | None = Field(None, description="Now if left out.")


class RulesOut(BaseModel):
    """The rules in force on a business date, in the order in which they speak."""

    as_of: dt.date
    data: list[Entry]


class VersionsOut(BaseModel):
    """One rule: what is in force, and every version that was saved."""

    in_force: Entry | None
    versions: list[Entry]


class PreviewOut(BaseModel):
    """What rules would have fired, against those in force."""

    summary: dict[str, Any]
    daily: list[dict[str, Any]]
    differences: list[dict[str, Any]]


class SavedOut(BaseModel):
    """The versions that were added; none where nothing changes."""

    data: list[Entry]


class SilenceOut(BaseModel):
    """A silence."""

    silence_id: str
    selector: dict[str, list[str]]
    reason: str
    author: str
    starts_at: datetime
    ends_at: datetime


class SilencesOut(BaseModel):
    """Silences that hold or will."""

    data: list[SilenceOut]


@router.get("/rules", summary="Rules in force", response_model=RulesOut)
def rules(here: Here) -> Response:
    """What is watched on the business date that was evaluated last."""
    day = business_date(here.settings, here.store)
    found = _book(here).in_force(day)
    return json_response({"as_of": day, "data": [spec_of(rule) for rule in found]}, NO_STORE)


@router.get("/rules/{name}", summary="One rule and its versions", response_model=VersionsOut)
def rule(name: str, here: Here) -> Response:
    """What a rule says now, who changed it when and why."""
    book = _book(here)
    now = {rule.name: rule for rule in book.in_force(business_date(here.settings, here.store))}
    versions = book.versions(name)
    if name not in now and not versions:
        raise Missing(f"there is no rule {name!r}; {nearest(name, list(now))}")
    told = [_version(one) for one in versions]
    return json_response(
        {"in_force": spec_of(now[name]) if name in now else None, "versions": told}, NO_STORE
    )


@router.post("/rules:preview", summary="What a change would fire", response_model=PreviewOut)
def try_rules(ask: PreviewIn, here: Here) -> Response:
    """Alerts a day over the last days, against the rules in force, and what differs; nothing is saved."""
    now = _book(here).in_force(business_date(here.settings, here.store))
    seen = kept_days(here.settings, here.store, here.results, ask.days)
    found = preview(changed(now, ask.rules), now, seen.days)
    told = found.summary() | {"notes": [*seen.notes, *found.notes]}
    body = {"summary": told, "daily": to_records(found.daily)}
    return json_response({**body, "differences": to_records(found.differences.head(MOST_TOLD))}, NO_STORE)


@router.post("/rules", summary="Save rules as new versions", response_model=SavedOut)
def save_rules(ask: SaveIn, here: Here) -> Response:
    """A version, one higher, of each rule that really changes."""
    book, day = _book(here), ask.valid_from or business_date(here.settings, here.store)
    here.store.check_rules(book.would_be(ask.rules, day))
    saved = book.save(ask.rules, day, datetime.now(UTC), author=ask.author, reason=ask.reason)
    return json_response({"data": [_version(one) for one in saved]}, NO_STORE)


@router.get("/silences", summary="Silences", response_model=SilencesOut)
def silences(here: Here) -> Response:
    """Those that hold or will, the last to end first."""
    found = here.store.silences.list(datetime.now(UTC))
    return json_response({"data": [_silence(one) for one in found]}, NO_STORE)


@router.post("/silences", summary="Silence alerts", response_model=SilenceOut)
def add_silence(
    ask: SilenceIn, here: Here, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> Response:
    """The alerts are opened, measured and ended as ever, but nobody is told and no worklist shows them."""
    now = datetime.now(UTC)
    silence = make_silence(
        ask.selector,
        ask.reason,
        ask.author,
        _aware(here, ask.starts_at) or now,
        _aware(here, ask.ends_at) or now,
        name=name_of("silence", idempotency_key) if idempotency_key else None,
    )
    kept = here.store.silences.add(silence, now)
    here.store.attend(now, here.settings.desk)
    return json_response(_silence(kept), NO_STORE)


@router.post("/silences/{silence_id}:end", summary="End a silence", response_model=SilenceOut)
def end_silence(silence_id: str, here: Here) -> Response:
    """End it now; what is still open comes to its owners."""
    now = datetime.now(UTC)
    ended = here.store.silences.end(silence_id, now)
    here.store.attend(now, here.settings.desk)
    return json_response(_silence(ended), NO_STORE)


def _book(here: Service) -> Rules:
    return here.store.rules(here.settings.rules)


def _version(one: Saved) -> Entry:
    about = {"version": one.rule.version, "valid_from": one.rule.valid_from, "enabled": one.enabled}
    return {**about, "author": one.author, "reason": one.reason, "rule": spec_of(one.rule)}


def _silence(one: Silence) -> dict[str, Any]:
    moments = {"starts_at": one.starts_at.isoformat(), "ends_at": one.ends_at.isoformat()}
    return {**vars(one), "selector": {name: list(values) for name, values in one.selector.items()}, **moments}


def _aware(here: Service, moment: datetime | None) -> datetime | None:
    """A moment with its time zone; one without is the workspace's."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return pd.Timestamp(moment, tz=here.settings.desk.hours.zone).to_pydatetime()
