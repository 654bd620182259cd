"""The application: routes, pages, errors and the edge, put together around a store and its results."""

from collections.abc import Callable
from datetime import date
from ipaddress import ip_address

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ingestion.errors import Problem
from serving.api.edge import LOOPBACK, Edge
from serving.api.health import make_health
from serving.api.metrics import Metrics
from serving.api.problems import describe, respond
from serving.api.questions import Service
from serving.api.routes import router
from serving.results import Results
from serving.settings import Settings
from serving.store.store import Store
from serving.web.pages import Pages

TAGS = [
    {"name": "demand", "description": "What will be asked for."},
    {"name": "stock", "description": "Levels, risk and what to order."},
    {"name": "alerts", "description": "What needs a person."},
    {"name": "operation", "description": "For those who run the service."},
]


def create_app(
    settings: Settings,
    store: Store,
    results: Results,
    *,
    today: Callable[[], date] = date.today,
) -> FastAPI:
    """The service over one store.

    settings: host (the only name, beside loopback's, under which it answers), currency and language
    today: the business date, asked for at each request; what is older than it shows as stale
    """
    metrics = Metrics(store)
    pages = Pages(store, results, currency=settings.currency, language=settings.language, today=today)
    app = FastAPI(
        title="forestock",
        summary="Inventory early warning: forecasts, dynamic thresholds, stockout risk and alerts.",
        version="1",
        openapi_url="/v1/openapi.json",
        openapi_tags=TAGS,
        docs_url=None,  # its pages load scripts from elsewhere, which the service's own policy forbids
        redoc_url=None,
    )
    app.state.service = Service(store, results, today)
    app.include_router(router)
    app.include_router(make_health(store, metrics))
    pages.install(app)

    def answer(request: Request, error: Exception) -> Response:
        """A problem, for a program or for a person."""
        problem = describe(error)
        if _is_for_programs(request):
            return respond(problem, request.state.request_id)
        return pages.error(request, problem.status, problem.detail, problem.remedy)

    for kind in (Problem, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)
    app.add_middleware(Edge, metrics=metrics, answer=answer, hosts=_hosts(settings.host))
    return app


def _is_for_programs(request: Request) -> bool:
    path = request.url.path
    return path.startswith("/v1/") or path in ("/healthz", "/readyz", "/metrics", "/v1")


def _hosts(host: str) -> tuple[str, ...]:
    """Names the service answers to; empty is any: who listens everywhere cannot know its names."""
    try:
        everywhere = ip_address(host.strip("[]")).is_unspecified
    except ValueError:  # a name
        everywhere = False
    return () if everywhere else (*LOOPBACK, host)
