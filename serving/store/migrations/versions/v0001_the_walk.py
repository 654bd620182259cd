"""Snapshots with thresholds, positions and orders; alerts with their audit, their notices and drafts."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UNRESOLVED = sa.text("resolved_on IS NULL")
PENDING = sa.text("state IN ('drafted', 'requested', 'approved')")
APPEND_ONLY = "alert_events only grows: neither change nor delete a row"


def upgrade() -> None:
    _snapshots()
    _thresholds()
    _positions_and_orders()
    _alerts()
    _rules()
    _audit()
    _notices()
    _drafts()
    _reviews()


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("snapshot_id", sa.Integer, nullable=False),
        sa.Column("as_of", sa.Date, nullable=False),
        *_words("data_digest", "model_version", "content_digest", "thresholds_digest", nullable=False),
        *_words("results_digest", nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("published", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", name="pk_snapshots"),
        sa.UniqueConstraint(
            *("as_of", "data_digest", "model_version", "content_digest", "results_digest"),
            name="uq_snapshots_publication",
        ),
    )


def _thresholds() -> None:
    op.create_table(
        "thresholds",
        sa.Column("snapshot_id", sa.Integer, nullable=False),
        *_words("sku", "location", nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("valid_until", sa.Date, nullable=False),
        *_words("measure"),
        *_numbers("target"),
        *_words("supplier"),
        *_numbers("lead_time_mean", "lead_time_q50", "lead_time_q90", "lead_time_q95", "review_periods"),
        *_numbers("protection_mean", "protection_sd"),
        *_numbers("protection_q50", "protection_q90", "protection_q95", "protection_q99"),
        *_numbers("safety_stock", "reorder_point", "order_up_to", "overstock_level"),
        *_numbers("from_demand", "from_lead_time", "from_review"),
        *_words("explanation", "lead_time_source", "model_version"),
        sa.Column("data_as_of", sa.Date),
        *_words("content_hash", nullable=False),
        *_words("explanation_zh"),
        *_numbers("beyond_horizon", "never_delivered"),
        sa.Column("more", sa.JSON),
        _of_snapshot("thresholds"),
        sa.PrimaryKeyConstraint("snapshot_id", "sku", "location", "valid_from", name="pk_thresholds"),
    )


def _positions_and_orders() -> None:
    op.create_table(
        "positions",
        sa.Column("snapshot_id", sa.Integer, nullable=False),
        *_words("sku", "location", nullable=False),
        *_words("name", "category"),
        *_numbers("on_hand", "inbound", "projected", "stockout_probability", "days_to_stockout"),
        sa.Column("more", sa.JSON),
        _of_snapshot("positions"),
        sa.PrimaryKeyConstraint("snapshot_id", "sku", "location", name="pk_positions"),
    )
    op.create_table(
        "orders",
        sa.Column("snapshot_id", sa.Integer, nullable=False),
        sa.Column("line", sa.Integer, nullable=False, autoincrement=False),
        *_words("kind", "sku", "location", nullable=False),
        *_words("supplier"),
        sa.Column("quantity", sa.Double, nullable=False),
        sa.Column("order_on", sa.Date),
        sa.Column("arrives_on", sa.Date),
        *_numbers("unit_cost", "cost", "position"),
        *_words("reason"),
        sa.Column("more", sa.JSON),
        _of_snapshot("orders"),
        sa.PrimaryKeyConstraint("snapshot_id", "line", name="pk_orders"),
    )
    op.create_index("ix_orders_snapshot_id_sku_location", "orders", ["snapshot_id", "sku", "location"])


def _alerts() -> None:
    op.create_table(
        "alerts",
        *_words("alert_id", "fingerprint", "rule", nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        *_words("sku", "location", "tier", "state", nullable=False),
        *_numbers("money_at_risk"),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("updated_on", sa.Date, nullable=False),
        sa.Column("resolved_on", sa.Date),
        *_words("title", "reason", nullable=False),
        sa.Column("recommendation", sa.JSON),
        *_numbers("on_hand", "inbound", "projected", "threshold", "stockout_probability", "days_to_stockout"),
        sa.Column("data_as_of", sa.Date),
        *_words("data_digest", "model_version", "kind", "previous_tier", "change", "resolution"),
        *_words("remedy", "title_zh", "reason_zh", "remedy_zh"),
        *_numbers("units_at_risk", "measure", "bound", "stock", "reserved"),
        *_numbers("safety_stock", "reorder_point", "order_up_to"),
        *_words("owner", "escalated_to"),
        *_moments("deadline", "acknowledged_at", "acted_at", "snoozed_until", "escalated_at"),
        *_words("about", nullable=False),
        *_words("subject", "supplier", "data_state", "attention", "muted"),
        sa.Column("attention_on", sa.Date),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_sku_location", "alerts", ["sku", "location"])
    op.create_index(
        "uq_alerts_unresolved_fingerprint",
        "alerts",
        ["fingerprint"],
        unique=True,
        sqlite_where=UNRESOLVED,
        postgresql_where=UNRESOLVED,
    )


def _rules() -> None:
    op.create_table(
        "shadow_alerts",
        *_words("alert_id", "fingerprint", "rule", nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        *_words("kind", "subject", "sku", "location", "about", nullable=False),
        *_words("supplier", "tier", "state", "change", "resolution"),
        *_words("data_state", "data_digest", "model_version"),
        *_numbers("money_at_risk", "units_at_risk", "measure", "bound", "threshold", "on_hand", "projected"),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("updated_on", sa.Date, nullable=False),
        sa.Column("resolved_on", sa.Date),
        sa.Column("data_as_of", sa.Date),
        sa.PrimaryKeyConstraint("alert_id", name="pk_shadow_alerts"),
    )
    op.create_index(
        "uq_shadow_alerts_unresolved_fingerprint",
        "shadow_alerts",
        ["fingerprint"],
        unique=True,
        sqlite_where=UNRESOLVED,
        postgresql_where=UNRESOLVED,
    )
    op.create_table(
        "pending_breaches",
        sa.Column("shadow", sa.Boolean, nullable=False),
        *_words("rule", "sku", "location", "about", nullable=False),
        sa.Column("since", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("shadow", "rule", "sku", "location", "about", name="pk_pending_breaches"),
    )
    op.create_table(
        "rules",
        *_words("name", nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        *_words("author", "reason", nullable=False),
        *_moments("saved_at", nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_rules"),
    )
    op.create_table(
        "silences",
        *_words("silence_id", nullable=False),
        sa.Column("selector", sa.JSON, nullable=False),
        *_words("reason", "author", nullable=False),
        *_moments("starts_at", "ends_at", "created_at", nullable=False),
        sa.PrimaryKeyConstraint("silence_id", name="pk_silences"),
    )


def _audit() -> None:
    op.create_table(
        "alert_events",
        sa.Column("event_id", sa.Integer, nullable=False, autoincrement=False),
        *_words("alert_id", "event", nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        *_words("actor", nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        *_words("hash", nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"], name="fk_alert_events_alerts"),
        sa.PrimaryKeyConstraint("event_id", name="pk_alert_events"),
    )
    op.create_index("ix_alert_events_alert_id", "alert_events", ["alert_id"])
    op.create_table(
        "audit_head",
        sa.Column("head", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("events", sa.Integer, nullable=False),
        *_words("hash", nullable=False),
        sa.PrimaryKeyConstraint("head", name="pk_audit_head"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER alert_events_no_{action.lower()} BEFORE {action} ON alert_events "
                f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION alert_events_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER alert_events_only_grows BEFORE UPDATE OR DELETE ON alert_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION alert_events_only_grows()"
    )


def _notices() -> None:
    op.create_table(
        "notices",
        *_words("notice_id", nullable=False),
        *_words("alert_id"),
        sa.Column("event_id", sa.Integer),
        *_words("event", "channel", nullable=False),
        *_words("owner", "tier"),
        *_words("state", "reason", nullable=False),
        sa.Column("message", sa.JSON, nullable=False),
        *_moments("created_at", "due_at", nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        *_words("parcel", "lease_by"),
        *_moments("lease_until", "sent_at"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"], name="fk_notices_alerts"),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notices"),
    )
    op.create_index("ix_notices_alert_id", "notices", ["alert_id"])
    op.create_index("ix_notices_state_channel_due_at", "notices", ["state", "channel", "due_at"])
    op.create_index("ix_notices_parcel", "notices", ["parcel"])
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.Integer, nullable=False),
        *_words("notice_id", nullable=False),
        *_moments("at", nullable=False),
        *_words("outcome", "detail", nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.notice_id"], name="fk_deliveries_notices"),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_notice_id", "deliveries", ["notice_id"])
    op.create_table(
        "channel_states",
        *_words("channel", nullable=False),
        sa.Column("tokens", sa.Double, nullable=False),
        *_moments("filled_at", nullable=False),
        *_moments("blocked_until"),
        sa.PrimaryKeyConstraint("channel", name="pk_channel_states"),
    )


def _drafts() -> None:
    op.create_table(
        "drafts",
        *_words("draft_id", "cause", "kind", "alert_id", "sku", "location", nullable=False),
        *_words("supplier", "source"),
        *_numbers("quantity", "cost"),
        sa.Column("order_by", sa.Date),
        sa.Column("arrives_on", sa.Date),
        *_words("state", nullable=False),
        *_moments("created_at", nullable=False),
        *_words("created_by", nullable=False),
        *_moments("decided_at"),
        *_words("decided_by", "reason"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"], name="fk_drafts_alerts"),
        sa.PrimaryKeyConstraint("draft_id", name="pk_drafts"),
    )
    op.create_index("ix_drafts_alert_id", "drafts", ["alert_id"])
    op.create_index(
        "uq_drafts_pending_cause",
        "drafts",
        ["cause"],
        unique=True,
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_table(
        "answered",
        *_words("key", "digest", nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        *_moments("at", nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_answered"),
    )


def _reviews() -> None:
    op.create_table(
        "outcomes",
        *_words("alert_id", "chain", nullable=False),
        *_words("rule", "kind", "sku", "location"),
        sa.Column("opened_on", sa.Date, nullable=False),
        *_words("outcome", nullable=False),
        sa.Column("avoidable", sa.Boolean, nullable=False),
        sa.Column("prevented", sa.Boolean, nullable=False),
        *_numbers("time_left", "needed"),
        *_words("judged_by", "reason", nullable=False),
        *_moments("judged_at", nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_opened_on", "outcomes", ["opened_on"])
    op.create_table(
        "verdicts",
        sa.Column("verdict_id", sa.Integer, nullable=False),
        *_words("alert_id", "outcome", "author", "reason", nullable=False),
        *_moments("at", nullable=False),
        sa.PrimaryKeyConstraint("verdict_id", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_alert_id", "verdicts", ["alert_id"])
    op.create_table(
        "reviews",
        *_words("month", nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        *_moments("made_at", nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_reviews"),
    )
    op.create_table(
        "proposals",
        *_words("proposal_id", "kind", "column", "segment", "rule", nullable=False),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("change", "undo", "now", "then", "why")),
        *_words("state", nullable=False),
        *_moments("made_at", nullable=False),
        *_moments("decided_at"),
        *_words("decided_by", "reason"),
        sa.PrimaryKeyConstraint("proposal_id", name="pk_proposals"),
    )


def _words(*names: str, nullable: bool = True) -> Iterable[sa.Column[str]]:
    return tuple(sa.Column(name, sa.String, nullable=nullable) for name in names)


def _numbers(*names: str) -> Iterable[sa.Column[float]]:
    return tuple(sa.Column(name, sa.Double) for name in names)


def _moments(*names: str, nullable: bool = True) -> Iterable[sa.Column[datetime]]:
    return tuple(sa.Column(name, sa.DateTime, nullable=nullable) for name in names)


def _of_snapshot(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["snapshot_id"], ["snapshots.snapshot_id"], name=f"fk_{table}_snapshots", ondelete="CASCADE"
    )
