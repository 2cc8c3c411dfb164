"""Notices by SMTP, against a real server: what it took, what it refused, and what nobody knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import icalendar
import pytest

from calsync.adapters.notify.letter import Letter
from calsync.adapters.notify.mail import Sender
from calsync.adapters.notify.smtp_mail import Server, SmtpMail
from calsync.adapters.notify.switchboard import Switchboard
from calsync.adapters.notify.wording import Manners, Words
from calsync.engine.calls import run_inline
from calsync.engine.notify import AFTER_DOUBTS, deliver_notices
from calsync.errors import UsageError
from calsync.model import Notice, NoticeKind, Occupancy, Pair, Person, Room
from calsync.ports import Delivery, DeliveryReport, NoticeState
from calsync.store.database import Database
from calsync.store.migrate import migrate
from calsync.store.pairs import Mappings
from calsync.store.reports import Reports
from calsync.store.store import SqlStore
from tests.integration.smtp_kit import PASSWORD, USER, Behaviour, scripted, smtp_server

ADA = Person("Ada Lövelace", "ada@x.example")
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
LETTER = Letter(
    subject="Bevestigd: Zaal één",
    text="Uw boeking is bevestigd.\n.\n..dots\nFrom here\n",
    language="nl",
    calendar=b"BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nEND:VCALENDAR\r\n",
    about="b/1/ada@x.example/confirmed",
)


def mailer(port: int, **more: Any) -> SmtpMail:
    server = Server(host="127.0.0.1", port=port, **{"security": "none", "timeout": 5.0, **more})
    return SmtpMail(server, sender=Sender("rooms@x.example", "Rooms"), now=lambda: NOW)


# --- what arrives ------------------------------------------------------------------------------


def test_a_mail_arrives_as_it_was_meant(tmp_path: Path) -> None:
    with smtp_server(tmp_path) as running:
        assert mailer(running.port).post(ADA, LETTER) == DeliveryReport(delivery=Delivery.SENT)
        assert mailer(running.port).post(ADA, LETTER).delivery is Delivery.SENT
    (sender, to, _), _ = running.post.got
    assert (sender, to) == ("rooms@x.example", ["ada@x.example"])
    mail, again = running.post.mails()
    assert mail["Subject"] == LETTER.subject
    assert str(mail["From"]) == "Rooms <rooms@x.example>"
    assert mail["To"].addresses[0].display_name == "Ada Lövelace"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "nl"
    assert mail["Message-ID"] == again["Message-ID"], "a server may drop the second of two"
    assert "ada" not in mail["Message-ID"]
    text, calendar = mail.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert calendar.get_content_type() == "text/calendar"
    assert calendar.get_param("method") == "PUBLISH"
    assert calendar.get_filename() == "booking.ics"
    assert calendar.get_content().replace("\r\n", "\n").encode() == LETTER.calendar.replace(
        b"\r\n", b"\n"
    )


# --- what the server says ----------------------------------------------------------------------

ANSWERS: list[tuple[Behaviour, Delivery, bool, float]] = [
    (Behaviour(rcpt={ADA.address: "550 5.1.1 no such user"}), Delivery.REFUSED, False, 0),
    (Behaviour(rcpt={ADA.address: "450 4.2.0 greylisted"}), Delivery.NOT_SENT, True, 300),
    (Behaviour(rcpt={ADA.address: "421 closing"}), Delivery.NOT_SENT, False, 30),
    (Behaviour(rcpt={ADA.address: "530 sign in first"}), Delivery.NOT_SENT, False, 300),
    (Behaviour(mail="550 5.7.1 not your sender"), Delivery.NOT_SENT, False, 300),
    (Behaviour(mail="451 later"), Delivery.NOT_SENT, False, 300),
    (Behaviour(data="552 5.3.4 too large"), Delivery.REFUSED, False, 0),
    (Behaviour(data="554 5.7.1 looks like spam"), Delivery.REFUSED, False, 0),
    (Behaviour(data="451 4.3.0 not now"), Delivery.NOT_SENT, True, 300),
    (Behaviour(data="299 what?"), Delivery.IN_DOUBT, False, 0),
]


@pytest.mark.parametrize(
    ("does", "delivery", "alone", "wait"),
    ANSWERS,
    ids=[f"{d.mail or d.data or next(iter(d.rcpt.values()))}" for d, *_ in ANSWERS],
)
def test_what_the_server_answers(
    tmp_path: Path, does: Behaviour, delivery: Delivery, alone: bool, wait: float
) -> None:
    with smtp_server(tmp_path) as running:
        running.post.does = does
        report = mailer(running.port).post(ADA, LETTER)
    assert (report.delivery, report.alone, report.retry_after) == (delivery, alone, wait)
    assert report.reason.startswith("mail server 127.0.0.1 refuses")


@pytest.mark.parametrize("how", ["drop", "hang"])
@pytest.mark.parametrize(
    ("where", "delivery"),
    [
        ("ehlo", Delivery.NOT_SENT),
        ("mail", Delivery.NOT_SENT),
        ("rcpt", Delivery.NOT_SENT),
        ("data", Delivery.IN_DOUBT),
    ],
)
def test_a_lost_connection_is_in_doubt_only_after_the_final_dot(
    tmp_path: Path, how: str, where: str, delivery: Delivery
) -> None:
    with smtp_server(tmp_path) as running:
        running.post.does = Behaviour(**{how: where})
        started = time.monotonic()
        report = mailer(running.port, timeout=1.0).post(ADA, LETTER)
    assert report.delivery is delivery
    assert time.monotonic() - started < 3.0
    assert len(running.post.got) == (delivery is Delivery.IN_DOUBT), "it had been taken over"
    assert not report.alone
    if delivery is Delivery.NOT_SENT:
        assert report.retry_after == 30.0


def test_nobody_listens() -> None:
    with scripted() as port:
        pass
    report = mailer(port).post(ADA, LETTER)
    assert (report.delivery, report.retry_after) == (Delivery.NOT_SENT, 30.0)
    assert "Connection refused" in report.reason


@pytest.mark.parametrize(
    ("lines", "then", "delivery"),
    [
        ((b"554 no service\r\n",), "close", Delivery.NOT_SENT),
        ((b"HTTP/1.1 400 Bad Request\r\n",), "close", Delivery.NOT_SENT),
        ((b"\x00\xff\x00" * 5000,), "close", Delivery.NOT_SENT),
        ((), "drip", Delivery.NOT_SENT),
        ((b"220 x\r\n", b"250-x\r\n"), "drip", Delivery.NOT_SENT),
        (
            (b"220 x\r\n", b"250 x\r\n", b"250 x\r\n", b"250 x\r\n", b"354 go\r\n"),
            "drip",
            Delivery.IN_DOUBT,
        ),
    ],
    ids=["no service", "not smtp", "garbage", "drips", "drips in EHLO", "drips after the mail"],
)
def test_a_server_out_of_its_mind(lines: tuple[bytes, ...], then: str, delivery: Delivery) -> None:
    with scripted(*lines, then=then) as port:
        started = time.monotonic()
        report = mailer(port, timeout=1.0).post(ADA, LETTER)
    assert report.delivery is delivery
    assert time.monotonic() - started < 3.0, "a whole mail has a limit, not each byte of an answer"
    assert report.reason.isprintable()
    assert len(report.reason) < 400


# --- encryption and sign-in --------------------------------------------------------------------


def secret(value: str = PASSWORD) -> Callable[[], str]:
    return lambda: value


#: What the test server says of itself where all of the connection is encrypted.
plain = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")


@plain
@pytest.mark.parametrize(("tls", "security"), [("starttls", "starttls"), ("implicit", "tls")])
def test_encrypted_and_signed_in(tmp_path: Path, tls: str, security: str) -> None:
    with smtp_server(tmp_path, tls=tls, auth=True) as running:
        post = mailer(
            running.port,
            security=security,
            ca_file=str(running.ca),
            user=USER,
            password=secret(),
        )
        assert post.post(ADA, LETTER).delivery is Delivery.SENT
    # Where all of it is encrypted, the server has no other ear; of STARTTLS it says so.
    assert running.post.tls == [tls == "starttls"]
    assert running.post.signed_in == [USER]


def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    """Whoever stands between the two could have taken the offer out."""
    with smtp_server(tmp_path) as running:
        report = mailer(running.port, security="starttls").post(ADA, LETTER)
    assert report.delivery is Delivery.NOT_SENT
    assert "STARTTLS" in report.reason
    assert "[smtp]" in report.reason
    assert running.post.got == []


@plain
@pytest.mark.parametrize(("tls", "security"), [("starttls", "starttls"), ("implicit", "tls")])
def test_a_certificate_that_is_not_trusted_gets_nothing(
    tmp_path: Path, tls: str, security: str
) -> None:
    with smtp_server(tmp_path, tls=tls, auth=True) as running:
        report = mailer(running.port, security=security, user=USER, password=secret()).post(
            ADA, LETTER
        )
    assert (report.delivery, report.retry_after) == (Delivery.NOT_SENT, 300.0)
    assert "not trusted" in report.reason
    assert running.post.signed_in == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_another_name_gets_nothing(tmp_path: Path, tls: str) -> None:
    security = "tls" if tls == "implicit" else tls
    with smtp_server(tmp_path, tls=tls) as running:
        server = Server(
            host="127.0.0.2", port=running.port, security=security, ca_file=str(running.ca)
        )
        # Linux answers on all of 127.0.0.0/8 only where one listens there.
        post = SmtpMail(server, sender=Sender("rooms@x.example"), now=lambda: NOW)
        report = post.post(ADA, LETTER)
    assert report.delivery is Delivery.NOT_SENT
    assert running.post.got == []


def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls="starttls", auth=True) as running:
        wrong = mailer(
            running.port,
            security="starttls",
            ca_file=str(running.ca),
            user=USER,
            password=secret("canary-wrong"),
        )
        report = wrong.post(ADA, LETTER)
    assert (report.delivery, report.retry_after) == (Delivery.NOT_SENT, 300.0)
    assert "sign in (535)" in report.reason
    assert "canary" not in report.reason
    assert running.post.got == []


def test_a_missing_password_or_authority_is_said(tmp_path: Path) -> None:
    def missing() -> str:
        raise UsageError("the environment variable X is not set", where="smtp, password")

    with smtp_server(tmp_path, tls="starttls", auth=True) as running:
        options = {"security": "starttls", "ca_file": str(running.ca), "user": USER}
        report = mailer(running.port, password=missing, **options).post(ADA, LETTER)
        assert report.delivery is Delivery.NOT_SENT
        assert "X is not set" in report.reason
        lost = mailer(running.port, **options | {"ca_file": str(tmp_path / "none.pem")})
        report = lost.post(ADA, LETTER)
    assert report.delivery is Delivery.NOT_SENT
    assert "smtp.ca_file" in report.reason


def test_a_server_that_wants_no_sign_in_is_not_given_one(tmp_path: Path) -> None:
    with smtp_server(tmp_path) as running:
        report = mailer(running.port, user=USER, password=secret()).post(ADA, LETTER)
    assert report.delivery is Delivery.NOT_SENT
    assert "offers no sign-in" in report.reason


def test_a_mail_server_can_be_tried_without_a_mail(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls="starttls", auth=True) as running:
        options = {"security": "starttls", "ca_file": str(running.ca), "user": USER}
        assert mailer(running.port, password=secret(), **options).check() == ""
        assert "sign in" in mailer(running.port, password=secret("no"), **options).check()
    assert running.post.got == []
    assert mailer(running.port, password=secret(), **options).check() != ""


# --- addresses and hostile words ---------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "ada@x.example\r\nRCPT TO:<eve@y.example>",
        "ada@x.example>\r\nDATA",
        "ada@x.example,eve@y.example",
        "ädä@x.example",
        "ada@" + "x" * 70 + ".exämple",
        "ada@.exämple",
        "@x.example",
        "ada@",
        "",
    ],
)
def test_no_address_leaves_that_is_none(tmp_path: Path, address: str) -> None:
    with smtp_server(tmp_path) as running:
        report = mailer(running.port).post(Person("x", address), LETTER)
    assert report.delivery is Delivery.REFUSED
    assert running.post.got == []


def test_a_domain_of_another_script_is_written_as_dns_knows_it(tmp_path: Path) -> None:
    with smtp_server(tmp_path) as running:
        report = mailer(running.port).post(Person("", "ada@bücher.example"), LETTER)
    assert report.delivery is Delivery.SENT
    assert running.post.got[0][1] == ["ada@xn--bcher-kva.example"]


def test_hostile_words_stay_in_their_place(tmp_path: Path) -> None:
    evil = "x\r\nBcc: eve@y.example\r\n\r\n.\r\nMAIL FROM:<a@b.c>\u202e\x1b[2J" + "y" * 5000
    letter = replace(LETTER, subject=evil, text=f"{evil}\r\n.\r\nQUIT\r\n")
    with smtp_server(tmp_path) as running:
        assert (
            mailer(running.port).post(Person(evil, ADA.address), letter).delivery is Delivery.SENT
        )
    ((_, to, _),) = running.post.got
    assert to == [ADA.address]
    (mail,) = running.post.mails()
    assert mail["Bcc"] is None
    assert len(mail["To"].addresses) == 1
    assert str(mail["Subject"]).isprintable()
    assert len(str(mail["Subject"])) <= 200
    text, _ = mail.iter_parts()
    assert "QUIT" in text.get_content(), "a dot on its own line does not end the mail"


# --- through the ledger ------------------------------------------------------------------------

PAIR = Pair(id="p1", room_id="atrium", connection="c", mailbox="a@x.example", zone="Europe/Berlin")


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class Desk:
    """A database with a mapped room, and mail by SMTP."""

    def __init__(self, folder: Path, port: int) -> None:
        self.clock = Clock()
        self.db = Database(f"sqlite:///{folder / 'calsync.db'}")
        migrate(self.db)
        Mappings(self.db, self.clock).save_pair(PAIR)
        self.store = SqlStore(self.db, self.clock)
        words = Words(Manners(calendar=True, organizer="rooms@x.example"), now=self.clock.now)
        self.board = Switchboard(words, mailer=mailer(port, timeout=1.0))

    def queue(self, *addresses: str, kind: NoticeKind = NoticeKind.CONFIRMED) -> None:
        start = datetime(2026, 12, 1, 8)
        for number, address in enumerate(addresses):
            notice = Notice(
                kind=kind,
                link_id="l",
                booking_key=f"b{number}",
                revision="1",
                person=Person("Ada", address),
                occupancy=Occupancy(start=start, end=start.replace(hour=9), zone="UTC"),
            )
            self.store.queue_notices(PAIR.id, [notice])

    def deliver(self) -> Any:
        room = Room(id="atrium", name="Atrium", zone="Europe/Berlin")
        return run_inline(
            deliver_notices(
                self.store,
                self.board,
                pairs={PAIR.id: PAIR},
                rooms={"atrium": room},
                now=self.clock.now,
            )
        )

    def states(self) -> dict[NoticeState, int]:
        return Reports(self.db).notice_counts()


def test_one_busy_mailbox_holds_up_nobody_else(tmp_path: Path) -> None:
    with smtp_server(tmp_path) as running:
        desk = Desk(tmp_path, running.port)
        running.post.does = Behaviour(rcpt={"busy@x.example": "450 4.2.0 try later"})
        desk.queue("busy@x.example", "gone@x.example", "ada@x.example")
        running.post.does.rcpt["gone@x.example"] = "550 5.1.1 no such user"
        done = desk.deliver()
        assert (done.sent, done.waits) == (1, {})
        expected = {NoticeState.SENT: 1, NoticeState.FAILED: 1, NoticeState.QUEUED: 1}
        assert desk.states() == expected
        running.post.does = Behaviour()
        desk.deliver()
        assert desk.states() == expected, "not before five minutes are over"
        desk.clock.at = NOW.replace(minute=6)
        desk.deliver()
        assert desk.states() == {NoticeState.SENT: 2, NoticeState.FAILED: 1}
    assert sorted(to[0] for _, to, _ in running.post.got) == ["ada@x.example", "busy@x.example"]
    event = icalendar.Calendar.from_ical(
        list(running.post.mails()[0].iter_parts())[1].get_content()
    )
    assert event["METHOD"] == "PUBLISH"


def test_a_server_that_swallows_its_answers_makes_few_doubtful_and_none_twice(
    tmp_path: Path,
) -> None:
    with smtp_server(tmp_path) as running:
        desk = Desk(tmp_path, running.port)
        desk.queue(*(f"p{n}@x.example" for n in range(6)))
        running.post.does = Behaviour(drop="data")
        done = desk.deliver()
        assert done.waits == {"mail": AFTER_DOUBTS}
        assert desk.states() == {NoticeState.DOUBTFUL: 2, NoticeState.QUEUED: 4}
        running.post.does = Behaviour()
        desk.deliver()
        desk.store.doubt_notices()
        desk.deliver()
        assert desk.states() == {NoticeState.DOUBTFUL: 2, NoticeState.SENT: 4}
    told = [to[0] for _, to, _ in running.post.got]
    assert sorted(told) == [f"p{n}@x.example" for n in range(6)]


def test_a_server_that_is_down_makes_all_wait_and_loses_none(tmp_path: Path) -> None:
    with scripted() as port:
        pass
    desk = Desk(tmp_path, port)
    desk.queue("ada@x.example", "bob@x.example")
    assert desk.deliver().waits == {"mail": 30.0}
    assert desk.states() == {NoticeState.QUEUED: 2}
