"""Notices: at most one mail for an answer, whatever happens on the way; told where none leaves.
Judged by the mails that the sandbox keeps."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from calsync.ports import NoticeState
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import (
    SENDER,
    Company,
    Office,
    day,
    office,
    proxy,
    serving,
    taken,
    until,
)

pytestmark = pytest.mark.usefixtures("hasty")
EVE = {"bookedBy": {"name": "Eve", "email": "eve@contoso.example"}}


def mails(firm: Company, since: int) -> list[dict[str, Any]]:  # noqa: F811
    found = firm.control("GET", f"mails?since={since}")["mails"]
    return [mail for mail in found if mail["from"] == SENDER]


def mark(firm: Company) -> int:  # noqa: F811
    return len(firm.control("GET", "mails")["mails"])


def states(made: Office) -> dict[str, int]:
    return {state.value: count for state, count in made.home.reports.notice_counts().items()}


def deliver(made: Office, tries: int = 3) -> None:
    for _ in range(tries):
        made.notify()


def test_one_mail_for_one_confirmation(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with office(firm, tmp_path, notices=SENDER) as made:
        before = mark(firm)
        made.booking("hall", day(3))
        made.rest()
        deliver(made)
        made.cycle(full=True)
        deliver(made)
        (mail,) = mails(firm, before)
        assert mail["to"] == "eve@contoso.example"
        assert mail["subject"].startswith("Confirmed: hall")
        assert states(made) == {"sent": 1}


def test_one_mail_says_no_and_why_and_what_else_is_free(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    rooms = {"hall": firm.new_room(), "den": firm.new_room(), "taken": firm.new_room()}
    with office(firm, tmp_path, rooms=rooms, notices=SENDER) as made:
        before = mark(firm)
        firm.book(rooms["taken"], day(3))
        made.rest("taken")
        firm.book(rooms["hall"], day(3))
        made.booking("hall", day(3))
        made.rest()
        deliver(made)
        (mail,) = mails(firm, before)
        assert mail["subject"].startswith("Not possible: hall")
        text = str(mail)
        assert "den" in text
        assert "taken" not in text.replace("already taken", "").replace("is taken", "")
        assert made.equal() == Counter([taken(day(3))])


def test_a_first_import_tells_nobody(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with office(firm, tmp_path, notices=SENDER, imported=False) as made:
        before = mark(firm)
        hall = made.pair("hall").mailbox
        for number in range(3):
            firm.book(hall, day(3 + number))
            made.booking("hall", day(13 + number))
        made.booking("hall", day(3))
        made.rest()
        deliver(made)
        assert mails(firm, before) == []
        assert states(made) == {}


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("reply_lost", {}),
        ("reset_mid_body", {}),
        ("html_after", {}),
        ("error_after", {"status": 503}),
        ("error_after", {"status": 504}),
        ("garbage_json", {}),
    ],
)
def test_a_lost_reply_is_never_sent_again(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
    params: dict[str, Any],
) -> None:
    with office(firm, tmp_path, notices=SENDER) as made:
        before = mark(firm)
        made.booking("hall", day(3))
        made.rest()
        firm.fault(kind, "sendMail", params=params)
        made.notify()
        assert firm.fired() == 1
        firm.calm()
        deliver(made)
        made.close()
        made.open()
        made.home.store.doubt_notices()
        deliver(made)
        assert len(mails(firm, before)) == 1
        assert states(made) in ({"doubtful": 1}, {"sent": 1})
        if kind in ("reply_lost", "error_after"):
            assert states(made) == {"doubtful": 1}
            assert made.home.reports.notices(state=NoticeState.DOUBTFUL)[0].reason


@pytest.mark.parametrize(
    ("kind", "params"),
    [("throttled", {"seconds": 1}), ("throttled", {"form": "huge"}), ("token_expired", {})],
)
def test_what_was_certainly_not_sent_is_sent_later_once(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
    params: dict[str, Any],
) -> None:
    with office(firm, tmp_path, notices=SENDER) as made:
        before = mark(firm)
        for number in range(3):
            made.booking("hall", day(3 + number))
        made.rest()
        firm.fault(kind, "sendMail", params=params)
        first = made.notify()
        firm.calm()
        if params.get("form") == "huge":
            assert first.wait == 3600.0
            assert states(made) == {"queued": 3}
            made.close()
            made.open()
        deliver(made)
        assert len(mails(firm, before)) == 3
        assert states(made) == {"sent": 3}


@pytest.mark.parametrize("how", ["no such mailbox", "no permission"])
def test_a_sender_that_cannot_send_is_said(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    how: str,
) -> None:
    """Every notice waits; nothing is given up; the mails leave once the admin has put it right."""
    rooms = {"hall": firm.new_room()}
    sender = "nobody@contoso.example" if how == "no such mailbox" else SENDER
    with office(firm, tmp_path, rooms=rooms, notices=sender) as made:
        before = mark(firm)
        made.booking("hall", day(3))
        made.booking("hall", day(4))
        made.rest()
        if how == "no permission":
            firm.control("POST", "apps", {"scope": [rooms["hall"]]})
        try:
            delivered = made.notify()
        finally:
            firm.control("POST", "apps", {"scope": None})
        assert delivered.wait >= 300.0
        assert states(made) == {"queued": 2}
        from calsync.cli.status import _troubles

        (trouble,) = _troubles(made.home)
        assert sender in trouble["reason"]
        assert "[notices]" in trouble["reason"]
        assert "Mail.Send" in trouble["reason"]
        if how == "no such mailbox":
            firm.control("POST", "people", {"address": sender})
        deliver(made)
        assert states(made) == {"sent": 2}
        found = firm.control("GET", f"mails?since={before}")["mails"]
        assert len([mail for mail in found if mail["from"] == sender]) == 2
        assert _troubles(made.home) == []


def test_an_address_that_is_none_is_refused_and_holds_up_nobody(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    no = json.dumps({"error": {"code": "ErrorInvalidRecipients", "message": "no"}}).encode()
    with (
        proxy(firm.url) as hop,
        office(firm, tmp_path, notices=SENDER, graph_url=hop.url) as made,
    ):
        before = mark(firm)
        made.booking("hall", day(3), bookedBy={"name": "X", "email": "x@nowhere.example"})
        made.booking("hall", day(4))
        made.rest()
        hop.refuse = lambda method, path, body: (400, no) if b"nowhere" in body else None
        deliver(made)
        assert len(mails(firm, before)) == 1
        assert states(made) == {"sent": 1, "failed": 1}
        assert len([line for line, _ in hop.seen if "sendMail" in line]) == 2


def test_killed_while_sending_nothing_is_told_twice(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """kill -9 while mails are on their way, again and again: at most one each, and those of
    which nobody knows are flagged, not resent; all others leave."""
    with serving(firm, tmp_path, {"hall": firm.new_room()}, notices=SENDER) as made:
        made.start()
        until(made.synced)
        before = mark(firm)
        made.wait_imported()
        count = 24
        for number in range(count):
            assert made.book("hall", day(3 + number), **EVE).status_code == 201
        firm.fault("slow", "sendMail", count=None, params={"seconds": 0.15})
        for _ in range(4):
            time.sleep(0.6)
            made.end(signal.SIGKILL)
            made.start()
        firm.calm()

        def settled() -> bool:
            rows = made.query("SELECT state FROM notice")
            return len(rows) == count and all(s in ("sent", "doubtful") for (s,) in rows)

        until(settled, seconds=15, what=lambda: made.log[-2000:])
        told = Counter(mail["subject"] for mail in mails(firm, before))
        assert set(told.values()) == {1}
        counts = Counter(state for (state,) in made.query("SELECT state FROM notice"))
        assert counts["doubtful"] <= 4
        assert counts["sent"] <= len(told) <= count
        assert made.end()[0] == 0
        said = made.cli("status", "--json").json()
        assert said["notices"]["doubtful"] == counts["doubtful"]
        if counts["doubtful"]:
            assert "ended while it was being sent" in said["notice_troubles"][0]["reason"]
