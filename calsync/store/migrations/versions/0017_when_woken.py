"""When a room was worked again after nobody had looked for long: what was due before that may have
been told in a life that a restored database does not know."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("room_sync", sa.Column("woken_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("room_sync", "woken_at")
