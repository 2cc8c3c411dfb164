"""Requests that are nearly right: the EWS front answers each with something its schema allows."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import pytest
from lxml import etree

from tests.fidelity import ews as judge
from tests.sandbox.client import BOB, ROOM
from tests.sandbox.soap import (
    CLEAN,
    KEY,
    Ews,
    appointment,
    compare,
    invite,
    place,
    put,
    tag,
    tag_is,
    weekly,
    zones,
)  # fmt: skip

NASTY = (
    "", " ", "0", "-1", "1", "99999999999999999999", "true", "x", "AAMk", "AAMkZXY=", "9999-12-31",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T10:00:00", "PT", "-PT25H", "\u202e",
    "24:00:00", "2026-12-01", "Exchange2007", "calendar:Start", "0x8205", "IPM.Note", "Sunday",
    "2026-12-01T10:00:00+99:99", "1601-01-01T00:00:00Z", "P9999999D", "Monday Tuesday", "Day",
)  # fmt: skip


def corpus(ews: Ews) -> list[str]:
    """Requests of every operation, valid ones, about things that are there."""
    single = ews.create(middle=tag("k"), after=invite(BOB)).ok().ids[0]
    series = (
        ews.create(
            start="2026-12-08T10:00:00",
            end="2026-12-08T11:00:00",
            after=weekly("Tuesday Friday", "2026-12-08", 6) + zones(),
        )
        .ok()
        .ids[0]
    )
    folder = f"<m:ParentFolderIds>{place('calendar')}</m:ParentFolderIds>"
    shape = (
        "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true"
        "</t:IncludeMimeContent><t:BodyType>Text</t:BodyType><t:AdditionalProperties>"
        f'<t:FieldURI FieldURI="calendar:Start"/>{KEY}{CLEAN}</t:AdditionalProperties>'
        "</m:ItemShape>"
    )
    bare = "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
    early = compare("IsLessThan", "calendar:Start", "2026-01-01")
    test = f"<t:And>{tag_is('k')}<t:Not>{early}</t:Not></t:And>"
    named = f'<t:ItemId Id="{single[0]}" ChangeKey="{single[1]}"/>'
    second = f'<t:OccurrenceItemId RecurringMasterId="{series[0]}" InstanceIndex="2"/>'
    made = appointment(
        middle='<t:Body BodyType="Text">x</t:Body>' + tag("n"),
        after="<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus><t:Location>L</t:Location>"
        + invite(BOB, resource=ROOM)
        + weekly("Monday", "2026-12-07", 3)
        + zones(),
    )
    saved = f"<m:SavedItemFolderId>{place('calendar')}</m:SavedItemFolderId>"
    changes = put("item:Subject", "<t:Subject>y</t:Subject>") + put(
        "calendar:Recurrence", weekly("Monday", "2026-12-07", 3)
    )
    return [
        f"<m:GetItem>{shape}<m:ItemIds>{named}{second}</m:ItemIds></m:GetItem>",
        f'<m:CreateItem SendMeetingInvitations="SendToNone">{saved}<m:Items><t:CalendarItem>{made}'
        "</t:CalendarItem></m:Items></m:CreateItem>",
        '<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations='
        f'"SendToNone"><m:ItemChanges><t:ItemChange>{named}<t:Updates>{changes}</t:Updates>'
        "</t:ItemChange></m:ItemChanges></m:UpdateItem>",
        f'<m:FindItem Traversal="Shallow">{bare}<m:IndexedPageItemView MaxEntriesReturned="5" '
        f'Offset="0" BasePoint="Beginning"/><m:Restriction>{test}</m:Restriction><m:SortOrder>'
        '<t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder>'
        f"</m:SortOrder>{folder}</m:FindItem>",
        f'<m:FindItem Traversal="Shallow">{bare}<m:CalendarView MaxEntriesReturned="9" '
        f'StartDate="2026-12-01T00:00:00Z" EndDate="2027-01-01T00:00:00Z"/>{folder}</m:FindItem>',
        f"<m:SyncFolderItems>{bare}<m:SyncFolderId>{place('calendar')}</m:SyncFolderId>"
        "<m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems>",
        '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:CancelCalendarItem>'
        f'<t:ReferenceItemId Id="{single[0]}" ChangeKey="{single[1]}"/><t:NewBodyContent '
        'BodyType="Text">x</t:NewBodyContent></t:CancelCalendarItem></m:Items></m:CreateItem>',
        '<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>Person</m:UnresolvedEntry>'
        "</m:ResolveNames>",
        f'<m:ConvertId DestinationFormat="HexEntryId"><m:SourceIds><t:AlternateId Format="EwsId" '
        f'Id="{single[0]}" Mailbox="{ROOM}"/></m:SourceIds></m:ConvertId>',
        "<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>" + place("calendar")
        + "</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes>"
        "<t:Timeout>5</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>",
        "<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>-60</t:Bias><t:StandardTime><t:Bias>0"
        "</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month>"
        "<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>-60</t:Bias>"
        "<t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday"
        "</t:DayOfWeek></t:DaylightTime></t:TimeZone><m:MailboxDataArray><t:MailboxData><t:Email>"
        f"<t:Address>{ROOM}</t:Address></t:Email><t:AttendeeType>Room</t:AttendeeType>"
        "</t:MailboxData></m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>"
        "2026-12-01T00:00:00</t:StartTime><t:EndTime>2026-12-09T00:00:00</t:EndTime></t:TimeWindow>"
        "<t:RequestedView>DetailedMerged</t:RequestedView></t:FreeBusyViewOptions>"
        "</m:GetUserAvailabilityRequest>",
        f"<m:CreateFolder><m:ParentFolderId>{place('calendar')}</m:ParentFolderId><m:Folders>"
        "<t:CalendarFolder><t:DisplayName>Sub</t:DisplayName></t:CalendarFolder></m:Folders>"
        "</m:CreateFolder>",
        '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape>'
        f"</m:FolderShape>{folder.replace('calendar', 'msgfolderroot')}</m:FindFolder>",
        f"<m:MoveItem><m:ToFolderId>{place('deleteditems')}</m:ToFolderId><m:ItemIds>{named}"
        "</m:ItemIds></m:MoveItem>",
        f'<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToNone">'
        f"<m:ItemIds>{second}</m:ItemIds></m:DeleteItem>",
        '<m:GetServerTimeZones ReturnFullTimeZoneData="true"><m:Ids><t:Id>UTC</t:Id></m:Ids>'
        "</m:GetServerTimeZones>",
        f'<m:CreateAttachment><m:ParentItemId Id="{single[0]}"/><m:Attachments><t:FileAttachment>'
        "<t:Name>a</t:Name><t:Content>AAEC</t:Content></t:FileAttachment></m:Attachments>"
        "</m:CreateAttachment>",
    ]  # fmt: skip


def spoil(chance: Random, root: Any) -> None:
    """One small harm somewhere in a document."""
    nodes = [one for one in root.iter() if one is not root]
    if not nodes:
        return
    node = chance.choice(nodes)
    harm = chance.randrange(6)
    if harm == 0:
        node.getparent().remove(node)
    elif harm == 1:
        node.addnext(deepcopy(node))
    elif harm == 2:
        node.text = chance.choice(NASTY)
    elif harm == 3 and node.attrib:
        node.set(chance.choice(sorted(node.attrib)), chance.choice(NASTY))
    elif harm == 4 and node.attrib:
        del node.attrib[chance.choice(sorted(node.attrib))]
    else:
        other = chance.choice(nodes)
        if node not in other.iterancestors() and other is not node:
            node.append(deepcopy(other))


def attack(seed: int) -> None:
    ews, chance = Ews(), Random(seed)
    bodies = corpus(ews)
    for _ in range(60):
        root = etree.fromstring(ews.envelope(chance.choice(bodies)).encode())
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            spoil(chance, root)
        response = ews.raw(etree.tostring(root))
        assert response.status in (200, 500)
        if judge.schema_file() is not None:
            faults = judge.envelope_faults(response.body)
            assert faults == [], etree.tostring(root)
        else:
            etree.fromstring(response.body)
    # The world is whole: everything in it can still be shown, by both fronts.
    ews.act_as = ROOM
    assert ews.find().ok()
    assert ews.view("2026-12-01T00:00:00Z", "2027-12-01T00:00:00Z", most="1000").ok()
    ews.graph.live()
    ews.graph.ok("GET", f"{ROOM}/events")


@pytest.mark.not_of_schema
@pytest.mark.parametrize("seed", range(8))
def test_nearly_right_requests(seed: int) -> None:
    attack(seed)
