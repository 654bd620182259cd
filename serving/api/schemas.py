"""Schemas: the shape of every answer, for those who write programs against it."""

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    """A row about one sku at one location; more columns may follow."""

    model_config = ConfigDict(extra="allow")

    sku: str
    location: str


class ForecastOut(Row):
    """Demand of one period, or (cumulative) of the sum of the next `horizon` periods, in units."""

    date: dt.date | None = Field(None, description="First date of the period.")
    horizon: int | None = Field(None, description="Periods summed, where cumulative.")
    mean: float | None = Field(None, description="Expected units; columns q0.5, q0.95 … are quantiles.")


class ThresholdOut(Row):
    """The levels in force for one sku at one location, in units, with what they were made of."""

    valid_from: dt.date
    valid_until: dt.date
    measure: str | None
    target: float | None = Field(description="A share in (0, 1).")
    supplier: str | None
    lead_time_mean: float | None = Field(description="Periods.")
    protection_mean: float | None = Field(description="Demand expected over lead time and review, units.")
    safety_stock: float | None
    reorder_point: float | None
    order_up_to: float | None
    overstock_level: float | None
    from_demand: float | None = Field(
        description="Part of the safety stock that demand's uncertainty asks for."
    )
    from_lead_time: float | None = Field(description="Part that the lead time's uncertainty asks for.")
    from_review: float | None = Field(description="Part that review period and lot size ask for.")
    explanation: str | None
    content_hash: str


class RiskOut(Row):
    """Risk up to the end of one period ahead."""

    date: dt.date
    horizon: int
    stockout_probability: float | None = Field(description="Chance of having run out by then.")
    expected_on_hand: float | None
    expected_lost_units: float | None
    expected_lost_money: float | None
    unavoidable_probability: float | None = Field(description="What the next order cannot avert.")
    unavoidable_lost_units: float | None


class OrderOut(Row):
    """A recommended order."""

    kind: str
    supplier: str | None
    quantity: float
    order_on: dt.date | None
    arrives_on: dt.date | None
    unit_cost: float | None
    cost: float | None
    position: float | None = Field(description="Stock and orders that the quantity was worked out from.")
    reason: str | None


class AlertOut(Row):
    """One alert: what, where, how bad, why, what to do."""

    alert_id: str
    fingerprint: str
    rule: str
    rule_version: int
    tier: str = Field(description="notice, warning or critical.")
    state: str = Field(description="open, acknowledged, acted, resolved or reviewed.")
    owner: str | None = Field(None, description="Who answers for it.")
    deadline: dt.datetime | None = Field(None, description="By when.")
    snoozed_until: dt.datetime | None = Field(None, description="Until when nobody is told of it.")
    about: str = Field(description="The supplier or source it is about; empty for an item.")
    supplier: str | None = Field(description="Who delivers: with the location, what belongs together.")
    attention: str | None = Field(description="now, queued (beyond the owner's capacity) or silenced.")
    data_state: str | None = Field(description="known, or why it cannot be measured: unknown or stale.")
    money_at_risk: float | None
    opened_on: dt.date
    updated_on: dt.date
    resolved_on: dt.date | None
    title: str
    reason: str
    recommendation: dict[str, Any] | None
    on_hand: float | None
    inbound: float | None
    projected: float | None
    threshold: float | None
    stockout_probability: float | None
    days_to_stockout: float | None
    data_as_of: dt.date | None
    data_digest: str | None
    model_version: str | None


class EventOut(BaseModel):
    """One step of an alert's life."""

    event: str
    at: dt.datetime
    actor: str = Field(description="Who did it; engine where nobody asked for it.")
    detail: dict[str, Any]


class AlertLife(BaseModel):
    """An alert with its audit, oldest first."""

    alert: AlertOut
    events: list[EventOut]


class PageOut(BaseModel):
    """A page: `next_cursor` asks for the next one, null at the end."""

    total: int
    next_cursor: str | None


class SnapshotPage(PageOut):
    """A page of one run's output."""

    as_of: dt.date = Field(description="First date of the last complete period that the run knew.")


class ForecastPage(SnapshotPage):
    """Forecasts."""

    data: list[ForecastOut]


class ThresholdPage(SnapshotPage):
    """Thresholds; `degraded` where they are no longer valid today."""

    valid_until: dt.date | None
    degraded: bool
    data: list[ThresholdOut]


class RiskPage(SnapshotPage):
    """Risks."""

    data: list[RiskOut]


class PlanPage(SnapshotPage):
    """Recommended orders."""

    data: list[OrderOut]


class AlertPage(PageOut):
    """Alerts, the most money at risk first."""

    data: list[AlertOut]


class GroupOut(BaseModel):
    """Alerts of one supplier at one place; about a supplier or source, the place is empty."""

    location: str
    supplier: str
    alerts: int
    tier: str = Field(description="The gravest of them.")
    money_at_risk: float = Field(description="Unknown money counts as none.")
    worst: str = Field(description="Id of the alert with the most money at risk.")


class WorklistOut(BaseModel):
    """What belongs together, the most money at risk first."""

    data: list[GroupOut]


class Health(BaseModel):
    """Whether the process lives."""

    status: str


class Ready(BaseModel):
    """Whether it can answer, and what is in the way."""

    ready: bool
    store: bool
    migrations: bool
    snapshot: dt.date | None
    remedy: str
