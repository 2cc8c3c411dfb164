"""Laws of EWS's words: what Graph's words say, EWS's say, too, and nothing read ever raises."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calsync.errors import MappingError, UnsayableRecurrence
from calsync.mapping import dates, zones
from calsync.mapping.canon import canonical
from calsync.mapping.event import bare, event_body, read_event
from calsync.mapping.ews_item import as_event, exception_ids, fields_of
from calsync.mapping.ews_recurrence import from_ews, to_ews
from calsync.mapping.ews_uid import global_id_of, uid_of
from calsync.mapping.recurrence import from_graph, to_graph
from calsync.model import Frequency, Gone, Nth, Occupancy, Rule, Seen, Unknown, Weekday
from tests.properties.mapping_strategies import (
    FALLBACK,
    ROOM_ZONE,
    law,
    plain_rules,
    sayable_series,
    singles,
    starts,
)


@law
@given(st.data())
def test_a_rule_that_both_can_say_comes_back(data: st.DataObject) -> None:
    start = data.draw(starts)
    rule = canonical(data.draw(plain_rules(start.date())), start)
    try:
        said = to_graph(rule, start=start, zone="Europe/Berlin")
        words = to_ews(said)
    except UnsayableRecurrence:
        assume(False)
    back = from_graph(from_ews(words, "W. Europe Standard Time") or {}, start=start)
    assert back == rule
    far = date(2040, 1, 1)
    found = list(dates.dates(back, start.date(), start.date(), far))[:50]
    assert found == list(dates.dates(rule, start.date(), start.date(), far))[:50]


@pytest.mark.parametrize("month_day", [(15,), (31,)])
def test_every_second_year_is_every_24th_month(month_day: tuple[int, ...]) -> None:
    start = datetime(2026, 1, month_day[0], 9)
    rule = canonical(
        Rule(frequency=Frequency.YEARLY, interval=2, by_month=(1,), by_month_day=month_day), start
    )
    words = to_ews(to_graph(rule, start=start, zone=None))
    assert words["AbsoluteMonthlyRecurrence"] == {
        "Interval": "24",
        "DayOfMonth": str(month_day[0]),
    }
    assert from_graph(from_ews(words, None) or {}, start=start) == rule


def test_days_counted_together_need_a_set() -> None:
    start = datetime(2026, 12, 1, 9)
    weekdays = tuple(Nth(day) for day in Weekday if day < Weekday.SA)
    fine = Rule(frequency=Frequency.MONTHLY, by_day=weekdays, by_set_pos=(1,))
    words = to_ews(to_graph(canonical(fine, start), start=start, zone=None))
    assert words["RelativeMonthlyRecurrence"]["DaysOfWeek"] == "Weekday"
    two = Rule(
        frequency=Frequency.MONTHLY, by_day=(Nth(Weekday.MO), Nth(Weekday.TU)), by_set_pos=(1,)
    )
    with pytest.raises(UnsayableRecurrence, match="no words") as refused:
        to_ews(to_graph(canonical(two, start), start=start, zone=None))
    assert "several series" in refused.value.todo


@law
@given(singles() | sayable_series)
def test_what_is_written_is_what_is_read(occ: Occupancy) -> None:
    """As a server would keep it that takes the fields as they are, and tells times in UTC."""
    plain = bare(occ)
    try:
        fields = fields_of(event_body(plain, subject_fallback=FALLBACK, room_zone=ROOM_ZONE))
    except MappingError:
        assume(False)
    seen = read(stored(fields))
    assert isinstance(seen, Seen), seen
    assert seen.occupancy == plain
    assert seen.owned


def stored(fields: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "ItemId": {"Id": "AAMk", "ChangeKey": "CK"},
        "CalendarItemType": "RecurringMaster" if "Recurrence" in fields else "Single",
        "MyResponseType": "Organizer",
        "DateTimeCreated": "2026-11-01T08:00:00Z",
        "LastModifiedTime": "2026-11-02T08:00:00.125Z",
        **fields,
    }
    for name in ("Start", "End"):
        text = item[name]
        if not text.endswith("Z") and "+" not in text:
            zone = zones.resolve(item[f"{name}TimeZone"]["Id"]).iana or "UTC"
            at = zones.to_utc(datetime.fromisoformat(text), zone)
            item[name] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return item


def read(item: dict[str, Any], *exceptions: dict[str, Any]) -> Seen | Gone | Unknown:
    event = as_event(item, exceptions)
    return read_event(event, titles=True, room_zone=ROOM_ZONE, subject_fallback=FALLBACK)


_JUNK = st.recursive(
    st.none() | st.text(max_size=12) | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = (
    "ItemId", "CalendarItemType", "Start", "End", "Recurrence", "ModifiedOccurrences",
    "DeletedOccurrences", "StartTimeZone", "Organizer", "AppointmentState", "UID",
    "CleanGlobalObjectId", "LegacyFreeBusyStatus", "IsAllDayEvent", "calsync", "Subject",
)  # fmt: skip


@law
@given(st.dictionaries(st.sampled_from(_NAMES), _JUNK), st.booleans())
def test_nothing_read_raises(junk: dict[str, Any], master: bool) -> None:
    item = {"ItemId": {"Id": "A", "ChangeKey": "1"}, **junk}
    if master:
        item["CalendarItemType"] = "RecurringMaster"
    exception_ids(item)
    assert isinstance(read(item), Seen | Gone | Unknown)


@pytest.mark.parametrize(
    ("change", "gone", "owned"),
    [
        ({}, False, True),
        ({"MyResponseType": "Accept", "AppointmentState": "3"}, False, False),
        ({"MyResponseType": "Organizer", "AppointmentState": "3"}, False, False),
        ({"MyResponseType": "Unknown", "IsMeeting": "false"}, False, True),
        ({"MyResponseType": "Unknown", "IsMeeting": "true"}, False, False),
        ({"AppointmentState": "5"}, True, True),
        ({"IsCancelled": "true"}, True, True),
        ({"MyResponseType": "Decline", "AppointmentState": "3"}, True, False),
    ],
)
def test_who_may_change_it_and_what_is_gone(
    change: dict[str, str], gone: bool, owned: bool
) -> None:
    item = stored({"Start": "2026-12-01T09:00:00Z", "End": "2026-12-01T10:00:00Z"}) | change
    seen = read(item)
    assert isinstance(seen, Gone) is gone
    if isinstance(seen, Seen):
        assert seen.owned is owned


def test_removed_and_changed_dates_of_a_master() -> None:
    rule = {
        "WeeklyRecurrence": {"Interval": "1", "DaysOfWeek": "Tuesday", "FirstDayOfWeek": "Monday"},
        "NumberedRecurrence": {"StartDate": "2026-12-01+01:00", "NumberOfOccurrences": "4"},
    }
    master = stored(
        {
            "Start": "2026-12-01T09:00:00Z",
            "End": "2026-12-01T10:00:00Z",
            "StartTimeZone": {"Id": "W. Europe Standard Time"},
            "Recurrence": rule,
            "DeletedOccurrences": [{"Start": "2026-12-08T09:00:00Z"}],
            "ModifiedOccurrences": [{"ItemId": {"Id": "EX"}, "OriginalStart": "x"}],
        }
    )
    moved = stored(
        {
            "Start": "2026-12-15T14:00:00+01:00",
            "End": "2026-12-15T15:00:00+01:00",
            "OriginalStart": "2026-12-15T09:00:00Z",
            "Subject": "Moved",
        }
    ) | {"CalendarItemType": "Exception"}
    assert exception_ids(master) == ["EX"]
    seen = read(master, moved)
    assert isinstance(seen, Seen), seen
    series = seen.occupancy.recurrence
    assert series is not None
    assert series.excluded == (datetime(2026, 12, 8, 10),)
    (one,) = series.overrides
    assert (one.recurrence_id, one.start) == (
        datetime(2026, 12, 15, 10),
        datetime(2026, 12, 15, 14),
    )
    assert seen.version.startswith("CK~")


# --- identity --------------------------------------------------------------------------------

_OWN = "040000008200E00074C5B7101A82E008" + "00" * 16 + "10000000" + "AB" * 16


@law
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_a_foreign_uid_comes_back(uid: str) -> None:
    assume(not uid.upper().startswith(_OWN[:32]))
    blob = global_id_of(uid)
    assert blob is not None
    assert uid_of(blob, "whatever is told") == uid


def test_a_uid_of_exchange_is_its_own_blob_without_the_date() -> None:
    dated = _OWN[:32] + "07EA0C01" + _OWN[40:]
    assert global_id_of(dated) == global_id_of(_OWN) == global_id_of(_OWN.lower())
    assert uid_of(global_id_of(_OWN), None) == _OWN
    assert uid_of(None, dated) == _OWN, "a date held alone is told with its date"
    assert uid_of("not base64!", "x@y") == "x@y"
    assert uid_of(None, None) == ""
    assert global_id_of("") is None
