"""What was written to an item, or tried: a late write of ours is no act of people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = ("booking_sent", "event_sent")


def upgrade() -> None:
    for name in _COLUMNS:
        column = sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
        op.add_column("link", column)


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.drop_column("link", name)
