"""Approvals: where a system sends what became of a draft that went out to it, signed.

The signature (Standard Webhooks) covers id, time and body; what is older than five minutes is refused. The id
is done once: sent again, the callback gets the same answer and changes nothing.
"""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ingestion.errors import Problem
from serving.api.alert_routes import CONFLICT, NO_STORE, DraftOut
from serving.api.bodies import Bounded
from serving.api.formats import json_response
from serving.api.problems import ProblemOut
from serving.api.questions import Here, Service
from serving.api.routes import ERRORS
from serving.store.lifecycle import Said, UnknownAlertError
from warning.channels.webhooks import verify

UNSIGNED: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemOut, "description": "Not signed, by another secret, or too long ago."}
}

router = APIRouter(prefix="/v1", responses=ERRORS | CONFLICT | UNSIGNED, tags=["alerts"], route_class=Bounded)


class ApprovalIn(BaseModel):
    """What became of a draft."""

    model_config = ConfigDict(extra="ignore")

    draft_id: str = Field(max_length=64)
    decision: Literal["approved", "rejected", "placed", "withdrawn"]
    by: str = Field(min_length=1, max_length=200)
    reason: str = Field("", max_length=2000)


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ApprovalIn.model_json_schema()}},
    },
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ],
}


@router.post("/approvals", summary="Tell what became of a draft", response_model=DraftOut, openapi_extra=BODY)
async def approve(request: Request, here: Here) -> Response:
    """The body is a decision, or a CloudEvent whose data is one."""
    body = await request.body()
    return await run_in_threadpool(_decide, here, dict(request.headers), body)


def _decide(here: Service, headers: dict[str, str], body: bytes) -> Response:
    desk = here.settings.desk
    if not desk.approvals:
        raise UnknownAlertError("no approvals are asked for here; name a channel under [approvals]")
    channel = desk.channels[desk.approvals]
    message_id = verify(channel.secret, headers, body, channel.name)
    ask = _read(body)
    said = Said(ask.by, datetime.now(UTC), ask.reason, f"callback:{message_id}")
    found = here.store.responses(desk).decide(ask.draft_id, ask.decision, said)
    return json_response(found, NO_STORE)


def _read(body: bytes) -> ApprovalIn:
    try:
        content = json.loads(body)
    except ValueError:
        raise Problem("an approval is JSON, this is not; send draft_id, decision and by") from None
    if isinstance(content, dict) and "specversion" in content:
        content = content.get("data")
    try:
        return ApprovalIn.model_validate(content)
    except ValidationError as error:
        wrong = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from None
