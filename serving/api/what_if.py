"""What-ifs over HTTP: a question with plans to try out, bounded in size, and the forecast before and after.

A POST because it has a body; it changes nothing, so that it needs no Idempotency-Key.
"""

import datetime as dt
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from forecasting.cumulative import CumulativeDemand
from serving.api.bodies import Bounded
from serving.api.formats import json_response
from serving.api.problems import ProblemOut
from serving.api.questions import Here
from serving.api.routes import ERRORS
from serving.api.schemas import Row
from serving.pipeline import cumulative_forecast
from serving.results import to_records
from serving.standby import MOST_SERIES, Place
from serving.what_if import given_plans

MOST_ROWS = 500  # of plans in a question
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
Cell = str | float | bool | None
Level = Annotated[float, Field(gt=0, lt=1)]
Horizon = Annotated[int, Field(ge=1, le=1000)]


class PlanIn(BaseModel):
    """A row of plans; its contract is that of the table `plans`."""

    model_config = ConfigDict(extra="forbid")

    date: Cell = Field(None, description="The period it is for; or start and end.", examples=["2026-03-14"])
    start: Cell = Field(None, description="First date.")
    end: Cell = Field(None, description="Last date.")
    sku: Cell = Field(None, description="Only this sku; what is left out means all.")
    location: Cell = Field(None, description="Only this location.")
    category: Cell = Field(None, description="Only this category.")
    promotion: Cell = Field(
        None, description="Depth 0–1 or a flag; 0 takes a promotion out.", examples=[0.25]
    )
    price: Cell = Field(None, description="Money per unit.")
    event: Cell = Field(None, description="Name of an event, or the kind of the promotion.")


class WhatIfIn(BaseModel):
    """What if these plans were announced now?"""

    model_config = ConfigDict(extra="forbid")

    plans: list[PlanIn] = Field(
        min_length=1, max_length=MOST_ROWS, description="Laid over the stored plans, cell by cell."
    )
    replace: bool = Field(False, description="Nothing stored of promotions, prices and events stands.")
    sku: str | None = Field(None, description="Only this sku.")
    location: str | None = Field(None, description="Only this location.")
    category: str | None = Field(
        None,
        description=f"Only this category. With none of the three, the series that the plans speak of; "
        f"at most {MOST_SERIES} series.",
    )
    horizons: list[Horizon] | None = Field(
        None, min_length=1, max_length=50, description="Periods summed; such as 7, 14, 28."
    )
    levels: list[Level] = Field(
        list(LEVELS), min_length=1, max_length=50, description="Quantile levels in (0, 1)."
    )


class WhatIfRow(Row):
    """Demand summed over the next `horizon` periods, units; columns q0.5, q0.5_before … are quantiles."""

    horizon: int
    mean: float = Field(description="Expected under the plans that are tried out.")
    mean_before: float = Field(description="Expected under the stored plans.")
    mean_difference: float
    method: str = Field(description="What made the row.")


class WhatIfOut(BaseModel):
    """The forecast before and after."""

    as_of: dt.date = Field(description="First date of the last complete period known; the plans begin after.")
    model_version: str
    notes: list[str] = Field(description="What of the plans was passed over, or that the model reads none.")
    data: list[WhatIfRow]


MORE: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemOut, "description": "The workspace has moved on since the last run."},
    413: {"model": ProblemOut, "description": "The question is too large."},
}
router = APIRouter(prefix="/v1", responses=ERRORS | MORE, route_class=Bounded)


@router.post(
    "/forecasts:what-if", tags=["demand"], summary="Forecast under other plans", response_model=WhatIfOut
)
def what_if(ask: WhatIfIn, here: Here) -> Response:
    """Mean and quantiles of sums before and after plans that are tried out; nothing is stored.

    The model of the last run answers, as if the plans had been announced at its as-of date. The first
    question after a run takes longer: its data are read into memory.
    """
    tried = given_plans([plan.model_dump() for plan in ask.plans], "plans")
    snapshot = here.store.watched(ask.sku, ask.location)
    found = here.standby.compare(
        snapshot,
        tried,
        Place(ask.sku, ask.location, ask.category),
        longest=max(ask.horizons or [1]),
        instead=ask.replace,
    )

    def form(demand: CumulativeDemand) -> pd.DataFrame:
        return cumulative_forecast(demand, ask.horizons, sorted(set(ask.levels)))

    body = {"as_of": snapshot.as_of, "model_version": snapshot.model_version, "notes": list(found.notes)}
    rows = to_records(found.side_by_side(form))
    return json_response({**body, "data": rows}, {"Cache-Control": "private, no-store"})
