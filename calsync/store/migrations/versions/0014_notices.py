"""Notices to shared channels, of changes and cancellations, and of bookings about to start."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_COMING = sa.text(
    "origin = 'booking' AND state = 'active' AND booking_presence = 'present'"
    " AND event_presence = 'present'"
)


def upgrade() -> None:
    op.add_column("notice", sa.Column("was", sa.Text()))
    op.add_column(
        "notice", sa.Column("cause", sa.String(), nullable=False, server_default=sa.text("''"))
    )
    op.add_column(
        "notice",
        sa.Column("channel", sa.String(), nullable=False, server_default=sa.text("'mail'")),
    )
    op.add_column(
        "notice", sa.Column("due", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.create_index(
        "ix_link_coming",
        "link",
        ["ends", "starts"],
        sqlite_where=_COMING,
        postgresql_where=_COMING,
    )


def downgrade() -> None:
    op.drop_index("ix_link_coming", table_name="link")
    for name in ("due", "channel", "cause", "was"):
        op.drop_column("notice", name)
