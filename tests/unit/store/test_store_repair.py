"""What an admin can bring back, what an admin asked for, and the figures of a room."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from store_samples import NOW, meeting

from calsync.model import Conflict, ConflictKind, Effect, EffectKind, Occupancy, Pair, Side
from calsync.ports import AuditEntry, AuditStep, Commit
from calsync.store.database import Database
from calsync.store.figures import Figures
from calsync.store.former import FormerStates
from calsync.store.pairs import Mappings
from calsync.store.reports import Reports
from calsync.store.requests import SqlRequests
from calsync.store.retention import purge
from calsync.store.store import SqlStore


class Fixed:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def clock() -> Fixed:
    return Fixed()


@pytest.fixture
def room(db: Database, clock: Fixed) -> Pair:
    pair = Pair(id="p", room_id="r", connection="c", mailbox="r@x.test", zone="UTC", titles=True)
    Mappings(db, clock).save_pair(pair)
    return pair


def effect(number: int, kind: EffectKind, was: Occupancy | None) -> Effect:
    return Effect(
        id=f"l{number}:1", kind=kind, link_id=f"l{number}", revision=1, why="because", was=was
    )


def commit(db: Database, clock: Fixed, **parts: object) -> None:
    store = SqlStore(db, clock)
    fence = store.claim("p", "test")
    store.commit(Commit(pair_id="p", fence=fence, **parts))  # type: ignore[arg-type]


# --- former states ---------------------------------------------------------------------------


def test_what_was_removed_or_written_over_is_kept_and_nothing_else(
    db: Database, clock: Fixed, room: Pair
) -> None:
    was = replace(meeting(), title="Board")
    kept = [
        EffectKind.CHANGE_EVENT,
        EffectKind.DELETE_EVENT,
        EffectKind.DECLINE_EVENT,
        EffectKind.CHANGE_BOOKING,
        EffectKind.DELETE_BOOKING,
        EffectKind.REJECT_BOOKING,
    ]
    effects = [effect(n, kind, was) for n, kind in enumerate(EffectKind)]
    effects.append(effect(99, EffectKind.DELETE_EVENT, None))
    commit(db, clock, took_effect=effects)
    former = FormerStates(db)
    found = former.since("p", NOW)
    assert sorted(one.kind for one in found) == sorted(kept)
    assert {one.was for one in found} == {was}
    assert former.since("p", NOW + timedelta(microseconds=1)) == []
    assert former.since("other", NOW) == []
    assert (former.oldest("p"), former.oldest("other")) == (NOW, None)


def test_titles_and_old_states_are_forgotten(db: Database, clock: Fixed, room: Pair) -> None:
    was = replace(meeting(), title="Board")
    commit(db, clock, took_effect=[effect(1, EffectKind.DELETE_EVENT, was)])
    former = FormerStates(db)
    former.drop_titles("p", "r")
    assert [one.was.title for one in former.since("p", NOW)] == [None]
    long_ago = NOW - timedelta(days=4000)
    purge(db, details_before=long_ago, links_before=long_ago)
    assert len(former.since("p", NOW)) == 1
    end = was.end.replace(tzinfo=UTC)
    purge(db, details_before=end + timedelta(days=1), links_before=long_ago)
    assert former.since("p", NOW) == []


# --- requests --------------------------------------------------------------------------------


def test_a_request_waits_until_it_is_settled_and_decides_its_conflict(
    db: Database, clock: Fixed, room: Pair
) -> None:
    parked = Conflict(
        kind=ConflictKind.EDIT,
        link_id="l",
        other_link_id=None,
        policy="ask",
        winner=None,
        reason="both",
    )
    commit(db, clock, conflicts=[parked])
    (record,) = Reports(db).conflicts("p")
    requests = SqlRequests(db, clock)
    detail = {"link": "l", "side": "booking", "conflicts": [record.id], "winner_side": "booking"}
    number = requests.ask("p", "keep", detail)
    other = requests.ask("q", "resync", {})
    assert requests.waiting() == {"p", "q"}
    (open_one,) = requests.of("p")
    assert (open_one.id, open_one.what, open_one.detail) == (number, "keep", detail)
    requests.settle(open_one, "kept", done=True)
    assert requests.waiting() == {"q"}
    stored = requests.find(number)
    assert stored is not None
    assert (stored.state, stored.result) == ("done", "kept")
    (record,) = Reports(db).conflicts("p")
    assert (record.conflict.winner, record.conflict.policy) == (Side.BOOKING, "admin")
    requests.settle(requests.of("q")[0], "no", done=False)
    failed = requests.find(other)
    assert failed is not None
    assert failed.state == "failed"
    assert requests.find(12345) is None


def test_a_request_that_failed_decides_nothing(db: Database, clock: Fixed, room: Pair) -> None:
    parked = Conflict(
        kind=ConflictKind.CLASH,
        link_id="l",
        other_link_id="m",
        policy="ask",
        winner=None,
        reason="both",
    )
    commit(db, clock, conflicts=[parked])
    (record,) = Reports(db).conflicts("p")
    requests = SqlRequests(db, clock)
    requests.ask("p", "refuse", {"conflicts": [record.id], "winner_side": "calendar"})
    requests.settle(requests.of("p")[0], "it is gone", done=False)
    assert Reports(db).conflicts("p")[0].conflict.winner is None


# --- figures ---------------------------------------------------------------------------------


def test_calls_are_counted_by_mailbox_and_day(db: Database, clock: Fixed, room: Pair) -> None:
    other = replace(room, id="q", room_id="s", mailbox="S@x.test")
    Mappings(db, clock).save_pair(other)
    figures = Figures(db)
    figures.count({}, NOW)
    figures.count({"r@x.test": 3, "S@x.test": 1, "anna@x.test": 9}, NOW)
    figures.count({"r@x.test": 4}, NOW)
    figures.count({"r@x.test": 5}, NOW - timedelta(days=1))
    assert figures.calls(NOW) == {"r@x.test": (7, 5), "s@x.test": (1, 0)}, "rooms only"
    assert figures.calls(NOW + timedelta(days=1)) == {"r@x.test": (0, 7), "s@x.test": (0, 1)}
    figures.count({"r@x.test": 1}, NOW + timedelta(days=100))
    assert figures.calls(NOW) == {}


def test_lag_is_the_time_from_an_act_to_its_arrival(db: Database, clock: Fixed, room: Pair) -> None:
    def line(seconds: float, link: str, step: AuditStep, what: str) -> AuditEntry:
        at = NOW - timedelta(hours=1) + timedelta(seconds=seconds)
        return AuditEntry(at=at, pair_id="p", link_id=link, step=step, what=what)

    history = []
    for n, seconds in enumerate((2.0, 4.0, 90.0)):
        history += [
            line(0, f"l{n}", AuditStep.ACT, "created on the booking side"),
            line(seconds, f"l{n}", AuditStep.CONFIRMATION, "create event: confirmed"),
            line(seconds + 50, f"l{n}", AuditStep.CONFIRMATION, "confirm booking: confirmed"),
        ]
    history.append(line(0, "unheard", AuditStep.ACT, "created on the booking side"))
    history.append(line(0, "import", AuditStep.CONFIRMATION, "create booking: confirmed"))
    commit(db, clock, audit=history)
    figures = Figures(db)
    assert figures.lag(NOW) == {"p": 4.0}
    assert figures.lag(NOW + timedelta(days=2)) == {}


# --- retired pairs ---------------------------------------------------------------------------


def test_a_retired_pair_never_comes_back(db: Database, clock: Fixed, room: Pair) -> None:
    mappings = Mappings(db, clock)
    assert mappings.id_for("r", "R@x.test", "c") == "p"
    assert mappings.former("r") is None
    mappings.remove_pair("p")
    assert mappings.id_for("r", "r@x.test", "c") == "p", "unmapped only: it goes on"
    mappings.retire("p")
    assert mappings.id_for("r", "r@x.test", "c") != "p"
    former = mappings.former("r")
    assert former is not None
    assert former.id == "p"
