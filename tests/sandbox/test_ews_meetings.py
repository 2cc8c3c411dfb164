"""Meetings over both fronts: one world, one booking attendant."""

from __future__ import annotations

import pytest

from .client import ANN, BOB, ROOM, event
from .soap import Ews, compare, invite, place, put, weekly, zones


@pytest.fixture
def room() -> Ews:
    return Ews()


@pytest.fixture
def ann(room: Ews) -> Ews:
    """Ann's own login, in the world of the room."""
    made = Ews(room.graph)
    made.user, made.act_as = ANN, None
    return made


def book(ann: Ews, *, send: str = "SendToAllAndSaveCopy", **more: str) -> tuple[str, str]:
    after = "<t:Location>Room 1</t:Location>" + invite(BOB, resource=ROOM)
    return ann.create(after=after + more.pop("after", ""), send=send, **more).ok().ids[0]


def only(ews: Ews) -> str:
    found = ews.find().ok()
    assert len(found.ids) >= 1, "nothing in the calendar"
    return next(one.get("Id") for one in found.all("//t:CalendarItem/t:ItemId"))


def test_a_meeting_made_by_ews_is_answered_by_the_attendant(ann: Ews, room: Ews) -> None:
    made = book(ann)
    seen = ann.get(made[0])
    assert seen.text("//t:Resources/t:Attendee/t:ResponseType") == "Accept"
    assert seen.text("//t:Resources/t:Attendee/t:LastResponseTime")
    assert seen.text("//t:CalendarItem/t:IsMeeting") == "true"
    assert seen.text("//t:CalendarItem/t:MeetingRequestWasSent") == "true"
    copy = room.get(only(room))
    assert copy.text("//t:CalendarItem/t:Subject") == "Person 0001", "rewritten as Exchange does"
    assert copy.text("//t:CalendarItem/t:MyResponseType") == "Accept"
    assert copy.text("//t:CalendarItem/t:AppointmentState") == "3"
    assert copy.text("//t:Organizer//t:EmailAddress") == ANN
    assert copy.text("//t:CalendarItem/t:UID") == seen.text("//t:CalendarItem/t:UID")
    (graph,) = room.graph.ok("GET", f"{ROOM}/events")["value"]
    assert graph["iCalUId"] == seen.text("//t:CalendarItem/t:UID")
    assert graph["responseStatus"]["response"] == "accepted"


def test_a_meeting_made_by_graph_shows_in_ews(ann: Ews, room: Ews) -> None:
    people = [{"emailAddress": {"address": ROOM}, "type": "resource"}]
    made = room.graph.ok("POST", f"{ANN}/events", event(attendees=people))
    assert ann.get(made["id"]).text("//t:Resources//t:EmailAddress") == ROOM
    assert room.get(only(room)).text("//t:CalendarItem/t:UID") == made["iCalUId"]


def test_a_taken_room_declines(ann: Ews, room: Ews) -> None:
    book(ann)
    second = book(ann)
    assert ann.get(second[0]).text("//t:Resources/t:Attendee/t:ResponseType") == "Decline"
    assert len(room.graph.live()) == 1


def test_nobody_hears_of_what_is_not_sent(ann: Ews, room: Ews) -> None:
    made = book(ann, send="SendToNone")
    assert room.graph.mails() == []
    assert ann.get(made[0]).text("//t:Resources//t:EmailAddress") == ROOM
    assert ann.get(made[0]).text("//t:MeetingRequestWasSent") == "false"
    changed = ann.update(made, put("item:Subject", "<t:Subject>x</t:Subject>")).ok().ids[0]
    assert room.graph.mails() == []
    ann.update(
        changed, put("item:Subject", "<t:Subject>y</t:Subject>"), send="SendToAllAndSaveCopy"
    ).ok()
    assert {(one["kind"], one["to"]) for one in room.graph.mails()} >= {
        ("request", BOB), ("request", ROOM), ("response", ANN),
    }  # fmt: skip


def test_an_update_is_judged_again(ann: Ews, room: Ews) -> None:
    made = book(ann)
    now = ann.get(made[0]).ids[0]
    ann.update(
        now,
        put("calendar:Start", "<t:Start>2026-12-01T12:00:00Z</t:Start>"),
        put("calendar:End", "<t:End>2026-12-01T13:00:00Z</t:End>"),
        send="SendToAllAndSaveCopy",
    ).ok()
    assert room.get(only(room)).text("//t:CalendarItem/t:Start") == "2026-12-01T12:00:00Z"
    assert ("update", ROOM) in {(one["kind"], one["to"]) for one in room.graph.mails()}


def test_a_cancelled_meeting(ann: Ews, room: Ews) -> None:
    made = book(ann)
    now = ann.get(made[0]).ids[0]
    inner = '<t:NewBodyContent BodyType="Text">Sorry</t:NewBodyContent>'
    ann.respond("CancelCalendarItem", now, inner).ok()
    mails = [one for one in room.graph.mails() if one["kind"] == "cancel"]
    assert {one["comment"] for one in mails} == {"Sorry"}
    assert ann.get(made[0]).codes == ["ErrorItemNotFound"]
    copy = room.get(only(room))
    assert copy.text("//t:CalendarItem/t:IsCancelled") == "true"
    ident = copy.ids[0]
    assert room.respond("AcceptItem", ident).codes == ["ErrorCalendarIsCancelledForAccept"]
    room.respond("RemoveItem", ident).ok()
    assert room.find().ok().ids == []


def test_the_organizer_deletes(ann: Ews, room: Ews) -> None:
    made = book(ann)
    ann.delete(made[0], send="SendToAllAndSaveCopy").ok()
    assert room.graph.live() == []
    assert [one["to"] for one in room.graph.mails() if one["kind"] == "cancel"] == [BOB, ROOM]


def test_a_silent_delete_leaves_the_copies(ann: Ews, room: Ews) -> None:
    made = book(ann)
    ann.delete(made[0], send="SendToNone").ok()
    assert len(room.graph.live()) == 1


def test_a_room_declines_with_a_text(ann: Ews, room: Ews) -> None:
    made = book(ann)
    copy = room.get(only(room)).ids[0]
    inner = '<t:Body BodyType="Text">Taken by the platform</t:Body>'
    room.respond("DeclineItem", copy, inner).ok()
    (mail,) = [one for one in room.graph.mails() if one.get("comment", "").startswith("Taken")]
    assert (mail["kind"], mail["from"], mail["to"]) == ("response", ROOM, ANN)
    assert ann.get(made[0]).text("//t:Resources/t:Attendee/t:ResponseType") == "Decline"
    assert room.graph.live() == []
    log = [line for line in room.graph.control("GET", "log")["log"] if line["who"] == "app"]
    assert log[-1]["kind"] == "decline"
    assert log[-1]["mailbox"] == ROOM


def test_a_silent_answer(ann: Ews, room: Ews) -> None:
    book(ann)
    copy = room.get(only(room)).ids[0]
    room.respond("TentativelyAcceptItem", copy, disposition="SaveOnly").ok()
    assert room.get(copy[0]).text("//t:CalendarItem/t:MyResponseType") == "Tentative"
    assert sum(one["kind"] == "response" for one in room.graph.mails()) == 1, "the attendant's own"


def test_answers_that_are_refused(ann: Ews, room: Ews) -> None:
    made = book(ann)
    own = ann.get(made[0]).ids[0]
    assert ann.respond("AcceptItem", own).codes == ["ErrorCalendarIsOrganizerForAccept"]
    assert ann.respond("DeclineItem", own).codes == ["ErrorCalendarIsOrganizerForDecline"]
    copy = room.get(only(room)).ids[0]
    assert room.respond("CancelCalendarItem", copy).codes == ["ErrorCalendarIsNotOrganizer"]
    assert room.respond("DeclineItem", (copy[0], made[1])).codes == ["ErrorStaleObject"]
    plain = room.create(start="2026-12-05T09:00:00Z", end="2026-12-05T10:00:00Z").ok().ids[0]
    assert room.respond("DeclineItem", plain).codes == ["ErrorInvalidItemForOperationDeclineItem"]
    without = room.call(
        f'<m:CreateItem><m:Items><t:DeclineItem><t:ReferenceItemId Id="{copy[0]}" '
        f'ChangeKey="{copy[1]}"/></t:DeclineItem></m:Items></m:CreateItem>'
    )
    assert without.codes == ["ErrorMessageDispositionRequired"]


def test_one_date_of_a_series_is_declined(ann: Ews, room: Ews) -> None:
    made = book(
        ann,
        start="2026-12-01T10:00:00",
        end="2026-12-01T11:00:00",
        after=weekly("Tuesday", "2026-12-01", 4) + zones(),
    )
    master = only(room)
    second = room.get(f'<t:OccurrenceItemId RecurringMasterId="{master}" InstanceIndex="2"/>').ids[
        0
    ]
    room.respond("DeclineItem", second).ok()
    assert len(room.graph.live()) == 3
    occurrence = ann.get(f'<t:OccurrenceItemId RecurringMasterId="{made[0]}" InstanceIndex="2"/>')
    assert occurrence.text("//t:Resources/t:Attendee/t:ResponseType") == "Decline"


def test_mail_comes_into_the_inbox(ann: Ews, room: Ews) -> None:
    bob = Ews(room.graph)
    bob.user, bob.act_as = BOB, None
    made = book(ann)
    request = bob.find(folder="inbox").ok()
    assert len(request.all("//t:MeetingRequest")) == 1
    full = bob.get(request.ids[0][0]).ok()
    assert full.text("//t:MeetingRequest/t:MeetingRequestType") == "NewMeetingRequest"
    assert full.text("//t:MeetingRequest/t:Start") == "2026-12-01T09:00:00Z"
    own = full.one("//t:AssociatedCalendarItemId").get("Id")
    assert bob.get(own).text("//t:CalendarItem/t:MyResponseType") == "NoResponseReceived"
    bob.respond("AcceptItem", full.ids[0]).ok()
    assert bob.find(folder="inbox").ok().ids == []
    assert bob.get(own).text("//t:CalendarItem/t:MyResponseType") == "Accept"
    assert ann.get(made[0]).text("//t:RequiredAttendees/t:Attendee[2]/t:ResponseType") == "Accept"
    answers = ann.find(folder="inbox").ok()
    assert (
        sorted(one.text for one in answers.all("//t:ItemClass"))
        == ["IPM.Schedule.Meeting.Resp.Pos"] * 2
    )
    shown = ann.get(answers.ids[0][0]).ok()
    assert shown.text("//t:MeetingResponse/t:ResponseType") == "Accept"
    ann.delete(made[0], send="SendOnlyToAll").ok()
    assert (
        bob.find(folder="inbox")
        .ok()
        .text("//t:MeetingCancellation/t:Subject")
        .startswith("Canceled: ")
    )
    assert room.find(folder="inbox").ok().ids == [], "the attendant keeps no requests"


def test_ordinary_mail(ann: Ews, room: Ews) -> None:
    answer = ann.call(
        '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:Message><t:Subject>Hi'
        f'</t:Subject><t:Body BodyType="Text">Hello</t:Body><t:ToRecipients><t:Mailbox>'
        f"<t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message></m:Items>"
        "</m:CreateItem>"
    ).ok()
    assert answer.all("//t:Message")
    bob = Ews(room.graph)
    bob.user, bob.act_as = BOB, None
    got = bob.find(compare("IsEqualTo", "message:IsRead", "false"), folder="inbox").ok()
    mail = bob.get(got.ids[0][0]).ok()
    assert mail.text("//t:Body") == "Hello"
    assert mail.text("//t:From//t:EmailAddress") == ANN
    bob.call(
        f"<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true"
        f"</m:SuppressReadReceipts><m:FolderIds>{place('inbox')}</m:FolderIds>"
        "</m:MarkAllItemsAsRead>"
    ).ok()
    assert bob.get(got.ids[0][0]).text("//t:IsRead") == "true"


def test_a_draft_is_sent(ann: Ews, room: Ews) -> None:
    draft = (
        ann.call(
            '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Subject>Later'
            f"</t:Subject><t:ToRecipients><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox>"
            "</t:ToRecipients></t:Message></m:Items></m:CreateItem>"
        )
        .ok()
        .ids[0]
    )
    assert room.graph.mails() == []
    ann.call(
        f'<m:SendItem SaveItemToFolder="true"><m:ItemIds><t:ItemId Id="{draft[0]}" '
        f'ChangeKey="{draft[1]}"/></m:ItemIds></m:SendItem>'
    ).ok()
    assert [one["subject"] for one in room.graph.mails()] == ["Later"]
    assert ann.get(draft[0]).codes == ["ErrorItemNotFound"]


def test_forwarding(ann: Ews, room: Ews) -> None:
    made = book(ann)
    own = ann.get(made[0]).ids[0]
    box = f"<t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox>"
    to = f"<t:ToRecipients>{box}</t:ToRecipients>"
    ann.respond("ForwardItem", own, to).ok()
    assert [one["to"] for one in room.graph.mails() if one["kind"] == "forward"] == [BOB]


def test_attendees_are_added_and_taken_off(ann: Ews, room: Ews) -> None:
    made = ann.create(after=invite(BOB), send="SendToAllAndSaveCopy").ok().ids[0]
    append = (
        '<t:AppendToItemField><t:FieldURI FieldURI="calendar:Resources"/><t:CalendarItem>'
        + invite(resource=ROOM)
        + "</t:CalendarItem></t:AppendToItemField>"
    )
    ann.update(made, append, send="SendToChangedAndSaveCopy").ok()
    assert len(room.graph.live()) == 1
    now = ann.get(made[0]).ids[0]
    gone = '<t:DeleteItemField><t:FieldURI FieldURI="calendar:Resources"/></t:DeleteItemField>'
    ann.update(now, gone, send="SendToAllAndSaveCopy").ok()
    assert room.graph.live() == []
    assert not ann.get(made[0]).all("//t:Resources")
    assert len(ann.get(made[0]).all("//t:RequiredAttendees/t:Attendee")) == 2, "the organizer, too"


def test_contacts_and_tasks_are_kept_as_they_were_said(ann: Ews) -> None:
    contact = (
        "<t:Contact><t:FileAs>Doe, Jo</t:FileAs><t:DisplayName>Jo Doe</t:DisplayName>"
        '<t:GivenName>Jo</t:GivenName><t:EmailAddresses><t:Entry Key="EmailAddress1">jo@x.example'
        "</t:Entry></t:EmailAddresses><t:Surname>Doe</t:Surname></t:Contact>"
    )
    task = "<t:Task><t:Subject>Do</t:Subject><t:PercentComplete>10</t:PercentComplete></t:Task>"
    for item, folder in ((contact, "contacts"), (task, "tasks")):
        ann.call(
            f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{item}</m:Items></m:CreateItem>'
        ).ok()
        assert len(ann.find(folder=folder).ok().ids) == 1
    made = ann.find(folder="contacts").ids[0]
    shown = ann.get(made[0]).ok()
    assert shown.text("//t:Contact/t:EmailAddresses/t:Entry") == "jo@x.example"
    change = (
        '<t:SetItemField><t:FieldURI FieldURI="contacts:Surname"/><t:Contact><t:Surname>Roe'
        "</t:Surname></t:Contact></t:SetItemField>"
    )
    ann.update(made, change).ok()
    shown = ann.get(made[0])
    assert shown.text("//t:Contact/t:Surname") == "Roe"
    assert shown.text("//t:Contact/t:GivenName") == "Jo"


def test_a_room_whose_attendant_does_not_answer_keeps_its_requests(ann: Ews, room: Ews) -> None:
    room.graph.processing(AutomateProcessing="AutoUpdate")
    book(ann)
    request = room.find(folder="inbox").ok()
    assert len(request.all("//t:MeetingRequest")) == 1
    copy = room.get(only(room))
    assert copy.text("//t:CalendarItem/t:LegacyFreeBusyStatus") == "Tentative"
    room.respond("AcceptItem", request.ids[0]).ok()
    assert room.get(only(room)).text("//t:CalendarItem/t:MyResponseType") == "Accept"


def test_links_are_kept_as_they_were_said(ann: Ews) -> None:
    url = "<t:MeetingWorkspaceUrl>https://x.example/w</t:MeetingWorkspaceUrl>"
    made = ann.create(after=url).ok().ids[0]
    assert ann.get(made[0]).text("//t:MeetingWorkspaceUrl") == "https://x.example/w"
    uri = '<t:FieldURI FieldURI="calendar:MeetingWorkspaceUrl"/>'
    ann.update(made, f"<t:DeleteItemField>{uri}</t:DeleteItemField>").ok()
    assert not ann.get(made[0]).all("//t:MeetingWorkspaceUrl")
