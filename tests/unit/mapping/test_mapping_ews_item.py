"""A calendar item of EWS in the words of Graph, and what is written in the words of EWS."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from calsync.errors import UnsayableRecurrence
from calsync.mapping.ews_item import as_event, exception_ids, fields_of
from calsync.mapping.ews_recurrence import from_ews, to_ews

BERLIN = "W. Europe Standard Time"
#: An item of which nothing is told.
BARE: dict[str, Any] = {
    "id": None,
    "changeKey": None,
    "@odata.etag": None,
    "type": None,
    "isAllDay": False,
    "isCancelled": False,
    "isOrganizer": False,
    "showAs": "busy",
    "sensitivity": "normal",
    "responseStatus": {"response": "none"},
    "iCalUId": "",
    "createdDateTime": None,
    "lastModifiedDateTime": None,
    "originalStartTimeZone": None,
    "subject": None,
    "start": {"dateTime": None, "timeZone": None},
    "end": {"dateTime": None, "timeZone": None},
    "organizer": {"emailAddress": {"name": None, "address": None}},
}


def test_a_whole_item() -> None:
    item = {
        "ItemId": {"Id": "AAMk", "ChangeKey": "CK"},
        "Subject": "Standup",
        "Sensitivity": "Private",
        "DateTimeCreated": "2026-11-01T08:00:00Z",
        "LastModifiedTime": "2026-11-02T08:00:00Z",
        "UID": "x@firm.example",
        "Start": "2026-12-01T09:00:00+01:00",
        "End": "2026-12-01T10:00:00+01:00",
        "OriginalStart": "2026-12-01T07:00:00Z",
        "IsAllDayEvent": "true",
        "LegacyFreeBusyStatus": "OOF",
        "IsCancelled": "false",
        "CalendarItemType": "Exception",
        "MyResponseType": "Accept",
        "Organizer": {"Mailbox": {"Name": "Ann Bee", "EmailAddress": "ann@firm.example"}},
        "RequiredAttendees": [
            {
                "Mailbox": {"Name": "Cy", "EmailAddress": "cy@firm.example"},
                "ResponseType": "Decline",
                "LastResponseTime": "2026-11-02T09:00:00Z",
            },
            "no row",
        ],
        "OptionalAttendees": [{"Mailbox": {"EmailAddress": "di@firm.example"}}],
        "Resources": [{"Mailbox": {"EmailAddress": "blue@firm.example"}, "ResponseType": "Accept"}],
        "StartTimeZone": {"Id": BERLIN},
        "calsync": "link7",
    }
    assert as_event(item) == {
        "id": "AAMk",
        "changeKey": "CK",
        "@odata.etag": "CK",
        "type": "exception",
        "isAllDay": True,
        "isCancelled": False,
        "isOrganizer": False,
        "showAs": "oof",
        "sensitivity": "private",
        "responseStatus": {"response": "accepted"},
        "iCalUId": "x@firm.example",
        "createdDateTime": "2026-11-01T08:00:00Z",
        "lastModifiedDateTime": "2026-11-02T08:00:00Z",
        "originalStartTimeZone": BERLIN,
        "subject": "Standup",
        "start": {"dateTime": "2026-12-01T08:00:00Z", "timeZone": None},
        "end": {"dateTime": "2026-12-01T09:00:00Z", "timeZone": None},
        "originalStart": "2026-12-01T07:00:00Z",
        "transactionId": "cs1-link7",
        "organizer": {"emailAddress": {"name": "Ann Bee", "address": "ann@firm.example"}},
        "attendees": [
            {
                "type": "required",
                "emailAddress": {"name": "", "address": "cy@firm.example"},
                "status": {"response": "declined", "time": "2026-11-02T09:00:00Z"},
            },
            {
                "type": "optional",
                "emailAddress": {"name": "", "address": "di@firm.example"},
                "status": {"response": "none", "time": None},
            },
            {
                "type": "resource",
                "emailAddress": {"name": "", "address": "blue@firm.example"},
                "status": {"response": "accepted", "time": None},
            },
        ],
    }


def test_a_whole_master() -> None:
    item = {
        "CalendarItemType": "RecurringMaster",
        "StartTimeZone": {"Id": BERLIN},
        "Recurrence": {
            "DailyRecurrence": {"Interval": "1"},
            "NoEndRecurrence": {"StartDate": "2026-12-01"},
        },
        "DeletedOccurrences": [{"Start": "2026-12-08T09:00:00Z"}, "no row", {}],
    }
    assert as_event(item, [{"Subject": "Moved"}]) == BARE | {
        "type": "seriesMaster",
        "originalStartTimeZone": BERLIN,
        "recurrence": {
            "pattern": {"type": "daily", "interval": 1},
            "range": {"type": "noEnd", "startDate": "2026-12-01", "recurrenceTimeZone": BERLIN},
        },
        "exceptionOccurrences": [
            BARE | {"subject": "Moved"},
            {
                "id": "removed 2026-12-08T09:00:00Z",
                "type": "exception",
                "isCancelled": True,
                "originalStart": "2026-12-08T09:00:00Z",
            },
            {
                "id": "removed None",
                "type": "exception",
                "isCancelled": True,
                "originalStart": None,
            },
        ],
        # Nothing is cancelled that is not among these.
        "cancelledOccurrences": [],
    }


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({}, {}),
        # Not what was expected: as if it were not there, or as it is, to be named.
        ({"ItemId": "AAMk", "StartTimeZone": "UTC", "Organizer": "Ann"}, {}),
        ({"Organizer": {"Mailbox": "Ann"}}, {}),
        ({"Sensitivity": 5, "LegacyFreeBusyStatus": 5, "MyResponseType": 5}, {}),
        ({"OriginalStart": None, "calsync": None}, {}),
        ({"calsync": 5}, {}),
        ({"calsync": ""}, {"transactionId": "cs1-"}),
        ({"CalendarItemType": "Single"}, {"type": "singleInstance"}),
        ({"CalendarItemType": " Occurrence "}, {"type": "occurrence"}),
        ({"CalendarItemType": "Other"}, {"type": "Other"}),
        ({"LegacyFreeBusyStatus": "Free"}, {"showAs": "free"}),
        ({"LegacyFreeBusyStatus": "Tentative"}, {"showAs": "tentative"}),
        ({"LegacyFreeBusyStatus": "Busy"}, {"showAs": "busy"}),
        ({"LegacyFreeBusyStatus": "WorkingElsewhere"}, {"showAs": "workingElsewhere"}),
        ({"LegacyFreeBusyStatus": "NoData"}, {"showAs": "busy"}),
        ({"Sensitivity": "Confidential"}, {"sensitivity": "confidential"}),
        ({"MyResponseType": "Tentative"}, {"responseStatus": {"response": "tentativelyAccepted"}}),
        ({"MyResponseType": "Decline"}, {"responseStatus": {"response": "declined"}}),
        ({"MyResponseType": "Unknown"}, {"responseStatus": {"response": "none"}}),
        (
            {"MyResponseType": "NoResponseReceived"},
            {"responseStatus": {"response": "notResponded"}},
        ),
        (
            {"MyResponseType": "Organizer"},
            {"responseStatus": {"response": "organizer"}, "isOrganizer": True},
        ),
        ({"Resources": []}, {"attendees": []}),
        ({"OptionalAttendees": "no list"}, {"attendees": []}),
        # Booleans of XML.
        ({"IsAllDayEvent": "1", "IsCancelled": "TRUE "}, {"isAllDay": True, "isCancelled": True}),
        ({"IsAllDayEvent": True}, {"isAllDay": True}),
        ({"IsAllDayEvent": "yes", "IsCancelled": "0"}, {}),
        ({"IsCancelled": "false", "AppointmentState": "4"}, {"isCancelled": True}),
        # Times with an offset are put into UTC; others stay as they are.
        ({"Start": "2026-12-01T09:00:00"}, {"start": "2026-12-01T09:00:00"}),
        ({"Start": "2026-12-01T09:00:00Z"}, {"start": "2026-12-01T09:00:00Z"}),
        ({"Start": "2026-12-01T00:30:00.125+01:00"}, {"start": "2026-11-30T23:30:00.125000Z"}),
        ({"End": "2026-12-01T22:00:00-05:00"}, {"end": "2026-12-02T03:00:00Z"}),
        ({"Start": "2026-13-01T09:00:00+01:00"}, {"start": "2026-13-01T09:00:00+01:00"}),
        ({"Start": "0001-01-01T00:00:00+01:00"}, {"start": "0001-01-01T00:00:00+01:00"}),
        ({"Start": 5, "End": ["x"]}, {"start": 5, "end": ["x"]}),
        # The global id of a meeting that another program made says the uid it has there.
        (
            {
                "CleanGlobalObjectId": b64encode(
                    bytes.fromhex("040000008200E00074C5B7101A82E008" + "00" * 20 + "0F000000")
                    + b"vCal-Uid\x01\0\0\0x@y"
                ).decode(),
                "UID": "0400",
            },
            {"iCalUId": "x@y"},
        ),
        # A master whose parts are strange.
        (
            {"CalendarItemType": "RecurringMaster", "DeletedOccurrences": "none"},
            {
                "type": "seriesMaster",
                "recurrence": None,
                "exceptionOccurrences": [],
                "cancelledOccurrences": [],
            },
        ),
    ],
)
def test_single_members(item: dict[str, Any], told: dict[str, Any]) -> None:
    for side in ("start", "end"):
        if side in told:
            told = told | {side: {"dateTime": told[side], "timeZone": None}}
    assert as_event(item) == BARE | told


@pytest.mark.parametrize(
    ("item", "owned"),
    [
        ({"IsOrganizer": "true"}, True),
        ({"IsOrganizer": "false", "MyResponseType": "Organizer"}, False),
        ({"IsOrganizer": "true", "AppointmentState": "1"}, True),
        # Received from an organizer elsewhere, whatever else it says.
        ({"IsOrganizer": "true", "AppointmentState": "3"}, False),
        ({"MyResponseType": "Organizer", "AppointmentState": "2"}, False),
        ({"MyResponseType": "Organizer"}, True),
        # Nobody was invited, and nobody answered.
        ({"IsMeeting": "false"}, True),
        ({"IsMeeting": "0"}, True),
        ({"IsMeeting": "false", "MyResponseType": "Unknown"}, True),
        ({"IsMeeting": "false", "MyResponseType": "Accept"}, False),
        ({"IsMeeting": "true"}, False),
        ({"IsMeeting": "true", "MyResponseType": "Unknown"}, False),
        ({}, False),
    ],
)
def test_whether_the_room_may_change_it(item: dict[str, str], owned: bool) -> None:
    assert as_event(item)["isOrganizer"] is owned


@pytest.mark.parametrize(
    ("state", "cancelled"),
    [
        ("0", False),
        ("3", False),
        ("4", True),
        (" 7 ", True),
        ("100000004", True),
        # No state at all: too long, no whole number, digits of another script, no text.
        ("1000000004", False),
        ("-4", False),
        ("4.0", False),
        ("\u0664", False),
        ("\u2074", False),
        ("", False),
        (4, False),
    ],
)
def test_the_state_of_an_appointment(state: object, cancelled: bool) -> None:
    assert as_event({"AppointmentState": state})["isCancelled"] is cancelled


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        (None, []),
        ("no list", []),
        ([], []),
        ([{"ItemId": {"Id": "A"}}, {"ItemId": {"Id": "B"}}], ["A", "B"]),
        ([{"ItemId": {"Id": ""}}, {"ItemId": {"Id": 5}}, {"ItemId": "C"}, {}, "D", None], []),
    ],
)
def test_the_changed_dates_that_a_master_names(rows: object, ids: list[str]) -> None:
    assert exception_ids({"ModifiedOccurrences": rows}) == ids


# --- what is written ------------------------------------------------------------------------------

WHOLE = {
    "subject": "Standup",
    "showAs": "workingElsewhere",
    "sensitivity": "private",
    "start": {"dateTime": "2026-12-01T10:00:00", "timeZone": BERLIN},
    "end": {"dateTime": "2026-12-01T10:00:00", "timeZone": "UTC"},
    "isAllDay": False,
    "isReminderOn": False,
    "responseRequested": False,
    "body": {"contentType": "text", "content": ""},
    "recurrence": {
        "pattern": {"type": "daily", "interval": 2},
        "range": {"type": "noEnd", "startDate": "2026-12-01"},
    },
}


def test_a_whole_body_in_the_order_in_which_ews_applies_it() -> None:
    """Zones come before the times that are read in them."""
    assert list(fields_of(WHOLE).items()) == [
        ("Subject", "Standup"),
        ("Sensitivity", "Private"),
        ("ReminderIsSet", "false"),
        ("StartTimeZone", {"Id": BERLIN}),
        ("EndTimeZone", {"Id": "UTC"}),
        ("Start", "2026-12-01T10:00:00"),
        ("End", "2026-12-01T10:00:00Z"),
        ("IsAllDayEvent", "false"),
        ("LegacyFreeBusyStatus", "WorkingElsewhere"),
        (
            "Recurrence",
            {
                "DailyRecurrence": {"Interval": "2"},
                "NoEndRecurrence": {"StartDate": "2026-12-01"},
            },
        ),
    ]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {}),
        ({"body": {}, "responseRequested": True}, {}),
        ({"subject": None}, {"Subject": ""}),
        ({"sensitivity": "normal"}, {"Sensitivity": "Normal"}),
        ({"isReminderOn": True}, {"ReminderIsSet": "true"}),
        ({"showAs": "free"}, {"LegacyFreeBusyStatus": "Free"}),
        ({"showAs": "oof"}, {"LegacyFreeBusyStatus": "OOF"}),
        ({"showAs": "busy"}, {"LegacyFreeBusyStatus": "Busy"}),
        ({"showAs": "tentative"}, {"LegacyFreeBusyStatus": "Tentative"}),
        # A series that becomes a single one.
        ({"recurrence": None}, {"Recurrence": None}),
        (
            {
                "start": {"dateTime": "2026-12-01T00:00:00", "timeZone": BERLIN},
                "end": {"dateTime": "2026-12-02T00:00:00", "timeZone": BERLIN},
                "isAllDay": True,
            },
            {
                "StartTimeZone": {"Id": BERLIN},
                "EndTimeZone": {"Id": BERLIN},
                "Start": "2026-12-01T00:00:00",
                "End": "2026-12-02T00:00:00",
                "IsAllDayEvent": "true",
            },
        ),
    ],
)
def test_a_change_has_the_fields_it_changes(body: dict[str, Any], fields: dict[str, Any]) -> None:
    assert fields_of(body) == fields


def test_a_member_that_ews_has_no_field_for_is_named() -> None:
    with pytest.raises(ValueError, match=r"^no field of EWS for \['a', 'b', 'c', 'd', 'e', 'f'\]$"):
        fields_of({**WHOLE, **dict.fromkeys("fdbace")})


# --- recurrences ----------------------------------------------------------------------------------

NO_END = {"type": "noEnd", "startDate": "2026-12-01"}
NO_END_ELEMENT = {"NoEndRecurrence": {"StartDate": "2026-12-01"}}

#: Graph's pattern, and EWS's element.
PATTERNS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "daily", "interval": 3}, {"DailyRecurrence": {"Interval": "3"}}),
    (
        {
            "type": "weekly",
            "interval": 2,
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "firstDayOfWeek": "sunday",
        },
        {
            "WeeklyRecurrence": {
                "Interval": "2",
                "DaysOfWeek": "Monday Tuesday Wednesday Thursday Friday",
                "FirstDayOfWeek": "Sunday",
            }
        },
    ),
    (
        {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31},
        {"AbsoluteMonthlyRecurrence": {"Interval": "1", "DayOfMonth": "31"}},
    ),
    (
        {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], "index": "last"},
        {
            "RelativeMonthlyRecurrence": {
                "Interval": "1",
                "DaysOfWeek": "Monday",
                "DayOfWeekIndex": "Last",
            }
        },
    ),
    (
        {
            "type": "relativeMonthly",
            "interval": 1,
            "daysOfWeek": ["saturday", "sunday"],
            "index": "first",
        },
        {
            "RelativeMonthlyRecurrence": {
                "Interval": "1",
                "DaysOfWeek": "WeekendDay",
                "DayOfWeekIndex": "First",
            }
        },
    ),
    (
        {
            "type": "relativeMonthly",
            "interval": 1,
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "index": "second",
        },
        {
            "RelativeMonthlyRecurrence": {
                "Interval": "1",
                "DaysOfWeek": "Weekday",
                "DayOfWeekIndex": "Second",
            }
        },
    ),
    (
        {"type": "absoluteYearly", "interval": 1, "month": 12, "dayOfMonth": 1},
        {"AbsoluteYearlyRecurrence": {"DayOfMonth": "1", "Month": "December"}},
    ),
    (
        {
            "type": "relativeYearly",
            "interval": 1,
            "month": 1,
            "daysOfWeek": [
                "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
            ],
            "index": "fourth",
        },
        {
            "RelativeYearlyRecurrence": {
                "DaysOfWeek": "Day",
                "DayOfWeekIndex": "Fourth",
                "Month": "January",
            }
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("graph", "ews"), PATTERNS)
def test_the_same_pattern_in_both_words(graph: dict[str, Any], ews: dict[str, Any]) -> None:
    assert to_ews({"pattern": graph, "range": NO_END}) == ews | NO_END_ELEMENT
    assert from_ews(ews | NO_END_ELEMENT, BERLIN) == {
        "pattern": graph,
        "range": NO_END | {"recurrenceTimeZone": BERLIN},
    }


@pytest.mark.parametrize(
    ("graph", "ews"),
    [
        (NO_END, NO_END_ELEMENT),
        (
            {"type": "numbered", "startDate": "2026-12-01", "numberOfOccurrences": 7},
            {"NumberedRecurrence": {"StartDate": "2026-12-01", "NumberOfOccurrences": "7"}},
        ),
        (
            {"type": "endDate", "startDate": "2026-12-01", "endDate": "2027-01-31"},
            {"EndDateRecurrence": {"StartDate": "2026-12-01", "EndDate": "2027-01-31"}},
        ),
    ],
)
def test_the_same_range_in_both_words(graph: dict[str, Any], ews: dict[str, Any]) -> None:
    daily = {"type": "daily", "interval": 1}
    element = {"DailyRecurrence": {"Interval": "1"}}
    assert to_ews({"pattern": daily, "range": graph}) == element | ews
    assert from_ews(element | ews, None) == {
        "pattern": daily,
        "range": graph | {"recurrenceTimeZone": None},
    }


@pytest.mark.parametrize(
    ("pattern", "element"),
    [
        (
            {"type": "absoluteYearly", "interval": 2, "month": 12, "dayOfMonth": 1},
            {"AbsoluteMonthlyRecurrence": {"Interval": "24", "DayOfMonth": "1"}},
        ),
        (
            {
                "type": "relativeYearly",
                "interval": 3,
                "month": 12,
                "daysOfWeek": ["tuesday"],
                "index": "first",
            },
            {
                "RelativeMonthlyRecurrence": {
                    "Interval": "36",
                    "DaysOfWeek": "Tuesday",
                    "DayOfWeekIndex": "First",
                }
            },
        ),
    ],
)
def test_some_years_are_so_many_months(pattern: dict[str, Any], element: dict[str, Any]) -> None:
    assert to_ews({"pattern": pattern, "range": NO_END}) == element | NO_END_ELEMENT


def test_what_ews_has_no_words_for_is_refused() -> None:
    pattern = {
        "type": "relativeMonthly",
        "interval": 1,
        "daysOfWeek": ["monday", "tuesday"],
        "index": "first",
    }
    with pytest.raises(UnsayableRecurrence) as refused:
        to_ews({"pattern": pattern, "range": NO_END})
    assert "no words" in refused.value.what
    assert (refused.value.where, refused.value.todo) == (
        "recurrence",
        "Book it as several series, one for each weekday",
    )


#: A recurrence of EWS with something strange in it, and what is passed on to be named.
STRANGE: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # A date may carry a zone.
    (
        {
            "DailyRecurrence": {},
            "EndDateRecurrence": {"StartDate": "2026-12-01+01:00", "EndDate": "2026-12-03Z"},
        },
        {"type": "daily", "interval": 1},
        {"type": "endDate", "startDate": "2026-12-01", "endDate": "2026-12-03"},
    ),
    # Sets among other days.
    (
        {"WeeklyRecurrence": {"DaysOfWeek": " WeekendDay\tMonday  Someday"}},
        {
            "type": "weekly",
            "interval": 1,
            "daysOfWeek": ["saturday", "sunday", "monday", "someday"],
        },
        {},
    ),
    (
        {"AbsoluteYearlyRecurrence": {"Month": "Brumaire", "DayOfMonth": " 18 "}},
        {"type": "absoluteYearly", "interval": 1, "month": "Brumaire", "dayOfMonth": 18},
        {},
    ),
    # Numbers: of nine digits at most, and whole.
    (
        {"DailyRecurrence": {"Interval": "123456789"}},
        {"type": "daily", "interval": 123_456_789},
        {},
    ),
    (
        {"DailyRecurrence": {"Interval": "1234567890"}},
        {"type": "daily", "interval": "1234567890"},
        {},
    ),
    ({"DailyRecurrence": {"Interval": "-1"}}, {"type": "daily", "interval": "-1"}, {}),
    ({"DailyRecurrence": {"Interval": "\u00b2"}}, {"type": "daily", "interval": "\u00b2"}, {}),
    ({"DailyRecurrence": {"Interval": None}}, {"type": "daily", "interval": None}, {}),
    (
        {"NumberedRecurrence": {"StartDate": "2026-12-01", "NumberOfOccurrences": "many"}},
        {"type": "NumberedRecurrence"},
        {"type": "numbered", "startDate": "2026-12-01", "numberOfOccurrences": "many"},
    ),
    # Patterns and ranges that are none.
    ({}, {"type": None}, {}),
    ({"DailyRegeneration": {"Interval": "1"}}, {"type": None}, {}),
    ({"HourlyRecurrence": {"Interval": "1"}}, {"type": "HourlyRecurrence"}, {}),
    ({"DailyRecurrence": "always"}, {"type": "DailyRecurrence"}, {}),
    (
        {"DailyRecurrence": {}, "NoEndRecurrence": "from its StartDate"},
        {"type": "daily", "interval": 1},
        {},
    ),
    (
        {"DailyRecurrence": {}, "NoEndRecurrence": {}},
        {"type": "daily", "interval": 1},
        {},
    ),
    (
        {"DailyRecurrence": {}, "Whatever": {"StartDate": "2026-12-01"}},
        {"type": "daily", "interval": 1},
        {},
    ),
    (
        {"DailyRecurrence": {}, "LunarRecurrence": {"StartDate": "2026-12-01"}},
        {"type": "daily", "interval": 1},
        {"type": "LunarRecurrence", "startDate": "2026-12-01"},
    ),
]


@pytest.mark.parametrize(("raw", "pattern", "span"), STRANGE)
def test_strange_values_pass_on_to_be_named(
    raw: dict[str, Any], pattern: dict[str, Any], span: dict[str, Any]
) -> None:
    assert from_ews(raw, BERLIN) == {
        "pattern": pattern,
        "range": {"recurrenceTimeZone": BERLIN} | span,
    }


@pytest.mark.parametrize("raw", [None, "daily", ["DailyRecurrence"], 5])
def test_what_is_no_recurrence_at_all_is_none(raw: object) -> None:
    assert from_ews(raw, BERLIN) is None
