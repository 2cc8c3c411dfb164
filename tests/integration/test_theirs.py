"""Meetings in people's calendars by both fronts: made once, found where they were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.model import (
    NO_ORGANIZER,
    Absence,
    Done,
    Effect,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Occupancy,
    Outcome,
    Pair,
    Refused,
    RoomAnswer,
    Seen,
    Stale,
    Unknown,
    is_theirs,
    their_id,
)
from calsync.reconcile.settle import resolve
from tests.contract.sync_side import SHAPES, effect, single, weekly, with_exceptions
from tests.integration.ews_kit import EwsLab, as_graph, ews_lab
from tests.integration.graph_kit import GraphLab, graph_lab

CREATE, CHANGE = EffectKind.CREATE_EVENT, EffectKind.CHANGE_EVENT
DELETE = EffectKind.DELETE_EVENT
ADA, BOB, NOBODY = "ada@contoso.example", "bob@contoso.example", "nobody@contoso.example"


Lab = GraphLab | EwsLab


@pytest.fixture(params=["graph", "ews"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with graph_lab(page_size=2) if request.param == "graph" else ews_lab(page=2) as lab:
        yield lab


def outlook(lab: Lab) -> GraphLab:
    """The front by which people act."""
    return lab.people if isinstance(lab, EwsLab) else lab


def strike(lab: Lab, kind: str, what: str = "", **more: Any) -> None:
    """Arm a fault in Ada's calendar: for the create, or for anything."""
    if isinstance(lab, EwsLab):
        lab.fault(kind, method="CreateItem" if what else ".*", path=ADA, **more)
    else:
        path = f"{ADA}/events" if what else f"users/{ADA}"
        lab.fault(kind, method="POST" if what else ".*", path=path, **more)


def asked(kind: EffectKind, link: str, **more: object) -> Effect:
    return effect(kind, link, organizer=ADA, **more)  # type: ignore[arg-type]


def live(lab: Lab, mailbox: str = ADA) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = outlook(lab).graph("GET", f"/users/{mailbox}/events?$top=500")[
        "value"
    ]
    return rows


def made(lab: Lab, target: Occupancy, link: str = "link-1") -> Seen:
    (outcome,) = lab.side.apply(lab.pair, [asked(CREATE, link, target=target)])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    return outcome.now


def read(lab: Lab, key: str, mailbox: str = ADA) -> object:
    return lab.side.read_theirs(lab.pair, {key: mailbox})[key]


#: Longer than a day, further ahead than the booking window: Exchange's defaults.
DECLINED = ("all day", "endless")


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_made_in_the_persons_calendar_and_read_back(lab: Lab, name: str) -> None:
    seen = made(lab, SHAPES[name])
    assert seen.occupancy == SHAPES[name]
    assert (is_theirs(seen.key), seen.owned, seen.tag) == (True, True, "link-1")
    again = read(lab, seen.key)
    assert isinstance(again, Seen)
    assert again.occupancy == SHAPES[name]
    assert again.answered is not None
    assert again.person.address == ADA
    if name in DECLINED:
        assert again.answer is RoomAnswer.DECLINED
        assert live(lab, lab.room) == []
        return
    assert again.answer is RoomAnswer.ACCEPTED
    (copy,) = lab.side.pull(lab.pair, None, lab.window).observations
    assert isinstance(copy, Seen)
    assert (copy.uid, copy.owned, copy.tag) == (seen.uid, False, None)


@pytest.mark.parametrize(
    ("was", "target"),
    [
        (single(), single(hour=15)),
        (single(title="One"), single(title="Two")),
        (single(), single(private=True)),
        (weekly(), with_exceptions()),
        (single(), replace(SHAPES["all day"], end=datetime(2026, 12, 4))),
    ],
)
def test_a_change_reaches_its_target(lab: Lab, was: Occupancy, target: Occupancy) -> None:
    seen = read(lab, made(lab, was).key)
    assert isinstance(seen, Seen)
    (outcome,) = lab.side.apply(lab.pair, [asked(CHANGE, "link-1", seen=seen, target=target)])
    assert isinstance(outcome, Done), outcome
    assert outcome.complete
    assert outcome.now.key == seen.key
    now = read(lab, seen.key)
    assert isinstance(now, Seen)
    assert now.occupancy == target
    assert now.answer is RoomAnswer.ACCEPTED
    assert len(live(lab)) == 1
    assert [a["emailAddress"]["address"] for a in live(lab)[0]["attendees"]] == [lab.room]


def test_a_stale_change_or_deletion_writes_nothing(lab: Lab) -> None:
    seen = made(lab, single())
    outlook(lab).graph(
        "PATCH", f"/users/{ADA}/events/{as_graph(their_id(seen.key))}", {"subject": "Mine"}
    )
    for kind, more in ((CHANGE, {"target": single(hour=15)}), (DELETE, {})):
        (outcome,) = lab.side.apply(lab.pair, [asked(kind, "link-1", seen=seen, **more)])
        assert isinstance(outcome, Stale), outcome
        assert outcome.now is not None
        assert outcome.now.key == seen.key
    assert [one["subject"] for one in live(lab)] == ["Mine"]


def test_a_cancelled_meeting_is_gone_for_everybody(lab: Lab) -> None:
    seen = read(lab, made(lab, single()).key)
    assert isinstance(seen, Seen)
    (outcome,) = lab.side.apply(lab.pair, [asked(DELETE, "link-1", seen=seen)])
    assert outcome == Done(Gone(key=seen.key, absence=Absence.REMOVED))
    assert live(lab) == []
    assert [one["isCancelled"] for one in live(lab, lab.room)] == [True]
    assert read(lab, seen.key) == Gone(key=seen.key, absence=Absence.READ)


def test_a_meeting_that_people_made_is_never_deleted(lab: Lab) -> None:
    lab.act("book", person=ADA, room=lab.room, subject="Mine", start="2026-12-03T09:00:00Z")
    uid = live(lab)[0]["iCalUId"]
    seen = lab.side.meetings_of(lab.pair, {uid: ADA, "other": BOB})[uid]
    assert isinstance(seen, Seen)
    assert (is_theirs(seen.key), seen.organizer, seen.tag) == (True, ADA, None)
    assert (seen.person.name, seen.person.address) == ("Ada", ADA)
    (outcome,) = lab.side.apply(lab.pair, [asked(DELETE, "link-1", seen=seen)])
    assert isinstance(outcome, Refused), outcome
    assert [one["subject"] for one in live(lab)] == ["Mine"]
    (copy,) = [one for one in lab.side.copies(lab.pair, [uid]) if isinstance(one, Seen)]
    decline = effect(EffectKind.DECLINE_EVENT, "link-1", key=copy.key, was=copy.occupancy)
    (declined,) = lab.side.apply(lab.pair, [decline])
    assert isinstance(declined, Done), declined
    assert isinstance(declined.now, Gone)
    after = read(lab, seen.key)
    assert isinstance(after, Seen)
    assert after.answer is RoomAnswer.DECLINED


def test_what_cannot_be_brought_about_without_a_new_meeting_is_refused(lab: Lab) -> None:
    seen = read(lab, made(lab, with_exceptions()).key)
    assert isinstance(seen, Seen)
    (outcome,) = lab.side.apply(lab.pair, [asked(CHANGE, "link-1", seen=seen, target=weekly())])
    assert isinstance(outcome, Refused)
    assert "book it anew" in outcome.reason
    assert len(live(lab)) == 1


def test_a_date_that_the_room_declined_is_none_of_the_series(lab: Lab) -> None:
    seen = made(lab, weekly())
    row = live(lab)[0]
    lab.act("answer", room=lab.room, iCalUId=row["iCalUId"], date="2026-12-15", answer="declined")
    now = read(lab, seen.key)
    assert isinstance(now, Seen)
    assert now.answer is RoomAnswer.ACCEPTED
    assert now.occupancy.recurrence is not None
    assert now.occupancy.recurrence.excluded == (datetime(2026, 12, 15, 10),)
    assert now.occupancy.recurrence.overrides == ()


# --- answers -----------------------------------------------------------------------------------


def test_the_room_taken_off_the_meeting(lab: Lab) -> None:
    seen = made(lab, single())
    path = f"/users/{ADA}/events/{as_graph(their_id(seen.key))}"
    other = {"emailAddress": {"address": BOB}, "type": "required"}
    outlook(lab).graph("PATCH", path, {"attendees": [other]})
    gone = read(lab, seen.key)
    assert isinstance(gone, Gone)
    assert gone.absence is Absence.UNINVITED


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("none", RoomAnswer.WAITING),
        ("notResponded", RoomAnswer.WAITING),
        ("tentativelyAccepted", RoomAnswer.WAITING),
        ("accepted", RoomAnswer.ACCEPTED),
        ("declined", RoomAnswer.DECLINED),
        (None, RoomAnswer.WAITING),
        (7, RoomAnswer.WAITING),
    ],
)
def test_what_the_status_of_the_room_says(said: object, answer: RoomAnswer) -> None:
    from calsync.adapters.shared.theirs import answer_of

    room = {"emailAddress": {"address": "Hall@x.test"}, "type": "resource"}
    found = answer_of({"attendees": [{**room, "status": {"response": said}}]}, "hall@x.test")
    assert found == (answer, None)


def test_whose_status_it_is() -> None:
    from calsync.adapters.shared.theirs import answer_of

    def one(address: str, kind: str, said: str) -> dict[str, Any]:
        status = {"response": said, "time": "2026-12-01T09:00:00.0000000Z"}
        return {"emailAddress": {"address": address}, "type": kind, "status": status}

    hall, loft = (
        one("Hall@x.test", "required", "accepted"),
        one("loft@x.test", "resource", "declined"),
    )
    assert answer_of({"attendees": [loft, hall]}, "hall@x.test")[0] is RoomAnswer.ACCEPTED  # type: ignore[index]
    assert answer_of({"attendees": [loft]}, "hall@x.test") is None, "another room in its place"
    for nothing in (None, [], [None, "x"], {}):
        assert answer_of({"attendees": nothing}, "hall@x.test") is None


# --- several rooms -----------------------------------------------------------------------------


def another_room(lab: Lab) -> Pair:
    """A second room of the same company, mapped through the same connection."""
    raw = {"address": f"other-{lab.room}", "name": "Other", "zone": "UTC", "capacity": 4}
    with lab.server.lock:
        made = lab.server.control.handle("POST", "/_sandbox/rooms", {}, json.dumps(raw).encode())
    assert made.status == 201
    return replace(lab.pair, id="pair-2", room_id="room-2", mailbox=f"other-{lab.room}")


def rooms(lab: Lab) -> list[set[str]]:
    """The rooms of each meeting in Ada's calendar."""
    return [
        {a["emailAddress"]["address"] for a in one["attendees"] if a["type"] == "resource"}
        for one in live(lab)
    ]


def test_rooms_that_are_booked_at_once_are_one_meeting(lab: Lab) -> None:
    """Two threads of calsync, one for each room."""
    other = another_room(lab)
    for number in range(8):
        target = single(day=2 + number)
        both = [
            (
                pair,
                effect(
                    CREATE, f"{pair.id}-{number}", target=target, organizer=ADA, uid=f"u{number}"
                ),
            )
            for pair in (lab.pair, other)
        ]
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda one: lab.side.apply(one[0], [one[1]])[0], both))
        seen = [one.now for one in outcomes if isinstance(one, Done)]
        assert len({one.key for one in seen}) == 1, outcomes
        assert len(seen) == 2
    assert rooms(lab) == [{lab.room, other.mailbox}] * 8


def test_a_room_that_is_added_again_is_added_once(lab: Lab) -> None:
    other = another_room(lab)
    first = effect(CREATE, "a", target=weekly(), organizer=ADA, uid="u")
    second = effect(CREATE, "b", target=weekly(), organizer=ADA, uid="u")
    (made_first,) = lab.side.apply(lab.pair, [first])
    assert isinstance(made_first, Done)
    assert lab.side.find_theirs(other, {"b": ADA}, {"b": "u"}) == {}, "it is not on it yet"
    for _ in range(2):
        (outcome,) = lab.side.apply(other, [second])
        assert isinstance(outcome, Done), outcome
        assert outcome.now.key == made_first.now.key
        assert isinstance(outcome.now, Seen)
        assert outcome.now.occupancy == weekly()
    found = lab.side.find_theirs(other, {"b": ADA}, {"b": "u"})["b"]
    assert isinstance(found, Seen)
    assert rooms(lab) == [{lab.room, other.mailbox}]
    mine = lab.side.read_theirs(lab.pair, {made_first.now.key: ADA})[made_first.now.key]
    assert isinstance(mine, Seen)
    assert mine.answer is RoomAnswer.ACCEPTED, "the first room's yes is kept"
    gone = effect(DELETE, "a", seen=mine, organizer=ADA)
    assert lab.side.apply(lab.pair, [gone]) == [Done(Gone(key=mine.key, absence=Absence.UNINVITED))]
    assert rooms(lab) == [{other.mailbox}]


# --- doubts ------------------------------------------------------------------------------------

LOST = [
    ("reply_lost", {}),
    ("error_after", {"status": 503, "retry_after": "0.01"}),
    ("reset_mid_body", {}),
]


@pytest.mark.long
@pytest.mark.parametrize(("kind", "params"), LOST)
def test_two_hundred_creates_whose_answer_is_lost_make_no_duplicate(
    lab: Lab, kind: str, params: dict[str, Any]
) -> None:
    """Each as the engine does it: sent, in doubt, looked up by its tag where it was sent."""
    start = datetime(2026, 12, 1)
    for number in range(200):
        at = start + timedelta(hours=number)
        target = Occupancy(start=at, end=at + timedelta(hours=1), zone="UTC")
        one = asked(CREATE, f"link-{number}", target=target)
        strike(lab, kind, "create", params=params)
        (outcome,) = lab.side.apply(lab.pair, [one])
        assert isinstance(outcome, InDoubt), outcome
        found = lab.side.find_theirs(lab.pair, {one.tag: ADA}, {}).get(one.tag)
        assert isinstance(found, Seen)
        settled: Outcome = resolve(CREATE, version="", wanted=one.fingerprint, found=found)
        assert settled == Done(found)
        if not number % 20:
            (again,) = lab.side.apply(lab.pair, [one])
            assert isinstance(again, Done), "who sends again makes no other"
            assert again.now.key == found.key
    assert len(live(lab)) == len(live(lab, lab.room)) == 200


def test_a_create_that_was_cancelled_before_anybody_looked(lab: Lab) -> None:
    strike(lab, "reply_lost", "create")
    one = asked(CREATE, "link-1", target=single())
    assert isinstance(lab.side.apply(lab.pair, [one])[0], InDoubt)
    outlook(lab).graph("DELETE", f"/users/{ADA}/events/{live(lab)[0]['id']}")
    found = lab.side.find_theirs(lab.pair, {"link-1": ADA}, {})
    if isinstance(lab, EwsLab):  # which shows Deleted Items
        assert isinstance(found["link-1"], Gone)
        return
    assert found == {}
    (again,) = lab.side.apply(lab.pair, [one])
    assert isinstance(again, Done), again
    assert isinstance(again.now, Gone)
    assert live(lab) == []


# --- no calendar -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["", "permission_removed"])
def test_no_mailbox_or_no_right_is_said_and_nothing_is_made(lab: Lab, fault: str) -> None:
    mailbox = ADA if fault else NOBODY
    if fault:
        strike(lab, fault, count=None)
    one = effect(CREATE, "link-1", target=single(), organizer=mailbox)
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, Refused), outcome
    assert outcome.code == NO_ORGANIZER
    assert "in the calendar of the person who booked" in outcome.reason
    assert mailbox not in outcome.reason
    found = lab.side.find_theirs(lab.pair, {"link-1": mailbox}, {})["link-1"]
    assert isinstance(found, Unknown), "nobody can tell: that is no proof that nothing was made"
    key = "~AAMk"
    assert isinstance(lab.side.read_theirs(lab.pair, {key: mailbox})[key], Unknown)
    lab.calm()
    assert live(lab) == []


def test_a_calendar_that_is_closed_stops_no_other(lab: Lab) -> None:
    seen = made(lab, single())
    found = lab.side.read_theirs(lab.pair, {seen.key: ADA, "~AAMk": NOBODY})
    assert isinstance(found[seen.key], Seen)
    assert isinstance(found["~AAMk"], Unknown)
    first = effect(CREATE, "a", target=single(day=2), organizer=NOBODY)
    outcomes = lab.side.apply(lab.pair, [first, asked(CREATE, "b", target=single(day=3))])
    assert [type(one) for one in outcomes] == [Refused, Done]


def test_what_never_arrived_is_not_found(lab: Lab) -> None:
    strike(lab, "lost_request", "create", count=None)
    one = asked(CREATE, "link-1", target=single())
    assert isinstance(lab.side.apply(lab.pair, [one])[0], InDoubt)
    assert lab.side.find_theirs(lab.pair, {"link-1": ADA}, {}) == {}
    lab.calm()
    strike(lab, "throttled", "create", count=None, params={"form": "huge"})
    refused = lab.side.apply(lab.pair, [one])[0]
    # (By EWS that may follow an execution.)
    assert isinstance(refused, InDoubt if isinstance(lab, EwsLab) else Later)
    assert live(lab) == []
