"""What people do in Outlook: book, move, extend, retitle, cancel, repeat. Not through Graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import answers, copies, events
from .events import Fields
from .graph.calendar import parse_instant, shown_instance
from .graph.reader import Reader
from .graph.render import moment
from .items import Instance, Item
from .mailbox import Mailbox
from .problems import Refusal, bad_request, not_found

if TYPE_CHECKING:
    from .world import World

NEW = ("book", "book_direct", "recur")
CHANGES = ("move", "move_occurrence", "extend", "shorten", "retitle", "set")
ENDS = ("cancel", "cancel_occurrence", "remove")
OTHER = ("answer", "move_folder", "recreate", "copy")
KINDS = (*NEW, *CHANGES, *ENDS, *OTHER)
PLAIN = (
    "subject",
    "sensitivity",
    "showAs",
    "importance",
    "recurrence",
    "isOnlineMeeting",
    "responseRequested",
)


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is about: the mailbox whose item the person edits, the item, the date."""

    box: Mailbox
    item: Item
    day: date | None


def perform(world: World, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out one act and say what came of it.

    A Refusal is what Outlook would tell the person.
    """
    kind = str(raw.get("kind", ""))
    if kind not in KINDS:
        raise bad_request(f"unknown act {kind!r}; known: {', '.join(KINDS)}", "UnknownAct")
    line = world.note("person", kind)
    try:
        done = _new(world, kind, raw) if kind in NEW else _change(world, kind, raw)
    except Refusal:
        if world.log[-1] is line:
            world.log.pop()
        raise
    told = _told(world, raw, done)
    line |= {
        name: raw[name]
        for name in ("room", "person", "subject", "start", "end", "zone", "date")
        if name in raw
    }
    line |= {
        "mailbox": done.box.address,
        "iCalUId": done.item.uid,
        "id": told["id"],
        "room": told["room"],
    }
    return {"n": line["n"], "time": line["time"], "kind": kind, **told}


def _room(world: World, raw: Mapping[str, Any]) -> Mailbox:
    box = world.box(str(raw.get("room", "")))
    if box is None:
        raise Refusal(404, "UnknownRoom", f"no mailbox {raw.get('room')!r}")
    return box


def _new(world: World, kind: str, raw: Mapping[str, Any]) -> Target:
    rooms = [_room(world, {"room": one}) for one in raw.get("rooms") or [raw.get("room", "")]]
    direct = kind == "book_direct"
    box = rooms[0] if direct else world.person(str(raw.get("person", "")))
    if kind == "recur" and not raw.get("recurrence"):
        raise bad_request("recur needs recurrence")
    shape = {name: raw[name] for name in PLAIN if name in raw} | _times(raw, None, box)
    shape["location"] = {
        "displayName": "; ".join(room.name for room in rooms),
        "locationType": "conferenceRoom",
        "locationEmailAddress": rooms[0].address,
    }
    if "body" in raw:
        shape["body"] = {"contentType": "text", "content": raw["body"]}
    if not direct:
        people = [
            {"emailAddress": {"address": one}, "type": "required"}
            for one in raw.get("attendees") or ()
        ]
        invited = [
            {"emailAddress": {"address": one.address, "name": one.name}, "type": "resource"}
            for one in rooms
        ]
        shape["attendees"] = people + invited
    shape |= raw.get("graph") or {}
    fields: Fields = Reader(world, None).event(shape)
    item = events.create(world, box, fields)
    return Target(box, box.items.get(item.key, item), None)


def _times(raw: Mapping[str, Any], old: Instance | None, box: Mailbox) -> dict[str, Any]:
    """start and end of an act: naive in `zone` (default: the mailbox's), or with an offset.

    End may be left out.
    """
    shape: dict[str, Any] = {}
    if isinstance(raw.get("start"), Mapping) or isinstance(raw.get("end"), Mapping):
        # Said in Graph's way already.
        return {name: raw[name] for name in ("start", "end") if raw.get(name)}
    zone = str(raw.get("zone") or (old.when.start_zone.label if old else box.zone.label))
    if raw.get("allDay") is not None:
        shape["isAllDay"] = bool(raw["allDay"])
    if raw.get("start"):
        shape["start"] = {"dateTime": str(raw["start"]), "timeZone": zone}
    if raw.get("end"):
        shape["end"] = {"dateTime": str(raw["end"]), "timeZone": zone}
    elif raw.get("start"):
        length = (old.when.end - old.when.start) if old else timedelta(hours=1)
        start = str(raw["start"])
        if start.endswith("Z") or "+" in start:
            shape["end"] = {"dateTime": moment(parse_instant(start) + length), "timeZone": "UTC"}
        else:
            shape["end"] = {
                "dateTime": moment(datetime.fromisoformat(start) + length),
                "timeZone": zone,
            }
    return shape


def locate(world: World, raw: Mapping[str, Any]) -> Target:
    """The organizer's copy of what `id` or `iCalUId` names (with `copy`: the named mailbox's
    own copy).
    """
    day = date.fromisoformat(str(raw["date"])) if raw.get("date") else None
    boxes = [
        box
        for name in ("room", "person")
        if raw.get(name) and (box := world.box(str(raw[name]))) is not None
    ]
    uid, found = raw.get("iCalUId"), None
    text = str(raw.get("id") or raw.get("event") or "")
    if text:
        for box in [*boxes, *world.addresses.values()]:
            found = _by_id(box, text)
            if found is not None:
                uid, day = found.item.uid, day or found.day
                break
        if found is None:
            raise not_found()
    if raw.get("copy"):
        box = found.box if found else _room(world, raw)
        item = box.find_uid(str(uid))
        if item is None:
            raise not_found()
        return Target(box, item, day)
    for box in [*boxes, *world.addresses.values()]:
        item = box.find_uid(str(uid))
        if item is not None and item.own:
            return Target(box, item, day)
    raise not_found()


def _by_id(box: Mailbox, text: str) -> Target | None:
    try:
        key, _, day = box.parse_id(text, immutable=text.startswith("AAkA"))
    except Refusal:
        return None
    item = box.items.get(key)
    return Target(box, item, day) if item else None


def _change(world: World, kind: str, raw: Mapping[str, Any]) -> Target:
    if kind in OTHER or kind == "remove":
        # Done to the mailbox's own copy, also where the organizer's is gone.
        return _change_copy(world, kind, raw)
    target = locate(world, raw)
    box, item, day = target.box, target.item, target.day
    if kind.endswith("_occurrence") and day is None:
        raise bad_request("an act on an occurrence needs its date")
    if kind in ENDS:
        events.throw_away(world, box, item, day, comment=str(raw.get("comment", "")))
        return target
    shown = shown_instance(item, day)
    shape = (
        _times(raw, shown, box)
        | {name: raw[name] for name in PLAIN if name in raw}
        | (raw.get("graph") or {})
    )
    fields = Reader(world, shown).event(shape)
    made = events.update(world, box, item, day, fields)
    return Target(box, made, day)


def _change_copy(world: World, kind: str, raw: Mapping[str, Any]) -> Target:
    if kind == "copy":
        return _paste(world, raw)
    copy = locate(world, {**raw, "copy": True})
    if kind == "answer":
        answers.answer(
            world,
            copy.box,
            copy.item,
            copy.day,
            str(raw.get("answer", "declined")),
            comment=str(raw.get("comment", "")),
        )
    elif kind == "remove":
        events.throw_away(world, copy.box, copy.item, copy.day)
    else:
        return Target(copy.box, _shift(world, copy, kind), copy.day)
    return copy


def _paste(world: World, raw: Mapping[str, Any]) -> Target:
    """Copy the room's own image of a meeting, into the mailbox ``to`` (default: the same one)."""
    copied = locate(world, {**raw, "copy": True})
    target = _room(world, {"room": raw["to"]}) if raw.get("to") else copied.box
    shown = shown_instance(copied.item, copied.day)
    shape = _times(raw, shown, target)
    slot = Reader(world, shown).event(shape).slot if shape else None
    return Target(target, copies.copy(world, shown, target, slot), None)


def _shift(world: World, copy: Target, kind: str) -> Item:
    from .graph.writes import recreate

    if kind == "recreate":
        return recreate(world, copy.box, copy.item)
    return copy.box.move(copy.item.key, world.tick())


def _told(world: World, raw: Mapping[str, Any], done: Target) -> dict[str, Any]:
    uid, day = done.item.uid, done.day
    room = world.box(str(raw.get("room") or (raw.get("rooms") or [""])[0]))
    if room is None:
        resources = [one.person.address for one in done.item.attendees if one.kind == "resource"]
        room = world.box(resources[0]) if resources else (done.box if done.box.place else None)
    copy = room.find_uid(uid) if room else None
    now = done.box.find_uid(uid)
    return {
        "iCalUId": uid,
        "mailbox": done.box.address,
        "id": done.box.id_of(done.item, day),
        "event": done.box.id_of(done.item, day),
        "immutableId": done.box.id_of(done.item, day, immutable=True),
        "room": room.address if room else None,
        "roomId": room.id_of(copy, day) if room and copy else None,
        "roomImmutableId": room.id_of(copy, day, immutable=True) if room and copy else None,
        "verdict": _verdict(room, now, day),
        "declinedDates": sorted(one.isoformat() for one in copy.declined) if copy else [],
    }


def _verdict(room: Mailbox | None, item: Item | None, day: date | None) -> str | None:
    """The room's answer as the organizer sees it; 'direct' for the room's own items.

    None when there is none.
    """
    if room is None or item is None:
        return None
    if item.organizer.address.casefold() == room.address.casefold():
        return "direct"
    changed = item.overrides.get(day) if day else None
    people = changed.attendees if changed and changed.attendees is not None else item.attendees
    for one in people:
        if one.person.address.casefold() == room.address.casefold():
            return one.response
    return None
