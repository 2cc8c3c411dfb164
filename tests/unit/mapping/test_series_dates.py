"""Which date of a series is meant, where no clock makes it easy: rooms far from Greenwich, hours
that are skipped or come twice, dates that the rule does not give, hosts of another zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from calsync.mapping.event_series import needs_instances
from calsync.model import Frequency, Nth, Override, Rule, Weekday
from tests.unit.mapping.test_mapping_series import (
    CUSTOM,
    NUUK,
    PLAIN,
    changed,
    custom,
    days,
    listed,
    master,
    moved,
    occupancy,
    series,
    weekly,
)

NEW_ZEALAND, AUCKLAND = "New Zealand Standard Time", "Pacific/Auckland"


def override_of(event: dict[str, Any], original: str, **how: Any) -> Override:
    """What becomes of an exception that stands far away from all the others."""
    exception = changed(original, "2026-12-24T00:00", "2026-12-25T00:00", isAllDay=True)
    (found,) = series(event, exceptions=[exception], **how).overrides
    return found


def christmas(slot: str) -> Override:
    return moved(slot, "2026-12-24", "2026-12-25", all_day=True)


# --- far from Greenwich ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "room", "original"),
    [
        # Midnight there is noon of the day before: where the series is at home ...
        (NEW_ZEALAND, "Europe/Berlin", "2026-11-20T11:00:00Z"),
        # ... or where its room is, if its home is said to be UTC.
        ("UTC", AUCKLAND, "2026-11-20T11:00:00Z"),
        # The date as if it were UTC is afternoon there.
        (NEW_ZEALAND, AUCKLAND, "2026-11-21T00:00:00Z"),
    ],
)
def test_a_whole_day_on_the_other_side_of_the_world(zone: str, room: str, original: str) -> None:
    event = master("2026-11-20T00:00", "2026-11-21T00:00", zone=zone, isAllDay=True)
    assert override_of(event, original, room_zone=room) == christmas("2026-11-21")


@pytest.mark.parametrize(
    ("event", "original", "slot"),
    [
        (
            master("2026-11-20T07:30", "2026-11-20T08:30", zone=NEW_ZEALAND),
            "2026-11-21T07:30:00Z",
            "2026-11-21T20:30",
        ),
        # Its own zone is not known: by the clock of the room.
        (custom("2026-11-19T20:00", "2026-11-20"), "2026-11-20T20:00:00Z", "2026-11-21T09:00"),
    ],
)
def test_a_date_on_the_other_side_of_the_world(
    event: dict[str, Any], original: str, slot: str
) -> None:
    assert override_of(event, original, room_zone=AUCKLAND) == christmas(slot)


# --- dates that the rule does not give ------------------------------------------------------------

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@pytest.mark.parametrize(
    ("event", "original", "slot"),
    [
        # Half past two on the Sunday on which the clocks skip it, and the second one in autumn.
        (
            master("2027-03-22T01:30", "2027-03-22T02:30", pattern=weekly(*WEEK[:6])),
            "2027-03-28T01:30:00Z",
            "2027-03-28T02:30",
        ),
        (
            master("2026-10-19T00:30", "2026-10-19T01:30", pattern=weekly(*WEEK[:6])),
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:30",
        ),
        # 23:30 on the Saturday on which Nuuk's clocks go from 23:00 to midnight.
        (
            master(
                "2027-03-22T01:30",
                "2027-03-22T02:30",
                zone=NUUK,
                begins="2027-03-21",
                pattern=weekly(*WEEK[:5], WEEK[6]),
            ),
            "2027-03-28T01:30:00Z",
            "2027-03-27T23:30",
        ),
    ],
)
def test_a_date_beside_the_rule_takes_none_of_its_dates_away(
    event: dict[str, Any], original: str, slot: str
) -> None:
    event["recurrence"]["range"]["numberOfOccurrences"] = 12
    assert override_of(event, original) == christmas(slot)


# --- days that are not those of the room ----------------------------------------------------------


def test_the_days_of_a_whole_day_series_are_not_turned() -> None:
    """In a zone that nobody knows, too, a Friday is a Friday, whatever date its range names."""
    event = master(
        "2026-11-20T00:00",
        "2026-11-21T00:00",
        zone=CUSTOM,
        begins="2026-11-19",
        pattern=weekly("friday"),
        isAllDay=True,
    )
    assert series(event).rule == Rule(
        frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR),), count=4
    )


def test_weeks_that_begin_on_a_monday_there_begin_on_a_sunday_here() -> None:
    """So a Sunday goes with the Saturday six days after it, not with the one before."""
    pattern = weekly("sunday", "monday", interval=2, first="monday")
    event = custom("2026-11-22T09:00", "2026-11-23", pattern=pattern)
    assert series(event).rule == Rule(
        frequency=Frequency.WEEKLY,
        interval=2,
        by_day=(Nth(Weekday.SA), Nth(Weekday.SU)),
        week_start=Weekday.SU,
        count=4,
    )


def test_under_a_custom_zone_both_ends_in_a_gap_of_the_room_say_nothing() -> None:
    event = master("2027-03-28T01:00", "2027-03-28T01:30", zone=CUSTOM, count=2)
    instances = [
        listed("2027-03-28T01:00", "2027-03-28T01:30"),
        listed("2027-03-29T00:00", "2027-03-29T00:30"),
    ]
    occ = occupancy(event, instances=instances)
    assert (occ.start, occ.end) == days("2027-03-28T03:00", "2027-03-28T03:30")
    assert occ.recurrence is not None
    assert occ.recurrence.overrides == (
        moved("2027-03-29T03:00", "2027-03-29T02:00", "2027-03-29T02:30"),
    )


def test_a_removed_one_of_every_second_day() -> None:
    """Counted from the day on which it begins, not from that on which its first date ends."""
    pattern = {"type": "daily", "interval": 2}
    event = master("2026-11-20T00:00", "2026-11-21T00:00", pattern=pattern, isAllDay=True)
    instances = [
        listed("2026-11-20T00:00", "2026-11-21T00:00"),
        listed("2026-11-24T00:00", "2026-11-25T00:00"),
    ]
    assert series(event, instances=instances).excluded == days("2026-11-22")


# --- the host -------------------------------------------------------------------------------------


@pytest.fixture(params=["EAST-14", "WEST+11"])
def far_host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock of the machine is fourteen hours ahead of UTC, or eleven behind."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)  # a rule, not a name: no tz database is asked
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_host")
def test_the_zone_of_the_host_does_not_matter_to_a_series() -> None:
    assert needs_instances(master("2027-03-28T01:00", "2027-03-28T04:00"))
    assert not needs_instances(PLAIN)
    occ = occupancy(PLAIN)
    assert (occ.start, occ.end) == days("2026-11-20T10:00", "2026-11-20T11:00")
    assert override_of(PLAIN, "2026-11-21T09:00:00Z") == christmas("2026-11-21T10:00")
    whole = master("2026-11-20T00:00", "2026-11-21T00:00", zone=NEW_ZEALAND, isAllDay=True)
    assert override_of(whole, "2026-11-20T11:00:00Z") == christmas("2026-11-21")
    # A changed date whose hour the clocks skip, and which is beside the rule.
    skipped = master("2027-03-22T01:30", "2027-03-22T02:30", pattern=weekly(*WEEK[:6]), count=12)
    assert override_of(skipped, "2027-03-28T01:30:00Z") == christmas("2027-03-28T02:30")


@pytest.mark.usefixtures("far_host")
@pytest.mark.parametrize(
    ("start", "end", "made_in"),
    [
        # Midnights of the room; and of the zone it was made in, half an hour off.
        ("2026-11-02T23:00", "2026-11-04T23:00", None),
        ("2026-11-02T14:30", "2026-11-04T15:30", "Tokyo Standard Time"),
    ],
)
def test_the_zone_of_the_host_does_not_matter_to_whole_days(
    start: str, end: str, made_in: str | None
) -> None:
    whole = {"recurrence": None, "type": "singleInstance", "isAllDay": True}
    occ = occupancy({**master(start, end), **whole, "originalStartTimeZone": made_in})
    assert (occ.start, occ.end) == days("2026-11-03", "2026-11-05")
