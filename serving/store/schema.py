"""The tables of the store.

A snapshot is what one run published: thresholds, positions and recommended orders, never changed
afterwards; only its place among the publications moves up when it is published again. Alerts live across
snapshots; what happened to them is told by `alert_events`, which only grows. `notices` is the outbox: what is
to be told to whom, written in the transaction that gives the reason.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A point in time, kept in UTC on every database; naive values are refused."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Turn an aware time into naive UTC, which every database keeps the same way."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment must carry its time zone, got {value!r}; pass datetime.now(UTC)")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give the time back as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _item() -> tuple[Column[Any], ...]:
    """Key columns of what a snapshot says about one sku at one location."""
    return (
        Column("snapshot_id", ForeignKey("snapshots.snapshot_id", ondelete="CASCADE"), primary_key=True),
        Column("sku", String, primary_key=True),
        Column("location", String, primary_key=True),
    )


def _numbers(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, Double) for name in names)


def _words(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, String) for name in names)


def _moments(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, Moment) for name in names)


snapshots = Table(
    "snapshots",
    metadata,
    Column("snapshot_id", Integer, primary_key=True),
    Column("as_of", Date, nullable=False),
    Column("data_digest", String, nullable=False),
    Column("model_version", String, nullable=False),
    # Of the rows published: the same run again finds itself, a changed one becomes a new snapshot.
    Column("content_digest", String, nullable=False),
    Column("thresholds_digest", String, nullable=False),
    # Names the larger tables of the same run; empty where they are those written last for the date.
    Column("results_digest", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    # Counts publications: of several runs on the same data, the last one published is in force.
    Column("published", Integer, nullable=False),
    UniqueConstraint(
        *("as_of", "data_digest", "model_version", "content_digest", "results_digest"),
        name="uq_snapshots_publication",
    ),
)

thresholds = Table(
    "thresholds",
    metadata,
    *_item(),
    Column("valid_from", Date, primary_key=True),
    Column("valid_until", Date, nullable=False),
    Column("measure", String),
    Column("target", Double),
    Column("supplier", String),
    *_numbers("lead_time_mean", "lead_time_q50", "lead_time_q90", "lead_time_q95", "review_periods"),
    *_numbers("protection_mean", "protection_sd"),
    *_numbers("protection_q50", "protection_q90", "protection_q95", "protection_q99"),
    *_numbers("safety_stock", "reorder_point", "order_up_to", "overstock_level"),
    *_numbers("from_demand", "from_lead_time", "from_review"),
    Column("explanation", String),
    Column("lead_time_source", String),
    Column("model_version", String),
    Column("data_as_of", Date),
    Column("content_hash", String, nullable=False),
    Column("explanation_zh", String),
    *_numbers("beyond_horizon", "never_delivered"),
    Column("more", JSON),
)

positions = Table(
    "positions",
    metadata,
    *_item(),
    Column("name", String),
    Column("category", String),
    *_numbers("on_hand", "inbound", "projected", "stockout_probability", "days_to_stockout"),
    # Whatever else the alert arithmetic used, so that an alert can be worked out again.
    Column("more", JSON),
)

orders = Table(
    "orders",
    metadata,
    Column("snapshot_id", ForeignKey("snapshots.snapshot_id", ondelete="CASCADE"), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("sku", String, nullable=False),
    Column("location", String, nullable=False),
    Column("supplier", String),
    Column("quantity", Double, nullable=False),
    Column("order_on", Date),
    Column("arrives_on", Date),
    *_numbers("unit_cost", "cost", "position"),
    Column("reason", String),
    Column("more", JSON),
    Index(None, "snapshot_id", "sku", "location"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("sku", String, nullable=False),
    Column("location", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("state", String, nullable=False),
    Column("money_at_risk", Double),  # unknown where the unit's cost and price are
    Column("opened_on", Date, nullable=False),
    Column("updated_on", Date, nullable=False),
    Column("resolved_on", Date),
    Column("title", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("recommendation", JSON),
    *_numbers("on_hand", "inbound", "projected", "threshold", "stockout_probability", "days_to_stockout"),
    Column("data_as_of", Date),
    Column("data_digest", String),
    Column("model_version", String),
    *_words("kind", "previous_tier", "change", "resolution"),
    *_words("remedy", "title_zh", "reason_zh", "remedy_zh"),
    *_numbers("units_at_risk", "measure", "bound", "stock", "reserved"),
    *_numbers("safety_stock", "reorder_point", "order_up_to"),
    # Who answers for it by when, and what people did about it.
    *_words("owner", "escalated_to"),
    *_moments("deadline", "acknowledged_at", "acted_at", "snoozed_until", "escalated_at"),
    # An item, or the supplier or source that `about` names ("" for an item); supplier: who delivers.
    Column("about", String, nullable=False, default=""),
    *_words("subject", "supplier", "data_state"),
    # Whether it is brought to its owner (now, queued or silenced), since when, and why the owner is not told.
    *_words("attention", "muted"),
    Column("attention_on", Date),
    Index(None, "sku", "location"),
)

UNRESOLVED = alerts.c.resolved_on.is_(None)

# One unresolved alert per cause, whoever writes.
Index(
    "uq_alerts_unresolved_fingerprint",
    alerts.c.fingerprint,
    unique=True,
    sqlite_where=UNRESOLVED,
    postgresql_where=UNRESOLVED,
)

# What rules in shadow would have opened: nobody is shown or told of it.
shadow_alerts = Table(
    "shadow_alerts",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("sku", String, nullable=False),
    Column("location", String, nullable=False),
    Column("about", String, nullable=False),
    *_words(
        "supplier", "tier", "state", "change", "resolution", "data_state", "data_digest", "model_version"
    ),
    *_numbers("money_at_risk", "units_at_risk", "measure", "bound", "threshold", "on_hand", "projected"),
    Column("opened_on", Date, nullable=False),
    Column("updated_on", Date, nullable=False),
    Column("resolved_on", Date),
    Column("data_as_of", Date),
)

SHADOW_UNRESOLVED = shadow_alerts.c.resolved_on.is_(None)

Index(
    "uq_shadow_alerts_unresolved_fingerprint",
    shadow_alerts.c.fingerprint,
    unique=True,
    sqlite_where=SHADOW_UNRESOLVED,
    postgresql_where=SHADOW_UNRESOLVED,
)

# Breaches that have not lasted long enough to open an alert, as of the last evaluation.
pending_breaches = Table(
    "pending_breaches",
    metadata,
    Column("shadow", Boolean, primary_key=True),
    Column("rule", String, primary_key=True),
    Column("sku", String, primary_key=True),
    Column("location", String, primary_key=True),
    Column("about", String, primary_key=True),
    Column("since", Date, nullable=False),
)

# Every version of every rule that was saved; the last that holds on a date is in force.
rules = Table(
    "rules",
    metadata,
    Column("name", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("enabled", Boolean, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("saved_at", Moment, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("silence_id", String, primary_key=True),
    Column("selector", JSON, nullable=False),
    Column("reason", String, nullable=False),
    Column("author", String, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=False),  # counted without a gap
    Column("alert_id", String, nullable=False),
    Column("event", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("hash", String, nullable=False),  # over the row and the hash of the one before it
    ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"]),
    Index(None, "alert_id"),
)

# How many events there are and the hash of the last: what was cut off the end is missed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("head", Integer, primary_key=True, autoincrement=False),
    Column("events", Integer, nullable=False),
    Column("hash", String, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("notice_id", String, primary_key=True),  # the same in every attempt to deliver it
    Column("alert_id", String),
    Column("event_id", Integer),
    Column("event", String, nullable=False),
    Column("channel", String, nullable=False),
    *_words("owner", "tier"),
    Column("state", String, nullable=False),  # queued, sent, dead (given up) or skipped (never to be sent)
    Column("reason", String, nullable=False),  # why it was skipped, or what the last attempt met
    Column("message", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Notices that go out as one message, fixed when it is first tried.
    Column("parcel", String),
    Column("lease_by", String),
    *_moments("lease_until", "sent_at"),
    ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"]),
    Index(None, "alert_id"),
    Index(None, "state", "channel", "due_at"),
    Index(None, "parcel"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Integer, primary_key=True),
    Column("notice_id", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("outcome", String, nullable=False),  # sent, retry or dead
    Column("detail", String, nullable=False),
    ForeignKeyConstraint(["notice_id"], ["notices.notice_id"]),
    Index(None, "notice_id"),
)

channel_states = Table(
    "channel_states",
    metadata,
    Column("channel", String, primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("filled_at", Moment, nullable=False),
    Column("blocked_until", Moment),
)

drafts = Table(
    "drafts",
    metadata,
    Column("draft_id", String, primary_key=True),
    Column("cause", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("alert_id", String, nullable=False),
    Column("sku", String, nullable=False),
    Column("location", String, nullable=False),
    *_words("supplier", "source"),
    *_numbers("quantity", "cost"),
    Column("order_by", Date),
    Column("arrives_on", Date),
    Column("state", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String, nullable=False),
    Column("decided_at", Moment),
    *_words("decided_by", "reason"),
    ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"]),
    Index(None, "alert_id"),
)

PENDING = drafts.c.state.in_(("drafted", "requested", "approved"))

# One request under way per cause, whoever asks.
Index(
    "uq_drafts_pending_cause",
    drafts.c.cause,
    unique=True,
    sqlite_where=PENDING,
    postgresql_where=PENDING,
)

# Writes that must be done once, by the key their sender gave them.
answered = Table(
    "answered",
    metadata,
    Column("key", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("at", Moment, nullable=False),
)

# What came of each alert, as it was judged last; and of stockouts that no alert spoke of.
outcomes = Table(
    "outcomes",
    metadata,
    Column("alert_id", String, primary_key=True),  # or the name of a stockout that was missed
    Column("chain", String, nullable=False),
    *_words("rule", "kind", "sku", "location"),
    Column("opened_on", Date, nullable=False),
    Column("outcome", String, nullable=False),
    Column("avoidable", Boolean, nullable=False),
    Column("prevented", Boolean, nullable=False),
    *_numbers("time_left", "needed"),
    Column("judged_by", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("judged_at", Moment, nullable=False),
    Index(None, "opened_on"),
)

# What people say of an outcome; the last one with a reason stands.
verdicts = Table(
    "verdicts",
    metadata,
    Column("verdict_id", Integer, primary_key=True),
    Column("alert_id", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("author", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("at", Moment, nullable=False),
    Index(None, "alert_id"),
)

# The figures of a month, so that the next one can be held against them.
reviews = Table(
    "reviews",
    metadata,
    Column("month", String, primary_key=True),  # 2026-10
    Column("figures", JSON, nullable=False),
    Column("made_at", Moment, nullable=False),
)

# Changes that past days speak for; what is approved holds until it is rolled back.
proposals = Table(
    "proposals",
    metadata,
    Column("proposal_id", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("kind", "column", "segment", "rule")),
    *(Column(name, JSON, nullable=False) for name in ("change", "undo", "now", "then", "why")),
    Column("state", String, nullable=False),  # proposed, approved, rolled_back or outdated
    Column("made_at", Moment, nullable=False),
    Column("decided_at", Moment),
    *_words("decided_by", "reason"),
)

# Service targets that were approved; of one segment the last one to begin holds.
targets = Table(
    "targets",
    metadata,
    Column("target_id", Integer, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("column", "segment", "author", "reason")),
    Column("target", Double, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("saved_at", Moment, nullable=False),
)
