"""What the warning engine sees, for one that runs as its own process: positions, suppliers, sources.

Each answer names its content by a strong ETag and the run it is of, so that an engine fetches only what has
changed and never mixes two runs.
"""

import datetime as dt
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from serving.api.formats import (
    chosen_format,
    entity_tag,
    every_page,
    is_known,
    json_response,
    not_modified,
    page_response,
    stream_response,
)
from serving.api.questions import Asked, Here, Service
from serving.api.routes import ERRORS, UNCHANGED, headers_of
from serving.api.schemas import Row, SnapshotPage
from serving.results import to_records
from serving.store.store import CHUNK

router = APIRouter(prefix="/v1", responses=ERRORS, tags=["stock"])


class PositionOut(Row):
    """What a warning rule can see of one sku at one location, in units, money and days."""

    on_hand: float | None
    inbound: float | None
    projected: float | None = Field(description="At the end of the lead time.")
    stockout_probability: float | None
    days_to_stockout: float | None


class PositionPage(SnapshotPage):
    """Positions."""

    data: list[PositionOut]


class TableOut(BaseModel):
    """All rows of a small table."""

    as_of: dt.date
    data: list[dict[str, Any]]


@router.get("/positions", summary="What the rules see", response_model=PositionPage, responses=UNCHANGED)
def positions(request: Request, ask: Asked, here: Here) -> Response:
    """Stock, levels, risk, outlook and attributes of each sku at each location, as the last run saw them."""
    form = chosen_format(request, ask.format)
    snapshot = here.store.watched(ask.sku, ask.location, ask.cursor)
    tag = entity_tag("positions", snapshot.content_digest, form, ask.model_dump())
    headers = headers_of(tag, here, snapshot)
    if is_known(request, tag):
        return not_modified(headers)
    place = (ask.sku, ask.location)
    if form != "json":
        every = every_page(lambda after: here.store.positions(*place, limit=CHUNK, cursor=after, of=snapshot))
        return stream_response(every, form, headers)
    page = here.store.positions(*place, limit=ask.limit, cursor=ask.cursor, of=snapshot)
    return page_response(page, headers, as_of=snapshot.as_of)


@router.get("/suppliers", summary="How reliable suppliers are", response_model=TableOut, responses=UNCHANGED)
def suppliers(request: Request, here: Here) -> Response:
    """Each supplier's share on time, lead time and trend, what is overdue, and how many items wait for it."""
    return _table(request, here, "suppliers")


@router.get("/sources", summary="How fresh the data are", response_model=TableOut, responses=UNCHANGED)
def sources(request: Request, here: Here) -> Response:
    """Each source's last date, by how much it lags, and whether its figures disagree."""
    return _table(request, here, "sources")


def _table(request: Request, here: Service, name: str) -> Response:
    snapshot = here.store.snapshot()
    as_of, run = pd.Timestamp(snapshot.as_of), snapshot.results_digest
    tag = entity_tag(here.results.digest(name, as_of, run), as_of)
    headers = headers_of(tag, here, snapshot)
    if is_known(request, tag):
        return not_modified(headers)
    rows = to_records(here.results.read(name, as_of, run=run))
    return json_response({"as_of": snapshot.as_of, "data": rows}, headers)
