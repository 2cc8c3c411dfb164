"""The hub passes the contract of every side, and what only the booking side must do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calsync.errors import CursorExpired
from calsync.mapping.booking_rules import NO_RULES, BookingRules, RoomRules
from calsync.mapping.booking_values import BookingStatus
from calsync.mapping.fingerprint import fingerprint
from calsync.model import (
    Absence,
    Alternative,
    Done,
    Effect,
    EffectKind,
    Gone,
    Interval,
    Occupancy,
    Person,
    Refusal,
    Refused,
    Seen,
    Stale,
    Whole,
)
from calsync.store.connection import Connection
from tests.contract.sync_side import SyncSideContract, effect, single, weekly, with_exceptions
from tests.unit.hub.hub_kit import ANY, ZONE, Hub, HubLab, a_hub

START, HOUR = datetime(2026, 12, 1), timedelta(hours=1)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with a_hub() as hub:
        yield hub


class TestHub(SyncSideContract):
    @pytest.fixture
    def lab(self, hub: Hub) -> HubLab:
        return HubLab(hub)


def create(link: str, target: Occupancy, **more: object) -> Effect:
    return effect(EffectKind.CREATE_BOOKING, link, target=target, **more)


def seen(hub: Hub, key: str) -> Seen:
    (found,) = hub.side.read(hub.pair, [key])
    assert isinstance(found, Seen)
    return found


def apply(hub: Hub, one: Effect) -> object:
    (outcome,) = hub.side.apply(hub.pair, [one])
    return outcome


def done(outcome: object) -> Seen | Gone:
    assert isinstance(outcome, Done), outcome
    return outcome.now


# --- what a booking is after sync wrote it -------------------------------------------------


def test_a_mirrored_meeting_is_confirmed_and_not_editable(hub: Hub) -> None:
    person = Person("Ada", "ada@example.com")
    now = done(apply(hub, create("l1", single(), owned=False, uid="ical-1", person=person)))
    held = hub.get(now.key)
    assert (held.status, held.editable, held.uid, held.person) == (
        BookingStatus.CONFIRMED,
        False,
        "ical-1",
        person,
    )
    assert isinstance(now, Seen)
    assert not now.pending


def test_titles_are_dropped_where_the_pair_does_not_carry_them(hub: Hub) -> None:
    hub.pair = replace(hub.pair, titles=False)
    now = done(apply(hub, create("l1", with_exceptions())))
    assert isinstance(now, Seen)
    assert now.occupancy.title is None
    assert now.fingerprint == fingerprint(now.occupancy)
    with hub.store.read() as tx:
        assert "Review" not in repr(tx.bookings([now.key]))


def test_a_create_is_repeated_for_the_same_effect_only(hub: Hub) -> None:
    one = create("l1", single())
    key = done(apply(hub, one)).key
    hub.service.cancel(key, ANY)
    gone = Gone(key=key, absence=Absence.DELETED, mark=hub.get(key).mark)
    # Whoever looks it up in doubt hears that it was made, and is not there any more.
    assert hub.side.find(hub.pair, ["l1"]) == {"l1": gone}
    assert done(apply(hub, one)) == gone
    anew = done(apply(hub, replace(one, id="l1:7")))
    assert isinstance(anew, Seen)
    assert anew.key != key
    assert hub.side.find(hub.pair, ["l1"]) == {"l1": anew}


def test_sync_may_write_overlaps(hub: Hub) -> None:
    outcomes = hub.side.apply(hub.pair, [create("l1", single()), create("l2", single())])
    assert all(isinstance(o, Done) for o in outcomes)
    assert len(hub.side.busy(["r1"], Interval(hub.window.start, hub.window.end))["r1"]) == 1


# --- pending, confirmed, rejected ----------------------------------------------------------


def test_confirming_is_no_change_of_content(hub: Hub) -> None:
    key = hub.book().id
    before, cursor = seen(hub, key), hub.side.pull(hub.pair, None, hub.window).cursor
    assert before.pending
    now = done(apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=before)))
    assert now == replace(before, pending=False)
    held = hub.get(key)
    assert (held.status, held.revision, held.content_revision) == (BookingStatus.CONFIRMED, 2, 1)
    assert hub.side.pull(hub.pair, cursor, hub.window).observations == ()
    again = apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=before))
    assert done(again) == now
    assert hub.get(key).revision == 2, "confirmed twice is one visible change"


def test_a_booking_that_moved_meanwhile_is_not_confirmed(hub: Hub) -> None:
    key = hub.book().id
    before = seen(hub, key)
    hub.service.patch(key, {"start": "2026-12-01T15:00:00"}, ANY)
    outcome = apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=before))
    assert isinstance(outcome, Stale)
    assert hub.get(key).status is BookingStatus.PENDING


def test_a_changed_booking_waits_again(hub: Hub) -> None:
    key = hub.book().id
    apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=seen(hub, key)))
    hub.service.patch(key, {"duration": "PT2H"}, ANY)
    assert seen(hub, key).pending


def test_a_rejected_booking_is_gone_with_its_reason(hub: Hub) -> None:
    key = hub.book(externalId="x1").id
    refusal = Refusal(
        reason="The room was already booked.",
        conflicts=((datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)),),
        alternatives=(Alternative(room_id="r2", name="Room 2", capacity=6),),
    )
    cursor = hub.side.pull(hub.pair, None, hub.window).cursor
    before = seen(hub, key)
    now = done(apply(hub, effect(EffectKind.REJECT_BOOKING, "l1", seen=before, refusal=refusal)))
    assert isinstance(now, Gone)
    assert now.absence is Absence.REFUSED
    assert now.mark is not None
    assert now.mark > before.mark
    held = hub.get(key)
    assert (held.status, held.refusal) == (BookingStatus.REJECTED, refusal)
    assert hub.side.read(hub.pair, [key]) == [now]
    assert hub.side.busy(["r1"], hub.window)["r1"] == []
    assert hub.side.pull(hub.pair, cursor, hub.window).observations == ()
    hub.book()  # the slot is free again


def test_refused_dates_are_kept_with_the_change_that_gives_them_up(hub: Hub) -> None:
    lab = HubLab(hub)
    key = lab.put(weekly())
    refusal = Refusal(reason="Taken on one date.", dates=(datetime(2026, 12, 8, 10),))
    before = seen(hub, key)
    change = effect(EffectKind.CHANGE_BOOKING, "l1", seen=before, target=with_exceptions())
    now = done(apply(hub, replace(change, refusal=refusal)))
    assert isinstance(now, Seen)
    confirm = effect(EffectKind.CONFIRM_BOOKING, "l1", seen=now, refusal=refusal)
    done(apply(hub, confirm))
    held = hub.get(key)
    assert (held.status, held.refusal) == (BookingStatus.CONFIRMED, refusal)
    hub.service.patch(key, {"title": "Else"}, ANY)
    assert hub.get(key).refusal is None, "a new wish is not refused yet"


# --- the feed --------------------------------------------------------------------------------


def test_own_writes_do_not_come_back_in_the_feed(hub: Hub) -> None:
    key = hub.book().id
    pulled = hub.side.pull(hub.pair, None, hub.window)
    apply(hub, create("l2", single(day=3)))
    apply(hub, effect(EffectKind.CHANGE_BOOKING, "l1", seen=seen(hub, key), target=single(hour=15)))
    after = hub.side.pull(hub.pair, pulled.cursor, hub.window)
    assert after.observations == ()
    assert hub.side.pull(hub.pair, after.cursor, hub.window).cursor == after.cursor
    hub.service.patch(key, {"seats": 3}, ANY)
    (found,) = hub.side.pull(hub.pair, after.cursor, hub.window).observations
    assert isinstance(found, Seen)
    assert (found.occupancy, found.seats) == (single(hour=15), 3)


def test_the_full_listing_keeps_to_the_window_and_the_room(hub: Hub) -> None:
    inside = hub.book(start="2026-12-24T09:00:00").id
    hub.book(start="2027-12-24T09:00:00")
    hub.book("r2", start="2026-12-24T09:00:00")
    endless = hub.book(start="2025-01-06T09:00:00", rrule="FREQ=WEEKLY").id
    pulled = hub.side.pull(hub.pair, None, hub.window)
    keys = [o.key for o in pulled.observations]
    assert sorted(keys) == sorted([inside, endless])


@pytest.mark.parametrize("cursor", ["", "x", "-1", "999", "1e3", "٣"])
def test_cursors_of_another_time_expire(hub: Hub, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        hub.side.pull(hub.pair, cursor, hub.window)


def test_a_compacted_feed_expires_old_cursors(hub: Hub) -> None:
    old = hub.side.pull(hub.pair, None, hub.window).cursor
    hub.book()
    hub.clock.at += timedelta(days=60)
    hub.service.compact()
    with pytest.raises(CursorExpired):
        hub.side.pull(hub.pair, old, hub.window)
    fresh = hub.side.pull(hub.pair, None, hub.window)
    assert hub.side.pull(hub.pair, fresh.cursor, hub.window).observations == ()


# --- parts -----------------------------------------------------------------------------------

#: An occurrence moved past its neighbours: Graph refuses that within one series.
CROSSED = {
    "start": "2026-12-01T09:00:00",
    "duration": "PT1H",
    "rrule": "FREQ=DAILY;COUNT=10",
    "recurrenceOverrides": {"2026-12-03T09:00:00": {"start": "2026-12-07T14:00:00"}},
}


def crossed(hub: Hub) -> dict[str, Seen]:
    """Two items for the calendar: the series, and the date that moved."""
    hub.book(**CROSSED)
    found = hub.side.pull(hub.pair, None, hub.window).observations
    return {o.key: o for o in found if isinstance(o, Seen)}


def test_what_graph_cannot_say_is_shown_in_parts(hub: Hub) -> None:
    parts = crossed(hub)
    assert set(parts) == {"b0001", "b0001#x20261203T0900"}
    moved = parts["b0001#x20261203T0900"]
    assert moved.occupancy.recurrence is None
    assert moved.occupancy.start == datetime(2026, 12, 7, 13)
    for key, part in parts.items():
        assert part.fingerprint == fingerprint(part.occupancy)
        assert seen(hub, key) == part
    assert len({p.uid for p in parts.values()}) == 2


def test_a_booking_is_confirmed_when_all_its_parts_are(hub: Hub) -> None:
    one, two = crossed(hub).values()
    apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=one))
    assert hub.get("b0001").status is BookingStatus.PENDING
    assert not seen(hub, one.key).pending
    assert seen(hub, two.key).pending
    apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l2", seen=two))
    assert hub.get("b0001").status is BookingStatus.CONFIRMED


def test_a_part_tells_of_its_booking_and_of_what_waits_beside_it(hub: Hub) -> None:
    one, two = crossed(hub).values()
    content = hub.get("b0001").content
    assert one.whole == two.whole == Whole(content, waits=True)
    days = (datetime(2026, 12, 4, 9), datetime(2026, 12, 5, 9))
    room, other = (Alternative(room_id=name, name=name) for name in ("r2", "r3"))
    first = Refusal(reason="taken", dates=days[:1], alternatives=(room, other))
    second = Refusal(reason="taken", dates=days[1:], alternatives=(other,))
    for part, refusal, waits in ((one, first, True), (two, second, False)):
        sent = effect(EffectKind.CONFIRM_BOOKING, "l1", seen=part, refusal=refusal)
        now = done(apply(hub, sent))
        assert isinstance(now, Seen)
        assert now.whole is not None
        assert (now.whole.content, now.whole.waits) == (content, waits)
    assert now.whole is not None
    assert now.whole.refusal == replace(second, dates=days), "the dates of both parts"
    assert seen(hub, hub.book(start="2026-12-20T09:00:00").id).whole is None


def test_a_rejected_part_tells_of_its_booking(hub: Hub) -> None:
    parts = crossed(hub).values()
    no = Refusal(reason="taken")
    rejections = [effect(EffectKind.REJECT_BOOKING, "l1", seen=p, refusal=no) for p in parts]
    found = [done(apply(hub, one)) for one in rejections]
    assert [gone.whole for gone in found] == [Whole(hub.get("b0001").content)] * 2
    assert len({gone.mark for gone in found}) == 1


def test_a_part_that_is_over_does_not_wait(hub: Hub) -> None:
    hub.book(
        start="2026-11-02T09:00:00",
        duration="PT1H",
        rrule="FREQ=DAILY;COUNT=60",
        recurrenceOverrides={"2026-11-03T09:00:00": {"start": "2026-11-06T14:00:00"}},
    )
    main = seen(hub, "b0001")
    assert main.whole is not None
    now = done(apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=main)))
    assert isinstance(now, Seen)
    assert now.whole is not None
    assert not now.whole.waits
    assert hub.get("b0001").status is BookingStatus.CONFIRMED


def test_a_changed_part_is_joined_back(hub: Hub) -> None:
    parts = crossed(hub)
    moved = parts["b0001#x20261203T0900"]
    target = replace(
        moved.occupancy, start=datetime(2026, 12, 7, 16), end=datetime(2026, 12, 7, 17)
    )
    now = done(apply(hub, effect(EffectKind.CHANGE_BOOKING, "l2", seen=moved, target=target)))
    assert isinstance(now, Seen)
    assert now.occupancy == target
    held = hub.get("b0001").content.recurrence
    assert held is not None
    assert [o.start for o in held.overrides] == [datetime(2026, 12, 7, 17)]
    stale = apply(hub, effect(EffectKind.CHANGE_BOOKING, "l2", seen=moved, target=target))
    assert isinstance(stale, Stale)
    main = parts["b0001"]
    unmoved = apply(hub, effect(EffectKind.CONFIRM_BOOKING, "l1", seen=main))
    assert isinstance(unmoved, Done), "a change of one part leaves the version of the others"


def test_a_part_that_vanished_is_gone(hub: Hub) -> None:
    parts = crossed(hub)
    cursor = hub.side.pull(hub.pair, None, hub.window).cursor
    hub.service.patch(
        "b0001", {"recurrenceOverrides": {"2026-12-03T09:00:00": {"start": None}}}, ANY
    )
    found = {o.key: o for o in hub.side.pull(hub.pair, cursor, hub.window).observations}
    assert set(found) == set(parts)
    assert isinstance(found["b0001"], Seen)
    gone = found["b0001#x20261203T0900"]
    assert isinstance(gone, Gone)
    assert gone.absence is Absence.RESHAPED, "its date lives on in the series"
    hub.service.patch_occurrence("b0001", "2026-12-03T09:00:00", None, ANY)
    (gone,) = hub.side.read(hub.pair, ["b0001#x20261203T0900"])
    assert isinstance(gone, Gone)
    assert gone.absence is Absence.DELETED


def test_a_deleted_part_takes_its_dates_out(hub: Hub) -> None:
    moved = crossed(hub)["b0001#x20261203T0900"]
    now = done(apply(hub, effect(EffectKind.DELETE_BOOKING, "l2", seen=moved)))
    assert isinstance(now, Gone)
    held = hub.get("b0001")
    assert held.status.live
    assert held.content.recurrence is not None
    assert held.content.recurrence.excluded == (datetime(2026, 12, 3, 9),)


def test_cancelling_takes_all_parts(hub: Hub) -> None:
    parts = crossed(hub)
    hub.service.cancel("b0001", ANY)
    assert all(isinstance(o, Gone) for o in hub.side.read(hub.pair, list(parts)))


# --- busy time -------------------------------------------------------------------------------


def test_busy_is_the_union_of_what_blocks(hub: Hub) -> None:
    hub.book(start="2026-12-01T09:00:00")
    hub.book(start="2026-12-01T10:00:00")
    hub.book(start="2026-12-01T12:00:00", freeBusyStatus="free")
    hub.book(start="2026-12-01T13:00:00", status="tentative")
    hub.book(start="2026-12-02T00:00:00", showWithoutTime=True, duration="P1D")
    hub.book("r2", start="2026-11-23T09:00:00", rrule="FREQ=WEEKLY;COUNT=3")
    busy = hub.side.busy(["r1", "r2", "r3"], hub.window)

    def at(day: int, hour: int, hours: int) -> Interval:
        start = datetime(2026, 12, day, hour, tzinfo=UTC)
        return Interval(start, start + timedelta(hours=hours))

    assert busy["r1"] == [
        at(1, 8, 2),
        at(1, 12, 1),
        Interval(at(1, 23, 1).start, at(2, 23, 1).start),
    ]
    assert [i.start.day for i in busy["r2"]] == [23, 30, 7]
    assert busy["r3"] == []


def test_effects_of_the_other_side_and_without_key_are_refused(hub: Hub) -> None:
    key = hub.book().id
    assert isinstance(
        apply(hub, effect(EffectKind.DELETE_EVENT, "l1", seen=seen(hub, key))), Refused
    )
    assert isinstance(apply(hub, effect(EffectKind.CHANGE_BOOKING, "l1")), Refused)
    assert hub.get(key).status.live


def test_a_booking_of_another_room_is_not_touched(hub: Hub) -> None:
    key = hub.book("r2").id
    other = Seen(
        key=key, occupancy=single(), fingerprint="", version="1", mark=1, created=hub.clock.at
    )
    done(apply(hub, effect(EffectKind.DELETE_BOOKING, "l1", seen=other)))
    assert hub.get(key).status.live
    change = effect(EffectKind.CHANGE_BOOKING, "l1", seen=other, target=single(hour=15))
    assert isinstance(apply(hub, change), Stale)
    assert hub.get(key).content == single(hour=8)
    assert hub.side.read(hub.pair, [key]) == [Gone(key=key, absence=Absence.READ)]


def test_all_effects_of_a_call_are_one_transaction(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = hub.book().id
    delete = effect(EffectKind.DELETE_BOOKING, "l1", seen=seen(hub, key))
    before = seen(hub, key)

    def fail(*_: object) -> None:
        raise OSError("the power went")

    monkeypatch.setattr("calsync.store.hub.SqlHubWriter.record", fail)
    with pytest.raises(OSError, match="power"):
        hub.side.apply(hub.pair, [create("l9", single(day=9)), delete])
    monkeypatch.undo()
    assert seen(hub, key) == before
    assert hub.side.find(hub.pair, ["l9"]) == {}


def test_a_bulk_of_creates_takes_a_handful_of_statements(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First imports write hundreds of bookings at once; per-row statements would rule the cost."""
    statements: list[str] = []

    run = Connection.exec_driver_sql

    def count(self: Connection, statement: str, *values: Any) -> Any:
        statements.append(statement)
        return run(self, statement, *values)

    monkeypatch.setattr(Connection, "exec_driver_sql", count)
    effects = [
        create(f"l{n}", single(start=START + n * HOUR, end=START + (n + 1) * HOUR))
        for n in range(200)
    ]
    outcomes = hub.side.apply(hub.pair, effects)
    assert all(isinstance(o, Done) for o in outcomes)
    assert 0 < len(statements) <= 6, statements
    assert len(hub.side.pull(hub.pair, None, hub.window).observations) == 200


def test_rooms_are_listed(hub: Hub) -> None:
    assert [(r.id, r.zone) for r in hub.side.rooms()] == [(f"r{n}", ZONE) for n in range(1, 5)]


# --- the rules of rooms --------------------------------------------------------------------------


def test_since_when_the_rules_of_a_room_hold(hub: Hub) -> None:
    """A new name or size leaves them as they are; a room nobody knows has none."""
    room = hub.service.room("r1").room
    short = BookingRules(longest=timedelta(hours=1))
    hub.service.put_room(room, short)
    made = hub.clock.at
    assert hub.side.rules(["r1", "nowhere"]) == {
        "r1": RoomRules(rules=short, since=made, capacity=4)
    }
    hub.service.put_room(replace(room, name="Renamed", capacity=99))
    assert hub.side.rules(["r1"])["r1"].since == made
    hub.service.put_room(room, short)
    assert hub.side.rules(["r1"])["r1"].since == made
    hub.service.put_room(room, NO_RULES)
    assert hub.side.rules(["r1"]) == {
        "r1": RoomRules(rules=NO_RULES, since=hub.clock.at, capacity=4)
    }
    assert hub.clock.at > made


def test_times_that_were_offered_are_kept_with_the_refusal(hub: Hub) -> None:
    free = (datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC))
    refusal = Refusal(reason="No.", code="against-rules", times=(free,))
    booking = hub.book()
    one = effect(
        EffectKind.REJECT_BOOKING,
        "l1",
        key=booking.id,
        version=seen(hub, booking.id).version,
        refusal=refusal,
    )
    assert isinstance(apply(hub, one), Done)
    assert hub.get(booking.id).refusal == refusal
