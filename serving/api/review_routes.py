"""Looking back over HTTP: the months that were reviewed, and the proposals with their decisions."""

from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from serving.api.bodies import Written
from serving.api.formats import json_response
from serving.api.questions import Here
from serving.api.routes import ERRORS
from serving.proposing import decide
from serving.store.store import Missing

NO_STORE = {"Cache-Control": "private, no-store"}
DECISIONS: dict[str, Literal["approved", "declined", "rolled_back"]] = {
    "approve": "approved",
    "decline": "declined",
    "rollback": "rolled_back",
}

router = APIRouter(prefix="/v1", responses=ERRORS, tags=["reviews"], route_class=Written)


class DecisionIn(BaseModel):
    """Who decides on a proposal, and why."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=200)
    reason: str = Field("", max_length=2000)


class ReviewsOut(BaseModel):
    """The months that were reviewed, the latest first."""

    data: list[str]


class ReviewOut(BaseModel):
    """One month: its figures and those of the month before; null = nothing to measure."""

    month: str
    kpis: dict[str, float | None]
    before: dict[str, float | None]
    outcomes: dict[str, int]
    prevented: int


class ProposalsOut(BaseModel):
    """Proposals, the newest first, each with what it would have done."""

    data: list[dict[str, Any]]


@router.get("/reviews", summary="Months reviewed", response_model=ReviewsOut)
def reviews(here: Here) -> Response:
    """`forestock review` adds one."""
    return json_response({"data": here.store.outcomes.months()}, NO_STORE)


@router.get("/reviews/{month}", summary="A month in figures", response_model=ReviewOut)
def review(month: str, here: Here) -> Response:
    """KPIs, and what came of the warnings that opened in the month."""
    figures = here.store.outcomes.reviewed(month)
    if figures is None:
        raise Missing(f"{month!r} was not reviewed; list the months: GET /v1/reviews")
    whole = pd.Period(month, "M")
    counts, prevented = here.store.outcomes.counts(whole.start_time.date(), whole.end_time.date())
    before = here.store.outcomes.reviewed(str(whole - 1)) or {}
    told = {"month": month, "kpis": figures, "before": before, "outcomes": counts, "prevented": prevented}
    return json_response(told, NO_STORE)


@router.get("/proposals", summary="Proposed changes", response_model=ProposalsOut)
def proposals(
    here: Here,
    state: Literal["proposed", "approved", "declined", "rolled_back", "outdated"] | None = None,
) -> Response:
    """Of rules, targets and training, by the tuner and by people."""
    return json_response({"data": [one.as_row() for one in here.store.proposals.list(state)]}, NO_STORE)


@router.post("/proposals/{proposal_id}:approve", summary="Carry a proposal out")
def approve(proposal_id: str, ask: DecisionIn, here: Here) -> Response:
    """As a new version of its rule, or of a segment's target."""
    return _decide(proposal_id, "approve", ask, here)


@router.post("/proposals/{proposal_id}:decline", summary="Say no to a proposal")
def decline(proposal_id: str, ask: DecisionIn, here: Here) -> Response:
    """It is not made again."""
    return _decide(proposal_id, "decline", ask, here)


@router.post("/proposals/{proposal_id}:rollback", summary="Take a proposal back")
def rollback(proposal_id: str, ask: DecisionIn, here: Here) -> Response:
    """As another version."""
    return _decide(proposal_id, "rollback", ask, here)


def _decide(proposal_id: str, what: str, ask: DecisionIn, here: Here) -> Response:
    parts = here.settings, here.store, proposal_id, DECISIONS[what]
    done = decide(*parts, by=ask.by, reason=ask.reason, at=datetime.now(UTC))
    return json_response(done.as_row(), NO_STORE)
