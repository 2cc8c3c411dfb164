"""What a merge patch makes of a booking, and of one date of a series."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from calsync.mapping.booking import READ_ONLY, booking_to_json, read_wish
from calsync.mapping.booking_edit import merge_patch, occurrence, patched, with_occurrence
from calsync.mapping.booking_form import FieldError, InvalidBooking
from calsync.mapping.booking_values import Booking
from calsync.model import Refusal
from tests.unit.hub.test_booking_json import booking

ZONE = "Europe/Berlin"
PLAIN: dict[str, Any] = {
    "title": "Old",
    "start": "2026-12-01T09:00:00",
    "timeZone": ZONE,
    "duration": "PT1H",
}
#: Tuesdays: 1, 8, 15, 22 and 29 December.
WEEKLY: dict[str, Any] = {**PLAIN, "recurrenceRule": {"frequency": "weekly", "count": 5}}
OUT = {"excluded": True}


def held(doc: dict[str, Any], **more: object) -> Booking:
    wish = read_wish({**doc, **more}, ZONE)
    return booking(
        wish.content, uid=wish.uid, external_id=wish.external_id, person=wish.person,
        seats=wish.seats,
    )  # fmt: skip


def key(day: int, hour: int = 9) -> str:
    return f"2026-12-{day:02}T{hour:02}:00:00"


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 12, day, hour)


def refused(call: Any, *given: Any) -> list[FieldError]:
    with pytest.raises(InvalidBooking) as caught:
        call(*given)
    return list(caught.value.errors)


# --- the patch itself ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7396(target: object, patch: object, merged: object) -> None:
    assert merge_patch(target, patch) == merged


# --- a booking -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"title": "New"}, {"title": "New"}),
        ({"title": None}, {"title": None}),
        ({"seats": None}, {"seats": None}),
        ({"seats": 5}, {"seats": 5}),
        ({"bookedBy": {"name": "Bo"}}, {"bookedBy": {"name": "Bo", "email": "ada@example.com"}}),
        ({"bookedBy": {"email": None}}, {"bookedBy": {"name": "Ada"}}),
        ({"bookedBy": None}, {"bookedBy": None}),
        ({"start": key(2, 14), "duration": "PT2H"}, {"start": key(2, 14), "duration": "PT2H"}),
        ({"timeZone": "UTC"}, {"timeZone": "UTC"}),
        ({"uid": "u"}, {"uid": "u"}),
        ({"externalId": "e"}, {"externalId": "e"}),
        ({"uid": None, "externalId": None}, {}),
        ({"rrule": "FREQ=DAILY;COUNT=2"}, {"rrule": "FREQ=DAILY;COUNT=2"}),
        ({"rrule": None, "recurrenceRule": None, "recurrenceOverrides": None}, {}),
    ],
)
def test_what_a_patch_makes_of_a_single(patch: dict[str, Any], changed: dict[str, Any]) -> None:
    doc = {**PLAIN, "seats": 3, "bookedBy": {"name": "Ada", "email": "ada@example.com"}}
    assert patched(held(doc), patch, ZONE) == read_wish({**doc, **changed}, ZONE)


CANNOT = ("cannot be changed", "Leave it out of the patch")


def full() -> Booking:
    refusal = Refusal(reason="Taken.", code="taken")
    names = {"uid": "u", "external_id": "e", "claimed": datetime(2026, 12, 1, tzinfo=UTC)}
    return booking(held(PLAIN).content, refusal=refusal, **names)


@pytest.mark.parametrize("name", [*READ_ONLY, "uid", "externalId"])
def test_what_calsync_or_the_maker_has_set_stays(name: str) -> None:
    made = full()
    shown = booking_to_json(made, ZONE, details=True)
    assert patched(made, {name: shown[name]}, ZONE) == patched(made, {}, ZONE)
    for other in ("other", None):
        assert refused(patched, made, {name: other}, ZONE) == [FieldError("/" + name, *CANNOT)]


def test_every_member_that_cannot_be_changed_is_named() -> None:
    patch = {"uid": "x", "title": "New", "seats": 0, "externalId": "x", "id": "x", "revision": 1}
    assert refused(patched, full(), patch, ZONE) == [
        FieldError(pointer, *CANNOT) for pointer in ("/id", "/uid", "/externalId")
    ]
    assert refused(patched, held(PLAIN), {"refusal": {}}, ZONE) == [FieldError("/refusal", *CANNOT)]
    assert patched(held(PLAIN), {"refusal": None}, ZONE) == read_wish(PLAIN, ZONE)


DATES: dict[str, object] = {
    key(8): OUT,
    key(15): {"start": key(16, 12), "title": "Third"},
    key(18, 15): {"title": "Added"},
}
SERIES = {**WEEKLY, "recurrenceOverrides": DATES}


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({"title": "New"}, {"title": "New"}),
        ({"recurrenceRule": None}, {"recurrenceRule": None, "recurrenceOverrides": None}),
        ({"recurrenceOverrides": None}, {"recurrenceOverrides": None}),
        (
            {"recurrenceOverrides": {key(8): None, key(22): OUT}},
            {"recurrenceOverrides": {**DATES, key(8): {}, key(22): OUT}},
        ),
        (
            {"recurrenceOverrides": {key(8): {"excluded": None, "duration": "PT2H"}}},
            {"recurrenceOverrides": {**DATES, key(8): {"duration": "PT2H"}}},
        ),
        ({"recurrenceRule": {"count": 8}}, {"recurrenceRule": {"frequency": "weekly", "count": 8}}),
        (
            {"rrule": "FREQ=WEEKLY;COUNT=8"},
            {"recurrenceRule": {"frequency": "weekly", "count": 8}},
        ),
        (
            {"rrule": "FREQ=WEEKLY;COUNT=8", "recurrenceRule": None},
            {"recurrenceRule": {"frequency": "weekly", "count": 8}},
        ),
        ({"rrule": None}, {}),
        (
            {"start": key(1, 10)},
            {
                "start": key(1, 10),
                "recurrenceOverrides": {
                    key(8, 10): OUT,
                    key(15, 10): {"start": key(16, 12), "title": "Third"},
                    key(18, 16): {"title": "Added"},
                },
            },
        ),
        (
            {"start": "2026-11-24T08:00:00"},
            {
                "start": "2026-11-24T08:00:00",
                "recurrenceOverrides": {
                    key(1, 8): OUT,
                    key(8, 8): {"start": key(16, 12), "title": "Third"},
                    key(11, 14): {"title": "Added"},
                },
            },
        ),
        (
            {"start": key(1, 10), "recurrenceOverrides": {key(8): None, key(8, 10): OUT}},
            {
                "start": key(1, 10),
                "recurrenceOverrides": {
                    key(8, 10): OUT,
                    key(15): {"start": key(16, 12), "title": "Third"},
                    key(18, 15): {"title": "Added"},
                },
            },
        ),
    ],
)
def test_what_a_patch_makes_of_a_series(patch: dict[str, Any], changed: dict[str, Any]) -> None:
    """Dates that it says nothing about move along."""
    assert patched(held(SERIES), patch, ZONE) == read_wish({**SERIES, **changed}, ZONE)


@pytest.mark.parametrize(
    ("start", "what", "todo"),
    [
        ("9999-12-31T09:00:00", "must lie between the years 1900 and 2199", ""),
        ("0001-01-01T09:00:00", "must lie between the years 1900 and 2199", ""),
        (
            "soon",
            "is not a local date and time",
            "Write 2026-11-20T09:00:00, without an offset; the zone goes into timeZone",
        ),
        (None, "is missing", "Give it, such as 2026-12-01T09:00:00"),
    ],
)
def test_a_start_that_cannot_be_is_all_that_is_wrong(start: object, what: str, todo: str) -> None:
    early = held(SERIES, recurrenceOverrides={**DATES, "1900-01-01T09:00:00": {}})
    problems = refused(patched, early, {"start": start}, ZONE)
    assert [(e.pointer, e.what) for e in problems] == [("/start", what)]
    assert (problems[0].todo == todo) or start is None


def test_two_rules_at_once_are_refused() -> None:
    patch = {"rrule": "FREQ=DAILY", "recurrenceRule": {"frequency": "daily"}}
    assert refused(patched, held(SERIES), patch, ZONE) == [
        FieldError("/rrule", "a booking has a recurrenceRule or an rrule, not both")
    ]


# --- one date --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        (key(1), at(1)),
        (key(8), None),
        (key(15), at(15)),
        (key(16, 12), None),
        (key(18, 15), at(18, 15)),
        (key(18), None),
        (key(22), at(22)),
        ("2026-12-29T09:00", at(29)),
        ("2026-12-29T09:00:01", None),
        ("2026-12-29", None),
        ("2027-01-05T09:00:00", None),
        ("2026-11-24T09:00:00", None),
        (key(1, 10), None),
        (key(29) + "Z", None),
        ("", None),
    ],
)
def test_the_dates_of_a_series_by_name(name: str, slot: datetime | None) -> None:
    """By the slot that the rule gives, or at which it was added; not by where it was moved."""
    assert occurrence(held(SERIES), name) == slot
    assert occurrence(held(PLAIN), name) is None


def test_the_end_of_a_series_over_midnight_names_no_date() -> None:
    night = held(WEEKLY, start=key(1, 22), duration="PT11H")
    assert occurrence(night, key(8, 22)) == at(8, 22)
    assert occurrence(night, key(9)) is None
    gone = with_occurrence(night, at(8, 22), None, ZONE).content.recurrence
    assert gone is not None
    assert gone.excluded == (at(8, 22),)


@pytest.mark.parametrize(
    ("slot", "patch", "dates"),
    [
        (at(22), {"title": "New"}, {**DATES, key(22): {"title": "New"}}),
        (at(22), {"@type": "PatchObject", "title": "New"}, {**DATES, key(22): {"title": "New"}}),
        (at(22), {"start": key(23, 8)}, {**DATES, key(22): {"start": key(23, 8)}}),
        (at(22), {"excluded": True}, {**DATES, key(22): OUT}),
        (at(22), {}, DATES),
        (at(22), None, {**DATES, key(22): OUT}),
        (at(1), None, {**DATES, key(1): OUT}),
        (at(15), {"title": "New"},
         {**DATES, key(15): {"start": key(16, 12), "title": "New"}}),
        (at(15), {"start": None}, {**DATES, key(15): {"title": "Third"}}),
        (at(15), None, {**DATES, key(15): OUT}),
        (at(18, 15), {"duration": "PT2H"},
         {**DATES, key(18, 15): {"title": "Added", "duration": "PT2H"}}),
        (at(18, 15), None, {key(8): OUT, key(15): DATES[key(15)]}),
    ],
)  # fmt: skip
def test_what_a_patch_makes_of_one_date(
    slot: datetime, patch: dict[str, Any] | None, dates: dict[str, object]
) -> None:
    changed = with_occurrence(held(SERIES), slot, patch, ZONE)
    assert changed == read_wish({**SERIES, "recurrenceOverrides": dates}, ZONE)


def test_the_first_date_that_is_changed() -> None:
    bare = held(WEEKLY)
    assert with_occurrence(bare, at(8), None, ZONE) == read_wish(
        {**WEEKLY, "recurrenceOverrides": {key(8): OUT}}, ZONE
    )
    assert with_occurrence(bare, at(8), {"title": "New"}, ZONE) == read_wish(
        {**WEEKLY, "recurrenceOverrides": {key(8): {"title": "New"}}}, ZONE
    )


NOT_KNOWN = "this member is not known for one date"


@pytest.mark.parametrize(
    ("patch", "problems"),
    [
        ({"seats": 3}, [FieldError("/seats", NOT_KNOWN)]),
        (
            {"title": 5, "timeZone": "UTC", "a/b": 1},
            [FieldError("/timeZone", NOT_KNOWN), FieldError("/a~1b", NOT_KNOWN)],
        ),
        (
            {"title": 5, "duration": "x"},
            [
                FieldError(
                    "/duration",
                    "is not an ISO 8601 duration",
                    "Write PT1H30M, or P2D for whole days",
                ),
                FieldError("/title", "must be a string"),
            ],
        ),
        (
            {"start": 5},
            [
                FieldError(
                    "/start",
                    "is not a local date and time",
                    "Write 2026-11-20T09:00:00, without an offset; the zone goes into timeZone",
                )
            ],
        ),
    ],
)
def test_pointers_lead_into_the_patch(patch: dict[str, object], problems: list[FieldError]) -> None:
    assert refused(with_occurrence, held(SERIES), at(22), patch, ZONE) == problems


def test_an_added_date_cannot_be_excluded_it_can_be_deleted() -> None:
    assert refused(with_occurrence, held(SERIES), at(18, 15), {"excluded": True}, ZONE) == [
        FieldError(
            "/excluded",
            "the rule gives no occurrence at this time",
            "Name an occurrence by its local start",
        )
    ]
