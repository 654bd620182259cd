"""Routes of /v1: each translates a question to the store or the results, and the answer to a format."""

from datetime import date
from typing import Any

import pandas as pd
from fastapi import APIRouter, Request
from starlette.responses import Response

from ingestion.warehouse import Warehouse
from serving.api.formats import (
    Format,
    chosen_format,
    entity_tag,
    every_page,
    is_known,
    json_response,
    not_modified,
    page_response,
    stream_response,
)
from serving.api.problems import ProblemOut
from serving.api.questions import (
    Asked,
    AskedAlerts,
    AskedForecasts,
    AskedPlan,
    AskedThresholds,
    Here,
    Question,
    Service,
)
from serving.api.schemas import (
    AlertLife,
    AlertPage,
    ForecastPage,
    PlanPage,
    RiskPage,
    ThresholdPage,
    WorklistOut,
)
from serving.results import to_records
from serving.store.alerts import AlertFilter
from serving.store.snapshots import Snapshot
from serving.store.store import CHUNK
from warning.worklist import NOW, groups

WRONG = {
    400: "A cursor or another value that cannot be meant.",
    404: "Not watched, or not computed by the run.",
    406: "No such format.",
    422: "A parameter breaks its rule.",
    503: "Nothing published yet, or the store or the results are out of reach.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOut, "description": text} for status, text in WRONG.items()
}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The asker holds this content already."}}

router = APIRouter(prefix="/v1", responses=ERRORS)


@router.get("/forecasts", tags=["demand"], summary="Forecast demand", response_model=ForecastPage)
def forecasts(request: Request, ask: AskedForecasts, here: Here) -> Response:
    """Mean and quantiles of demand per period ahead, or of its sum."""
    return _large(request, here, "cumulative" if ask.cumulative else "forecast", ask)


@router.get("/risk", tags=["stock"], summary="Stockout risk", response_model=RiskPage)
def risk(request: Request, ask: Asked, here: Here) -> Response:
    """Chance of having run out, and what is expected to be lost, by period ahead."""
    return _large(request, here, "risk", ask)


@router.get(
    "/thresholds",
    tags=["stock"],
    summary="Thresholds in force",
    response_model=ThresholdPage,
    responses=UNCHANGED,
)
def thresholds(request: Request, ask: AskedThresholds, here: Here) -> Response:
    """Dynamic levels with their explanation; a strong ETag names the content: asking again is cheap.

    With valid_from those of coming review periods, which move before the season or promotion does.
    """
    form = chosen_format(request, ask.format)
    snapshot = here.store.watched(ask.sku, ask.location, ask.cursor)
    valid_until = here.store.valid_until(snapshot)
    degraded = valid_until is not None and valid_until < here.today()
    content = snapshot.thresholds_digest
    if ask.valid_from is not None:
        content = here.results.digest("thresholds", pd.Timestamp(snapshot.as_of), snapshot.results_digest)
    tag = entity_tag(content, snapshot.as_of, degraded, form, ask.model_dump())
    headers = headers_of(tag, here, snapshot) | {"Forestock-Degraded": str(degraded).lower()}
    if is_known(request, tag):
        return not_modified(headers)
    if ask.valid_from is not None:
        about = {"valid_until": valid_until, "degraded": degraded}
        begins = None if ask.valid_from == "all" else ask.valid_from
        return _rows(here, "thresholds", ask, form, headers, snapshot, valid_from=begins, about=about)
    if form != "json":
        every = every_page(
            lambda after: here.store.thresholds(ask.sku, ask.location, limit=CHUNK, cursor=after, of=snapshot)
        )
        return stream_response(every, form, headers)
    page = here.store.thresholds(ask.sku, ask.location, limit=ask.limit, cursor=ask.cursor, of=snapshot)
    return page_response(page, headers, as_of=snapshot.as_of, valid_until=valid_until, degraded=degraded)


@router.get("/plan", tags=["stock"], summary="Recommended orders", response_model=PlanPage)
def plan(request: Request, ask: AskedPlan, here: Here) -> Response:
    """What to order now, from whom, at what cost."""
    form = chosen_format(request, ask.format)
    snapshot = here.store.watched(ask.sku, ask.location, ask.cursor)
    place = (ask.sku, ask.location, ask.supplier)
    if form != "json":
        every = every_page(lambda after: here.store.orders(*place, limit=CHUNK, cursor=after, of=snapshot))
        return stream_response(every, form, _headers())
    page = here.store.orders(*place, limit=ask.limit, cursor=ask.cursor, of=snapshot)
    return page_response(page, _headers(), as_of=snapshot.as_of)


@router.get("/alerts", tags=["alerts"], summary="Alerts by money at risk", response_model=AlertPage)
def alerts(request: Request, ask: AskedAlerts, here: Here) -> Response:
    """The worklist, the most money at risk first."""
    form = chosen_format(request, ask.format)
    here.store.check_known(ask.sku, ask.location)
    place = (ask.sku, ask.location, ask.tier, ask.rule)
    chosen = AlertFilter(*place, ask.state, ask.q, ask.attention, ask.owner)
    if form != "json":
        every = every_page(lambda after: here.store.alerts(chosen, CHUNK, after))
        return stream_response(every, form, _headers())
    return page_response(here.store.alerts(chosen, ask.limit, ask.cursor), _headers())


@router.get("/worklist", tags=["alerts"], summary="What belongs together", response_model=WorklistOut)
def worklist(here: Here) -> Response:
    """Alerts that are brought to their owners, by place and supplier: one call or order settles a group."""
    found = pd.concat(
        list(every_page(lambda after: here.store.alerts(AlertFilter(attention=NOW), CHUNK, after)))
    )
    return json_response({"data": to_records(groups(found))}, _headers())


@router.get(
    "/alerts/{alert_id}", tags=["alerts"], summary="One alert and its audit", response_model=AlertLife
)
def alert(alert_id: str, here: Here) -> Response:
    """An alert with every step of its life."""
    found, events = here.store.alert(alert_id)
    return json_response({"alert": to_records(found)[0], "events": to_records(events)}, _headers())


def _large(request: Request, here: Service, name: str, ask: Question) -> Response:
    """Rows of a table of results."""
    form = chosen_format(request, ask.format)
    snapshot = here.store.watched(ask.sku, ask.location, ask.cursor)
    as_of, run = pd.Timestamp(snapshot.as_of), snapshot.results_digest
    tag = entity_tag(here.results.digest(name, as_of, run), as_of, form, ask.model_dump())
    headers = _headers(tag)
    if is_known(request, tag):
        return not_modified(headers)
    return _rows(here, name, ask, form, headers, snapshot)


def _rows(
    here: Service,
    name: str,
    ask: Question,
    form: Format,
    headers: dict[str, str],
    snapshot: Snapshot,
    *,
    valid_from: date | None = None,
    about: dict[str, Any] | None = None,
) -> Response:
    """What a table of results answers, in the format that was chosen."""
    as_of, run = pd.Timestamp(snapshot.as_of), snapshot.results_digest
    place: dict[str, Any] = {"run": run, "sku": ask.sku, "location": ask.location, "valid_from": valid_from}
    if form != "json":
        return stream_response(here.results.stream(name, as_of, **place), form, headers)
    page = here.results.page(name, as_of, **place, limit=ask.limit, cursor=ask.cursor)
    return page_response(page, headers, as_of=as_of.date(), **(about or {}))


def headers_of(tag: str, here: Service, snapshot: Snapshot) -> dict[str, str]:
    """As for every answer, and of which run it is, up to which business date, and what day it is here."""
    period = Warehouse(here.settings.workspace / "warehouse").period
    return _headers(tag) | {
        "Forestock-Snapshot": snapshot.content_digest,
        "Forestock-As-Of": snapshot.as_of.isoformat(),
        "Forestock-Business-Date": period.end(pd.Timestamp(snapshot.as_of)).date().isoformat(),
        "Forestock-Period": period.name,
        "Forestock-Today": here.today().isoformat(),
    }


def _headers(tag: str | None = None) -> dict[str, str]:
    """An answer may be kept, but must be checked before it is used again."""
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept"}
    return headers | {"ETag": tag} if tag else headers
