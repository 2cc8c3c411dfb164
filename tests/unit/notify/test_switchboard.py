"""Which channel carries a notice, and what becomes of one that cannot be carried."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from calsync.adapters.notify import ics
from calsync.adapters.notify.letter import Letter
from calsync.adapters.notify.switchboard import Switchboard
from calsync.adapters.notify.wording import Manners, Words
from calsync.model import Notice, NoticeKind, Occupancy, Pair, Person
from calsync.ports import Delivery, DeliveryReport

AT = datetime(2026, 12, 1, 9)
PAIR = Pair(id="p1", room_id="r1", connection="c", mailbox="r1@x.example", zone="UTC")
NOTICE = Notice(
    kind=NoticeKind.CONFIRMED,
    link_id="l",
    booking_key="b",
    revision="1",
    person=Person("Ada", "ada@x.example"),
    occupancy=Occupancy(start=AT, end=AT.replace(hour=10), zone="UTC"),
)
SENT = DeliveryReport(delivery=Delivery.SENT)


class Mail:
    def __init__(self) -> None:
        self.got: list[tuple[str, Letter]] = []

    def post(self, to: Person, letter: Letter) -> DeliveryReport:
        self.got.append((to.address, letter))
        return SENT


class Chat:
    def __init__(self) -> None:
        self.got: list[Letter] = []

    def post(self, letter: Letter) -> DeliveryReport:
        self.got.append(letter)
        return SENT


def test_each_to_its_channel_in_its_language() -> None:
    mail, chat = Mail(), Chat()
    board = Switchboard(Words(), mailer=mail, shared={"ops": (chat, "sv")})
    assert board.names == ["mail", "ops"]
    assert board.deliver(PAIR, None, NOTICE) is SENT
    assert board.deliver(PAIR, None, replace(NOTICE, channel="ops")) is SENT
    assert [to for to, _ in mail.got] == ["ada@x.example"]
    assert chat.got[0].subject.startswith("Bokat: ")


@pytest.mark.parametrize("channel", ["mail", "ops", "webhooks"])
def test_a_channel_that_is_not_there(channel: str) -> None:
    report = Switchboard(Words()).deliver(PAIR, None, replace(NOTICE, channel=channel))
    assert report.delivery is Delivery.REFUSED
    assert "not in the settings any more" in report.reason


def test_one_that_cannot_be_put_into_words_is_not_sent_and_stops_nothing() -> None:
    mail = Mail()
    board = Switchboard(Words(), mailer=mail)
    broken = replace(PAIR, zone="Nowhere/Land")
    report = board.deliver(broken, None, NOTICE)
    assert report.delivery is Delivery.REFUSED
    assert "cannot be put into words" in report.reason
    assert board.deliver(PAIR, None, NOTICE) is SENT


def test_a_calendar_file_that_cannot_be_made_costs_nobody_the_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise ValueError

    monkeypatch.setattr(ics, "published", fail)
    mail = Mail()
    board = Switchboard(Words(Manners(calendar=True)), mailer=mail)
    assert board.deliver(PAIR, None, NOTICE) is SENT
    ((_, letter),) = mail.got
    assert (letter.calendar, letter.subject.startswith("Confirmed")) == (b"", True)
