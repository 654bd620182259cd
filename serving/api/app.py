"""The application: routes, pages, errors and the edge, put together around a store and its results."""

import logging
from collections.abc import Callable, Collection
from datetime import date

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ingestion.errors import Problem
from serving.api import alert_routes, approvals, review_routes, rule_routes, watch_routes, what_if
from serving.api.edge import Edge, log_requests, names_of
from serving.api.health import make_health
from serving.api.metrics import Metrics
from serving.api.problems import describe, respond
from serving.api.questions import Service
from serving.api.routes import router
from serving.results import Results
from serving.settings import Settings
from serving.standby import Standby
from serving.store.database import Unavailable
from serving.store.store import Store
from serving.web.frame import Frame
from serving.web.pages import Pages
from serving.web.review_pages import ReviewPages
from serving.web.rule_pages import RulePages

log = logging.getLogger(__name__)

TAGS = [
    {"name": "demand", "description": "What will be asked for."},
    {"name": "stock", "description": "Levels, risk and what to order."},
    {"name": "alerts", "description": "What needs a person."},
    {"name": "rules", "description": "What is watched, and what nobody wants to hear of."},
    {"name": "reviews", "description": "What came of it, and what to change."},
    {"name": "operation", "description": "For those who run the service."},
]


def create_app(
    settings: Settings,
    store: Store,
    results: Results,
    *,
    today: Callable[[], date] = date.today,
    hosts: Collection[str] = (),
) -> FastAPI:
    """The service over one store; it writes its access log to standard error.

    settings: host (under whose name, beside loopback's, it answers), currency and language
    today: the business date, asked for at each request; what is older than it shows as stale
    hosts: further names to answer to, such as that of the proxy in front
    """
    log_requests()
    metrics = Metrics(store)
    standby = Standby(settings)
    frame = Frame(store, currency=settings.currency, language=settings.language, today=today)
    app = FastAPI(
        title="forestock",
        summary="Inventory early warning: forecasts, dynamic thresholds, stockout risk and alerts.",
        version="1",
        openapi_url="/v1/openapi.json",
        openapi_tags=TAGS,
        docs_url=None,  # its pages load scripts from elsewhere, which the service's own policy forbids
        redoc_url=None,
    )
    app.state.service = Service(store, results, today, standby, settings)
    app.include_router(router)
    app.include_router(what_if.router)
    app.include_router(watch_routes.router)
    app.include_router(rule_routes.router)
    app.include_router(alert_routes.router)
    app.include_router(review_routes.router)
    app.include_router(approvals.router)
    app.include_router(make_health(store, metrics))
    Pages(frame, results, standby, settings.desk).install(app)
    RulePages(frame, results, settings).install(app)
    ReviewPages(frame, settings).install(app)

    def answer(request: Request, error: Exception) -> Response:
        """A problem, for a program or for a person."""
        problem = describe(error)
        if isinstance(error, Unavailable):
            log.error("request %s: %s", request.state.request_id, error)
        if _is_for_programs(request):
            return respond(problem, request.state.request_id)
        return frame.error(request, problem.status, problem.detail, problem.remedy)

    for kind in (Problem, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)
    app.add_middleware(Edge, metrics=metrics, answer=answer, names=names_of(settings.host, hosts))
    return app


def _is_for_programs(request: Request) -> bool:
    path = request.url.path
    return path.startswith("/v1/") or path in ("/healthz", "/readyz", "/metrics", "/v1")
