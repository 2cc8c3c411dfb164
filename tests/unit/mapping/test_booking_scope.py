"""A change of one date that is meant for all that follow, or for the whole series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.booking import read_wish
from calsync.mapping.booking_form import FieldError, InvalidBooking
from calsync.mapping.booking_scope import (
    SeriesScope,
    check_slot,
    has_before,
    onwards,
    until,
    whole,
)
from calsync.mapping.booking_values import Booking
from tests.unit.hub.test_booking_json import booking

ZONE = "Europe/Berlin"
#: Tuesdays: 1, 8, 15, 22 and 29 December.
WEEKLY: dict[str, Any] = {
    "title": "Old",
    "start": "2026-12-01T09:00:00",
    "timeZone": ZONE,
    "duration": "PT1H",
    "recurrenceRule": {"frequency": "weekly", "count": 5},
}
NAMES: dict[str, Any] = {"uid": "u", "externalId": "e"}
PERSON: dict[str, Any] = {"seats": 3, "bookedBy": {"name": "Ada", "email": "ada@example.com"}}
OUT = {"excluded": True}


def held(**more: object) -> Booking:
    """The weekly booking, with other members."""
    wish = read_wish({**WEEKLY, **more}, ZONE)
    return booking(
        wish.content, uid=wish.uid, external_id=wish.external_id, person=wish.person,
        seats=wish.seats,
    )  # fmt: skip


def key(day: int, hour: int = 9) -> str:
    return f"2026-12-{day:02}T{hour:02}:00:00"


def at(day: int, hour: int = 9, month: int = 12, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour)


def weekly(**rule: object) -> dict[str, object]:
    return {"frequency": "weekly", **rule}


def refused(call: Any, *given: Any) -> list[FieldError]:
    with pytest.raises(InvalidBooking) as caught:
        call(*given)
    return list(caught.value.errors)


def test_the_names_of_the_scopes_are_those_of_the_api() -> None:
    assert [scope.value for scope in SeriesScope] == ["this", "following", "all"]


# --- what lies before ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "slot", "before"),
    [
        ({}, at(1), False),
        ({}, at(8), True),
        ({}, at(29), True),
        ({key(1): OUT}, at(8), False),
        ({key(1): OUT}, at(15), True),
        ({key(1): OUT, key(8): OUT}, at(15), False),
        ({key(8): OUT}, at(15), True),
        ({key(1): {"title": "x"}}, at(1), False),
        ({key(8): {"title": "x"}}, at(1), False),
        ({key(1): OUT, key(8): {"start": key(30)}}, at(15), True),
        ({key(1): OUT, key(8): {"title": "x"}}, at(8), False),
        ({key(2): {}}, at(1), False),
        ({"2026-11-30T09:00:00": {}}, at(1), True),
        ({"2026-11-30T09:00:00": {}, key(29): {"title": "x"}}, at(1), True),
        ({key(1, 8): {}}, at(1), True),
        ({key(1, 10): {}}, at(1), False),
        ({key(1): OUT, key(3): {}}, at(8), True),
    ],
)
def test_whether_a_date_has_others_before_it(
    overrides: dict[str, object], slot: datetime, before: bool
) -> None:
    """Removed ones do not count, added and moved ones do, by the name of their slot."""
    assert has_before(held(recurrenceOverrides=overrides), slot) is before


def test_the_end_of_a_date_is_not_what_it_is_named_by() -> None:
    """Neither the hour nor the day at which a date is over names it."""
    long = held(start="2026-12-01T22:00:00", duration="PT30H", recurrenceRule=weekly(count=3))
    assert not has_before(long, at(1, 22))
    assert has_before(long, at(8, 22))
    assert until(long, at(8, 22), ZONE) == read_wish(
        {
            **WEEKLY,
            "start": key(1, 22),
            "duration": "PT30H",
            "recurrenceRule": weekly(until=key(1, 22)),
        },
        ZONE,
    )


ADDED = FieldError(
    "",
    "this date was added to the series; nothing follows from it",
    "Name a date that the rule gives",
)
ONLY_ADDED = FieldError(
    "",
    "only dates that were added to the series lie before it",
    "Use scope=all, or scope=this date by date",
)


@pytest.mark.parametrize(
    ("overrides", "slot", "problem"),
    [
        ({}, at(1), None),
        ({}, at(15), None),
        ({key(1): OUT}, at(8), None),
        ({key(3): {}}, at(3), ADDED),
        ({key(8, 10): {}}, at(8, 10), ADDED),
        ({key(3): {}}, at(8), None),
        ({key(3): {}}, at(1), None),
        ({"2026-11-27T09:00:00": {}}, at(1), ONLY_ADDED),
        ({"2026-11-27T09:00:00": {}}, at(8), None),
        ({key(1, 8): {}}, at(1), ONLY_ADDED),
        ({key(1): OUT, "2026-11-27T09:00:00": {}}, at(8), None),
    ],
)
def test_from_which_date_on_a_series_can_be_parted(
    overrides: dict[str, object], slot: datetime, problem: FieldError | None
) -> None:
    series = held(recurrenceOverrides=overrides)
    if problem is None:
        check_slot(series, slot)
    else:
        assert refused(check_slot, series, slot) == [problem]


# --- the part before -------------------------------------------------------------------------

CHANGED: dict[str, object] = {
    key(1): {"title": "First"},
    key(3): {"title": "Added early"},
    key(8): {"start": key(16, 11), "title": "Late"},
    key(15): {"title": "Third"},
    key(18): {"title": "Added late"},
    key(22): OUT,
}


@pytest.mark.parametrize(
    ("slot", "end", "kept"),
    [
        (at(8), key(1), [key(1), key(3)]),
        (at(15), key(8), [key(1), key(3), key(8)]),
        (at(22), key(15), [key(1), key(3), key(8), key(15), key(18)]),
        (at(29), key(22), [key(1), key(3), key(8), key(15), key(18), key(22)]),
    ],
)
def test_the_series_ends_with_the_date_before(slot: datetime, end: str, kept: list[str]) -> None:
    """It keeps its names, its person, and the changes of the dates that it keeps."""
    series = held(recurrenceOverrides=CHANGED, **NAMES, **PERSON)
    assert until(series, slot, ZONE) == read_wish(
        {
            **WEEKLY,
            **NAMES,
            **PERSON,
            "recurrenceRule": weekly(until=end),
            "recurrenceOverrides": {name: CHANGED[name] for name in kept},
        },
        ZONE,
    )


@pytest.mark.parametrize("rule", [weekly(), weekly(count=30), weekly(until="2027-03-02")])
def test_however_a_series_ended_the_part_before_ends_with_a_date(rule: dict[str, object]) -> None:
    ended = until(held(recurrenceRule=rule), at(15), ZONE)
    assert ended == read_wish({**WEEKLY, "recurrenceRule": weekly(until=key(8))}, ZONE)


@pytest.mark.parametrize(
    ("rule", "slot", "last"),
    [
        ({"frequency": "daily"}, at(2), key(1)),
        ({"frequency": "daily", "interval": 3}, at(7), key(4)),
        (weekly(interval=2, byDay=[{"day": "tu"}, {"day": "th"}]), at(15), key(3)),
        ({"frequency": "monthly", "byMonthDay": [1, 31]}, at(31), key(1)),
        ({"frequency": "monthly"}, at(1, month=3, year=2027), "2027-02-01T09:00:00"),
        ({"frequency": "yearly"}, at(1, year=2028), "2027-12-01T09:00:00"),
    ],
)
def test_the_date_before_is_one_of_the_rule(
    rule: dict[str, object], slot: datetime, last: str
) -> None:
    series = held(recurrenceRule=rule)
    ended = until(series, slot, ZONE)
    assert ended == read_wish({**WEEKLY, "recurrenceRule": {**rule, "until": last}}, ZONE)
    follows = onwards(series, slot, {}, ZONE)
    assert follows == read_wish({**WEEKLY, "recurrenceRule": rule, "start": slot.isoformat()}, ZONE)


# --- the part from a date on -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot", "left", "kept"),
    [
        (at(8), 4, [key(8), key(15), key(18), key(22)]),
        (at(15), 3, [key(15), key(18), key(22)]),
        (at(29), 1, []),
    ],
)
def test_what_follows_is_a_booking_of_its_own(slot: datetime, left: int, kept: list[str]) -> None:
    """The person comes along; the names that one platform gave to one booking do not."""
    wish = onwards(held(recurrenceOverrides=CHANGED, **NAMES, **PERSON), slot, {}, ZONE)
    assert wish == read_wish(
        {
            **WEEKLY,
            **PERSON,
            "start": slot.isoformat(),
            "recurrenceRule": weekly(count=left),
            "recurrenceOverrides": {name: CHANGED[name] for name in kept},
        },
        ZONE,
    )
    assert (wish.uid, wish.external_id) == ("", None)


@pytest.mark.parametrize(
    ("rule", "rest"),
    [
        (weekly(), weekly()),
        (weekly(until="2026-12-29T23:59:59"), weekly(until="2026-12-29T23:59:59")),
        (weekly(count=5), weekly(count=4)),
        (weekly(count=2), weekly(count=1)),
    ],
)
def test_what_follows_ends_where_the_series_did(
    rule: dict[str, object], rest: dict[str, object]
) -> None:
    follows = onwards(held(recurrenceRule=rule), at(8), {}, ZONE)
    assert follows == read_wish({**WEEKLY, "start": key(8), "recurrenceRule": rest}, ZONE)


def test_both_parts_together_are_the_series() -> None:
    series = held(recurrenceOverrides=CHANGED)
    early, late = until(series, at(15), ZONE).content, onwards(series, at(15), {}, ZONE).content
    assert early.recurrence is not None
    assert late.recurrence is not None
    whole_series = series.content.recurrence
    assert whole_series is not None
    assert early.recurrence.overrides + late.recurrence.overrides == whole_series.overrides
    assert early.recurrence.excluded + late.recurrence.excluded == whole_series.excluded


# --- the change itself -----------------------------------------------------------------------


def test_a_change_holds_for_every_date_and_spares_what_it_does_not_speak_of() -> None:
    overrides = {
        key(1): {"title": "First", "duration": "PT3H"},
        key(8): OUT,
        key(15): {"start": key(16, 12), "title": "Third"},
        key(18): {"title": "Added"},
    }
    series = held(recurrenceOverrides=overrides, **NAMES, **PERSON)
    wish = whole(series, at(22), {"start": key(22, 10), "duration": "PT2H"}, ZONE)
    assert wish == read_wish(
        {
            **WEEKLY,
            **NAMES,
            **PERSON,
            "start": key(1, 10),
            "duration": "PT2H",
            "recurrenceOverrides": {
                key(1, 10): {"title": "First"},
                key(8, 10): OUT,
                key(15, 10): {"title": "Third"},
                key(18, 10): {"title": "Added"},
            },
        },
        ZONE,
    )


def test_where_no_time_is_asked_for_a_moved_date_stays_where_it_is() -> None:
    overrides = {key(15): {"start": key(16, 12), "title": "Third"}, key(18): {"title": "Added"}}
    wish = whole(held(recurrenceOverrides=overrides), at(1), {"title": "New"}, ZONE)
    assert wish == read_wish(
        {
            **WEEKLY,
            "title": "New",
            "recurrenceOverrides": {key(15): {"start": key(16, 12)}, key(18): {}},
        },
        ZONE,
    )


@pytest.mark.parametrize("apply", [whole, onwards])
@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({}, {}),
        ({"@type": "PatchObject"}, {}),
        ({"title": "New"}, {"title": "New"}),
        ({"title": None}, {"title": None}),
        ({"duration": "PT2H"}, {"duration": "PT2H"}),
        ({"status": "tentative"}, {"status": "tentative"}),
        ({"freeBusyStatus": "free"}, {"freeBusyStatus": "free"}),
        ({"showAs": "oof"}, {"showAs": "oof"}),
        ({"privacy": "private"}, {"privacy": "private"}),
        ({"start": key(1, 0)}, {"start": key(1, 0)}),
        ({"start": key(1, 8)}, {"start": key(1, 8)}),
        ({"start": key(1, 9)}, {}),
        ({"start": key(1, 23)}, {"start": key(1, 23)}),
        ({"start": "2026-12-01T09:00:30"}, {"start": "2026-12-01T09:00:30"}),
        ({"start": "2026-12-01"}, {"start": key(1, 0)}),
        (
            {"start": "2026-12-01", "duration": "P1D", "showWithoutTime": True},
            {"start": "2026-12-01", "duration": "P1D", "showWithoutTime": True},
        ),
    ],
)
def test_every_member_of_a_date_can_be_set_for_several(
    apply: Any, patch: dict[str, object], changed: dict[str, object]
) -> None:
    assert apply(held(), at(1), patch, ZONE) == read_wish({**WEEKLY, **changed}, ZONE)


def test_a_change_counts_from_the_slot_of_its_date_not_from_where_that_was_moved() -> None:
    series = held(recurrenceOverrides={key(15): {"start": key(15, 12)}})
    patch = {"start": key(15, 10)}
    assert whole(series, at(15), patch, ZONE) == read_wish({**WEEKLY, "start": key(1, 10)}, ZONE)
    assert onwards(series, at(15), patch, ZONE) == read_wish(
        {**WEEKLY, "start": key(15, 10), "recurrenceRule": weekly(count=3)}, ZONE
    )


def test_an_added_date_moves_by_as_much() -> None:
    series = held(recurrenceOverrides={key(18, 14): {}})
    assert whole(series, at(18, 14), {"start": key(18, 16)}, ZONE) == read_wish(
        {**WEEKLY, "start": key(1, 11), "recurrenceOverrides": {key(18, 16): {}}}, ZONE
    )


UNKNOWN = "this member is not known for several dates"
OTHER_DAY = FieldError(
    "/start",
    "lies on another day than the date that is changed",
    "Change the recurrenceRule of the booking itself to move a series to other days",
)
NO_TIME = FieldError("/start", "is not a local date and time", "Write 2026-11-20T09:00:00")


@pytest.mark.parametrize("apply", [whole, onwards])
@pytest.mark.parametrize(
    ("patch", "problems"),
    [
        ({"excluded": True}, [FieldError("/excluded", UNKNOWN)]),
        ({"excluded": False}, [FieldError("/excluded", UNKNOWN)]),
        ({"recurrenceRule": weekly()}, [FieldError("/recurrenceRule", UNKNOWN)]),
        (
            {"timeZone": "UTC", "title": "New", "a/b": 1},
            [FieldError("/timeZone", UNKNOWN), FieldError("/a~1b", UNKNOWN)],
        ),
        ({"seats": 4, "start": "x"}, [FieldError("/seats", UNKNOWN)]),
        ({"start": key(14, 10)}, [OTHER_DAY]),
        ({"start": key(16, 10)}, [OTHER_DAY]),
        ({"start": "2027-12-15T10:00:00"}, [OTHER_DAY]),
        ({"start": "soon"}, [NO_TIME]),
        ({"start": "2026-12-15T09:00:00Z"}, [NO_TIME]),
        ({"start": None}, [NO_TIME]),
        ({"start": 20261215}, [NO_TIME]),
        ({"duration": None}, [FieldError("/duration", "is missing", "Give it, such as PT1H")]),
        (
            {"duration": "-PT1H"},
            [
                FieldError(
                    "/duration",
                    "the end lies before the start",
                    "Give a duration that is not negative",
                )
            ],
        ),
    ],
)
def test_what_cannot_be_meant_for_several_dates(
    apply: Any, patch: Mapping[str, object], problems: list[FieldError]
) -> None:
    assert refused(apply, held(), at(15), patch, ZONE) == problems


def test_days_that_get_a_time_get_one_of_the_room() -> None:
    days = held(
        start="2026-12-01", timeZone=None, duration="P1D", showWithoutTime=True,
        recurrenceOverrides={"2026-12-08": OUT},
    )  # fmt: skip
    patch = {"showWithoutTime": False, "start": key(1, 9), "duration": "PT1H"}
    assert whole(days, at(1, 0), patch, "America/New_York") == read_wish(
        {**WEEKLY, "timeZone": "America/New_York", "recurrenceOverrides": {key(8): OUT}}, ZONE
    )
    assert until(days, at(15, 0), ZONE).content.end - at(1, 0) == timedelta(days=1)
