"""Which links waited for something when a room was worked again after nobody had looked for long:
what comes of them may have been told in a life that a restored database does not know."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "link", sa.Column("slept", sa.Boolean(), nullable=False, server_default=sa.text("FALSE"))
    )


def downgrade() -> None:
    op.drop_column("link", "slept")
