"""One commit: under the fence, whole or not at all, and nothing changed by the journey."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_samples import (
    ANN,
    NOW,
    PAIR,
    FixedClock,
    effect_of,
    entry_of,
    equal_link,
    meeting,
    notice_of,
)

from calsync.errors import StoreError
from calsync.model import (
    NONE_YET,
    Alternative,
    Conflict,
    ConflictKind,
    EditPolicy,
    EffectKind,
    Frequency,
    Half,
    Interval,
    Link,
    LinkState,
    Nth,
    Occupancy,
    Override,
    Person,
    Presence,
    Recurrence,
    Refusal,
    RoomAnswer,
    Rule,
    Side,
    Tally,
    Weekday,
    Window,
)
from calsync.ports import Commit, NoticeState, RoomState
from calsync.store.database import Database
from calsync.store.migrate import migrate
from calsync.store.pairs import Mappings
from calsync.store.reports import Reports
from calsync.store.store import SqlStore

CLASH = Conflict(
    kind=ConflictKind.CLASH,
    link_id="link1",
    other_link_id="link2",
    policy="first",
    winner=Side.CALENDAR,
    reason="booked first",
    lost=meeting(3, title="Retro"),
    fields=("start", "end"),
)
STATE = RoomState(
    pair_id=PAIR.id,
    calendar_cursor="https://graph.test/delta?token=1",
    booking_cursor="17",
    window=Window(NOW - timedelta(days=30), NOW + timedelta(days=365)),
    imported=True,
    halted="too many deletions",
    approved=True,
    failures=3,
    error="the mailbox did not answer",
    synced_at=NOW,
    woken_at=NOW - timedelta(days=2),
    compared_at=NOW - timedelta(hours=5, microseconds=7),
    drift=2,
    writes=Tally(17, NOW),
    others=Tally(2, NOW - timedelta(hours=3)),
    rejoin=EditPolicy.CALENDAR,
)


def everything(fence: int) -> Commit:
    link = equal_link(1)
    return Commit(
        pair_id=PAIR.id,
        fence=fence,
        links=[link, equal_link(2)],
        effects=[effect_of(link)],
        conflicts=[CLASH],
        notices=[notice_of(link)],
        audit=[entry_of(link)],
        state=STATE,
    )


def dump(db: Database) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with db.read() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        )
        return {
            name: connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
            for (name,) in names.all()
        }


# --- the fence -------------------------------------------------------------------------------


def test_everything_of_a_commit_can_be_read_back(
    store: SqlStore, reports: Reports, fence: int
) -> None:
    store.commit(everything(fence))
    assert sorted(store.links(PAIR.id), key=lambda link: link.id) == [equal_link(1), equal_link(2)]
    assert store.states() == {PAIR.id: STATE}
    (open_,) = store.open_effects(PAIR.id)
    assert (open_.id, open_.kind, open_.revision) == ("eff-link1", EffectKind.CHANGE_EVENT, 1)
    assert [record.conflict for record in reports.conflicts()] == [CLASH]
    assert [stored.notice for stored in store.claim_notices(5)] == [notice_of(equal_link(1))]
    (story,) = reports.explain("bk1")
    assert story.entries == [entry_of(equal_link(1))]


def test_each_claim_gives_a_higher_fence(store: SqlStore) -> None:
    first = store.claim(PAIR.id, "a")
    assert store.claim(PAIR.id, "b") > first


def test_a_commit_under_an_older_fence_changes_nothing(
    store: SqlStore, db: Database, fence: int
) -> None:
    store.claim(PAIR.id, "a worker that came later")
    before = dump(db)
    with pytest.raises(StoreError, match="taken over"):
        store.commit(everything(fence))
    assert dump(db) == before


def test_a_worker_from_before_an_unmapping_stays_locked_out(
    store: SqlStore, mappings: Mappings, clock: FixedClock, fence: int
) -> None:
    mappings.remove_pair(PAIR.id)
    with pytest.raises(StoreError, match="unmapped"):
        store.commit(everything(fence))
    clock.wait(minutes=1)
    mappings.save_pair(PAIR)
    assert store.claim(PAIR.id, "new") > fence
    with pytest.raises(StoreError, match="taken over"):
        store.commit(everything(fence))


def test_a_room_that_is_not_mapped_cannot_be_claimed(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="not mapped") as caught:
        store.claim("nowhere", "tester")
    assert "calsync rooms map" in caught.value.todo


# --- whole or not at all ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "row_maker",
    [
        "store._effect_row",
        "store._conflict_row",
        "ledger._row",
        "store._audit_row",
        "store._state_row",
    ],
)
def test_an_exception_in_the_middle_leaves_nothing(
    store: SqlStore, db: Database, fence: int, monkeypatch: pytest.MonkeyPatch, row_maker: str
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError

    before = dump(db)
    monkeypatch.setattr(f"calsync.store.{row_maker}", fail)
    with pytest.raises(ArithmeticError):
        store.commit(everything(fence))
    assert dump(db) == before


def test_two_links_cannot_claim_one_event(store: SqlStore, db: Database, fence: int) -> None:
    store.commit(everything(fence))
    before = dump(db)
    thief = equal_link(9, event=equal_link(1).event)
    with pytest.raises(StoreError, match="two links claim one item"):
        store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[thief], audit=[entry_of(thief)]))
    assert dump(db) == before


def test_a_tombstone_gives_up_its_key_in_the_same_commit(store: SqlStore, fence: int) -> None:
    old = equal_link(1)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[old]))
    heir = replace(equal_link(5), event=old.event)
    grave = replace(old, state=LinkState.BURIED, event=replace(old.event, key=None))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[heir, grave]))
    assert store.links_by_key(PAIR.id, Side.CALENDAR, ["ev1"]) == [heir]


def test_a_new_link_takes_the_key_that_another_gives_up(store: SqlStore, fence: int) -> None:
    """What was made in place of its item takes the link over (seed 20145)."""
    old = equal_link(1)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[old]))
    former = replace(equal_link(5), event=old.event)
    goes_on = replace(old, event=replace(old.event, key="made in its place"))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[former, goes_on]))
    assert store.links_by_key(PAIR.id, Side.CALENDAR, ["ev1"]) == [former]
    assert store.links_by_key(PAIR.id, Side.CALENDAR, ["made in its place"]) == [goes_on]


def test_links_by_the_global_id_of_their_item(store: SqlStore, fence: int) -> None:
    one, two = equal_link(1), equal_link(2)
    one = replace(one, event=replace(one.event, uid="u"))
    two = replace(two, event=replace(two.event, uid="u"), state=LinkState.BURIED)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[one, two, equal_link(3)]))
    assert store.links_by_uid(PAIR.id, Side.CALENDAR, ["u", "v"]) == [one]
    assert store.links_by_uid(PAIR.id, Side.CALENDAR, []) == []
    assert store.links_by_uid("another pair", Side.CALENDAR, ["u"]) == []


def test_meetings_in_peoples_calendars_are_found_by_their_uid_and_the_rooms_copy(
    store: SqlStore, fence: int
) -> None:
    def asked(number: int, **more: object) -> Link:
        link = equal_link(number)
        half = replace(link.event, uid=f"u{number}", answer=RoomAnswer.WAITING, **more)  # type: ignore[arg-type]
        return replace(link, event=half, organizer="ada@x.test")

    one, two = asked(1), asked(2, copy="c2")
    buried = replace(asked(3), state=LinkState.BURIED)
    plain = equal_link(4)
    plain = replace(plain, event=replace(plain.event, uid="u4"))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[one, two, buried, plain]))
    found = store.links_asked(PAIR.id, uids=["u1", "u3", "u4"], copies=["c2", ""])
    assert sorted(link.id for link in found) == sorted(link.id for link in (one, two, buried))
    assert store.links_asked(PAIR.id, uids=[], copies=[]) == []
    assert {link.id for link in store.all_asked(PAIR.id)} == {one.id, two.id}
    assert store.links_asked("another pair", uids=["u1"], copies=["c2"]) == []
    # What waits for the room is looked at in every cycle.
    assert {link.id for link in store.unsettled(PAIR.id)} == {one.id, two.id}


def test_two_links_may_both_lack_a_key(store: SqlStore, fence: int) -> None:
    nothing = Half()
    store.commit(
        Commit(
            pair_id=PAIR.id,
            fence=fence,
            links=[equal_link(1, event=nothing), equal_link(2, event=nothing)],
        )
    )
    assert len(store.links(PAIR.id)) == 2


_KILLED = """
import os, sys
from store_samples import PAIR, FixedClock
from test_store_commit import everything
import calsync.store.store as module
from calsync.store.database import Database
store = module.SqlStore(Database(sys.argv[1]), FixedClock())
fence = store.claim(PAIR.id, "doomed")
def die(entry):
    os.kill(os.getpid(), 9)
module._audit_row = die
store.commit(everything(fence))
"""


def test_a_kill_in_the_middle_of_a_commit_leaves_nothing(
    store: SqlStore, db: Database, path: Path
) -> None:
    before = dump(db)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, f"sqlite:///{path}"],
        env={"PYTHONPATH": ":".join(p for p in [str(Path(__file__).parent), *sys.path] if p)},
        check=False,
    )
    assert done.returncode == -9
    after = dump(db)
    after["room_sync"] = before["room_sync"] = []  # the claim was a commit of its own
    assert after == before


# --- links -----------------------------------------------------------------------------------


def test_a_link_is_replaced_by_its_newer_form(store: SqlStore, fence: int) -> None:
    store.commit(everything(fence))
    newer = equal_link(1, base=meeting(4), revision=2, reason="moved", seats=4)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[newer]))
    assert store.links_by_id(["link1", "nobody"]) == [newer]


def test_forgotten_links_take_their_effects_along(store: SqlStore, fence: int) -> None:
    store.commit(everything(fence))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, forget=["link1"]))
    assert [link.id for link in store.links(PAIR.id)] == ["link2"]
    assert store.open_effects(PAIR.id) == []


def test_settled_effects_leave_the_outbox(store: SqlStore, fence: int) -> None:
    link = equal_link(1)
    effects = [effect_of(link, id=name) for name in ("a", "b")]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[link], effects=effects))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, settled=["a", "never heard of"]))
    assert [effect.id for effect in store.open_effects(PAIR.id)] == ["b"]


def test_links_by_key_on_either_side_in_any_number(store: SqlStore, fence: int) -> None:
    links = [equal_link(number) for number in range(1000)]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=links))
    wanted = [f"ev{number}" for number in range(100, 1000)]
    found = store.links_by_key(PAIR.id, Side.CALENDAR, [*wanted, *wanted, "ev-none"])
    assert sorted(link.event.key or "" for link in found) == sorted(wanted)
    assert store.links_by_key(PAIR.id, Side.BOOKING, ["bk7"]) == [links[7]]
    assert store.links_by_key(PAIR.id, Side.BOOKING, ["ev7"]) == []
    assert store.links_by_key(PAIR.id, Side.BOOKING, []) == []
    assert store.links_by_key("another pair", Side.BOOKING, ["bk7"]) == []


def at(hour: float) -> datetime:
    """An instant, in hours from the start of ``meeting(0)``."""
    return datetime(2026, 11, 20, 10, 0, tzinfo=UTC) + timedelta(hours=hour)


@pytest.mark.parametrize(
    ("start", "end", "met"),
    [
        (0.5, 0.6, True),
        (-1, 0, False),
        (1, 2, False),
        (-1, 0.01, True),
        (0.99, 2, True),
        (-9, 9, True),
    ],
)
def test_links_meeting_a_span(
    store: SqlStore, fence: int, start: float, end: float, met: bool
) -> None:
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[equal_link(0)]))
    assert bool(store.links_meeting(PAIR.id, Interval(at(start), at(end)))) is met


ENDLESS = replace(
    meeting(), zone="Europe/Berlin", recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY))
)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_the_last_fraction_of_a_second_counts(store: SqlStore, fence: int, zone: str) -> None:
    """Extents are whole seconds, rounded outwards: never too small."""
    start = datetime(2026, 11, 20, 10, 0, 0, 900_000)
    end = start + timedelta(milliseconds=200)
    odd = Occupancy(start=start, end=end, zone=zone)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[equal_link(1, base=odd)]))
    first = at(0) - timedelta(hours=0 if zone == "UTC" else 1)
    for offset in (0.95, 1.05):
        instant = first + timedelta(seconds=offset)
        assert store.links_meeting(PAIR.id, Interval(instant, instant + timedelta(milliseconds=1)))


def test_an_endless_series_meets_every_later_span(store: SqlStore, fence: int) -> None:
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[equal_link(1, base=ENDLESS)]))
    far = timedelta(days=9000)
    assert store.links_meeting(PAIR.id, Interval(NOW + far, NOW + far + timedelta(hours=1)))
    assert not store.links_meeting(PAIR.id, Interval(NOW - far, NOW - far + timedelta(hours=1)))
    assert store.future_items(PAIR.id, NOW + far) == 1


def test_a_move_that_is_not_agreed_yet_counts_at_both_places(store: SqlStore, fence: int) -> None:
    link = equal_link(1)
    moved = replace(link, event=replace(link.event, seen=meeting(50), fingerprint="other"))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[moved]))
    for hour in (1.5, 50.5):
        assert store.links_meeting(PAIR.id, Interval(at(hour), at(hour + 0.1)))


def test_an_all_day_item_fills_the_day_of_its_room(
    store: SqlStore, mappings: Mappings, fence: int
) -> None:
    day = Occupancy(
        start=datetime(2026, 11, 21), end=datetime(2026, 11, 22), zone=None, all_day=True
    )
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[equal_link(1, base=day)]))
    late = datetime(2026, 11, 20, 23, 15, tzinfo=UTC)  # 00:15 in Berlin, 18:15 in New York
    span = Interval(late, late + timedelta(minutes=15))
    assert store.links_meeting(PAIR.id, span)
    mappings.save_pair(replace(PAIR, zone="America/New_York"))
    assert not store.links_meeting(PAIR.id, span)


@pytest.mark.parametrize("state", [LinkState.PARKED, LinkState.BURIED])
def test_only_active_links_count(store: SqlStore, fence: int, state: LinkState) -> None:
    links = [equal_link(1, state=state, in_flight=True), equal_link(2)]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=links))
    meeting_links = {x.id for x in store.links_meeting(PAIR.id, Interval(at(0), at(99)))}
    # What is parked still takes the room; what is buried does not.
    assert meeting_links == ({"link1", "link2"} if state is LinkState.PARKED else {"link2"})
    assert store.future_items(PAIR.id, NOW) == 1
    assert store.future_items(PAIR.id, NOW + timedelta(days=3)) == 0
    assert store.unsettled(PAIR.id) == []


def _half(side: str, **changes: object) -> Callable[[Link], Link]:
    return lambda link: replace(link, **{side: replace(getattr(link, side), **changes)})


@pytest.mark.parametrize(
    "unsettle",
    [
        lambda link: replace(link, in_flight=True),
        lambda link: replace(link, pending=True),
        lambda link: replace(link, base=None, base_fingerprint=""),
        _half("booking", fingerprint="another"),
        _half("event", fingerprint="another"),
        _half("event", presence=Presence.GONE),
        _half("booking", presence=Presence.NEVER),
    ],
)
def test_unsettled_links_are_found(
    store: SqlStore, fence: int, unsettle: Callable[[Link], Link]
) -> None:
    odd = unsettle(equal_link(1))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[odd, equal_link(2)]))
    assert store.unsettled(PAIR.id) == [odd]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[equal_link(1)]))
    assert store.unsettled(PAIR.id) == []


# --- save and load are one -------------------------------------------------------------------

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_walls = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)).map(
    lambda wall: wall.replace(second=0, microsecond=0)
)


@st.composite
def _series(draw: st.DrawFn) -> Recurrence:
    rule = Rule(
        frequency=draw(st.sampled_from(Frequency)),
        interval=draw(st.integers(1, 4)),
        by_day=tuple(Nth(day) for day in sorted(draw(st.sets(st.sampled_from(Weekday))))),
        count=draw(st.none() | st.integers(1, 20)),
    )
    wall = draw(_walls)
    override = Override(
        recurrence_id=wall,
        start=wall,
        end=wall + timedelta(hours=draw(st.integers(1, 9))),
        title=draw(st.none() | _text),
    )
    return Recurrence(rule=rule, overrides=draw(st.sampled_from([(), (override,)])))


@st.composite
def _occupancies(draw: st.DrawFn) -> Occupancy:
    start = draw(_walls)
    series = draw(st.none() | _series())
    return Occupancy(
        start=start,
        end=start + timedelta(minutes=draw(st.integers(0, 3000))),
        zone="UTC" if series is None else draw(st.sampled_from(["Europe/Berlin", "Asia/Tokyo"])),
        title=draw(st.none() | _text),
        private=draw(st.booleans()),
        recurrence=series,
    )


_halves = st.builds(
    Half,
    presence=st.sampled_from(Presence),
    key=st.none() | st.text("abcdef/_%", min_size=1, max_size=30),
    version=_text,
    mark=st.integers(-1, 2**62),
    fingerprint=_text,
    seen=st.none() | _occupancies(),
    created=st.none() | _instants,
    owned=st.booleans(),
    uid=_text,
    reason=_text,
    since=st.none() | _instants,
    sent=_text,
)
_refusals = st.builds(
    Refusal,
    reason=_text,
    code=_text,
    dates=st.lists(_walls, max_size=2).map(tuple),
    conflicts=st.lists(st.tuples(_instants, _instants), max_size=2).map(tuple),
    alternatives=st.lists(
        st.builds(Alternative, room_id=_text, name=_text, capacity=st.none() | st.integers(1, 99)),
        max_size=2,
    ).map(tuple),
    times=st.lists(st.tuples(_instants, _instants), max_size=2).map(tuple),
)
_links = st.builds(
    Link,
    id=st.uuids().map(str),
    pair_id=st.just(PAIR.id),
    origin=st.sampled_from(Side),
    booking=_halves,
    # Only events are meetings that a room answers.
    event=st.builds(
        lambda half, answer, copy: replace(half, answer=answer, copy=copy),
        _halves,
        st.sampled_from(RoomAnswer),
        _text,
    ),
    base=st.none() | _occupancies(),
    base_fingerprint=_text,
    state=st.sampled_from(LinkState),
    reason=_text,
    revision=st.integers(0, 2**30),
    in_flight=st.booleans(),
    attempts=st.integers(0, 99),
    pending=st.booleans(),
    person=st.builds(Person, _text, _text),
    seats=st.none() | st.integers(0, 999),
    claim=st.none() | st.sampled_from(Side),
    refusal=st.none() | _refusals,
    passed=st.none() | _occupancies(),
    passed_seats=st.none() | st.integers(0, 999),
    writes=st.just(NONE_YET) | st.builds(Tally, st.integers(1, 999), _instants),
    organizer=_text,
    hindrance=_text,
    slept=st.booleans(),
)


def test_the_law_below_covers_every_field() -> None:
    """A new field of the model needs a column, and a place in the law below."""
    assert {field.name for field in fields(Half)} == {
        "presence", "key", "version", "mark", "fingerprint", "seen", "created", "owned", "uid",
        "reason", "since", "sent", "answer", "copy",
    }  # fmt: skip
    assert {field.name for field in fields(Link)} == {
        "id", "pair_id", "origin", "booking", "event", "base", "base_fingerprint", "state",
        "reason", "revision", "in_flight", "attempts", "pending", "person", "seats", "claim",
        "refusal", "passed", "passed_seats", "writes", "organizer", "hindrance", "slept",
    }  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(link=_links)
def test_a_link_comes_back_as_it_was_saved(store: SqlStore, link: Link) -> None:
    fence = store.claim(PAIR.id, "tester")
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[link]))
    assert store.links_by_id([link.id]) == [link]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, forget=[link.id]))


def test_a_half_that_repeats_the_base_is_decoded_once(
    store: SqlStore, fence: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import calsync.store.codec as codec

    link = equal_link(1)
    link = replace(link, event=replace(link.event, seen=meeting(1)))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[link]))
    decoded: list[str] = []
    real = codec.loads
    monkeypatch.setattr(codec, "loads", lambda text: decoded.append(text) or real(text))
    assert store.links(PAIR.id) == [link]
    assert len(decoded) == 1


# --- room states -----------------------------------------------------------------------------


def test_room_states_are_saved_many_at_once(
    store: SqlStore, mappings: Mappings, fence: int
) -> None:
    other = replace(PAIR, id="p2", room_id="loft", mailbox="loft@x.test")
    mappings.save_pair(other)
    states = [STATE, replace(STATE, pair_id="p2", window=None, synced_at=None)]
    fences = {PAIR.id: fence, "p2": store.claim("p2", "me"), "unmapped meanwhile": 7}
    more = replace(STATE, pair_id="unmapped meanwhile")
    assert store.save_states([*states, more], fences) == {"unmapped meanwhile"}
    assert store.states() == {state.pair_id: state for state in states}
    store.commit(Commit(pair_id=PAIR.id, fence=fence))  # the fence was not touched


def test_of_a_room_that_somebody_else_took_only_what_went_wrong_is_saved(
    store: SqlStore, fence: int
) -> None:
    held = replace(STATE, halted="12 of 20 would be deleted")
    store.commit(Commit(pair_id=PAIR.id, fence=store.claim(PAIR.id, "other"), state=held))
    assert store.save_states([STATE], {PAIR.id: fence}) == {PAIR.id}
    assert store.states() == {PAIR.id: held}
    assert store.save_states([replace(STATE, failures=3, error="no answer")], {}) == set()
    assert store.states() == {PAIR.id: replace(held, failures=3, error="no answer")}


def test_a_new_pair_starts_from_nothing(store: SqlStore) -> None:
    assert store.states() == {PAIR.id: RoomState(pair_id=PAIR.id)}


# --- the ledger of notices -------------------------------------------------------------------


def test_a_notice_enters_the_ledger_once(store: SqlStore, fence: int) -> None:
    notice = notice_of(equal_link(1))
    for _ in range(3):
        store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=[notice, notice]))
    other = notice_of(equal_link(1), revision="2")
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=[other]))
    assert [stored.notice for stored in store.claim_notices(10)] == [notice, other]
    assert store.claim_notices(10) == []


def test_a_sent_notice_is_never_queued_again(store: SqlStore, fence: int) -> None:
    notice = notice_of(equal_link(1))
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=[notice]))
    (stored,) = store.claim_notices(1)
    store.settle_notice(stored.id, NoticeState.SENT)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=[notice]))
    assert store.claim_notices(1) == []


def test_a_notice_that_did_not_leave_may_be_tried_again(store: SqlStore, fence: int) -> None:
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=[notice_of(equal_link(1))]))
    (first,) = store.claim_notices(1)
    store.settle_notice(first.id, NoticeState.QUEUED, "throttled")
    (second,) = store.claim_notices(1)
    assert (first.tries, second.tries) == (1, 2)
    assert second.state is NoticeState.SENDING


def test_notices_cut_off_by_a_crash_become_doubtful(
    store: SqlStore, reports: Reports, fence: int
) -> None:
    notices = [notice_of(equal_link(number)) for number in range(3)]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=notices))
    store.claim_notices(2)
    assert store.doubt_notices() == 2
    assert reports.notice_counts() == {NoticeState.DOUBTFUL: 2, NoticeState.QUEUED: 1}
    assert [stored.notice for stored in store.claim_notices(9)] == notices[2:]


def test_a_notice_keeps_its_refusal(store: SqlStore, fence: int) -> None:
    refusal = Refusal(
        reason="taken",
        dates=(datetime(2026, 11, 20, 10, 0),),
        conflicts=((NOW, NOW + timedelta(hours=1)),),
        alternatives=(Alternative(room_id="loft", name="Loft", capacity=8),),
    )
    notice = replace(notice_of(equal_link(1)), refusal=refusal, person=ANN)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=[notice]))
    assert store.claim_notices(1)[0].notice == notice


# --- speed -----------------------------------------------------------------------------------


def test_ten_thousand_links_cost_at_most_four_times_a_bare_insert(
    tmp_path: Path, clock: FixedClock
) -> None:
    """Processor time against sqlite3's own executemany of the same rows and indexes."""
    from calsync.store import schema
    from calsync.store.codec import link_row

    links = [equal_link(number) for number in range(10_000)]
    rows = [link_row(link, PAIR.zone, 0) for link in links]
    costs: dict[str, list[float]] = {"ours": [], "bare": []}
    for turn in range(3):
        db = Database(f"sqlite:///{tmp_path}/{turn}.db")
        migrate(db)
        Mappings(db, clock).save_pair(PAIR)
        store = SqlStore(db, clock)
        fence = store.claim(PAIR.id, "tester")
        began = time.process_time()
        store.commit(Commit(pair_id=PAIR.id, fence=fence, links=links))
        costs["ours"].append(time.process_time() - began)
        with db.write() as connection:
            connection.exec_driver_sql("DELETE FROM link")
        raw = db.engine.raw_connection()
        cursor = raw.cursor()
        began = time.process_time()
        cursor.execute("BEGIN IMMEDIATE")
        names = ", ".join(column.name for column in schema.link.columns)
        marks = ", ".join("?" * len(rows[0]))
        cursor.executemany(f"INSERT INTO link ({names}) VALUES ({marks})", rows)
        cursor.execute("COMMIT")
        costs["bare"].append(time.process_time() - began)
        cursor.close()
        raw.close()
        db.dispose()
    assert min(costs["ours"]) <= 4 * min(costs["bare"])
