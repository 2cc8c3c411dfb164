"""What is kept of a booking beside its link forgets titles and people when it turns private."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calsync.mapping.fingerprint import dumps, loads
from calsync.model import MAIL, Link
from calsync.store.connection import Connection
from calsync.store.retention import untitled
from calsync.store.statements import Statements, chunks, run_many
from calsync.store.words import occupancies

#: Where words of people are kept beside a link.
_KEPT = ("former", "conflict")
#: How the name of such a row begins.
ERASED = "erased-"
#: A message that was sent names nobody. Its row stays, and a mail's under a name of its own: it is
#: what says that the message has left. A shared channel is no person, and keeps its name: by that
#: the ledger knows that the channel was told.
NAMELESS = (
    f"recipient = CASE WHEN channel = '{MAIL}' THEN '{ERASED}' || CAST(id AS TEXT)"
    " ELSE recipient END, recipient_name = ''"
)


def is_private(link: Link) -> bool:
    """True where either side shows it as private, or both agreed that it is."""
    shown = (link.base, link.booking.seen, link.event.seen)
    return any(one is not None and one.private for one in shown)


def hide_kept(connection: Connection, text: Statements, links: Sequence[str]) -> None:
    """Take the titles from what was kept of these links while they were public, and the names from
    what was told of them. A message that waits still leaves, about a private booking by then: to a
    shared channel without a name, to the person by a row that is made nameless when it has left."""
    for part in chunks(links):
        among = f"link_id IN ({', '.join('?' * len(part))})"
        for table in _KEPT:
            untitle(connection, text, table, among, part)
        untitle(connection, text, "notice", among, part)
        select = text.sql(f"SELECT occupancy, id FROM notice WHERE {among}")
        rows = connection.exec_driver_sql(select, part)
        hidden = [(dumps(replace(loads(stored), private=True)), id_) for stored, id_ in rows]
        run_many(connection, text.sql("UPDATE notice SET occupancy = ? WHERE id = ?"), hidden)
        shared = text.sql(f"UPDATE notice SET recipient_name = '' WHERE {among} AND channel <> ?")
        connection.exec_driver_sql(shared, (*part, MAIL))
        left = text.sql(f"{among} AND state NOT IN ('queued', 'sending')")
        connection.exec_driver_sql(f"UPDATE notice SET {NAMELESS} WHERE {left}", part)


def untitle(
    connection: Connection,
    text: Statements,
    table: str,
    where: str,
    values: tuple[object, ...],
) -> None:
    """Take the titles from every occupancy in the rows ``where``."""
    columns = occupancies(table)
    names = ", ".join(columns)
    select = text.sql(f"SELECT id, {names} FROM {table} WHERE {where}")
    bare = [
        (*map(untitled, stored), id_)
        for id_, *stored in connection.exec_driver_sql(select, values).all()
        if any(one is not None and '"title"' in one for one in stored)
    ]
    sets = ", ".join(f"{name} = ?" for name in columns)
    run_many(connection, text.sql(f"UPDATE {table} SET {sets} WHERE id = ?"), bare)
