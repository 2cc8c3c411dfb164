"""What is kept of idle rooms is stored now and then, by whoever watched them: never over what
somebody else stored since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from calsync import bootstrap
from calsync.engine.calls import run_inline
from calsync.engine.cycle import cycle
from calsync.ports import Commit
from tests.support.company import Company, Place, a_company, a_tenant


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Company]:
    with a_tenant() as tenant, a_company(tmp_path, tenant) as company:
        yield company


def an_idle_room(firm: Company, *, titles: bool = True) -> tuple[Place, str]:
    """With one booking, made on the platform; its id. All that moved since are the cursors."""
    zone = {"zone": "Europe/Berlin", "label": "W. Europe Standard Time"}
    room = firm.add_room("hall", titles=titles, **zone)
    firm.sync(room)
    made = firm.book(room, start="2026-12-01T09:00:00", duration="PT1H", title="Town hall")
    for _ in range(3):
        firm.cycle(room)
    assert room.pair.id in firm.system.context.unsaved
    return room, made["id"]


def test_a_switch_of_titles_right_before_a_stop_is_heeded_after_it(firm: Company) -> None:
    """calsync stored what it held of the room as it ended: that both sides are to be read anew was
    forgotten."""
    room, booking = an_idle_room(firm, titles=False)
    (item,) = firm.tenant.items(room.address)
    where = {"room": room.address, "iCalUId": item["event"]["iCalUId"]}
    firm.tenant.act("set", **where, graph={"subject": "Said in Outlook"})
    for _ in range(3):
        firm.cycle(room)
    bootstrap.map_room(firm.home, room_id="hall", mailbox=room.address, titles=True)
    firm.system.context.save_idle()  # as at the end of calsync serve
    system = bootstrap.connect(firm.home)
    (pair,) = firm.home.store.pairs()
    for _ in range(3):
        report = run_inline(cycle(system.context, pair))
        assert not report.error
    assert firm.ok("GET", f"/bookings/{booking}")["title"] == "Said in Outlook"


def test_who_lost_the_room_stores_nothing_over_what_the_other_one_did(firm: Company) -> None:
    """A process that slept wakes up, finds its lease gone, and ends; the room waits for an admin by
    then."""
    room, _ = an_idle_room(firm)
    store, pair = firm.home.store, room.pair
    fence = store.claim(pair.id, "another process")
    halted = replace(store.states()[pair.id], halted="12 of 20 would be deleted")
    store.commit(Commit(pair_id=pair.id, fence=fence, state=halted))
    firm.system.context.save_idle()
    assert store.states()[pair.id] == halted
    # Where it goes on after all, it goes by what is stored.
    assert "12 of 20" in firm.cycle(room).error


def test_what_is_read_of_an_idle_room_is_stored_again_after_an_erasure(firm: Company) -> None:
    """Which takes the lease of every room that knew the person: ``calsync status`` called the room
    out of date for as long as nothing happened in it."""
    room, _ = an_idle_room(firm)
    context, store = firm.system.context, firm.home.store
    store.claim(room.pair.id, "")
    context.save_idle()
    firm.tenant.clock.forward(hours=1)
    firm.sync(room)
    context.save_idle()
    assert store.states()[room.pair.id] == context.states[room.pair.id]


def test_a_running_calsync_goes_on_when_titles_are_switched(firm: Company) -> None:
    room, booking = an_idle_room(firm)
    worker = bootstrap.control_loop(firm.system)
    worker.recover()
    bootstrap.map_room(firm.home, room_id="hall", mailbox=room.address, titles=False)
    worker._housekeep()
    (room.pair,) = firm.home.store.pairs()
    report = firm.cycle(room)
    assert (report.error, report.effects) == ("", 0)
    assert "Town hall" in str(firm.tenant.items(room.address))
    assert "title" not in firm.ok("GET", f"/bookings/{booking}")
    firm.at_rest(room)
