"""Questions: the parameters that a route understands; any other is refused, so that a typo is not ignored."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from serving.api.formats import Format
from serving.results import Results
from serving.settings import Settings
from serving.standby import Standby
from serving.store.store import Store


@dataclass(frozen=True)
class Service:
    """What the routes ask.

    today: the business date, asked for at each request
    standby: answers what-ifs
    settings: of the workspace
    """

    store: Store
    results: Results
    today: Callable[[], date]
    standby: Standby
    settings: Settings


def _service(request: Request) -> Service:
    return request.app.state.service


Here = Annotated[Service, Depends(_service)]


class Question(BaseModel):
    """A list of rows by sku and location, in pages."""

    model_config = ConfigDict(extra="forbid")

    sku: str | None = Field(None, description="Only this sku.")
    location: str | None = Field(None, description="Only this location.")
    limit: int = Field(100, ge=1, le=1000, description="Rows of a JSON page.")
    cursor: str | None = Field(None, max_length=2000, description="`next_cursor` of the page before.")
    format: Format | None = Field(
        None, description="Overrules Accept. All but json give everything, without pages."
    )


class ForecastQuestion(Question):
    """Which forecasts."""

    cumulative: bool = Field(False, description="Of sums over the next periods instead of single periods.")


class ThresholdQuestion(Question):
    """Which thresholds."""

    valid_from: date | Literal["all"] | None = Field(
        None,
        description="Those of the review periods that begin on this date, or `all` that are coming; without "
        "it, those in force.",
    )


class PlanQuestion(Question):
    """Which recommended orders."""

    supplier: str | None = Field(None, description="Only from this supplier.")


class AlertQuestion(Question):
    """Which alerts."""

    tier: Literal["notice", "warning", "critical"] | None = Field(None, description="Only this tier.")
    rule: str | None = Field(None, description="Only of this rule.")
    state: Literal["unresolved", "all", "open", "acknowledged", "acted", "resolved", "reviewed"] = Field(
        "unresolved", description="`unresolved` is every state before resolved."
    )
    attention: Literal["now", "queued", "silenced"] | None = Field(
        None, description="`now` is what is brought to its owner today."
    )
    owner: str | None = Field(None, max_length=200, description="Only of this owner.")
    q: str | None = Field(None, max_length=200, description="Part of a sku, name, location or title.")


Asked = Annotated[Question, Query()]
AskedForecasts = Annotated[ForecastQuestion, Query()]
AskedThresholds = Annotated[ThresholdQuestion, Query()]
AskedPlan = Annotated[PlanQuestion, Query()]
AskedAlerts = Annotated[AlertQuestion, Query()]
