"""Tables of the hub, the built-in booking platform. Times are microseconds since 1970 in UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from calsync.store.metadata import metadata

room = Table(
    "hub_room",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("building", Text, nullable=False),
    Column("floor", Text, nullable=False),
    Column("capacity", Integer),
    Column("titles", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("rules", Text, nullable=False, server_default=text("''")),
    Column("rules_since", BigInteger),
)

# ``content`` is the canonical text of mapping.fingerprint; titles only where the room's switch
# is on; there is no column for bodies. ``single`` (timed, so in UTC) and ``blocks`` let busy time
# be read from ``first_start`` and ``last_end`` without touching the content.
booking = Table(
    "hub_booking",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("room_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("editable", Boolean, nullable=False),
    Column("uid", Text, nullable=False),
    Column("person_name", Text, nullable=False),
    Column("person_address", Text, nullable=False),
    Column("seats", Integer),
    Column("external_id", String(255)),
    Column("tag", String(64)),
    Column("made_by", String(64), nullable=False),
    Column("refusal", Text),
    Column("parts", Text, nullable=False),
    Column("waiting", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("content_revision", Integer, nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("first_start", BigInteger, nullable=False),
    Column("last_end", BigInteger, nullable=False),
    Column("single", Boolean, nullable=False),
    Column("blocks", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("claimed", BigInteger),
)

_LIVE = text("status IN ('pending', 'confirmed')")
_NAMED = text("status != 'cancelled'")

Index("ix_hub_booking_room_end", booking.c.room_id, booking.c.last_end)
Index(
    "uq_hub_booking_external",
    booking.c.room_id,
    booking.c.external_id,
    unique=True,
    sqlite_where=_NAMED,
    postgresql_where=_NAMED,
)
Index(
    "uq_hub_booking_tag",
    booking.c.tag,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)

change = Table(
    "hub_change",
    metadata,
    # Numbers come from hub_counter in the writing transaction, so they rise in commit order.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("room_id", String(64), nullable=False),
    Column("booking_id", String(64), nullable=False),
    Column("tombstone", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("by_sync", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_hub_change_room_number", "room_id", "number"),
)

counter = Table(
    "hub_counter",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

answer = Table(
    "hub_answer",
    metadata,
    Column("token_id", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

token = Table(
    "hub_token",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)
