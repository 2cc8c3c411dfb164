"""Single cases of reading Graph events and of what is written to Graph."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from calsync.errors import UnsayableRecurrence
from calsync.mapping.event import (
    bare,
    event_body,
    master_etag,
    read_event,
    series_change,
    single_patch,
)
from calsync.mapping.expand import instances
from calsync.model import (
    NOBODY,
    Absence,
    Busy,
    Frequency,
    Gone,
    Interval,
    Nth,
    Occupancy,
    Override,
    Person,
    Recurrence,
    Rule,
    Seen,
    Unknown,
    Weekday,
)

EVENT: dict[str, Any] = {
    "@odata.etag": 'W/"abc"',
    "id": "A",
    "createdDateTime": "2026-11-01T08:00:00.1234567Z",
    "lastModifiedDateTime": "2026-11-02T08:00:00.7654321Z",
    "iCalUId": "0400",
    "subject": "Standup",
    "sensitivity": "normal",
    "isAllDay": False,
    "isCancelled": False,
    "isOrganizer": False,
    "showAs": "busy",
    "type": "singleInstance",
    "seriesMasterId": None,
    "responseStatus": {"response": "accepted", "time": "0001-01-01T00:00:00Z"},
    "start": {"dateTime": "2026-11-20T09:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-11-20T10:00:00.0000000", "timeZone": "UTC"},
    "recurrence": None,
    "organizer": {"emailAddress": {"name": "Ann Bee", "address": "ann@firm.example"}},
}
WEEKLY: dict[str, Any] = {
    "pattern": {
        "type": "weekly",
        "interval": 1,
        "month": 0,
        "dayOfMonth": 0,
        "daysOfWeek": ["friday"],
        "firstDayOfWeek": "sunday",
        "index": "first",
    },
    "range": {
        "type": "numbered",
        "startDate": "2026-11-20",
        "endDate": "0001-01-01",
        "recurrenceTimeZone": "W. Europe Standard Time",
        "numberOfOccurrences": 4,
    },
}
MASTER = {**EVENT, "type": "seriesMaster", "recurrence": WEEKLY}


def at(text: str) -> dict[str, str]:
    return {"dateTime": f"{text}:00.0000000", "timeZone": "UTC"}


def seen(event: dict[str, Any], **how: Any) -> Seen:
    found = read_event(event, **{"titles": True, "room_zone": "Europe/Berlin", **how})
    assert isinstance(found, Seen), found
    return found


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


# --- singles ------------------------------------------------------------------------------------


def test_a_single() -> None:
    found = seen({**EVENT, "transactionId": "cs1-link7"})
    assert found.occupancy == Occupancy(
        start=datetime(2026, 11, 20, 9),
        end=datetime(2026, 11, 20, 10),
        zone="UTC",
        title="Standup",
    )
    assert found.version == 'W/"abc"'
    # Seven digits exactly: a datetime would lose the last one.
    seconds = int(datetime(2026, 11, 2, 8, tzinfo=UTC).timestamp())
    assert found.mark == seconds * 10_000_000 + 7_654_321
    assert found.created == datetime(2026, 11, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert (found.owned, found.tag, found.uid) == (False, "link7", "0400")
    assert found.person == Person("Ann Bee", "ann@firm.example")


def test_an_event_of_the_room_names_nobody_and_foreign_tags_are_none() -> None:
    found = seen({**EVENT, "isOrganizer": True, "transactionId": "other-1"})
    assert (found.owned, found.person, found.tag) == (True, NOBODY, None)


def test_titles_are_left_behind_where_not_wanted_or_private() -> None:
    assert seen(EVENT, titles=False).occupancy.title is None
    for word in ("private", "confidential", "personal"):
        occ = seen({**EVENT, "sensitivity": word}).occupancy
        assert (occ.title, occ.private) == (None, True)
    assert seen(EVENT, subject_fallback="Standup").occupancy.title is None


@pytest.mark.parametrize(
    ("changes", "busy"),
    [
        ({"showAs": "free"}, Busy.FREE),
        ({"showAs": "oof"}, Busy.OOF),
        ({"showAs": "workingElsewhere"}, Busy.ELSEWHERE),
        ({"showAs": "unknown"}, Busy.BUSY),
        ({"showAs": "somethingNew"}, Busy.BUSY),
        ({"showAs": None}, Busy.BUSY),
        ({"showAs": 7}, Busy.BUSY),
        ({"responseStatus": {"response": "notResponded"}}, Busy.TENTATIVE),
        ({"responseStatus": {"response": "none"}}, Busy.TENTATIVE),
        ({"responseStatus": {"response": "tentativelyAccepted"}}, Busy.TENTATIVE),
        ({"responseStatus": {"response": "none"}, "showAs": "free"}, Busy.FREE),
        ({"responseStatus": {"response": "none"}, "isOrganizer": True}, Busy.BUSY),
        ({"responseStatus": None}, Busy.BUSY),
    ],
)
def test_how_it_blocks(changes: dict[str, Any], busy: Busy) -> None:
    assert seen({**EVENT, **changes}).occupancy.busy is busy


def test_all_day_is_the_date_part_and_never_converted() -> None:
    days = {
        **EVENT,
        "isAllDay": True,
        "start": {"dateTime": "2026-11-20T00:00:00.0000000", "timeZone": "Tokyo Standard Time"},
        "end": {"dateTime": "2026-11-22T00:00:00.0000000", "timeZone": "Tokyo Standard Time"},
    }
    occ = seen(days).occupancy
    assert (occ.start, occ.end) == (datetime(2026, 11, 20), datetime(2026, 11, 22))
    assert (occ.zone, occ.all_day) == (None, True)
    late = {**days, "end": {"dateTime": "2026-11-21T23:59:59.0000000", "timeZone": "UTC"}}
    assert seen(late).occupancy == occ


@pytest.mark.parametrize(
    ("made_in", "start", "end"),
    [
        ("Tokyo Standard Time", "2026-11-19T15:00:00.0000000", "2026-11-21T15:00:00.0000000"),
        ("Eastern Standard Time", "2026-11-20T05:00:00.0000000", "2026-11-22T05:00:00.0000000"),
        # Of a custom zone nothing is known; the room's own midnights are.
        ("tzone://Microsoft/Custom", "2026-11-19T23:00:00.0000000", "2026-11-21T23:00:00.0000000"),
        ("tzone://Microsoft/Custom", "2026-11-20T07:00:00.0000000", "2026-11-21T23:59:59.0000000"),
    ],
)
def test_all_day_as_instants_of_its_midnights(made_in: str, start: str, end: str) -> None:
    """No document says whether an all-day event reads under UTC as dates or as instants."""
    days = {
        **EVENT,
        "isAllDay": True,
        "originalStartTimeZone": made_in,
        "start": {"dateTime": start, "timeZone": "UTC"},
        "end": {"dateTime": end, "timeZone": "UTC"},
    }
    occ = seen(days).occupancy
    assert (occ.start, occ.end) == (datetime(2026, 11, 20), datetime(2026, 11, 22))


def test_an_end_one_second_early_stays_as_it_is() -> None:
    odd = {**EVENT, "end": {"dateTime": "2026-11-20T23:59:59.0000000", "timeZone": "UTC"}}
    assert seen(odd).occupancy.end == datetime(2026, 11, 20, 23, 59, 59)


def test_another_zone_is_converted() -> None:
    home = {"dateTime": "2026-11-20T10:00:00.0000000", "timeZone": "W. Europe Standard Time"}
    assert seen({**EVENT, "start": home}).occupancy.start == datetime(2026, 11, 20, 9)


@pytest.mark.parametrize("digits", ["", ".1", ".1234567", ".123456789"])
def test_fractions_of_any_length(digits: str) -> None:
    start = {"dateTime": f"2026-11-20T09:00:00{digits}", "timeZone": "UTC"}
    micro = int(digits[1:7].ljust(6, "0"))
    assert seen({**EVENT, "start": start}).occupancy.start.microsecond == micro


def test_gone() -> None:
    cancelled = read_event({**EVENT, "isCancelled": True}, titles=True, room_zone="UTC")
    assert isinstance(cancelled, Gone)
    assert (cancelled.absence, cancelled.mark) == (Absence.CANCELLED, seen(EVENT).mark)
    declined = {**EVENT, "responseStatus": {"response": "declined"}}
    refused = read_event(declined, titles=True, room_zone="UTC")
    assert isinstance(refused, Gone)
    assert refused.absence is Absence.DECLINED


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (without(EVENT, "start"), "start"),
        ({**EVENT, "start": None}, "start"),
        ({**EVENT, "start": {"dateTime": 5, "timeZone": "UTC"}}, "start.dateTime"),
        ({**EVENT, "start": {"dateTime": "soon", "timeZone": "UTC"}}, "start.dateTime"),
        ({**EVENT, "end": {"dateTime": "2026-13-40T00:00:00", "timeZone": "UTC"}}, "end.dateTime"),
        ({**EVENT, "start": {"dateTime": "2026-11-20T09:00:00", "timeZone": "Mars"}}, "timeZone"),
        ({**EVENT, "end": at("2026-11-20T08:00")}, "before its start"),
        ({**EVENT, "end": at("2032-11-20T08:00")}, "5 years"),
        ({**EVENT, "start": at("0001-01-01T00:00")}, "5 years"),
        ({**EVENT, "lastModifiedDateTime": "yesterday"}, "lastModifiedDateTime"),
        ({**MASTER, "recurrence": None}, "recurrence"),
        ({**MASTER, "recurrence": {**WEEKLY, "pattern": {"type": "hourly"}}}, "pattern.type"),
        ({**MASTER, "cancelledOccurrences": ["OID.A.soon"]}, "cancelledOccurrences"),
        ({**MASTER, "exceptionOccurrences": [without(EVENT)]}, "originalStart"),
    ],
)
def test_poison_names_the_member(event: dict[str, Any], word: str) -> None:
    found = read_event(event, titles=True, room_zone="Europe/Berlin")
    assert isinstance(found, Unknown)
    assert found.poison
    assert word in found.reason
    assert found.key == "A"


def test_a_part_of_a_series_and_a_removal_are_no_poison() -> None:
    for event in (
        {**EVENT, "type": "occurrence", "seriesMasterId": "M"},
        {**EVENT, "type": "exception", "seriesMasterId": "M"},
        {"id": "A", "seriesMasterId": "M", "recurrence": WEEKLY},
        {"id": "A", "@removed": {"reason": "deleted"}},
    ):
        found = read_event(event, titles=True, room_zone="UTC")
        assert isinstance(found, Unknown)
        assert not found.poison


def test_without_isorganizer_it_is_not_ours_unless_the_answer_says_so() -> None:
    assert not seen(without(EVENT, "isOrganizer")).owned
    mine = {**without(EVENT, "isOrganizer"), "responseStatus": {"response": "organizer"}}
    assert seen(mine).owned


# --- series -------------------------------------------------------------------------------------

EXCEPTION = {
    **EVENT,
    "@odata.etag": 'W/"x"',
    "id": "X",
    "type": "exception",
    "originalStart": "2026-12-04T09:00:00Z",
    "start": at("2026-12-03T11:00"),
    "end": at("2026-12-03T12:00"),
    "lastModifiedDateTime": "2026-11-03T08:00:00Z",
}


def test_a_series_is_kept_in_its_home_zone() -> None:
    occ = seen(MASTER, room_zone="America/New_York").occupancy
    assert (occ.start, occ.zone) == (datetime(2026, 11, 20, 10), "Europe/Berlin")
    assert occ.recurrence is not None
    assert occ.recurrence.rule == Rule(
        frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR),), count=4
    )


def test_exceptions_and_cancelled_occurrences() -> None:
    found = seen(MASTER, exceptions=[EXCEPTION], cancelled=["OID.A.B.C.2026-11-27"])
    series = found.occupancy.recurrence
    assert series is not None
    assert series.excluded == (datetime(2026, 11, 27, 10),)
    assert series.overrides == (
        Override(
            recurrence_id=datetime(2026, 12, 4, 10),
            start=datetime(2026, 12, 3, 12),
            end=datetime(2026, 12, 3, 13),
            title="Standup",
        ),
    )
    assert found.modified == datetime(2026, 11, 3, 8, tzinfo=UTC)
    carried = {
        **MASTER,
        "exceptionOccurrences": [EXCEPTION],
        "cancelledOccurrences": ["OID.A.B.C.2026-11-27"],
    }
    assert seen(carried).occupancy == found.occupancy
    assert seen(carried).version == found.version


def test_the_version_of_a_series_changes_with_its_parts() -> None:
    versions = {
        seen(MASTER).version,
        seen(MASTER, exceptions=[EXCEPTION]).version,
        seen(MASTER, exceptions=[{**EXCEPTION, "@odata.etag": 'W/"y"'}]).version,
        seen(MASTER, cancelled=["OID.A.2026-11-27"]).version,
    }
    assert len(versions) == 4
    assert {master_etag(version) for version in versions} == {'W/"abc"'}
    assert master_etag(seen(EVENT).version) == 'W/"abc"'


def test_a_series_is_as_old_as_its_master_says() -> None:
    """Its dates may be read later than it, of a copy of the mailbox that knows more (seed 4883)."""
    found = seen(MASTER, exceptions=[EXCEPTION])
    assert found.mark == seen(MASTER).mark < seen(without(EXCEPTION, "type")).mark
    assert found.modified == datetime(2026, 11, 3, 8, tzinfo=UTC)


def test_an_exception_that_changes_nothing_is_none() -> None:
    same = {**EXCEPTION, "start": at("2026-12-04T09:00"), "end": at("2026-12-04T10:00")}
    assert seen(MASTER, exceptions=[same]).occupancy == seen(MASTER).occupancy


def test_an_exception_cancelled_or_declined_is_an_exclusion() -> None:
    for change in ({"isCancelled": True}, {"responseStatus": {"response": "declined"}}):
        series = seen(MASTER, exceptions=[{**EXCEPTION, **change}]).occupancy.recurrence
        assert series is not None
        assert (series.excluded, series.overrides) == ((datetime(2026, 12, 4, 10),), ())


def test_a_slim_exception_looks_like_its_master() -> None:
    slim = {k: EXCEPTION[k] for k in ("id", "type", "originalStart", "start", "end")}
    busy = {**MASTER, "showAs": "oof"}
    series = seen(busy, exceptions=[slim]).occupancy.recurrence
    assert series is not None
    assert (series.overrides[0].busy, series.overrides[0].title) == (Busy.OOF, "Standup")


def occurrence(day: str, hour: int = 9) -> dict[str, Any]:
    return {
        "id": f"A-{day}",
        "type": "occurrence",
        "start": at(f"{day}T{hour:02}:00"),
        "end": at(f"{day}T{hour + 1:02}:00"),
    }


def test_where_no_list_of_cancelled_exists_the_instances_tell() -> None:
    listed = [occurrence("2026-11-20"), occurrence("2026-12-11")]
    series = seen(MASTER, instances=listed, exceptions=[EXCEPTION]).occupancy.recurrence
    assert series is not None
    assert series.excluded == (datetime(2026, 11, 27, 10),)
    # The whole span was listed: what is missing at its ends is missing, too.
    span = Interval(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    series = seen(MASTER, instances=listed[:1], span=span).occupancy.recurrence
    assert series is not None
    assert series.excluded == tuple(
        datetime(2026, 11, 27, 10) + timedelta(weeks=n) for n in range(3)
    )
    known = {**MASTER, "cancelledOccurrences": []}
    series = seen(known, instances=listed[:1], span=span).occupancy.recurrence
    assert series is not None
    assert series.excluded == ()


def custom(days: list[str], start: str, first: str) -> dict[str, Any]:
    span = {
        **WEEKLY["range"],
        "startDate": first,
        "recurrenceTimeZone": "tzone://Microsoft/Custom",
    }
    pattern = {**WEEKLY["pattern"], "daysOfWeek": days}
    begin = datetime.fromisoformat(start)
    return {
        **MASTER,
        "start": at(f"{begin:%Y-%m-%dT%H:%M}"),
        "end": at(f"{begin + timedelta(hours=1):%Y-%m-%dT%H:%M}"),
        "recurrence": {"pattern": pattern, "range": span},
    }


def test_under_a_custom_zone_the_listed_instants_are_right() -> None:
    # Its clocks change a week earlier than those of the room: three instances an hour off.
    master = custom(["friday"], "2026-11-20T09:00", "2026-11-20")
    listed = [occurrence("2026-11-20"), occurrence("2026-11-27", 10), occurrence("2026-12-11")]
    occ = seen(master, instances=listed).occupancy
    everything = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
    assert [i.start for i in instances(occ, everything, "Europe/Berlin")] == [
        datetime(2026, 11, 20, 9, tzinfo=UTC),
        datetime(2026, 11, 27, 10, tzinfo=UTC),
        datetime(2026, 12, 11, 9, tzinfo=UTC),
    ]


def test_under_a_custom_zone_the_weekday_may_turn() -> None:
    # Thursday evening there is Friday here.
    occ = seen(custom(["thursday"], "2026-11-20T09:00", "2026-11-19")).occupancy
    assert occ.recurrence is not None
    assert occ.recurrence.rule.by_day == (Nth(Weekday.FR),)
    assert occ.start == datetime(2026, 11, 20, 10)


@pytest.mark.parametrize(
    "original", ["2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00.0000000Z"]
)
def test_an_all_day_slot_is_named_by_its_midnight_or_its_date(original: str) -> None:
    daily = {"pattern": {"type": "daily", "interval": 1}, "range": WEEKLY["range"]}
    days = {
        **MASTER,
        "isAllDay": True,
        "start": at("2026-11-20T00:00"),
        "end": at("2026-11-21T00:00"),
        "recurrence": daily,
    }
    changed = {
        **days,
        "id": "X",
        "type": "exception",
        "originalStart": original,
        "subject": "Other",
        "start": at("2026-11-21T00:00"),
        "end": at("2026-11-22T00:00"),
    }
    series = seen(days, exceptions=[changed]).occupancy.recurrence
    assert series is not None
    assert [o.recurrence_id for o in series.overrides] == [datetime(2026, 11, 21)]


def test_a_slot_in_the_gap_of_the_clocks_keeps_its_name() -> None:
    start = at("2026-03-27T01:30")
    span = {**WEEKLY["range"], "startDate": "2026-03-27"}
    master = {
        **MASTER,
        "start": start,
        "end": at("2026-03-27T02:30"),
        "recurrence": {"pattern": {"type": "daily", "interval": 1}, "range": span},
    }
    # 02:30 on 29 March does not exist in Berlin; Exchange shows it at 01:30Z.
    renamed = {
        **master,
        "id": "X",
        "type": "exception",
        "originalStart": "2026-03-29T01:30:00Z",
        "start": at("2026-03-29T01:30"),
        "end": at("2026-03-29T02:30"),
        "subject": "Other",
    }
    series = seen(master, exceptions=[renamed]).occupancy.recurrence
    assert series is not None
    assert [o.recurrence_id for o in series.overrides] == [datetime(2026, 3, 29, 2, 30)]


# --- writing ------------------------------------------------------------------------------------

SINGLE = Occupancy(
    start=datetime(2026, 11, 20, 9), end=datetime(2026, 11, 20, 10), zone="UTC", title="Standup"
)
SERIES = Occupancy(
    start=datetime(2026, 11, 20, 10),
    end=datetime(2026, 11, 20, 11),
    zone="Europe/Berlin",
    title="Standup",
    recurrence=Recurrence(
        rule=Rule(frequency=Frequency.WEEKLY, by_day=(Nth(Weekday.FR),), until=date(2027, 2, 5))
    ),
)


def slot(weeks: int) -> datetime:
    return SERIES.start + timedelta(weeks=weeks)


def with_exceptions(*excluded: int, moved: dict[int, timedelta] | None = None) -> Occupancy:
    assert SERIES.recurrence is not None
    overrides = tuple(
        Override(
            recurrence_id=slot(n),
            start=slot(n) + by,
            end=slot(n) + by + SERIES.duration,
            title="Standup",
        )
        for n, by in sorted((moved or {}).items())
    )
    found = replace(SERIES.recurrence, excluded=tuple(map(slot, excluded)), overrides=overrides)
    return replace(SERIES, recurrence=found)


def change(was: Occupancy, target: Occupancy) -> Any:
    return series_change(was, target, subject_fallback="Reserved", room_zone="Europe/Berlin")


def test_the_body_of_a_single_is_in_utc() -> None:
    body = event_body(SINGLE, subject_fallback="Reserved", room_zone="Europe/Berlin")
    assert body == {
        "subject": "Standup",
        "showAs": "busy",
        "sensitivity": "normal",
        "start": {"dateTime": "2026-11-20T09:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-11-20T10:00:00", "timeZone": "UTC"},
        "isAllDay": False,
        "isReminderOn": False,
        "responseRequested": False,
        "body": {"contentType": "text", "content": ""},
    }


def test_the_body_of_a_series_is_in_its_home_zone() -> None:
    body = event_body(SERIES, subject_fallback="Reserved", room_zone="Asia/Tokyo")
    assert body["start"] == {
        "dateTime": "2026-11-20T10:00:00",
        "timeZone": "W. Europe Standard Time",
    }
    assert body["recurrence"]["range"]["startDate"] == "2026-11-20"
    assert body["recurrence"]["range"]["recurrenceTimeZone"] == "W. Europe Standard Time"


def test_all_day_is_written_in_the_zone_of_the_room() -> None:
    day = Occupancy(
        start=datetime(2026, 11, 20), end=datetime(2026, 11, 21), zone=None, all_day=True
    )
    body = event_body(day, subject_fallback="Reserved", room_zone="Asia/Tokyo")
    assert body["start"] == {"dateTime": "2026-11-20T00:00:00", "timeZone": "Tokyo Standard Time"}
    assert (body["isAllDay"], body["subject"]) == (True, "Reserved")


def test_an_unsayable_series_has_no_body() -> None:
    assert SERIES.recurrence is not None
    rule = Rule(frequency=Frequency.MONTHLY, by_month_day=(1, 15))
    odd = replace(SERIES, recurrence=replace(SERIES.recurrence, rule=rule))
    with pytest.raises(UnsayableRecurrence):
        event_body(odd, subject_fallback="Reserved", room_zone="Europe/Berlin")


def test_a_patch_holds_what_changed() -> None:
    def patch(target: Occupancy) -> dict[str, Any]:
        return single_patch(SINGLE, target, subject_fallback="Reserved", room_zone="UTC")

    assert patch(SINGLE) == {}
    assert patch(replace(SINGLE, busy=Busy.FREE)) == {"showAs": "free"}
    assert patch(replace(SINGLE, title=None)) == {"subject": "Reserved"}
    assert patch(replace(SINGLE, title=None, private=True)) == {
        "subject": "Reserved",
        "sensitivity": "private",
    }
    assert set(patch(replace(SINGLE, end=SINGLE.end + timedelta(hours=1)))) == {
        "start",
        "end",
        "isAllDay",
    }


def test_new_exceptions_are_written_to_occurrences_only() -> None:
    found = change(SERIES, with_exceptions(1, moved={3: timedelta(hours=2)}))
    assert (found.master, found.exclude, found.recreate) == (None, (slot(1),), False)
    assert [name for name, _ in found.overrides] == [slot(3)]
    assert set(found.overrides[0][1]) == {"start", "end", "isAllDay"}


def test_an_override_taken_back_is_written_as_the_rule_has_it() -> None:
    moved = with_exceptions(moved={3: timedelta(hours=2)})
    ((name, patch),) = change(moved, SERIES).overrides
    assert name == slot(3)
    assert patch["start"]["dateTime"] == slot(3).isoformat()


def test_moves_do_not_pass_each_other_on_the_way() -> None:
    was = with_exceptions(moved={2: timedelta(days=1), 3: timedelta(days=-5)})
    target = with_exceptions(moved={2: timedelta(days=-6), 3: timedelta(days=-6)})
    assert [name for name, _ in change(was, target).overrides] == [slot(2), slot(3)]
    forward = change(target, was)
    assert [name for name, _ in forward.overrides] == [slot(3), slot(2)]


def test_what_graph_cannot_take_back_is_made_anew() -> None:
    assert change(with_exceptions(1), SERIES).recreate
    assert SERIES.recurrence is not None
    later = timedelta(hours=1)
    moved = replace(with_exceptions(1), start=SERIES.start + later, end=SERIES.end + later)
    assert change(with_exceptions(1), moved).recreate
    assert not change(
        SERIES, replace(SERIES, start=SERIES.start + later, end=SERIES.end + later)
    ).recreate
    longer = replace(SERIES.recurrence.rule, until=date(2027, 3, 5))
    extended = replace(SERIES, recurrence=replace(SERIES.recurrence, rule=longer))
    assert set(change(SERIES, extended).master) == {"start", "end", "isAllDay", "recurrence"}


def test_single_and_series_become_each_other() -> None:
    assert change(SERIES, SINGLE).master["recurrence"] is None
    made = change(SINGLE, with_exceptions(1))
    assert made.master["recurrence"]["pattern"]["type"] == "weekly"
    assert made.exclude == (slot(1),)
    assert bare(with_exceptions(1)) == SERIES


def test_a_new_title_is_said_again_to_every_exception() -> None:
    was = with_exceptions(moved={3: timedelta(hours=2)})
    target = replace(was, title="Renamed")
    found = change(was, target)
    assert found.master == {"subject": "Renamed"}
    assert found.overrides == ((slot(3), {"subject": "Standup"}),)
