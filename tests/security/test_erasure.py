"""A person is shown what is kept about them, and erased: from every byte, without a word to anybody
and without a write to Outlook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calsync.bootstrap import map_room
from calsync.errors import StoreError
from calsync.model import NOBODY, Notice, NoticeKind, Person
from calsync.ports import Commit, NoticeState
from calsync.store.people import ERASED, UNSENT
from tests.security import privacy_kit as kit
from tests.support.company import Company, a_company, a_tenant
from tests.support.receiver import a_receiver

BOB = kit.BOB["email"]
ADA = kit.ADA["address"]


class Firm:
    """A company with marked people in it, at rest, and the command line over its database."""

    def __init__(self, company: Company, folder: Path) -> None:
        self.company, self.folder = company, folder
        self.made: dict[str, Any] = kit.plant(company)
        kit.tell(company)
        self.rest()
        kit.settings_file(company, folder)

    def cli(self, *words: str) -> str:
        return kit.verb(*words, "--settings", str(self.folder / "calsync.toml"))

    def json(self, *words: str) -> Any:
        doc = json.loads(self.cli(*words))
        assert "error" not in doc, doc
        return doc

    def rest(self, *, full: bool = False) -> None:
        # As the worker does after a cycle whose lease was taken: it takes it anew.
        self.company.system.context.fences.clear()
        for _ in range(3):
            for room in self.company.places.values():
                self.company.cycle(room, full=full)

    def bytes(self) -> kit.Found:
        found = kit.Found()
        kit.read_database(found, self.folder)
        return found

    def booking(self, name: str) -> Any:
        return self.company.ok("GET", f"/bookings/{self.made[name]['id']}")


@pytest.fixture
def firm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Firm]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as ends:
        tenant = ends.enter_context(a_tenant())
        sender = "rooms@contoso.example"
        company = ends.enter_context(a_company(tmp_path, tenant, notices_from=sender))
        yield Firm(company, tmp_path)


def test_a_person_is_shown_everything_and_nobody_else(firm: Firm) -> None:
    doc = firm.json("privacy", "export", BOB.upper())
    assert doc["names"] == ["Bob Open"]
    assert {b["id"] for b in doc["bookings"]} == {
        firm.made[f"{room} {what}"]["id"]
        for room in ("titled", "plain")
        for what in ("open", "series", "clash")
    }
    titled = next(b for b in doc["bookings"] if b["id"] == firm.made["titled open"]["id"])
    assert (titled["title"], titled["bookedBy"]["email"]) == ("opentitle", BOB)
    assert {one["kind"] for one in doc["messages"]} == {"confirmed", "rejected"}
    assert doc["synced"]
    assert doc["conflicts"]
    for word in (*kit.PRIVATE, *kit.TURNED, "ada.open", "Ada Open"):
        assert word not in json.dumps(doc)
    nobody = firm.json("privacy", "export", "nobody@contoso.example", "--json")
    assert (nobody["bookings"], nobody["synced"], nobody["messages"]) == ([], [], [])


def test_without_yes_nothing_is_changed(firm: Firm) -> None:
    before = firm.json("privacy", "export", BOB)
    said = firm.cli("privacy", "erase", BOB)
    assert "would be erased" in said
    assert "Nothing was changed" in said
    again = firm.json("privacy", "export", BOB)
    assert {**again, "at": ""} == {**before, "at": ""}


def test_erasing_tells_nobody_and_writes_nothing(firm: Firm) -> None:
    """Bookings to come stay as they are, but for the person; sync finds nothing to do."""
    company = firm.company
    before = firm.booking("titled open")
    items = {p.id: company.tenant.items(p.address) for p in company.places.values()}
    with a_receiver() as receiver:
        company.home.webhooks.add("acme", receiver.url, ["details:read"])
        writes, number = len(company.tenant.writes()), company.numbers()
        done = firm.json("privacy", "erase", BOB, "--yes", "--json")
        assert (done["erased"], done["done"]["bookings"], done["done"]["scrubbed"]) == (
            True,
            6,
            True,
        )
        assert done["done"]["to_come"] == 4
        for full in (False, True, False):
            firm.rest(full=full)
        kit.tell(company)
        assert company.tenant.writes()[writes:] == []
        assert company.numbers() == number
        found = kit.Found()
        kit.call_webhooks(found, company, {"acme": receiver})
        assert found.texts == {}
    assert {p.id: company.tenant.items(p.address) for p in company.places.values()} == items
    after = firm.booking("titled open")
    gone = {"bookedBy", "revision", "sequence", "updated"}
    assert {k: v for k, v in after.items() if k not in gone} == {
        k: v for k, v in before.items() if k not in gone
    }
    assert "bookedBy" not in after
    # Who holds an older copy hears of it by its revision.
    assert after["revision"] == before["revision"] + 1
    assert after["sequence"] == before["sequence"]


def test_no_byte_of_the_database_names_them_any_more(firm: Firm) -> None:
    assert firm.bytes().where("bob.open")
    firm.json("privacy", "erase", BOB, "--yes", "--json")
    for word in ("bob.open", "Bob Open"):
        assert firm.bytes().where(word) == set()
    firm.rest(full=True)
    assert firm.bytes().where("bob.open") == set()
    assert "Nothing is kept about this address" in firm.cli("privacy", "erase", BOB, "--yes")


def test_history_stays_and_names_nobody(firm: Firm) -> None:
    key = firm.made["titled open"]["id"]
    assert BOB in firm.cli("explain", key)
    firm.json("privacy", "erase", BOB, "--yes", "--json")
    said = firm.cli("explain", key)
    assert ERASED.removeprefix("privacy: ") in said
    assert "the message “confirmed” was sent to erased-" in said
    assert "the room's calendar has it" in said
    assert "bob.open" not in said


def test_who_stands_in_exchange_is_named_to_the_admin(firm: Firm) -> None:
    """A change there brings the name back, until the meeting is gone."""
    company = firm.company
    done = firm.json("privacy", "erase", ADA, "--yes", "--json")
    assert {one["room"] for one in done["still_in_exchange"]} == {"titled", "plain"}
    firm.rest(full=True)
    assert not company.home.people.kept(ADA).anything
    theirs = [
        (room, item["event"]["iCalUId"])
        for room in company.places.values()
        for item in company.tenant.items(room.address)
        if item["event"]["organizer"]["emailAddress"]["address"] == ADA
    ]
    for hour, (room, uid) in enumerate(theirs, 9):
        act = {"room": room.address, "iCalUId": uid, "zone": kit.ZONE}
        company.tenant.act("move", **act, **kit.at(14, hour))
    firm.rest()
    assert company.home.people.kept(ADA).links
    said = firm.cli("privacy", "erase", ADA)
    assert f"{len(theirs)} meeting(s) of this person stand in Exchange" in said
    for room, uid in theirs:
        company.tenant.act("cancel", room=room.address, iCalUId=uid)
    firm.rest()
    again = firm.json("privacy", "erase", ADA, "--yes", "--json")
    assert again["still_in_exchange"] == []
    firm.rest(full=True)
    assert not company.home.people.kept(ADA).anything
    assert firm.bytes().where("Ada Open") == set()


def test_a_title_that_names_them_goes_without_an_echo(firm: Firm) -> None:
    company, room = firm.company, firm.company.places["titled"]
    doc = {"duration": "PT1H", "bookedBy": kit.BOB, "start": "2026-12-08T09:00:00"}
    named = company.book(room, title="Bob Open asks", **doc)
    other = company.book(room, title="with Bob Open", start="2026-12-08T11:00:00", duration="PT1H")
    firm.rest()
    writes = len(company.tenant.writes())
    done = firm.json("privacy", "erase", BOB, "--yes", "--json")
    assert done["named_in_titles_of_others"] == [{"room": "titled", "booking": other["id"]}]
    firm.rest(full=True)
    assert company.tenant.writes()[writes:] == []
    assert "title" not in company.ok("GET", f"/bookings/{named['id']}")
    # The next change on the platform takes it from the room's calendar, too.
    company.change(named, start="2026-12-08T14:00:00")
    firm.rest()
    assert "Bob Open asks" not in str(company.tenant.items(room.address))


def test_a_repeated_request_finds_its_answer_without_the_person(firm: Firm) -> None:
    company = firm.company
    doc = {"start": "2026-12-09T09:00:00", "duration": "PT1H", "bookedBy": kit.BOB}
    path, key = "/rooms/titled/bookings", {"Idempotency-Key": '"once"'}
    first = company.ok("POST", path, doc, **key)
    firm.json("privacy", "erase", BOB, "--yes", "--json")
    again = company.ok("POST", path, doc, **key)
    assert again["id"] == first["id"]
    assert "bookedBy" not in again


def test_nor_does_a_single_date_of_that_answer_name_them(firm: Firm) -> None:
    company = firm.company
    doc = {
        "start": "2026-12-09T09:00:00",
        "duration": "PT1H",
        "bookedBy": kit.BOB,
        "rrule": "FREQ=WEEKLY;COUNT=3",
        "recurrenceOverrides": {"2026-12-16T09:00:00": {"title": "Bob Open says goodbye"}},
    }
    path, key = "/rooms/titled/bookings", {"Idempotency-Key": '"once"'}
    first = company.ok("POST", path, doc, **key)
    firm.json("privacy", "erase", BOB, "--yes", "--json")
    again = company.ok("POST", path, doc, **key)
    assert again["id"] == first["id"]
    assert "Bob Open" not in str(again)
    assert firm.bytes().where("Bob Open") == set()


def test_a_message_that_waits_does_not_leave(firm: Firm) -> None:
    company, room = firm.company, firm.company.places["titled"]
    company.book(room, start="2026-12-10T13:00:00", duration="PT1H", bookedBy=kit.BOB)
    firm.rest()
    mails = len([e for e in company.tenant.exchanges if "sendMail" in e.target])
    done = firm.json("privacy", "erase", BOB, "--yes", "--json")
    assert done["done"]["unsent"] == 1
    kit.tell(company)
    assert len([e for e in company.tenant.exchanges if "sendMail" in e.target]) == mails
    assert UNSENT in {record.reason for record in company.home.reports.notices()}


def test_what_a_shared_channel_was_told_names_nobody_any_more(firm: Firm) -> None:
    """It still says that the channel was told, and what waits for one leaves without the name."""
    company = firm.company
    pair = company.places["titled"].pair
    link = next(
        lk for lk in company.home.store.links(pair.id) if lk.person.address == BOB and lk.base
    )
    assert link.base is not None
    told = Notice(
        kind=NoticeKind.CHANGED,
        link_id=link.id,
        booking_key=str(link.booking.key),
        revision="7",
        person=Person("Bob Open"),
        occupancy=link.base,
        channel="facilities",
    )
    before = replace(told, revision="6", person=Person("Zoe Before"))
    assert company.home.store.queue_notices(pair.id, [told, replace(told, revision="8")]) == 2
    (sent,) = company.home.store.claim_notices(1)
    company.home.store.settle_notice(sent.id, NoticeState.SENT)
    assert company.home.store.queue_notices(pair.id, [before]) == 1
    messages = firm.json("privacy", "export", BOB)["messages"]
    shared = [one for one in messages if one["recipient"] == "#facilities"]
    assert [one["recipient_name"] for one in shared] == ["Bob Open", "Bob Open", ""]
    assert firm.json("privacy", "erase", BOB, "--yes", "--json")["done"]["unsent"] == 0
    for word in ("bob.open", "Bob Open"):
        assert firm.bytes().where(word) == set()
    assert company.home.store.queue_notices(pair.id, [told]) == 0
    left, _ = company.home.store.claim_notices(9)
    assert (left.notice.revision, left.notice.person, left.notice.occupancy.title) == (
        "8",
        NOBODY,
        None,
    )


def test_what_waits_for_a_shared_channel_names_nobody_once_the_booking_is_private(
    firm: Firm,
) -> None:
    """A person is still told by mail of a booking of their own; a channel does not hear whose."""
    company, booking = firm.company, firm.made["titled open"]
    pair = company.places["titled"].pair
    (link,) = (lk for lk in company.home.store.links(pair.id) if lk.booking.key == booking["id"])
    assert link.base is not None
    waits = Notice(
        kind=NoticeKind.CHANGED,
        link_id=link.id,
        booking_key=booking["id"],
        revision="7",
        person=Person("Bob Open", BOB),
        occupancy=link.base,
        was=link.base,
    )
    shared = replace(waits, channel="facilities", person=Person("Bob Open"))
    assert company.home.store.queue_notices(pair.id, [waits, shared]) == 2
    company.change(booking, privacy="private")
    firm.rest()
    found = {one.notice.channel: one.notice for one in company.home.store.claim_notices(9)}
    assert found["mail"].person == Person("Bob Open", BOB)
    assert found["facilities"].person == NOBODY
    for notice in (found["mail"], found["facilities"]):
        assert (notice.occupancy.private, notice.occupancy.title) == (True, None)


def test_who_read_the_room_before_cannot_store_what_was_read(firm: Firm) -> None:
    """A cycle under way in another process must not bring the name back."""
    company = firm.company
    pair = company.places["titled"].pair
    fence = company.system.context.fence(pair)
    read = [link for link in company.home.store.links(pair.id) if link.person.address == BOB]
    assert read
    firm.json("privacy", "erase", BOB, "--yes", "--json")
    with pytest.raises(StoreError, match="taken over"):
        company.home.store.commit(Commit(pair_id=pair.id, fence=fence, links=read))
    assert not company.home.people.kept(BOB).links


def test_a_room_whose_titles_are_switched_off_forgets_them(firm: Firm) -> None:
    company, room = firm.company, firm.company.places["titled"]
    company.cancel(firm.made["titled series"])
    firm.rest()
    room.pair = map_room(company.home, room_id="titled", mailbox=room.address, titles=False)
    company.system.context.forget(room.pair.id)
    number = company.numbers()
    firm.rest()
    # Both sides were read in the new way before anything was decided: nothing was turned back.
    outlooks = [b["id"] for b in company.bookings(room) if b["origin"] == "calendar"]
    feed = company.home.hub
    with feed.read() as tx:
        assert not {e.booking_id for e in tx.feed(number, room_id=room.id, limit=500)} & {*outlooks}
    assert company.home.db.scrub()
    for word in ("opentitle", "openoverride", "opensubject"):
        assert firm.bytes().where(word) == set()
    assert firm.bytes().where("bob.open"), "people are known, where they have to be"
    company.at_rest(room)


@pytest.mark.parametrize(
    ("address", "said"),
    [("titled@contoso.example", "a room's mailbox"), ("Bob", "no mail address")],
)
def test_what_is_no_person(firm: Firm, address: str, said: str) -> None:
    assert said in firm.cli("privacy", "erase", address, "--yes")
    assert said in firm.cli("privacy", "export", address)
