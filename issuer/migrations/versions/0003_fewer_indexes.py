"""No index that nobody asks: it cost every credential a page of its own."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("issuance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issuance_grant_id"))


def downgrade() -> None:
    with op.batch_alter_table("issuance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issuance_grant_id"), ["grant_id"], unique=False)
