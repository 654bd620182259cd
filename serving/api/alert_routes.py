"""Alerts over HTTP: the steps of their lives, who is told of them, and the drafts that come of them.

A step that does not follow is refused with 409. A write with an Idempotency-Key is done once: sent again, it
gets the same answer; with another content, 422.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from serving.api.bodies import Written
from serving.api.formats import json_response
from serving.api.problems import ProblemOut, describe
from serving.api.questions import Here, Service
from serving.api.routes import ERRORS
from serving.responding import MOST, Ask, respond_to_several
from serving.store.lifecycle import Responses, Said
from serving.store.rows import plain
from serving.telling import why

NO_STORE = {"Cache-Control": "private, no-store"}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemOut, "description": "A step that does not follow."},
    415: {"model": ProblemOut, "description": "A change is sent as JSON."},
}
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]

router = APIRouter(prefix="/v1", responses=ERRORS | CONFLICT, tags=["alerts"], route_class=Written)


class StepIn(BaseModel):
    """Who takes a step, and why."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=200, description="A person's name; kept in the audit.")
    reason: str = Field("", max_length=2000)


class AssignIn(StepIn):
    """Who shall answer for an alert."""

    owner: str = Field(max_length=200)


class SnoozeIn(StepIn):
    """Until when an alert is put off."""

    until: AwareDatetime | None = Field(description="null takes it up again.")


class DecisionIn(StepIn):
    """What becomes of a draft."""

    decision: Literal["approved", "rejected", "placed", "withdrawn"]


class StepOut(BaseModel):
    """The alert after a step, the drafts that acting made, and those that covered the need already."""

    alert: dict[str, Any]
    drafts: list[dict[str, Any]] = []
    covered: list[dict[str, Any]] = []


class SeveralIn(StepIn):
    """What to do with several alerts."""

    alerts: list[str] = Field(min_length=1, max_length=MOST, description="Their ids.")
    do: Literal["acknowledge", "act", "resolve", "review", "assign", "snooze", "take_up", "comment"]
    owner: str = Field("", max_length=200, description="Of assign: who shall answer for them.")
    until: AwareDatetime | None = Field(None, description="Of snooze: its end.")


class SeveralOut(BaseModel):
    """The alerts that are done, and why others are not: alert_id, status, detail, remedy."""

    done: list[str]
    refused: list[dict[str, Any]]


class VerdictIn(StepIn):
    """What came of an alert, as a person knows it; the reason says why the computed outcome is wrong."""

    outcome: Literal["hit", "late", "false", "missed"]
    reason: str = Field(min_length=1, max_length=2000)


class VerdictOut(BaseModel):
    """A verdict as it is kept."""

    alert_id: str
    outcome: str
    by: str


class WhyOut(BaseModel):
    """Who was told of an alert, and why somebody was not."""

    alert_id: str
    owner: str
    notices: list[dict[str, Any]] = Field(description="The oldest first, each with its attempts.")
    unheard: dict[str, str] = Field(description="Channels that the owner never hears, with the reason.")
    said: list[str] = Field(description="The same in sentences.")


class DraftOut(BaseModel):
    """A draft after a decision."""

    draft: dict[str, Any]


class DraftsOut(BaseModel):
    """Drafts, the newest first."""

    data: list[dict[str, Any]]


@router.post("/alerts/{alert_id}:assign", summary="Hand an alert to an owner", response_model=StepOut)
def assign(alert_id: str, ask: AssignIn, here: Here, key: Key = None) -> Response:
    """The new owner has until the end of the business day."""
    return _answer(_responses(here).assign(alert_id, ask.owner, _said(ask, key)))


@router.post("/alerts/{alert_id}:snooze", summary="Put an alert off", response_model=StepOut)
def snooze(alert_id: str, ask: SnoozeIn, here: Here, key: Key = None) -> Response:
    """Nobody is told of it meanwhile, unless it gets worse."""
    return _answer(_responses(here).snooze(alert_id, ask.until, _said(ask, key)))


@router.post("/alerts/{alert_id}:comment", summary="Leave a remark", response_model=StepOut)
def comment(alert_id: str, ask: StepIn, here: Here, key: Key = None) -> Response:
    """The reason is what is kept."""
    return _answer(_responses(here).comment(alert_id, _said(ask, key)))


@router.post("/alerts/{alert_id}:acknowledge", summary="Take an alert up", response_model=StepOut)
def acknowledge(alert_id: str, ask: StepIn, here: Here, key: Key = None) -> Response:
    """Of an alert that is open."""
    return _answer(_responses(here).step(alert_id, "acknowledge", _said(ask, key)))


@router.post("/alerts/{alert_id}:act", summary="Act on an alert", response_model=StepOut)
def act(alert_id: str, ask: StepIn, here: Here, key: Key = None) -> Response:
    """Of an alert that is acknowledged; drafts what it recommends, once per cause."""
    return _answer(_responses(here).step(alert_id, "act", _said(ask, key)))


@router.post("/alerts/{alert_id}:resolve", summary="Settle an alert", response_model=StepOut)
def resolve(alert_id: str, ask: StepIn, here: Here, key: Key = None) -> Response:
    """Of an alert that was acted on."""
    return _answer(_responses(here).step(alert_id, "resolve", _said(ask, key)))


@router.post("/alerts/{alert_id}:review", summary="Look at a settled alert", response_model=StepOut)
def review(alert_id: str, ask: StepIn, here: Here, key: Key = None) -> Response:
    """Of an alert that is resolved."""
    return _answer(_responses(here).step(alert_id, "review", _said(ask, key)))


@router.post("/alerts:respond", summary="Work several alerts at once", response_model=SeveralOut)
def respond(ask: SeveralIn, here: Here, key: Key = None) -> Response:
    """Each alert by itself: what cannot be done with one leaves the others done."""
    what = Ask(ask.do, ask.owner, ask.until)
    done, refused = respond_to_several(_responses(here), ask.alerts, what, _said(ask, key))
    told = [(alert_id, describe(problem)) for alert_id, problem in refused.items()]
    return _answer(
        {
            "done": done,
            "refused": [
                {"alert_id": name, "status": one.status, "detail": one.detail, "remedy": one.remedy}
                for name, one in told
            ],
        }
    )


@router.post("/alerts/{alert_id}:verdict", summary="Overrule an outcome", response_model=VerdictOut)
def verdict(alert_id: str, ask: VerdictIn, here: Here) -> Response:
    """The next review counts it so, and tuning learns from it; the same verdict again changes nothing."""
    here.store.outcomes.say(alert_id, ask.outcome, author=ask.by, reason=ask.reason, at=datetime.now(UTC))
    return _answer({"alert_id": alert_id, "outcome": ask.outcome, "by": ask.by})


@router.get("/alerts/{alert_id}/notices", summary="Why somebody was or was not told", response_model=WhyOut)
def notices(alert_id: str, here: Here) -> Response:
    """Every notice of an alert with its attempts, and the reasons for silence."""
    return json_response(why(here.store, here.settings.desk, alert_id), NO_STORE)


@router.get("/drafts", summary="Drafts of orders and clearances", response_model=DraftsOut)
def drafts(
    here: Here,
    state: Annotated[
        Literal["pending", "drafted", "requested", "approved", "rejected", "placed", "withdrawn"] | None,
        Query(description="pending is drafted, requested or approved."),
    ] = None,
    alert_id: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """The newest first."""
    found = _responses(here).drafts(state=state, alert_id=alert_id, limit=limit)
    return json_response({"data": [plain(each) for each in found]}, NO_STORE)


@router.post("/drafts/{draft_id}:decide", summary="Decide on a draft", response_model=DraftOut)
def decide(draft_id: str, ask: DecisionIn, here: Here, key: Key = None) -> Response:
    """By a person; a system sends its decision to /v1/approvals."""
    return _answer(_responses(here).decide(draft_id, ask.decision, _said(ask, key)))


def _responses(here: Service) -> Responses:
    return here.store.responses(here.settings.desk)


def _said(ask: StepIn, key: str | None) -> Said:
    return Said(ask.by, datetime.now(UTC), ask.reason, f"api:{key}" if key else "")


def _answer(found: dict[str, Any]) -> Response:
    return json_response(found, NO_STORE)
