"""An iCalendar file read into plain values, tolerant of what real exporters write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from icalendar import Calendar, Component

from .items import When, when
from .zones import CUSTOM, UTC_ZONE, Zone, lookup, windows_name


@dataclass(slots=True)
class Entry:
    """One VEVENT: its time, and the raw component for the rest."""

    uid: str
    slot: When
    raw: Any
    recurrence_id: tuple[date | datetime, Zone | None] | None = None
    cancelled: bool = False
    props: dict[str, Any] = field(default_factory=dict)


class File:
    """The VEVENTs of a file by UID, and its time zones."""

    def __init__(self, text: str | bytes, home: Zone) -> None:
        self.home = home
        self.custom: dict[str, tzinfo] = {}
        self.first_zone: str | None = None
        self.entries: dict[str, list[Entry]] = {}
        self.bad: list[tuple[str, str]] = []
        for calendar in Calendar.from_ical(text, multiple=True):
            for part in calendar.walk("VTIMEZONE"):
                self._zone_part(part)
            for part in calendar.walk("VEVENT"):
                self._event(part)

    def _zone_part(self, part: Component) -> None:
        name = str(part.get("TZID", ""))
        self.first_zone = self.first_zone or name
        if lookup(name) is None and hasattr(part, "to_tz"):
            self.custom[name] = part.to_tz()

    def zone(self, name: str | None) -> Zone:
        """A zone by TZID: Windows and IANA names, then the file's own VTIMEZONE, then the
        room's zone.
        """
        if name is None:
            return self.home
        found = lookup(name.strip("/")) or lookup(name.rpartition("/")[2])
        if found is not None:
            return Zone(windows_name(found.label), found.rules)
        rules = self.custom.get(name)
        # A zone that only its VTIMEZONE describes has no name Graph knows.
        return Zone(CUSTOM, rules) if rules is not None else self.home

    @property
    def floating(self) -> Zone:
        """The zone meant by values without one: the file's first VTIMEZONE, else the room's."""
        return self.zone(self.first_zone) if self.first_zone else self.home

    def _event(self, part: Component) -> None:
        uid = str(part.get("UID", "")) or f"no-uid-{len(self.bad)}"
        start = _value(part, "DTSTART")
        if start is None:
            self.bad.append((uid, "no readable DTSTART"))
            return
        entry = Entry(uid, self._slot(part, start), part)
        entry.cancelled = str(part.get("STATUS", "")).upper() == "CANCELLED"
        entry.props = _props(part)
        own = part.get("RECURRENCE-ID")
        if own is not None and getattr(own, "dt", None) is not None:
            value = own.dt
            entry.recurrence_id = (
                self.wall(value, own.params.get("TZID"))
                if isinstance(value, datetime)
                else (value, None)
            )
        self.entries.setdefault(uid, []).append(entry)

    def wall(self, value: datetime, name: str | None) -> tuple[datetime, Zone]:
        """Naive wall time with its zone."""
        if name:
            return value.replace(tzinfo=None), self.zone(name)
        if value.tzinfo is not None:
            offset = value.utcoffset() or timedelta(0)
            return value.replace(tzinfo=None) - offset, UTC_ZONE
        return value, self.floating

    def _slot(self, part: Component, start: Any) -> When:
        first, label = start.dt, start.params.get("TZID")
        end = _value(part, "DTEND")
        length = _value(part, "DURATION")
        if not isinstance(first, datetime):
            opening = datetime.combine(first, time(0))
            last = opening + timedelta(days=1)
            if end is not None and not isinstance(end.dt, datetime) and end.dt > first:
                last = datetime.combine(end.dt, time(0))
            elif end is None and length is not None and length.dt >= timedelta(days=1):
                last = opening + length.dt
            return when(opening, last, self.floating, all_day=True)
        wall, zone = self.wall(first, label)
        # Both DTEND and DURATION are not allowed and happen: DTEND is what people saw.
        if end is not None and isinstance(end.dt, datetime):
            end_wall, end_zone = self.wall(end.dt, end.params.get("TZID"))
            return when(
                wall,
                zone.to_wall(end_zone.to_utc(end_wall)) if end_zone != zone else end_wall,
                zone,
            )
        if length is not None:
            return when(wall, zone.to_wall(zone.to_utc(wall) + length.dt), zone)
        return when(wall, wall, zone)

    def days(self, part: Component, name: str, master: When) -> Iterable[date]:
        """EXDATE or RDATE as dates in the zone of the series."""
        value = part.get(name)
        for group in value if isinstance(value, list) else [value] if value is not None else []:
            for one in group.dts:
                yield self.day_of(one.dt, group.params.get("TZID"), master)

    def day_of(self, value: date | datetime, label: str | None, master: When) -> date:
        """The date of a value in the zone of a series; dates are taken as they stand."""
        if not isinstance(value, datetime):
            return value
        wall, zone = self.wall(value, label)
        home = zone if master.all_day and label else master.start_zone
        return wall.date() if zone == home else home.to_wall(zone.to_utc(wall)).date()


def _value(part: Component, name: str) -> Any:
    found = part.get(name)
    if isinstance(found, list):
        found = found[0]
    return found if getattr(found, "dt", None) is not None else None


def _props(part: Component) -> dict[str, Any]:
    props: dict[str, Any] = {"subject": str(part.get("SUMMARY", ""))[:255]}
    if str(part.get("DESCRIPTION", "")).strip():
        props["body"] = {"contentType": "text", "content": str(part.get("DESCRIPTION"))}
    place = str(part.get("LOCATION", ""))
    if place:
        shape = {
            "displayName": place,
            "locationType": "default",
            "uniqueId": place,
            "uniqueIdType": "private",
        }
        props["location"], props["locations"] = shape, [shape]
    shown = {
        "FREE": "free",
        "TENTATIVE": "tentative",
        "OOF": "oof",
        "WORKINGELSEWHERE": "workingElsewhere",
    }
    status = shown.get(str(part.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper())
    if str(part.get("TRANSP", "")).upper() == "TRANSPARENT":
        status = "free"
    elif status is None and str(part.get("STATUS", "")).upper() == "TENTATIVE":
        status = "tentative"
    if status:
        props["showAs"] = status
    secrecy = {"PRIVATE": "private", "CONFIDENTIAL": "confidential"}.get(
        str(part.get("CLASS", "")).upper()
    )
    if secrecy:
        props["sensitivity"] = secrecy
    return props
