"""Items through EWS: create, read, change, delete, move, copy."""

from __future__ import annotations

import pytest

from .client import ANN, ROOM, ROOM2, TAG, event
from .soap import CLEAN, GOID, KEY, Answer, Ews, appointment, place, put, tag, zones


@pytest.fixture
def ews() -> Ews:
    return Ews()


def test_an_appointment_comes_back_as_it_was_made(ews: Ews) -> None:
    middle = (
        "<t:Sensitivity>Private</t:Sensitivity>"
        '<t:Body BodyType="Text">Notes &lt;here&gt;</t:Body>'
        "<t:Categories><t:String>Blue</t:String></t:Categories><t:Importance>High</t:Importance>"
        "<t:ReminderIsSet>true</t:ReminderIsSet>"
        "<t:ReminderMinutesBeforeStart>20</t:ReminderMinutesBeforeStart>" + tag("k-1")
    )
    after = (
        "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>Here</t:Location>"
        + zones()
    )
    made = ews.create(middle=middle, after=after, subject="A & B").ok()
    item = ews.get(made.ids[0][0], extra=KEY + CLEAN, more="<t:BodyType>Text</t:BodyType>").ok()
    said = {
        name: item.text(f"//t:CalendarItem/t:{name}")
        for name in (
            "Subject", "Sensitivity", "Body", "Importance", "ReminderIsSet", "Start", "End",
            "ReminderMinutesBeforeStart", "LegacyFreeBusyStatus", "Location", "CalendarItemType",
            "IsAllDayEvent", "IsMeeting", "IsCancelled", "IsRecurring", "MyResponseType",
            "Duration",
        )
    }  # fmt: skip
    assert said == {
        "Subject": "A & B",
        "Sensitivity": "Private",
        "Body": "Notes <here>",
        "Importance": "High",
        "ReminderIsSet": "true",
        "ReminderMinutesBeforeStart": "20",
        "Start": "2026-12-01T09:00:00Z",
        "End": "2026-12-01T10:00:00Z",
        "LegacyFreeBusyStatus": "OOF",
        "Location": "Here",
        "CalendarItemType": "Single",
        "IsAllDayEvent": "false",
        "IsMeeting": "false",
        "IsCancelled": "false",
        "IsRecurring": "false",
        "MyResponseType": "Organizer",
        "Duration": "PT1H",
    }
    assert item.text("//t:Categories/t:String") == "Blue"
    assert item.one("//t:StartTimeZone").get("Id") == "W. Europe Standard Time"
    assert item.text("//t:ExtendedProperty[1]/t:Value") == "k-1"
    assert item.ids[0] == made.ids[0]


def test_shapes(ews: Ews) -> None:
    made = ews.create(middle=tag("k")).ok().ids[0][0]
    bare = ews.get(made, shape="IdOnly").ok()
    assert [one.tag.rpartition("}")[2] for one in bare.one("//t:CalendarItem")] == ["ItemId"]
    default = [
        one.tag.rpartition("}")[2]
        for one in ews.get(made, shape="Default").ok().one("//t:CalendarItem")
    ]
    assert default[:2] == ["ItemId", "Subject"]
    assert "UID" not in default
    named = ews.get(made, shape="IdOnly", extra='<t:FieldURI FieldURI="calendar:UID"/>' + KEY).ok()
    assert [one.tag.rpartition("}")[2] for one in named.one("//t:CalendarItem")] == [
        "ItemId", "ExtendedProperty", "UID",
    ]  # fmt: skip


def test_bodies_are_shown_as_asked(ews: Ews) -> None:
    made = (
        ews.create(middle='<t:Body BodyType="HTML">&lt;b&gt;Hi&lt;/b&gt; you</t:Body>')
        .ok()
        .ids[0][0]
    )
    assert "<b>Hi</b>" in ews.get(made, more="<t:BodyType>HTML</t:BodyType>").text("//t:Body")
    plain = ews.get(made, more="<t:BodyType>Text</t:BodyType>")
    assert plain.text("//t:Body") == "Hi you"
    assert plain.one("//t:Body").get("BodyType") == "Text"
    assert (
        ews.get(made, more="<t:BodyType>Best</t:BodyType>").one("//t:Body").get("BodyType")
        == "HTML"
    )


def test_times_take_the_zone_that_is_said(ews: Ews) -> None:
    naive = {"start": "2026-07-01T10:00:00", "end": "2026-07-01T11:00:00"}

    def start(**more: str) -> str:
        made = ews.create(**naive, **more).ok().ids[0][0]
        asked, ews.zone = ews.zone, None
        shown = ews.get(made).text("//t:CalendarItem/t:Start")
        ews.zone = asked
        return shown

    assert start() == "2026-07-01T10:00:00Z"
    assert start(after=zones()) == "2026-07-01T08:00:00Z"
    ews.zone = "Pacific Standard Time"
    assert start() == "2026-07-01T17:00:00Z"
    assert start(after=zones()) == "2026-07-01T08:00:00Z"
    ews.zone, ews.version = None, "Exchange2007_SP1"
    old = '<t:MeetingTimeZone TimeZoneName="Tokyo Standard Time"/>'
    assert start(after=old) == "2026-07-01T01:00:00Z"


def test_answers_are_in_the_zone_of_the_request(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    ews.zone = "W. Europe Standard Time"
    assert ews.get(made).text("//t:CalendarItem/t:Start") == "2026-12-01T10:00:00+01:00"
    ews.zone = "Tokyo Standard Time"
    assert ews.get(made).text("//t:CalendarItem/t:Start") == "2026-12-01T18:00:00+09:00"


def test_zones_nobody_knows(ews: Ews) -> None:
    assert ews.create(after='<t:StartTimeZone Id="Mars"/>').codes == ["ErrorTimeZone"]
    assert ews.create(after='<t:StartTimeZone Id="Europe/Berlin"/>').codes == ["ErrorTimeZone"]
    ews.zone = "Mars"
    assert ews.create().codes == ["ErrorTimeZone"]


def test_a_zone_described_by_its_rules(ews: Ews) -> None:
    rules = (
        '<t:StartTimeZone Id="Customized" Name="x"><t:Periods>'
        '<t:Period Bias="-PT1H" Name="Standard" Id="std"/>'
        '<t:Period Bias="-PT2H" Name="Daylight" Id="dlt"/></t:Periods><t:TransitionsGroups>'
        '<t:TransitionsGroup Id="0"><t:RecurringDayTransition><t:To Kind="Period">dlt</t:To>'
        "<t:TimeOffset>PT2H</t:TimeOffset><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>"
        "<t:Occurrence>-1</t:Occurrence></t:RecurringDayTransition><t:RecurringDayTransition>"
        '<t:To Kind="Period">std</t:To><t:TimeOffset>PT3H</t:TimeOffset><t:Month>10</t:Month>'
        "<t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence>"
        "</t:RecurringDayTransition></t:TransitionsGroup></t:TransitionsGroups></t:StartTimeZone>"
    )
    for day, start in (("2026-07-01", "08"), ("2026-12-01", "09")):
        made = (
            ews.create(start=f"{day}T10:00:00", end=f"{day}T11:00:00", after=rules).ok().ids[0][0]
        )
        item = ews.get(made)
        assert item.text("//t:CalendarItem/t:Start") == f"{day}T{start}:00:00Z"
        shown = item.one("//t:StartTimeZone")
        assert shown.get("Id") == "tzone://Microsoft/Custom"
        assert [one.get("Bias") for one in shown.iter("{*}Period")] == ["-PT1H", "-PT2H"]
        assert [one.text for one in shown.iter("{*}Month")] == ["3", "10"]


def test_whole_days_are_those_of_the_zone_they_were_made_in(ews: Ews) -> None:
    made = ews.create(
        start="2026-12-04T23:00:00Z",
        end="2026-12-05T23:00:00Z",
        after="<t:IsAllDayEvent>true</t:IsAllDayEvent>" + zones(),
    ).ok()
    item = ews.get(made.ids[0][0])
    assert item.text("//t:CalendarItem/t:Start") == "2026-12-04T23:00:00Z"
    assert item.text("//t:CalendarItem/t:End") == "2026-12-05T23:00:00Z"
    (live,) = ews.graph.live()
    assert (live["localStart"], live["localEnd"]) == ("2026-12-05T00:00:00", "2026-12-06T00:00:00")


def test_parts_of_days_grow_to_whole_ones(ews: Ews) -> None:
    ews.create(
        start="2026-12-05T08:00:00Z",
        end="2026-12-05T09:00:00Z",
        after="<t:IsAllDayEvent>true</t:IsAllDayEvent>" + zones(),
    ).ok()
    (live,) = ews.graph.live()
    assert (live["localStart"], live["localEnd"]) == ("2026-12-05T00:00:00", "2026-12-06T00:00:00")


def test_a_stale_change_key(ews: Ews) -> None:
    first = ews.create().ok().ids[0]
    second = ews.update(first, put("item:Subject", "<t:Subject>Two</t:Subject>")).ok()
    assert second.text("//m:ConflictResults/t:Count") == "0"
    assert second.ids[0][0] == first[0]
    assert second.ids[0][1] != first[1]
    change = put("item:Subject", "<t:Subject>Three</t:Subject>")
    assert ews.update(first, change).codes == ["ErrorIrresolvableConflict"]
    assert ews.get(first[0]).text("//t:Subject") == "Two"
    assert ews.update(first, change, resolution="AlwaysOverwrite").ok()
    assert ews.update(f'<t:ItemId Id="{first[0]}"/>', change).codes == [
        "ErrorChangeKeyRequiredForWriteOperations"
    ]


def test_fields_are_changed_in_order_and_one_at_a_time(ews: Ews) -> None:
    made = ews.create(after="<t:Location>Old</t:Location>", middle=tag("a")).ok().ids[0]
    changed = ews.update(
        made,
        put("item:Subject", "<t:Subject>One</t:Subject>"),
        put("item:Subject", "<t:Subject>Two</t:Subject>"),
        put("calendar:Start", "<t:Start>2026-12-01T12:00:00Z</t:Start>"),
        put("calendar:End", "<t:End>2026-12-01T13:00:00Z</t:End>"),
        '<t:DeleteItemField><t:FieldURI FieldURI="calendar:Location"/></t:DeleteItemField>',
        f"<t:DeleteItemField>{KEY}</t:DeleteItemField>",
        '<t:AppendToItemField><t:FieldURI FieldURI="item:Body"/><t:CalendarItem>'
        '<t:Body BodyType="Text">more</t:Body></t:CalendarItem></t:AppendToItemField>',
    ).ok()
    item = ews.get(changed.ids[0][0], extra=KEY)
    assert item.text("//t:Subject") == "Two"
    assert item.text("//t:CalendarItem/t:Start") == "2026-12-01T12:00:00Z"
    assert not item.all("//t:Location")
    assert not item.all("//t:ExtendedProperty")
    assert item.text("//t:Body") == "more"


def test_changes_that_are_refused(ews: Ews) -> None:
    made = ews.create().ok().ids[0]
    uri = '<t:FieldURI FieldURI="{}"/>'
    shell = "<t:CalendarItem>{}</t:CalendarItem>"
    cases = {
        "ErrorIncorrectUpdatePropertyCount": put(
            "item:Subject", "<t:Subject>a</t:Subject><t:Location>b</t:Location>"
        ),
        "ErrorUpdatePropertyMismatch": put("item:Subject", "<t:Location>b</t:Location>"),
        "ErrorInvalidPropertySet": put("calendar:IsMeeting", "<t:IsMeeting>true</t:IsMeeting>"),
        "ErrorInvalidPropertyAppend": "<t:AppendToItemField>" + uri.format("item:Subject")
        + shell.format("<t:Subject>a</t:Subject>") + "</t:AppendToItemField>",
        "ErrorInvalidPropertyDelete": "<t:DeleteItemField>" + uri.format("calendar:Start")
        + "</t:DeleteItemField>",
        "ErrorCalendarEndDateIsEarlierThanStartDate": put(
            "calendar:End", "<t:End>2026-11-30T00:00:00Z</t:End>"
        ),
    }  # fmt: skip
    for code, change in cases.items():
        assert ews.update(made, change).codes == [code]
    assert ews.get(made[0]).ids[0] == made, "nothing was changed"


def test_attributes_that_calendar_items_need(ews: Ews) -> None:
    body = "<m:Items><t:CalendarItem>" + appointment() + "</t:CalendarItem></m:Items>"
    assert ews.call(f"<m:CreateItem>{body}</m:CreateItem>").codes == [
        "ErrorSendMeetingInvitationsRequired"
    ]
    made = ews.create().ok().ids[0]
    change = put("item:Subject", "<t:Subject>x</t:Subject>")
    named = f'<t:ItemId Id="{made[0]}" ChangeKey="{made[1]}"/>'
    assert ews.call(
        '<m:UpdateItem ConflictResolution="AlwaysOverwrite"><m:ItemChanges><t:ItemChange>'
        f"{named}<t:Updates>{change}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
    ).codes == ["ErrorSendMeetingInvitationsOrCancellationsRequired"]
    assert ews.call(
        f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>{named}</m:ItemIds></m:DeleteItem>'
    ).codes == ["ErrorSendMeetingCancellationsRequired"]


@pytest.mark.not_of_schema
def test_members_out_of_order_or_unknown(ews: Ews) -> None:
    wrong = [
        "<t:Start>2026-12-01T09:00:00Z</t:Start><t:Subject>x</t:Subject>",
        "<t:Colour>blue</t:Colour>",
        "<t:Start>tomorrow</t:Start>",
        "<t:Subject>a</t:Subject><t:Subject>b</t:Subject>",
        "<t:LegacyFreeBusyStatus>Maybe</t:LegacyFreeBusyStatus>",
        "<t:IsAllDayEvent>perhaps</t:IsAllDayEvent>",
    ]
    for inner in wrong:
        assert ews.create(inner).codes == ["ErrorSchemaValidation"], inner
    assert ews.graph.live() == []


def test_every_item_of_a_batch_has_its_own_answer(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    gone = ews.create().ok().ids[0][0]
    ews.delete(gone).ok()
    answer = ews.get(gone, made, "nonsense", "")
    assert answer.codes == [
        "ErrorItemNotFound", "NoError", "ErrorInvalidIdMalformed", "ErrorInvalidIdEmpty",
    ]  # fmt: skip


def test_ids_are_case_sensitive_and_of_their_mailbox(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    assert ews.get(made.swapcase()).codes != ["NoError"]
    ews.act_as = ROOM2
    assert ews.get(made).codes == ["ErrorAccessDenied"]
    assert ews.get(ews.folder_id()).codes == ["ErrorCannotUseFolderIdForItemId"]


def test_a_deleted_item_goes_where_it_was_sent(ews: Ews) -> None:
    for how, folder in (
        ("HardDelete", None),
        ("SoftDelete", "recoverableitemsdeletions"),
        ("MoveToDeletedItems", "deleteditems"),
    ):
        made = ews.create(subject=how).ok().ids[0][0]
        ews.delete(made, how=how).ok()
        assert ews.get(made).codes == ["ErrorItemNotFound"]
        if folder:
            found = ews.find(folder=folder).ok()
            assert found.text("//t:Subject") == how
            assert found.ids[0][0] != made
            change = put("item:Subject", "<t:Subject>x</t:Subject>")
            late = ews.update(found.ids[0], change).codes
            assert late == (
                ["ErrorCalendarCannotUpdateDeletedItem"]
                if folder == "deleteditems"
                else ["NoError"]
            )
    assert ews.graph.live() == []


def test_what_people_delete_in_outlook_lies_in_deleted_items(ews: Ews) -> None:
    made = ews.create(subject="One").ok().ids[0][0]
    ews.graph.box.act(kind="cancel", id=made, room=ROOM)
    assert ews.get(made).codes == ["ErrorItemNotFound"]
    found = ews.find(folder="deleteditems").ok()
    assert (found.text("//t:Subject"), len(found.ids)) == ("One", 1)


def test_a_delegate_does_not_move_to_deleted_items(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    ews.act_as = None
    assert ews.delete(made, how="MoveToDeletedItems").codes == ["ErrorCannotDeleteObject"]
    assert ews.delete(made, how="HardDelete").ok()


def test_moving_and_copying(ews: Ews) -> None:
    made = ews.create(middle=tag("k")).ok().ids[0][0]
    sub = (
        ews.call(
            f"<m:CreateFolder><m:ParentFolderId>{place('calendar')}</m:ParentFolderId><m:Folders>"
            "<t:CalendarFolder><t:DisplayName>Second</t:DisplayName></t:CalendarFolder></m:Folders>"
            "</m:CreateFolder>"
        )
        .ok()
        .one("//t:FolderId")
        .get("Id")
    )
    ids = f'<m:ItemIds><t:ItemId Id="{made}"/></m:ItemIds>'
    into = f"<m:ToFolderId>{place(sub)}</m:ToFolderId>"
    copied = ews.call(f"<m:CopyItem>{into}{ids}</m:CopyItem>").ok().ids[0][0]
    assert copied != made
    moved = ews.call(f"<m:MoveItem>{into}{ids}</m:MoveItem>").ok().ids[0][0]
    assert ews.get(made).codes == ["ErrorItemNotFound"]
    assert len(ews.find(folder=sub).ok().all("//t:CalendarItem")) == 2
    both = ews.get(moved, copied, extra=KEY)
    assert [one.text for one in both.all("//t:ExtendedProperty/t:Value")] == ["k", "k"]
    uids = [one.text for one in both.all("//t:CalendarItem/t:UID")]
    assert uids[0] != uids[1]


def test_a_tag_is_one_in_both_fronts(ews: Ews) -> None:
    graph = ews.graph
    guid = "11111111-2222-3333-4444-555555555555"
    made = ews.create(middle=tag("from-ews")).ok().ids[0][0]
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{TAG}')"
    (one,) = graph.ok("GET", f"{ROOM}/events?{expand}")["value"]
    assert one["singleValueExtendedProperties"][0]["value"] == "from-ews"
    assert one["id"] == made
    other = graph.ok(
        "POST",
        f"{ROOM}/events",
        event("2026-12-02", singleValueExtendedProperties=[{"id": TAG, "value": "from-graph"}]),
    )
    path = KEY.replace(guid, guid.upper())
    assert ews.get(other["id"], extra=path).text("//t:ExtendedProperty/t:Value") == "from-graph"
    assert ews.get(other["id"]).one("//t:ItemId").get("ChangeKey") == other["changeKey"]


def test_global_ids_agree_with_uid_and_with_graph(ews: Ews) -> None:
    from base64 import b64decode

    own = ews.create().ok().ids[0][0]
    item = ews.get(own, extra=CLEAN + GOID)
    uid = item.text("//t:UID")
    values = [one.text for one in item.all("//t:ExtendedProperty/t:Value")]
    assert {b64decode(one).hex().upper() for one in values} == {uid}
    (graph,) = ews.graph.ok("GET", f"{ROOM}/events")["value"]
    assert graph["iCalUId"] == uid
    foreign = (
        ews.create(
            "<t:Subject>x</t:Subject><t:UID>abc@example.org</t:UID><t:Start>2026-12-03T09:00:00Z"
            "</t:Start><t:End>2026-12-03T10:00:00Z</t:End>"
        )
        .ok()
        .ids[0][0]
    )
    item = ews.get(foreign, extra=CLEAN)
    blob = b64decode(item.text("//t:ExtendedProperty/t:Value"))
    assert item.text("//t:UID") == "abc@example.org"
    assert blob[40:] == b"vCal-Uid\x01\x00\x00\x00abc@example.org\x00"
    assert int.from_bytes(blob[36:40], "little") == len(blob[40:])


@pytest.mark.parametrize("gone", [0, 1])
def test_one_of_two_equal_items_can_be_found_when_the_other_is_gone(ews: Ews, gone: int) -> None:
    """Seed 140 of Exchange Server: a create that a proxy sent twice makes two items of one UID."""
    inner = (
        "<t:Subject>x</t:Subject><t:UID>abc@example.org</t:UID><t:Start>2026-12-03T09:00:00Z"
        "</t:Start><t:End>2026-12-03T10:00:00Z</t:End>"
    )
    twins = [ews.create(inner).ok().ids[0][0] for _ in range(2)]
    ews.delete(twins[gone]).ok()
    left = {"room": ROOM, "iCalUId": "abc@example.org"}
    ews.graph.control("POST", "acts", left | {"kind": "retitle", "subject": "left"})
    assert ews.get(twins[1 - gone]).text("//t:Subject") == "left"
    ews.graph.control("POST", "acts", left | {"kind": "move_folder"})
    ews.graph.control("POST", "acts", left | {"kind": "remove"})
    assert ews.graph.live() == []


def test_extended_properties_of_all_kinds(ews: Ews) -> None:
    guid = "aaaaaaaa-2222-3333-4444-555555555555"
    cases = [
        ("Integer", 'PropertyName="n"', "7"),
        ("Boolean", 'PropertyName="b"', "true"),
        ("Double", 'PropertyId="32900"', "1.5"),
        ("SystemTime", 'PropertyName="t"', "2026-12-01T09:00:00Z"),
        ("Binary", 'PropertyName="bin"', "AAEC"),
        ("CLSID", 'PropertyName="c"', "aaaaaaaa-2222-3333-4444-555555555555"),
    ]
    paths = [
        f'<t:ExtendedFieldURI PropertySetId="{guid}" {name} PropertyType="{kind}"/>'
        for kind, name, _ in cases
    ]
    many = (
        f'<t:ExtendedFieldURI PropertySetId="{guid}" PropertyName="m" PropertyType="StringArray"/>'
    )
    inner = "".join(
        f"<t:ExtendedProperty>{path}<t:Value>{case[2]}</t:Value></t:ExtendedProperty>"
        for path, case in zip(paths, cases, strict=True)
    )
    inner += (
        f"<t:ExtendedProperty>{many}<t:Values><t:Value>a</t:Value><t:Value>b</t:Value></t:Values>"
        "</t:ExtendedProperty>"
    )
    made = ews.create(middle=inner).ok().ids[0][0]
    item = ews.get(made, extra="".join(paths) + many).ok()
    shown = [one.text for one in item.all("//t:ExtendedProperty/t:Value")]
    assert shown == [case[2] for case in cases]
    assert [one.text for one in item.all("//t:Values/t:Value")] == ["a", "b"]


def test_bad_extended_properties(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    bad = [
        '<t:ExtendedFieldURI PropertyName="x" PropertyType="String"/>',
        '<t:ExtendedFieldURI PropertyTag="0x1000" PropertyName="x" PropertyType="String"/>',
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertySetId="'
        'aaaaaaaa-2222-3333-4444-555555555555" PropertyId="1" PropertyType="String"/>',
    ]
    for path in bad:
        assert ews.get(made, extra=path).codes == ["ErrorInvalidExtendedProperty"]
    value = tag("x").replace('"String"', '"Integer"')
    assert ews.create(middle=value).codes == ["ErrorInvalidExtendedPropertyValue"]


def test_mapi_properties_that_gateways_read(ews: Ews) -> None:
    made = ews.create(subject="Name", after="<t:Location>L</t:Location>").ok().ids[0][0]
    asked = {
        'PropertyTag="0x37" PropertyType="String"': "Name",
        'PropertyTag="0x10f3" PropertyType="String"': "Name.EML",
        'PropertyTag="0x1a" PropertyType="String"': "IPM.Appointment",
        'DistinguishedPropertySetId="Appointment" PropertyId="33288" PropertyType="String"': "L",
        'DistinguishedPropertySetId="Appointment" PropertyId="33293" PropertyType="SystemTime"':
            "2026-12-01T09:00:00Z",
        'DistinguishedPropertySetId="Appointment" PropertyId="33315" PropertyType="Boolean"':
            "false",
        'DistinguishedPropertySetId="Common" PropertyId="34062" PropertyType="Boolean"': None,
    }  # fmt: skip
    for attrs, value in asked.items():
        shown = ews.get(made, shape="IdOnly", extra=f"<t:ExtendedFieldURI {attrs}/>").ok()
        assert [one.text for one in shown.all("//t:Value")] == ([value] if value else [])


def test_people_who_may_not(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    ews.user, ews.act_as = ANN, None
    assert ews.get(made).codes == ["ErrorAccessDenied"]
    assert ews.create(folder=f"calendar@{ROOM}").codes == ["ErrorAccessDenied"]
    assert ews.delete(made).codes == ["ErrorAccessDenied"]
    assert len(ews.graph.live()) == 1


def test_times_in_milliseconds_where_they_are_asked_for(ews: Ews) -> None:
    made = ews.create().ok().ids[0][0]
    plain = ews.get(made).text("//t:CalendarItem/t:LastModifiedTime")
    body = ews.envelope(
        "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:ItemIds>"
        f'<t:ItemId Id="{made}"/></m:ItemIds></m:GetItem>'
    )
    asked = "<t:DateTimePrecision>Milliseconds</t:DateTimePrecision></s:Header>"
    answer = Answer(ews.raw(body.replace("</s:Header>", asked)))
    fine = answer.text("//t:CalendarItem/t:LastModifiedTime")
    assert (len(fine), fine[:19]) == (len("2026-11-20T09:00:00.000Z"), plain[:19])
    assert ews.get(made).text("//t:CalendarItem/t:LastModifiedTime") == plain
