"""What an item of an Exchange Server may claim that no person could mean, as changes of its XML on
the way: the counterparts of ``test_poison``'s changes of Graph's JSON, under the same names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from tests.scenarios.fault_kit import Spoil, day

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
Change = Callable[[Any], None]


def _t(name: str) -> str:
    return f"{{{TYPES}}}{name}"


def put(**members: str) -> Change:
    """Texts of an item's parts, made where they are missing."""

    def change(item: Any) -> None:
        for name, text in members.items():
            part = item.find(_t(name))
            if part is None:
                part = etree.SubElement(item, _t(name))
            for kid in list(part):
                part.remove(kid)
            part.text = text

    return change


def drop(name: str) -> Change:
    def change(item: Any) -> None:
        for part in item.findall(_t(name)):
            item.remove(part)

    return change


def zone(name: str) -> Change:
    def change(item: Any) -> None:
        drop("StartTimeZone")(item)
        etree.SubElement(item, _t("StartTimeZone"), Id=name)

    return change


def rule(pattern: str, span: str) -> Change:
    """The item claims to be a series of its own. Its parts as text, ``{first}`` is its own day."""

    def change(item: Any) -> None:
        first = item.findtext(_t("Start"))[:10]
        put(CalendarItemType="RecurringMaster")(item)
        drop("Recurrence")(item)
        text = f'<t:Recurrence xmlns:t="{TYPES}">{pattern}{span}</t:Recurrence>'
        item.append(etree.fromstring(text.replace("{first}", first)))

    return change


def daily(interval: str = "1") -> str:
    return f"<t:DailyRecurrence><t:Interval>{interval}</t:Interval></t:DailyRecurrence>"


def weekly(days: str) -> str:
    return (
        f"<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>{days}</t:DaysOfWeek>"
        "</t:WeeklyRecurrence>"
    )


def monthly(number: str) -> str:
    return (
        "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval>"
        f"<t:DayOfMonth>{number}</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>"
    )


def yearly(number: str, month: str) -> str:
    return (
        f"<t:AbsoluteYearlyRecurrence><t:DayOfMonth>{number}</t:DayOfMonth>"
        f"<t:Month>{month}</t:Month></t:AbsoluteYearlyRecurrence>"
    )


def until(last: str) -> str:
    return (
        "<t:EndDateRecurrence><t:StartDate>{first}</t:StartDate>"
        f"<t:EndDate>{last}</t:EndDate></t:EndDateRecurrence>"
    )


def numbered(count: str) -> str:
    return (
        "<t:NumberedRecurrence><t:StartDate>{first}</t:StartDate>"
        f"<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences></t:NumberedRecurrence>"
    )


ENDLESS = "<t:NoEndRecurrence><t:StartDate>{first}</t:StartDate></t:NoEndRecurrence>"

POISON: dict[str, Change] = {
    "no start": drop("Start"),
    "start is no time": put(Start="yesterday"),
    "start is null": put(Start=""),
    "year 0": put(Start="0000-01-01T00:00:00Z"),
    "month 13": put(Start="2026-13-01T00:00:00Z"),
    "digits": put(Start="9" * 5000),
    "end before start": put(End="2001-01-01T00:00:00Z"),
    "recurrence is text": lambda item: put(
        CalendarItemType="RecurringMaster", Recurrence="FREQ=SECONDLY"
    )(item),
    "unknown pattern": rule("<t:HourlyRecurrence/>", ENDLESS),
    "unknown range": rule(daily(), "<t:SometimesRecurrence/>"),
    "interval 0": rule(daily("0"), ENDLESS),
    "interval huge": rule(daily(str(10**12)), ENDLESS),
    "interval text": rule(daily("one"), ENDLESS),
    "negative count": rule(daily(), numbered("-5")),
    "count is nan": rule(daily(), numbered("NaN")),
    "ends before it begins": rule(daily(), until("2001-01-01")),
    "no such weekday": rule(weekly("Caturday"), ENDLESS),
    "day 32": rule(monthly("32"), ENDLESS),
    "recurrence of its own": rule("<t:X/>", "<t:Y/>"),
}

STRANGE: dict[str, Change] = {
    "unknown showAs": put(LegacyFreeBusyStatus="Levitating"),
    "unknown sensitivity": put(Sensitivity="Cosmic"),
    "unknown zone": zone("Mars/Olympus"),
    "zone is a path": zone("../../etc/passwd"),
    "subject is a bomb": put(Subject="\u202e<script>" * 50_000),
    "organizer is text": put(Organizer="nobody"),
    "endless daily": rule(daily(), ENDLESS),
    "two thousand million dates": rule(daily(), numbered(str(2**31 - 1))),
    "ends in 9999": rule(daily(), until("9999-12-31")),
    "ends in 4500": rule(weekly("Monday"), until("4500-08-31")),
    "every 29 February": rule(yearly("29", "February"), ENDLESS),
    "30 February": rule(yearly("30", "February"), ENDLESS),
    "five years long": put(End=f"{day(5 + 1826):%Y-%m-%dT%H:%M:%SZ}"),
    "all day from nine": put(IsAllDayEvent="true"),
    "unknown type": put(CalendarItemType="Holiday"),
    "no length": lambda item: put(End=item.findtext(_t("Start")))(item),
}


def envelope(inner: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:m="{MESSAGES}"'
        f' xmlns:t="{TYPES}"><s:Body>{inner}</s:Body></s:Envelope>'
    ).encode()


def page(inner: str) -> bytes:
    """An answer to SyncFolderItems."""
    return envelope(
        "<m:SyncFolderItemsResponse><m:ResponseMessages><m:SyncFolderItemsResponseMessage"
        f' ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{inner}'
        "</m:SyncFolderItemsResponseMessage></m:ResponseMessages></m:SyncFolderItemsResponse>"
    )


_LAST = "<m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>"
NONSENSE = [
    b"",
    b"null",
    b"<a/>",
    envelope(""),
    envelope("<m:SyncFolderItemsResponse/>"),
    page(""),
    page(_LAST),
    page(f"<m:SyncState></m:SyncState>{_LAST}"),
    page("<m:SyncState>more</m:SyncState><m:IncludesLastItemInRange>x</m:IncludesLastItemInRange>"),
    b"<a>" * 100_000,
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>',
    b"\xff\xfe{\x00}",
    page(f"<m:SyncState>a</m:SyncState>{_LAST}<m:Changes>")[:-20],
    b"PK\x03\x04" * 1000,
]


def refusal(code: str) -> bytes:
    """A SOAP fault, as Exchange refuses a whole request."""
    errors = "http://schemas.microsoft.com/exchange/services/2006/errors"
    return envelope(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring><detail>"
        f'<e:ResponseCode xmlns:e="{errors}">{code}</e:ResponseCode></detail></s:Fault>'
    )


def change_items(change: Change, match: str) -> Spoil:
    """Change each item, in whichever answer it stands, whose XML matches."""

    def spoil(
        method: str, path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if b"CalendarItem>" not in body:
            return status, headers, body
        root = etree.fromstring(body)
        for item in root.iter(_t("CalendarItem")):
            if re.search(match, etree.tostring(item, encoding="unicode")):
                change(item)
        return status, headers, etree.tostring(root, xml_declaration=True, encoding="utf-8")

    return spoil
