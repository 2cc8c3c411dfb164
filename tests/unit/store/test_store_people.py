"""What people do with the store: map rooms, ask what happened, and let it forget."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
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

from calsync.errors import UsageError
from calsync.model import (
    ClashPolicy,
    Conflict,
    ConflictKind,
    EditPolicy,
    Frequency,
    LinkState,
    NoticeKind,
    Override,
    Reaction,
    Reactions,
    Recurrence,
    Rule,
    Side,
)
from calsync.ports import Commit, NoticeState, RoomState
from calsync.store.database import Database
from calsync.store.pairs import Mappings
from calsync.store.reports import Counts, Reports
from calsync.store.retention import Purged, purge, without_titles
from calsync.store.store import SqlStore

# --- mapping ---------------------------------------------------------------------------------


def test_a_mapping_is_kept_with_its_policies(store: SqlStore, mappings: Mappings) -> None:
    pair = replace(
        PAIR,
        titles=True,
        zone="Asia/Tokyo",
        edit_policy=EditPolicy.ASK,
        clash_policy=ClashPolicy.BOOKING,
    )
    mappings.save_pair(replace(pair, mailbox="Atrium@X.test"))
    assert store.pairs() == [pair]
    assert mappings.find("atrium") == pair
    assert mappings.find("loft") is None


def test_since_when_what_is_judged_moves_only_with_what_is_judged(
    store: SqlStore, mappings: Mappings, clock: FixedClock
) -> None:
    def since() -> datetime | None:
        (pair,) = store.pairs()
        return pair.reactions_since

    first = since()
    assert first is not None
    clock.wait(hours=1)
    mappings.save_pair(replace(PAIR, titles=True))
    assert since() == first
    clock.wait(hours=1)
    strict = replace(PAIR, reactions=Reactions(seats=Reaction.DECLINE))
    mappings.save_pair(strict)
    assert (store.pairs(), since()) == ([strict], clock.now())
    clock.wait(hours=1)
    mappings.save_pair(strict)
    assert since() == clock.now() - timedelta(hours=1)
    mappings.remove_pair(PAIR.id)
    clock.wait(hours=1)
    mappings.save_pair(strict)
    assert since() == clock.now()


def test_a_mailbox_maps_once(store: SqlStore, mappings: Mappings) -> None:
    with pytest.raises(UsageError, match=r"already mapped to room atrium") as caught:
        mappings.save_pair(replace(PAIR, id="p2", room_id="loft", mailbox="ATRIUM@x.test"))
    assert "calsync rooms unmap atrium" in caught.value.todo
    assert store.pairs() == [PAIR]


def test_a_room_maps_once(store: SqlStore, mappings: Mappings) -> None:
    with pytest.raises(UsageError, match=r"already mapped to atrium@x\.test"):
        mappings.save_pair(replace(PAIR, id="p2", mailbox="loft@x.test"))
    assert store.pairs() == [PAIR]


def test_mapping_again_goes_on_from_the_links_but_reads_everything(
    store: SqlStore, mappings: Mappings, fence: int
) -> None:
    state = RoomState(pair_id=PAIR.id, calendar_cursor="c", imported=True)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[equal_link(1)], state=state))
    assert mappings.remove_pair(PAIR.id)
    assert (store.pairs(), store.states()) == ([], {})
    assert not mappings.remove_pair(PAIR.id)
    assert mappings.id_for("atrium", "Atrium@x.test", PAIR.connection) == PAIR.id
    mappings.save_pair(PAIR)
    assert store.links(PAIR.id) == [equal_link(1)]
    assert store.states() == {PAIR.id: RoomState(pair_id=PAIR.id)}


def test_another_mailbox_is_another_pair(store: SqlStore, mappings: Mappings) -> None:
    mappings.remove_pair(PAIR.id)
    fresh = mappings.id_for("atrium", "atrium2@x.test", PAIR.connection)
    assert fresh != PAIR.id
    mappings.save_pair(replace(PAIR, id=fresh, mailbox="atrium2@x.test"))
    assert [pair.id for pair in store.pairs()] == [fresh]


@pytest.mark.parametrize("approve", [True, False])
def test_a_halted_room_is_let_go_on(
    store: SqlStore, mappings: Mappings, fence: int, approve: bool
) -> None:
    halted = RoomState(pair_id=PAIR.id, halted="12 of 20 would be deleted", failures=2, drift=3)
    store.commit(Commit(pair_id=PAIR.id, fence=fence, state=halted))
    assert mappings.resume(PAIR.id, approve=approve)
    assert store.states()[PAIR.id] == RoomState(pair_id=PAIR.id, approved=approve, drift=3)
    assert not mappings.resume(PAIR.id, approve=approve)


# --- reports ---------------------------------------------------------------------------------

PARKED = Conflict(
    kind=ConflictKind.EDIT,
    link_id="link1",
    other_link_id=None,
    policy="ask",
    winner=None,
    reason="both sides moved it",
)


@pytest.mark.parametrize("key", ["link1", "bk1", "ev1"])
def test_a_booking_is_explained_by_any_of_its_names(
    store: SqlStore, reports: Reports, fence: int, key: str
) -> None:
    link = equal_link(1)
    store.commit(
        Commit(
            pair_id=PAIR.id,
            fence=fence,
            links=[link, equal_link(2)],
            effects=[effect_of(link)],
            conflicts=[PARKED],
            notices=[notice_of(link)],
            audit=[entry_of(link), entry_of(equal_link(2)), entry_of(link, "sent")],
        )
    )
    (story,) = reports.explain(key)
    assert (story.link_id, story.link) == ("link1", link)
    assert [entry.what for entry in story.entries] == ["write event", "sent"]
    assert story.entries[0].detail == {"revision": 1}
    assert [record.conflict for record in story.conflicts] == [PARKED]
    assert [record.notice.kind for record in story.notices] == [NoticeKind.CONFIRMED]
    assert story.open_effects == ["change event"]


def test_a_booking_in_parts_is_explained_part_by_part(
    store: SqlStore, reports: Reports, fence: int
) -> None:
    def part(number: int, key: str) -> None:
        link = equal_link(number)
        link = replace(link, booking=replace(link.booking, key=key))
        store.commit(Commit(pair_id=PAIR.id, fence=fence, links=[link]))

    part(1, "b_1#0")
    part(2, "b_1#1")
    part(3, "bx1#0")
    assert [story.link_id for story in reports.explain("b_1")] == ["link1", "link2"]
    assert [story.link_id for story in reports.explain("b_1#1")] == ["link2"]
    assert reports.explain("b_") == []


def test_history_outlives_its_link(store: SqlStore, reports: Reports, fence: int) -> None:
    store.commit(Commit(pair_id=PAIR.id, fence=fence, audit=[entry_of(equal_link(1))]))
    (story,) = reports.explain("link1")
    assert (story.link, len(story.entries)) == (None, 1)
    assert reports.explain("nobody") == []


def test_what_waits_for_a_person(
    store: SqlStore, mappings: Mappings, reports: Reports, fence: int
) -> None:
    mappings.save_pair(replace(PAIR, id="p2", room_id="loft", mailbox="loft@x.test"))
    waiting = equal_link(1, state=LinkState.PARKED, reason="both sides moved it")
    decided = replace(PARKED, winner=Side.BOOKING)
    store.commit(
        Commit(
            pair_id=PAIR.id,
            fence=fence,
            links=[waiting, equal_link(2), equal_link(3, pending=True)],
            effects=[effect_of(waiting)],
            conflicts=[PARKED, decided],
        )
    )
    assert reports.parked() == reports.parked(PAIR.id) == [waiting]
    assert reports.parked("p2") == []
    assert [record.conflict for record in reports.conflicts(PAIR.id)] == [decided, PARKED]
    assert reports.conflicts("p2") == []
    assert [record.at for record in reports.conflicts(limit=1)] == [NOW]
    assert reports.counts() == {
        PAIR.id: Counts(
            active=2, parked=1, unsettled=1, open_effects=1, conflicts=2, conflicts_parked=1
        )
    }


def test_the_ledger_can_be_read(
    store: SqlStore, reports: Reports, clock: FixedClock, fence: int
) -> None:
    notices = [notice_of(equal_link(number)) for number in range(2)]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, notices=notices))
    (claimed,) = store.claim_notices(1)
    clock.wait(seconds=5)
    store.settle_notice(claimed.id, NoticeState.FAILED, "no such address")
    (failed,) = reports.notices(state=NoticeState.FAILED)
    assert (failed.reason, failed.tries, failed.notice) == ("no such address", 1, notices[0])
    assert failed.changed_at - failed.queued_at == timedelta(seconds=5)
    assert [record.notice for record in reports.notices(PAIR.id)] == notices[::-1]
    assert reports.notices("p2") == []


# --- forgetting ------------------------------------------------------------------------------


def _purge(db: Database, *, details_days: int, links_days: int) -> Purged:
    """A purge that many days after the test's meetings."""
    later = NOW + timedelta(days=1)
    return purge(
        db,
        details_before=later + timedelta(days=details_days),
        links_before=later + timedelta(days=links_days),
    )


def _titled_series() -> object:
    wall = meeting().start
    return replace(
        meeting(title="Board"),
        zone="Europe/Berlin",
        recurrence=Recurrence(
            rule=Rule(frequency=Frequency.DAILY, count=3),
            overrides=(
                Override(
                    recurrence_id=wall, start=wall, end=wall + timedelta(hours=2), title="Long"
                ),
            ),
        ),
    )


def test_details_go_first_and_nothing_looks_changed(
    store: SqlStore, reports: Reports, db: Database, fence: int
) -> None:
    old = equal_link(1, base=_titled_series())
    coming = equal_link(2, base=meeting(24 * 90, title="Later"))
    store.commit(
        Commit(
            pair_id=PAIR.id,
            fence=fence,
            links=[old, coming],
            notices=[notice_of(old), notice_of(coming)],
            conflicts=[replace(PARKED, winner=Side.BOOKING, lost=old.base)],
            audit=[entry_of(old)],
        )
    )
    for stored in store.claim_notices(9):
        store.settle_notice(stored.id, NoticeState.SENT)
    assert _purge(db, details_days=30, links_days=-400) == Purged(redacted=1, notices=1)
    kept = {link.id: link for link in store.links(PAIR.id)}
    assert kept["link2"] == coming
    assert old.base is not None
    assert kept["link1"] == replace(
        old, base=without_titles(old.base), person=replace(ANN, name="", address="")
    )
    assert kept["link1"].base_fingerprint == old.base_fingerprint
    assert store.unsettled(PAIR.id) == []
    with db.read() as connection:
        dump = str([connection.exec_driver_sql(f"SELECT * FROM {t}").all() for t in TABLES])
    assert "Board" not in dump
    assert "Long" not in dump
    assert "Later" in dump
    assert _purge(db, details_days=30, links_days=-400) == Purged()


TABLES = ("link", "notice", "conflict", "audit")


def test_links_and_history_go_later(
    store: SqlStore, reports: Reports, db: Database, fence: int
) -> None:
    endless = replace(
        meeting(), zone="Europe/Berlin", recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY))
    )
    links = [
        equal_link(1),
        equal_link(2, base=endless),
        equal_link(3, base=meeting(24 * 500)),
        equal_link(4, state=LinkState.BURIED),
    ]
    store.commit(
        Commit(
            pair_id=PAIR.id,
            fence=fence,
            links=links,
            notices=[notice_of(links[0])],
            audit=[entry_of(link) for link in links],
            conflicts=[PARKED],
        )
    )
    purged = _purge(db, details_days=400, links_days=30)
    assert (purged.links, purged.audit, purged.conflicts) == (2, 4, 1)
    assert sorted(link.id for link in store.links(PAIR.id)) == ["link2", "link3"]
    # A notice that never left is not swept away under whoever sends it.
    assert [record.state for record in reports.notices()] == [NoticeState.QUEUED]


def test_a_purge_of_many_rows_takes_several_short_transactions(
    store: SqlStore, db: Database, fence: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calsync.store.retention.BATCH", 10)
    links = [equal_link(number, base=meeting(number % 5)) for number in range(35)]
    audit = [entry_of(link) for link in links]
    store.commit(Commit(pair_id=PAIR.id, fence=fence, links=links, audit=audit))
    assert _purge(db, details_days=60, links_days=50) == Purged(redacted=35, links=35, audit=35)
