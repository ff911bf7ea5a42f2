"""Clerks and their sessions in the back office; credentials that are suspended with their wallet."""

import sqlalchemy as sa
from alembic import op

from byoid.service import columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clerk",
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("agency_id", "name", name=op.f("pk_clerk")),
    )
    op.create_table(
        "office_session",
        sa.Column("session_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("clerk", sa.String(), nullable=False),
        sa.Column("ends_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_office_session")),
    )
    with op.batch_alter_table("office_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_office_session_expires_at"), ["expires_at"], unique=False)
    op.create_table(
        "wallet_hold",
        sa.Column("issuance_id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("issuance_id", name=op.f("pk_wallet_hold")),
    )


def downgrade() -> None:
    op.drop_table("wallet_hold")
    with op.batch_alter_table("office_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_office_session_expires_at"))
    op.drop_table("office_session")
    op.drop_table("clerk")
