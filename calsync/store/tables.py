"""Every table of the database: importing this fills ``metadata``."""

from calsync.store import hub_schema, schema
from calsync.store.metadata import metadata

__all__ = ["hub_schema", "metadata", "schema"]
