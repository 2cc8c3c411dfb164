"""calsync as a mail gun: who may book chooses who is told, and must not get more out of that."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.notify.graph_mail import GraphMail
from calsync.adapters.notify.letter import Letter, is_address
from calsync.adapters.notify.rationed import Rationed
from calsync.adapters.notify.wording import Manners, Words
from calsync.adapters.wrap import Answer, Call
from calsync.engine.calls import run_inline
from calsync.engine.notify import deliver_notices
from calsync.model import Notice, NoticeKind, Occupancy, Pair, Person, Refusal, Room
from calsync.ports import Delivery, DeliveryReport, NoticeState
from tests.support.company import Company, Tenant, a_company, a_tenant

AT = datetime(2026, 12, 1, 9)
NOTICE = Notice(
    kind=NoticeKind.CONFIRMED,
    link_id="l",
    booking_key="b",
    revision="1",
    person=Person("Ada", "ada@contoso.example"),
    occupancy=Occupancy(start=AT, end=AT.replace(hour=10), zone="UTC", title="the title"),
)
LETTER = Letter(subject="s", text="t")
PAIR = Pair(id="p1", room_id="r1", connection="c", mailbox="r1@x.example", zone="UTC")


def to(address: str) -> Notice:
    return replace(NOTICE, person=Person("x", address))


class Channel:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.report = Delivery.SENT

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport:
        self.sent.append(notice.person.address)
        return DeliveryReport(delivery=self.report)


class Hours:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now * 3600.0


@pytest.fixture
def hours() -> Hours:
    return Hours()


def ration(channel: Channel, hours: Hours, room: int = 3, person: int = 2) -> Rationed:
    return Rationed(channel, per_room=room, per_person=person, monotonic=hours)


# --- the cap ---------------------------------------------------------------------------------


def test_a_room_has_so_many_mails_a_day(hours: Hours, caplog: pytest.LogCaptureFixture) -> None:
    channel = Channel()
    guard = ration(channel, hours)
    with caplog.at_level(logging.WARNING):
        reports = [guard.deliver(PAIR, None, to(f"a{n}@x.example")) for n in range(6)]
    assert [one.delivery for one in reports] == [Delivery.SENT] * 3 + [Delivery.REFUSED] * 3
    assert "max_per_room_day" in reports[-1].reason
    assert len(caplog.records) == 1, "said once, not for each"
    assert "x.example" not in caplog.text
    other = replace(PAIR, id="p2", room_id="r2")
    assert guard.deliver(other, None, to("b@x.example")).delivery is Delivery.SENT
    hours.now = 24.3
    assert guard.deliver(PAIR, None, to("c@x.example")).delivery is Delivery.SENT


def test_a_person_is_not_bombed_through_many_rooms(hours: Hours) -> None:
    channel = Channel()
    guard = ration(channel, hours, room=100, person=2)
    spellings = ["ada@x.example", "ADA@x.example", " ada@X.example "]
    for n in range(30):
        room = replace(PAIR, id=f"p{n}")
        guard.deliver(room, None, to(spellings[n % 3]))
    assert len(channel.sent) == 2


def test_what_was_not_sent_does_not_count_and_what_may_have_been_does(hours: Hours) -> None:
    channel = Channel()
    guard = ration(channel, hours, person=100)
    channel.report = Delivery.NOT_SENT
    for _ in range(10):
        guard.deliver(PAIR, None, NOTICE)
    channel.report = Delivery.IN_DOUBT
    for _ in range(10):
        guard.deliver(PAIR, None, NOTICE)
    assert len(channel.sent) == 13


def test_people_of_yesterday_are_forgotten(hours: Hours) -> None:
    guard = ration(Channel(), hours, room=10_000)
    for n in range(500):
        hours.now = float(n)
        guard.deliver(replace(PAIR, id=f"p{n}"), None, to(f"a{n}@x.example"))
    assert sum(len(counts) for counts in guard._sent.values()) <= 2 * 25


# --- through the whole product ---------------------------------------------------------------


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with a_tenant() as made:
        made.control("POST", "people", {"address": "rooms@contoso.example", "name": "Rooms"})
        yield made


@pytest.fixture
def firm(tenant: Tenant, tmp_path: Path) -> Iterator[Company]:
    with a_company(tmp_path, tenant, notices_from="rooms@contoso.example") as made:
        yield made


def mails(firm: Company) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = firm.tenant.control("GET", "mails?since=0")["mails"]
    return found


def notify(firm: Company) -> None:
    assert firm.system.notifier is not None
    home = firm.home
    pairs = {pair.id: pair for pair in home.store.pairs()}
    rooms = {stored.room.id: stored.room for stored in home.bookings.rooms()}
    run_inline(deliver_notices(home.store, firm.system.notifier, pairs=pairs, rooms=rooms))


def test_a_flood_of_bookings_is_no_flood_of_mails(firm: Company) -> None:
    place = firm.add_room("flooded", zone="Europe/Berlin", label="W. Europe Standard Time")
    firm.sync(place)
    guard = firm.system.notifier
    assert isinstance(guard, Rationed), "the cap stands before the channel that is really used"
    guard._per_room = 3
    before = len(mails(firm))
    for hour in range(8, 16):
        who = {"name": f"V{hour}", "email": f"v{hour}@victim.example"}
        start = f"2026-12-01T{hour:02}:00:00"
        firm.book(place, start=start, duration="PT1H", bookedBy=who)
    firm.sync(place)
    notify(firm)
    sent = mails(firm)[before:]
    assert len(sent) == 3
    counts = firm.home.reports.notice_counts()
    assert counts == {NoticeState.SENT: 3, NoticeState.FAILED: 5}
    (reason,) = {one.reason for one in firm.home.reports.notices(state=NoticeState.FAILED)}
    assert "max_per_room_day" in reason
    assert len(firm.bookings(place)) == 8, "the bookings themselves stand"


def test_no_event_that_calsync_writes_invites_anybody(firm: Company) -> None:
    """Exchange would mail every attendee by itself."""
    place = firm.add_room("quiet", zone="Europe/Berlin", label="W. Europe Standard Time")
    firm.sync(place)
    before = len(mails(firm))
    who = {"name": "Victim", "email": "victim@victim.example"}
    made = firm.book(place, start="2026-12-01T09:00:00", duration="PT1H", bookedBy=who)
    firm.sync(place)
    firm.change(made, start="2026-12-01T10:00:00")
    firm.sync(place)
    firm.cancel(made)
    firm.sync(place)
    assert mails(firm)[before:] == []
    for exchange in firm.tenant.exchanges:
        if exchange.method in ("POST", "PATCH") and "quiet" in exchange.target:
            assert b"attendees" not in exchange.body
            assert b"victim.example" not in exchange.body


# --- what a mail may say ---------------------------------------------------------------------

NOT_ADDRESSES = [
    "",
    "ada",
    "a@b@c",
    "ada@x.example,eve@y.example",
    "ada@x.example;eve@y.example",
    "Ada <ada@x.example>",
    "ada@x.example\r\nBcc: eve@y.example",
    "ada@x.example\nBcc: eve@y.example",
    "ada@x.example\x00",
    "ada@x\u2028.example",
    "ada@\u202ex.example",
    '"a b"@x.example',
    "(comment)ada@x.example",
    "ada@[127.0.0.1]",
    "@relay.example:ada",
    "ada@x.example\ud800",
    "a" * 300 + "@x.example",
]


@pytest.mark.parametrize("address", NOT_ADDRESSES)
def test_only_one_plain_address_is_written_to(address: str) -> None:
    assert not is_address(address)
    calls: list[Call] = []

    class Post:
        def call(self, call: Call) -> Answer:
            calls.append(call)
            return Answer(status=202)

    report = GraphMail(Post(), sender="rooms@x.example").post(Person("x", address), LETTER)
    assert report.delivery is Delivery.REFUSED
    assert calls == []


def test_hostile_words_stay_words() -> None:
    calls: list[Call] = []

    class Post:
        def call(self, call: Call) -> Answer:
            calls.append(call)
            return Answer(status=202)

    hostile = "x\r\nBcc: eve@y.example\r\n\r\n<script>\u202e\x1b[2J" + "y" * 9000
    refusal = Refusal(reason=hostile)
    notice = replace(
        NOTICE,
        kind=NoticeKind.REJECTED,
        person=Person(hostile, "ada@x.example"),
        refusal=refusal,
    )
    room = Room(id="r1", name=hostile, zone="UTC")
    letter = Words(Manners(titles=True)).letter(PAIR, room, notice)
    GraphMail(Post(), sender="rooms@x.example").post(notice.person, letter)
    message: Any = calls[0].body
    said = message["message"]
    (recipient,) = said["toRecipients"]
    for line in (said["subject"], recipient["emailAddress"]["name"]):
        assert line.isprintable()
        assert len(line) < 400
    assert said["body"]["contentType"] == "text", "no view renders it as HTML"
    assert len(said["body"]["content"]) < 2000
    assert not any(line.startswith("Bcc:") for line in said["body"]["content"].splitlines())
    assert "the title" not in str(said), "titles are not mailed"
