"""What the members of a Graph event may hold, exact at the limits, and what is made of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from calsync.mapping.event import master_etag, organizer_of, read_event
from calsync.mapping.event_fields import (
    Look,
    Poison,
    Reading,
    Span,
    instant_of,
    is_owned,
    read_look,
    read_span,
    response,
    text_of,
    ticks,
)
from calsync.model import NOBODY, Absence, Busy, Gone, Person, Seen, Unknown

TOKYO = "Tokyo Standard Time"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def event(start: Any, end: Any, zone: Any = "UTC", **more: Any) -> dict[str, Any]:
    def value(text: Any) -> Any:
        return {"dateTime": text, "timeZone": zone}

    return {"start": value(start), "end": value(end), **more}


def timed(start: str, end: str) -> Span:
    return read_span(event(start, end), False, "Europe/Berlin")


def days(start: str, end: str, room: str = "Europe/Berlin", **more: Any) -> Span:
    return read_span(event(start, end, **more), True, room)


# --- start and end --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-20T09:30:15.0000000", "UTC", "2026-11-20T09:30:15"),
        ("2026-11-20T09:30:15.1234567", "UTC", "2026-11-20T09:30:15.123456"),
        ("2026-11-20T09:30:15.5", "UTC", "2026-11-20T09:30:15.5"),
        ("2026-11-20T09:30:15.123456789", None, "2026-11-20T09:30:15.123456"),
        ("2026-11-20T09:30:15", None, "2026-11-20T09:30:15"),
        ("2026-11-20T09:30", "UTC", "2026-11-20T09:30"),
        ("2026-11-20T09:30:15.0000000", TOKYO, "2026-11-20T00:30:15"),
        ("2026-11-20T09:30:15.0000000", "Asia/Tokyo", "2026-11-20T00:30:15"),
        # One that says itself that it is UTC is so.
        ("2026-11-20T09:30:15Z", TOKYO, "2026-11-20T09:30:15"),
        ("2026-11-20T09:30:15+00:00", TOKYO, "2026-11-20T09:30:15"),
    ],
)
def test_an_instant(text: str, zone: str | None, instant: str) -> None:
    found = read_span(event(text, text, zone), False, "Europe/Berlin")
    assert found == Span(at(instant), at(instant), False)


@pytest.mark.parametrize(
    ("text", "zone", "member", "shown"),
    [
        (None, "UTC", "dateTime", "None"),
        ("2026-13-40T00:00:00.0000000", "UTC", "dateTime", "'2026-13-40T00:00:00.0000000'"),
        ("2026-13-40T00:00:00", "UTC", "dateTime", "'2026-13-40T00:00:00'"),
        ("2026-11-20 09:00:00.0000000", "UTC", "dateTime", "'2026-11-20 09:00:00.0000000'"),
        ("2026-11-20T09:00:00.1234567890", "UTC", "dateTime", "'2026-11-20T09:00:00.1234567890'"),
        ("2026-11-20T09:00:00+01:00", "UTC", "dateTime", "'2026-11-20T09:00:00+01:00'"),
        ("2026-11-20T09:00:00.0000000", "", "timeZone", "''"),
        ("2026-11-20T09:00:00", "Mars", "timeZone", "'Mars'"),
        ("2026-11-20T09:00:00", 7, "timeZone", "7"),
    ],
)
@pytest.mark.parametrize("name", ["start", "end"])
def test_what_is_no_instant_is_named(
    name: str, text: Any, zone: Any, member: str, shown: str
) -> None:
    good = event("2026-11-20T09:00:00", "2026-11-20T09:00:00")
    bad = {**good, name: {"dateTime": text, "timeZone": zone}}
    with pytest.raises(Poison) as raised:
        read_span(bad, False, "Europe/Berlin")
    assert str(raised.value) == f"its {name}.{member} cannot be understood ({shown})"


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize("value", [None, "2026-11-20", ["x"]])
def test_no_start_or_end(name: str, value: Any) -> None:
    bad = {**event("2026-11-20T00:00:00", "2026-11-20T00:00:00"), name: value}
    with pytest.raises(Poison) as raised:
        read_span(bad, False, "UTC")
    assert str(raised.value) == f"its {name} cannot be understood ({value!r})"
    with pytest.raises(Poison) as raised:
        read_span(bad, True, "UTC")
    assert str(raised.value) == f"its {name}.dateTime cannot be understood (None)"


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("2026-11-20T09:00:00", "2026-11-20T09:00:00", None),
        ("2026-11-20T09:00:00", "2026-11-20T08:59:59", "its end, which is before its start,"),
        # Five years, each counted as a leap year.
        ("2026-01-01T00:00:00", "2031-01-05T00:00:00", None),
        ("2026-01-01T00:00:00", "2031-01-05T00:00:01", "its end, more than 5 years after"),
        ("1601-01-01T00:00:00", "1601-01-01T01:00:00", None),
        ("1600-12-31T23:59:59", "1601-01-01T01:00:00", "its start cannot"),
        ("4499-12-31T22:00:00", "4499-12-31T23:59:59", None),
        ("4499-12-31T22:00:00", "4500-01-01T00:00:00", "its start cannot"),
    ],
)
def test_the_limits_of_exchange(start: str, end: str, why: str | None) -> None:
    if why is None:
        assert timed(start, end) == Span(at(start), at(end), False)
        return
    with pytest.raises(Poison) as raised:
        timed(start, end)
    assert str(raised.value).startswith(why)
    shown = start if "start cannot" in why else end
    assert str(raised.value).endswith(f"cannot be understood ('{shown}')")


def test_what_is_shown_of_a_value_has_eighty_characters() -> None:
    shown = "'" + "x" * 79
    assert str(Poison("start", "x" * 100)) == f"its start cannot be understood ({shown})"


# --- all-day --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "first", "after"),
    [
        ("2026-11-03T00:00:00", "2026-11-05T00:00:00", "2026-11-03", "2026-11-05"),
        # An end within a day, or none, means that its day is taken.
        ("2026-11-03T00:00:00", "2026-11-04T23:59:59", "2026-11-03", "2026-11-05"),
        ("2026-11-03T00:00:00", "2026-11-03T00:00:00", "2026-11-03", "2026-11-04"),
        ("2026-11-03T00:00:00", "2026-11-03T23:59:59", "2026-11-03", "2026-11-04"),
        ("4499-12-30T00:00:00", "4499-12-31T00:00:00", "4499-12-30", "4499-12-31"),
    ],
)
def test_whole_days(start: str, end: str, first: str, after: str) -> None:
    assert days(start, end) == Span(at(first), at(after), True)


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("4499-12-31T00:00:00", "4500-01-01T00:00:00", "its end.dateTime"),
        ("9999-12-31T00:00:00", "9999-12-31T00:00:00", "its start.dateTime"),
        ("2026-11-03T00:00:00", "2026-11-01T00:00:00", "its end, which is before its start,"),
        ("soon", "2026-11-03T00:00:00", "its start.dateTime"),
        ("2026-11-03T00:00:00", "later", "its end.dateTime"),
    ],
)
def test_days_that_are_none(start: str, end: str, why: str) -> None:
    with pytest.raises(Poison) as raised:
        days(start, end)
    assert str(raised.value).startswith(why)


@pytest.mark.parametrize(
    ("start", "end", "made_in", "first", "after"),
    [
        # Midnights of the zone it was made in, then those of the room (Berlin).
        ("2026-11-02T15:00:00", "2026-11-04T15:00:00", TOKYO, "2026-11-03", "2026-11-05"),
        ("2026-11-02T23:00:00", "2026-11-04T23:00:00", TOKYO, "2026-11-03", "2026-11-05"),
        ("2026-11-02T23:00:00", "2026-11-04T23:00:00", None, "2026-11-03", "2026-11-05"),
        ("2026-11-02T23:00:00", "2026-11-04T23:00:00", 7, "2026-11-03", "2026-11-05"),
        # Without length it takes the day that begins then.
        ("2026-11-02T15:00:00", "2026-11-02T15:00:00", TOKYO, "2026-11-03", "2026-11-04"),
        # Only one end is a midnight: within an hour of one is enough, in its own zone.
        ("2026-11-02T15:00:00", "2026-11-04T14:59:59", TOKYO, "2026-11-03", "2026-11-05"),
        ("2026-11-02T14:30:00", "2026-11-04T15:00:00", TOKYO, "2026-11-03", "2026-11-05"),
        ("2026-11-02T14:00:00", "2026-11-04T14:00:00", TOKYO, "2026-11-03", "2026-11-05"),
        ("2026-11-02T16:00:00", "2026-11-04T16:00:00", TOKYO, "2026-11-03", "2026-11-05"),
        # Farther off, at either end, and both near the same midnight: as the dates it shows.
        ("2026-11-02T13:59:59", "2026-11-04T15:00:00", TOKYO, "2026-11-02", "2026-11-05"),
        ("2026-11-02T16:00:01", "2026-11-04T15:00:00", TOKYO, "2026-11-02", "2026-11-05"),
        ("2026-11-02T15:00:00", "2026-11-04T13:59:59", TOKYO, "2026-11-02", "2026-11-05"),
        ("2026-11-02T14:30:00", "2026-11-02T15:30:00", TOKYO, "2026-11-02", "2026-11-03"),
        ("2026-11-03T00:30:00", "2026-11-05T00:30:00", None, "2026-11-03", "2026-11-06"),
        # An hour off in the room's zone says nothing: it need not have been made there.
        ("2026-11-02T22:30:00", "2026-11-04T22:30:00", None, "2026-11-02", "2026-11-05"),
    ],
)
def test_days_given_as_instants(start: str, end: str, made_in: Any, first: str, after: str) -> None:
    found = days(start, end, originalStartTimeZone=made_in)
    assert found == Span(at(first), at(after), True)


# --- looks ----------------------------------------------------------------------------------------

BASE = Look(Busy.OOF, "Base", False)
HIDDEN = Look(Busy.FREE, None, True)


@pytest.mark.parametrize(
    ("members", "base", "look"),
    [
        ({}, None, Look(Busy.BUSY, None, False)),
        ({"showAs": "tentative", "subject": " A  b "}, None, Look(Busy.TENTATIVE, "A b", False)),
        ({"showAs": [], "sensitivity": [], "subject": []}, None, Look(Busy.BUSY, None, False)),
        ({"sensitivity": "private", "subject": "A"}, None, Look(Busy.BUSY, None, True)),
        ({"sensitivity": "normal", "subject": "A"}, None, Look(Busy.BUSY, "A", False)),
        ({"subject": "Reserved"}, None, Look(Busy.BUSY, None, False)),
        # What an exception does not carry is its master's.
        ({}, BASE, BASE),
        ({}, HIDDEN, HIDDEN),
        ({"showAs": "free"}, BASE, Look(Busy.FREE, "Base", False)),
        ({"subject": "Other"}, BASE, Look(Busy.OOF, "Other", False)),
        ({"subject": "Other"}, HIDDEN, HIDDEN),
        ({"subject": "Other", "sensitivity": "normal"}, HIDDEN, Look(Busy.FREE, "Other", False)),
        ({"sensitivity": "personal"}, BASE, Look(Busy.OOF, None, True)),
        ({"responseStatus": {"response": "none"}}, BASE, Look(Busy.TENTATIVE, "Base", False)),
        ({"responseStatus": {"response": "none"}}, HIDDEN, HIDDEN),
    ],
)
def test_how_it_looks(members: dict[str, Any], base: Look | None, look: Look) -> None:
    how = Reading(titles=True, room_zone="UTC", subject_fallback="Reserved")
    assert read_look(members, how, owned=False, base=base) == look
    untitled = Reading(titles=False, room_zone="UTC")
    assert read_look(members, untitled, owned=False, base=base) == Look(
        look.busy, None, look.private
    )


@pytest.mark.parametrize(
    ("members", "answer", "owned"),
    [
        ({}, "", False),
        ({"responseStatus": "organizer"}, "", False),
        ({"responseStatus": {"response": 7}}, "", False),
        ({"responseStatus": {"response": "accepted"}}, "accepted", False),
        ({"responseStatus": {"response": "organizer"}}, "organizer", True),
        ({"responseStatus": {"response": "organizer"}, "isOrganizer": False}, "organizer", False),
        ({"responseStatus": {"response": "none"}, "isOrganizer": True}, "none", True),
        ({"isOrganizer": "true"}, "", False),
    ],
)
def test_whose_it_is_and_what_was_answered(
    members: dict[str, Any], answer: str, owned: bool
) -> None:
    assert response(members) == answer
    assert is_owned(members) is owned


# --- timestamps and texts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (None, 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02T00:00:01.0000001Z", 864_010_000_001),
        ("1970-01-01T00:00:01", 10_000_000),
        ("1970-01-01T00:00:00.1Z", 1_000_000),
        ("1970-01-01T00:00:00.123456789Z", 1_234_567),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01T00:00:00-01:30", 54_000_000_000),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -5_000_000),
        ("0001-01-01T00:00:00Z", -621_355_968_000_000_000),
    ],
)
def test_a_timestamp_in_steps_of_100_nanoseconds(text: str | None, mark: int) -> None:
    assert ticks({"lastModifiedDateTime": text}) == mark
    assert ticks({"createdDateTime": text}, "createdDateTime") == mark


@pytest.mark.parametrize("value", ["soon", 7, "2026-13-40T00:00:00Z", "2026-11-20T00:00:00+99:99"])
def test_what_is_no_timestamp_is_named(value: Any) -> None:
    with pytest.raises(Poison) as raised:
        ticks({"lastModifiedDateTime": value})
    assert str(raised.value) == f"its lastModifiedDateTime cannot be understood ({value!r})"


def test_the_instant_of_a_timestamp() -> None:
    at_ = datetime(2026, 11, 2, 8, 0, 0, 765432, tzinfo=UTC)
    assert instant_of(ticks({"lastModifiedDateTime": "2026-11-02T08:00:00.7654329Z"})) == at_
    assert instant_of(0) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, ""),
        (7, ""),
        ("", ""),
        ('W/"abc"', 'W/"abc"'),
        ("Grüße", "Grüße"),
        ("a\tb", "a\tb"),
        ("x" * 1024, "x" * 1024),
        # By their hash, which is stored: its form may not change.
        ("x" * 1025, "hash:a01ae43d91eeec1b32769f601d6ad377"),
        ("a\x00b", "hash:852635742d6eb30fdccb0e7c1b53d92f"),
        ("a\ud800b", "hash:ff1f63603cddf85ab4e37a865e988b5a"),
    ],
)
def test_an_identity_as_a_database_takes_it(value: Any, kept: str) -> None:
    assert text_of({"id": value}, "id") == kept


# --- an event -------------------------------------------------------------------------------------

EVENT: dict[str, Any] = {
    "id": "A",
    "type": "singleInstance",
    "lastModifiedDateTime": "1970-01-01T00:00:09Z",
    **event("2026-11-20T09:00:00", "2026-11-20T10:00:00"),
}
DAILY = {
    "pattern": {"type": "daily", "interval": 1},
    "range": {
        "type": "numbered",
        "startDate": "2026-11-20",
        "recurrenceTimeZone": "UTC",
        "numberOfOccurrences": 3,
    },
}
MASTER = {**EVENT, "type": "seriesMaster", "recurrence": DAILY}


def read(value: Any, **how: Any) -> Seen | Gone | Unknown:
    return read_event(value, **{"titles": True, "room_zone": "UTC", **how})


def seen(value: Any, **how: Any) -> Seen:
    found = read(value, **how)
    assert isinstance(found, Seen), found
    return found


@pytest.mark.parametrize("value", [{}, {"id": ""}, {"id": 7}, "A", None])
def test_without_an_id_nothing_is_known(value: Any) -> None:
    assert read(value) == Unknown(key="", reason="an event has no id", poison=True)


@pytest.mark.parametrize(
    ("value", "how", "reason"),
    [
        ({**EVENT, "start": None}, {}, "cannot be carried: its start cannot be understood (None)"),
        (
            {**MASTER, "recurrence": {**DAILY, "pattern": {"type": "hourly"}}},
            {},
            "cannot be carried: pattern.type is 'hourly', which is not known",
        ),
        (MASTER, {"instances": [7]}, "cannot be understood (AttributeError)"),
    ],
)
def test_what_cannot_be_read_says_why(value: Any, how: dict[str, Any], reason: str) -> None:
    assert read(value, **how) == Unknown(key="A", reason=f"an event {reason}", poison=True)


def test_what_kind_of_event_it_is() -> None:
    """Its type says so; only without one do the other members."""
    assert seen({**EVENT, "seriesMasterId": "M"}).occupancy.recurrence is None
    assert seen({**EVENT, "recurrence": DAILY}).occupancy.recurrence is None
    bare = {name: value for name, value in EVENT.items() if name != "type"}
    assert seen(bare).occupancy.recurrence is None
    assert seen({**bare, "recurrence": DAILY}).occupancy.recurrence is not None
    assert read({**bare, "seriesMasterId": "M"}) == Unknown(
        key="A", reason="a part of a series: its master is read instead"
    )
    assert read({**EVENT, "@removed": {}}) == Unknown(
        key="A", reason="reported as removed: to be read again"
    )


@pytest.mark.parametrize(
    ("value", "absence"),
    [
        ({**EVENT, "isCancelled": True}, Absence.CANCELLED),
        ({**EVENT, "responseStatus": {"response": "declined"}}, Absence.DECLINED),
        (
            {**MASTER, "cancelledOccurrences": [f"OID.A.2026-11-{n}" for n in (20, 21, 22)]},
            Absence.CANCELLED,
        ),
    ],
)
def test_what_takes_place_no_more(value: Any, absence: Absence) -> None:
    gone = Gone(key="A", absence=absence, mark=90_000_000)
    assert read(value) == gone
    # So it is where people are counted: nobody comes.
    assert read(value, people=True, meeting=True) == gone


def test_the_room_does_not_decline_what_it_organizes() -> None:
    value = {**EVENT, "isOrganizer": True, "responseStatus": {"response": "declined"}}
    assert seen(value).owned


def test_without_times_and_marks() -> None:
    found = seen({name: EVENT[name] for name in ("id", "start", "end")})
    assert (found.mark, found.modified, found.created) == (0, None, instant_of(0))
    assert (found.version, found.uid, found.tag, found.person) == ("", "", None, NOBODY)
    assert seen({**EVENT, "changeKey": "ck"}).version == "ck"
    assert seen({**EVENT, "changeKey": "ck", "@odata.etag": "et"}).version == "et"
    assert seen({**EVENT, "transactionId": 7}).tag is None
    assert seen({**EVENT, "transactionId": "x-cs1-"}).tag is None


def test_a_series_was_modified_when_the_newest_of_its_parts_was() -> None:
    older = {
        **EVENT,
        "id": "X",
        "originalStart": "2026-11-21T09:00:00Z",
        "lastModifiedDateTime": "1970-01-01T00:00:05Z",
    }
    newer = {**older, "lastModifiedDateTime": "1970-01-01T00:00:12Z"}
    assert seen(MASTER, exceptions=[older]).modified == instant_of(90_000_000)
    assert seen(MASTER, exceptions=[newer]).modified == instant_of(120_000_000)
    assert seen(MASTER, exceptions=[newer]).mark == 90_000_000


def person(name: Any, address: Any) -> dict[str, Any]:
    return {"emailAddress": {"name": name, "address": address}}


@pytest.mark.parametrize(
    ("organizer", "found"),
    [
        (None, NOBODY),
        ("Ann", NOBODY),
        ({"emailAddress": "ann@firm.example"}, NOBODY),
        (person(None, 7), Person("", "")),
        (person(" ", ""), Person("", "")),
        (person(" Ann  Bee ", "ann@firm.example"), Person("Ann Bee", "ann@firm.example")),
    ],
)
def test_who_organizes_it(organizer: Any, found: Person) -> None:
    assert organizer_of({"organizer": organizer}) == found
    shown = {**EVENT, "organizer": organizer}
    assert seen(shown).person == found
    assert seen({**shown, "sensitivity": "private"}).person == NOBODY
    assert seen({**shown, "isOrganizer": True}).person == NOBODY


def invited(kind: str, address: str) -> dict[str, Any]:
    return {"type": kind, **person("", address)}


ANN, BO = person("Ann", "ann@x.example"), invited("required", "bo@x.example")


@pytest.mark.parametrize(
    ("members", "seats"),
    [
        ({"organizer": ANN}, None),
        ({"organizer": ANN, "attendees": "bo@x.example"}, None),
        ({"organizer": ANN, "attendees": []}, 1),
        ({"attendees": []}, None),
        ({"attendees": [BO]}, 1),
        ({"organizer": ANN, "attendees": [BO]}, 2),
        ({"organizer": ANN, "attendees": [BO], "hideAttendees": False}, 2),
        ({"organizer": ANN, "attendees": [BO], "hideAttendees": True}, None),
        ({"organizer": ANN, "attendees": [invited("optional", "bo@x.example")]}, 2),
        # Neither rooms and things nor what is no attendee.
        ({"organizer": ANN, "attendees": [invited("resource", "r@x.example"), "bo", None]}, 1),
        # The same person, however the address is spelt; none without an address.
        ({"organizer": ANN, "attendees": [invited("required", "ANN@X.example"), BO, BO]}, 2),
        (
            {
                "organizer": person("", "ANN@x.example"),
                "attendees": [invited("required", "ann@X.example")],
            },
            1,
        ),
        ({"organizer": ANN, "attendees": [invited("required", "")]}, 1),
    ],
)
def test_for_how_many_people_it_is(members: dict[str, Any], seats: int | None) -> None:
    assert seen({**EVENT, **members}, people=True).seats == seats
    assert seen({**EVENT, **members}, meeting=True).seats == seats
    assert seen({**EVENT, **members}).seats is None
    mine = {**EVENT, **members, "isOrganizer": True}
    assert seen(mine, people=True).seats is None
    assert seen(mine, meeting=True).seats == seats


# --- the version of a series ----------------------------------------------------------------------


def exception(key: str, day: int, **more: Any) -> dict[str, Any]:
    slot = f"2026-11-{day}T09:00:00"
    moved = event(slot, f"2026-11-{day}T11:00:00")
    return {"id": key, "type": "exception", "originalStart": f"{slot}Z", **moved, **more}


ONE, TWO = exception("X1", 20, changeKey="c"), exception("X2", 21, **{"@odata.etag": "e"})


def test_the_version_of_a_series_is_stored_so_its_form_may_not_change() -> None:
    marked = {**MASTER, "@odata.etag": "et~1"}
    found = seen(marked, exceptions=[TWO, ONE], cancelled=["OID.A.2026-11-22"])
    assert found.version == "et~1~5ebed8a43ddc"
    assert master_etag(found.version) == "et~1"
    listed = [{"id": "I2", **event("2026-11-21T09:00:00", "2026-11-21T10:00:00")}]
    assert seen(MASTER, instances=listed).version == "~df4743a02af5"


def test_what_changes_the_version_of_a_series() -> None:
    def version(**parts: Any) -> str:
        return seen(MASTER, **parts).version

    gone = ["OID.A.2026-11-21", "OID.A.2026-11-22"]
    assert version(exceptions=[ONE, TWO]) == version(exceptions=[TWO, ONE])
    assert version(cancelled=gone) == version(cancelled=gone[::-1])
    one = {"id": "I1", **event("2026-11-20T09:00:00", "2026-11-20T10:00:00")}
    two = {"id": "I2", **event("2026-11-21T09:00:00", "2026-11-21T10:00:00")}
    assert version(instances=[one, two]) == version(instances=[two, one])
    assert version(instances=[one]) != version(instances=[one, two]), "they tell what is gone"
    # Where what is cancelled is known, which instances were listed says nothing.
    assert version(cancelled=gone, instances=[one]) == version(cancelled=gone, instances=[])
    different = [
        version(),
        version(exceptions=[ONE]),
        version(exceptions=[{**ONE, "changeKey": "d"}]),
        version(exceptions=[{**ONE, "@odata.etag": "e"}]),
        version(exceptions=[{**ONE, "id": "X3"}]),
        version(cancelled=gone[:1]),
        version(cancelled=gone),
    ]
    assert len(set(different)) == len(different)


def test_a_cancelled_date_under_an_odd_id() -> None:
    found = seen(MASTER, cancelled=["OID.\ud800.2026-11-22"]).occupancy.recurrence
    assert found is not None
    assert found.excluded == (datetime(2026, 11, 22, 9),)
