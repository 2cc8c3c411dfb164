"""FindItem: restrictions, order, pages, groups, and calendar views with their limits."""

from __future__ import annotations

import pytest

from .client import BERLIN, ROOM, event
from .soap import CLEAN, KEY, Ews, compare, tag, tag_is, weekly, zones

URI = '<t:FieldURI FieldURI="{}"/>'


@pytest.fixture
def ews() -> Ews:
    """Five appointments A to E on five days, each with its tag; C is private, E has no location."""
    ews = Ews()
    for number, letter in enumerate("ABCDE"):
        ews.create(
            subject=f"Item {letter}",
            start=f"2026-12-0{number + 1}T09:00:00Z",
            end=f"2026-12-0{number + 1}T10:00:00Z",
            middle=("<t:Sensitivity>Private</t:Sensitivity>" if letter == "C" else "")
            + tag(f"key-{letter}"),
            after="<t:Location>Berlin Mitte</t:Location>" if letter != "E" else "",
        ).ok()
    return ews


def contains(uri: str, text: str, mode: str = "Substring", loose: str = "IgnoreCase") -> str:
    return (
        f'<t:Contains ContainmentMode="{mode}" ContainmentComparison="{loose}">'
        f'{URI.format(uri)}<t:Constant Value="{text}"/></t:Contains>'
    )


def names(ews: Ews, restriction: str = "", **more: str) -> str:
    found = ews.find(restriction, **more).ok()
    return "".join(one.text[-1] for one in found.all("//t:Subject"))


START, END = "calendar:Start", "calendar:End"
CASES = [
    (tag_is("key-B"), "B"),
    (tag_is("KEY-b"), "B"),
    (tag_is("none"), ""),
    (compare("IsEqualTo", "item:Subject", "item a"), "A"),
    (compare("IsNotEqualTo", "item:Subject", "Item A"), "BCDE"),
    (compare("IsGreaterThan", START, "2026-12-03T09:00:00Z"), "DE"),
    (compare("IsGreaterThanOrEqualTo", START, "2026-12-03T09:00:00Z"), "CDE"),
    (compare("IsLessThan", END, "2026-12-02T10:00:00Z"), "A"),
    (compare("IsLessThanOrEqualTo", END, "2026-12-02T11:00:00+01:00"), "AB"),
    (compare("IsEqualTo", "item:Sensitivity", "Private"), "C"),
    (compare("IsEqualTo", "calendar:IsAllDayEvent", "false"), "ABCDE"),
    (compare("IsEqualTo", "item:ItemClass", "IPM.Appointment"), "ABCDE"),
    (contains("calendar:Location", "mitte"), "ABCD"),
    (contains("calendar:Location", "mitte", loose="Exact"), ""),
    (contains("calendar:Location", "Berlin", "Prefixed"), "ABCD"),
    (contains("calendar:Location", "Mitte", "Prefixed"), ""),
    (contains("calendar:Location", "Mitte", "PrefixOnWords"), "ABCD"),
    (contains("item:Subject", "Item C", "FullString"), "C"),
    (f"<t:Exists>{URI.format('calendar:Location')}</t:Exists>", "ABCD"),
    (f"<t:Not><t:Exists>{URI.format('calendar:Location')}</t:Exists></t:Not>", "E"),
    (f"<t:Exists>{KEY}</t:Exists>", "ABCDE"),
    (f"<t:Or>{tag_is('key-A')}{tag_is('key-E')}</t:Or>", "AE"),
    (
        f"<t:And>{compare('IsGreaterThan', START, '2026-12-01T09:00:00Z')}"
        f"{compare('IsLessThan', START, '2026-12-04T09:00:00Z')}"
        f"<t:Not>{tag_is('key-C')}</t:Not></t:And>",
        "BD"[:1],
    ),
    (
        f"<t:IsLessThan>{URI.format(START)}<t:FieldURIOrConstant>{URI.format(END)}"
        "</t:FieldURIOrConstant></t:IsLessThan>",
        "ABCDE",
    ),
    (
        '<t:Excludes><t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" '
        'PropertyId="33303" PropertyType="Integer"/><t:Bitmask Value="0x1"/></t:Excludes>',
        "ABCDE",
    ),
]


@pytest.mark.parametrize(("restriction", "found"), CASES)
def test_restrictions(ews: Ews, restriction: str, found: str) -> None:
    assert names(ews, restriction) == found


def test_by_global_id(ews: Ews) -> None:
    wanted = ews.get(ews.find(tag_is("key-D")).ids[0][0], extra=CLEAN).text(
        "//t:ExtendedProperty/t:Value"
    )
    assert names(ews, tag_is(wanted, CLEAN)) == "D"


@pytest.mark.not_of_schema
def test_restrictions_that_are_refused(ews: Ews) -> None:
    assert ews.find(compare("IsEqualTo", "calendar:UID", "x")).codes == [
        "ErrorUnsupportedPathForQuery"
    ]
    assert ews.find(compare("IsEqualTo", "calendar:Nonsense", "x")).codes == [
        "ErrorSchemaValidation"
    ]
    assert ews.find(f"<t:And>{tag_is('x')}</t:And>").codes == ["ErrorSchemaValidation"]
    assert ews.find(f"<t:Near>{tag_is('x')}</t:Near>").codes == ["ErrorSchemaValidation"]
    deep = tag_is("x")
    for _ in range(70):
        deep = f"<t:Not>{deep}</t:Not>"
    assert set(ews.find(deep).codes) <= {"ErrorRestrictionTooComplex", "ErrorSchemaValidation"}


def test_order(ews: Ews) -> None:
    down = '<t:FieldOrder Order="Descending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder>'
    assert names(ews, order=down) == "EDCBA"
    two = (
        '<t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="item:Sensitivity"/></t:FieldOrder>'
        '<t:FieldOrder Order="Descending"><t:FieldURI FieldURI="item:Subject"/></t:FieldOrder>'
    )
    assert names(ews, order=two) == "EDBAC"
    bad = '<t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="calendar:UID"/></t:FieldOrder>'
    assert ews.find(order=bad).codes == ["ErrorUnsupportedPathForSortGroup"]


def test_pages(ews: Ews) -> None:
    page = '<m:IndexedPageItemView MaxEntriesReturned="2" Offset="{}" BasePoint="{}"/>'
    seen, offset = "", 0
    while True:
        found = ews.find(view=page.format(offset, "Beginning")).ok()
        seen += "".join(one.text[-1] for one in found.all("//t:Subject"))
        root = found.one("//m:RootFolder")
        assert root.get("TotalItemsInView") == "5"
        offset = int(root.get("IndexedPagingOffset"))
        if root.get("IncludesLastItemInRange") == "true":
            break
    assert seen == "ABCDE"
    assert names(ews, view=page.format(0, "End")) == "DE"
    assert names(ews, view='<m:FractionalPageItemView Numerator="1" Denominator="2"/>') == "CDE"
    assert ews.find(view=page.format(-1, "Beginning")).codes == [
        "ErrorInvalidIndexedPagingParameters"
    ]
    none = page.replace('"2"', '"0"').format(0, "Beginning")
    assert ews.find(view=none).codes == ["ErrorInvalidPagingMaxRows"]


def test_groups(ews: Ews) -> None:
    group = (
        '<m:GroupBy Order="Ascending"><t:FieldURI FieldURI="item:Sensitivity"/>'
        '<t:AggregateOn Aggregate="Maximum"><t:FieldURI FieldURI="item:Subject"/></t:AggregateOn>'
        "</m:GroupBy>"
    )
    found = ews.find(group=group).ok()
    assert [one.text for one in found.all("//t:GroupIndex")] == ["Normal", "Private"]
    assert [len(one) for one in found.all("//t:GroupedItems/t:Items")] == [4, 1]


def test_a_listing_shows_what_is_in_the_table(ews: Ews) -> None:
    found = ews.find(tag_is("key-A"), extra=KEY + URI.format("calendar:RequiredAttendees")).ok()
    assert found.text("//t:ExtendedProperty/t:Value") == "key-A"
    assert found.text("//t:CalendarItem/t:Start")
    assert not found.all("//t:Body")
    for uri in ("item:Body", "item:MimeContent", "item:Attachments"):
        assert ews.find(extra=URI.format(uri)).codes == ["ErrorInvalidPropertyRequest"]
    assert ews.find(extra=URI.format("folder:DisplayName")).codes == ["ErrorInvalidPropertyRequest"]


def test_a_view_has_the_instances_that_touch_it(ews: Ews) -> None:
    # Ending at the start is out, starting at the end, too.
    shown = ews.view("2026-12-01T10:00:00Z", "2026-12-03T09:00:00Z").ok()
    assert [one.text for one in shown.all("//t:Subject")] == ["Item B"]
    shown = ews.view("2026-12-01T09:59:59Z", "2026-12-03T09:00:01Z").ok()
    assert [one.text for one in shown.all("//t:Subject")] == ["Item A", "Item B", "Item C"]


def test_a_view_may_be_cut_short(ews: Ews) -> None:
    shown = ews.view("2026-12-01T00:00:00Z", "2026-12-31T00:00:00Z", most="2").ok()
    root = shown.one("//m:RootFolder")
    assert len(shown.all("//t:CalendarItem")) == 2
    assert root.get("IncludesLastItemInRange") == "false"
    assert root.get("TotalItemsInView") == "5"
    whole = ews.view("2026-12-01T00:00:00Z", "2026-12-31T00:00:00Z").ok()
    assert whole.one("//m:RootFolder").get("IncludesLastItemInRange") == "true"


def test_views_that_are_refused(ews: Ews) -> None:
    two_years = ews.view("2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z")
    assert two_years.ok()
    assert ews.view("2026-01-01T00:00:00Z", "2028-02-01T00:00:00Z").codes == [
        "ErrorCalendarViewRangeTooBig"
    ]
    assert ews.view("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z").codes == [
        "ErrorCalendarEndDateIsEarlierThanStartDate"
    ]
    view = '<m:CalendarView StartDate="2026-01-01T00:00:00Z" EndDate="2026-02-01T00:00:00Z"/>'
    assert ews.find(view=view, folder="inbox").codes == [
        "ErrorCalendarFolderIsInvalidForCalendarView"
    ]
    assert ews.find(tag_is("x"), view=view).codes == ["ErrorInvalidOperation"]


def test_what_has_too_many_rows(ews: Ews) -> None:
    series = weekly("Monday Tuesday Wednesday Thursday Friday Saturday Sunday", "2026-12-06", 999)
    for hour in (1, 3):
        ews.create(
            start=f"2026-12-06T0{hour}:00:00",
            end=f"2026-12-06T0{hour}:30:00",
            after=series + zones(),
        ).ok()
    low, high = "2026-12-01T00:00:00Z", "2028-11-30T00:00:00Z"
    assert ews.view(low, high).codes == ["ErrorExceededFindCountLimit"]
    shown = ews.view(low, high, most="1000").ok()
    assert len(shown.all("//t:CalendarItem")) == 1000


def test_what_graph_made_is_found(ews: Ews) -> None:
    ews.graph.ok("POST", f"{ROOM}/events", event("2026-12-20", subject="Made by graph Z"))
    assert names(ews, contains("item:Subject", "graph")) == "Z"
    found = ews.find(
        contains("item:Subject", "graph"), extra=URI.format("calendar:StartTimeZone")
    ).ok()
    assert found.one("//t:StartTimeZone").get("Id") == BERLIN
