"""When what a connector mirrored claimed its time in the connector's calendar."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hub_booking", sa.Column("claimed", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("hub_booking", "claimed")
