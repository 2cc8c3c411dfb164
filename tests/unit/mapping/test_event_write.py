"""What is written to Graph: bodies of creates and patches, and what becomes of a series."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.event_write import (
    Meant,
    SeriesChange,
    bare,
    event_body,
    kept_subject,
    series_change,
    single_patch,
)
from calsync.model import Busy, Frequency, Occupancy, Override, Recurrence, Rule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2027, 6, 1, 9)
BERLIN, WINDOWS, TROLL = "Europe/Berlin", "W. Europe Standard Time", "Antarctica/Troll"
SINGLE = Occupancy(start=FIRST, end=FIRST + HOUR, zone="UTC", title="Standup")
SERIES = Occupancy(
    start=FIRST,
    end=FIRST + HOUR,
    zone=BERLIN,
    title="Standup",
    recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY, until=date(2027, 8, 1))),
)
DAYS = replace(
    SERIES, start=datetime(2027, 6, 1), end=datetime(2027, 6, 3), zone=None, all_day=True
)


def override(n: int, start: datetime, end: datetime, **more: Any) -> Override:
    return Override(
        recurrence_id=FIRST + n * DAY, start=start, end=end, **{"title": "Standup"} | more
    )


def shifted(n: int, by: timedelta, longer: timedelta = timedelta(0), **more: Any) -> Override:
    start = FIRST + n * DAY + by
    return override(n, start, start + HOUR + longer, **more)


def dated(occ: Occupancy, *overrides: Override, gone: tuple[int, ...] = ()) -> Occupancy:
    assert occ.recurrence is not None
    excluded = tuple(FIRST + n * DAY for n in gone)
    return replace(occ, recurrence=replace(occ.recurrence, excluded=excluded, overrides=overrides))


def change(was: Occupancy, target: Occupancy, room: str = BERLIN) -> SeriesChange:
    return series_change(was, target, subject_fallback="Reserved", room_zone=room)


def patch(was: Occupancy, target: Occupancy, room: str = BERLIN) -> dict[str, Any]:
    return single_patch(was, target, subject_fallback="Reserved", room_zone=room)


def span(start: str, end: str, zone: str, *, all_day: bool = False) -> dict[str, Any]:
    return {
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        "isAllDay": all_day,
    }


def test_the_body_of_a_private_series() -> None:
    hidden = replace(SERIES, title=None, private=True, busy=Busy.OOF)
    body = event_body(hidden, subject_fallback="Reserved", room_zone="Asia/Tokyo")
    recurrence = body.pop("recurrence")
    assert recurrence["range"]["recurrenceTimeZone"] == WINDOWS
    assert body == {
        "subject": "Reserved",
        "showAs": "oof",
        "sensitivity": "private",
        **span("2027-06-01T09:00:00", "2027-06-01T10:00:00", WINDOWS),
        "isReminderOn": False,
        "responseRequested": False,
        "body": {"contentType": "text", "content": ""},
    }


@pytest.mark.parametrize(("room", "zone"), [("Asia/Tokyo", "Tokyo Standard Time"), (TROLL, "UTC")])
def test_all_day_items_are_their_dates_even_where_the_room_has_no_name(
    room: str, zone: str
) -> None:
    body = event_body(DAYS, subject_fallback="Reserved", room_zone=room)
    expected = span("2027-06-01T00:00:00", "2027-06-03T00:00:00", zone, all_day=True)
    assert {name: body[name] for name in expected} == expected
    assert body["recurrence"]["range"]["startDate"] == "2027-06-01"
    assert body["recurrence"]["range"]["recurrenceTimeZone"] == zone


def test_times_in_a_zone_without_a_windows_name_are_written_in_utc() -> None:
    timed = replace(SINGLE, zone=TROLL)  # two hours ahead in summer
    assert patch(SINGLE, timed) == span("2027-06-01T07:00:00", "2027-06-01T08:00:00", "UTC")


def test_a_patch_of_each_member() -> None:
    later = replace(SINGLE, start=FIRST + HOUR, end=FIRST + 2 * HOUR)
    assert patch(SINGLE, later) == span("2027-06-01T10:00:00", "2027-06-01T11:00:00", "UTC")
    longer = replace(SINGLE, start=FIRST - HOUR)
    assert patch(SINGLE, longer) == span("2027-06-01T08:00:00", "2027-06-01T10:00:00", "UTC")
    assert patch(SINGLE, replace(SINGLE, busy=Busy.FREE)) == {"showAs": "free"}
    assert patch(SINGLE, replace(SINGLE, title="Other")) == {"subject": "Other"}
    hidden = replace(SINGLE, title=None, private=True)
    # The subject of a private item is not known: it is written whenever that changes.
    shown = replace(hidden, private=False)
    assert patch(hidden, shown) == {"subject": "Reserved", "sensitivity": "normal"}
    assert patch(shown, hidden) == {"subject": "Reserved", "sensitivity": "private"}


def test_times_and_pattern_go_together() -> None:
    """range.startDate must equal the date of start."""
    at_nine = span("2027-06-01T09:00:00", "2027-06-01T10:00:00", WINDOWS)
    tokyo = replace(SERIES, zone="Asia/Tokyo")
    found = patch(tokyo, SERIES)
    assert found.pop("recurrence")["range"]["startDate"] == "2027-06-01"
    assert found == at_nine
    weekly = replace(SERIES, recurrence=Recurrence(rule=Rule(frequency=Frequency.WEEKLY)))
    assert patch(weekly, SERIES).keys() == {*at_nine, "recurrence"}
    assert patch(SINGLE, SERIES).keys() == {*at_nine, "recurrence"}
    assert patch(SERIES, SINGLE)["recurrence"] is None
    assert patch(dated(SERIES, shifted(1, HOUR), gone=(2,)), SERIES) == {}
    assert patch(SERIES, dated(SERIES, shifted(1, HOUR), gone=(2,))) == {}


@pytest.mark.parametrize(
    ("subject", "was", "target", "kept"),
    [
        ("Old", {}, {}, {"subject": "Old"}),
        ("Old", {"private": True}, {"private": True}, {"subject": "Old"}),
        ("Old", {"private": True}, {}, {}),
        ("Old", {"title": "Old"}, {}, {}),
        ("Old", {}, {"title": "New"}, {}),
        ("Old", {"title": "Old"}, {"title": "Old"}, {}),
        ("", {}, {}, {}),
        (None, {}, {}, {}),
        (7, {}, {}, {}),
    ],
)
def test_a_subject_that_is_not_seen_is_kept(
    subject: object, was: dict[str, Any], target: dict[str, Any], kept: dict[str, str]
) -> None:
    plain = replace(SINGLE, title=None)
    assert kept_subject(subject, replace(plain, **was), replace(plain, **target)) == kept


def test_a_series_without_its_exceptions() -> None:
    assert bare(SINGLE) == SINGLE
    assert bare(dated(SERIES, shifted(1, HOUR), gone=(2,))) == SERIES


NINE_TO = "2027-06-02T09:00:00"


@pytest.mark.parametrize(
    ("was", "target", "found"),
    [
        (SINGLE, SINGLE, SeriesChange()),
        (SERIES, SERIES, SeriesChange()),
        (SINGLE, replace(SINGLE, busy=Busy.FREE), SeriesChange({"showAs": "free"})),
        (dated(SERIES, gone=(1,)), dated(SERIES, gone=(1,)), SeriesChange()),
        (dated(SERIES, shifted(1, HOUR)), dated(SERIES, shifted(1, HOUR)), SeriesChange()),
        (
            dated(SERIES, gone=(4,)),
            dated(SERIES, gone=(6, 3, 5, 1, 4)),
            SeriesChange(exclude=tuple(FIRST + n * DAY for n in (1, 3, 5, 6))),
        ),
        (dated(SERIES, gone=(1, 2)), dated(SERIES, gone=(1, 3)), SeriesChange(recreate=True)),
        # An exception that is removed needs no patch before.
        (
            dated(SERIES, shifted(1, HOUR)),
            dated(SERIES, gone=(1,)),
            SeriesChange(exclude=(FIRST + DAY,)),
        ),
        # A longer one, one with another look, one taken back.
        (
            SERIES,
            dated(SERIES, shifted(1, 0 * HOUR, HOUR)),
            SeriesChange(overrides=((FIRST + DAY, span(NINE_TO, "2027-06-02T11:00:00", WINDOWS)),)),
        ),
        (
            SERIES,
            dated(SERIES, shifted(1, 0 * HOUR, busy=Busy.FREE)),
            SeriesChange(overrides=((FIRST + DAY, {"showAs": "free"}),)),
        ),
        (
            dated(SERIES, shifted(1, HOUR, title="Other")),
            SERIES,
            SeriesChange(
                overrides=(
                    (
                        FIRST + DAY,
                        {
                            "subject": "Standup",
                            **span(NINE_TO, "2027-06-02T10:00:00", WINDOWS),
                        },
                    ),
                )
            ),
        ),
        # A plain date has by now what the master was changed to; a changed one is told again.
        (
            dated(SERIES, shifted(1, HOUR)),
            dated(
                replace(SERIES, busy=Busy.OOF),
                shifted(1, HOUR, busy=Busy.OOF),
                shifted(2, 0 * HOUR, HOUR, busy=Busy.OOF),
                shifted(3, 0 * HOUR),
            ),
            SeriesChange(
                {"showAs": "oof"},
                overrides=(
                    (FIRST + DAY, {"showAs": "oof"}),
                    (
                        FIRST + 2 * DAY,
                        span("2027-06-03T09:00:00", "2027-06-03T11:00:00", WINDOWS),
                    ),
                    (FIRST + 3 * DAY, {"showAs": "busy"}),
                ),
            ),
        ),
        # A day of the room, in a series with times.
        (
            SERIES,
            dated(SERIES, override(1, datetime(2027, 6, 2), datetime(2027, 6, 3), all_day=True)),
            SeriesChange(
                overrides=(
                    (
                        FIRST + DAY,
                        span("2027-06-02T00:00:00", "2027-06-03T00:00:00", WINDOWS, all_day=True),
                    ),
                )
            ),
        ),
    ],
)
def test_what_brings_a_series_from_one_state_to_another(
    was: Occupancy, target: Occupancy, found: SeriesChange
) -> None:
    assert change(was, target) == found


def test_a_changed_date_is_written_in_the_zone_of_the_series_and_a_whole_day_in_the_rooms() -> None:
    ((_, written),) = change(SERIES, dated(SERIES, shifted(1, HOUR)), "Asia/Tokyo").overrides
    assert written == span("2027-06-02T10:00:00", "2027-06-02T11:00:00", WINDOWS)
    whole = override(1, datetime(2027, 6, 2), datetime(2027, 6, 3), all_day=True)
    ((_, written),) = change(SERIES, dated(SERIES, whole), "Asia/Tokyo").overrides
    tokyo = "Tokyo Standard Time"
    assert written == span("2027-06-02T00:00:00", "2027-06-03T00:00:00", tokyo, all_day=True)


@pytest.mark.parametrize(
    "was", [dated(SERIES, gone=(1,)), dated(SERIES, shifted(1, HOUR))], ids=["gone", "moved"]
)
def test_a_series_with_exceptions_that_moves_is_made_anew(was: Occupancy) -> None:
    later = replace(was, start=FIRST + HOUR, end=FIRST + 2 * HOUR)
    assert change(was, later) == SeriesChange(recreate=True)
    assert change(SERIES, bare(later)).master is not None


def test_a_timed_date_of_an_all_day_series_is_in_the_zone_of_the_room() -> None:
    timed = Override(
        recurrence_id=DAYS.start, start=FIRST, end=FIRST + HOUR, title="Standup", all_day=False
    )
    for room, expected in (
        ("Asia/Tokyo", span("2027-06-01T09:00:00", "2027-06-01T10:00:00", "Tokyo Standard Time")),
        (TROLL, span("2027-06-01T07:00:00", "2027-06-01T08:00:00", "UTC")),
    ):
        assert change(DAYS, dated(DAYS, timed), room).overrides == ((DAYS.start, expected),)


@pytest.mark.parametrize(
    ("moves", "order"),
    [
        ({1: -HOUR / 2, 2: -HOUR / 2, 3: -2 * HOUR}, [1, 2, 3]),
        ({1: HOUR / 2, 2: HOUR / 2, 3: 2 * HOUR}, [3, 2, 1]),
        ({1: HOUR, 2: -HOUR, 3: HOUR, 4: -HOUR}, [2, 4, 3, 1]),
    ],
)
def test_no_date_passes_its_neighbour_on_the_way(
    moves: dict[int, timedelta], order: list[int]
) -> None:
    target = dated(SERIES, *(shifted(n, by) for n, by in moves.items()))
    found = [(slot - FIRST).days for slot, _ in change(SERIES, target).overrides]
    assert found == order


# --- what a write meant ---------------------------------------------------------------------------

A, B, C = FIRST, FIRST + DAY, FIRST + 2 * DAY
MASTER = SeriesChange({"subject": "New"})
DATES = SeriesChange(exclude=(A,), overrides=((B, {"showAs": "free"}),))


@pytest.mark.parametrize(
    ("first", "then", "covered"),
    [
        (MASTER, MASTER, True),
        (MASTER, SeriesChange(), True),
        (MASTER, SeriesChange({"showAs": "free"}), False),
        # A new master may have dropped any exception.
        (MASTER, DATES, True),
        (DATES, DATES, True),
        (DATES, SeriesChange(exclude=(C,)), False),
        (DATES, SeriesChange(overrides=((C, {}),)), False),
        (DATES, MASTER, False),
        (SeriesChange(), SeriesChange(exclude=(A,)), False),
    ],
)
def test_what_a_write_set_out_to_change(
    first: SeriesChange, then: SeriesChange, covered: bool
) -> None:
    assert Meant(first).covers(then) is covered


def test_what_was_done_and_differs_again_was_changed_by_people() -> None:
    meant = Meant(replace(DATES, master={"subject": "New"}))
    meant.step(replace(DATES, master={"subject": "New"}))
    assert not meant.covers(MASTER)
    assert meant.covers(DATES), "its dates come in a step of their own"
    meant.step(DATES)
    assert not meant.covers(SeriesChange(exclude=(A,)))
    assert not meant.covers(SeriesChange(overrides=((B, {}),)))
    assert meant.covers(SeriesChange(exclude=(C,)))
