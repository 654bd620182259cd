"""Service targets that were approved, each from its first date on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "targets",
        sa.Column("target_id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("column", "segment", "author", "reason")),
        sa.Column("target", sa.Double, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("saved_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("target_id", name="pk_targets"),
    )
