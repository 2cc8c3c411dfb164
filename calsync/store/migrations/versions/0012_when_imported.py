"""When a room was imported: what people claimed before that is refused to nobody."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("room_sync", sa.Column("imported_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("room_sync", "imported_at")
