"""Reading and writing events as a stranger's Graph client would."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from .client import ANN, BERLIN, BOB, ROOM, ROOM2, TAG, Graph, at, daily, event, tag_filter

EXPAND = f"$expand=singleValueExtendedProperties($filter=id eq '{TAG}')"


def test_create_and_read(graph: Graph) -> None:
    answer = graph.call("POST", f"{ROOM}/events", event(transactionId="t1", categories=["blue"]))
    made = answer.json()
    assert answer.status == 201
    assert made["start"] == {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC"}
    assert made["originalStartTimeZone"] == BERLIN
    assert made["responseStatus"]["response"] == "organizer"
    assert made["isOrganizer"] is True
    assert made["type"] == "singleInstance"
    assert made["@odata.etag"] == f'W/"{made["changeKey"]}"'
    assert made["transactionId"] == "t1"
    assert "originalStart" not in made
    assert len(made["createdDateTime"]) == len("2026-11-20T09:00:00.0000000Z")
    read = graph.ok("GET", f"{ROOM}/events/{made['id']}")
    assert {**read, "@odata.context": 0} == {**made, "@odata.context": 0}
    local = graph.call("GET", f"{ROOM}/events/{made['id']}", prefer=f'outlook.timezone="{BERLIN}"')
    assert local.json()["start"] == {"dateTime": "2026-12-01T10:00:00.0000000", "timeZone": BERLIN}
    assert "outlook.timezone" in local.headers["Preference-Applied"]
    assert graph.mails() == []


@pytest.mark.parametrize("path", ["{}/calendar/events/{}", "{}/calendars/{cal}/events/{}"])
def test_other_roads_to_one_event(graph: Graph, path: str) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event())
    cal = graph.ok("GET", f"{ROOM}/calendar")["id"]
    assert graph.ok("GET", path.format(ROOM, made["id"], cal=cal))["id"] == made["id"]
    uid = graph.ok("GET", f"{ROOM}?$select=id")["id"]
    assert graph.ok("GET", f"{uid}/events/{made['id']}")["id"] == made["id"]


def test_transaction_ids(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event(transactionId="t1"))
    answer = graph.call("POST", f"{ROOM}/events", event(transactionId="t1"))
    assert answer.status == 409
    assert answer.json()["error"]["code"] == "ErrorDuplicateTransactionId"
    assert answer.json()["error"]["@event.existingEventId"] == made["id"]
    graph.switch(duplicate_status=400, duplicate_existing_id=False)
    answer = graph.call("POST", f"{ROOM}/events", event(transactionId="t1"))
    assert answer.status == 400
    assert "@event.existingEventId" not in answer.json()["error"]
    graph.ok("POST", f"{ROOM2}/events", event(transactionId="t1"))
    assert len(graph.live()) == 1


def test_preconditions_by_switch(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event())
    path, old = f"{ROOM}/events/{made['id']}", made["@odata.etag"]
    new = graph.ok("PATCH", path, {"subject": "b"}, If_Match=old)["@odata.etag"]
    assert new != old
    assert graph.refused("PATCH", path, {"subject": "c"}, If_Match=old) == (
        412,
        "ErrorIrresolvableConflict",
    )
    assert graph.refused("DELETE", path, If_Match=old) == (412, "ErrorIrresolvableConflict")
    graph.switch(if_match_patch=False, if_match_delete=False)
    graph.ok("PATCH", path, {"subject": "c"}, If_Match=old)
    assert graph.call("DELETE", path, If_Match=old).status == 204
    assert graph.refused("GET", path) == (404, "ErrorItemNotFound")


def test_extended_properties(graph: Graph) -> None:
    body = event(singleValueExtendedProperties=[{"id": TAG, "value": "Abc"}])
    made = graph.ok("POST", f"{ROOM}/events", body)
    assert "singleValueExtendedProperties" not in made
    path = f"{ROOM}/events/{made['id']}"
    assert "singleValueExtendedProperties" not in graph.ok("GET", path)
    read = graph.ok("GET", f"{path}?{EXPAND}")
    assert read["singleValueExtendedProperties"] == [{"id": TAG, "value": "Abc"}]
    found = graph.ok("GET", f"{ROOM}/events?$filter={tag_filter('aBC')}&{EXPAND}&$select=subject")[
        "value"
    ]
    assert [one["id"] for one in found] == [made["id"]]
    assert found[0]["singleValueExtendedProperties"][0]["value"] == "Abc"
    # The name is case-sensitive, the GUID is not, the value is not.
    assert graph.ok("GET", f"{ROOM}/events?$filter={tag_filter('x')}")["value"] == []
    other = quote(
        "singleValueExtendedProperties/Any(ep: ep/id eq "
        f"'{TAG.replace('calsync', 'CALSYNC')}' and ep/value eq 'abc')"
    )
    assert graph.ok("GET", f"{ROOM}/events?$filter={other}")["value"] == []
    graph.ok("PATCH", path, {"singleValueExtendedProperties": [{"id": TAG, "value": "2"}]})
    assert graph.live()[0]["tags"] == {TAG: "2"}
    view = graph.ok(
        "GET", f"{ROOM}/calendarView?startDateTime=2026-12-01&endDateTime=2026-12-02&{EXPAND}"
    )
    assert "singleValueExtendedProperties" not in view["value"][0]
    assert (
        graph.refused(
            "POST",
            f"{ROOM}/events",
            event(singleValueExtendedProperties=[{"id": "calsync", "value": "1"}]),
        )[0]
        == 400
    )


def test_lists_and_filters(graph: Graph) -> None:
    for hour in range(8, 20):
        graph.ok(
            "POST",
            f"{ROOM}/events",
            event(start=f"{hour:02d}:00", end=f"{hour:02d}:30", subject=f"It's {hour}"),
        )
    first = graph.ok("GET", f"{ROOM}/events?$count=true")
    assert (len(first["value"]), first["@odata.count"]) == (10, 12)
    rest = graph.ok("GET", first["@odata.nextLink"])
    assert len(rest["value"]) == 2
    assert "@odata.nextLink" not in rest

    def found(text: str, more: str = "") -> list[str]:
        rows = graph.ok("GET", f"{ROOM}/events?$top=50&$filter={quote(text)}{more}")["value"]
        return [one["subject"][5:] for one in rows]

    assert found("subject eq 'It''s 9'") == ["9"]
    assert found(
        "start/dateTime ge '2026-12-01T17:00:00' and end/dateTime le '2026-12-01T18:00'"
    ) == ["18"]
    assert found("start/dateTime lt '2026-12-01T08:00:00.0000000Z'") == ["8"]
    assert found("not (type eq 'singleInstance')") == []
    assert found("isAllDay eq false and (subject eq 'It''s 8' or subject eq 'It''s 10')") == [
        "8",
        "10",
    ]
    assert (
        found("startswith(subject,'it') and subject ne 'It''s 8'", "&$orderby=start/dateTime desc")[
            0
        ]
        == "19"
    )
    assert found("categories/any(c:c eq 'red')") == []
    picked = graph.ok("GET", f"{ROOM}/events?$select=subject&$top=1")["value"][0]
    assert set(picked) == {"@odata.etag", "id", "subject"}
    assert graph.refused("GET", f"{ROOM}/events?$filter=subject like 'x'") == (400, "BadRequest")
    assert graph.refused("GET", f"{ROOM}/events?$top=0") == (400, "BadRequest")


def test_calendar_view_and_its_window(graph: Graph) -> None:
    graph.ok("POST", f"{ROOM}/events", event())
    graph.ok("POST", f"{ROOM}/events", event("2026-12-03", recurrence=daily("2026-12-03", 3)))
    for window, count in (
        ("2026-12-01T09:00:00Z&endDateTime=2026-12-01T10:00:00Z", 1),
        ("2026-12-01T10:00:00Z&endDateTime=2026-12-02T10:00:00Z", 0),
        ("2026-12-01T11:00:00%2B01:00&endDateTime=2026-12-01T12:00:00%2B01:00", 0),
        ("2026-12-01T10:59:59%2B01:00&endDateTime=2026-12-01T12:00:00%2B01:00", 1),
        ("2026-12-01&endDateTime=2027-01-01", 4),
    ):
        page = graph.ok(
            "GET",
            f"{ROOM}/calendarView?startDateTime={window}",
            prefer=f'outlook.timezone="{BERLIN}"',
        )
        assert len(page["value"]) == count, window
    assert graph.refused("GET", f"{ROOM}/calendarView")[0] == 400
    types = [one["type"] for one in graph.ok("GET", f"{ROOM}/events")["value"]]
    assert types == ["singleInstance", "seriesMaster"]


def test_all_day(graph: Graph) -> None:
    body = event(isAllDay=True) | {
        "start": at("2026-12-01", "00:00"),
        "end": at("2026-12-03", "00:00"),
    }
    made = graph.ok("POST", f"{ROOM}/events", body)
    assert (made["start"]["dateTime"][:10], made["end"]["dateTime"][:10]) == (
        "2026-12-01",
        "2026-12-03",
    )
    assert graph.live()[0]["start"] == "2026-11-30T23:00:00Z"
    graph.switch(all_day_floats=False)
    assert (
        graph.ok("GET", f"{ROOM}/events/{made['id']}")["start"]["dateTime"]
        == "2026-11-30T23:00:00.0000000"
    )
    for bad in (
        {"start": at("2026-12-01", "01:00")},
        {"end": at("2026-12-01", "00:00")},
        {"end": at("2026-12-02", "00:00", "UTC")},
    ):
        assert graph.refused("POST", f"{ROOM}/events", body | bad) == (
            400,
            "ErrorPropertyValidationFailure",
        )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"showAs": "bussy"}, "RequestBodyRead"),
        ({"isAllDay": "maybe"}, "RequestBodyRead"),
        (
            {"start": {"dateTime": "2026-12-01T10:00:00", "timeZone": "Europe/Vienna"}},
            "TimeZoneNotSupportedException",
        ),
        (
            {"start": {"dateTime": "2026-12-01T10:00:00", "timeZone": "Mars"}},
            "TimeZoneNotSupportedException",
        ),
        ({"start": {"dateTime": "soon", "timeZone": "UTC"}}, "ErrorPropertyValidationFailure"),
        (
            {"start": {"dateTime": "2026-12-02T10:00:00", "timeZone": "UTC"}},
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
        (
            {"end": {"dateTime": "2032-12-02T10:00:00", "timeZone": "UTC"}},
            "ErrorCalendarDurationIsTooLong",
        ),
        ({"attendees": [{"emailAddress": {}}]}, "ErrorPropertyValidationFailure"),
    ],
)
def test_bad_bodies(graph: Graph, change: dict[str, Any], code: str) -> None:
    assert graph.refused("POST", f"{ROOM}/events", event() | change) == (400, code)
    assert graph.live() == []


def test_zone_names(graph: Graph) -> None:
    for name, kept in (
        ("Europe/Berlin", BERLIN),
        (BERLIN, BERLIN),
        ("UTC", "UTC"),
        ("Pacific Standard Time",) * 2,
    ):
        assert graph.ok("POST", f"{ROOM}/events", event(zone=name))["originalStartTimeZone"] == kept
    graph.switch(zone_names="as_written", any_iana_zone=True)
    assert (
        graph.ok("POST", f"{ROOM}/events", event(zone="Europe/Vienna"))["originalStartTimeZone"]
        == "Europe/Vienna"
    )
    starts = [one["start"][11:16] for one in graph.live()]
    assert starts == ["09:00", "09:00", "09:00", "10:00", "18:00"]


def test_ids(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event())
    kept = graph.ok("POST", f"{ROOM}/events", event("2026-12-02"), prefer='IdType="ImmutableId"')
    assert (
        graph.ok("GET", f"{ROOM}/events/{kept['id']}", prefer='IdType="ImmutableId"')["id"]
        == kept["id"]
    )
    # Either form names the event, the header chooses that of the answer.
    assert graph.ok("GET", f"{ROOM}/events/{kept['id']}")["id"] != kept["id"]
    graph.switch(ids_of_asked_form=True)
    assert graph.refused("GET", f"{ROOM}/events/{kept['id']}") == (400, "ErrorInvalidIdMalformed")
    assert (
        graph.refused("GET", f"{ROOM}/events/{made['id']}", prefer='IdType="ImmutableId"')[1]
        == "ErrorInvalidIdMalformed"
    )
    assert graph.refused("GET", f"{ROOM}/events/nonsense") == (400, "ErrorInvalidIdMalformed")
    assert graph.refused("GET", f"{ROOM2}/events/{made['id']}") == (404, "ErrorItemNotFound")
    body = {
        "inputIds": [made["id"]],
        "sourceIdType": "restId",
        "targetIdType": "restImmutableEntryId",
    }
    immutable = graph.ok("POST", f"{ROOM}/translateExchangeIds", body)["value"][0]["targetId"]
    graph.box.act(kind="move_folder", id=made["id"], room=ROOM)
    assert graph.refused("GET", f"{ROOM}/events/{made['id']}") == (404, "ErrorItemNotFound")
    moved = graph.ok("GET", f"{ROOM}/events?$filter=iCalUId eq '{made['iCalUId']}'")["value"][0]
    assert moved["id"] != made["id"]
    assert (
        graph.ok("GET", f"{ROOM}/events/{immutable}", prefer='IdType="ImmutableId"')["iCalUId"]
        == made["iCalUId"]
    )


def room_event(graph: Graph, **more: Any) -> tuple[Any, str]:
    made = graph.book(**more)
    return made, f"{ROOM}/events/{made['roomId']}"


def test_decline_by_the_room(graph: Graph) -> None:
    made, path = room_event(graph)
    answer = graph.call(
        "POST", f"{path}/decline", {"Comment": "taken, try room 2", "SendResponse": True}
    )
    assert (answer.status, answer.body) == (202, b"")
    assert graph.live() == []
    assert (
        graph.ok("GET", f"{ANN}/events/{made['id']}")["attendees"][0]["status"]["response"]
        == "declined"
    )
    mail = graph.mails()[-1]
    assert (mail["kind"], mail["response"], mail["comment"]) == (
        "response",
        "declined",
        "taken, try room 2",
    )


def test_decline_switches(graph: Graph) -> None:
    graph.switch(decline_removes_copy=False, respond_delay_s=5.0)
    made, path = room_event(graph)
    graph.ok("POST", f"{path}/decline", {"sendResponse": False})
    assert len(graph.live()) == 1
    graph.clock.forward(6)
    assert graph.live() == []
    assert graph.ok("GET", path)["responseStatus"]["response"] == "declined"
    own = graph.ok("GET", f"{ANN}/events/{made['id']}")
    assert own["attendees"][0]["status"]["response"] == "accepted"


@pytest.mark.parametrize("comment", ["no", ""])
def test_a_comment_is_refused_where_nobody_is_told(graph: Graph, comment: str) -> None:
    _, path = room_event(graph)
    quiet = {"comment": comment, "sendResponse": False}
    assert graph.refused("POST", f"{path}/decline", quiet) == (400, "ErrorInvalidParameter")
    assert len(graph.live()) == 1
    graph.ok("POST", f"{path}/decline", {"comment": None, "sendResponse": False})
    assert graph.live() == []


def test_an_answer_that_nobody_asked_for_is_not_sent(graph: Graph) -> None:
    _, path = room_event(graph, responseRequested=False)
    before = len(graph.mails())
    for body in ({"comment": "no"}, {"sendResponse": True}):
        assert graph.refused("POST", f"{path}/decline", body) == (400, "ErrorInvalidRequest")
    assert len(graph.live()) == 1
    graph.ok("POST", f"{path}/decline", {"sendResponse": False})
    assert graph.live() == []
    assert len(graph.mails()) == before


def test_decline_one_occurrence(graph: Graph) -> None:
    made, path = room_event(graph, recurrence=daily("2026-12-01", 3))
    days = graph.ok("GET", f"{path}/instances?startDateTime=2026-12-01&endDateTime=2026-12-09")[
        "value"
    ]
    graph.ok("POST", f"{ROOM}/events/{days[1]['id']}/decline", {"comment": "no"})
    assert [one["originalDate"] for one in graph.live()] == ["2026-12-01", "2026-12-03"]
    assert graph.mails()[-1]["date"] == "2026-12-02"
    graph.switch(decline_occurrence_allowed=False)
    assert graph.refused("POST", f"{ROOM}/events/{days[0]['id']}/decline", {})[0] == 400
    _ = made


def test_roles(graph: Graph) -> None:
    made, path = room_event(graph)
    own = f"{ANN}/events/{made['id']}"
    assert graph.refused("POST", f"{path}/cancel", {"Comment": "x"}) == (400, "ErrorInvalidRequest")
    for answer in ("decline", "accept", "tentativelyAccept"):
        assert graph.refused("POST", f"{own}/{answer}", {}) == (400, "ErrorInvalidRequest")
    block = graph.ok("POST", f"{ROOM}/events", event("2026-12-02"))
    assert graph.refused("POST", f"{ROOM}/events/{block['id']}/decline", {})[0] == 400
    bad = {
        "proposedNewTime": {"start": at("2026-12-02"), "end": at("2026-12-02", "11:00")},
        "sendResponse": False,
    }
    assert graph.refused("POST", f"{path}/decline", bad) == (400, "ErrorInvalidParameter")
    assert graph.refused("POST", f"{path}/explode", {}) == (400, "BadRequest")
    graph.ok("POST", f"{own}/cancel", {"Comment": "off"})
    assert graph.refused("GET", own)[0] == 404
    assert graph.refused("POST", f"{path}/decline", {}) == (
        400,
        "ErrorCalendarIsCancelledForDecline",
    )


@pytest.mark.parametrize("tells", [False, True])
def test_an_attendees_delete(graph: Graph, tells: bool) -> None:
    graph.switch(delete_by_attendee_tells_organizer=tells)
    made, path = room_event(graph)
    count = len(graph.mails())
    assert graph.call("DELETE", path).status == 204
    assert len(graph.mails()) == count + tells
    status = graph.ok("GET", f"{ANN}/events/{made['id']}")["attendees"][0]["status"]["response"]
    assert status == ("declined" if tells else "accepted")


def test_a_change_to_an_attendees_copy_changes_nothing_for_the_people(graph: Graph) -> None:
    made, path = room_event(graph)
    count = len(graph.mails())
    graph.ok("PATCH", path, {"start": at("2026-12-01", "15:00"), "end": at("2026-12-01", "16:00")})
    assert len(graph.mails()) == count
    assert graph.ok("GET", f"{ANN}/events/{made['id']}")["start"]["dateTime"].startswith(
        "2026-12-01T09"
    )
    graph.box.act(kind="move", iCalUId=made["iCalUId"], room=ROOM, start="2026-12-01T12:00")
    assert [one["start"][11:16] for one in graph.live()] == ["11:00"]


def test_organizer_delete_sends_cancellations(graph: Graph) -> None:
    people = [
        {"type": "resource", "emailAddress": {"address": ROOM}},
        {"emailAddress": {"address": BOB}},
    ]
    made = graph.ok("POST", f"{ANN}/events", event(attendees=people))
    assert (
        graph.ok("GET", f"{BOB}/events")["value"][0]["responseStatus"]["response"] == "notResponded"
    )
    graph.call("DELETE", f"{ANN}/events/{made['id']}")
    assert sorted(one["to"] for one in graph.mails() if one["kind"] == "cancel") == sorted(
        [BOB, ROOM]
    )
    assert graph.live() == []


def test_series_edits(graph: Graph) -> None:
    made, path = room_event(graph, recurrence=daily("2026-12-01", 4))
    own = f"{ANN}/events/{made['id']}"
    graph.box.act(kind="cancel_occurrence", iCalUId=made["iCalUId"], room=ROOM, date="2026-12-02")
    graph.box.act(
        kind="move_occurrence",
        iCalUId=made["iCalUId"],
        room=ROOM,
        date="2026-12-03",
        start="2026-12-03T15:00",
    )
    assert [one["start"][8:13] for one in graph.live()] == ["01T09", "03T14", "04T09"]
    count = len(graph.mails())
    graph.ok("PATCH", own, {"subject": "New"})
    # Once for the series, once per changed instance.
    assert [one.get("date") for one in graph.mails()[count:] if one["kind"] == "update"] == [
        None,
        "2026-12-03",
    ]
    graph.ok("PATCH", own, {"start": at("2026-12-01", "08:00"), "end": at("2026-12-01", "09:00")})
    assert [one["start"][8:13] for one in graph.live()] == ["01T07", "02T07", "03T07", "04T07"]
    graph.ok("PATCH", own, {"recurrence": None})
    assert len(graph.live()) == 1
    _ = path


def test_get_schedule(graph: Graph) -> None:
    graph.book(sensitivity="private")
    graph.processing(RemovePrivateProperty=False)
    graph.book("2026-12-01T13:00", "2026-12-01T13:30", sensitivity="private", subject="S")
    body = {
        "schedules": [ROOM, "ghost@contoso.example"],
        "startTime": at("2026-12-01", "09:00"),
        "endTime": at("2026-12-01", "14:00"),
        "availabilityViewInterval": 60,
    }
    found, ghost = graph.ok("POST", f"{ROOM}/calendar/getSchedule", body)["value"]
    assert found["availabilityView"] == "02002"
    assert [one.get("subject") for one in found["scheduleItems"]] == ["Person 0001", None]
    assert ghost["error"]["responseCode"] == "ErrorMailRecipientNotFound"
    assert (
        graph.refused(
            "POST", f"{ROOM}/calendar/getSchedule", body | {"availabilityViewInterval": 4}
        )[0]
        == 400
    )


def test_online_meetings_stay_online(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event(isOnlineMeeting=True))
    assert made["onlineMeetingProvider"] == "teamsForBusiness"
    assert made["onlineMeeting"]["joinUrl"].startswith("https://")
    again = graph.ok("PATCH", f"{ROOM}/events/{made['id']}", {"isOnlineMeeting": False})
    assert again["isOnlineMeeting"] is True


def test_location_wipes_locations(graph: Graph) -> None:
    made = graph.ok(
        "POST", f"{ROOM}/events", event(locations=[{"displayName": "A"}, {"displayName": "B"}])
    )
    assert made["location"]["displayName"] == "A; B"
    changed = graph.ok("PATCH", f"{ROOM}/events/{made['id']}", {"location": {"displayName": "C"}})
    assert [one["displayName"] for one in changed["locations"]] == ["C"]


def test_national_cloud(graph: Graph) -> None:
    made, path = room_event(graph, recurrence=daily("2026-12-01", 3))
    graph.switch(national_cloud=True)
    assert graph.refused("GET", f"{path}?$select=cancelledOccurrences")[0] == 400
    assert (
        graph.refused("GET", f"{path}?$select=exceptionOccurrences&$expand=exceptionOccurrences")[0]
        == 400
    )
    _ = made
