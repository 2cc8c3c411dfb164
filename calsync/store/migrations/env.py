"""What Alembic runs: our tables, on the connection (and in the transaction) it is handed."""

from alembic import context

import calsync.store.tables
from calsync.store.metadata import metadata

# Imported for its effect: it fills ``metadata``.
assert calsync.store.tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter a column in place; Alembic then copies the table.
    render_as_batch=True,
)
context.run_migrations()
