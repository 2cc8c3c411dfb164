"""Every fault a calendar side can show, on reads and on writes, against the real sandbox over
HTTP: a clear error while it lasts, nothing lost or doubled, equality and silence after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.adapters.wrap import paced
from calsync.cli.status import Health, health
from calsync.engine.cycle import CycleReport
from calsync.ports import RoomState
from calsync.store.reports import Counts
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, Office, day, office, taken
from tests.support import front

pytestmark = pytest.mark.usefixtures("hasty")

ALWAYS = 60


def a_working_room(made: Office) -> Counter[Any]:
    """Three meetings, a series with a removed date, two bookings; all carried."""
    mailbox = made.pair("hall").mailbox
    for number in range(3):
        made.firm.book(mailbox, day(2 + number))
    weekly = {
        "pattern": {"type": "daily", "interval": 7},
        "range": {"type": "numbered", "startDate": f"{day(10):%Y-%m-%d}", "numberOfOccurrences": 4},
    }
    series = made.firm.book(mailbox, day(10), kind="recur", recurrence=weekly)
    made.firm.act("cancel_occurrence", iCalUId=series["iCalUId"], date=f"{day(17):%Y-%m-%d}")
    for number in range(2):
        made.booking("hall", day(6 + number))
    made.rest()
    shown = made.equal()
    assert len(shown) == 8
    return shown


def status_of(made: Office, room: str = "hall") -> RoomState:
    """What ``calsync status`` reads."""
    made.system.context.save_idle()
    return made.home.store.states()[made.pair(room).id]


#: (fault, its parameters, words of the error an admin reads; "" where none is due)
READING: list[tuple[str, dict[str, Any], str]] = [
    ("lost_request", {}, "the answer of Graph was lost"),
    ("reply_lost", {}, "the answer of Graph was lost"),
    ("reset_mid_body", {}, "Graph was"),
    ("error_before", {"status": 500}, "not well"),
    ("error_before", {"status": 502}, "not well"),
    ("error_before", {"status": 503}, "is not well"),
    ("error_after", {"status": 504}, "not well"),
    ("html_login", {}, "no JSON object (text/html"),
    ("html_after", {}, "no JSON object (text/html"),
    ("truncated_json", {}, "no JSON object"),
    ("garbage_json", {}, "no JSON object"),
    ("redirect", {"location": "https://login.example/"}, "points elsewhere"),
    ("throttled", {"form": "huge"}, "3600 s"),
    ("permission_removed", {}, "may not open this mailbox"),
    ("permission_removed", {"status": 404}, "Check the room's address"),
    ("mailbox_moved", {}, "30 s"),
    ("same_cursor", {}, ""),
    ("gone", {}, "resume point is void"),
    ("sync_state_invalid", {}, "resume point is void"),
    ("short_page", {}, ""),
    ("delta_replay", {}, ""),
    ("out_of_order", {}, ""),
    ("stale_read", {"seconds": 3600}, ""),
    ("token_expired", {}, "refused a fresh token"),
]


@pytest.mark.parametrize(
    ("kind", "params", "words"), READING, ids=[f"{k}-{p}" for k, p, _ in READING]
)
def test_a_fault_of_reading(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
    params: dict[str, Any],
    words: str,
) -> None:
    with office(firm, tmp_path) as made:
        before = a_working_room(made)
        hall = made.pair("hall").mailbox
        firm.fault(kind, hall, count=ALWAYS, params=params)
        reports = [made.cycle(), made.cycle(full=True)]
        assert firm.fired() > 0
        assert made.taken() == before, "nothing may be lost or invented on the platform"
        if front.by_ews() and kind in ("gone", "sync_state_invalid"):
            words = ""  # A full round of EWS names no resume point: it is well at once.
            assert not any(report.error for report in reports)
        if words:
            assert all(report.error for report in reports)
            state = status_of(made)
            assert front.words(words) in state.error
            assert state.failures >= 2
            assert health(state, Counts()) is Health.FAILING
            assert "Traceback" not in state.error
        firm.calm()
        firm.book(hall, day(40))
        booked = made.booking("hall", day(41))
        if any(report.wait > 2.0 or "tried again in" in report.error for report in reports):
            reopened(made)
        made.rest()
        assert made.status(booked) == "confirmed"
        assert made.equal() == before + Counter([taken(day(40)), taken(day(41))])
        assert status_of(made).error == ""


def reopened(made: Office) -> None:
    """calsync after a restart: what it waited for is forgotten."""
    made.close()
    made.open()


WAITS = {"seconds": 1, "fractional": 0.2, "date": 1, "absent": 0}


@pytest.mark.parametrize("form", WAITS)
def test_throttled_then_let_in(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wait that Graph asked for is kept, and the call is then made once."""
    monkeypatch.setattr(paced, "_UNSAID", 0.5)  # 10 s for a 429 that names no time
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        firm.book(hall, day(3))
        firm.fault("throttled", hall, params={"form": form, "seconds": WAITS[form]})
        report = made.cycle()
        assert report.error == ""
        assert made.equal() == Counter([taken(day(3))])


# --- writes ----------------------------------------------------------------------------------


def create(made: Office) -> Counter[Any]:
    made.booking("hall", day(5))
    return Counter([taken(day(3)), taken(day(4)), taken(day(5))])


def create_series(made: Office) -> Counter[Any]:
    rule = {"rrule": "FREQ=DAILY;INTERVAL=7;COUNT=3"}
    override = {f"{day(14):%Y-%m-%dT%H:%M:%S}": {"excluded": True}}
    made.booking("hall", day(7), **rule, recurrenceOverrides=override)
    kept = [taken(day(number)) for number in (3, 4, 7, 21)]
    return Counter(kept)


def change(made: Office) -> Counter[Any]:
    """Moved on the platform."""
    made.home.bookings.patch(_first(made), {"start": f"{day(6):%Y-%m-%dT%H:%M:%S}"}, ANY)
    return Counter([taken(day(4)), taken(day(6))])


def delete(made: Office) -> Counter[Any]:
    made.home.bookings.cancel(_first(made), ANY)
    return Counter([taken(day(4))])


def decline(made: Office) -> Counter[Any]:
    """A meeting that Outlook's people booked is cancelled on the platform."""
    shown = made.home.bookings.live(["hall"], _span())
    ((_, bookings),) = shown
    (one,) = [b for b in bookings if b.origin.value == "calendar"]
    made.home.bookings.cancel(one.id, ANY)
    return Counter([taken(day(3))])


def _first(made: Office) -> str:
    ((_, bookings),) = made.home.bookings.live(["hall"], _span())
    return next(b.id for b in bookings if b.origin.value == "booking")


def _span() -> Any:
    from calsync.model import Interval

    return Interval(day(0), day(300))


ANY = Precondition()

Act = Callable[[Office], Counter[Any]]
#: What the act sends to Graph: method and path of the write.
ACTS: list[tuple[Act, str, str]] = [
    (create, "POST", "/events"),
    (create_series, "POST|DELETE", "/events"),
    (change, "PATCH", "/events/"),
    (delete, "DELETE", "/events/"),
    (decline, "POST", "/decline"),
]
WRITING: list[tuple[str, dict[str, Any]]] = [
    ("lost_request", {}),
    ("reply_lost", {}),
    ("reset_mid_body", {}),
    ("error_before", {"status": 503}),
    ("error_after", {"status": 504}),
    ("error_after", {"status": 503}),
    ("html_login", {}),
    ("html_after", {}),
    ("truncated_json", {}),
    ("garbage_json", {}),
    ("throttled", {"form": "fractional", "seconds": 0.1}),
    ("redirect", {"location": "https://login.example/"}),
    ("token_expired", {}),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act[0].__name__)
@pytest.mark.parametrize(("kind", "params"), WRITING, ids=[f"{k}-{p}" for k, p in WRITING])
def test_a_fault_of_writing(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
    params: dict[str, Any],
    act: tuple[Act, str, str],
) -> None:
    do, method, path = act
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        made.booking("hall", day(3))
        firm.book(hall, day(4))
        made.rest()
        wanted = do(made)
        # Both the write and the first look after it.
        firm.fault(kind, f"{hall}.*{path}", method=method, params=params)
        first = made.cycle()
        assert firm.fired() == 1
        settle(made, first)
        assert made.equal() == wanted
        kinds = Counter(call["status"] for call in made.home.reports.parked(made.pair("hall").id))
        assert not kinds
        if do is decline:
            # The organizer was told no once, not once a try.
            mails = firm.control("GET", "mails")["mails"]
            told = [m["response"] for m in mails if m["from"] == hall and m["kind"] == "response"]
            assert told == ["accepted", "declined"]


def settle(made: Office, report: CycleReport) -> None:
    """Cycles until rest; a wait that was asked for is not sat out but skipped by a restart."""
    made.firm.calm()
    if report.wait > 2.0:
        reopened(made)
    made.rest()


@pytest.mark.parametrize("kind", ["reply_lost", "error_after"])
def test_a_hundred_creates_with_lost_replies(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    kind: str,
) -> None:
    """200 in all: each exists once, in the calendar and on the platform."""
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        wanted = Counter[Any]()
        firm.fault(kind, f"{hall}/events|\\$batch", method="POST", rate=0.7, count=None)
        for number in range(100):
            start = day(2 + number)
            made.booking("hall", start)
            wanted[taken(start)] += 1
            if number % 4 == 0:
                made.cycle()
        assert firm.fired() > 8
        firm.calm()
        made.rest(rounds=20)
        assert made.equal() == wanted
