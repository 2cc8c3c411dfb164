"""Alembic migrations, run on start by :func:`calsync.store.migrate.migrate`.

A new one is written with ``python -m calsync.store.migrations "what changes"``.
"""

#: The newest revision; a test compares it with the files in ``versions``.
HEAD = "0018"
