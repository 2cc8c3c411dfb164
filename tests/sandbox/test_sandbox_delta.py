"""Change tracking."""

from __future__ import annotations

from typing import Any

import pytest

from .client import BERLIN, ROOM, Graph, at, daily, event

SPAN = "startDateTime=2026-12-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z"
DECEMBER = f"{ROOM}/calendarView/delta?{SPAN}"
SLIM = {"@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"}


def kinds(rows: list[Any]) -> list[str]:
    return [one.get("type", "removed") for one in rows]


def test_a_first_round_in_pages(graph: Graph) -> None:
    for day in range(1, 8):
        graph.ok("POST", f"{ROOM}/events", event(f"2026-12-{day:02d}"))
    rows, link = graph.first_delta(size=3)
    assert len(rows) == 7
    assert len({one["id"] for one in rows}) == 7
    assert graph.round(link)[0] == []
    # A link may be used again, with the same result.
    graph.ok("POST", f"{ROOM}/events", event("2026-12-20"))
    assert len(graph.round(link)[0]) == len(graph.round(link)[0]) == 1


def test_changes_while_a_round_is_read(graph: Graph) -> None:
    ids = [
        graph.ok("POST", f"{ROOM}/events", event(f"2026-12-{day:02d}"))["id"] for day in range(1, 5)
    ]
    page = graph.ok("GET", DECEMBER, prefer="odata.maxpagesize=2")
    graph.call("DELETE", f"{ROOM}/events/{ids[3]}")
    graph.ok("PATCH", f"{ROOM}/events/{ids[0]}", {"subject": "new"})
    rest, link = graph.round(page["@odata.nextLink"], size=2)
    assert ids[3] not in [one["id"] for one in rest]
    rows, _ = graph.round(link)
    assert {one["id"]: one.get("subject") for one in rows} == {ids[0]: "new", ids[3]: None}


def test_series_come_whole(graph: Graph) -> None:
    master = graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01", 4)))
    rows, link = graph.first_delta()
    assert kinds(rows) == ["seriesMaster", *["occurrence"] * 4]
    assert {frozenset(one) for one in rows[1:]} == {frozenset(SLIM)}
    assert rows[1]["seriesMasterId"] == master["id"]
    # One deleted occurrence: no @removed, the series again without it.
    graph.call("DELETE", f"{ROOM}/events/{rows[2]['id']}")
    again, link = graph.round(link)
    assert kinds(again) == ["seriesMaster", *["occurrence"] * 3]
    assert rows[2]["id"] not in [one["id"] for one in again]
    graph.ok("PATCH", f"{ROOM}/events/{rows[3]['id']}", {"subject": "other"})
    again, link = graph.round(link)
    assert sorted(kinds(again)) == ["exception", "occurrence", "occurrence", "seriesMaster"]
    assert next(one for one in again if one["type"] == "exception")["subject"] == "other"
    graph.call("DELETE", f"{ROOM}/events/{master['id']}")
    gone, link = graph.round(link)
    assert {one["id"] for one in gone} == {
        master["id"],
        rows[1]["id"],
        rows[3]["id"],
        rows[4]["id"],
    }
    assert all(one["@removed"] == {"reason": "deleted"} for one in gone)


def test_masters_by_switch(graph: Graph) -> None:
    graph.switch(masters_in_delta=False)
    graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01", 2)))
    assert kinds(graph.first_delta()[0]) == ["occurrence"] * 2


def test_removed_means_also_out_of_the_window(graph: Graph) -> None:
    made = graph.ok("POST", f"{ROOM}/events", event())
    _, link = graph.first_delta(start="2026-12-01", end="2026-12-10")
    graph.ok(
        "PATCH",
        f"{ROOM}/events/{made['id']}",
        {"start": at("2026-12-20"), "end": at("2026-12-20", "11:00")},
    )
    outside = graph.ok("POST", f"{ROOM}/events", event("2026-12-25"))
    rows, _ = graph.round(link)
    assert [(one["id"], "@removed" in one) for one in rows] == [
        (made["id"], True),
        (outside["id"], True),
    ]
    assert graph.ok("GET", f"{ROOM}/events/{made['id']}")["id"] == made["id"]
    graph.switch(removed_outside_window=False)
    assert graph.round(link)[0] == []


def test_the_window_is_fixed_in_the_token(graph: Graph) -> None:
    _, link = graph.first_delta(start="2026-12-01", end="2026-12-10")
    graph.switch(removed_outside_window=False)
    graph.ok("POST", f"{ROOM}/events", event("2026-12-25"))
    assert (
        graph.round(f"{link}&startDateTime=2026-12-01T00:00:00Z&endDateTime=2027-12-31T00:00:00Z")[
            0
        ]
        == []
    )


@pytest.mark.parametrize(
    "option",
    ["$top=5", "$select=id", "$expand=extensions", "$filter=id eq '1'", "$orderby=id", "$search=x"],
)
def test_refused_options(graph: Graph, option: str) -> None:
    assert graph.refused("GET", f"{DECEMBER}&{option}") == (400, "ErrorInvalidUrlQuery")


def test_zone_and_id_preferences(graph: Graph) -> None:
    graph.ok("POST", f"{ROOM}/events", event())
    rows, link = graph.first_delta(prefer=f'outlook.timezone="{BERLIN}", IdType="ImmutableId"')
    assert rows[0]["start"] == {"dateTime": "2026-12-01T10:00:00.0000000", "timeZone": BERLIN}
    assert rows[0]["id"].startswith("AAkA")
    graph.box.act(kind="move_folder", id=rows[0]["id"], room=ROOM)
    again, _ = graph.round(link, prefer='IdType="ImmutableId"')
    assert [one["id"] for one in again] == [rows[0]["id"]]
    plain, _ = graph.round(link)
    assert ["@removed" in one for one in plain] == [True, False]
    assert plain[0]["id"] != plain[1]["id"]


def test_lag(graph: Graph) -> None:
    _, link = graph.first_delta()
    graph.switch(delta_lag_s=30.0)
    graph.ok("POST", f"{ROOM}/events", event())
    rows, link = graph.round(link)
    assert rows == []
    graph.clock.forward(31)
    assert len(graph.round(link)[0]) == 1


def test_old_tokens_are_evicted(graph: Graph) -> None:
    _, old = graph.first_delta()
    graph.switch(delta_tokens_kept=3)
    link = old
    for _ in range(5):
        _, link = graph.round(link)
    answer = graph.call("GET", old)
    assert answer.status == 410
    assert answer.json()["error"]["code"] == "SyncStateNotFound"
    rows, link = graph.round(answer.headers["Location"])
    assert graph.round(link)[0] == rows == []
    assert graph.call("GET", f"{ROOM}/calendarView/delta?$deltatoken=abc").status in (400, 410)


def test_repeats_and_faults(graph: Graph) -> None:
    for day in range(1, 6):
        graph.ok("POST", f"{ROOM}/events", event(f"2026-12-{day:02d}"))
    _, link = graph.first_delta()
    graph.ok("POST", f"{ROOM}/events", event("2026-12-20"))
    graph.switch(delta_repeats=True)
    assert len(graph.round(link)[0]) == 2
    graph.switch(delta_repeats=False)
    graph.fault("delta_replay", count=1)
    assert len(graph.round(link)[0]) == 6
    graph.fault("same_cursor", count=1)
    assert graph.round(link)[1] == link
    graph.fault("short_page", count=1)
    assert len(graph.first_delta()[0]) == 6
    graph.fault("empty_list", count=1)
    assert graph.first_delta()[0] == []
    graph.fault("gone", path="delta", count=1)
    assert graph.call("GET", link).status == 410
    assert graph.control("GET", "faults")["fired"] == {
        "delta_replay": 1,
        "same_cursor": 1,
        "short_page": 1,
        "empty_list": 1,
        "gone": 1,
    }


def test_events_delta(graph: Graph) -> None:
    graph.ok("POST", f"{ROOM}/events", event(recurrence=daily("2026-12-01", 4)))
    rows, link = graph.round(f"/v1.0/users/{ROOM}/events/delta")
    assert kinds(rows) == ["seriesMaster"]
    graph.call("DELETE", f"{ROOM}/events/{rows[0]['id']}")
    assert kinds(graph.round(link)[0]) == ["removed"]
