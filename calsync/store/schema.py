"""The tables of calsync's own state (the hub's are in ``hub_schema``).

Units: columns named ``starts``/``ends`` hold whole seconds since 1970 UTC, rounded outwards
(they only narrow a search); every other time holds microseconds since 1970 UTC. Occupancies
are JSON text in the form of ``calsync.mapping.fingerprint.dumps``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from calsync.store.metadata import metadata

#: An id that counts up. SQLite counts only in columns declared INTEGER.
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

#: The admin's mapping. A row with ``removed`` set is an unmapped pair whose links are kept:
#: mapping the same two again goes on from the last agreed state instead of from nothing. A row
#: that is ``retired``, too, never comes back: what calsync wrote for it was taken away.
pair = Table(
    "pair",
    metadata,
    Column("id", String, primary_key=True),
    Column("room_id", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("mailbox", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("titles", Boolean, nullable=False),
    Column("edit_policy", String, nullable=False),
    Column("clash_policy", String, nullable=False),
    Column("reactions", Text, nullable=False, server_default=text("''")),
    Column("own_reactions", Text, nullable=False, server_default=text("''")),
    Column("reactions_since", BigInteger),
    Column("write_as", String, nullable=False, server_default=text("'room'")),
    Column("organizer_fallback", String, nullable=False, server_default=text("'refuse'")),
    Column("added", BigInteger, nullable=False),
    Column("removed", BigInteger),
    Column("retired", Boolean, nullable=False, server_default=text("FALSE")),
    Index(
        "uq_pair_mailbox_live",
        "mailbox",
        unique=True,
        sqlite_where=text("removed IS NULL"),
        postgresql_where=text("removed IS NULL"),
    ),
    Index(
        "uq_pair_room_id_live",
        "room_id",
        unique=True,
        sqlite_where=text("removed IS NULL"),
        postgresql_where=text("removed IS NULL"),
    ),
)

#: RoomState, and the lease with its fencing number. One row per live pair.
room_sync = Table(
    "room_sync",
    metadata,
    Column("pair_id", String, ForeignKey("pair.id", ondelete="CASCADE"), primary_key=True),
    Column("lease_owner", String, nullable=False, server_default=text("''")),
    Column("lease_until", BigInteger, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("calendar_cursor", Text),
    Column("booking_cursor", Text),
    Column("window_start", BigInteger),
    Column("window_end", BigInteger),
    Column("imported", Boolean, nullable=False, server_default=text("FALSE")),
    Column("imported_at", BigInteger),
    Column("halted", Text, nullable=False, server_default=text("''")),
    Column("approved", Boolean, nullable=False, server_default=text("FALSE")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("error", Text, nullable=False, server_default=text("''")),
    Column("synced_at", BigInteger),
    Column("woken_at", BigInteger),
    Column("compared_at", BigInteger),
    Column("drift", Integer, nullable=False, server_default=text("0")),
    Column("writes", Integer, nullable=False, server_default=text("0")),
    Column("writes_since", BigInteger),
    Column("others", Integer, nullable=False, server_default=text("0")),
    Column("others_since", BigInteger),
    Column("rejoin", String, nullable=False, server_default=text("''")),
)


def _half(side: str) -> list[Column[object]]:
    """The columns of one half of a link."""
    return [
        Column(f"{side}_presence", String, nullable=False),
        Column(f"{side}_key", String),
        Column(f"{side}_version", String, nullable=False),
        Column(f"{side}_mark", BigInteger, nullable=False),
        Column(f"{side}_fingerprint", String, nullable=False),
        Column(f"{side}_seen", Text),
        Column(f"{side}_created", BigInteger),
        Column(f"{side}_owned", Boolean, nullable=False),
        Column(f"{side}_uid", String, nullable=False),
        Column(f"{side}_reason", Text, nullable=False),
        Column(f"{side}_since", BigInteger),
        Column(f"{side}_sent", Text, nullable=False, server_default=text("''")),
    ]


#: Bookings of the platform that stand on both sides: of whose start people may be told.
COMING = (
    "origin = 'booking' AND state = 'active' AND booking_presence = 'present'"
    " AND event_presence = 'present'"
)

#: Links whose event is a meeting in the calendar of the person who booked.
ASKED = "event_answer <> ''"

#: Links, tombstones included. ``starts`` is NULL where neither base nor a half says when;
#: ``ends`` is NULL for an endless series. ``redacted``: titles and person were dropped.
link = Table(
    "link",
    metadata,
    Column("id", String, primary_key=True),
    Column("pair_id", String, ForeignKey("pair.id"), nullable=False),
    Column("origin", String, nullable=False),
    *_half("booking"),
    *_half("event"),
    Column("base", Text),
    Column("base_fingerprint", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("in_flight", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("person_name", Text, nullable=False),
    Column("person_address", Text, nullable=False),
    Column("seats", Integer),
    Column("claim", String),
    Column("refusal", Text),
    Column("passed", Text),
    Column("passed_seats", Integer),
    Column("writes", Integer, nullable=False, server_default=text("0")),
    Column("writes_since", BigInteger),
    Column("organizer", Text, nullable=False, server_default=text("''")),
    Column("hindrance", Text, nullable=False, server_default=text("''")),
    Column("event_answer", String, nullable=False, server_default=text("''")),
    Column("event_copy", String, nullable=False, server_default=text("''")),
    Column("slept", Boolean, nullable=False, server_default=text("FALSE")),
    Column("starts", BigInteger),
    Column("ends", BigInteger),
    Column("unsettled", Boolean, nullable=False),
    Column("redacted", Boolean, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    UniqueConstraint("pair_id", "booking_key"),
    UniqueConstraint("pair_id", "event_key"),
    Index("ix_link_pair_id_ends", "pair_id", "ends"),
    Index(
        "ix_link_coming", "ends", "starts", sqlite_where=text(COMING), postgresql_where=text(COMING)
    ),
    Index(
        "ix_link_asked",
        "pair_id",
        "event_uid",
        sqlite_where=text(ASKED),
        postgresql_where=text(ASKED),
    ),
    Index(
        "ix_link_unsettled",
        "pair_id",
        sqlite_where=text("unsettled"),
        postgresql_where=text("unsettled"),
    ),
)

#: The outbox: effects whose outcome is not recorded yet. Settling one deletes its row; its
#: story stays in ``audit``.
effect = Table(
    "effect",
    metadata,
    Column("id", String, primary_key=True),
    Column("pair_id", String, ForeignKey("pair.id"), nullable=False, index=True),
    Column("link_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("key", String),
    Column("version", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

#: The history of every booking. It outlives links and pairs and holds no personal data.
audit = Table(
    "audit",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("pair_id", String, nullable=False),
    Column("link_id", String, nullable=False, index=True),
    Column("step", String, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", Text),
)

#: Conflicts with their decision, and what lost. ``winner`` is NULL while parked.
conflict = Table(
    "conflict",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("pair_id", String, nullable=False, index=True),
    Column("link_id", String, nullable=False, index=True),
    Column("other_link_id", String),
    Column("kind", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("winner", String),
    Column("reason", Text, nullable=False),
    Column("lost", Text),
    Column("fields", Text, nullable=False),
)

#: The ledger of notices: the unique row is what makes a notice leave at most once. ``recipient``
#: is an address, or ``#channel``. ``due``: not to be tried before.
notice = Table(
    "notice",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("pair_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("link_id", String, nullable=False, index=True),
    Column("booking_key", String, nullable=False),
    Column("revision", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("recipient_name", Text, nullable=False),
    Column("occupancy", Text, nullable=False),
    Column("refusal", Text),
    Column("ends", BigInteger),
    Column("state", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("was", Text),
    Column("cause", String, nullable=False, server_default=text("''")),
    Column("channel", String, nullable=False, server_default=text("'mail'")),
    Column("due", BigInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("booking_key", "revision", "recipient", "kind"),
    Index("ix_notice_state", "state", "id"),
)

#: What calsync removed or wrote over, as it was: what ``calsync restore`` can bring back.
former = Table(
    "former",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("pair_id", String, nullable=False),
    Column("link_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("key", String),
    Column("was", Text, nullable=False),
    Column("became", Text),
    Column("why", Text, nullable=False),
    Column("ends", BigInteger),
    Index("ix_former_pair_id_at", "pair_id", "at"),
    Index("ix_former_link_id", "link_id"),
)

#: What an admin asked for in another process: the one that works the room carries it out.
request = Table(
    "request",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("pair_id", String, nullable=False),
    Column("what", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("result", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index("ix_request_state", "state", "pair_id"),
)

#: How many requests each mailbox cost. ``day`` counts days since 1970 UTC.
mailbox_calls = Table(
    "mailbox_calls",
    metadata,
    Column("mailbox", String, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("calls", BigInteger, nullable=False),
)

#: The one process that works on this database. At most one row, with id 1.
process_lease = Table(
    "process_lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("owner", String, nullable=False),
    Column("host", String, nullable=False),
    Column("place", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

#: Facts about this installation: ``installation_id``, ``secret`` (signs what we hand out).
meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

#: Where platforms are told of changes. ``secret`` and ``former`` are sealed under a key that is not
#: in this database; ``scopes`` and ``rooms`` are words with blanks between them.
webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("rooms", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("former", LargeBinary),
    Column("former_until", BigInteger),
    Column("disabled", BigInteger),
    Column("why", Text, nullable=False),
    Column("paused", BigInteger),
)

#: The outbox of webhooks: made in the order of the change feed, kept for a while after it was
#: delivered so that it can be replayed. It holds nothing about people.
webhook_message = Table(
    "webhook_message",
    metadata,
    Column("number", _SERIAL, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column(
        "endpoint_id",
        String(64),
        ForeignKey("webhook_endpoint.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("kind", String(64), nullable=False),
    Column("booking_id", String(64), nullable=False),
    Column("data", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_webhook_message_queue", "endpoint_id", "state", "number"),
    Index("ix_webhook_message_changed", "changed"),
)

#: The right of a display to read one room by a secret address.
room_feed = Table(
    "room_feed",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("room_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("details", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)
