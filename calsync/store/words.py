"""Which columns hold words of people: what hiding, forgetting and erasing go by.

A test asks of every column of text whether it does; a new one has to be named here or there.
"""

from __future__ import annotations

from typing import Final

from calsync.store.tables import metadata

#: Columns, in whichever table, that hold an occupancy as JSON, with its titles.
OCCUPANCIES: Final = frozenset(
    {
        "base",
        "booking_seen",
        "event_seen",
        "passed",
        "lost",
        "occupancy",
        "was",
        "became",
        "content",
    }
)


def occupancies(table: str) -> tuple[str, ...]:
    """The columns of this table that hold occupancies."""
    columns = metadata.tables[table].columns
    return tuple(column.name for column in columns if column.name in OCCUPANCIES)
