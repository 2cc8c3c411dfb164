"""How a series of Graph is read: its zone, its first date, its exceptions and its removed dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from calsync.mapping.event import home_name, needs_instances, read_event
from calsync.model import (
    Absence,
    Busy,
    Frequency,
    Gone,
    Interval,
    Nth,
    Occupancy,
    Override,
    Recurrence,
    Rule,
    Seen,
    Unknown,
    Weekday,
)

BERLIN = "W. Europe Standard Time"
NUUK = "Greenland Standard Time"
#: A zone whose rules stand in the mailbox only.
CUSTOM = "tzone://Microsoft/Custom"
DAILY: dict[str, Any] = {"type": "daily", "interval": 1}
MONTHLY: dict[str, Any] = {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 20}


def weekly(*days: str, interval: int = 1, first: str = "monday") -> dict[str, Any]:
    return {
        "type": "weekly",
        "interval": interval,
        "daysOfWeek": list(days),
        "firstDayOfWeek": first,
    }


def at(text: str) -> dict[str, str]:
    return {"dateTime": f"{text}:00.0000000", "timeZone": "UTC"}


def master(
    start: str,
    end: str,
    *,
    pattern: dict[str, Any] = DAILY,
    begins: object = "",
    zone: object = BERLIN,
    count: int = 4,
    until: str = "",
    **more: Any,
) -> dict[str, Any]:
    span: dict[str, Any] = {"type": "numbered", "numberOfOccurrences": count}
    if until:
        span = {"type": "endDate", "endDate": until}
    span |= {"startDate": start[:10] if begins == "" else begins, "recurrenceTimeZone": zone}
    return {
        "id": "M",
        "type": "seriesMaster",
        "isAllDay": False,
        "isOrganizer": True,
        "subject": "Standup",
        "start": at(start),
        "end": at(end),
        "recurrence": {"pattern": pattern, "range": span},
        **more,
    }


def listed(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"id": start, "type": "occurrence", "start": at(start), "end": at(end), **more}


def changed(original: object, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"X {original}",
        "type": "exception",
        "originalStart": original,
        "start": at(start),
        "end": at(end),
        **more,
    }


def read(event: dict[str, Any], **how: Any) -> Seen | Gone | Unknown:
    return read_event(event, **{"titles": True, "room_zone": "Europe/Berlin", **how})


def occupancy(event: dict[str, Any], **how: Any) -> Occupancy:
    found = read(event, **how)
    assert isinstance(found, Seen), found
    return found.occupancy


def series(event: dict[str, Any], **how: Any) -> Recurrence:
    found = occupancy(event, **how).recurrence
    assert found is not None
    return found


def moved(slot: str, start: str, end: str, **more: Any) -> Override:
    when = datetime.fromisoformat
    return Override(
        recurrence_id=when(slot), start=when(start), end=when(end), **{"title": "Standup", **more}
    )


def days(*texts: str) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(text) for text in texts)


def reason(event: dict[str, Any], **how: Any) -> str:
    found = read(event, **how)
    assert isinstance(found, Unknown), found
    assert found.poison
    return found.reason


#: From a Friday, at 10 in Berlin.
PLAIN = master("2026-11-20T09:00", "2026-11-20T10:00")


# --- the zone in which it repeats -----------------------------------------------------------------


def without_zone(**more: Any) -> dict[str, Any]:
    return master("2026-11-20T09:00", "2026-11-20T10:00", zone=None, **more)


@pytest.mark.parametrize(
    ("event", "needed"),
    [
        (PLAIN, False),
        ({**PLAIN, "recurrence": None}, False),
        ({**PLAIN, "recurrence": "weekly"}, False),
        (master("2026-11-20T09:00", "2026-11-20T10:00", zone=CUSTOM), True),
        # Whole days are dates, in whatever zone.
        (master("2026-11-20T00:00", "2026-11-21T00:00", zone=CUSTOM, isAllDay=True), False),
        # The zone it repeats in decides, not the one it was made in; without it, that one.
        (
            master(
                "2026-11-20T09:00", "2026-11-20T10:00", zone=CUSTOM, originalStartTimeZone=BERLIN
            ),
            True,
        ),
        (without_zone(originalStartTimeZone=BERLIN), False),
        (without_zone(originalStartTimeZone=CUSTOM), True),
        (without_zone(originalStartTimeZone=5), True),
        (without_zone(), True),
        (
            master("2026-11-20T09:00", "2026-11-20T10:00", zone="", originalStartTimeZone=BERLIN),
            False,
        ),
        (
            master("2026-11-20T09:00", "2026-11-20T10:00", zone=5, originalStartTimeZone=BERLIN),
            False,
        ),
        (
            {
                **PLAIN,
                "recurrence": {"pattern": DAILY, "range": "ever"},
                "originalStartTimeZone": BERLIN,
            },
            False,
        ),
        # Berlin's clocks go from 2:00 to 3:00 at 01:00Z: an instant of the hour after it has two
        # names, be it the start or the end.
        (master("2027-03-28T01:00", "2027-03-28T04:00"), True),
        (master("2027-03-28T01:59", "2027-03-28T04:00"), True),
        (master("2027-03-28T00:00", "2027-03-28T01:30"), True),
        (master("2027-03-28T02:00", "2027-03-28T04:00"), False),
        (master("2027-03-28T00:00", "2027-03-28T00:59"), False),
        # What cannot be read is named when it is read.
        ({**PLAIN, "start": None}, False),
        ({**PLAIN, "end": at("2026-11-20T08:00")}, False),
    ],
)
def test_when_only_its_instances_tell(event: dict[str, Any], needed: bool) -> None:
    assert needs_instances(event) is needed


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (PLAIN, BERLIN),
        (master("2026-11-20T09:00", "2026-11-20T10:00", zone="Europe/Vienna"), BERLIN),
        (without_zone(originalStartTimeZone="Tokyo Standard Time"), "Tokyo Standard Time"),
        (without_zone(), None),
        (master("2026-11-20T09:00", "2026-11-20T10:00", zone=CUSTOM), None),
        # Graph has no name for the zone of a station on the ice.
        (master("2026-11-20T09:00", "2026-11-20T10:00", zone="Antarctica/Troll"), None),
        ({**PLAIN, "isAllDay": True}, None),
        ({**PLAIN, "recurrence": None}, None),
        ({**PLAIN, "recurrence": "weekly"}, None),
    ],
)
def test_the_zone_to_ask_graph_in(event: dict[str, Any], name: str | None) -> None:
    assert home_name(event) == name


# --- the first date -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "instances", "start", "end"),
    [
        # Other dates tell what the clocks would have shown on the first.
        pytest.param(
            master("2027-03-28T01:30", "2027-03-28T02:30"),
            [
                listed("2027-03-28T01:30", "2027-03-28T02:30"),
                listed("2027-03-29T00:30", "2027-03-29T02:30"),
            ],
            "2027-03-28T02:30",
            "2027-03-28T04:30",
            id="the start is skipped",
        ),
        pytest.param(
            master("2027-03-28T00:30", "2027-03-28T01:30"),
            [
                listed("2027-03-28T00:30", "2027-03-28T01:30"),
                listed("2027-03-28T23:30", "2027-03-29T00:30"),
            ],
            "2027-03-28T01:30",
            "2027-03-28T02:30",
            id="the end is skipped",
        ),
        pytest.param(
            master("2027-03-28T01:00", "2027-03-28T01:30"),
            [listed("2027-03-29T00:00", "2027-03-29T00:30")],
            "2027-03-28T02:00",
            "2027-03-28T02:30",
            id="both are skipped",
        ),
        pytest.param(
            master("2027-03-28T01:00", "2027-03-28T01:30"),
            [listed("2027-03-29T00:00", "2027-03-29T01:30")],
            "2027-03-28T02:00",
            "2027-03-28T03:30",
            id="both have two names, only the start is skipped",
        ),
        pytest.param(
            master("2027-03-28T01:00", "2027-03-28T01:30"),
            [listed("2027-03-29T01:00", "2027-03-29T01:30")],
            "2027-03-28T03:00",
            "2027-03-28T03:30",
            id="none is skipped",
        ),
        pytest.param(
            master("2027-03-28T01:00", "2027-03-28T01:30"),
            [
                changed("2027-03-29T01:00:00Z", "2027-03-29T00:00", "2027-03-29T00:30"),
                listed("2027-03-30T01:00", "2027-03-30T01:30"),
            ],
            "2027-03-28T03:00",
            "2027-03-28T03:30",
            id="a changed date tells nothing",
        ),
        # Without other dates, the date on which its range begins.
        pytest.param(
            master("2027-03-28T01:15", "2027-03-28T02:15", zone=NUUK, begins="2027-03-27"),
            None,
            "2027-03-27T23:15",
            "2027-03-28T01:15",
            id="it begins on the day before",
        ),
        pytest.param(
            master("2027-03-28T01:15", "2027-03-28T02:15", zone=NUUK, begins="2027-03-28"),
            [listed("2027-03-28T01:15", "2027-03-28T02:15")],
            "2027-03-28T00:15",
            "2027-03-28T01:15",
            id="it begins on the day that the clocks show",
        ),
        pytest.param(
            master("2027-03-28T01:15", "2027-03-28T02:15", zone=NUUK, begins="2027-04-01"),
            None,
            "2027-03-28T00:15",
            "2027-03-28T01:15",
            id="neither: by the clocks",
        ),
        pytest.param(
            master("2027-03-28T01:15", "2027-03-28T02:15", zone=NUUK, begins=None),
            None,
            "2027-03-28T00:15",
            "2027-03-28T01:15",
            id="no date: by the clocks",
        ),
        # In the hour that comes twice an end may read as earlier than its start.
        pytest.param(
            master("2026-10-25T00:45", "2026-10-25T01:15"),
            None,
            "2026-10-25T02:45",
            "2026-10-25T03:15",
            id="over the change in autumn",
        ),
        pytest.param(
            master("2026-10-25T00:15", "2026-10-25T01:15"),
            None,
            "2026-10-25T02:15",
            "2026-10-25T03:15",
            id="an hour over the change in autumn",
        ),
    ],
)
def test_the_first_date_by_the_clock_at_which_it_repeats(
    event: dict[str, Any], instances: Any, start: str, end: str
) -> None:
    occ = occupancy({**event, "cancelledOccurrences": []}, instances=instances)
    assert (occ.start, occ.end) == days(start, end)


def test_an_all_day_series_begins_on_its_date_whatever_the_clocks_skip() -> None:
    """Midnight is the hour after the gap in Nuuk, and has another name on the day before."""
    event = master(
        "2027-03-28T00:00", "2027-03-29T00:00", zone=NUUK, begins="2027-03-27", isAllDay=True
    )
    occ = occupancy(event, room_zone="America/Nuuk")
    assert (occ.start, occ.end, occ.zone, occ.all_day) == (
        datetime(2027, 3, 28),
        datetime(2027, 3, 29),
        None,
        True,
    )


def test_instances_are_read_only_where_they_are_needed() -> None:
    junk = [{"id": "J", "type": "occurrence", "start": None}]
    assert occupancy({**PLAIN, "cancelledOccurrences": []}, instances=junk) == occupancy(PLAIN)


# --- rules of a custom zone -----------------------------------------------------------------------


def custom(start: str, begins: object, **more: Any) -> dict[str, Any]:
    end = datetime.fromisoformat(start) + timedelta(hours=1)
    return master(start, f"{end:%Y-%m-%dT%H:%M}", zone=CUSTOM, begins=begins, **more)


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        # Friday there is Friday here.
        (
            custom("2026-11-20T09:00", "2026-11-20", pattern=weekly("friday")),
            Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR),), count=4),
        ),
        (
            custom("2026-11-20T09:00", "2026-11-20", pattern=MONTHLY),
            Rule(frequency=Frequency.MONTHLY, by_month_day=(20,), count=4),
        ),
        # Thursday evening there is Friday here; the last date moves along.
        (
            custom(
                "2026-11-20T09:00", "2026-11-19", pattern=weekly("thursday"), until="2026-12-10"
            ),
            Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR),), until=date(2026, 12, 11)),
        ),
        (
            custom("2026-11-20T09:00", "2026-11-21", pattern=weekly("saturday", "monday")),
            Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR), Nth(Weekday.SU)), count=4),
        ),
        # Sunday becomes Monday.
        (
            custom("2026-11-23T09:00", "2026-11-22", pattern=weekly("sunday")),
            Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.MO),), count=4),
        ),
        (
            custom("2026-11-20T09:00", "2026-11-19", until="2026-11-30"),
            Rule(frequency=Frequency.DAILY, until=date(2026, 12, 1)),
        ),
        # Weeks there begin on Sunday: of the days here, Tuesday and Monday, that is Monday.
        (
            custom(
                "2026-11-24T09:00",
                "2026-11-23",
                pattern=weekly("monday", "sunday", interval=2, first="sunday"),
            ),
            Rule(
                frequency=Frequency.WEEKLY,
                interval=2,
                by_day=(Nth(Weekday.MO), Nth(Weekday.TU)),
                count=4,
            ),
        ),
        (
            custom(
                "2026-11-24T09:00",
                "2026-11-23",
                pattern=weekly("monday", "sunday", interval=2, first="monday"),
            ),
            Rule(
                frequency=Frequency.WEEKLY,
                interval=2,
                by_day=(Nth(Weekday.MO), Nth(Weekday.TU)),
                week_start=Weekday.TU,
                count=4,
            ),
        ),
        # Without a date there it is taken to be the same.
        (custom("2026-11-20T09:00", None), Rule(frequency=Frequency.DAILY, count=4)),
        (custom("2026-11-20T09:00", 20261120), Rule(frequency=Frequency.DAILY, count=4)),
    ],
)
def test_the_rule_of_a_custom_zone_in_that_of_the_room(event: dict[str, Any], rule: Rule) -> None:
    assert series(event).rule == rule
    assert occupancy(event).start == datetime.fromisoformat(event["start"]["dateTime"]) + timedelta(
        hours=1
    )


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (
            custom("2026-11-20T09:00", "2026-11-18"),
            "its recurrence.range.startDate cannot be understood ('2026-11-18')",
        ),
        (
            custom("2026-11-20T09:00", "2026-11-22"),
            "its recurrence.range.startDate cannot be understood ('2026-11-22')",
        ),
        (
            custom("2026-11-20T09:00", "soon"),
            "its recurrence.range.startDate cannot be understood ('soon')",
        ),
        (
            custom("2026-11-20T09:00", "2026-11-19", pattern={**DAILY, "type": "hourly"}),
            "pattern.type is 'hourly', which is not known",
        ),
        # The 19th there is not always the 20th here.
        (
            custom("2026-11-20T09:00", "2026-11-19", pattern={**MONTHLY, "dayOfMonth": 19}),
            "its recurrence, in a time zone of its own, cannot be understood "
            "({'type': 'absoluteMonthly', 'interval': 1, 'dayOfMonth': 19})",
        ),
        (
            {**PLAIN, "recurrence": {"pattern": DAILY, "range": "ever"}},
            "range is 'ever', which is not known",
        ),
        (
            {
                **master("2027-03-28T01:30", "2027-03-28T02:30"),
                "originalStartTimeZone": BERLIN,
                "recurrence": {"pattern": DAILY, "range": None},
            },
            "range is 'None', which is not known",
        ),
        ({**PLAIN, "recurrence": ["weekly"]}, "its recurrence cannot be understood (['weekly'])"),
    ],
)
def test_a_rule_that_cannot_be_carried(event: dict[str, Any], what: str) -> None:
    assert reason(event) == f"an event cannot be carried: {what}"


def test_under_a_custom_zone_a_gap_of_the_room_says_nothing() -> None:
    """The clocks there may not have changed at all: each date is where it is listed."""
    event = master("2027-03-28T01:30", "2027-03-28T02:30", zone=CUSTOM, count=2)
    instances = [
        listed("2027-03-28T01:30", "2027-03-28T02:30"),
        listed("2027-03-29T00:30", "2027-03-29T01:30"),
    ]
    occ = occupancy(event, instances=instances)
    assert (occ.start, occ.end) == days("2027-03-28T03:30", "2027-03-28T04:30")
    assert occ.recurrence is not None
    assert occ.recurrence.overrides == (
        moved("2027-03-29T03:30", "2027-03-29T02:30", "2027-03-29T03:30"),
    )


def test_the_dates_of_a_custom_zone_where_they_are_listed() -> None:
    event = custom("2026-11-20T09:00", "2026-11-20", showAs="tentative")
    instances = [
        listed("2026-11-20T09:00", "2026-11-20T10:00"),
        listed("2026-11-21T10:00", "2026-11-21T11:00"),
        listed("2026-11-22T09:00", "2026-11-22T11:00"),
        # A changed date is read with all it changes, by its own originalStart.
        changed("2026-11-23T09:00:00Z", "2026-11-23T12:00", "2026-11-23T13:00", showAs="busy"),
    ]
    assert series(event, instances=instances) == Recurrence(
        rule=Rule(frequency=Frequency.DAILY, count=4),
        overrides=(
            moved("2026-11-21T10:00", "2026-11-21T11:00", "2026-11-21T12:00", busy=Busy.TENTATIVE),
            moved("2026-11-22T10:00", "2026-11-22T10:00", "2026-11-22T12:00", busy=Busy.TENTATIVE),
            moved("2026-11-23T10:00", "2026-11-23T13:00", "2026-11-23T14:00"),
        ),
    )


def test_under_a_custom_zone_a_moved_date_fills_only_its_own() -> None:
    event = custom("2026-11-20T09:00", "2026-11-20")
    instances = [
        listed("2026-11-20T09:00", "2026-11-20T10:00"),
        listed("2026-11-21T09:00", "2026-11-21T10:00"),
        changed("2026-11-23T09:00:00Z", "2026-11-22T12:00", "2026-11-22T13:00"),
    ]
    assert series(event, instances=instances) == Recurrence(
        rule=Rule(frequency=Frequency.DAILY, count=4),
        excluded=days("2026-11-22T10:00"),
        overrides=(moved("2026-11-23T10:00", "2026-11-22T13:00", "2026-11-22T14:00"),),
    )


def test_under_a_custom_zone_a_cancelled_or_changed_date_stays_as_it_is_told() -> None:
    """A cancelled date goes by the day named there, whatever stands in the list of instances."""
    event = custom("2026-11-20T09:00", "2026-11-19")
    instances = [
        listed("2026-11-21T10:00", "2026-11-21T11:00"),
        listed("2026-11-22T10:00", "2026-11-22T11:00"),
    ]
    exception = changed("2026-11-22T09:00:00Z", "2026-11-22T15:00", "2026-11-22T16:00")
    assert series(
        event, instances=instances, exceptions=[exception], cancelled=["OID.M.2026-11-20"]
    ) == Recurrence(
        rule=Rule(frequency=Frequency.DAILY, count=4),
        excluded=days("2026-11-21T10:00"),
        overrides=(moved("2026-11-22T10:00", "2026-11-22T16:00", "2026-11-22T17:00"),),
    )


def test_a_known_zone_goes_by_our_table_of_it() -> None:
    """A date that the server lists an hour off is no change of that date."""
    instances = [
        listed("2026-11-20T09:00", "2026-11-20T10:00"),
        listed("2026-11-21T10:00", "2026-11-21T11:00"),
        listed("2026-11-22T08:00", "2026-11-22T09:00"),
        listed("2026-11-23T09:00", "2026-11-23T10:00"),
    ]
    assert occupancy(PLAIN, instances=instances) == occupancy(PLAIN)


def test_whole_days_of_a_custom_zone_are_dates() -> None:
    event = master("2026-11-20T00:00", "2026-11-21T00:00", zone=CUSTOM, isAllDay=True, count=2)
    instances = [
        listed("2026-11-20T00:00", "2026-11-21T00:00"),
        listed("2026-11-21T00:00", "2026-11-22T00:00"),
    ]
    assert occupancy(event, instances=instances, room_zone="America/New_York") == occupancy(event)


# --- exceptions -----------------------------------------------------------------------------------


def test_an_exception_with_all_that_it_may_change() -> None:
    event = {**PLAIN, "showAs": "oof"}
    exceptions = [
        changed(
            "2026-11-21T09:00:00Z",
            "2026-11-21T09:00",
            "2026-11-21T10:00",
            showAs="free",
            subject="Other",
        ),
        changed(
            "2026-11-22T09:00:00Z",
            "2026-11-22T09:00",
            "2026-11-22T10:00",
            sensitivity="private",
        ),
        changed("2026-11-23T09:00:00Z", "2026-11-23T00:00", "2026-11-24T00:00", isAllDay=True),
    ]
    assert series(event, exceptions=exceptions).overrides == (
        moved(
            "2026-11-21T10:00",
            "2026-11-21T10:00",
            "2026-11-21T11:00",
            busy=Busy.FREE,
            title="Other",
        ),
        moved(
            "2026-11-22T10:00",
            "2026-11-22T10:00",
            "2026-11-22T11:00",
            busy=Busy.OOF,
            title=None,
            private=True,
        ),
        moved("2026-11-23T10:00", "2026-11-23", "2026-11-24", busy=Busy.OOF, all_day=True),
    )


def test_an_exception_of_whole_days_is_one_of_whole_days() -> None:
    event = master("2026-11-20T00:00", "2026-11-21T00:00", isAllDay=True)
    longer = changed("2026-11-20T23:00:00Z", "2026-11-21T00:00", "2026-11-23T00:00")
    timed = changed("2026-11-21T23:00:00Z", "2026-11-22T09:00", "2026-11-22T10:00", isAllDay=False)
    assert series(event, exceptions=[longer, timed]).overrides == (
        moved("2026-11-21", "2026-11-21", "2026-11-23", all_day=True),
        moved("2026-11-22", "2026-11-22T10:00", "2026-11-22T11:00"),
    )


def test_exceptions_are_told_in_three_places_and_the_first_word_counts() -> None:
    first = changed("2026-11-21T09:00:00Z", "2026-11-21T11:00", "2026-11-21T12:00")
    again = changed("2026-11-21T09:00:00Z", "2026-11-21T17:00", "2026-11-21T18:00")
    other = changed("2026-11-22T09:00:00Z", "2026-11-22T11:00", "2026-11-22T12:00")
    gone = changed("2026-11-23T09:00:00Z", "2026-11-23T11:00", "2026-11-23T12:00")
    carrying = {
        **PLAIN,
        "exceptionOccurrences": [None, 5, again, other],
        "cancelledOccurrences": ["OID.M.2026-11-23T00:00:00"],
    }
    wanted = Recurrence(
        rule=Rule(frequency=Frequency.DAILY, count=4),
        excluded=days("2026-11-23T10:00"),
        overrides=(
            moved("2026-11-21T10:00", "2026-11-21T12:00", "2026-11-21T13:00"),
            moved("2026-11-22T10:00", "2026-11-22T12:00", "2026-11-22T13:00"),
        ),
    )
    # A date that was cancelled stays so, whatever exception of it is still told.
    assert series(carrying, exceptions=[first, gone]) == wanted
    assert (
        series(
            PLAIN, instances=[first, again, other], exceptions=[gone], cancelled=["M.2026-11-23"]
        )
        == wanted
    )
    assert series({**PLAIN, "exceptionOccurrences": "x", "cancelledOccurrences": "x"}) == series(
        PLAIN
    )


@pytest.mark.parametrize("owned", [True, False])
def test_a_declined_date_is_none_of_the_room_unless_it_is_its_own(owned: bool) -> None:
    answer = {"responseStatus": {"response": "declined"}}
    date_ = changed("2026-11-21T09:00:00Z", "2026-11-21T11:00", "2026-11-21T12:00", **answer)
    found = series({**PLAIN, "isOrganizer": owned}, exceptions=[date_])
    override = moved("2026-11-21T10:00", "2026-11-21T12:00", "2026-11-21T13:00")
    assert (found.excluded, found.overrides) == (
        ((), (override,)) if owned else (days("2026-11-21T10:00"), ())
    )


@pytest.mark.parametrize(
    ("entry", "shown"),
    [("OID.M.soon", "'OID.M.soon'"), ("", "''"), ("OID.2026-13-01", "'OID.2026-13-01'")],
)
def test_a_cancelled_date_that_is_none_is_named(entry: str, shown: str) -> None:
    said = "an event cannot be carried: its cancelledOccurrences cannot be understood"
    assert reason(PLAIN, cancelled=[entry]) == f"{said} ({shown})"


def test_a_cancelled_date_that_is_no_text_is_named() -> None:
    said = "an event cannot be carried: its cancelledOccurrences cannot be understood"
    assert reason(PLAIN, cancelled=[None]) == f"{said} (None)"
    assert reason({**PLAIN, "cancelledOccurrences": [None]}) == f"{said} ('None')"


def test_an_exception_without_its_original_start_is_named() -> None:
    said = "an event cannot be carried: its exception's originalStart cannot be understood (None)"
    assert reason(PLAIN, exceptions=[changed(None, "2026-11-21T11:00", "2026-11-21T12:00")]) == said


@pytest.mark.parametrize(
    ("event", "original", "slot"),
    [
        (PLAIN, "2026-11-21T09:00:00Z", "2026-11-21T10:00"),
        # 23:30 on the day on which Nuuk's clocks go from 23:00 to 0:00 is 0:30 on the next.
        (
            master("2027-03-27T01:30", "2027-03-27T02:30", zone=NUUK),
            "2027-03-28T01:30:00Z",
            "2027-03-27T23:30",
        ),
        # The server's table of the zone may be an hour off ours, also over a midnight.
        (PLAIN, "2026-11-21T10:00:00Z", "2026-11-21T10:00"),
        (PLAIN, "2026-11-21T08:00:00Z", "2026-11-21T10:00"),
        (
            master("2026-11-19T23:30", "2026-11-20T00:30"),
            "2026-11-20T22:30:00Z",
            "2026-11-21T00:30",
        ),
        (
            master("2026-11-20T22:30", "2026-11-20T23:30"),
            "2026-11-21T23:30:00Z",
            "2026-11-21T23:30",
        ),
        # Only a date that the rule gives, though another would be nearer.
        (
            master("2026-11-20T22:00", "2026-11-20T23:00", pattern=weekly("friday")),
            "2026-11-27T09:00:00Z",
            "2026-11-27T23:00",
        ),
        # Of a date that the rule does not give, the nearest.
        (
            master("2026-11-20T09:00", "2026-11-20T10:00", pattern=weekly("friday")),
            "2026-11-24T11:00:00Z",
            "2026-11-24T10:00",
        ),
    ],
)
def test_the_date_that_an_exception_is_of(event: dict[str, Any], original: str, slot: str) -> None:
    exception = changed(original, "2026-12-24T14:00", "2026-12-24T15:00")
    nuuk = event["recurrence"]["range"]["recurrenceTimeZone"] == NUUK
    start, end = ("12:00", "13:00") if nuuk else ("15:00", "16:00")
    assert series(event, exceptions=[exception]).overrides == (
        moved(slot, f"2026-12-24T{start}", f"2026-12-24T{end}"),
    )


@pytest.mark.parametrize(
    ("zone", "original"),
    [
        (BERLIN, "2026-11-20T23:00:00Z"),
        # The midnight of its own zone comes before that of the room.
        ("Tokyo Standard Time", "2026-11-20T15:00:00Z"),
        # Where its zone is said to be UTC, the midnight of the mailbox.
        ("UTC", "2026-11-20T23:00:00Z"),
        ("UTC", "2026-11-21T00:00:00Z"),
        # No midnight at all: its date.
        (BERLIN, "2026-11-21T00:00:00Z"),
        (BERLIN, "2026-11-21T05:00:00Z"),
    ],
)
def test_the_day_that_an_exception_of_whole_days_is_of(zone: str, original: str) -> None:
    event = master("2026-11-20T00:00", "2026-11-21T00:00", zone=zone, isAllDay=True)
    exception = changed(original, "2026-12-24T00:00", "2026-12-25T00:00")
    assert series(event, exceptions=[exception]).overrides == (
        moved("2026-11-21", "2026-12-24", "2026-12-25", all_day=True),
    )


# --- removed dates --------------------------------------------------------------------------------


def window(start: str, end: str) -> Interval:
    return Interval(
        datetime.fromisoformat(start).replace(tzinfo=UTC),
        datetime.fromisoformat(end).replace(tzinfo=UTC),
    )


def held(*texts: str) -> list[dict[str, Any]]:
    return [listed(f"{text}T09:00", f"{text}T10:00") for text in texts]


#: The dates of PLAIN.
ALL = ("2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23")


@pytest.mark.parametrize(
    ("instances", "span", "gone"),
    [
        # Without the window that was listed: only what lies between two dates.
        (held(ALL[0], ALL[3]), None, ALL[1:3]),
        (held(ALL[1], ALL[2]), None, ()),
        (held(ALL[2]), None, ()),
        ([], None, ()),
        # With it: all that would touch it, to the minute.
        (held(ALL[1]), window("2026-11-01", "2026-12-01"), (ALL[0], *ALL[2:])),
        (held(ALL[1]), window("2026-11-20T10:00", "2026-11-22T09:00"), ()),
        (held(ALL[1]), window("2026-11-20T09:59", "2026-11-22T09:00"), (ALL[0],)),
        (held(ALL[1]), window("2026-11-20T10:00", "2026-11-22T09:01"), (ALL[2],)),
        # A listed date fills the one it is of, wherever it takes place now.
        (
            [
                *held(ALL[0]),
                listed(
                    "2026-11-23T15:00", "2026-11-23T16:00", originalStart="2026-11-22T09:00:00Z"
                ),
            ],
            None,
            (ALL[1],),
        ),
        # Of no date that is told, the nearest.
        ([*held(ALL[0]), listed("2026-11-22T11:00", "2026-11-22T12:00")], None, (ALL[1],)),
        ([*held(ALL[0]), listed("2026-11-22T07:00", "2026-11-22T08:00")], None, (ALL[1],)),
    ],
)
def test_dates_that_no_instance_fills_were_removed(
    instances: list[dict[str, Any]], span: Interval | None, gone: tuple[str, ...]
) -> None:
    found = series(PLAIN, instances=instances, span=span)
    assert (found.excluded, found.overrides) == (days(*(f"{day}T10:00" for day in gone)), ())


def test_a_changed_date_is_there_though_it_is_not_listed() -> None:
    exception = changed("2026-11-22T09:00:00Z", "2026-11-22T15:00", "2026-11-22T16:00")
    found = series(PLAIN, instances=held(ALL[0]), exceptions=[exception])
    assert found.excluded == days("2026-11-21T10:00")


def test_where_cancelled_dates_are_told_the_list_of_instances_says_nothing() -> None:
    span = window("2026-11-01", "2026-12-01")
    found = series(PLAIN, instances=held(ALL[0]), span=span, cancelled=["OID.M.2026-11-22"])
    assert found.excluded == days("2026-11-22T10:00")


def test_a_series_of_which_nothing_is_left_is_gone() -> None:
    span = window("2026-11-01", "2026-12-01")
    assert read(PLAIN, instances=[], span=span) == Gone(key="M", absence=Absence.CANCELLED, mark=0)


def test_removed_whole_days() -> None:
    event = master("2026-11-20T00:00", "2026-11-21T00:00", isAllDay=True)
    instances = [
        listed("2026-11-20T00:00", "2026-11-21T00:00"),
        listed("2026-11-22T00:00", "2026-11-23T00:00"),
    ]
    found = series(event, instances=instances, room_zone="America/New_York")
    assert found.excluded == days("2026-11-21")
