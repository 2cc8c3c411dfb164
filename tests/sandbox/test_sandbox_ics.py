"""Real calendar files against an expansion written only for this test."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from icalendar import Calendar

from tests.fidelity.csdl import shared_folder

from .client import ROOM, Graph

LOW, HIGH = datetime(2004, 1, 1), datetime(2030, 1, 1)
WINDOWS = {"GMT Standard Time": "Europe/London"}
FOLDER = shared_folder()
FILES = sorted((FOLDER / "data" / "calendars").glob("*.ics")) if FOLDER else []
Row = tuple[str, str, bool, str]


def independent(text: bytes, home: str) -> Counter[Row]:
    """(start, end, all day, title) of every instance, in UTC, by dateutil and icalendar alone."""
    found: Counter[Row] = Counter()
    calendar = Calendar.from_ical(text)
    zones = [str(one["TZID"]) for one in calendar.walk("VTIMEZONE")]
    floating = ZoneInfo(WINDOWS.get(zones[0], zones[0])) if zones else ZoneInfo(home)
    events: dict[str, tuple[list[Any], list[Any]]] = {}
    for event in calendar.walk("VEVENT"):
        masters, changes = events.setdefault(str(event["UID"]), ([], []))
        (changes if "RECURRENCE-ID" in event else masters).append(event)

    def zone_of(prop: Any) -> ZoneInfo | None:
        name = prop.params.get("TZID")
        if name:
            return ZoneInfo(WINDOWS.get(name, name))
        return ZoneInfo("UTC") if isinstance(prop.dt, datetime) and prop.dt.tzinfo else None

    def utc(wall: datetime, zone: ZoneInfo | None) -> datetime:
        return wall.replace(tzinfo=zone or floating).astimezone(UTC).replace(tzinfo=None)

    def wall(prop: Any) -> datetime:
        return (
            prop.dt.replace(tzinfo=None)
            if isinstance(prop.dt, datetime)
            else datetime.combine(prop.dt, time())
        )

    def length(event: Any) -> timedelta:
        if "DTEND" in event:
            return wall(event["DTEND"]) - wall(event["DTSTART"])
        if "DURATION" in event:
            return event["DURATION"].dt
        return timedelta(0) if isinstance(event["DTSTART"].dt, datetime) else timedelta(days=1)

    def add(event: Any, start: datetime) -> None:
        all_day = not isinstance(event["DTSTART"].dt, datetime)
        # A day is the room's own day, whatever zone the file names.
        zone = ZoneInfo(home) if all_day else zone_of(event["DTSTART"])
        first, last = utc(start, zone), utc(start + length(event), zone)
        if first < HIGH and last > LOW:
            found[
                (
                    first.isoformat() + "Z",
                    last.isoformat() + "Z",
                    all_day,
                    str(event.get("SUMMARY", "")),
                )
            ] += 1

    for masters, changes in events.values():
        for event in masters:
            start, zone = wall(event["DTSTART"]), zone_of(event["DTSTART"]) or floating
            if "RRULE" not in event:
                add(event, start)
                continue
            rule = event["RRULE"].to_ical().decode()
            until = event["RRULE"].get("UNTIL", [None])[0]
            plain = ";".join(part for part in rule.split(";") if not part.startswith("UNTIL"))
            stop = HIGH
            if isinstance(until, datetime):
                stop = until.astimezone(zone).replace(tzinfo=None) if until.tzinfo else until
            elif isinstance(until, date):
                stop = datetime.combine(until, time.max)
            skip = {
                one.dt.date() if isinstance(one.dt, datetime) else one.dt
                for group in listed(event, "EXDATE")
                for one in group.dts
            }
            for change in changes:
                value = change["RECURRENCE-ID"].dt
                skip.add(value.date() if isinstance(value, datetime) else value)
            for one in rrulestr(plain, dtstart=start):
                if one > stop or one > HIGH:
                    break
                if one.date() not in skip:
                    add(event, one)
        for change in changes:
            add(change, wall(change["DTSTART"]))
    return found


def listed(event: Any, name: str) -> list[Any]:
    value = event.get(name)
    return value if isinstance(value, list) else [value] if value is not None else []


def loaded(graph: Graph) -> Counter[Row]:
    rows = graph.control(
        "GET", f"rooms/{ROOM}/instances?start={LOW.isoformat()}&end={HIGH.isoformat()}"
    )["value"]
    return Counter((one["start"], one["end"], one["isAllDay"], one["subject"]) for one in rows)


@pytest.mark.skipif(not FILES, reason="the shared calendar files are not here; set CALSYNC_SHARED")
@pytest.mark.parametrize("path", FILES, ids=lambda one: one.stem)
def test_every_file_loads_with_identical_instances(path: Path) -> None:
    graph = Graph(zone="Europe/Berlin")
    text = path.read_bytes()
    report = graph.control("POST", f"rooms/{ROOM}/ics", text)
    assert report["skipped"] == []
    expected = independent(text, "Europe/Berlin")
    assert sum(expected.values()) > 4
    assert loaded(graph) == expected
    # What Graph says about the calendar is the same set.
    rows, _ = graph.first_delta(start="2004-01-01", end="2030-01-01", size=1000)
    instances = [one for one in rows if one["type"] != "seriesMaster"]
    assert len(instances) == sum(expected.values())
    again = graph.control("POST", f"rooms/{ROOM}/ics", text)
    assert (again["events"], again["series"]) == (0, 0)


HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
CUSTOM = (
    "BEGIN:VTIMEZONE\r\nTZID:Our zone\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
    "TZOFFSETFROM:+0330\r\nTZOFFSETTO:+0330\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def vevent(*lines: str) -> str:
    return "\r\n".join(
        ["BEGIN:VEVENT", "UID:u1", "SUMMARY:x", "DTSTAMP:20260101T000000", *lines, "END:VEVENT", ""]
    )


def load(graph: Graph, *parts: str) -> Any:
    text = HEAD + "".join(parts) + "END:VCALENDAR\r\n"
    return graph.control("POST", f"rooms/{ROOM}/ics", text.encode())


def test_the_rule_that_skips_the_31st_is_split(graph: Graph) -> None:
    report = load(
        graph,
        vevent("DTSTART:20260131T100000Z", "DTEND:20260131T110000Z", "RRULE:FREQ=MONTHLY;COUNT=4"),
    )
    assert (report["events"], report["series"]) == (4, 0)
    assert report["split"][0]["parts"] == 4
    assert "short months" in report["split"][0]["reason"]
    assert [one["start"][5:10] for one in graph.live()] == ["01-31", "03-31", "05-31", "07-31"]


def test_the_clamped_rule_is_one_series(graph: Graph) -> None:
    rule = "RRULE:FREQ=MONTHLY;COUNT=4;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"
    report = load(graph, vevent("DTSTART:20260131T100000Z", "DTEND:20260131T110000Z", rule))
    assert (report["events"], report["series"], report["split"]) == (0, 1, [])
    assert [one["start"][5:10] for one in graph.live()] == ["01-31", "02-28", "03-31", "04-30"]


def test_setpos_lists_and_rdates_are_split(graph: Graph) -> None:
    rule = "RRULE:FREQ=MONTHLY;COUNT=4;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1"
    report = load(
        graph,
        vevent(
            "DTSTART:20260401T100000Z", "DTEND:20260401T110000Z", rule, "RDATE:20260415T100000Z"
        ),
    )
    assert report["split"][0]["parts"] == 5
    assert [one["start"][5:10] for one in graph.live()] == [
        "04-01",
        "04-15",
        "04-30",
        "05-01",
        "05-29",
    ]


def test_a_zone_that_only_its_vtimezone_describes(graph: Graph) -> None:
    load(
        graph,
        CUSTOM,
        vevent(
            "DTSTART;TZID=Our zone:20260401T100000",
            "DTEND;TZID=Our zone:20260401T110000",
            "RRULE:FREQ=DAILY;COUNT=2",
        ),
    )
    assert [one["start"][:16] for one in graph.live()] == ["2026-04-01T06:30", "2026-04-02T06:30"]
    assert (
        graph.ok("GET", f"{ROOM}/events")["value"][0]["originalStartTimeZone"]
        == "tzone://Microsoft/Custom"
    )


def test_cancelled_private_free_and_override_first(graph: Graph) -> None:
    override = vevent(
        "RECURRENCE-ID;VALUE=DATE:20260402", "DTSTART:20260402T150000Z", "DTEND:20260402T160000Z"
    )
    master = vevent(
        "DTSTART:20260401T100000Z",
        "DTEND:20260401T110000Z",
        "RRULE:FREQ=DAILY;COUNT=3",
        "CLASS:PRIVATE",
        "TRANSP:TRANSPARENT",
    )
    gone = vevent("RECURRENCE-ID:20260403T100000Z", "DTSTART:20260403T100000Z", "STATUS:CANCELLED")
    other = vevent("DTSTART:20260501T100000Z", "STATUS:CANCELLED").replace("UID:u1", "UID:u2")
    report = load(graph, override, master, gone, other)
    assert report == {
        "events": 0,
        "series": 1,
        "split": [],
        "skipped": [{"uid": "u2", "reason": "STATUS:CANCELLED"}],
    }
    rows = graph.live()
    assert [(one["start"][5:13], one["showAs"], one["sensitivity"]) for one in rows] == [
        ("04-01T10", "free", "private"),
        ("04-02T15", "busy", "normal"),
    ]
