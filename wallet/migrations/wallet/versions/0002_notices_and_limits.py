"""Notices, limits; and one index that finds what belongs to a card without looking at the rows."""

import sqlalchemy as sa
from alembic import op

from byoid.service import columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
        "wallet_notice",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_notice")),
        sa.UniqueConstraint("subscription_id", "kind", name=op.f("uq_wallet_notice_subscription_id_kind")),
    )
    with op.batch_alter_table("wallet_notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_wallet_notice_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_wallet_notice_person_id"), ["person_id"], unique=False)

    op.create_table(
        "wallet_subscription",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("security", sa.Boolean(), nullable=False),
        sa.Column("cards", sa.Boolean(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet_subscription")),
        sa.UniqueConstraint("person_id", "fingerprint", name=op.f("uq_wallet_subscription_person_id_fingerprint")),
    )
    with op.batch_alter_table("wallet_subscription", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_wallet_subscription_person_id"), ["person_id"], unique=False)

    with op.batch_alter_table("wallet_item", schema=None) as batch_op:
        batch_op.drop_index("ix_wallet_item_person_kind")
        batch_op.drop_index(batch_op.f("ix_wallet_item_parent_id"))
        batch_op.create_index("ix_wallet_item_place", ["person_id", "kind", "parent_id", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("wallet_item", schema=None) as batch_op:
        batch_op.drop_index("ix_wallet_item_place")
        batch_op.create_index(batch_op.f("ix_wallet_item_parent_id"), ["parent_id"], unique=False)
        batch_op.create_index("ix_wallet_item_person_kind", ["person_id", "kind"], unique=False)

    with op.batch_alter_table("wallet_subscription", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_wallet_subscription_person_id"))

    op.drop_table("wallet_subscription")
    with op.batch_alter_table("wallet_notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_wallet_notice_person_id"))
        batch_op.drop_index(batch_op.f("ix_wallet_notice_due_at"))

    op.drop_table("wallet_notice")
    with op.batch_alter_table("rate_limits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rate_limits_expires_at"))

    op.drop_table("rate_limits")
