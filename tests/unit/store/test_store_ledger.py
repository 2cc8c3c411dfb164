"""The ledger of notices: each once, by channel, when due; and what reminders ask it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from store_samples import NOW, PAIR, FixedClock, equal_link, meeting, notice_of

from calsync.model import (
    Half,
    Link,
    LinkState,
    Notice,
    NoticeKind,
    Person,
    Presence,
    Recurrence,
    Rule,
    Side,
)
from calsync.model.occupancy import Frequency
from calsync.ports import Commit, NoticeState
from calsync.store.database import Database
from calsync.store.reports import Reports
from calsync.store.schema import COMING
from calsync.store.store import SqlStore

OURS = {"origin": Side.BOOKING}


def told(number: int = 1, **more: object) -> Notice:
    return replace(notice_of(equal_link(number)), **more)  # type: ignore[arg-type]


def claimed(store: SqlStore, **more: object) -> list[str]:
    found = store.claim_notices(100, **more)  # type: ignore[arg-type]
    return [one.notice.recipient for one in found]


# --- each once -------------------------------------------------------------------------------


def test_a_notice_keeps_all_it_says(store: SqlStore) -> None:
    one = told(
        kind=NoticeKind.CHANGED, was=meeting(3, title="x"), cause=Side.CALENDAR, revision="7"
    )
    assert store.queue_notices(PAIR.id, [one]) == 1
    (stored,) = store.claim_notices(1)
    assert stored.notice == one
    (record,) = Reports(store._db).notices()
    assert record.notice == one


def test_the_same_is_queued_once_and_another_start_is_another(store: SqlStore) -> None:
    one = told(kind=NoticeKind.STARTING, revision="2026-11-20T10:00:00Z")
    moved = replace(one, revision="2026-11-20T12:00:00Z")
    assert store.queue_notices(PAIR.id, [one, one]) == 1
    assert store.queue_notices(PAIR.id, [one, moved]) == 1
    assert len(claimed(store)) == 2
    assert store.queue_notices("nowhere", [one]) == 0, "the room is not mapped any more"


def test_what_may_have_been_sent_is_recorded_and_not_sent(store: SqlStore) -> None:
    one = told(kind=NoticeKind.STARTING, revision="2026-11-20T10:00:00Z")
    assert store.queue_notices(PAIR.id, [], doubtful=[one]) == 0
    assert store.queue_notices(PAIR.id, [one]) == 0
    assert claimed(store) == []
    (record,) = Reports(store._db).notices()
    assert (record.notice, record.state) == (one, NoticeState.DOUBTFUL)


def test_a_channel_is_a_recipient_of_its_own_and_no_address_is_kept_for_it(
    store: SqlStore, db: Database
) -> None:
    here = told()
    there = replace(here, channel="ops", person=Person("Ann"))
    assert store.queue_notices(PAIR.id, [here, there]) == 2
    assert store.queue_notices(PAIR.id, [here, there]) == 0
    found = {one.notice.channel: one.notice for one in store.claim_notices(9)}
    assert found["ops"].recipient == "#ops"
    assert found["ops"].person == Person("Ann", "")
    assert found["mail"].person.address == "ann@x.test"


# --- when due --------------------------------------------------------------------------------


def test_a_closed_channel_waits_and_holds_up_no_other(store: SqlStore) -> None:
    store.queue_notices(PAIR.id, [told(), replace(told(), channel="ops")])
    assert claimed(store, closed={"mail"}) == ["#ops"]
    assert claimed(store, closed={"mail", "ops"}) == []
    assert claimed(store) == ["ann@x.test"]


def test_one_that_is_put_off_lets_others_pass(store: SqlStore, clock: FixedClock) -> None:
    store.queue_notices(PAIR.id, [told(1), told(2)])
    first, second = store.claim_notices(2)
    store.settle_notice(first.id, NoticeState.QUEUED, "greylisted", wait=300.0)
    store.settle_notice(second.id, NoticeState.QUEUED, "throttled")
    assert [one.id for one in store.claim_notices(9)] == [second.id]
    clock.wait(seconds=301)
    assert [one.id for one in store.claim_notices(9)] == [first.id]


def test_one_that_was_put_off_by_a_clock_that_was_wrong_is_due(
    store: SqlStore, clock: FixedClock
) -> None:
    store.queue_notices(PAIR.id, [told()])
    clock.wait(days=365)
    (one,) = store.claim_notices(1)
    store.settle_notice(one.id, NoticeState.QUEUED, "greylisted", wait=300.0)
    clock.wait(minutes=-1)
    assert store.claim_notices(1) == []  # so little is no mistake
    clock.wait(days=-365)
    assert [again.id for again in store.claim_notices(1)] == [one.id]


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (NoticeState.DOUBTFUL, True),
        (NoticeState.FAILED, True),
        (NoticeState.SENT, False),
        (NoticeState.QUEUED, False),
    ],
)
def test_an_admin_may_send_again_what_did_not_arrive(
    store: SqlStore, state: NoticeState, again: bool
) -> None:
    store.queue_notices(PAIR.id, [told()])
    (one,) = store.claim_notices(1)
    store.settle_notice(one.id, state, "why")
    assert store.ledger.resend(one.id) == again
    assert not store.ledger.resend(4711)
    found = store.claim_notices(1)
    assert bool(found) == (again or state is NoticeState.QUEUED)
    if again:
        assert found[0].tries == 1, "with all tries ahead of it"


def test_webhooks_are_handed_over_again_where_nobody_knows(store: SqlStore) -> None:
    store.queue_notices(PAIR.id, [told(), replace(told(), channel="webhooks")])
    store.claim_notices(9)
    assert store.doubt_notices() == 1
    assert claimed(store) == ["#webhooks"]


@pytest.mark.parametrize(("tries", "seconds", "doubtful"), [
    (0, 3590, 0), (0, 3610, 1), (1, 3590, 0), (1, 3610, 1), (2, 3590, 0)
])  # fmt: skip
def test_what_nobody_tried_for_an_hour_may_have_left_in_a_life_forgotten(
    store: SqlStore, clock: FixedClock, tries: int, seconds: int, doubtful: int
) -> None:
    """Found by simulation (seed 203298): the mailbox that sends was closed as the backup was made.
    What had been tried in vain in it was sent again after each restore."""
    store.queue_notices(PAIR.id, [told()])
    for _ in range(tries):
        clock.wait(seconds=1800)
        (one,) = store.claim_notices(1)
        store.settle_notice(one.id, NoticeState.QUEUED, "the client secret is wrong")
    clock.wait(seconds=seconds)
    assert store.doubt_notices() == doubtful
    assert len(claimed(store)) == 1 - doubtful


def test_what_left_within_a_day_is_remembered(store: SqlStore, clock: FixedClock) -> None:
    store.queue_notices(PAIR.id, [told(1), told(2), told(3)])
    sent, doubtful, failed = store.claim_notices(9)
    store.settle_notice(sent.id, NoticeState.SENT)
    store.settle_notice(doubtful.id, NoticeState.DOUBTFUL)
    store.settle_notice(failed.id, NoticeState.FAILED)
    since = NOW - timedelta(days=1)
    assert store.ledger.told_since(since) == [("p1", "mail", "ann@x.test", NOW)] * 2
    clock.wait(days=1, seconds=1)
    assert store.ledger.told_since(clock.now() - timedelta(days=1)) == []


# --- what may start soon ---------------------------------------------------------------------

LEAD = timedelta(minutes=10)


def stored(store: SqlStore, fence: int, *links: Link) -> None:
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=links))


def coming(store: SqlStore, at: datetime) -> list[str]:
    return sorted(link_id for link_id, _ in store.coming(at, LEAD))


def test_only_what_stands_on_both_sides_and_was_born_on_the_platform(
    store: SqlStore, fence: int
) -> None:
    ours = equal_link(1, **OURS)
    gone = Half(presence=Presence.GONE, key="ev3")
    stored(
        store,
        fence,
        ours,
        equal_link(2),
        equal_link(3, **OURS, event=gone),
        equal_link(4, **OURS, state=LinkState.PARKED, reason="x"),
    )
    assert coming(store, NOW + timedelta(hours=1, minutes=55)) == ["link1"]
    assert coming(store, NOW + timedelta(hours=1, minutes=30)) == []
    assert coming(store, NOW + timedelta(hours=3, minutes=1)) == []


def test_an_endless_series_is_among_them_and_its_number_grows_when_it_changes(
    store: SqlStore, fence: int, clock: FixedClock
) -> None:
    rule = Recurrence(rule=Rule(frequency=Frequency.DAILY))
    series = equal_link(1, **OURS, base=replace(meeting(), zone="Europe/Berlin", recurrence=rule))
    stored(store, fence, series)
    far = NOW + timedelta(days=3650)
    assert coming(store, far) == ["link1"]
    ((_, first),) = store.coming(far, LEAD)
    clock.wait(minutes=1)
    stored(store, fence, replace(series, revision=2))
    ((_, second),) = store.coming(far, LEAD)
    assert second > first


def test_an_index_answers_it_alone(store: SqlStore, db: Database) -> None:
    """Every few seconds, beside hundreds of thousands of links that are over."""
    one = f"SELECT id, stored_at FROM link WHERE {COMING} AND starts <= 1"
    sql = f"EXPLAIN QUERY PLAN {one} AND ends > 1 UNION ALL {one} AND ends IS NULL"
    with db.read() as connection:
        plan = [str(row) for row in connection.exec_driver_sql(sql) if "link" in str(row)]
    assert len(plan) == 2
    assert all("ix_link_coming" in row and "ends" in row for row in plan), plan


def test_whether_anything_of_a_booking_is_still_there(store: SqlStore, fence: int) -> None:
    whole, part = equal_link(1), equal_link(2)
    part = replace(part, booking=replace(part.booking, key="bk2#mo"))
    dead = equal_link(3, state=LinkState.BURIED)
    stored(store, fence, whole, part, dead)
    assert store.has_live_part(PAIR.id, "bk1")
    assert store.has_live_part(PAIR.id, "bk2")
    assert not store.has_live_part(PAIR.id, "bk3")
    assert not store.has_live_part(PAIR.id, "bk")
    assert not store.has_live_part("p2", "bk1")
