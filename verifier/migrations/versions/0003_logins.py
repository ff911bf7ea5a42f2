"""Logins by OpenID Connect: their clients, each login, and client assertions that were spent."""

import sqlalchemy as sa
from alembic import op

from byoid.service import columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login",
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query_name", sa.String(length=64), nullable=False),
        sa.Column("redirect_uris", columns.Json(), nullable=False),
        sa.Column("authentication", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column("jwks", columns.Json(), nullable=True),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("rules", columns.Json(), nullable=False),
        sa.Column("same_device_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_login")),
    )
    op.create_table(
        "login_assertion",
        sa.Column("value_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("value_hash", name=op.f("pk_login_assertion")),
    )
    with op.batch_alter_table("login_assertion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_assertion_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "login_request",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("session_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request", columns.Json(), nullable=False),
        sa.Column("transactions", columns.Json(), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at", columns.UtcDateTime(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("token_expires_at", columns.UtcDateTime(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("open_until", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_login_request")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_login_request_code_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_request_token_hash")),
    )
    with op.batch_alter_table("login_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_request_expires_at"), ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("login_request")
    op.drop_table("login_assertion")
    op.drop_table("login")
