"""Event bodies of POST and PATCH, read and checked as Graph does before Exchange sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from ..events import Fields
from ..items import Attendee, Instance, Person, When, when
from ..problems import Refusal, bad_body, bad_property, bad_request
from ..recurrence import Recurrence, read
from ..zones import Zone, windows_name, zone

if TYPE_CHECKING:
    from ..world import World

WORDS: dict[str, tuple[str, ...]] = {
    "showAs": ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown"),
    "sensitivity": ("normal", "personal", "private", "confidential"),
    "importance": ("low", "normal", "high"),
    "onlineMeetingProvider": (
        "unknown",
        "teamsForBusiness",
        "skypeForBusiness",
        "skypeForConsumer",
    ),
}
PLACES = (
    "default",
    "conferenceRoom",
    "homeAddress",
    "businessAddress",
    "geoCoordinates",
    "streetAddress",
    "hotel",
    "restaurant",
    "localBusiness",
    "postalAddress",
)
KEYS = ("unknown", "locationStore", "directory", "private", "bing")
FLAGS = (
    "isReminderOn",
    "responseRequested",
    "allowNewTimeProposals",
    "hideAttendees",
    "isOnlineMeeting",
)
KINDS = ("required", "optional", "resource")
MOST_ATTENDEES = 500
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(:\d\d)?(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$")
_TAG = re.compile(r"^(\w+)\s+(\{[0-9A-Fa-f-]{36}\}|0x[0-9A-Fa-f]+)(?:\s+(Name|Id)\s+(.+))?$")


def canonical_tag(text: object) -> str:
    """An extended property's id made comparable: the type and GUID fold case, the name does not."""
    found = _TAG.match(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise bad_request(f"Property id '{text}' is not valid.", "ErrorInvalidExtendedProperty")
    kind, guid, form, name = found.groups()
    return f"{kind.casefold()} {guid.casefold()} {(form or '').casefold()} {name or ''}"


def read_tags(raw: object) -> dict[str, tuple[str, str]]:
    """singleValueExtendedProperties of a body."""
    if not isinstance(raw, list):
        raise bad_body("The value of 'singleValueExtendedProperties' must be a collection.")
    tags = {}
    for one in raw:
        if not isinstance(one, Mapping) or not isinstance(one.get("value"), str):
            raise bad_body("An extended property needs a string id and a string value.")
        tags[canonical_tag(one.get("id"))] = (str(one.get("id")), one["value"])
    return tags


class Reader:
    """Reads one body against the state it will change."""

    def __init__(self, world: World, base: Instance | None) -> None:
        self.world = world
        self.base = base

    def event(self, raw: Mapping[str, Any]) -> Fields:
        """All known members; read-only and unknown ones are passed over (event is an open type)."""
        slot = self._slot(raw)
        rule, single, slot = self._recurrence(raw, slot)
        transaction = raw.get("transactionId")
        if transaction is not None and not isinstance(transaction, str):
            raise bad_body("Cannot convert 'transactionId' to the expected type 'Edm.String'.")
        return Fields(
            slot=slot,
            rule=rule,
            single=single,
            props=self._props(raw),
            attendees=self._attendees(raw["attendees"])
            if raw.get("attendees") is not None
            else None,
            tags=read_tags(raw["singleValueExtendedProperties"])
            if raw.get("singleValueExtendedProperties")
            else {},
            extensions=read_extensions(raw.get("extensions") or []),
            transaction_id=transaction,
        )

    # -- plain members ----------------------------------------------------------------------

    def _props(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        props: dict[str, Any] = {}
        for name, words in WORDS.items():
            if raw.get(name) is not None:
                props[name] = _word(name, raw[name], words)
        for name in FLAGS:
            if raw.get(name) is not None:
                props[name] = _flag(name, raw[name])
        if "subject" in raw:
            props["subject"] = _text("subject", raw["subject"])
        if raw.get("reminderMinutesBeforeStart") is not None:
            props["reminderMinutesBeforeStart"] = _whole(
                "reminderMinutesBeforeStart", raw["reminderMinutesBeforeStart"]
            )
        if raw.get("categories") is not None:
            if not isinstance(raw["categories"], list) or not all(
                isinstance(one, str) for one in raw["categories"]
            ):
                raise bad_body("The value of 'categories' must be a collection of strings.")
            props["categories"] = list(dict.fromkeys(raw["categories"]))
        if raw.get("body") is not None:
            props["body"] = _body(raw["body"])
        self._places(raw, props)
        self._online(props)
        return props

    def _places(self, raw: Mapping[str, Any], props: dict[str, Any]) -> None:
        if raw.get("location") is not None:
            # Writing location wipes and replaces locations.
            props["location"] = _location(raw["location"])
            props["locations"] = [props["location"]] if props["location"]["displayName"] else []
        if raw.get("locations") is not None:
            if not isinstance(raw["locations"], list):
                raise bad_body("The value of 'locations' must be a collection.")
            props["locations"] = [_location(one) for one in raw["locations"]]
            if props["locations"] and "location" not in props:
                joined = "; ".join(one["displayName"] for one in props["locations"])
                props["location"] = {**props["locations"][0], "displayName": joined}

    def _online(self, props: dict[str, Any]) -> None:
        was = self.base is not None and bool(self.base.prop("isOnlineMeeting", False))
        if was:
            # Once an online meeting, always one: the flag and the provider cannot be changed.
            props.pop("isOnlineMeeting", None)
            props.pop("onlineMeetingProvider", None)
        elif props.get("isOnlineMeeting"):
            if props.get("onlineMeetingProvider", "unknown") == "unknown":
                props["onlineMeetingProvider"] = "teamsForBusiness"
            number = self.world.random.getrandbits(60)
            join = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{number:015x}%40thread.v2/0"
            props["onlineMeeting"] = {"joinUrl": join}
            body = props.get("body") or {"contentType": "html", "content": ""}
            props["body"] = {
                **body,
                "content": f'{body["content"]}<div><a href="{join}">Join the meeting</a></div>',
            }

    def _attendees(self, raw: object) -> tuple[Attendee, ...]:
        if not isinstance(raw, list):
            raise bad_body("The value of 'attendees' must be a collection.")
        if len(raw) > MOST_ATTENDEES:
            raise bad_request("An event may have at most 500 attendees.", "ErrorTooManyAttendees")
        people: dict[str, Attendee] = {}
        for one in raw:
            address = one.get("emailAddress") if isinstance(one, Mapping) else None
            if not isinstance(address, Mapping) or "@" not in str(address.get("address")):
                raise bad_property("At least one recipient isn't valid.")
            kind = _word("type", one.get("type") or "required", KINDS)
            known = self.world.box(address["address"])
            name = str(address.get("name") or (known.name if known else address["address"]))
            plain = known.address if known else address["address"]
            people.setdefault(plain.casefold(), Attendee(Person(name, plain), kind))
        return tuple(people.values())

    # -- time -------------------------------------------------------------------------------

    def _slot(self, raw: Mapping[str, Any]) -> When | None:
        if not any(raw.get(name) is not None for name in ("start", "end", "isAllDay")):
            return None
        old = self.base.when if self.base else None
        all_day = (
            _flag("isAllDay", raw["isAllDay"])
            if raw.get("isAllDay") is not None
            else bool(old and old.all_day)
        )
        start = self._point(raw["start"], "start") if raw.get("start") is not None else None
        end = self._point(raw["end"], "end") if raw.get("end") is not None else None
        if old is not None:
            start = start or (old.start, old.start_zone)
            end = end or (old.end, old.end_zone)
        if start is None or end is None:
            raise bad_property("start and end are required.")
        slot = when(start[0], end[0], start[1], end[1], all_day=all_day)
        if all_day:
            self._check_all_day(slot)
        return slot

    def _check_all_day(self, slot: When) -> None:
        midnight = slot.start.time() == time(0) and slot.end.time() == time(0)
        if not midnight or slot.start_zone.label != slot.end_zone.label:
            raise bad_property(
                "The Event.Start property for an all-day event needs to be set to midnight, "
                "as does Event.End, in one time zone."
            )
        if slot.end.date() <= slot.start.date():
            raise bad_property(
                "The duration of an event marked as All day must be at least 24 hours."
            )

    def _point(self, raw: object, name: str) -> tuple[datetime, Zone]:
        if not isinstance(raw, Mapping) or not isinstance(raw.get("dateTime"), str):
            raise bad_body(f"Cannot read '{name}' as a dateTimeTimeZone.")
        label = raw.get("timeZone") or "UTC"
        if not isinstance(label, str):
            raise bad_body(
                f"Cannot convert the timeZone of '{name}' to the expected type 'Edm.String'."
            )
        home = self._zone(label)
        wall, offset = read_time(raw["dateTime"])
        if offset is not None:
            wall = home.to_wall(wall)
        elif self.world.switches.skipped_times_move:
            wall = home.to_wall(home.to_utc(wall))
        return wall, home

    def _zone(self, label: str) -> Zone:
        if self.base is not None and label == self.base.when.start_zone.label:
            return self.base.when.start_zone
        found = zone(label, any_iana=self.world.switches.any_iana_zone)
        if self.world.switches.zone_names == "windows":
            return replace(found, label=windows_name(found.label))
        return found

    def _recurrence(
        self, raw: Mapping[str, Any], slot: When | None
    ) -> tuple[Recurrence | None, bool, When | None]:
        old = self.base
        if raw.get("recurrence") is None:
            single = (
                "recurrence" in raw
                and old is not None
                and old.item.rule is not None
                and old.day is None
            )
            moved = (
                slot is not None
                and old is not None
                and old.day is None
                and old.item.rule is not None
                and not single
            )
            if moved and slot is not None and old is not None and old.item.rule is not None:
                slot = _in_zone(slot, old.when.start_zone)
                return replace(old.item.rule, start=slot.start.date()), False, slot
            return None, single, slot
        base = slot or (old.when if old else None)
        if base is None:
            raise bad_property("start and end are required.")
        named = _home(raw["recurrence"])
        home = self._zone(named) if named else base.start_zone
        base = _in_zone(base, home)
        made, _ = read(raw["recurrence"], start=base.start.date(), zone_of=home)
        return made, False, base


def _home(raw: object) -> str | None:
    span = raw.get("range") if isinstance(raw, Mapping) else None
    name = span.get("recurrenceTimeZone") if isinstance(span, Mapping) else None
    return name if isinstance(name, str) and name else None


def _in_zone(slot: When, home: Zone) -> When:
    """A series keeps its wall time in the recurrence zone.

    Dates of all-day series are not converted.
    """
    if slot.start_zone == home and slot.end_zone == home:
        return slot
    if slot.all_day:
        return when(slot.start, slot.end, home, all_day=True)
    return when(home.to_wall(slot.start_utc), home.to_wall(slot.end_utc), home)


def read_time(text: str) -> tuple[datetime, object]:
    """A dateTime string: naive value, and whether it carried an offset (then the value is UTC)."""
    found = _TIME.match(text.strip())
    if found is None:
        raise bad_property(f"The value '{text}' is not a valid dateTime.")
    day, clock, seconds, fraction, offset = found.groups()
    try:
        value = datetime.fromisoformat(
            f"{day}T{clock or '00:00'}{seconds or ':00'}{(fraction or '')[:7]}"
        )
        if offset is None:
            return value, None
        aware = datetime.fromisoformat(value.isoformat() + ("+00:00" if offset == "Z" else offset))
        return aware.astimezone(UTC).replace(tzinfo=None), offset
    except (ValueError, OverflowError):
        raise bad_property(f"The value '{text}' is not a valid dateTime.") from None


def _word(name: str, value: object, words: tuple[str, ...]) -> str:
    for word in words:
        if isinstance(value, str) and value.casefold() == word.casefold():
            return word
    raise bad_body(f"Requested value '{value}' was not found for '{name}'.")


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    # Shipping clients (python-o365) send "false" as a string and Graph takes it.
    if isinstance(value, str) and value.casefold() in ("true", "false"):
        return value.casefold() == "true"
    raise bad_body(f"Cannot convert '{value}' of '{name}' to the expected type 'Edm.Boolean'.")


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_body(f"Cannot convert the value of '{name}' to the expected type 'Edm.String'.")
    if len(value) > 255 and name == "subject":
        raise Refusal(
            400, "ErrorPropertyValidationFailure", "The subject is longer than 255 characters."
        )
    return value


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_body(f"Cannot convert the value of '{name}' to the expected type 'Edm.Int32'.")
    return value


def _body(raw: object) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise bad_body("Cannot read 'body' as an itemBody.")
    kind = _word("contentType", raw.get("contentType") or "text", ("text", "html"))
    return {"contentType": kind, "content": _text("content", raw.get("content"))}


def _location(raw: object) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise bad_body("Cannot read 'location' as a location.")
    name = _text("displayName", raw.get("displayName"))
    made: dict[str, Any] = {
        "displayName": name,
        "locationType": _word("locationType", raw.get("locationType") or "default", PLACES),
    }
    if raw.get("locationEmailAddress"):
        made["locationEmailAddress"] = _text("locationEmailAddress", raw["locationEmailAddress"])
    if raw.get("locationUri"):
        made["locationUri"] = _text("locationUri", raw["locationUri"])
    made["uniqueId"] = _text("uniqueId", raw.get("uniqueId")) or name
    made["uniqueIdType"] = _word("uniqueIdType", raw.get("uniqueIdType") or "private", KEYS)
    for part in ("address", "coordinates"):
        if isinstance(raw.get(part), Mapping):
            made[part] = dict(raw[part])
    return made


def read_extensions(raw: object) -> dict[str, dict[str, Any]]:
    """Open extensions of a body: name -> members."""
    if not isinstance(raw, list):
        raise bad_body("The value of 'extensions' must be a collection.")
    made = {}
    for one in raw:
        name = one.get("extensionName") if isinstance(one, Mapping) else None
        if not isinstance(name, str):
            raise bad_body("An open extension needs an extensionName.")
        made[name] = {
            key: value for key, value in one.items() if not key.startswith("@") and key != "id"
        }
    return made
