"""The platform's rules for a room: opening hours, notice, length, how far ahead, seats."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("rules", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("hub_room", column)


def downgrade() -> None:
    op.drop_column("hub_room", "rules")
