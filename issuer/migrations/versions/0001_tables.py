# ruff: noqa: PLR0915  # one statement for each table and index
"""The issuer's tables."""

import sqlalchemy as sa
from alembic import op

from byoid.service import columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_grant",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=True),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("dpop_jkt", sa.String(), nullable=True),
        sa.Column("certificate_hash", sa.String(), nullable=True),
        sa.Column("instance_jkt", sa.String(), nullable=True),
        sa.Column("configuration_ids", columns.Json(), nullable=False),
        sa.Column("by_details", sa.Boolean(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("person_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("wallet_status", columns.Json(), nullable=True),
        sa.Column("wallet_until", columns.UtcDateTime(), nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("token_expires_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_grant")),
        sa.UniqueConstraint("refresh_hash", name=op.f("uq_access_grant_refresh_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_grant_token_hash")),
    )
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_grant_code_hash"), ["code_hash"], unique=False)
        batch_op.create_index(batch_op.f("ix_access_grant_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_access_grant_person_hash"), ["person_hash"], unique=False)

    op.create_table(
        "account",
        sa.Column("username_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("username_hash", name=op.f("pk_account")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("writer", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", columns.UtcDateTime(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("details", columns.Json(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("writer", "sequence", name=op.f("pk_audit_entries")),
    )
    op.create_table(
        "audit_heads",
        sa.Column("writer", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "authorization",
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("request", columns.Json(), nullable=False),
        sa.Column("configuration_ids", columns.Json(), nullable=False),
        sa.Column("by_details", sa.Boolean(), nullable=False),
        sa.Column("dpop_jkt", sa.String(), nullable=True),
        sa.Column("instance_jkt", sa.String(), nullable=True),
        sa.Column("certificate_hash", sa.String(), nullable=True),
        sa.Column("session_hash", sa.LargeBinary(), nullable=True),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("person_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at", columns.UtcDateTime(), nullable=True),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("request_hash", name=op.f("pk_authorization")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_authorization_code_hash")),
    )
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_authorization_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("notification_hash", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("notification_hash", name=op.f("uq_batch_notification_hash")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batch_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "bulk_job",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("wanted", columns.Json(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("offered", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("held_until", columns.UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_job")),
    )
    with op.batch_alter_table("bulk_job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulk_job_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "bulk_row",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_row")),
    )
    with op.batch_alter_table("bulk_row", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulk_row_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index("ix_bulk_row_waiting", ["job_id", "state", "number"], unique=False)

    op.create_table(
        "deferred",
        sa.Column("transaction_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("configuration_id", sa.String(), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=False),
        sa.Column("wallet_status", columns.Json(), nullable=True),
        sa.Column("maintained_until", columns.UtcDateTime(), nullable=True),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_hash", name=op.f("pk_deferred")),
    )
    with op.batch_alter_table("deferred", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deferred_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_channel"), ["channel"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "issuance",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("credential_type", sa.String(), nullable=False),
        sa.Column("configuration_id", sa.String(), nullable=False),
        sa.Column("person_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_list_id", sa.String(), nullable=True),
        sa.Column("status_index", sa.Integer(), nullable=True),
        sa.Column("record_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("wallet_status", columns.Json(), nullable=True),
        sa.Column("issued_on", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuance")),
    )
    with op.batch_alter_table("issuance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issuance_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_issuance_credential_type"), ["credential_type"], unique=False)
        batch_op.create_index(batch_op.f("ix_issuance_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_issuance_grant_id"), ["grant_id"], unique=False)
        batch_op.create_index("ix_issuance_list", ["status_list_id", "status"], unique=False)
        batch_op.create_index(batch_op.f("ix_issuance_person_hash"), ["person_hash"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("due_at", columns.UtcDateTime(), nullable=False),
        sa.Column("held_until", columns.UtcDateTime(), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.create_table(
        "lockouts",
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_lockouts")),
    )
    with op.batch_alter_table("lockouts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lockouts_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "offer",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("configuration_ids", columns.Json(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("person_hash", sa.LargeBinary(), nullable=True),
        sa.Column("tx_code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("tx_code", columns.Json(), nullable=True),
        sa.Column("tx_failures", sa.Integer(), nullable=False),
        sa.Column("grant", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_offer")),
    )
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offer_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_offer_job_id"), ["job_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_offer_person_hash"), ["person_hash"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_due_at"), ["due_at"], unique=False)

    op.create_table(
        "outdated",
        sa.Column("issuance_id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("revoke_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("issuance_id", name=op.f("pk_outdated")),
    )
    with op.batch_alter_table("outdated", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outdated_revoke_at"), ["revoke_at"], unique=False)

    op.create_table(
        "rate_limits",
        sa.Column("key", sa.LargeBinary(length=40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limits")),
    )
    with op.batch_alter_table("rate_limits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rate_limits_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "spent",
        sa.Column("value_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("value_hash", name=op.f("pk_spent")),
    )
    with op.batch_alter_table("spent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_spent_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "status_list",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Integer(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("published_at", columns.UtcDateTime(), nullable=True),
        sa.Column("jwt", sa.String(), nullable=True),
        sa.Column("cwt", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_list")),
    )
    op.create_table(
        "subject",
        sa.Column("person_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("compared_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("person_hash", name=op.f("pk_subject")),
    )
    with op.batch_alter_table("subject", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subject_compared_at"), ["compared_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_subject_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "transactions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure", sa.Text(), nullable=True),
        sa.Column("declined_with", sa.Text(), nullable=True),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("request_hash", name=op.f("uq_transactions_request_hash")),
    )
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transactions_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "webhook",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agency_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", columns.Json(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )


def downgrade() -> None:
    op.drop_table("webhook")
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_transactions_expires_at"))

    op.drop_table("transactions")
    with op.batch_alter_table("subject", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subject_expires_at"))
        batch_op.drop_index(batch_op.f("ix_subject_compared_at"))

    op.drop_table("subject")
    op.drop_table("status_list")
    with op.batch_alter_table("spent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_spent_expires_at"))

    op.drop_table("spent")
    with op.batch_alter_table("rate_limits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rate_limits_expires_at"))

    op.drop_table("rate_limits")
    with op.batch_alter_table("outdated", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outdated_revoke_at"))

    op.drop_table("outdated")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_due_at"))

    op.drop_table("outbox")
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_offer_person_hash"))
        batch_op.drop_index(batch_op.f("ix_offer_job_id"))
        batch_op.drop_index(batch_op.f("ix_offer_expires_at"))

    op.drop_table("offer")
    with op.batch_alter_table("lockouts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lockouts_expires_at"))

    op.drop_table("lockouts")
    op.drop_table("jobs")
    with op.batch_alter_table("issuance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuance_person_hash"))
        batch_op.drop_index("ix_issuance_list")
        batch_op.drop_index(batch_op.f("ix_issuance_grant_id"))
        batch_op.drop_index(batch_op.f("ix_issuance_expires_at"))
        batch_op.drop_index(batch_op.f("ix_issuance_credential_type"))
        batch_op.drop_index(batch_op.f("ix_issuance_batch_id"))

    op.drop_table("issuance")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_expires_at"))
        batch_op.drop_index(batch_op.f("ix_delivery_due_at"))
        batch_op.drop_index(batch_op.f("ix_delivery_channel"))

    op.drop_table("delivery")
    with op.batch_alter_table("deferred", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deferred_expires_at"))

    op.drop_table("deferred")
    with op.batch_alter_table("bulk_row", schema=None) as batch_op:
        batch_op.drop_index("ix_bulk_row_waiting")
        batch_op.drop_index(batch_op.f("ix_bulk_row_expires_at"))

    op.drop_table("bulk_row")
    with op.batch_alter_table("bulk_job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bulk_job_expires_at"))

    op.drop_table("bulk_job")
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batch_expires_at"))

    op.drop_table("batch")
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_authorization_expires_at"))

    op.drop_table("authorization")
    op.drop_table("audit_heads")
    op.drop_table("audit_entries")
    op.drop_table("api_key")
    op.drop_table("account")
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_grant_person_hash"))
        batch_op.drop_index(batch_op.f("ix_access_grant_expires_at"))
        batch_op.drop_index(batch_op.f("ix_access_grant_code_hash"))

    op.drop_table("access_grant")
