"""MimeContent: what CalDAV gateways put and read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest
from icalendar import Calendar

from .client import ANN, BOB, ROOM
from .soap import Answer, Ews, put, weekly, zones

EVENT = """BEGIN:VCALENDAR
PRODID:-//Example//EN
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:put-1@example.org
DTSTAMP:20261120T090000Z
DTSTART;TZID=Europe/Berlin:20261201T100000
DTEND;TZID=Europe/Berlin:20261201T110000
SUMMARY:Put\\, by a gateway
DESCRIPTION:Text
LOCATION:Here
CLASS:PRIVATE
%s
END:VEVENT
%s
END:VCALENDAR
"""


@pytest.fixture
def ews() -> Ews:
    return Ews()


def mime(text: str) -> str:
    raw = b64encode(text.replace("\n", "\r\n").encode()).decode()
    return f'<t:MimeContent CharacterSet="UTF-8">{raw}</t:MimeContent>'


def events(answer: Answer) -> list[Any]:
    raw = b64decode(answer.ok().text("//t:MimeContent"))
    return list(Calendar.from_ical(raw).walk("VEVENT"))


MIME = "<t:IncludeMimeContent>true</t:IncludeMimeContent>"


def test_an_event_is_put(ews: Ews) -> None:
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT30M\nEND:VALARM"
    made = ews.create(mime(EVENT % (alarm, ""))).ok().ids[0][0]
    item = ews.get(made)
    shown = {
        name: item.text(f"//t:CalendarItem/t:{name}")
        for name in (
            "Subject", "UID", "Start", "Location", "Sensitivity", "ReminderMinutesBeforeStart",
        )
    }  # fmt: skip
    assert shown == {
        "Subject": "Put, by a gateway",
        "UID": "put-1@example.org",
        "Start": "2026-12-01T09:00:00Z",
        "Location": "Here",
        "Sensitivity": "Private",
        "ReminderMinutesBeforeStart": "30",
    }
    assert item.one("//t:StartTimeZone").get("Id") == "W. Europe Standard Time"


def test_a_mail_with_an_event_in_it(ews: Ews) -> None:
    text = (
        "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n"
        "Content-Type: text/plain\n\nhi\n--b\nContent-Type: text/calendar; charset=utf-8\n"
        "Content-Transfer-Encoding: base64\n\n"
        + b64encode((EVENT % ("SEQUENCE:0", "")).encode()).decode()
        + "\n--b--\n"
    )
    made = ews.create(mime(text)).ok().ids[0][0]
    assert ews.get(made).text("//t:CalendarItem/t:UID") == "put-1@example.org"


def test_a_series_is_put_with_its_changed_dates(ews: Ews) -> None:
    rule = "RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=TU\nEXDATE;TZID=Europe/Berlin:20261222T100000"
    other = (
        "BEGIN:VEVENT\nUID:put-1@example.org\nDTSTAMP:20261120T090000Z\n"
        "RECURRENCE-ID;TZID=Europe/Berlin:20261208T100000\n"
        "DTSTART;TZID=Europe/Berlin:20261209T150000\nDTEND;TZID=Europe/Berlin:20261209T160000\n"
        "SUMMARY:Moved\nEND:VEVENT"
    )
    made = ews.create(mime(EVENT % (rule, other))).ok().ids[0][0]
    shown = [(one["localStart"][:16], one["subject"]) for one in ews.graph.live()]
    assert shown == [
        ("2026-12-01T10:00", "Put, by a gateway"),
        ("2026-12-09T15:00", "Moved"),
        ("2026-12-15T10:00", "Put, by a gateway"),
    ]
    back = events(ews.get(made, more=MIME))
    assert len(back) == 2
    assert back[0]["RRULE"]["COUNT"] == [4]
    assert back[0]["DTSTART"].params["TZID"] == "W. Europe Standard Time"
    assert str(back[1]["SUMMARY"]) == "Moved"


def test_what_is_read_can_be_put_again(ews: Ews) -> None:
    made = ews.create(after=weekly("Tuesday Friday", "2026-12-01", 5) + zones()).ok().ids[0]
    second = f'<t:OccurrenceItemId RecurringMasterId="{made[0]}" InstanceIndex="2"/>'
    ews.delete(second).ok()
    before = [one["localStart"] for one in ews.graph.live()]
    raw = ews.get(made[0], more=MIME).ok().text("//t:MimeContent")
    ews.delete(made[0]).ok()
    ews.create(f'<t:MimeContent CharacterSet="UTF-8">{raw}</t:MimeContent>').ok()
    assert [one["localStart"] for one in ews.graph.live()] == before


def test_an_event_is_put_over_another(ews: Ews) -> None:
    made = ews.create(mime(EVENT % ("SEQUENCE:0", ""))).ok().ids[0]
    text = (EVENT % ("SEQUENCE:1", "")).replace("LOCATION:Here\n", "").replace("T10", "T14")
    text = text.replace("T11", "T15")
    ews.update(made, put("item:MimeContent", mime(text))).ok()
    item = ews.get(made[0])
    assert item.text("//t:CalendarItem/t:Start") == "2026-12-01T13:00:00Z"
    assert not item.all("//t:Location")


def test_a_meeting_is_put(ews: Ews) -> None:
    ews.user, ews.act_as = ANN, None
    people = (
        f"ORGANIZER:mailto:{ANN}\nATTENDEE;ROLE=OPT-PARTICIPANT;CN=Bob:mailto:{BOB}\n"
        f"ATTENDEE;CUTYPE=ROOM:mailto:{ROOM}"
    )
    made = ews.create(mime(EVENT % (people, "")), send="SendToAllAndSaveCopy").ok().ids[0][0]
    item = ews.get(made)
    assert item.text("//t:OptionalAttendees//t:EmailAddress") == BOB
    assert item.text("//t:Resources/t:Attendee/t:ResponseType") == "Accept"
    (back,) = events(ews.get(made, more=MIME))
    assert {str(one) for one in back["ATTENDEE"]} == {f"mailto:{BOB}", f"mailto:{ROOM}"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("<t:MimeContent>%%%</t:MimeContent>", "ErrorMimeContentInvalidBase64String"),
        (mime("hello"), "ErrorMimeContentInvalid"),
        (mime("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n"), "ErrorMimeContentInvalid"),
        (mime("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:never\n"), "ErrorMimeContentInvalid"),
        (mime(EVENT % ("RRULE:FREQ=DAILY;BYHOUR=1,2", "")), "ErrorMimeContentConversionFailed"),
    ],
)
def test_content_that_is_refused(ews: Ews, content: str, code: str) -> None:
    assert ews.create(content).codes == [code]
    assert ews.graph.live() == []


def test_whole_days(ews: Ews) -> None:
    text = (EVENT % ("SEQUENCE:0", "")).replace(
        "DTSTART;TZID=Europe/Berlin:20261201T100000", "DTSTART;VALUE=DATE:20261205"
    )
    text = text.replace("DTEND;TZID=Europe/Berlin:20261201T110000", "DTEND;VALUE=DATE:20261207")
    made = ews.create(mime(text)).ok().ids[0][0]
    (back,) = events(ews.get(made, more=MIME))
    assert (str(back["DTSTART"].dt), str(back["DTEND"].dt)) == ("2026-12-05", "2026-12-07")
    assert ews.get(made).text("//t:IsAllDayEvent") == "true"


def test_a_mail_is_sent_as_a_whole(ews: Ews) -> None:
    ews.user, ews.act_as = ANN, None
    text = (
        f"From: Ann <{ANN}>\nTo: Bob <{BOB}>\nCc: {ROOM}\nSubject: =?utf-8?q?H=C3=A9?=\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nHello\n"
    )
    ews.call(
        '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:Message>'
        f"{mime(text)}</t:Message></m:Items></m:CreateItem>"
    ).ok()
    mails = ews.graph.mails()
    assert [(one["to"], one["subject"]) for one in mails] == [(BOB, "Hé"), (ROOM, "Hé")]
    assert mails[0]["body"].strip() == "Hello"
    kept = ews.get(ews.find(folder="sentitems").ids[0][0], more=MIME).ok()
    assert kept.text("//t:ToRecipients//t:EmailAddress") == BOB
    assert b"Hello" in b64decode(kept.text("//t:MimeContent"))
