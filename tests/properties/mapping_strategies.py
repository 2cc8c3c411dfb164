"""Values of every shape for the laws of ``calsync.mapping``, and a Graph that only remembers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from calsync.mapping import dates
from calsync.mapping.canon import canonical_occupancy
from calsync.mapping.event import SeriesChange
from calsync.mapping.split import lives, why_unsayable
from calsync.model import (
    Busy,
    Frequency,
    Interval,
    Nth,
    Occupancy,
    Override,
    Recurrence,
    Rule,
    Weekday,
)

#: How the laws are tried: without a limit of time, since other suites may run beside this one.
law = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

DAY = timedelta(days=1)
ROOM_ZONE = "Europe/Berlin"
FALLBACK = "Reserved"
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Sydney",
    "Asia/Kolkata",
    "America/Scoresbysund",
    "Pacific/Auckland",
)

titles = st.one_of(
    st.none(), st.sampled_from(["Standup", "Büro 1", "Œuvre 📅", "a b", "Jour fixe"])
)
busies = st.sampled_from(list(Busy))
starts = st.builds(
    lambda day, minute: datetime(2024, 1, 1) + timedelta(days=day, minutes=15 * minute),
    st.integers(0, 1500),
    st.integers(0, 95),
)
lengths = st.one_of(
    st.sampled_from([timedelta(0), timedelta(minutes=30), timedelta(hours=1)]),
    st.integers(1, 30 * 60).map(lambda minutes: timedelta(minutes=minutes)),
)
weekdays = st.sampled_from(list(Weekday))


def _until(start: date) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({}),
        st.integers(1, 25).map(lambda n: {"count": n}),
        st.integers(0, 900).map(lambda n: {"until": start + n * DAY}),
    )


@st.composite
def rules(draw: st.DrawFn, start: date) -> Rule:
    """Any rule RFC 5545 allows without parts of a day; not canonical."""
    frequency = draw(st.sampled_from(list(Frequency)))
    parts: dict[str, Any] = {}
    if draw(st.booleans()):
        ordinal = frequency in (Frequency.MONTHLY, Frequency.YEARLY) and draw(st.booleans())
        position = st.sampled_from([1, 2, 3, 4, 5, -1, -2]) if ordinal else st.just(0)
        days = draw(st.lists(st.builds(Nth, weekdays, position), min_size=1, max_size=4))
        parts["by_day"] = tuple(sorted(set(days), key=lambda n: (n.weekday, n.position)))
    if frequency is not Frequency.WEEKLY and draw(st.integers(0, 2)) == 0:
        numbers = st.sampled_from([1, 2, 15, 27, 28, 29, 30, 31, -1, -2])
        parts["by_month_day"] = tuple(sorted(draw(st.sets(numbers, min_size=1, max_size=3))))
    if draw(st.integers(0, 4)) == 0:
        parts["by_month"] = tuple(sorted(draw(st.sets(st.integers(1, 12), min_size=1, max_size=3))))
    # dateutil counts BYSETPOS in a first week that begins at the start; RFC 5545 does not.
    chosen = frequency is not Frequency.WEEKLY and ("by_day" in parts or "by_month_day" in parts)
    if chosen and draw(st.integers(0, 3)) == 0:
        places = st.sets(st.sampled_from([1, 2, 3, -1, -2]), min_size=1, max_size=2)
        parts["by_set_pos"] = tuple(sorted(draw(places)))
    return Rule(
        frequency=frequency,
        interval=draw(st.sampled_from([1, 1, 1, 2, 3, 5])),
        week_start=draw(weekdays),
        **parts,
        **draw(_until(start)),
    )


@st.composite
def plain_rules(draw: st.DrawFn, start: date) -> Rule:
    """Rules that Graph can say as they are."""
    kind = draw(st.sampled_from(["daily", "weekly", "month", "relative", "year", "clamp"]))
    parts: dict[str, Any] = {"interval": draw(st.sampled_from([1, 1, 2, 3]))}
    match kind:
        case "daily":
            parts["frequency"] = Frequency.DAILY
        case "weekly":
            days = draw(st.sets(weekdays, max_size=4))
            parts |= {
                "frequency": Frequency.WEEKLY,
                "by_day": tuple(Nth(day) for day in sorted(days)),
                "week_start": draw(weekdays),
            }
        case "month":
            parts |= {"frequency": Frequency.MONTHLY, "by_month_day": (draw(st.integers(1, 28)),)}
        case "clamp":
            last = draw(st.integers(29, 31))
            parts |= {
                "frequency": Frequency.MONTHLY,
                "by_month_day": tuple(range(28, last + 1)),
                "by_set_pos": (-1,),
            }
        case "relative":
            days = draw(st.sets(weekdays, min_size=1, max_size=3))
            parts |= {
                "frequency": draw(st.sampled_from([Frequency.MONTHLY, Frequency.YEARLY])),
                "by_day": tuple(Nth(day) for day in sorted(days)),
                "by_set_pos": (draw(st.sampled_from([1, 2, 3, 4, -1])),),
            }
            if parts["frequency"] is Frequency.YEARLY:
                parts["by_month"] = (draw(st.integers(1, 12)),)
        case _:
            parts |= {
                "frequency": Frequency.YEARLY,
                "by_month": (draw(st.integers(1, 12)),),
                "by_month_day": (draw(st.integers(1, 28)),),
            }
    return Rule(**parts, **draw(_until(start)))


@st.composite
def singles(draw: st.DrawFn) -> Occupancy:
    start, length, all_day = draw(starts), draw(lengths), draw(st.booleans())
    if all_day:
        start = datetime.combine(start.date(), datetime.min.time())
        length = DAY * draw(st.integers(1, 4))
    private = draw(st.booleans())
    return canonical_occupancy(
        Occupancy(
            start=start,
            end=start + length,
            zone=None if all_day else draw(st.sampled_from(ZONES)),
            all_day=all_day,
            busy=draw(busies),
            title=None if private else draw(titles),
            private=private,
        )
    )


@st.composite
def overrides(draw: st.DrawFn, occ: Occupancy, slot: datetime) -> Override:
    start = slot + timedelta(days=draw(st.integers(-2, 2)))
    all_day = occ.all_day or draw(st.integers(0, 6)) == 0
    length = draw(st.sampled_from([occ.duration, timedelta(hours=2)]))
    if all_day:
        start = datetime.combine(start.date(), datetime.min.time())
        length = DAY * draw(st.integers(1, 2))
    else:
        start += timedelta(minutes=draw(st.sampled_from([0, 0, 15, -45])))
    private = draw(st.booleans())
    return Override(
        recurrence_id=slot,
        start=start,
        end=start + length,
        all_day=all_day,
        busy=draw(st.sampled_from([occ.busy, Busy.FREE])),
        title=None if private else draw(st.sampled_from([occ.title, "Other"])),
        private=private,
    )


@st.composite
def series(draw: st.DrawFn, *, any_rule: bool = True) -> Occupancy:
    """A canonical series with some exceptions among its first dates."""
    occ = draw(singles())
    if not occ.all_day:
        zone = draw(st.sampled_from(ZONES))
        # Graph tells a start inside the gap of the clocks only by its instant.
        assume(not in_gap(occ.start, zone))
        occ = Occupancy(
            start=occ.start,
            end=occ.end,
            zone=zone,
            busy=occ.busy,
            title=occ.title,
            private=occ.private,
        )
    day = occ.start.date()
    rule = draw(rules(day) if any_rule else plain_rules(day))
    first = dates.first(rule, day)
    assume(first is not None and first < date(2060, 1, 1))
    slots = [
        datetime.combine(found, occ.start.time())
        for found, _ in zip(dates.dates(rule, day, day, date(2060, 1, 1)), range(12), strict=False)
    ]
    assume(not in_gap(slots[0], occ.zone or "UTC"))
    picked = draw(st.lists(st.sampled_from(slots), unique=True, max_size=4))
    cut = draw(st.integers(0, len(picked)))
    changed = tuple(draw(overrides(occ, slot)) for slot in picked[cut:])
    found = Recurrence(rule=rule, excluded=tuple(picked[:cut]), overrides=changed)
    return canonical_occupancy(
        Occupancy(
            start=occ.start,
            end=occ.end,
            zone=occ.zone,
            all_day=occ.all_day,
            busy=occ.busy,
            title=occ.title,
            private=occ.private,
            recurrence=found,
        )
    )


def in_gap(wall: datetime, zone: str) -> bool:
    rules_of = ZoneInfo(zone)
    back = wall.replace(tzinfo=rules_of).astimezone(UTC).astimezone(rules_of)
    return back.replace(tzinfo=None) != wall


def at_home(occ: Occupancy) -> bool:
    """What Graph keeps as it is said: a series with a date left (the last one takes it along),
    and no changed date at a wall time that the clocks skip (it reads back an hour later)."""
    if occ.recurrence is None:
        return True
    times = [at for o in occ.recurrence.overrides if not o.all_day for at in (o.start, o.end)]
    zone = occ.zone or ROOM_ZONE
    return lives(occ, occ.recurrence) and not any(in_gap(at, zone) for at in times)


sayable_series = series(any_rule=False).filter(
    lambda occ: why_unsayable(occ) is None and at_home(occ)
)
occupancies = st.one_of(singles(), series(), sayable_series)


def window(first: date, days: int) -> Interval:
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Interval(begin, begin + days * DAY)


# --- a Graph that remembers --------------------------------------------------------------------


def _utc(value: Mapping[str, str]) -> datetime:
    name = value["timeZone"]
    zone = ZoneInfo(win_tz.get(name, name))
    return datetime.fromisoformat(value["dateTime"]).replace(tzinfo=zone).astimezone(UTC)


def _shown(at: datetime) -> dict[str, str]:
    return {"dateTime": at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0", "timeZone": "UTC"}


def _show_times(body: dict[str, Any]) -> dict[str, Any]:
    if body["isAllDay"]:
        times = {n: {"dateTime": body[n]["dateTime"] + ".0000000", "timeZone": "UTC"} for n in SPAN}
    else:
        times = {name: _shown(_utc(body[name])) for name in SPAN}
    return {**body, **times, "originalStartTimeZone": body["start"]["timeZone"]}


SPAN = ("start", "end")
_UNUSED_PATTERN = {"month": 0, "dayOfMonth": 0, "firstDayOfWeek": "sunday", "index": "first"}
_UNUSED_RANGE = {"endDate": "0001-01-01", "numberOfOccurrences": 0, "recurrenceTimeZone": ""}


class Remembering:
    """One event as a server would keep and show it. ``follow``: whether exceptions follow the
    master's new subject and status (both are seen)."""

    def __init__(self, body: dict[str, Any], *, follow: bool = False) -> None:
        self.body, self.follow = deepcopy(body), follow
        self.cancelled: list[datetime] = []
        self.exceptions: dict[datetime, dict[str, Any]] = {}

    def change(self, change: SeriesChange) -> None:
        assert not change.recreate
        if change.master:
            if self.follow:
                for exception in self.exceptions.values():
                    for name in ("subject", "showAs", "sensitivity"):
                        if name in change.master:
                            exception[name] = change.master[name]
            else:
                for exception in self.exceptions.values():
                    for name in ("subject", "showAs", "sensitivity"):
                        exception.setdefault(name, self.body[name])
            if "start" in change.master:
                assert not self.exceptions
                assert not self.cancelled
            self.body.update(deepcopy(change.master))
        for slot in change.exclude:
            self.exceptions.pop(slot, None)
            self.cancelled.append(slot)
        for slot, patch in change.overrides:
            assert slot not in self.cancelled
            self.exceptions.setdefault(slot, {}).update(deepcopy(patch))

    def show(self) -> dict[str, Any]:
        """GET of the event, with its exceptions and cancelled occurrences if it is a series."""
        shown = {
            "@odata.etag": 'W/"1"',
            "id": "EVENT",
            "createdDateTime": "2026-01-01T00:00:00.1234567Z",
            "lastModifiedDateTime": "2026-01-02T00:00:00.7654321Z",
            "isOrganizer": True,
            **_show_times(self.body),
        }
        recurrence = self.body.get("recurrence")
        shown["type"] = "seriesMaster" if recurrence else "singleInstance"
        if not recurrence:
            return shown
        shown["recurrence"] = {
            "pattern": {**_UNUSED_PATTERN, **recurrence["pattern"]},
            "range": {**_UNUSED_RANGE, **recurrence["range"]},
        }
        shown["cancelledOccurrences"] = [f"OID.EV.ENT.{at:%Y-%m-%d}" for at in self.cancelled]
        shown["exceptionOccurrences"] = [self._exception(at) for at in self.exceptions]
        return shown

    def _exception(self, slot: datetime) -> dict[str, Any]:
        home = ZoneInfo(win_tz.get(self.body["start"]["timeZone"], self.body["start"]["timeZone"]))
        at = slot.replace(tzinfo=home).astimezone(UTC)
        length = datetime.fromisoformat(self.body["end"]["dateTime"]) - datetime.fromisoformat(
            self.body["start"]["dateTime"]
        )
        zone = self.body["start"]["timeZone"]
        rule_gives = {
            "start": {"dateTime": slot.isoformat(), "timeZone": zone},
            "end": {"dateTime": (slot + length).isoformat(), "timeZone": zone},
        }
        plain = {k: v for k, v in self.body.items() if k != "recurrence"}
        return {
            **_show_times({**plain, **rule_gives, **self.exceptions[slot]}),
            "id": f"EVENT-{slot:%Y%m%d}",
            "type": "exception",
            "seriesMasterId": "EVENT",
            "originalStart": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        }
