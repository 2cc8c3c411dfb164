"""The document of a booking, member by member: what a platform may say, what it is told when it
says it wrong, and what it reads. The vocabulary is that of JSCalendar (RFC 8984)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import pytest

from calsync.mapping import booking_form as forms
from calsync.mapping.booking import (
    READ_ONLY,
    Wish,
    booking_to_json,
    content_to_json,
    format_utc,
    hide_details,
    hide_titles,
    is_name,
    read_content,
    read_wish,
    refusal_from_json,
    refusal_to_json,
    wish_to_json,
)
from calsync.mapping.booking_form import FieldError, Form, InvalidBooking
from calsync.mapping.booking_state import busy_to_json, read_busy
from calsync.mapping.booking_values import (
    FOREVER,
    Booking,
    BookingStatus,
    FeedEntry,
    StoredRoom,
)
from calsync.model import (
    NOBODY,
    Alternative,
    Busy,
    Frequency,
    Interval,
    Occupancy,
    Override,
    Person,
    Recurrence,
    Refusal,
    Room,
    Rule,
    Side,
)

ZONE = "Europe/Berlin"
PLAIN = {"start": "2026-12-01T09:00:00", "duration": "PT1H"}
ALL_DAY = {"start": "2026-12-01", "duration": "P1D", "showWithoutTime": True}
SINGLE = Occupancy(start=datetime(2026, 12, 1, 8), end=datetime(2026, 12, 1, 9), zone="UTC")
CREATED = datetime(2026, 11, 20, 8, tzinfo=UTC)
MODIFIED = datetime(2026, 11, 21, 8, tzinfo=UTC)


def errors(**doc: object) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidBooking) as caught:
        read_wish({**PLAIN, **doc}, ZONE)
    return [(e.pointer, e.what, e.todo) for e in caught.value.errors]


def stored(content: Occupancy, **more: Any) -> Booking:
    return Booking(
        id="b1",
        room_id="r1",
        content=content,
        fingerprint="f",
        span=Interval(CREATED, CREATED),
        created=CREATED,
        modified=MODIFIED,
        **more,
    )


# --- what a platform may say -----------------------------------------------------------------


def test_a_start_and_a_length_are_enough() -> None:
    assert read_wish(PLAIN, ZONE) == Wish(
        content=SINGLE, person=NOBODY, seats=None, uid="", external_id=None
    )


def test_every_member_that_a_platform_may_set() -> None:
    doc = {
        "@type": "Event",
        "title": "Sync",
        "start": "2026-12-01T09:00:00",
        "timeZone": "America/New_York",
        "duration": "PT1H30M",
        "showWithoutTime": False,
        "status": "confirmed",
        "freeBusyStatus": "busy",
        "showAs": "oof",
        "privacy": "public",
        "recurrenceRule": {"@type": "RecurrenceRule", "frequency": "daily", "count": 3},
        "recurrenceOverrides": {"2026-12-02T09:00:00": {"excluded": True}},
        "bookedBy": {"name": "Ada", "email": "ada@example.com"},
        "seats": 3,
        "uid": "u-1",
        "externalId": "e-1",
    }
    content = Occupancy(
        start=datetime(2026, 12, 1, 9),
        end=datetime(2026, 12, 1, 10, 30),
        zone="America/New_York",
        busy=Busy.OOF,
        title="Sync",
        recurrence=Recurrence(
            rule=Rule(frequency=Frequency.DAILY, count=3), excluded=(datetime(2026, 12, 2, 9),)
        ),
    )
    wish = Wish(
        content=content,
        person=Person("Ada", "ada@example.com"),
        seats=3,
        uid="u-1",
        external_id="e-1",
    )
    assert read_wish(doc, ZONE) == wish
    by_rrule = {k: v for k, v in doc.items() if k != "recurrenceRule"}
    assert read_wish({**by_rrule, "rrule": "FREQ=DAILY;COUNT=3"}, ZONE) == wish


@pytest.mark.parametrize(
    ("name", "start"),
    [
        (None, 8),
        ("", 8),
        ("Europe/Berlin", 8),
        ("W. Europe Standard Time", 8),
        ("Etc/UTC", 9),
        ("America/New_York", 14),
    ],
)
def test_a_time_without_zone_is_that_of_the_room(name: str | None, start: int) -> None:
    content = read_wish({**PLAIN, "timeZone": name}, ZONE).content
    assert (content.start.hour, content.end.hour, content.zone) == (start, start + 1, "UTC")


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        # 25 October 2026 has 25 hours in Berlin, 28 March 2027 has 23.
        ("2026-10-24T12:00:00", "P1D", "2026-10-25T11:00:00"),
        ("2026-10-24T12:00:00", "PT24H", "2026-10-25T10:00:00"),
        ("2026-10-24T12:00:00", "P1DT2H", "2026-10-25T13:00:00"),
        ("2026-10-24T12:00:00", "P1W", "2026-10-31T11:00:00"),
        ("2027-03-27T12:00:00", "P1D", "2027-03-28T10:00:00"),
        ("2027-03-27T12:00:00", "PT24H", "2027-03-28T11:00:00"),
        # 02:30 is skipped: it lies as far after the gap as it would have.
        ("2027-03-28T02:30:00", "PT45M", "2027-03-28T02:15:00"),
        ("2027-03-27T02:30:00", "P1D", "2027-03-28T01:30:00"),
        ("2026-12-01T09:00:00", "PT0S", "2026-12-01T08:00:00"),
    ],
)
def test_days_of_a_single_are_nominal_and_its_time_exact(
    start: str, duration: str, end: str
) -> None:
    content = read_wish({"start": start, "duration": duration}, ZONE).content
    assert content.end == datetime.fromisoformat(end)


def test_a_series_has_its_length_by_the_clock_on_the_wall() -> None:
    rule = {"frequency": "daily", "count": 2}
    doc = {"start": "2026-10-24T12:00:00", "duration": "P1D", "recurrenceRule": rule}
    content = read_wish(doc, ZONE).content
    assert (content.start, content.end) == (datetime(2026, 10, 24, 12), datetime(2026, 10, 25, 12))
    assert content.zone == ZONE


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-12-01", "P1D", datetime(2026, 12, 2)),
        ("2026-12-01T00:00:00", "P2D", datetime(2026, 12, 3)),
        ("2026-12-01", "P1W", datetime(2026, 12, 8)),
        ("2026-12-01", "P1DT0S", datetime(2026, 12, 2)),
    ],
)
def test_all_day_means_days_of_no_zone(start: str, duration: str, end: datetime) -> None:
    doc = {"start": start, "duration": duration, "showWithoutTime": True}
    assert read_wish(doc, ZONE).content == Occupancy(
        start=datetime(2026, 12, 1), end=end, zone=None, all_day=True
    )


@pytest.mark.parametrize("privacy", ["private", "secret"])
def test_a_private_booking_is_busy_time_and_nothing_else(privacy: str) -> None:
    doc = {
        **PLAIN,
        "privacy": privacy,
        "title": "Layoffs",
        "bookedBy": {"name": "Ada", "email": "ada@example.com"},
    }
    private = Occupancy(start=SINGLE.start, end=SINGLE.end, zone="UTC", private=True)
    assert read_wish(doc, ZONE) == Wish(content=private)


@pytest.mark.parametrize("privacy", [None, "public"])
def test_a_public_booking_says_whose_and_what(privacy: str | None) -> None:
    doc = {**PLAIN, "privacy": privacy, "title": "Sync", "bookedBy": {"name": "Ada"}}
    wish = read_wish(doc, ZONE)
    assert (wish.content.title, wish.content.private) == ("Sync", False)
    assert wish.person == Person("Ada", "")


@pytest.mark.parametrize(
    ("given", "person"),
    [
        (None, NOBODY),
        ({}, Person("", "")),
        ({"name": None, "email": None}, Person("", "")),
        ({"name": " ", "email": ""}, Person("", "")),
        ({"email": "ada@example.com"}, Person("", "ada@example.com")),
        ({"name": "Ada", "email": "a.b+c@xn--bcher-kva.example"},
         Person("Ada", "a.b+c@xn--bcher-kva.example")),
        ({"@type": "Participant", "name": "Ada"}, Person("Ada", "")),
        ({"name": "x" * 4096}, Person("x" * 255, "")),
        ({"email": "a" * 242 + "@example.com"}, Person("", "a" * 242 + "@example.com")),
    ],
)  # fmt: skip
def test_who_booked(given: object, person: Person) -> None:
    assert read_wish({**PLAIN, "bookedBy": given}, ZONE).person == person


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", "x" * 262_144),
        ("timeZone", None),
        ("duration", "P1824DT23H59M59S"),
        ("seats", 1),
        ("seats", 100_000),
        ("uid", "u" * 255),
        ("externalId", "e" * 255),
    ],
)
def test_the_most_that_is_taken(member: str, value: object) -> None:
    read_wish({**PLAIN, member: value}, ZONE)


# --- what is refused -------------------------------------------------------------------------

NO_ZONE = "this time zone is not known", "Give an IANA name: Europe/Berlin"
NO_ADDRESS = "is not a mail address", "Give one such as ada@example.com"
NO_NAME = "must be printable text", "Use letters, digits and punctuation"
UNKNOWN = "this member is not known here", "Check its spelling, or drop it"
TOO_LONG = "five years or more is no booking", "Book a series, or less time"

REFUSED: list[tuple[dict[str, object], str, str, str]] = [
    ({"start": None}, "/start", "is missing", "Give it, such as 2026-11-20T09:00:00"),
    ({"duration": None}, "/duration", "is missing", "Give it, such as PT1H"),
    ({"titel": "Sync"}, "/titel", *UNKNOWN),
    ({"@type": "Task"}, "/@type", "is not one of the known values", "Use Event"),
    ({"@type": ""}, "/@type", "is not one of the known values", "Use Event"),
    ({"title": "x" * 262_145}, "/title", "must have at most 262144 characters, has 262145", ""),
    ({"showWithoutTime": "yes"}, "/showWithoutTime", "must be true or false", ""),
    ({"timeZone": "Mars/Olympus"}, "/timeZone", *NO_ZONE),
    ({"timeZone": "x" * 128}, "/timeZone", *NO_ZONE),
    ({"timeZone": "x" * 129}, "/timeZone", "must have at most 128 characters, has 129", ""),
    ({"status": "maybe"}, "/status", "is not one of the known values", "Use confirmed, tentative"),
    ({"freeBusyStatus": "oof"}, "/freeBusyStatus", "is not one of the known values",
     "Use free, busy"),
    ({"showAs": "free"}, "/showAs", "is not one of the known values",
     "Use busy, oof, workingElsewhere"),
    ({"privacy": "hidden"}, "/privacy", "is not one of the known values",
     "Use public, private, secret"),
    ({"duration": "P1825D"}, "/duration", *TOO_LONG),
    ({"duration": "P1824DT24H"}, "/duration", *TOO_LONG),
    ({"duration": "P9999W"}, "/duration", *TOO_LONG),
    ({**ALL_DAY, "start": "2026-12-01T00:00:01"}, "/start", "an all-day booking starts at midnight",
     "Give the time as 00:00:00"),
    ({**ALL_DAY, "start": "soon"}, "/start", "is not a local date and time",
     "Write 2026-11-20T09:00:00, without an offset; the zone goes into timeZone"),
    ({**ALL_DAY, "duration": "soon"}, "/duration", "is not an ISO 8601 duration",
     "Write PT1H30M, or P2D for whole days"),
    *(({**ALL_DAY, "duration": length}, "/duration", "an all-day booking lasts whole days",
       "Give a duration such as P1D") for length in ("PT24H", "P1DT1H", "P0D", "PT0S")),
    ({"bookedBy": {"name": "x" * 4097}}, "/bookedBy/name",
     "must have at most 4096 characters, has 4097", ""),
    ({"bookedBy": {"phone": "1"}}, "/bookedBy/phone", *UNKNOWN),
    ({"bookedBy": {"email": "a" * 243 + "@example.com"}}, "/bookedBy/email",
     "must have at most 254 characters, has 255", ""),
    *(({"bookedBy": {"email": address}}, "/bookedBy/email", *NO_ADDRESS) for address in (
        "ada", "ada@", "@example.com", "a b@example.com", "a@b@example.com", "<ada@example.com>",
        "ada@example.com\n", '"ada"@example.com', "Ada <ada@example.com>")),
    ({"seats": 0}, "/seats", "must be between 1 and 100000", ""),
    ({"seats": 100_001}, "/seats", "must be between 1 and 100000", ""),
    *(({member: value}, f"/{member}", *NO_NAME) for member in ("uid", "externalId")
      for value in ("", " ", "a\nb", "a\u202eb", "\ud800", "a\ufffdb")),
    *(({member: "x" * 256}, f"/{member}", "must have at most 255 characters, has 256", "")
      for member in ("uid", "externalId")),
    *(({member: 1}, f"/{member}", "is set by calsync", "Leave it out") for member in (
        "id", "roomId", "bookingStatus", "origin", "editable", "startUtc", "endUtc", "sequence",
        "revision", "created", "updated", "changeNumber", "claimedAt", "refusal")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("doc", "pointer", "what", "todo"), REFUSED, ids=[f"{n}{r[1]}" for n, r in enumerate(REFUSED)]
)
def test_what_is_wrong_is_told_with_what_to_do(
    doc: dict[str, object], pointer: str, what: str, todo: str
) -> None:
    assert errors(**doc) == [(pointer, what, todo)]


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = errors(start=None, duration="x", timeZone="x", bookedBy={"email": "x"}, seats=0, id=1)
    assert [pointer for pointer, _, _ in found] == [
        *("/id", "/duration", "/start", "/timeZone", "/bookedBy/email", "/seats")
    ]


def test_members_set_by_calsync_may_be_null() -> None:
    assert read_wish({**PLAIN, **dict.fromkeys(READ_ONLY)}, ZONE).content == SINGLE


def test_wrong_content_is_none_and_its_problems_stay_in_the_form() -> None:
    form = Form({**PLAIN, "start": "soon"})
    assert read_content(form, ZONE) is None
    assert [e.pointer for e in form.errors] == ["/start"]
    before = Form(PLAIN, errors=[FieldError("/id", "is odd")])
    assert read_content(before, ZONE) is None


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a", True),
        ("room 7 / ü-ß_字", True),
        ("x" * 255, True),
        ("x" * 256, False),
        ("", False),
        ("   ", False),
        ("a\tb", False),
        ("a\u200bb", False),
        ("a\ufffdb", False),
    ],
)
def test_what_may_be_kept_as_an_identifier(text: str, good: bool) -> None:
    assert is_name(text) is good


# --- how it blocks the room ------------------------------------------------------------------

_SAID = {
    Busy.FREE: {"status": "confirmed", "freeBusyStatus": "free"},
    Busy.TENTATIVE: {"status": "tentative", "freeBusyStatus": "busy"},
    Busy.BUSY: {"status": "confirmed", "freeBusyStatus": "busy"},
    Busy.OOF: {"status": "confirmed", "freeBusyStatus": "busy", "showAs": "oof"},
    Busy.ELSEWHERE: {
        "status": "confirmed",
        "freeBusyStatus": "busy",
        "showAs": "workingElsewhere",
    },
}


@pytest.mark.parametrize("busy", Busy)
def test_how_a_kind_of_busy_is_said(busy: Busy) -> None:
    assert busy_to_json(busy) == _SAID[busy]
    # One date of a series says it in full: the series may be out of office where it is not.
    full = busy_to_json(busy, always=True)
    assert full == {"showAs": "busy", **_SAID[busy]}
    for default in Busy:
        form = Form(full)
        assert read_busy(form, default) is busy
        assert form.errors == []
    assert read_busy(Form(_SAID[busy])) is busy


@pytest.mark.parametrize(
    ("default", "doc", "busy"),
    [
        *((default, {}, default) for default in Busy),
        (Busy.TENTATIVE, {"status": "confirmed"}, Busy.BUSY),
        (Busy.TENTATIVE, {"showAs": "oof"}, Busy.TENTATIVE),
        (Busy.TENTATIVE, {"freeBusyStatus": "free"}, Busy.FREE),
        (Busy.FREE, {"freeBusyStatus": "busy"}, Busy.BUSY),
        (Busy.FREE, {"status": "tentative"}, Busy.FREE),
        (Busy.OOF, {"status": "tentative"}, Busy.TENTATIVE),
        (Busy.OOF, {"status": "confirmed"}, Busy.OOF),
        (Busy.ELSEWHERE, {"freeBusyStatus": "busy"}, Busy.ELSEWHERE),
        (Busy.ELSEWHERE, {"showAs": "busy"}, Busy.BUSY),
        (Busy.BUSY, {"showAs": "workingElsewhere"}, Busy.ELSEWHERE),
    ],
)
def test_what_is_not_said_stays_as_it_was(
    default: Busy, doc: dict[str, object], busy: Busy
) -> None:
    assert read_busy(Form(doc), default) is busy


def test_a_booking_is_plainly_busy_unless_it_says_otherwise() -> None:
    assert read_busy(Form({})) is Busy.BUSY


# --- what a platform reads -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "zone", "shown", "named"),
    [
        (datetime(2026, 12, 1, 8), ZONE, "2026-12-01T09:00:00", ZONE),
        (datetime(2026, 12, 1, 8), "America/New_York", "2026-12-01T03:00:00", "America/New_York"),
        (datetime(2026, 12, 1, 8), "UTC", "2026-12-01T08:00:00", "Etc/UTC"),
        # 25 October: 02:30 in Berlin comes twice. The second cannot be said by the wall clock.
        (datetime(2026, 10, 25, 0, 30), ZONE, "2026-10-25T02:30:00", ZONE),
        (datetime(2026, 10, 25, 1, 30), ZONE, "2026-10-25T01:30:00", "Etc/UTC"),
        (datetime(2026, 10, 25, 2), ZONE, "2026-10-25T03:00:00", ZONE),
    ],
)
def test_a_single_is_shown_by_the_clock_of_the_room(
    start: datetime, zone: str, shown: str, named: str
) -> None:
    occ = Occupancy(start=start, end=start + timedelta(minutes=90), zone="UTC", title="Sync")
    assert content_to_json(occ, zone) == {
        "@type": "Event",
        "title": "Sync",
        "start": shown,
        "timeZone": named,
        "duration": "PT1H30M",
        "status": "confirmed",
        "freeBusyStatus": "busy",
        "privacy": "public",
    }


def test_all_day_is_shown_as_days() -> None:
    days = datetime(2026, 12, 1), datetime(2026, 12, 3)
    occ = Occupancy(start=days[0], end=days[1], zone=None, all_day=True, private=True)
    assert content_to_json(occ, ZONE) == {
        "@type": "Event",
        "start": "2026-12-01T00:00:00",
        "timeZone": None,
        "duration": "P2D",
        "showWithoutTime": True,
        "status": "confirmed",
        "freeBusyStatus": "busy",
        "privacy": "private",
    }


@pytest.mark.parametrize(
    ("zone", "named"), [("America/New_York", "America/New_York"), ("UTC", "Etc/UTC")]
)
def test_a_series_is_shown_by_its_own_clock(zone: str, named: str) -> None:
    start = datetime(2026, 12, 1, 9)
    rule = Rule(frequency=Frequency.DAILY, count=3)
    occ = Occupancy(
        start=start,
        end=start + timedelta(hours=1),
        zone=zone,
        busy=Busy.TENTATIVE,
        recurrence=Recurrence(rule=rule, excluded=(datetime(2026, 12, 2, 9),)),
    )
    assert content_to_json(occ, ZONE) == {
        "@type": "Event",
        "start": "2026-12-01T09:00:00",
        "timeZone": named,
        "duration": "PT1H",
        "status": "tentative",
        "freeBusyStatus": "busy",
        "privacy": "public",
        "recurrenceRule": {"@type": "RecurrenceRule", "frequency": "daily", "count": 3},
        "recurrenceOverrides": {"2026-12-02T09:00:00": {"excluded": True}},
    }


FRESH: dict[str, object] = {
    "id": "b1",
    "roomId": "r1",
    "@type": "Event",
    "start": "2026-12-01T09:00:00",
    "timeZone": ZONE,
    "duration": "PT1H",
    "status": "confirmed",
    "freeBusyStatus": "busy",
    "privacy": "public",
    "bookingStatus": "pending",
    "origin": "booking",
    "editable": True,
    "startUtc": "2026-12-01T08:00:00Z",
    "endUtc": "2026-12-01T09:00:00Z",
    "sequence": 1,
    "revision": 1,
    "created": "2026-11-20T08:00:00Z",
    "updated": "2026-11-21T08:00:00Z",
    "changeNumber": 0,
}


@pytest.mark.parametrize("details", [True, False])
def test_a_booking_as_it_was_just_made(details: bool) -> None:
    assert booking_to_json(stored(SINGLE), ZONE, details=details) == FRESH


@pytest.mark.parametrize("details", [True, False])
def test_a_booking_with_everything(details: bool) -> None:
    held = stored(
        Occupancy(start=SINGLE.start, end=SINGLE.end, zone="UTC", title="Sync"),
        status=BookingStatus.REJECTED,
        origin=Side.CALENDAR,
        editable=False,
        uid="u-1",
        person=Person("Ada", "ada@example.com"),
        seats=3,
        external_id="e-1",
        refusal=Refusal(reason="Taken.", code="room-conflict"),
        revision=7,
        content_revision=5,
        mark=99,
        claimed=datetime(2026, 11, 19, 9, 0, 0, 500_000, tzinfo=timezone(timedelta(hours=1))),
    )
    known = {"title": "Sync", "bookedBy": {"name": "Ada", "email": "ada@example.com"}}
    assert booking_to_json(held, ZONE, details=details) == {
        **FRESH,
        **(known if details else {}),
        "seats": 3,
        "uid": "u-1",
        "externalId": "e-1",
        "bookingStatus": "rejected",
        "origin": "calendar",
        "editable": False,
        "sequence": 5,
        "revision": 7,
        "changeNumber": 99,
        "claimedAt": "2026-11-19T08:00:00.500000Z",
        "refusal": {
            "code": "room-conflict",
            "reason": "Taken.",
            "dates": [],
            "conflicts": [],
            "alternatives": [],
        },
    }


@pytest.mark.parametrize(
    ("content", "start", "end"),
    [
        # Days are those of the room.
        (
            Occupancy(
                start=datetime(2026, 12, 1), end=datetime(2026, 12, 2), zone=None, all_day=True
            ),
            "2026-11-30T23:00:00Z",
            "2026-12-01T23:00:00Z",
        ),
        # A series has a clock of its own.
        (
            Occupancy(
                start=datetime(2026, 12, 1, 9),
                end=datetime(2026, 12, 1, 10),
                zone="America/New_York",
                recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY)),
            ),
            "2026-12-01T14:00:00Z",
            "2026-12-01T15:00:00Z",
        ),
        # One that begins in the hour that the clocks skip does not end before it starts.
        (
            Occupancy(
                start=datetime(2027, 3, 28, 2, 30),
                end=datetime(2027, 3, 28, 3, 15),
                zone=ZONE,
                recurrence=Recurrence(rule=Rule(frequency=Frequency.WEEKLY)),
            ),
            "2027-03-28T01:30:00Z",
            "2027-03-28T02:15:00Z",
        ),
    ],
)
def test_the_instants_of_a_booking(content: Occupancy, start: str, end: str) -> None:
    doc = booking_to_json(stored(content), ZONE, details=True)
    assert (doc["startUtc"], doc["endUtc"]) == (start, end)


def test_a_private_booking_names_nobody_even_if_it_was_kept() -> None:
    private = Occupancy(start=SINGLE.start, end=SINGLE.end, zone="UTC", private=True)
    shown = wish_to_json(stored(private, person=Person("Ada", "")), ZONE)
    assert shown == content_to_json(private, ZONE)


def test_what_a_patch_is_applied_to_is_what_a_platform_may_set() -> None:
    held = stored(SINGLE, uid="u-1", person=Person("Ada", ""), seats=3, external_id="e-1")
    assert wish_to_json(held, ZONE) == {
        **content_to_json(SINGLE, ZONE),
        "bookedBy": {"name": "Ada", "email": ""},
        "seats": 3,
        "uid": "u-1",
        "externalId": "e-1",
    }
    assert wish_to_json(stored(SINGLE), ZONE) == content_to_json(SINGLE, ZONE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 11, 20, 8, tzinfo=UTC), "2026-11-20T08:00:00Z"),
        (datetime(2026, 11, 20, 8, tzinfo=timezone(timedelta(hours=-5))), "2026-11-20T13:00:00Z"),
        (datetime(2026, 11, 20, 8, 0, 0, 123_456, UTC), "2026-11-20T08:00:00.123456Z"),
    ],
)
def test_instants_are_written_in_utc(value: datetime, text: str) -> None:
    assert format_utc(value) == text


# --- what is hidden --------------------------------------------------------------------------

_FIRST, _SECOND = "2026-12-08T09:00:00", "2026-12-15T09:00:00"
WITH_DETAILS: dict[str, object] = {
    "id": "b1",
    "title": "Sync",
    "bookedBy": {"name": "Ada", "email": "ada@example.com"},
    "recurrenceOverrides": {
        _FIRST: {"title": "Layoffs", "duration": "PT2H"},
        _SECOND: {"title": "Party"},
    },
}


def test_without_details_there_are_no_titles_and_no_people() -> None:
    before = json.dumps(WITH_DETAILS)
    assert hide_details(WITH_DETAILS) == {
        "id": "b1",
        "recurrenceOverrides": {_FIRST: {"duration": "PT2H"}, _SECOND: {}},
    }
    assert json.dumps(WITH_DETAILS) == before, "it is a copy"
    assert hide_details({"id": "b1", "title": "Sync"}) == {"id": "b1"}


def test_without_titles_it_still_says_who() -> None:
    assert hide_titles(WITH_DETAILS) == {
        "id": "b1",
        "bookedBy": {"name": "Ada", "email": "ada@example.com"},
        "recurrenceOverrides": {_FIRST: {"duration": "PT2H"}, _SECOND: {}},
    }
    assert hide_titles({"id": "b1", "title": "Sync"}) == {"id": "b1"}


def test_titles_of_some_dates_are_hidden() -> None:
    assert hide_titles(WITH_DETAILS, [datetime(2026, 12, 8, 9)]) == {
        **WITH_DETAILS,
        "recurrenceOverrides": {_FIRST: {"duration": "PT2H"}, _SECOND: {"title": "Party"}},
    }
    assert hide_titles(WITH_DETAILS, []) == WITH_DETAILS


def test_of_a_single_no_date_has_a_title_to_hide() -> None:
    doc: dict[str, object] = {"id": "b1", "title": "Sync"}
    shown = hide_titles(doc, [datetime(2026, 12, 8, 9)])
    assert shown == doc
    assert shown is not doc


# --- refusals --------------------------------------------------------------------------------

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
REFUSAL = Refusal(
    reason="The room is taken.",
    code="room-conflict",
    dates=(datetime(2026, 12, 1, 9), datetime(2026, 12, 8, 9)),
    conflicts=((NOON, NOON + timedelta(hours=1)),),
    alternatives=(
        Alternative(room_id="r2", name="Room 2", capacity=8),
        Alternative(room_id="r3", name="Room 3"),
    ),
    times=((NOON + timedelta(hours=2), NOON + timedelta(hours=3)),),
)
REFUSAL_SAID = {
    "code": "room-conflict",
    "reason": "The room is taken.",
    "dates": ["2026-12-01T09:00:00", "2026-12-08T09:00:00"],
    "conflicts": [{"start": "2026-12-01T12:00:00Z", "end": "2026-12-01T13:00:00Z"}],
    "alternatives": [
        {"roomId": "r2", "name": "Room 2", "capacity": 8},
        {"roomId": "r3", "name": "Room 3", "capacity": None},
    ],
    "times": [{"start": "2026-12-01T14:00:00Z", "end": "2026-12-01T15:00:00Z"}],
}


def test_a_refusal_says_why_and_what_is_free() -> None:
    assert refusal_to_json(REFUSAL) == REFUSAL_SAID
    assert refusal_from_json(json.loads(json.dumps(REFUSAL_SAID))) == REFUSAL


def test_a_refusal_that_offers_no_times_has_no_such_member() -> None:
    bare = Refusal(reason="No.", code="refused")
    said = refusal_to_json(bare)
    assert said == {
        "code": "refused",
        "reason": "No.",
        "dates": [],
        "conflicts": [],
        "alternatives": [],
    }
    assert refusal_from_json(said) == bare


# --- what is kept ----------------------------------------------------------------------------


def test_what_takes_time_is_pending_or_confirmed() -> None:
    assert {status.value: status.live for status in BookingStatus} == {
        "pending": True,
        "confirmed": True,
        "rejected": False,
        "cancelled": False,
    }


def test_an_endless_series_ends_with_the_calendar() -> None:
    assert datetime.combine(date.max, time.min, UTC) == FOREVER
    assert FOREVER.year > forms.LAST_YEAR


def test_nothing_is_claimed_of_a_booking_that_nobody_said() -> None:
    held = stored(SINGLE)
    assert (held.uid, held.made_by, held.person) == ("", "", NOBODY)


def test_a_room_keeps_no_titles_unless_it_is_switched_on() -> None:
    room = StoredRoom(room=Room(id="r1", name="Room 1", zone=ZONE))
    assert (room.titles, room.revision) == (False, 1)


def test_a_change_was_made_by_a_person_unless_sync_says_that_it_did() -> None:
    entry = FeedEntry(
        number=1, room_id="r1", booking_id="b1", tombstone=False, revision=1, at=CREATED
    )
    assert entry.by_sync is False


def test_one_date_may_be_another_kind_of_busy() -> None:
    start = datetime(2026, 12, 1, 9)
    slot = start + timedelta(days=1)
    occ = Occupancy(
        start=start,
        end=start + timedelta(hours=1),
        zone=ZONE,
        busy=Busy.OOF,
        recurrence=Recurrence(
            rule=Rule(frequency=Frequency.DAILY, count=3),
            overrides=(
                Override(
                    recurrence_id=slot,
                    start=slot,
                    end=slot + timedelta(hours=1),
                    all_day=False,
                    busy=Busy.BUSY,
                    title=None,
                    private=False,
                ),
            ),
        ),
    )
    doc = content_to_json(occ, ZONE)
    assert doc["recurrenceOverrides"] == {
        "2026-12-02T09:00:00": {
            "status": "confirmed",
            "freeBusyStatus": "busy",
            "showAs": "busy",
        }
    }
    assert read_wish(doc, ZONE).content == occ
