"""What Outlook's bookings get for breaking a room's rules, since when, and what was let pass."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    reactions = sa.Column("reactions", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("pair", reactions)
    own = sa.Column("own_reactions", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("pair", own)
    op.add_column("pair", sa.Column("reactions_since", sa.BigInteger()))
    op.add_column("hub_room", sa.Column("rules_since", sa.BigInteger()))
    op.add_column("link", sa.Column("passed", sa.Text()))
    op.add_column("link", sa.Column("passed_seats", sa.Integer()))


def downgrade() -> None:
    op.drop_column("link", "passed_seats")
    op.drop_column("link", "passed")
    op.drop_column("hub_room", "rules_since")
    op.drop_column("pair", "reactions_since")
    op.drop_column("pair", "own_reactions")
    op.drop_column("pair", "reactions")
