"""Random people and random bodies: the ways to read a calendar agree, and nothing breaks it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from .client import ANN, BOB, ROOM, Graph, event

SPAN = ("2026-11-01", "2027-06-01")
ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "book",
                "direct",
                "series",
                "move",
                "retitle",
                "cancel",
                "drop_day",
                "move_day",
                "decline",
                "folder",
                "delete",
            )
        ),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=25,
)


class Follower:
    """A Graph client that keeps a room by delta alone; a series seen is a series listed anew."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.rows: dict[str, dict[str, Any]] = {}
        rows, self.link = graph.first_delta(start=SPAN[0], end=SPAN[1], size=7)
        self.take(rows)

    def take(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if "@removed" in row:
                self.rows.pop(row["id"], None)
                self.rows = {
                    key: kept
                    for key, kept in self.rows.items()
                    if kept.get("seriesMasterId") != row["id"]
                }
        seen = {
            row.get("seriesMasterId") or row["id"]
            for row in rows
            if row.get("type") not in (None, "singleInstance")
        }
        self.rows = {
            key: row for key, row in self.rows.items() if row.get("seriesMasterId") not in seen
        }
        for row in rows:
            if "@removed" not in row and row["type"] != "seriesMaster":
                self.rows[row["id"]] = row

    def follow(self) -> dict[str, tuple[str, str]]:
        rows, self.link = self.graph.round(self.link, size=7)
        self.take(rows)
        return {
            key: (row["start"]["dateTime"], row["end"]["dateTime"])
            for key, row in self.rows.items()
        }


def play(graph: Graph, kind: str, one: int, two: int, known: list[dict[str, Any]]) -> None:
    day = datetime(2026, 12, 1) + timedelta(days=one)
    start, end = f"{day:%Y-%m-%d}T{8 + two % 8:02d}:00", f"{day:%Y-%m-%d}T{9 + two % 8:02d}:00"
    person = (ANN, BOB)[two % 2]
    if kind in ("book", "direct", "series"):
        more: dict[str, Any] = {"kind": "book_direct"} if kind == "direct" else {"person": person}
        if kind == "series":
            span = {"type": "numbered", "startDate": f"{day:%Y-%m-%d}", "numberOfOccurrences": 4}
            more["recurrence"] = {"pattern": {"type": "daily", "interval": 2}, "range": span}
        known.append(graph.book(start, end, **more))
        return
    if not known:
        return
    uid, room = known[one % len(known)]["iCalUId"], known[one % len(known)]["roomId"]
    raw: dict[str, Any] = {"iCalUId": uid, "room": ROOM}
    if kind in ("drop_day", "move_day"):
        rows = [row for row in graph.live() if row["seriesUid"] == uid]
        if not rows:
            return
        raw["date"] = rows[two % len(rows)]["originalDate"]
    acts = {
        "move": {"kind": "move", "start": start, "end": end},
        "retitle": {"kind": "retitle", "subject": f"t{two}"},
        "cancel": {"kind": "cancel"},
        "drop_day": {"kind": "cancel_occurrence"},
        "move_day": {"kind": "move_occurrence", "start": f"{raw.get('date')}T{10 + two % 9}:30"},
        "folder": {"kind": "move_folder"},
    }
    if kind in acts:
        body = json.dumps(raw | acts[kind]).encode()
        assert graph.box.handle("POST", "/_sandbox/acts", {}, body).status in (200, 400, 404)
    elif kind == "decline" and room:
        graph.call("POST", f"{ROOM}/events/{room}/decline", {})
    elif kind == "delete" and room:
        graph.call("DELETE", f"{ROOM}/events/{room}")


@settings(max_examples=60, deadline=None)
@given(ACTS, st.booleans(), st.booleans())
def test_delta_view_and_truth_agree(
    acts: list[tuple[str, int, int]], masters: bool, remove: bool
) -> None:
    graph = Graph(rooms=1, people=2)
    graph.switch(masters_in_delta=masters)
    graph.processing(RemoveCanceledMeetings=remove)
    follower, known = Follower(graph), list[dict[str, Any]]()
    for kind, one, two in acts:
        play(graph, kind, one, two, known)
        graph.clock.forward(one)
        view = graph.ok(
            "GET", f"{ROOM}/calendarView?startDateTime={SPAN[0]}&endDateTime={SPAN[1]}&$top=1000"
        )["value"]
        shown = {row["id"]: (row["start"]["dateTime"], row["end"]["dateTime"]) for row in view}
        live = [
            row
            for row in view
            if not row["isCancelled"] and row["responseStatus"]["response"] != "declined"
        ]
        truth = graph.live(start=SPAN[0], end=SPAN[1])
        assert [row["id"] for row in sorted(live, key=lambda row: row["id"])] == sorted(
            row["id"] for row in truth
        )
        assert follower.follow() == shown
        stamps = [
            row["lastModifiedDateTime"]
            for row in graph.ok("GET", f"{ROOM}/events?$top=1000")["value"]
        ]
        assert len(set(stamps)) == len(stamps)
    assert not follower.follow() or graph.round(follower.link)[0] == []


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_the_attendant_never_books_twice(acts: list[tuple[str, int, int]]) -> None:
    graph = Graph(rooms=1, people=2)
    known: list[dict[str, Any]] = []
    for kind, one, two in acts:
        if kind not in ("direct", "folder"):
            play(graph, kind, one, two, known)
    rows = sorted(graph.live(), key=lambda row: row["start"])
    for before, after in pairwise(rows):
        assert before["end"] <= after["start"], (before, after)


NAMES = st.sampled_from(
    [
        "subject",
        "start",
        "end",
        "dateTime",
        "timeZone",
        "isAllDay",
        "attendees",
        "emailAddress",
        "address",
        "recurrence",
        "pattern",
        "range",
        "type",
        "interval",
        "daysOfWeek",
        "startDate",
        "location",
        "locations",
        "body",
        "content",
        "showAs",
        "id",
        "value",
        "singleValueExtendedProperties",
        "extensions",
        "categories",
        "transactionId",
        "displayName",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5000)
    | st.text(max_size=8)
    | st.sampled_from(["busy", "2026-12-01", "UTC", "weekly"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(NAMES, JSON, max_size=5),
    st.sampled_from(["POST", "PATCH", "decline", "getSchedule", "sendMail", "$batch"]),
)
def test_no_body_breaks_it(body: dict[str, Any], how: str) -> None:
    graph = SHARED
    if how == "POST":
        answer = graph.call("POST", f"{ROOM}/events", event() | body)
    elif how == "PATCH":
        answer = graph.call("PATCH", f"{ROOM}/events/{MADE['id']}", body)
    elif how == "decline":
        answer = graph.call("POST", f"{ROOM}/events/{MADE['id']}/decline", body)
    elif how == "$batch":
        answer = graph.call("POST", "/v1.0/$batch", {"requests": [body]})
    else:
        road = f"{ROOM}/calendar/getSchedule" if how == "getSchedule" else f"{ROOM}/sendMail"
        answer = graph.call("POST", road, body)
    assert answer.status < 500
    graph.ok("GET", f"{ROOM}/calendarView?startDateTime=2026-12-01&endDateTime=2026-12-02&$top=5")


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="abe()'/ ,:=qnor0-9$", max_size=25),
    st.sampled_from(["$filter", "$expand", "$orderby", "$select", "$top", "$skip"]),
)
def test_no_option_breaks_it(text: str, option: str) -> None:
    from urllib.parse import quote

    assert SHARED.call("GET", f"{ROOM}/events?{option}={quote(text)}").status < 500


SHARED = Graph()
MADE = SHARED.ok("POST", f"{ROOM}/events", event())
