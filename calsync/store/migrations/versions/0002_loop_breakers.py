"""What the loop breakers count, and the admin's word to join both sides anew."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("link", "writes", sa.Integer(), "0"),
    ("link", "writes_since", sa.BigInteger(), None),
    ("room_sync", "writes", sa.Integer(), "0"),
    ("room_sync", "writes_since", sa.BigInteger(), None),
    ("room_sync", "others", sa.Integer(), "0"),
    ("room_sync", "others_since", sa.BigInteger(), None),
    ("room_sync", "rejoin", sa.String(), "''"),
)


def upgrade() -> None:
    for table, name, kind, default in _COLUMNS:
        start = None if default is None else sa.text(default)
        column = sa.Column(name, kind, nullable=default is None, server_default=start)
        op.add_column(table, column)


def downgrade() -> None:
    for table, name, _, _ in reversed(_COLUMNS):
        op.drop_column(table, name)
