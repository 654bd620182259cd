"""Problems: errors as RFC 9457 problem+json, each with a remedy.

A message of ours states rule, value and remedy, the remedy after the last semicolon; here it gets its status.
"""

import json
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ingestion.errors import DataError, Problem
from serving.results import Absent, Lost, to_records
from serving.standby import Busy, Outdated
from serving.store.database import Unavailable
from serving.store.drafts import IllegalDecisionError
from serving.store.lifecycle import KeyReusedError, UnknownAlertError
from serving.store.paging import BadCursor
from serving.store.silences import UnknownSilenceError
from serving.store.store import Empty, Missing
from serving.web.forms import ElsewhereError
from serving.what_if import RejectedError
from warning.channels.webhooks import UnsignedError
from warning.lifecycle import IllegalStepError

# Where the store is and why it fails is for those who run the service: they find it in the log.
OUT_OF_REACH = "the store is out of reach; try again in a minute, the service's log says why"
# The more specific kind first; `Problem` itself is anything else that the asker can mend.
STATUS: tuple[tuple[type[Problem], int], ...] = (
    (Missing, 404),
    (UnknownAlertError, 404),
    (UnknownSilenceError, 404),
    (Absent, 404),
    (UnsignedError, 401),
    (ElsewhereError, 403),
    (IllegalStepError, 409),
    (IllegalDecisionError, 409),
    (KeyReusedError, 422),
    (BadCursor, 400),
    (Empty, 503),
    (Busy, 503),
    (Outdated, 409),
    (Lost, 503),
    (Unavailable, 503),
    (DataError, 422),
    (Problem, 400),
)
REMEDIES = {
    404: "check the address; the routes are listed at /v1/openapi.json",
    405: "use a method that /v1/openapi.json names for this address",
    413: "ask for less at once",
    415: "send it as JSON, with Content-Type: application/json",
    500: "try again; if it stays, report the request id",
}


class ProblemOut(BaseModel):
    """An error and its remedy, as RFC 9457 problem details."""

    type: str = Field(examples=["urn:forestock:problem:missing"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="What is wrong: the rule and the value.")
    remedy: str = Field(description="What to do about it.")
    request_id: str = Field(description="Names the request in the service's logs.")
    errors: list[dict[str, Any]] | None = Field(
        None, description="Each wrong parameter, or each wrong row with its column."
    )


def describe(error: Exception) -> ProblemOut:
    """What an error says to the one who asked; nothing of an unforeseen error's inside."""
    if isinstance(error, Problem):
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        said = OUT_OF_REACH if isinstance(error, Unavailable) else str(error)
        detail, _, remedy = said.rpartition("; ")
        out = _problem(type(error).__name__, status, detail or remedy, remedy)
        rows = to_records(error.faults) if isinstance(error, RejectedError) else None
        return out.model_copy(update={"errors": rows})
    if isinstance(error, RequestValidationError):
        wrong = [_parameter(item) for item in error.errors()]
        first = wrong[0]
        detail = f"{first['parameter']}: {first['rule']}, got {first['value']!r}"
        out = _problem("invalid", 422, detail, f"correct {', '.join(item['parameter'] for item in wrong)}")
        return out.model_copy(update={"errors": wrong})
    if isinstance(error, HTTPException):
        remedy = REMEDIES.get(error.status_code, "check the request")
        return _problem("http", error.status_code, str(error.detail), remedy)
    return _problem("internal", 500, "the service failed to answer", REMEDIES[500])


def respond(problem: ProblemOut, request_id: str) -> Response:
    """The answer that carries a problem."""
    body = problem.model_copy(update={"request_id": request_id}).model_dump(exclude_none=True)
    return Response(
        json.dumps(body, ensure_ascii=False, default=str),
        status_code=problem.status,
        media_type="application/problem+json",
        headers={"Retry-After": "60"} if problem.status == 503 else None,
    )


def _problem(kind: str, status: int, detail: str, remedy: str) -> ProblemOut:
    return ProblemOut(
        type=f"urn:forestock:problem:{kind.lower()}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        remedy=remedy,
        request_id="",
        errors=None,
    )


def _parameter(item: Any) -> dict[str, Any]:
    return {
        "parameter": ".".join(str(part) for part in item["loc"][1:]) or "request",
        "rule": item["msg"],
        "value": item.get("input"),
    }
