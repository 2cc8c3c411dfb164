"""What an admin can bring back, what an admin asked for, and how many calls a mailbox cost."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0006"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "pair", sa.Column("retired", sa.Boolean(), nullable=False, server_default=sa.text("FALSE"))
    )
    op.create_table(
        "former",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String()),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("became", sa.Text()),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ends", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_former"),
    )
    op.create_index("ix_former_pair_id_at", "former", ["pair_id", "at"])
    op.create_table(
        "request",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_request"),
    )
    op.create_index("ix_request_state", "request", ["state", "pair_id"])
    op.create_table(
        "mailbox_calls",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "day", name="pk_mailbox_calls"),
    )


def downgrade() -> None:
    op.drop_table("mailbox_calls")
    op.drop_table("request")
    op.drop_table("former")
    op.drop_column("pair", "retired")
