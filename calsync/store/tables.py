"""Every table of the database: importing this fills ``metadata``."""

from calsync.store import schema
from calsync.store.metadata import metadata

__all__ = ["metadata", "schema"]
