"""The booking attendant, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from .client import ANN, BOB, ROOM, ROOM2, TAG, Graph, daily, event, weekly


def room_copy(graph: Graph, uid: str) -> Any:
    rows = graph.ok("GET", f"{ROOM}/events?$filter=iCalUId eq '{uid}'")["value"]
    return rows[0] if rows else None


def test_it_accepts_and_rewrites(graph: Graph) -> None:
    made = graph.book(sensitivity="private", body="secret agenda", subject="Merger")
    assert made["verdict"] == "accepted"
    copy = room_copy(graph, made["iCalUId"])
    assert copy["subject"] == "Person 0001"
    assert copy["sensitivity"] == "normal"
    assert copy["body"]["content"] == ""
    assert copy["isOrganizer"] is False
    assert copy["showAs"] == "busy"
    assert copy["responseStatus"]["response"] == "accepted"
    own = graph.ok("GET", f"{ANN}/events/{made['id']}")
    assert (own["subject"], own["sensitivity"]) == ("Merger", "private")
    assert own["attendees"][0]["status"]["response"] == "accepted"
    assert [(one["kind"], one["to"]) for one in graph.mails()] == [
        ("request", ROOM),
        ("response", ANN),
    ]


def test_titles_are_kept_when_the_customer_says_so(graph: Graph) -> None:
    graph.processing(
        DeleteSubject=False,
        AddOrganizerToSubject=False,
        DeleteComments=False,
        RemovePrivateProperty=False,
    )
    made = graph.book(subject="Merger", body="text", sensitivity="private")
    copy = room_copy(graph, made["iCalUId"])
    assert (copy["subject"], copy["sensitivity"]) == ("Merger", "private")
    assert "text" in copy["body"]["content"]


def test_organizer_before_a_kept_title(graph: Graph) -> None:
    graph.processing(DeleteSubject=False)
    assert (
        room_copy(graph, graph.book(subject="Merger")["iCalUId"])["subject"] == "Person 0001 Merger"
    )


def test_it_declines_a_clash_and_says_why(graph: Graph) -> None:
    graph.book()
    second = graph.book("2026-12-01T10:30", "2026-12-01T11:30", person=BOB)
    assert second["verdict"] == "declined"
    assert second["roomId"] is None
    assert "Person 0001" in graph.mails()[-1]["comment"]
    assert len(graph.live()) == 1
    assert graph.book("2026-12-01T11:00", "2026-12-01T12:00", person=BOB)["verdict"] == "accepted"


def test_app_made_blocks_stand_in_the_way_unless_free(graph: Graph) -> None:
    graph.ok("POST", f"{ROOM}/events", event(showAs="free"))
    assert graph.book()["verdict"] == "accepted"
    graph.ok("POST", f"{ROOM}/events", event("2026-12-02"))
    assert graph.book("2026-12-02T10:00", "2026-12-02T10:30")["verdict"] == "declined"
    # A write straight into the room's calendar meets no rule at all.
    graph.ok("POST", f"{ROOM}/events", event("2026-12-02"))
    assert len([one for one in graph.live() if one["start"].startswith("2026-12-02")]) == 2


@pytest.mark.parametrize(("blocks", "verdict"), [(True, "declined"), (False, "accepted")])
def test_tentative_blocks_by_switch(graph: Graph, blocks: bool, verdict: str) -> None:
    graph.switch(tentative_blocks=blocks)
    graph.ok("POST", f"{ROOM}/events", event(showAs="tentative"))
    assert graph.book()["verdict"] == verdict


@pytest.mark.parametrize(
    ("settings", "more", "verdict"),
    [
        ({"MaximumDurationInMinutes": 30}, {}, "declined"),
        ({"MaximumDurationInMinutes": 0}, {"end": "2026-12-05T11:00"}, "accepted"),
        ({}, {"end": "2026-12-03T11:00"}, "declined"),
        ({"BookingWindowInDays": 5}, {}, "declined"),
        ({}, {"start": "2027-08-01T10:00", "end": "2027-08-01T11:00"}, "declined"),
        ({"BookingType": "Reserved"}, {}, "declined"),
        (
            {"ScheduleOnlyDuringWorkHours": True},
            {"start": "2026-12-01T18:00", "end": "2026-12-01T19:00"},
            "declined",
        ),
        ({"ScheduleOnlyDuringWorkHours": True}, {}, "accepted"),
        ({"MinimumDurationInMinutes": 90}, {}, "declined"),
        ({"AllBookInPolicy": False}, {}, "declined"),
        ({"AllBookInPolicy": False, "BookInPolicy": [ANN]}, {}, "accepted"),
        ({"AllBookInPolicy": False, "AllRequestInPolicy": True}, {}, "tentativelyAccepted"),
        ({"BookingWindowInDays": 5, "AllRequestOutOfPolicy": True}, {}, "tentativelyAccepted"),
        ({"AllowRecurringMeetings": False}, {"recurrence": daily("2026-12-01")}, "declined"),
        ({}, {"person": "guest@elsewhere.example"}, "declined"),
        (
            {"ProcessExternalMeetingMessages": True},
            {"person": "guest@elsewhere.example"},
            "accepted",
        ),
        ({"AutomateProcessing": "None"}, {}, "none"),
        ({"AutomateProcessing": "AutoUpdate"}, {}, "none"),
    ],
)
def test_policies(
    graph: Graph, settings: dict[str, Any], more: dict[str, Any], verdict: str
) -> None:
    graph.processing(**settings)
    assert graph.book(**more)["verdict"] == verdict


def test_without_processing_the_request_stays_tentative_or_in_the_inbox(graph: Graph) -> None:
    graph.processing(AutomateProcessing="AutoUpdate")
    copy = room_copy(graph, graph.book()["iCalUId"])
    assert (copy["subject"], copy["showAs"], copy["responseStatus"]["response"]) == (
        "Plan",
        "tentative",
        "notResponded",
    )
    graph.processing(AutomateProcessing="None")
    assert room_copy(graph, graph.book("2026-12-02T10:00", "2026-12-02T11:00")["iCalUId"]) is None


def test_the_attendant_takes_its_time(graph: Graph) -> None:
    graph.processing(delay_s=40)
    made = graph.book()
    assert made["verdict"] == "none"
    copy = room_copy(graph, made["iCalUId"])
    assert (copy["subject"], copy["showAs"]) == ("Plan", "tentative")
    graph.clock.forward(39)
    assert room_copy(graph, made["iCalUId"])["showAs"] == "tentative"
    graph.clock.forward(2)
    after = room_copy(graph, made["iCalUId"])
    assert (after["id"], after["subject"], after["showAs"]) == (copy["id"], "Person 0001", "busy")
    assert after["changeKey"] != copy["changeKey"]


def test_accepting_may_give_a_new_id(graph: Graph) -> None:
    graph.switch(accept_recreates_copy=True, attendant_delay_s=10.0)
    made = graph.book()
    first = room_copy(graph, made["iCalUId"])
    _, link = graph.first_delta()
    graph.clock.forward(11)
    second = room_copy(graph, made["iCalUId"])
    assert second["id"] != first["id"]
    rows, _ = graph.round(link)
    assert [(one["id"], "@removed" in one) for one in rows] == [
        (first["id"], True),
        (second["id"], False),
    ]


def test_cancelled_while_the_attendant_thinks(graph: Graph) -> None:
    graph.processing(delay_s=40)
    made = graph.book()
    graph.box.act(kind="cancel", iCalUId=made["iCalUId"], room=ROOM)
    graph.clock.forward(60)
    assert graph.live() == []


def test_a_clashing_series_falls_whole_by_default(graph: Graph) -> None:
    graph.book("2026-12-15T10:00", "2026-12-15T11:00")
    series = graph.book(person=BOB, recurrence=weekly("2026-12-01", days=["tuesday"]))
    assert series["verdict"] == "declined"
    assert len(graph.live()) == 1


def test_a_series_may_lose_some_dates(graph: Graph) -> None:
    graph.processing(ConflictPercentageAllowed=50, MaximumConflictInstances=2)
    graph.book("2026-12-15T10:00", "2026-12-15T11:00")
    series = graph.book(person=BOB, recurrence=weekly("2026-12-01", days=["tuesday"]))
    assert (series["verdict"], series["declinedDates"]) == ("accepted", ["2026-12-15"])
    assert [one["originalDate"] for one in graph.live() if one["seriesUid"]] == [
        "2026-12-01",
        "2026-12-08",
        "2026-12-22",
    ]
    master = room_copy(graph, series["iCalUId"])
    picked = graph.ok("GET", f"{ROOM}/events/{master['id']}?$select=cancelledOccurrences")
    assert picked["cancelledOccurrences"] == [f"OID.{master['id']}.2026-12-15"]
    view = graph.ok("GET", f"{BOB}/calendarView?startDateTime=2026-12-15&endDateTime=2026-12-16")[
        "value"
    ]
    assert [one["attendees"][0]["status"]["response"] for one in view] == ["declined"]
    assert view[0]["type"] == "exception"


def test_allow_conflicts(graph: Graph) -> None:
    graph.processing(AllowConflicts=True)
    graph.book()
    assert graph.book(person=BOB)["verdict"] == "accepted"


@pytest.mark.parametrize(
    ("enforce", "verdict", "last"), [(True, "declined", None), (False, "accepted", "2027-05-18")]
)
def test_horizon(graph: Graph, enforce: bool, verdict: str, last: str | None) -> None:
    graph.processing(EnforceSchedulingHorizon=enforce)
    series = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]},
        "range": {"type": "noEnd", "startDate": "2026-12-01"},
    }
    assert graph.book(recurrence=series)["verdict"] == verdict
    days = [one["originalDate"] for one in graph.live()]
    assert (days[-1] if days else None) == last


def test_a_move_is_judged_again(graph: Graph) -> None:
    first = graph.book()
    other = graph.book("2026-12-01T14:00", "2026-12-01T15:00", person=BOB)
    moved = graph.box.act(
        kind="move",
        iCalUId=first["iCalUId"],
        room=ROOM,
        start="2026-12-01T14:30",
        end="2026-12-01T15:30",
    )
    assert moved["verdict"] == "declined"
    assert [one["organizer"] for one in graph.live()] == [BOB]
    back = graph.box.act(kind="move", iCalUId=first["iCalUId"], room=ROOM, start="2026-12-01T08:00")
    assert back["verdict"] == "accepted"
    longer = graph.box.act(
        kind="extend", iCalUId=other["iCalUId"], room=ROOM, end="2026-12-01T16:00"
    )
    assert longer["verdict"] == "accepted"
    assert [one["end"] for one in graph.live()] == ["2026-12-01T08:00:00Z", "2026-12-01T15:00:00Z"]


def test_a_moved_occurrence_may_be_declined_alone(graph: Graph) -> None:
    graph.book("2026-12-08T15:00", "2026-12-08T16:00")
    series = graph.book(person=BOB, recurrence=weekly("2026-12-01", days=["tuesday"]))
    moved = graph.box.act(
        kind="move_occurrence",
        iCalUId=series["iCalUId"],
        room=ROOM,
        date="2026-12-08",
        start="2026-12-08T15:00",
        end="2026-12-08T16:00",
    )
    assert moved["verdict"] == "declined"
    assert moved["declinedDates"] == ["2026-12-08"]
    assert len([one for one in graph.live() if one["seriesUid"]]) == 3
    again = graph.box.act(
        kind="move_occurrence",
        iCalUId=series["iCalUId"],
        room=ROOM,
        date="2026-12-08",
        start="2026-12-09T15:00",
        end="2026-12-09T16:00",
    )
    assert (again["verdict"], again["declinedDates"]) == ("accepted", [])


def set_back(graph: Graph, after: dict[str, Any]) -> None:
    """The room's mailbox, to what it was before the act ``after``."""
    graph.control("POST", f"rooms/{ROOM}/backup")
    graph.box.act(room=ROOM, **after)
    graph.control("POST", f"rooms/{ROOM}/restore", {"ids": "same", "tokens": "kept"})


@pytest.mark.parametrize(("taken", "verdict"), [(True, "declined"), (False, "accepted")])
def test_a_copy_that_was_set_back_is_not_moved_unjudged(
    graph: Graph, *, taken: bool, verdict: str
) -> None:
    """A restore left the room's copy at the time before its move. What its organizer changes next
    (the title) names the new time, too, which somebody else may have by now (seed 2681)."""
    made = graph.book()
    uid = made["iCalUId"]
    set_back(graph, {"kind": "move", "iCalUId": uid, "start": "2026-12-01T14:00"})
    assert room_copy(graph, uid)["start"]["dateTime"].startswith("2026-12-01T09:00")
    if taken:
        graph.ok("POST", f"{ROOM}/events", event(start="14:00", end="15:00"))
    graph.processing(delay_s=10)
    graph.box.act(kind="retitle", iCalUId=uid, room=ROOM, subject="Later")
    assert room_copy(graph, uid)["showAs"] == "tentative"
    graph.clock.forward(10)
    copy = room_copy(graph, uid)
    assert (copy and copy["start"]["dateTime"][:16]) == (None if taken else "2026-12-01T13:00")
    own = graph.ok("GET", f"{ANN}/events/{made['id']}")
    assert own["attendees"][0]["status"]["response"] == verdict


def test_nor_is_a_date_of_one(graph: Graph) -> None:
    series = graph.book(recurrence=weekly("2026-12-01", days=["tuesday"]))
    moved = {
        "kind": "move_occurrence", "iCalUId": series["iCalUId"], "date": "2026-12-08",
        "start": "2026-12-08T15:00", "end": "2026-12-08T16:00",
    }  # fmt: skip
    set_back(graph, moved)
    graph.book("2026-12-08T15:00", "2026-12-08T16:00", person=BOB)
    other = {"date": "2026-12-15", "start": "2026-12-15T15:00", "end": "2026-12-15T16:00"}
    told = graph.box.act(room=ROOM, **(moved | other))
    assert (told["verdict"], told["declinedDates"]) == ("accepted", ["2026-12-08"])
    assert len([one for one in graph.live() if one["seriesUid"]]) == 3


@pytest.mark.parametrize("remove", [False, True])
def test_cancellations(graph: Graph, remove: bool) -> None:
    graph.processing(RemoveCanceledMeetings=remove)
    made = graph.book()
    graph.box.act(kind="cancel", iCalUId=made["iCalUId"], room=ROOM)
    copy = room_copy(graph, made["iCalUId"])
    assert graph.live() == []
    if remove:
        assert copy is None
    else:
        assert copy["isCancelled"] is True
        assert copy["subject"] == "Canceled: Person 0001"
        assert copy["showAs"] == "free"
    assert graph.mails()[-1]["kind"] == "cancel"
    assert graph.book(person=BOB)["verdict"] == "accepted"


def test_the_tag_reaches_the_room_only_by_switch(graph: Graph) -> None:
    body = event(
        attendees=[{"type": "resource", "emailAddress": {"address": ROOM}}],
        singleValueExtendedProperties=[{"id": TAG, "value": "42"}],
    )
    graph.ok("POST", f"{ANN}/events", body)
    assert graph.live()[0]["tags"] == {}
    graph.switch(tag_reaches_room_copy=True)
    graph.ok(
        "POST",
        f"{ANN}/events",
        body
        | {
            "start": {"dateTime": "2026-12-03T10:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-12-03T11:00", "timeZone": "UTC"},
        },
    )
    assert graph.live()[1]["tags"] == {TAG: "42"}


def test_attendee_changes_mail_only_those(graph: Graph) -> None:
    made = graph.book()
    count = len(graph.mails())
    people = [{"type": "resource", "emailAddress": {"address": one}} for one in (ROOM, ROOM2)]
    graph.ok("PATCH", f"{ANN}/events/{made['id']}", {"attendees": people})
    assert [(one["kind"], one["to"]) for one in graph.mails()[count:]] == [
        ("request", ROOM2),
        ("response", ANN),
    ]
    graph.ok("PATCH", f"{ANN}/events/{made['id']}", {"attendees": people[1:]})
    assert (graph.mails()[-1]["kind"], graph.mails()[-1]["to"]) == ("cancel", ROOM)
    assert graph.live(ROOM) == []
    assert len(graph.live(ROOM2)) == 1
