"""Rooms joined to their mailboxes, as the settings or the admin say."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from calsync.errors import UsageError
from calsync.home import Home
from calsync.mapping.booking_values import StoredRoom
from calsync.model import ClashPolicy, EditPolicy, OrganizerFallback, Pair, Room, WriteAs
from calsync.settings import RoomEntry, Settings

log = logging.getLogger("calsync")


def take_in_all(home: Home) -> None:
    """A [[rooms]] entry is the admin's word: the room and its mapping follow it.

    What stands is compared first, in two reads: writing each room anew cost a start with 2,000
    rooms some three seconds.
    """
    rooms = {stored.room.id: stored for stored in home.bookings.rooms()}
    pairs = {pair.room_id: _ruled(home, pair) for pair in home.store.pairs()}
    elsewhere = home.settings.booking.kind != "hub"
    moved = home.mappings.moves()
    for listed in home.settings.rooms:
        entry = _where_it_is(home, listed, pairs.get(listed.id), moved)
        if _stands(home, entry, rooms.get(entry.id), pairs.get(entry.id)):
            continue
        if not (elsewhere and entry.id in rooms):
            # What a platform that is polled says of its rooms counts; until it does, the entry.
            home.bookings.put_room(_room(entry))
        if entry.mailbox:
            pair = _pair(home, entry, "")
            known = home.mappings.id_for(pair.room_id, pair.mailbox, pair.connection)
            _join(home, replace(pair, id=known))


def _where_it_is(
    home: Home, entry: RoomEntry, pair: Pair | None, moved: Mapping[str, str]
) -> RoomEntry:
    """The entry, with the connection through which its mailbox is reached by now. Where it names
    another one, that is the admin's word that the mailbox moved there: it is carried out as
    ``calsync rooms move`` is. Where it still names the former one, it is out of date."""
    if pair is None or pair.mailbox != entry.mailbox.lower():
        return entry
    named = _connection(home.settings, entry.connection, entry.id)
    if named == pair.connection:
        if pair.id in moved:
            home.mappings.followed(pair.id)
        return entry
    if moved.get(pair.id) == named:
        log.warning(
            "room %s: its mailbox moved to %s, and its entry under [[rooms]] still says %s:"
            ' set connection = "%s"',
            *(entry.id, pair.connection, named, pair.connection),
        )
    elif not any(one.what == "move" for one in home.requests.of(pair.id)):
        home.requests.ask(pair.id, "move", {"to": named})
    return replace(entry, connection=pair.connection)


def _ruled(home: Home, pair: Pair) -> Pair:
    """The pair under the [outlook_rules] of the settings, which may have changed since it was
    mapped: from now on they hold for it as far as nothing else was said for the room."""
    wanted = home.settings.outlook_rules.reactions(pair.own_reactions)
    if wanted != pair.reactions:
        pair = replace(pair, reactions=wanted)
        home.mappings.save_pair(pair)
    return pair


def _stands(home: Home, entry: RoomEntry, stored: StoredRoom | None, pair: Pair | None) -> bool:
    """The room and its mapping are as the entry says."""
    elsewhere = home.settings.booking.kind != "hub"
    if stored is None or (stored.room != _room(entry) and not elsewhere):
        return False
    if not entry.mailbox:
        return True
    mapped = pair is not None and pair == _pair(home, entry, pair.id)
    return mapped and stored.titles == entry.titles


def _room(entry: RoomEntry) -> Room:
    return Room(
        id=entry.id,
        name=entry.name,
        zone=entry.zone,
        building=entry.building,
        floor=entry.floor,
        capacity=entry.capacity,
    )


def _pair(home: Home, entry: RoomEntry, pair_id: str) -> Pair:
    policy = home.settings.policy
    return Pair(
        id=pair_id,
        room_id=entry.id,
        connection=_connection(home.settings, entry.connection, entry.id),
        mailbox=entry.mailbox.lower(),
        zone=entry.zone,
        titles=entry.titles,
        edit_policy=EditPolicy(entry.edit_policy or policy.edit),
        clash_policy=ClashPolicy(entry.clash_policy or policy.clash),
        reactions=home.settings.outlook_rules.reactions(entry.outlook_rules),
        own_reactions=entry.outlook_rules,
        write_as=WriteAs(entry.write_as),
        organizer_fallback=OrganizerFallback(entry.organizer_fallback),
    )


def _join(home: Home, pair: Pair) -> None:
    home.mappings.save_pair(pair)
    home.bookings.set_titles(pair.room_id, pair.titles)
    if not pair.titles:
        home.former.drop_titles(pair.id, pair.room_id)


def map_room(
    home: Home,
    *,
    room_id: str,
    mailbox: str,
    connection: str = "",
    zone: str = "",
    titles: bool = False,
    edit: str = "",
    clash: str = "",
    outlook_rules: str = "",
    write_as: WriteAs = WriteAs.ROOM,
    organizer_fallback: OrganizerFallback = OrganizerFallback.REFUSE,
) -> Pair:
    """Join a room to a resource calendar. Empty values come from the settings and the room.

    Raises UsageError where either is joined to something else already.
    """
    policy = home.settings.policy
    connection = _connection(home.settings, connection, room_id)
    room = home.bookings.room(room_id)
    pair = Pair(
        id=home.mappings.id_for(room_id, mailbox, connection),
        room_id=room_id,
        connection=connection,
        mailbox=mailbox.lower(),
        zone=zone or room.room.zone,
        titles=titles,
        edit_policy=EditPolicy(edit or policy.edit),
        clash_policy=ClashPolicy(clash or policy.clash),
        reactions=home.settings.outlook_rules.reactions(outlook_rules),
        own_reactions=outlook_rules,
        write_as=write_as,
        organizer_fallback=organizer_fallback,
    )
    _join(home, pair)
    return pair


def _connection(settings: Settings, name: str, room_id: str) -> str:
    """The named connection, or the only one. Raises UsageError where there is none such."""
    if name and settings.connection(name) is None:
        names = ", ".join(c.name for c in settings.connections) or "none"
        raise UsageError(
            f"there is no connection {name!r} in the settings",
            where=f"room {room_id}",
            todo=f"Known connections: {names}.",
        )
    if not name and len(settings.connections) != 1:
        raise UsageError(
            "the settings have not exactly one connection",
            where=f"room {room_id}",
            todo="Say which: --connection NAME.",
        )
    return name or settings.connections[0].name
