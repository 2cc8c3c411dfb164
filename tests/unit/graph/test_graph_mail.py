"""Notices by mail: what they say, and what counts as sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from graph_fakes import Script, ok, refusal

from calsync.adapters.notify.graph_mail import GraphMail
from calsync.adapters.notify.wording import Words
from calsync.adapters.shared.words import line, refusal_text, span, when
from calsync.adapters.wrap import Answer, NotSent
from calsync.errors import BadAnswer, ForbiddenLink, NotSignedIn, Throttled, Unavailable
from calsync.model import (
    Alternative,
    Frequency,
    Notice,
    NoticeKind,
    Occupancy,
    Pair,
    Person,
    Recurrence,
    Refusal,
    Room,
    Rule,
)
from calsync.ports import Delivery

PAIR = Pair(
    id="p", room_id="r", connection="c", mailbox="atlas@contoso.example", zone="Europe/Berlin"
)
ROOM = Room(id="r", name="Atlas", zone="Europe/Berlin", building="HQ")
OCC = Occupancy(
    start=datetime(2026, 12, 1, 8), end=datetime(2026, 12, 1, 9), zone="UTC", title="Layoffs"
)
REFUSAL = Refusal(
    reason="The room was already booked at that time.",
    conflicts=((datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 8, 30, tzinfo=UTC)),),
    alternatives=(
        Alternative(room_id="z", name="Zuse", capacity=6),
        Alternative(room_id="n", name="Noether"),
    ),
)


def notice(kind=NoticeKind.CONFIRMED, address="ada@contoso.example", **more):
    return Notice(
        kind=kind,
        link_id="l",
        booking_key="b",
        revision="1",
        person=Person(name="Ada\r\nBcc: x@y", address=address),
        occupancy=more.pop("occupancy", OCC),
        **more,
    )


def deliver(answer, **more):
    script = Script([answer])
    said = Words().letter(PAIR, ROOM, one := notice(**more))
    return GraphMail(script, sender="rooms@contoso.example").post(one.person, said), script


def test_a_confirmation():
    report, script = deliver(ok(status=202))
    assert report.delivery is Delivery.SENT
    (call,) = script.calls
    assert (call.method, call.target) == ("POST", "/users/rooms@contoso.example/sendMail")
    assert call.mailbox == "rooms@contoso.example"
    assert not call.repeatable, "a mail is never repeated by itself"
    message = call.body["message"]
    assert message["subject"] == (
        "Confirmed: Atlas, Tuesday, 1 December 2026, 09:00–10:00 (Europe/Berlin)"
    )
    assert message["body"]["contentType"] == "text"
    (to,) = message["toRecipients"]
    assert to["emailAddress"] == {"name": "Ada Bcc: x@y", "address": "ada@contoso.example"}
    assert "Layoffs" not in str(call.body)


def test_a_rejection_says_why_and_what_is_free():
    _, script = deliver(ok(status=202), kind=NoticeKind.REJECTED, refusal=REFUSAL)
    message = script.calls[0].body["message"]
    assert message["subject"].startswith("Not possible: Atlas, ")
    text = message["body"]["content"]
    assert "already booked" in text
    assert "- Tuesday, 1 December 2026, 09:00–09:30 (Europe/Berlin)\n" in text
    assert "- Zuse (6 seats)\n- Noether\n" in text


REPORTS = [
    (ok(status=202), Delivery.SENT),
    (Answer(status=429, retry_after=9.0, throttled=True), Delivery.NOT_SENT),
    (
        Answer(status=503, retry_after=9.0, throttled=True, body=refusal(503, "ErrorServerBusy")),
        Delivery.NOT_SENT,
    ),
    (Answer(status=503, retry_after=9.0), Delivery.IN_DOUBT),
    (ok(status=500), Delivery.IN_DOUBT),
    (ok(status=504), Delivery.IN_DOUBT),
    (ok(refusal(403, "ErrorAccessDenied"), status=403), Delivery.NOT_SENT),
    (ok(None, status=302), Delivery.NOT_SENT),
    (ok(None, status=307), Delivery.NOT_SENT),
    (ok(refusal(400, "ErrorInvalidRecipients"), status=400), Delivery.REFUSED),
    (ok(refusal(403, "ErrorMessageSubmissionBlocked"), status=403), Delivery.REFUSED),
    (ok(refusal(403, "ErrorExceededMessageLimit"), status=403), Delivery.NOT_SENT),
    (ok(refusal(429, "ErrorExceededMessageLimit"), status=429), Delivery.NOT_SENT),
    (NotSent("x"), Delivery.NOT_SENT),
    (NotSignedIn("x"), Delivery.NOT_SENT),
    (ForbiddenLink("x"), Delivery.NOT_SENT),
    (Throttled("x", retry_after=9.0), Delivery.NOT_SENT),
    (Unavailable("timeout"), Delivery.IN_DOUBT),
    (BadAnswer("html"), Delivery.IN_DOUBT),
]


@pytest.mark.parametrize(("answer", "delivery"), REPORTS)
def test_what_became_of_it(answer, delivery):
    report, script = deliver(answer)
    assert report.delivery is delivery
    assert len(script.calls) == 1
    assert bool(report.reason) == (delivery is not Delivery.SENT)
    assert (report.retry_after > 0) == (delivery is Delivery.NOT_SENT)
    if isinstance(answer, Throttled) or getattr(answer, "throttled", False):
        assert report.retry_after == 9.0


@pytest.mark.parametrize("address", ["", "nobody", "a@b,c@d", "a b@c", "<a@b>", "a@b\n"])
def test_an_address_that_is_none_is_refused(address):
    report, script = deliver(ok(status=202), address=address)
    if address.strip() == "a@b":
        assert report.delivery is Delivery.SENT
        return
    assert report.delivery is Delivery.REFUSED
    assert script.calls == []


def test_times_in_words():
    days = Occupancy(
        start=datetime(2026, 12, 1), end=datetime(2026, 12, 2), zone=None, all_day=True
    )
    more = Occupancy(
        start=datetime(2026, 12, 1), end=datetime(2026, 12, 4), zone=None, all_day=True
    )
    assert when(days, "UTC") == "2026-12-01, all day"
    assert when(more, "UTC") == "2026-12-01 to 2026-12-03, all day"
    series = Occupancy(
        start=datetime(2026, 12, 1, 9),
        end=datetime(2026, 12, 1, 10),
        zone="America/New_York",
        recurrence=Recurrence(rule=Rule(frequency=Frequency.DAILY)),
    )
    assert when(series, "Europe/Berlin") == (
        "series from 2026-12-01 15:00 to 16:00 (Europe/Berlin)"
    )
    over = span(datetime(2026, 12, 1, 23), datetime(2026, 12, 2, 1), "Europe/Berlin")
    assert over == "2026-12-01 23:00 to 2026-12-02 01:00 (Europe/Berlin)"


def test_hostile_text_stays_on_its_line():
    assert line("a\r\nBcc: b\x00\u202egnp\u2028x") == "a Bcc: b gnp x"
    assert len(line("x" * 5000)) == 200
    long = Refusal(reason="r", dates=tuple(datetime(2026, 12, day) for day in range(1, 15)))
    assert "and 4 more" in refusal_text(long, "UTC")
