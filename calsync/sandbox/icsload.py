"""Put an iCalendar file into a room's calendar.

What Graph cannot say as one series is loaded as several items with the same instances; the
answer names each such case with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from dateutil.rrule import rrulestr

from .events import check_boundary
from .icsfile import Entry, File
from .icsrule import rule_of
from .items import Item, Override, When, when
from .mailbox import Mailbox
from .problems import Refusal
from .recurrence import Recurrence, too_long

if TYPE_CHECKING:
    from .world import World

HORIZON = date(2031, 1, 1)
MOST_PARTS = 5000
FOREVER = datetime(9999, 12, 31)


@dataclass(slots=True)
class Report:
    """What came of a file."""

    events: int = 0
    series: int = 0
    split: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)

    def show(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "events": self.events,
            "series": self.series,
            "split": self.split,
            "skipped": self.skipped,
        }


def load(world: World, room: Mailbox, text: str | bytes) -> Report:
    """Load all VEVENTs; a person's act in bulk, so it is logged as one line."""
    report = Report()
    try:
        file = File(text, room.zone)
    except Exception as error:  # the library raises whatever it stumbles over
        what = f"{type(error).__name__}: {error}"[:200]
        raise Refusal(400, "BadCalendar", f"The file cannot be read: {what}") from None
    line = world.note("person", "load_ics", mailbox=room.address)
    report.skipped += [{"uid": uid, "reason": reason} for uid, reason in file.bad]
    for uid, entries in file.entries.items():
        if room.find_uid(uid) is not None:
            report.skipped.append({"uid": uid, "reason": "already in the calendar"})
            continue
        try:
            _Loader(world, room, file, report, uid).load(entries)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            # Values that the library read, and that nobody can make sense of.
            report.skipped.append({"uid": uid, "reason": f"{type(error).__name__}: {error}"[:200]})
    line |= {"events": report.events, "series": report.series}
    return report


class _Loader:
    """All VEVENTs of one UID."""

    def __init__(self, world: World, room: Mailbox, file: File, report: Report, uid: str) -> None:
        self.world, self.room, self.file, self.report, self.uid = world, room, file, report, uid
        self.used = False
        self.parts = 0
        self.reasons: list[str] = []

    def load(self, entries: list[Entry]) -> None:
        """The master first: in real files overrides may stand before it."""
        masters = [one for one in entries if one.recurrence_id is None]
        changes = [one for one in entries if one.recurrence_id is not None]
        if not masters:
            self._singles(changes)
        for master in masters:
            if master.cancelled:
                self.report.skipped.append({"uid": self.uid, "reason": "STATUS:CANCELLED"})
            elif master.raw.get("RRULE") is None and master.raw.get("RDATE") is None:
                self._single(master.slot, master.props)
                self._singles(changes)
            else:
                self._series(master, changes)
            changes = []
        if self.reasons:
            self.report.split.append(
                {
                    "uid": self.uid,
                    "reason": "; ".join(dict.fromkeys(self.reasons)),
                    "parts": self.parts,
                }
            )

    def _singles(self, changes: list[Entry]) -> None:
        for one in changes:
            if not one.cancelled:
                self._single(one.slot, one.props)

    def _item(self, slot: When, props: dict[str, Any], rule: Recurrence | None = None) -> Item:
        uid = self.world.new_uid() if self.used else self.uid
        self.used = True
        self.parts += 1
        return Item(
            key=self.world.new_key(),
            uid=uid,
            when=slot,
            organizer=self.room.person,
            own=True,
            rule=rule,
            props=props,
            response=("organizer", 0),
        )

    def _single(self, slot: When, props: dict[str, Any]) -> None:
        if slot.end_utc < slot.start_utc:
            self.report.skipped.append({"uid": self.uid, "reason": "ends before it starts"})
            return
        self.world.put(self.room, self._item(slot, props))
        self.report.events += 1

    def _series(self, master: Entry, changes: list[Entry]) -> None:
        removed = set(self.file.days(master.raw, "EXDATE", master.slot))
        extra = sorted(set(self.file.days(master.raw, "RDATE", master.slot)))
        changed = self._by_day(master, changes, removed)
        made, reason = (
            rule_of(self.file, master)
            if master.raw.get("RRULE") is not None
            else (None, "RDATE without RRULE")
        )
        if made is not None and too_long(made, master.slot.end - master.slot.start) is not None:
            made, reason = None, "an instance lasts longer than the time to the next one"
        if made is None:
            self.reasons.append(reason)
            self._spread(master, changed, removed, extra)
            return
        slot = _start_on(master.slot, made.start)
        item = self._item(slot, master.props, made)
        self._place(item, master, changed, removed)
        for day in extra:
            if not made.has(day):
                self.reasons.append("RDATE")
                self._single(_start_on(master.slot, day), master.props)

    def _by_day(self, master: Entry, changes: list[Entry], removed: set[date]) -> dict[date, Entry]:
        found: dict[date, Entry] = {}
        for one in changes:
            if one.recurrence_id is None:
                continue
            if str(one.raw["RECURRENCE-ID"].params.get("RANGE", "")).upper() == "THISANDFUTURE":
                self.report.skipped.append({"uid": self.uid, "reason": "RANGE=THISANDFUTURE"})
                continue
            value, zone = one.recurrence_id
            day = (
                self.file.day_of(value, None, master.slot)
                if zone is None
                else self._day(value, zone, master.slot)
            )
            if one.cancelled:
                removed.add(day)
            else:
                found[day] = one
                removed.discard(day)
        return found

    @staticmethod
    def _day(value: date | datetime, zone: Any, master: When) -> date:
        if not isinstance(value, datetime):
            return value
        # Exchange writes the slots of all-day series as midnight in a zone.
        home = zone if master.all_day else master.start_zone
        return value.date() if zone == home else home.to_wall(zone.to_utc(value)).date()

    def _place(
        self, item: Item, master: Entry, changed: dict[date, Entry], removed: set[date]
    ) -> None:
        """Overrides in the order of their dates; one Graph refuses becomes an event of its own."""
        rule = item.rule
        gone = frozenset(day for day in removed if rule and rule.has(day))
        item = replace(item, cancelled=gone)
        loose: list[Entry] = []
        for day, one in sorted(changed.items()):
            if rule is None or not rule.has(day):
                self.reasons.append("an override of a date the rule does not give")
                loose.append(one)
                continue
            try:
                check_boundary(item, day, one.slot)
            except Refusal:
                self.reasons.append("an override crosses a neighbour's day")
                item = replace(item, cancelled=item.cancelled | {day})
                loose.append(one)
                continue
            props = {
                name: value for name, value in one.props.items() if master.props.get(name) != value
            }
            for name in master.props.keys() - one.props.keys():
                props[name] = {"subject": "", "showAs": "busy", "sensitivity": "normal"}.get(name)
            item = replace(item, overrides={**item.overrides, day: Override(one.slot, props)})
        self.world.put(self.room, item)
        self.report.series += 1
        self._singles(loose)

    def _spread(
        self, master: Entry, changed: dict[date, Entry], removed: set[date], extra: list[date]
    ) -> None:
        """One event per instance, for rules Graph has no pattern for (endless ones up to the
        horizon).
        """
        days = {*_dates(self.file, master), *extra} - removed
        for day in sorted(days - changed.keys())[:MOST_PARTS]:
            self._single(_start_on(master.slot, day), master.props)
        self._singles([one for _, one in sorted(changed.items())])


def _start_on(slot: When, day: date) -> When:
    start = datetime.combine(day, slot.start.time())
    return when(
        start, start + (slot.end - slot.start), slot.start_zone, slot.end_zone, all_day=slot.all_day
    )


def _dates(file: File, master: Entry) -> list[date]:
    text = master.raw["RRULE"].to_ical().decode() if master.raw.get("RRULE") is not None else ""
    if not text:
        return [master.slot.start.date()]
    start = master.slot.start
    until = local_until(file, master)
    parts = [part for part in text.split(";") if not part.upper().startswith("UNTIL")]
    rule = rrulestr(";".join(parts), dtstart=start)
    stop = min(until or FOREVER, datetime.combine(HORIZON, time(0)))
    found: list[date] = []
    for one in rule:
        if one > stop or len(found) >= MOST_PARTS:
            break
        found.append(one.date())
    return found


def local_until(file: File, master: Entry) -> datetime | None:
    """UNTIL as wall time of the series: UTC values mean local ones, dates mean the whole day."""
    values = master.raw["RRULE"].get("UNTIL")
    if not values:
        return None
    value = values[0]
    if not isinstance(value, datetime):
        return datetime.combine(value, time.max)
    if value.tzinfo is None:
        return value
    zone = file.floating if master.slot.all_day else master.slot.start_zone
    return zone.to_wall(value.astimezone(UTC).replace(tzinfo=None))
