"""The file for a calendar: published, never an invitation; right to the minute; all escaped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest

from calsync.adapters.notify import ics
from calsync.adapters.notify.wording import Manners, Words
from calsync.mapping.expand import instances
from calsync.model import (
    Frequency,
    Interval,
    Notice,
    NoticeKind,
    Nth,
    Occupancy,
    Override,
    Pair,
    Person,
    Recurrence,
    Room,
    Rule,
    Side,
    Weekday,
)

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
AT = datetime(2026, 12, 1, 8)
HOUR = Occupancy(start=AT, end=AT.replace(hour=9), zone="UTC")
PAIR = Pair(id="p", room_id="r", connection="c", mailbox="r@x.example", zone="Europe/Berlin")
ROOM = Room(id="r", name="Atlas", zone="Europe/Berlin", building="HQ")


def notice(occupancy: Occupancy = HOUR, kind: NoticeKind = NoticeKind.CONFIRMED) -> Notice:
    return Notice(
        kind=kind,
        link_id="l",
        booking_key="b1",
        revision="1",
        person=Person("Ada", "ada@x.example"),
        occupancy=occupancy,
        cause=Side.CALENDAR,
    )


def made(one: Notice, *, now: datetime = NOW, room: str = "Atlas", **more: str) -> Any:
    texts = {"place": "HQ", "summary": "Booked", "organizer": "rooms@x.example"}
    raw = ics.published(one, room=room, now=now, **{**texts, **more})
    return icalendar.Calendar.from_ical(raw)


def events(calendar: Any) -> list[Any]:
    return list(calendar.walk("VEVENT"))


@pytest.mark.parametrize("kind", [NoticeKind.CONFIRMED, NoticeKind.CHANGED, NoticeKind.CANCELLED])
def test_it_is_published_and_invites_nobody(kind: NoticeKind) -> None:
    calendar = made(notice(kind=kind))
    (event,) = events(calendar)
    assert calendar["METHOD"] == "PUBLISH"
    assert event["STATUS"] == ("CANCELLED" if kind is NoticeKind.CANCELLED else "CONFIRMED")
    assert "ATTENDEE" not in event
    assert event["ORGANIZER"] == "mailto:rooms@x.example"
    assert event["UID"] == "b1@calsync"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (
        AT.replace(tzinfo=UTC),
        AT.replace(hour=9, tzinfo=UTC),
    )
    later = events(made(notice(kind=kind), now=NOW + timedelta(seconds=1)))[0]
    assert later["SEQUENCE"] > event["SEQUENCE"]


@pytest.mark.parametrize("kind", [NoticeKind.REJECTED, NoticeKind.STARTING])
def test_where_it_does_not_help_there_is_none(kind: NoticeKind) -> None:
    words = Words(Manners(calendar=True, organizer="r@x.example"), now=lambda: NOW)
    assert words.letter(PAIR, ROOM, notice(kind=kind)).calendar == b""
    shared = replace(notice(), channel="ops")
    assert words.letter(PAIR, ROOM, shared).calendar == b""
    assert words.letter(PAIR, ROOM, notice()).calendar != b""


SERIES = Occupancy(
    start=datetime(2026, 10, 20, 9),
    end=datetime(2026, 10, 20, 10),
    zone="Europe/Berlin",
    recurrence=Recurrence(
        rule=Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.TU), Nth(Weekday.TH)), count=8),
        excluded=(datetime(2026, 10, 22, 9),),
        overrides=(
            Override(
                recurrence_id=datetime(2026, 10, 27, 9),
                start=datetime(2026, 10, 28, 14),
                end=datetime(2026, 10, 28, 16),
            ),
        ),
    ),
)


def test_a_series_means_the_same_to_another_reader() -> None:
    """Over the change of the clocks; expanded by dateutil from the text alone."""
    from dateutil.rrule import rrulestr

    calendar = made(notice(SERIES))
    master, override = events(calendar)
    zones = [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")]
    assert zones == ["Europe/Berlin"]
    start = master["DTSTART"].dt
    rule = rrulestr(master["RRULE"].to_ical().decode(), dtstart=start)
    gone = {one.dt for one in master["EXDATE"].dts} | {override["RECURRENCE-ID"].dt}
    read = {one.astimezone(UTC) for one in rule if one not in gone}
    read.add(override["DTSTART"].dt.astimezone(UTC))
    span = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert read == {one.start for one in instances(SERIES, span, "Europe/Berlin")}
    assert override["UID"] == master["UID"]


def test_whole_days_stay_days() -> None:
    days = Occupancy(
        start=datetime(2026, 12, 1), end=datetime(2026, 12, 3), zone=None, all_day=True
    )
    (event,) = events(made(notice(days)))
    assert event["DTSTART"].dt == datetime(2026, 12, 1).date()
    assert event["DTEND"].dt == datetime(2026, 12, 3).date()


EVIL = 'x\r\nMETHOD:REQUEST\r\nATTENDEE:mailto:eve@y.example\nEND:VEVENT;CN="a":,\\'


@pytest.mark.parametrize("where", ["room", "place", "summary"])
def test_no_text_begins_a_property(where: str) -> None:
    calendar = made(notice(), **{where: EVIL})
    assert calendar["METHOD"] == "PUBLISH"
    (event,) = events(calendar)
    assert "ATTENDEE" not in event
    assert len(calendar.walk("VEVENT")) == 1
    raw = ics.published(
        notice(), **{**_TEXTS, where: EVIL}, organizer="rooms@x.example", now=NOW
    ).decode()
    names = [line.split(":")[0].split(";")[0] for line in raw.split("\r\n") if line[:1] != " "]
    assert names.count("METHOD") == 1
    assert "ATTENDEE" not in names


_TEXTS = {"room": "Atlas", "place": "HQ", "summary": "Booked"}
