"""Bookings in people's own calendars: the room's setting, what a link knows of the meeting."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_PAIR = (("write_as", "room"), ("organizer_fallback", "refuse"))
_LINK = (
    ("organizer", sa.Text),
    ("hindrance", sa.Text),
    ("event_answer", sa.String),
    ("event_copy", sa.String),
)


def upgrade() -> None:
    for name, usual in _PAIR:
        default = sa.text(f"'{usual}'")
        op.add_column("pair", sa.Column(name, sa.String(), nullable=False, server_default=default))
    for name, kind in _LINK:
        column = sa.Column(name, kind(), nullable=False, server_default=sa.text("''"))
        op.add_column("link", column)
    asked = sa.text("event_answer <> ''")
    op.create_index(
        "ix_link_asked",
        "link",
        ["pair_id", "event_uid"],
        sqlite_where=asked,
        postgresql_where=asked,
    )


def downgrade() -> None:
    op.drop_index("ix_link_asked", "link")
    for name, _ in _LINK:
        op.drop_column("link", name)
    for name, _ in _PAIR:
        op.drop_column("pair", name)
