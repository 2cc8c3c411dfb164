"""Writes by EWS whose fate is unknown, refused, or interrupted: never done twice, never forgotten.

EWS has no key that makes a repeated create harmless: everything rests on the look-up by our tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from calsync.errors import NotSignedIn, Unavailable
from calsync.model import (
    Done,
    EffectKind,
    Gone,
    InDoubt,
    Later,
    Occupancy,
    Outcome,
    Refused,
    Seen,
    Stale,
)
from calsync.reconcile.settle import resolve
from tests.contract.sync_side import effect, single, weekly, with_exceptions
from tests.integration.ews_kit import EwsLab, as_ews, as_graph, ews_lab
from tests.integration.graph_kit import ROOM

CREATE, CHANGE = EffectKind.CREATE_EVENT, EffectKind.CHANGE_EVENT
DELETE, DECLINE = EffectKind.DELETE_EVENT, EffectKind.DECLINE_EVENT


@pytest.fixture
def lab() -> Iterator[EwsLab]:
    with ews_lab(page=2) as lab:
        yield lab


LOST: list[tuple[str, dict[str, Any]]] = [
    ("reply_lost", {}),
    ("html_after", {}),
    ("truncated_json", {}),
    ("garbage_json", {}),
    ("reset_mid_body", {}),
    ("error_after", {"status": 502}),
    ("error_after", {"status": 503, "retry_after": "0.1"}),
]


@pytest.mark.parametrize(("kind", "params"), LOST)
def test_a_create_in_doubt_is_found_or_adopted_never_repeated(
    lab: EwsLab, kind: str, params: dict[str, Any]
) -> None:
    lab.fault(kind, params=params, method="CreateItem")
    one = effect(CREATE, "link-1", target=single())
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, InDoubt), outcome
    found = lab.side.find(lab.pair, ["link-1"])
    assert isinstance(found["link-1"], Seen)
    (again,) = lab.side.apply(lab.pair, [one])
    assert isinstance(again, Done), again
    assert isinstance(again.now, Seen)
    assert (again.now.key, again.now.tag) == (found["link-1"].key, "link-1")
    assert len(lab.live()) == 1


def test_a_look_up_that_is_answered_in_pieces_finds_all(lab: EwsLab) -> None:
    """A busy server gives fewer items than there are, and says so (IncludesLastItemInRange)."""
    creates = [effect(CREATE, f"link-{n}", target=single(hour=8 + n)) for n in range(4)]
    lab.fault("reply_lost", method="CreateItem")
    assert all(isinstance(one, InDoubt) for one in lab.side.apply(lab.pair, creates))
    lab.fault("short_page", method="FindItem", count=None)
    tags = [f"link-{n}" for n in range(4)]
    assert sorted(lab.side.find(lab.pair, tags)) == tags
    again = lab.side.apply(lab.pair, creates)
    assert all(isinstance(one, Done) and one.earlier for one in again), again
    lab.calm()
    assert len(lab.live()) == 4, "nothing was made twice"


def test_a_series_that_an_earlier_create_made_is_not_written_over(lab: EwsLab) -> None:
    """Its dates were added, and with them went what people had made of it since."""
    one = effect(CREATE, "a", target=with_exceptions())
    lab.fault("reply_lost", method="CreateItem")
    assert isinstance(lab.side.apply(lab.pair, [one])[0], InDoubt)
    (made,) = lab.live()
    lab.people.graph("PATCH", f"/users/{ROOM}/events/{made['id']}", {"subject": "Theirs"})
    (again,) = lab.side.apply(lab.pair, [one])
    assert isinstance(again, Done), again
    assert isinstance(again.now, Seen)
    assert (again.complete, again.earlier) == (False, True)
    assert again.now.occupancy == weekly(title="Theirs")
    lab.people.graph("PATCH", f"/users/{ROOM}/events/{made['id']}", {"subject": "Review"})
    (equal,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=weekly())])
    assert isinstance(equal, Done)
    assert (equal.complete, equal.earlier) == (True, True)


def test_a_create_in_doubt_that_people_deleted_since_is_gone_and_not_made_again(
    lab: EwsLab,
) -> None:
    lab.fault("reply_lost", method="CreateItem")
    one = effect(CREATE, "link-1", target=single())
    assert isinstance(lab.side.apply(lab.pair, [one])[0], InDoubt)
    made = lab.side.find(lab.pair, ["link-1"])["link-1"]
    lab.act("cancel", id=made.key, room=ROOM)
    found = lab.side.find(lab.pair, ["link-1", "link-2"])
    assert set(found) == {"link-1"}
    assert isinstance(found["link-1"], Gone)
    settled = resolve(CREATE, version="", wanted=one.fingerprint, found=found["link-1"])
    assert settled == Done(found["link-1"])
    assert lab.live() == []


def test_a_thrown_away_copy_of_ours_is_no_evidence(lab: EwsLab) -> None:
    """It bears our property, but not the uid that we gave: to take it for ours, which is gone
    without a trace, would end the booking."""
    (made,) = lab.side.apply(lab.pair, [effect(CREATE, "link-1", target=single())])
    assert isinstance(made, Done), made
    lab.act("copy", id=made.now.key, room=ROOM)
    (copy,) = [one["id"] for one in lab.live() if as_ews(one["id"]) != made.now.key]
    lab.people.graph("POST", f"/users/{ROOM}/events/{as_graph(made.now.key)}/permanentDelete")
    lab.act("cancel", id=copy, room=ROOM)
    assert lab.live() == []
    assert lab.side.box(lab.pair).discarded(["link-1"]) != {}, "the copy lies there"
    assert lab.side.find(lab.pair, ["link-1"]) == {}


def test_deleted_items_that_may_not_be_looked_at_say_nothing(lab: EwsLab) -> None:
    """A delegate may have rights on the calendar alone."""
    (made,) = lab.side.apply(lab.pair, [effect(CREATE, "link-1", target=single())])
    assert isinstance(made, Done), made
    lab.act("cancel", id=made.now.key, room=ROOM)
    box = lab.side.box(lab.pair)
    assert list(box.discarded(["link-1"])) == ["link-1"]
    lab.fault("ews_error", params={"code": "ErrorAccessDenied"}, method="FindItem")
    assert box.discarded(["link-1"]) == {}


def test_a_create_that_lost_its_tag_is_known_by_its_uid(lab: EwsLab) -> None:
    one = effect(CREATE, "link-1", target=single())
    lab.fault("without_tag", method="CreateItem")
    assert isinstance(lab.side.apply(lab.pair, [one])[0], InDoubt)
    other = EwsLab(lab.people)  # which was not asked to wait
    found = other.side.find(other.pair, ["link-1"])["link-1"]
    assert isinstance(found, Seen)
    (again,) = other.side.apply(other.pair, [one])
    assert isinstance(again, Done), again
    assert again.now.key == found.key
    assert len(lab.live()) == 1
    other.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("reply_lost", {}),
        ("error_after", {"status": 503, "retry_after": "0.01"}),
        ("reset_mid_body", {}),
    ],
)
def test_two_hundred_creates_whose_answer_is_lost_make_no_duplicate(
    lab: EwsLab, kind: str, params: dict[str, Any]
) -> None:
    """Each as the engine does it: sent, in doubt, looked up by its tag, adopted."""
    lab.fault(kind, count=None, params=params, method="CreateItem")
    start = datetime(2026, 12, 1)
    for number in range(200):
        at = start + timedelta(hours=number)
        target = Occupancy(start=at, end=at + timedelta(hours=1), zone="UTC")
        one = effect(CREATE, f"link-{number}", target=target)
        (outcome,) = lab.side.apply(lab.pair, [one])
        assert isinstance(outcome, InDoubt), outcome
        found = lab.side.find(lab.pair, [one.tag]).get(one.tag)
        assert isinstance(found, Seen)
        settled: Outcome = resolve(CREATE, version="", wanted=one.fingerprint, found=found)
        assert settled == Done(found)
        if not number % 20:
            (again,) = lab.side.apply(lab.pair, [one])
            assert isinstance(again, Done), (
                "also who does not look, but sends again, makes no other"
            )
    assert len(lab.live()) == 200


@pytest.mark.parametrize(
    ("kind", "params", "outcome"),
    [
        ("lost_request", {}, InDoubt),
        ("html_login", {}, InDoubt),
        ("error_before", {"status": 502}, InDoubt),
        ("throttled", {"form": "absent"}, InDoubt),
        ("throttled", {"form": "message"}, InDoubt),
        ("throttled", {"form": "wrapped"}, InDoubt),
        ("throttled", {"form": "http"}, InDoubt),
        ("permission_removed", {}, Later),
        ("permission_removed", {"status": 404}, Later),
        ("mailbox_moved", {}, InDoubt),
    ],
)
def test_a_create_that_never_was(
    lab: EwsLab, kind: str, params: dict[str, Any], outcome: type
) -> None:
    lab.fault(kind, count=None, params=params, method="CreateItem")
    two = [effect(CREATE, "a", target=single()), effect(CHANGE, "b", target=single())]
    first, second = lab.side.apply(lab.pair, two)
    assert isinstance(first, outcome), first
    assert isinstance(second, Later), "nothing is begun behind an open effect"
    lab.calm()
    assert lab.live() == []


def test_what_was_made_is_not_put_off_because_the_server_is_busy_since(lab: EwsLab) -> None:
    """Taken for never made, it was made again after its organizer had cancelled it (seed 940 of 60
    steps with EWS)."""
    lab.fault("throttled", count=None, params={"form": "soap", "seconds": 3600}, method="GetItem")
    (outcome,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(outcome, InDoubt), outcome
    lab.calm()
    assert len(lab.live()) == 1


def test_nor_is_what_was_changed(lab: EwsLab) -> None:
    """The first look is the one before it."""
    (made,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(made, Done)
    assert isinstance(made.now, Seen)
    busy = {"form": "soap", "seconds": 3600}
    lab.fault("throttled", count=None, after=1, params=busy, method="GetItem")
    moved = effect(CHANGE, "a", key=made.now.key, version=made.now.version, target=single(hour=12))
    (outcome,) = lab.side.apply(lab.pair, [moved])
    assert isinstance(outcome, InDoubt), outcome


def test_a_look_up_that_fails_sends_nothing(lab: EwsLab) -> None:
    lab.fault("error_before", count=None, method="FindItem", params={"status": 500})
    (outcome,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(outcome, Later), outcome
    assert "CreateItem" not in lab.calls()


def test_a_busy_server_is_waited_for_as_long_as_it_asks(lab: EwsLab) -> None:
    lab.fault("throttled", params={"form": "soap", "seconds": 0.2}, method="SyncFolderItems")
    before = lab.clock.monotonic()
    assert lab.side.pull(lab.pair, None, lab.window).complete
    assert lab.clock.monotonic() - before >= 0.19
    assert lab.logged.counts().throttled == 1


def test_a_refused_sign_in_is_not_tried_by_every_room(lab: EwsLab) -> None:
    """Each try of a wrong password counts towards the lock-out of the account."""
    with ews_lab(lab.server, password="wrong") as other:
        for _ in range(5):
            with pytest.raises(NotSignedIn) as refused:
                other.side.pull(other.pair, None, other.window)
        assert "password" in refused.value.todo
        assert other.logged.counts().total == 5
        assert lab.calls().count("login") == 1, "one try reached the server"


def test_nobody_listens(lab: EwsLab) -> None:
    lab.side.pull(lab.pair, None, lab.window)
    lab.server.stop()
    lab.transport.close()
    (outcome,) = lab.side.apply(lab.pair, [effect(CREATE, "a", target=single())])
    assert isinstance(outcome, Later)
    with pytest.raises(Unavailable):
        lab.side.pull(lab.pair, None, lab.window)


@pytest.mark.parametrize("kind", ["reply_lost", "truncated_json", "error_after"])
def test_a_change_whose_reply_is_lost_is_in_doubt(lab: EwsLab, kind: str) -> None:
    key = lab.put(single())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    lab.fault(kind, method="UpdateItem", params={"status": 502} if kind == "error_after" else {})
    one = effect(CHANGE, "a", seen=seen, target=single(hour=15))
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, InDoubt)
    assert lab.side.read(lab.pair, [key])[0].occupancy == single(hour=15)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["error_before", "reply_lost", "html_after", "throttled"])
def test_a_change_whose_first_read_fails_has_written_nothing(lab: EwsLab, kind: str) -> None:
    key = lab.put(single())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    params = {"status": 502} if kind == "error_before" else {}
    lab.fault(kind, count=None, method="GetItem", params=params)
    one = effect(CHANGE, "a", seen=seen, target=single(hour=15))
    assert isinstance(lab.side.apply(lab.pair, [one])[0], Later)
    assert "UpdateItem" not in lab.calls()


def test_a_race_between_read_and_write_is_lost_by_us(lab: EwsLab) -> None:
    """The read still shows the version we decided on; the server refuses the write."""
    key = lab.put(single())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    lab.edit(key, single(hour=20))
    lab.fault("stale_read", count=None, params={"seconds": 60}, method="GetItem")
    one = effect(CHANGE, "a", seen=seen, target=single(hour=15))
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, Stale), outcome
    lab.calm()
    assert lab.side.read(lab.pair, [key])[0].occupancy == single(hour=20)  # type: ignore[union-attr]


def test_what_a_person_changed_since_an_old_answer_is_not_deleted(lab: EwsLab) -> None:
    """DeleteItem asks for no version; the change that comes before it does."""
    key = lab.put(single())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    lab.edit(key, single(hour=20))
    lab.fault("stale_read", count=None, params={"seconds": 60}, method="GetItem")
    (outcome,) = lab.side.apply(lab.pair, [effect(DELETE, "a", seen=seen)])
    assert isinstance(outcome, Stale), outcome
    lab.calm()
    assert lab.side.read(lab.pair, [key])[0].occupancy == single(hour=20)  # type: ignore[union-attr]


def test_a_series_interrupted_on_its_way_is_told_and_completed(lab: EwsLab) -> None:
    lab.fault("error_before", params={"status": 500}, method="UpdateItem")
    one = effect(CREATE, "a", target=with_exceptions())
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, Done), outcome
    assert not outcome.complete
    assert isinstance(outcome.now, Seen)
    change = effect(CHANGE, "a", seen=outcome.now, target=with_exceptions())
    (finished,) = lab.side.apply(lab.pair, [change])
    assert isinstance(finished, Done), finished
    assert finished.complete
    assert finished.now.occupancy == with_exceptions()  # type: ignore[union-attr]
    assert len(lab.live()) == 1


def test_a_series_made_anew_is_known_by_what_it_replaces(lab: EwsLab) -> None:
    """Exceptions do not come back: the series is made anew before the old one goes. Interrupted
    between the two, it is recognised and not made a third time."""
    key = lab.put(with_exceptions())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    lab.fault("lost_request", method="DeleteItem")
    one = effect(CHANGE, "a", seen=seen, target=weekly())
    (outcome,) = lab.side.apply(lab.pair, [one])
    assert isinstance(outcome, InDoubt), outcome
    assert len(lab.live()) == 2
    (again,) = lab.side.apply(lab.pair, [one])
    assert isinstance(again, Done), again
    assert isinstance(again.now, Seen)
    assert again.now.replaces
    assert [one["id"] for one in lab.live()] != [key]
    assert len(lab.live()) == 1


def test_a_create_again_after_the_event_is_gone(lab: EwsLab) -> None:
    """A link that lost its event for good may have a new one, once."""
    one = effect(CREATE, "a", target=single())
    (made,) = lab.side.apply(lab.pair, [one])
    assert isinstance(made, Done)
    assert isinstance(made.now, Seen)
    lab.remove(made.now.key)
    anew = effect(CREATE, "a", target=single(), key=made.now.key)
    for _ in range(2):
        (outcome,) = lab.side.apply(lab.pair, [anew])
        assert isinstance(outcome, Done)
        assert isinstance(outcome.now, Seen)
        assert outcome.now.tag == "a"
    assert len(lab.live()) == 1


def test_bad_input_is_refused_with_its_reason_and_alone(lab: EwsLab) -> None:
    long = Occupancy(start=datetime(2026, 12, 1), end=datetime(2033, 1, 1), zone="UTC")
    targets = [single(day=1), long, single(day=3)]
    outcomes = lab.side.apply(
        lab.pair, [effect(CREATE, f"l{n}", target=t) for n, t in enumerate(targets)]
    )
    assert [type(one) for one in outcomes] == [Done, Refused, Done]
    assert "five years" in outcomes[1].reason  # type: ignore[union-attr]
    assert len(lab.live()) == 2


@pytest.mark.parametrize("kind", ["reply_lost", "truncated_json"])
def test_a_batch_of_creates_whose_reply_is_lost_is_in_doubt(lab: EwsLab, kind: str) -> None:
    effects = [effect(CREATE, f"l{day}", target=single(day=day)) for day in range(1, 24)]
    lab.fault(kind, method="CreateItem")
    outcomes = lab.side.apply(lab.pair, effects)
    assert [type(one) for one in outcomes] == [InDoubt] * 20 + [Later] * 3
    assert len(lab.live()) == 20
    again = lab.side.apply(lab.pair, effects)
    assert [type(one) for one in again] == [Done] * 23
    assert len(lab.live()) == 23


@pytest.mark.parametrize("titles", [True, False], ids=["private", "titles not carried"])
def test_a_series_made_anew_keeps_the_title_that_is_hidden_from_us(
    lab: EwsLab, titles: bool
) -> None:
    """Its owner knows it by that. It was called "Booked" from then on, and its own title was lost
    (met in seed 5766)."""
    lab.pair = replace(lab.pair, titles=titles)
    shown = weekly(private=titles)
    key = lab.put(replace(with_exceptions(), private=titles))
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    assert seen.occupancy.title is None
    target = replace(shown, title=None)
    (outcome,) = lab.side.apply(lab.pair, [effect(CHANGE, "a", seen=seen, target=target)])
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.now, Seen)
    assert outcome.now.key != key
    assert outcome.now.occupancy == target
    assert [one["subject"] for one in lab.live()] == ["Review"]


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
def test_a_series_made_anew_keeps_no_title_where_it_becomes_private_or_was(
    lab: EwsLab, before: bool, after: bool
) -> None:
    key = lab.put(replace(with_exceptions(), private=before))
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    target = weekly(private=after, title=None)
    (outcome,) = lab.side.apply(lab.pair, [effect(CHANGE, "a", seen=seen, target=target)])
    assert isinstance(outcome, Done), outcome
    assert [one["subject"] for one in lab.live()] == ["Booked"]


@pytest.mark.parametrize("changed", [False, True])
def test_what_a_series_replaces_goes_also_where_it_was_made_anew_just_then(
    lab: EwsLab, changed: bool
) -> None:
    """Another connector had deleted and made anew what our read, from a copy that lagged behind,
    still showed. What somebody changed in it stays."""
    key = lab.put(with_exceptions())
    (seen,) = lab.side.read(lab.pair, [key])
    assert isinstance(seen, Seen)
    anew = lab.act("recreate", room=lab.room, iCalUId=seen.uid)
    if changed:
        lab.act("retitle", room=lab.room, id=anew["id"], copy=True, subject="changed")
    lab.fault("stale_read", count=2, params={"seconds": 60}, method="GetItem")
    (outcome,) = lab.side.apply(lab.pair, [effect(CHANGE, "link-1", seen=seen, target=weekly())])
    assert isinstance(outcome, Done), outcome
    lab.calm()
    left = {one.key for one in lab.side.pull(lab.pair, None, lab.window).observations}
    assert outcome.now.key in left
    assert len(left) == 1 + changed
