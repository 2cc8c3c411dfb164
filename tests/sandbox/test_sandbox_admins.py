"""What admins do to whole mailboxes, and copies made in Outlook: the worlds of the guard tests."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from .client import BOB, ROOM, ROOM2, TAG, Graph, daily, event, tag_filter


def tagged(day: str) -> dict[str, object]:
    return event(
        day, transactionId=f"t-{day}", singleValueExtendedProperties=[{"id": TAG, "value": day}]
    )


def titles(graph: Graph, room: str = ROOM) -> dict[str, str]:
    """Start day → id."""
    return {one["start"][:10]: one["id"] for one in graph.live(room)}


@pytest.mark.parametrize("ids", ["same", "new"])
@pytest.mark.parametrize("tokens", ["void", "kept"])
def test_a_restored_mailbox_is_as_it_was(graph: Graph, ids: str, tokens: str) -> None:
    kept = graph.ok("POST", f"{ROOM}/events", tagged("2026-12-01"))
    gone = graph.ok("POST", f"{ROOM}/events", event("2026-12-02"))
    graph.control("POST", f"rooms/{ROOM}/backup")
    graph.clock.forward(600)
    graph.ok("PATCH", f"{ROOM}/events/{kept['id']}", {"subject": "later"})
    graph.ok("DELETE", f"{ROOM}/events/{gone['id']}")
    newer = graph.ok("POST", f"{ROOM}/events", event("2026-12-03"))
    _, link = graph.first_delta()
    mails = len(graph.mails())
    graph.control("POST", f"rooms/{ROOM}/restore", {"ids": ids, "tokens": tokens})
    found = titles(graph)
    assert set(found) == {"2026-12-01", "2026-12-02"}
    assert graph.refused("GET", f"{ROOM}/events/{newer['id']}")[0] == 404
    now = graph.ok("GET", f"{ROOM}/events/{found['2026-12-01']}")
    assert (now["subject"], now["iCalUId"]) == ("Plan", kept["iCalUId"])
    assert now["lastModifiedDateTime"] == kept["lastModifiedDateTime"]
    assert (now["id"] == kept["id"]) is (ids == "same")
    wanted = graph.ok("GET", f"{ROOM}/events?$filter={tag_filter('2026-12-01')}")["value"]
    assert [one["id"] for one in wanted] == [now["id"]]
    if ids == "new":
        assert graph.refused("GET", f"{ROOM}/events/{kept['id']}")[0] == 404
    if tokens == "void":
        assert graph.refused("GET", link)[0] == 410
    else:
        assert graph.round(link)[0] == []
        after = graph.ok("POST", f"{ROOM}/events", event("2026-12-05"))
        assert [one["id"] for one in graph.round(link)[0]] == [after["id"]]
    assert len(graph.mails()) == mails
    assert {one["id"] for one in graph.first_delta()[0]} >= set(found.values())


def test_a_backup_that_was_never_made(graph: Graph) -> None:
    answer = graph.box.handle("POST", f"/_sandbox/rooms/{ROOM}/restore", {}, b"{}")
    assert answer.status == 404


def test_a_mailbox_made_anew_is_empty_and_knows_no_old_id(graph: Graph) -> None:
    old = graph.ok("POST", f"{ROOM}/events", event("2026-12-01"))
    _, link = graph.first_delta()
    graph.control("POST", f"rooms/{ROOM}/remake")
    assert graph.live() == []
    assert graph.refused("GET", f"{ROOM}/events/{old['id']}") == (404, "ErrorItemNotFound")
    assert graph.refused("GET", link)[0] in (400, 410)
    graph.book()
    assert len(graph.live()) == 1


def test_a_renamed_mailbox_answers_under_its_new_address(graph: Graph) -> None:
    graph.ok("POST", f"{ROOM}/events", event("2026-12-01"))
    graph.control("POST", f"rooms/{ROOM}/rename", {"address": "other@contoso.example"})
    assert graph.refused("GET", f"{ROOM}/events")[0] == 404
    assert len(graph.ok("GET", "other@contoso.example/events")["value"]) == 1


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("to", [ROOM, ROOM2])
def test_a_copy_is_another_event_with_our_property(graph: Graph, to: str, *, keeps: bool) -> None:
    graph.switch(copy_keeps_transaction_id=keeps)
    first = graph.ok("POST", f"{ROOM}/events", tagged("2026-12-01"))
    graph.box.act(kind="copy", room=ROOM, iCalUId=first["iCalUId"], to=to, start="2026-12-08T10:00")
    made = titles(graph, to)["2026-12-08"]
    now = graph.ok("GET", f"{to}/events/{made}?$expand={quote(expand())}")
    assert now["singleValueExtendedProperties"] == [{"id": TAG, "value": "2026-12-01"}]
    assert now["iCalUId"] != first["iCalUId"]
    assert now["isOrganizer"] is True
    assert now["organizer"]["emailAddress"]["address"] == to
    assert now["transactionId"] == ("t-2026-12-01" if keeps else None)
    # A repeated create is refused for the first, not for the copy.
    again = graph.call("POST", f"{ROOM}/events", tagged("2026-12-01")).json()["error"]
    assert again["@event.existingEventId"] == first["id"]


def expand() -> str:
    return f"singleValueExtendedProperties($filter=id eq '{TAG}')"


def test_a_copied_date_of_a_series_is_a_single_event(graph: Graph) -> None:
    master = graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01", 4)))
    graph.box.act(
        kind="copy",
        room=ROOM,
        iCalUId=master["iCalUId"],
        date="2026-12-02",
        start="2026-12-20T10:00",
    )
    assert [one["type"] for one in graph.live() if one["start"] > "2026-12-10"] == [
        "singleInstance"
    ]
    assert len(graph.live()) == 5


def test_faults_of_listings(graph: Graph) -> None:
    ids = [
        graph.ok("POST", f"{ROOM}/events", event(f"2026-12-{day:02d}"))["id"]
        for day in range(1, 21)
    ]
    graph.book(person=BOB, room=ROOM2)
    _, link = graph.first_delta()
    graph.fault("lossy_list", count=1)
    assert len(graph.first_delta()[0]) == 2
    assert graph.ok("GET", f"{ROOM}/events/{ids[3]}")["id"] == ids[3]
    graph.fault("false_removed", count=1)
    rows, _ = graph.round(link)
    assert sum("@removed" in one for one in rows) == 18
    graph.fault("thin_replica", count=2)
    assert len(graph.first_delta()[0]) == 2
    assert graph.refused("GET", f"{ROOM}/events/{ids[3]}")[0] == 404
    assert len(graph.first_delta()[0]) == 20
