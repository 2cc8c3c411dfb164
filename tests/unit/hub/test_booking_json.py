"""Bookings as JSON: nothing is lost on the way, and what is wrong is said with its place."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calsync.mapping import booking_form as forms
from calsync.mapping.booking import (
    booking_to_json,
    content_to_json,
    read_wish,
    refusal_from_json,
    refusal_to_json,
    wish_to_json,
)
from calsync.mapping.booking_edit import merge_patch, occurrence, patched, with_occurrence
from calsync.mapping.booking_form import InvalidBooking
from calsync.mapping.booking_values import Booking
from calsync.mapping.fingerprint import fingerprint
from calsync.model import NOBODY, Alternative, Busy, Interval, Occupancy, Person, Refusal
from tests.properties.mapping_strategies import occupancies

ZONE = "Europe/Berlin"
AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
PLAIN = {"start": "2026-12-01T09:00:00", "duration": "PT1H"}
SERIES = {**PLAIN, "recurrenceRule": {"frequency": "weekly", "count": 5}, "title": "Sync"}

room_zones = st.sampled_from([ZONE, "UTC", "America/New_York", "Australia/Lord_Howe"])


def booking(content: Occupancy, **more: object) -> Booking:
    values: dict[str, object] = {
        "id": "b1",
        "room_id": "r1",
        "content": content,
        "fingerprint": fingerprint(content),
        "span": Interval(AT, AT + timedelta(hours=1)),
        "created": AT,
        "modified": AT,
        **more,
    }
    return Booking(**values)  # type: ignore[arg-type]


def content(**doc: object) -> Occupancy:
    return read_wish({**PLAIN, **doc}, ZONE).content


def pointers(doc: dict[str, object]) -> list[str]:
    with pytest.raises(InvalidBooking) as caught:
        read_wish(doc, ZONE)
    assert all(e.what for e in caught.value.errors)
    return [e.pointer for e in caught.value.errors]


# --- laws ------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(occupancies, room_zones)
def test_what_is_written_reads_back_equal(occ: Occupancy, room_zone: str) -> None:
    text = json.dumps(content_to_json(occ, room_zone))
    assert read_wish(json.loads(text), room_zone).content == occ


@settings(max_examples=200, deadline=None)
@given(occupancies, room_zones)
def test_sending_back_what_was_read_changes_nothing(occ: Occupancy, room_zone: str) -> None:
    # A private booking names nobody.
    person = NOBODY if occ.private else Person("Ada", "ada@example.com")
    held = booking(occ, person=person, seats=3, uid="u", external_id="e")
    doc = json.loads(json.dumps(booking_to_json(held, room_zone, details=True)))
    wish = patched(held, doc, room_zone)
    assert (wish.content, wish.person, wish.seats) == (occ, held.person, 3)
    assert (wish.uid, wish.external_id) == ("u", "e")
    assert patched(held, {}, room_zone).content == occ


@given(st.timedeltas(timedelta(0), timedelta(days=1800)))
def test_durations_read_back(value: timedelta) -> None:
    parsed = forms.parse_duration(forms.format_duration(value, days=False))
    assert parsed is not None
    assert (parsed.days, parsed.time) == (0, value)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["start", "duration", "title", "recurrenceRule", "frequency", "count", "until",
                 "byDay", "day", "recurrenceOverrides", "2026-12-08T09:00:00", "excluded",
                 "timeZone", "status", "seats", "bookedBy", "name", "email", "showWithoutTime"]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted({*SERIES, "seats", "rrule", "timeZone",
       "recurrenceOverrides", "bookedBy", "privacy", "showAs"})), values, max_size=6))  # fmt: skip
def test_any_json_is_read_or_refused_with_pointers(patch: dict[str, object]) -> None:
    with suppress(InvalidBooking):
        read = read_wish({**SERIES, **patch}, ZONE).content
        assert read_wish(content_to_json(read, ZONE), ZONE).content == read


# --- reading ---------------------------------------------------------------------------------


def test_a_single_is_kept_in_utc_and_shown_in_the_room() -> None:
    occ = content(timeZone="America/New_York")
    assert (occ.start, occ.end, occ.zone) == (
        datetime(2026, 12, 1, 14),
        datetime(2026, 12, 1, 15),
        "UTC",
    )
    doc = content_to_json(occ, ZONE)
    assert (doc["start"], doc["timeZone"]) == ("2026-12-01T15:00:00", ZONE)


def test_an_hour_that_comes_twice_is_shown_in_utc() -> None:
    occ = replace(content(), start=datetime(2026, 10, 25, 1), end=datetime(2026, 10, 25, 2))
    doc = content_to_json(occ, ZONE)
    assert (doc["start"], doc["timeZone"]) == ("2026-10-25T01:00:00", "Etc/UTC")


def test_days_are_nominal_and_hours_exact() -> None:
    # 25 October 2026 has 25 hours in Berlin.
    day = content(start="2026-10-24T12:00:00", duration="P1D")
    hours = content(start="2026-10-24T12:00:00", duration="PT24H")
    assert day.duration == timedelta(hours=25)
    assert hours.duration == timedelta(hours=24)


def test_all_day_has_no_zone() -> None:
    occ = content(start="2026-12-01", duration="P2D", showWithoutTime=True, timeZone=ZONE)
    assert (occ.zone, occ.all_day, occ.end) == (None, True, datetime(2026, 12, 3))
    assert content_to_json(occ, ZONE)["timeZone"] is None


@pytest.mark.parametrize(
    ("doc", "busy"),
    [
        ({}, Busy.BUSY),
        ({"status": "tentative"}, Busy.TENTATIVE),
        ({"freeBusyStatus": "free"}, Busy.FREE),
        ({"showAs": "oof"}, Busy.OOF),
        ({"showAs": "oof", "freeBusyStatus": "free"}, Busy.FREE),
        ({"showAs": "workingElsewhere", "status": "tentative"}, Busy.TENTATIVE),
    ],
)
def test_kinds_of_busy(doc: dict[str, object], busy: Busy) -> None:
    assert content(**doc).busy is busy


def test_both_spellings_of_a_rule_mean_the_same() -> None:
    rule = {"frequency": "monthly", "byDay": [{"day": "tu", "nthOfPeriod": 1}], "count": 4}
    assert content(recurrenceRule=rule) == content(rrule="FREQ=MONTHLY;BYDAY=1TU;COUNT=4")
    until = {"frequency": "weekly", "until": "2026-12-29T08:59:59"}
    found = content(recurrenceRule=until).recurrence
    assert found is not None
    assert str(found.rule.until) == "2026-12-22", "the last start of that day lies after until"


def test_hostile_text_is_cleaned() -> None:
    wish = read_wish(
        {
            **PLAIN,
            "title": "A\u202eB\x00\nC" + "x" * 9000,
            "bookedBy": {"name": "E\u200bve\r\nBcc: x"},
        },
        ZONE,
    )
    assert wish.content.title is not None
    assert wish.content.title.startswith("AB Cxxx")
    assert len(wish.content.title) == 255
    assert wish.person.name == "Eve Bcc: x"


def test_a_private_booking_has_no_title() -> None:
    assert content(privacy="private", title="Secret").title is None


WRONG: list[tuple[dict[str, object], list[str]]] = [
    ({}, ["/start", "/duration"]),
    ({**PLAIN, "start": "2026-12-01T09:00:00Z"}, ["/start"]),
    ({**PLAIN, "start": "2026-02-30T09:00:00"}, ["/start"]),
    ({**PLAIN, "start": "4500-01-01T00:00:00"}, ["/start"]),
    ({**PLAIN, "start": 7}, ["/start"]),
    ({**PLAIN, "duration": "-PT1H"}, ["/duration"]),
    ({**PLAIN, "duration": "P1M"}, ["/duration"]),
    ({**PLAIN, "duration": "PT"}, ["/duration"]),
    ({**PLAIN, "duration": "P5Y"}, ["/duration"]),
    ({**PLAIN, "duration": "P1826D"}, ["/duration"]),
    ({**PLAIN, "timeZone": "Mars/Olympus"}, ["/timeZone"]),
    ({**PLAIN, "timeZone": "America"}, ["/timeZone"]),
    ({**PLAIN, "timeZone": "../../etc/passwd"}, ["/timeZone"]),
    ({**PLAIN, "showWithoutTime": True}, ["/start", "/duration"]),
    ({**PLAIN, "status": "maybe"}, ["/status"]),
    ({**PLAIN, "privacy": ["public"]}, ["/privacy"]),
    ({**PLAIN, "titel": "typo"}, ["/titel"]),
    ({**PLAIN, "a/b~c": 1}, ["/a~1b~0c"]),
    ({**PLAIN, "bookingStatus": "confirmed"}, ["/bookingStatus"]),
    ({**PLAIN, "seats": 0}, ["/seats"]),
    ({**PLAIN, "seats": True}, ["/seats"]),
    ({**PLAIN, "externalId": "a\nb"}, ["/externalId"]),
    ({**PLAIN, "bookedBy": {"email": "a@b\r\nBcc: c@d", "phone": "1"}},
     ["/bookedBy/phone", "/bookedBy/email"]),
    ({**PLAIN, "bookedBy": "Ada"}, ["/bookedBy"]),
    ({**PLAIN, "recurrenceOverrides": {"2026-12-01T09:00:00": {}}}, ["/recurrenceOverrides"]),
    ({**PLAIN, "rrule": "FREQ=SECONDLY"}, ["/rrule"]),
    ({**PLAIN, "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, ["/rrule"]),
    ({**PLAIN, "rrule": "FREQ=DAILY;INTERVAL=99999"}, ["/rrule"]),
    ({**PLAIN, "rrule": "FREQ=DAILY;COUNT=1000000"}, ["/rrule"]),
    ({**PLAIN, "rrule": "X" * 100_000}, ["/rrule"]),
    ({**SERIES, "rrule": "FREQ=DAILY"}, ["/rrule"]),
    ({**SERIES, "recurrenceRule": {"count": 3}}, ["/recurrenceRule/frequency"]),
    ({**SERIES, "recurrenceRule": {"frequency": "hourly"}}, ["/recurrenceRule/frequency"]),
    ({**SERIES, "recurrenceRule": {"frequency": "daily", "byHour": [9]}},
     ["/recurrenceRule/byHour"]),
    ({**SERIES, "recurrenceRule": {"frequency": "daily", "count": 2, "until": "2026-12-09"}},
     ["/recurrenceRule/count"]),
    ({**SERIES, "recurrenceRule": {"frequency": "weekly", "byDay": [{"day": "xx"}, 3]}},
     ["/recurrenceRule/byDay/0/day", "/recurrenceRule/byDay"]),
    ({**SERIES, "recurrenceRule": {"frequency": "monthly", "byMonthDay": [32]}},
     ["/recurrenceRule/byMonthDay"]),
    ({**SERIES, "recurrenceRule": {"frequency": "yearly", "byMonth": ["13"]}},
     ["/recurrenceRule/byMonth"]),
    ({**SERIES, "recurrenceRule": {"frequency": "weekly", "skip": "forward"}},
     ["/recurrenceRule/skip"]),
    ({**SERIES, "recurrenceRule": {"frequency": "weekly", "byDay": [{"day": "fr"}]}}, ["/start"]),
    ({**SERIES, "recurrenceRule": {"frequency": "daily", "until": "2020-01-01"}},
     ["/recurrenceRule"]),
    ({**SERIES, "recurrenceOverrides": {"soon": {}}}, ["/recurrenceOverrides/soon"]),
    ({**SERIES, "recurrenceOverrides": {"2026-12-09T09:00:00": {"excluded": True}}},
     ["/recurrenceOverrides/2026-12-09T09:00:00/excluded"]),
    ({**SERIES, "recurrenceOverrides": {"2026-12-08T09:00:00": {"duration": "x", "foo": 1}}},
     ["/recurrenceOverrides/2026-12-08T09:00:00/foo",
      "/recurrenceOverrides/2026-12-08T09:00:00/duration"]),
    ({**SERIES, "recurrenceOverrides": {"2026-12-08T09:00:00": {}, "2026-12-08T09:00": {}}},
     ["/recurrenceOverrides/2026-12-08T09:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("doc", "where"), WRONG, ids=[f"{n}" for n in range(len(WRONG))])
def test_what_is_wrong_is_said_with_its_place(doc: dict[str, object], where: list[str]) -> None:
    assert pointers(doc) == where


# --- changing --------------------------------------------------------------------------------


def test_merge_patch_as_in_its_rfc() -> None:
    target = {"a": "b", "c": {"d": "e", "f": "g"}}
    assert merge_patch(target, {"a": "z", "c": {"f": None}}) == {"a": "z", "c": {"d": "e"}}
    assert merge_patch([1], {"a": {"b": None}}) == {"a": {}}
    assert target == {"a": "b", "c": {"d": "e", "f": "g"}}, "the target is not touched"


def test_changed_dates_move_with_their_series() -> None:
    dates = {"2026-12-08T09:00:00": {"excluded": True}, "2026-12-15T09:00:00": {"title": "Other"}}
    held = booking(read_wish({**SERIES, "recurrenceOverrides": dates}, ZONE).content)
    series = patched(held, {"start": "2026-12-01T14:30:00"}, ZONE).content.recurrence
    assert series is not None
    assert series.excluded == (datetime(2026, 12, 8, 14, 30),)
    assert [o.start for o in series.overrides] == [datetime(2026, 12, 15, 14, 30)]


def test_a_series_becomes_a_single_with_its_rule_taken_away() -> None:
    dates = {"2026-12-08T09:00:00": {"excluded": True}}
    held = booking(read_wish({**SERIES, "recurrenceOverrides": dates}, ZONE).content)
    assert patched(held, {"recurrenceRule": None}, ZONE).content == content(title="Sync")
    swapped = patched(held, {"rrule": "FREQ=DAILY;COUNT=30"}, ZONE).content.recurrence
    assert swapped is not None
    assert swapped.rule.count == 30


def test_read_only_members_may_not_be_patched() -> None:
    held = booking(content(), uid="u1")
    with pytest.raises(InvalidBooking) as caught:
        patched(held, {"bookingStatus": "confirmed", "uid": "u2", "id": "b1"}, ZONE)
    assert [e.pointer for e in caught.value.errors] == ["/bookingStatus", "/uid"]


def test_one_date_is_named_by_its_slot() -> None:
    dates = {"2026-12-08T09:00:00": {"start": "2026-12-09T11:00:00"},
             "2026-12-15T09:00:00": {"excluded": True},
             "2026-12-18T16:00:00": {}}  # fmt: skip
    held = booking(read_wish({**SERIES, "recurrenceOverrides": dates}, ZONE).content)
    known = [at for at in ("2026-12-01T09:00:00", "2026-12-08T09:00:00", "2026-12-09T11:00:00",
                           "2026-12-15T09:00:00", "2026-12-18T16:00:00", "nonsense")
             if occurrence(held, at) is not None]  # fmt: skip
    assert known == ["2026-12-01T09:00:00", "2026-12-08T09:00:00", "2026-12-18T16:00:00"]
    assert occurrence(booking(content()), "2026-12-01T09:00:00") is None
    extra = with_occurrence(held, datetime(2026, 12, 18, 16), None, ZONE).content.recurrence
    assert extra is not None
    assert len(extra.overrides) == 1, "an additional date just goes"
    with pytest.raises(InvalidBooking) as caught:
        with_occurrence(held, datetime(2026, 12, 8, 9), {"duration": "x"}, ZONE)
    assert [e.pointer for e in caught.value.errors] == ["/duration"]


# --- showing ---------------------------------------------------------------------------------


def test_details_are_hidden_in_overrides_too() -> None:
    dates = {"2026-12-08T09:00:00": {"title": "Layoffs"}}
    held = booking(
        read_wish({**SERIES, "recurrenceOverrides": dates}, ZONE).content,
        person=Person("Ada", "ada@example.com"),
    )
    text = json.dumps(booking_to_json(held, ZONE, details=False))
    assert not [word for word in ("Sync", "Layoffs", "Ada", "ada@") if word in text]
    full = json.dumps(booking_to_json(held, ZONE, details=True))
    assert all(word in full for word in ("Sync", "Layoffs", "Ada", "ada@"))


def test_refusals_read_back() -> None:
    refusal = Refusal(
        reason="Taken.",
        dates=(datetime(2026, 12, 1, 9),),
        conflicts=((AT, AT + timedelta(hours=1)),),
        alternatives=(Alternative(room_id="r2", name="Room 2"),),
    )
    assert refusal_from_json(json.loads(json.dumps(refusal_to_json(refusal)))) == refusal


def test_what_may_be_set_holds_no_read_only_member() -> None:
    held = booking(content(), uid="u", external_id="e", seats=2)
    assert read_wish(wish_to_json(held, ZONE), ZONE).seats == 2
