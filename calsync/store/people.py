"""What is kept about one person: found by address, shown, and erased.

Bookings that are to come stay: their time is taken, whoever took it. They lose the person, and a
title that names the person; fingerprints and versions stay as they were, so nothing looks changed
and nothing is written to either side.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from calsync.mapping.booking import hide_details
from calsync.mapping.booking_values import Booking
from calsync.mapping.fingerprint import loads
from calsync.model import MAIL, Link, LinkState, Occupancy, Presence, Side
from calsync.ports import Clock
from calsync.store import hub_rows, hub_schema
from calsync.store.codec import (
    LINK_COLUMNS,
    instant,
    link_of,
    micros,
    occupancy_ends,
    seconds_down,
)
from calsync.store.connection import Connection
from calsync.store.database import Database
from calsync.store.hiding import NAMELESS, untitle
from calsync.store.retention import note, redact_links, untitled
from calsync.store.statements import Statements, chunks, run_many, select_all
from calsync.store.words import occupancies

#: What history says of a booking whose person was erased.
ERASED: Final = "privacy: its person was erased, as an admin asked"
#: Why a notice that waited does not leave.
UNSENT: Final = "its person was erased before it was sent"
#: Shorter names are parts of too many words.
_SHORTEST_NAME: Final = 4

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Everything that names one person. ``names``: as they are spelled beside the address.
    ``mentions``: (room, booking) of others whose titles name the person."""

    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    bookings: tuple[Booking, ...] = ()
    links: tuple[Link, ...] = ()
    rooms: dict[str, tuple[str, str]] = field(default_factory=dict)
    notices: tuple[Row, ...] = ()
    conflicts: tuple[Row, ...] = ()
    former: tuple[Row, ...] = ()
    answers: tuple[Row, ...] = ()
    mentions: tuple[tuple[str, str], ...] = ()

    @property
    def anything(self) -> bool:
        return bool(self.bookings or self.links or self.notices or self.answers)

    @property
    def waiting(self) -> tuple[Row, ...]:
        """Mails that have not left yet."""
        return tuple(
            one for one in self.notices if one["state"] == "queued" and one["channel"] == MAIL
        )

    @property
    def in_exchange(self) -> tuple[Link, ...]:
        """Meetings that this person organises in Exchange: read again, they bring the name back."""
        return tuple(
            link
            for link in self.links
            if link.origin is Side.CALENDAR
            and link.state is not LinkState.BURIED
            and link.event.presence is not Presence.GONE
            and not link.event.owned
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows no longer name the person. ``to_come``: bookings that stay, with their time;
    ``titles_left``: of those, bookings whose title still names the person (held in Outlook in
    several parts, a changed title would have to be written there)."""

    bookings: int = 0
    to_come: int = 0
    links: int = 0
    notices: int = 0
    unsent: int = 0
    answers: int = 0
    titles_left: tuple[str, ...] = ()


class People:
    """Reads and erases what is kept about a person, by mail address."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._text = Statements.of(is_sqlite=db.is_sqlite)
        self._sql = self._text.sql

    def kept(self, address: str) -> Kept:
        """What is kept now."""
        with self._db.read() as connection:
            return self._kept(connection, address)

    def erase(self, address: str) -> Erased:
        """Take the person out of everything, in one transaction. Done again it finds nothing.

        A process that works these rooms meanwhile cannot store what it read before: its lease is
        taken from it, and taken anew by it with the next cycle.
        """
        now = self._clock.now()
        with self._db.write() as connection:
            kept = self._kept(connection, address)
            pairs = [(pair_id,) for pair_id in sorted({link.pair_id for link in kept.links})]
            run_many(
                connection,
                self._sql("UPDATE room_sync SET fence = fence + 1 WHERE pair_id = ?"),
                pairs,
            )
            to_come, bare, left = self._erase_bookings(connection, kept, now)
            self._erase_links(connection, kept, bare, now)
            unsent = self._erase_notices(connection, kept, now)
            self._erase_answers(connection, kept)
            note(connection, self._sql, [(lk.pair_id, lk.id) for lk in kept.links], ERASED, now)
        return Erased(
            bookings=len(kept.bookings),
            to_come=to_come,
            links=len(kept.links),
            notices=len(kept.notices),
            unsent=unsent,
            answers=len(kept.answers),
            titles_left=left,
        )

    # --- finding -----------------------------------------------------------------------------

    def _kept(self, connection: Connection, address: str) -> Kept:
        spelled = self._spellings(connection, address)
        bookings = self._bookings(connection, spelled)
        keys = [key for booking in bookings for key in _keys(booking)]
        links = self._links(connection, spelled, keys)
        ids = [link.id for link in links]
        notices = self._notices(connection, spelled, ids)
        names = {b.person.name for b in bookings} | {link.person.name for link in links}
        names |= {str(one["recipient_name"]) for one in notices if one["channel"] == MAIL}
        words = _words((*spelled, address.strip(), *names))
        return Kept(
            addresses=tuple(spelled),
            names=tuple(sorted(name for name in names if name)),
            bookings=tuple(bookings),
            links=tuple(links),
            rooms=self._rooms(connection),
            notices=tuple(notices),
            conflicts=tuple(self._conflicts(connection, ids)),
            former=tuple(self._former(connection, ids)),
            answers=tuple(self._answers(connection, address)),
            mentions=tuple(self._mentions(connection, words, {b.id for b in bookings})),
        )

    def _spellings(self, connection: Connection, address: str) -> list[str]:
        """As it is stored: case means nothing in an address, and databases fold ASCII only."""
        wanted = _folded(address)
        found: set[str] = set()
        for table, column in (
            ("link", "person_address"),
            ("link", "organizer"),
            ("hub_booking", "person_address"),
            ("notice", "recipient"),
        ):
            sql = f"SELECT DISTINCT {column} FROM {table}"
            known = connection.exec_driver_sql(sql).scalars()
            found |= {one for one in known if one and _folded(one) == wanted}
        return sorted(found)

    def _bookings(self, connection: Connection, spelled: Sequence[str]) -> list[Booking]:
        sql = f"{select_all(hub_schema.booking)} WHERE person_address IN"
        found = [hub_rows.booking(row) for row in self._among(connection, sql, spelled)]
        return sorted(found, key=lambda b: (b.span.start, b.id))

    def _links(
        self, connection: Connection, spelled: Sequence[str], keys: Sequence[str]
    ) -> list[Link]:
        """Theirs by person, and those of their bookings."""
        select = f"SELECT {LINK_COLUMNS} FROM link WHERE"
        found = [*self._among(connection, f"{select} person_address IN", spelled)]
        found += self._among(connection, f"{select} organizer IN", spelled)
        found += self._among(connection, f"{select} booking_key IN", keys)
        links = {link.id: link for link in map(link_of, found)}
        return [links[id_] for id_ in sorted(links)]

    def _notices(
        self, connection: Connection, spelled: Sequence[str], links: Sequence[str]
    ) -> list[Row]:
        """Mails to the person, and what shared channels were told of the person's bookings."""
        names = (
            "pair_id, kind, channel, recipient, recipient_name, occupancy, state, reason,"
            " queued_at, changed_at AS at"
        )
        mails = self._rows(connection, "notice", names, "recipient", spelled)
        shared = self._rows(connection, "notice", names, "link_id", links)
        return mails + [one for one in shared if one["channel"] != MAIL]

    def _conflicts(self, connection: Connection, links: Sequence[str]) -> list[Row]:
        names = "at, pair_id, link_id, kind, winner, reason, lost"
        return self._rows(connection, "conflict", names, "link_id", links)

    def _former(self, connection: Connection, links: Sequence[str]) -> list[Row]:
        names = "at, pair_id, link_id, kind, was, became, why"
        return self._rows(connection, "former", names, "link_id", links)

    def _rows(
        self,
        connection: Connection,
        table: str,
        columns: str,
        column: str,
        values: Sequence[str],
    ) -> list[Row]:
        """By id; times as instants."""
        names = ["id", *(name.split(" AS ")[-1] for name in columns.split(", "))]
        sql = f"SELECT id, {columns} FROM {table} WHERE {column} IN"
        found = [dict(zip(names, row, strict=True)) for row in self._among(connection, sql, values)]
        for one in found:
            one |= {name: instant(one[name]) for name in ("at", "queued_at") if name in one}
        return sorted(found, key=lambda one: int(one["id"]))

    def _answers(self, connection: Connection, address: str) -> list[Row]:
        """Answers kept for a repeated Idempotency-Key that hold the person."""
        sql = self._sql("SELECT token_id, key, at, body FROM hub_answer WHERE body LIKE ?")
        wanted = _folded(address)
        found = []
        for token_id, key, at, body in connection.exec_driver_sql(sql, ('%"bookedBy"%',)):
            doc = _parsed(body)
            person = doc.get("bookedBy") if isinstance(doc, dict) else None
            if isinstance(person, dict) and _folded(str(person.get("email", ""))) == wanted:
                found.append({"token_id": token_id, "key": key, "at": instant(at), "body": body})
        return found

    def _mentions(
        self, connection: Connection, words: Collection[str], own: Collection[str]
    ) -> list[tuple[str, str]]:
        sql = self._sql("SELECT id, room_id, content FROM hub_booking WHERE content LIKE ?")
        rows = connection.exec_driver_sql(sql, ('%"title"%',))
        return sorted(
            (room_id, id_)
            for id_, room_id, content in rows
            if id_ not in own and names_any(loads(content), words)
        )

    def _rooms(self, connection: Connection) -> dict[str, tuple[str, str]]:
        """By pair: the room's id and zone."""
        rows = connection.exec_driver_sql("SELECT id, room_id, zone FROM pair").all()
        return {pair_id: (room_id, zone) for pair_id, room_id, zone in rows}

    def _among(
        self, connection: Connection, sql: str, values: Sequence[str]
    ) -> Iterable[Sequence[Any]]:
        for part in chunks(values):
            marks = self._text.marks(len(part))
            yield from connection.exec_driver_sql(f"{sql} ({marks})", part).all()

    # --- erasing -----------------------------------------------------------------------------

    def _erase_bookings(
        self, connection: Connection, kept: Kept, now: datetime
    ) -> tuple[int, set[str], tuple[str, ...]]:
        """How many are still to come; the ids of those that lost their titles; those of bookings to
        come whose titles name the person and had to stay."""
        words = _words((*kept.addresses, *kept.names))
        bare: set[str] = set()
        left: list[str] = []
        to_come = 0
        for booking in kept.bookings:
            over = not booking.status.live or booking.span.end <= now
            to_come += not over
            named = names_any(booking.content, words)
            if over or (named and not booking.parts):
                bare.add(booking.id)
            elif named:
                left.append(booking.id)
        # Readers see by its revision that it changed. Nobody is told: there is no line in the
        # change feed, and sync's own version of it, the revision of its content, stays.
        update = "UPDATE hub_booking SET person_name = '', person_address = '', revision ="
        everyone = [(booking.id,) for booking in kept.bookings]
        run_many(connection, self._sql(f"{update} revision + 1 WHERE id = ?"), everyone)
        select = "SELECT content, id FROM hub_booking WHERE id IN"
        texts = [*self._among(connection, select, sorted(bare))]
        self._untitle(connection, "hub_booking", "content", texts)
        return to_come, bare, tuple(left)

    def _erase_links(
        self, connection: Connection, kept: Kept, bare: Collection[str], now: datetime
    ) -> None:
        words = _words((*kept.addresses, *kept.names))
        over = {link.id for link in kept.links if self._is_over(kept, link, now)}
        strip = over | {
            link.id for link in kept.links if (link.booking.key or "").partition("#")[0] in bare
        }
        select = f"SELECT id, {', '.join(occupancies('link'))} FROM link WHERE id IN"
        rows = [tuple(row) for row in self._among(connection, select, sorted(strip))]
        redact_links(connection, self._sql, rows)
        nobody = (
            "UPDATE link SET person_name = '', person_address = '', organizer = '' WHERE id = ?"
        )
        run_many(connection, self._sql(nobody), [(link.id,) for link in kept.links])
        # What lost, and what was written over, is of no use but to be brought back: it comes back
        # without a title. What waits for an answer still shows one that names nobody.
        lost = [
            (one["lost"], one["id"])
            for one in kept.conflicts
            if one["lost"] is not None
            and (one["winner"] is not None or one["link_id"] in over or _in(one["lost"], words))
        ]
        self._untitle(connection, "conflict", "lost", lost)
        self._untitle_all(connection, "former", kept.former)

    def _is_over(self, kept: Kept, link: Link, now: datetime) -> bool:
        if link.state is LinkState.BURIED:
            return True
        zone = kept.rooms.get(link.pair_id, ("", "UTC"))[1]
        shown = [one for one in (link.base, link.booking.seen, link.event.seen) if one is not None]
        ends = [occupancy_ends(one, zone) for one in shown]
        return all(end is not None and end <= seconds_down(now) for end in ends)

    def _erase_notices(self, connection: Connection, kept: Kept, now: datetime) -> int:
        """How many mails had not left yet. Each keeps its row, which is what holds it back from
        leaving twice, under a name of its own. What waits for a shared channel leaves, and names
        nobody."""
        ids = [(one["id"],) for one in kept.notices]
        run_many(connection, self._sql(f"UPDATE notice SET {NAMELESS} WHERE id = ?"), ids)
        self._untitle_all(connection, "notice", kept.notices)
        waiting = [one["id"] for one in kept.waiting]
        stop = self._sql(
            "UPDATE notice SET state = 'failed', reason = ?, changed_at = ?"
            " WHERE id = ? AND state = 'queued'"
        )
        run_many(connection, stop, [(UNSENT, micros(now), id_) for id_ in waiting])
        return len(waiting)

    def _erase_answers(self, connection: Connection, kept: Kept) -> None:
        """The answer stays: without it the same request, sent again, would book again."""
        update = self._sql("UPDATE hub_answer SET body = ? WHERE token_id = ? AND key = ?")
        rows: list[tuple[object, ...]] = []
        for one in kept.answers:
            doc = _parsed(one["body"])
            assert isinstance(doc, dict)
            bare = json.dumps(hide_details(doc), ensure_ascii=False)
            rows.append((bare, one["token_id"], one["key"]))
        run_many(connection, update, rows)

    def _untitle_all(self, connection: Connection, table: str, rows: Sequence[Row]) -> None:
        for part in chunks([str(one["id"]) for one in rows]):
            among = f"id IN ({', '.join('?' * len(part))})"
            untitle(connection, self._text, table, among, tuple(int(id_) for id_ in part))

    def _untitle(
        self, connection: Connection, table: str, column: str, rows: Iterable[Sequence[Any]]
    ) -> None:
        """Rows: the stored occupancy, and the row's id."""
        bare = [(untitled(text), id_) for text, id_ in rows if text is not None]
        run_many(connection, self._sql(f"UPDATE {table} SET {column} = ? WHERE id = ?"), bare)


# --- words -----------------------------------------------------------------------------------


def titles_of(occupancy: Occupancy) -> Iterable[str]:
    """Every title in it."""
    series = occupancy.recurrence
    overrides = series.overrides if series is not None else ()
    titles = (occupancy.title, *(override.title for override in overrides))
    return (title for title in titles if title is not None)


def names_any(occupancy: Occupancy, words: Collection[str]) -> bool:
    """True where one of its titles holds one of the words."""
    return any(word in title.casefold() for title in titles_of(occupancy) for word in words)


def _in(stored: str, words: Collection[str]) -> bool:
    return names_any(loads(stored), words)


def _words(names: Iterable[str]) -> frozenset[str]:
    """What names a person in a title, folded."""
    return frozenset(_folded(name) for name in names if len(name.strip()) >= _SHORTEST_NAME)


def _folded(text: str) -> str:
    return text.strip().casefold()


def _keys(booking: Booking) -> list[str]:
    """Every key under which sync may know it."""
    return [booking.id, *(f"{booking.id}#{part}" for part in booking.parts if part)]


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
