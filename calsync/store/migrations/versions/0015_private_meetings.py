"""Private meetings name nobody: what was stored of them before forgets people and titles."""

import json
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_PRIVATE = '%"private":true%'


def upgrade() -> None:
    op.create_index("ix_former_link_id", "former", ["link_id"])
    links = _private("link", "base", "booking_seen", "event_seen")
    _nobody("link", links)
    _nobody("hub_booking", _private("hub_booking", "content"))
    for table, columns in (("former", ("was", "became")), ("conflict", ("lost",))):
        for column in columns:
            _untitle(table, column, links)
    _untitle("notice", "occupancy", links)
    for link in links:
        # The row is what says that the message has left; it does so without a name, too.
        nameless = sa.text(
            "UPDATE notice SET recipient_name = '', recipient = CASE WHEN channel = 'mail'"
            " THEN 'erased-' || CAST(id AS TEXT) ELSE recipient END"
            " WHERE link_id = :link AND state NOT IN ('queued', 'sending')"
        )
        op.get_bind().execute(nameless, {"link": link})


def downgrade() -> None:
    op.drop_index("ix_former_link_id", "former")


def _private(table: str, *columns: str) -> list[str]:
    """Ids of rows one of whose occupancies is private as a whole, not by one of its dates."""
    found = sa.table(table, sa.column("id"), *(sa.column(name) for name in columns))
    some = sa.or_(*(found.c[name].like(_PRIVATE) for name in columns))
    rows = op.get_bind().execute(sa.select(found).where(some)).all()
    return [str(row[0]) for row in rows if any(_says_so(text) for text in row[1:])]


def _says_so(text: str | None) -> bool:
    return text is not None and json.loads(text).get("private") is True


def _nobody(table: str, ids: list[str]) -> None:
    found = sa.table(table, sa.column("id"), sa.column("person_name"), sa.column("person_address"))
    for id_ in ids:
        empty = {"person_name": "", "person_address": ""}
        op.get_bind().execute(sa.update(found).where(found.c.id == id_).values(empty))


def _untitle(table: str, column: str, links: list[str]) -> None:
    found = sa.table(table, sa.column("id"), sa.column("link_id"), sa.column(column))
    for link in links:
        select = sa.select(found.c.id, found.c[column]).where(
            found.c.link_id == link, found.c[column].like('%"title"%')
        )
        for id_, text in op.get_bind().execute(select).all():
            bare = {column: json.dumps(_bare(json.loads(text)), separators=(",", ":"))}
            op.get_bind().execute(sa.update(found).where(found.c.id == id_).values(bare))


def _bare(doc: object) -> object:
    """The same without titles, at every depth. The order of members, which counts, stays."""
    make: Callable[[object], object] = _bare
    if isinstance(doc, dict):
        return {name: make(value) for name, value in doc.items() if name != "title"}
    return [make(value) for value in doc] if isinstance(doc, list) else doc
