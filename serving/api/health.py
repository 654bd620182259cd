"""Health: for those who run the service, not for those who use it."""

import logging

from fastapi import APIRouter
from starlette.responses import Response

from serving.api.formats import json_response
from serving.api.metrics import Metrics
from serving.api.problems import OUT_OF_REACH
from serving.api.schemas import Health, Ready
from serving.store.store import Store

log = logging.getLogger(__name__)


def make_health(store: Store, metrics: Metrics) -> APIRouter:
    """The router of /healthz, /readyz and /metrics."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="Does the process live?", response_model=Health)
    def health() -> Response:
        """Always fine while the process answers."""
        return json_response({"status": "ok"})

    @router.get("/readyz", summary="Can it answer?", response_model=Ready, responses={503: {"model": Ready}})
    def readiness() -> Response:
        """Whether the store is reachable, its schema is the present one, and a run has been published."""
        found = store.ready()
        if not found.reachable:
            log.error("the store cannot serve: %s", found.remedy)
        answer = json_response(
            {
                "ready": found.ready,
                "store": found.reachable,
                "migrations": found.migrated,
                "snapshot": found.snapshot.as_of if found.snapshot else None,
                "remedy": found.remedy if found.reachable else OUT_OF_REACH,
            }
        )
        answer.status_code = 200 if found.ready else 503
        return answer

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    def prometheus() -> Response:
        """Requests, their times, and what is watched."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
