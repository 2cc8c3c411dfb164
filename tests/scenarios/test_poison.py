"""Poison: an item, or a room, that nobody can read or carry out. It alone stands still, says why
in ``status`` and ``explain``, and goes on once it is well; all others never notice."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.cli.status import Health, health
from calsync.errors import CalsyncError
from calsync.store.reports import Counts
from tests.scenarios import poison_ews
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import (
    ADA,
    Company,
    Office,
    Spoil,
    calsync,
    change_events,
    day,
    office,
    proxy,
    taken,
)
from tests.support import front

pytestmark = pytest.mark.usefixtures("hasty")


# --- one item ------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], None]


def put(**members: Any) -> Change:
    return lambda event: event.update(members)


def drop(*names: str) -> Change:
    def change(event: dict[str, Any]) -> None:
        for name in names:
            event.pop(name, None)

    return change


def rule(pattern: dict[str, Any], span: dict[str, Any]) -> Change:
    """The item claims to be a series of its own."""

    def change(event: dict[str, Any]) -> None:
        first = event["start"]["dateTime"][:10]
        event["type"] = "seriesMaster"
        event["recurrence"] = {
            "pattern": {"type": "daily", "interval": 1, **pattern},
            "range": {"type": "noEnd", "startDate": first, **span},
        }
        event["cancelledOccurrences"], event["exceptionOccurrences"] = [], []

    return change


def start(text: object, zone: object = "UTC") -> Change:
    return put(start={"dateTime": text, "timeZone": zone})


#: What an event may claim that no person could mean. Each is parked, alone.
POISON: dict[str, Change] = {
    "no start": drop("start"),
    "start is a list": put(start=[1, 2]),
    "start is no time": start("yesterday"),
    "start is null": start(None),
    "year 0": start("0000-01-01T00:00:00"),
    "month 13": start("2026-13-01T00:00:00"),
    "digits": start("9" * 5000),
    "nul": start("2026-12-01T09:00:00\x00"),
    "unknown zone": start("2026-12-01T09:00:00.0000000", "Mars/Olympus"),
    "zone is a path": start("2026-12-01T09:00:00.0000000", "../../etc/passwd"),
    "zone is a number": start("2026-12-01T09:00:00.0000000", 7),
    "end before start": put(end={"dateTime": "2001-01-01T00:00:00", "timeZone": "UTC"}),
    "recurrence is text": put(type="seriesMaster", recurrence="FREQ=SECONDLY"),
    "unknown pattern": rule({"type": "hourly"}, {}),
    "unknown range": rule({}, {"type": "sometimes"}),
    "interval 0": rule({"interval": 0}, {}),
    "interval huge": rule({"interval": 10**12}, {}),
    "interval text": rule({"interval": "1"}, {}),
    "negative count": rule({}, {"type": "numbered", "numberOfOccurrences": -5}),
    "count is nan": rule({}, {"type": "numbered", "numberOfOccurrences": float("nan")}),
    "ends before it begins": rule({}, {"type": "endDate", "endDate": "2001-01-01"}),
    "no such weekday": rule({"type": "weekly", "daysOfWeek": ["caturday"]}, {}),
    "day 32": rule({"type": "absoluteMonthly", "dayOfMonth": 32}, {}),
    "recurrence of its own": put(type="seriesMaster", recurrence={"pattern": 1, "range": []}),
}

#: Strange, but each has a meaning: carried, or taken as the nearest thing, in no time at all.
STRANGE: dict[str, Change] = {
    "unknown showAs": put(showAs="levitating"),
    "showAs is a list": put(showAs=["busy"]),
    "unknown sensitivity": put(sensitivity="cosmic"),
    "subject is a bomb": put(subject="\u202e<script>\x00" * 50_000),
    "subject is a dict": put(subject={"a": ["b"] * 1000}),
    "organizer is text": put(organizer="nobody"),
    "attendee storm": put(attendees=[{"emailAddress": {"address": "x"}}] * 5000),
    "deep": put(extra=[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]),
    "endless daily": rule({}, {}),
    "two thousand million dates": rule({}, {"type": "numbered", "numberOfOccurrences": 2**31 - 1}),
    "ends in 9999": rule({}, {"type": "endDate", "endDate": "9999-12-31"}),
    "ends in 4500": rule(
        {"type": "weekly", "daysOfWeek": ["monday"]}, {"type": "endDate", "endDate": "4500-08-31"}
    ),
    "every 29 February": rule({"type": "absoluteYearly", "dayOfMonth": 29, "month": 2}, {}),
    "30 February": rule({"type": "absoluteYearly", "dayOfMonth": 30, "month": 2}, {}),
    "five years long": put(
        end={"dateTime": f"{day(5 + 1826):%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}
    ),
    "all day from nine": put(isAllDay=True),
    "unknown type": put(type="holiday"),
    "type is a dict": put(type={"a": 1}),
    "no length": lambda event: event.update(end=event["start"]),
}


def names(table: dict[str, Change], by_ews: dict[str, poison_ews.Change]) -> list[Any]:
    """All of either front; one that only one of them can say is of that one."""
    for_json = pytest.mark.only("graph", reason="its XML has no such form, or EWS no such member")
    for_xml = pytest.mark.only("ews", reason="it tells instants: no zone takes the time away")
    marks = {name: [] if name in by_ews else [for_json] for name in table}
    marks |= {name: [for_xml] for name in by_ews if name not in table}
    return [pytest.param(name, marks=mark, id=name) for name, mark in marks.items()]


def spoiled(kind: str, name: str, match: str) -> Spoil:
    """The named change of an item's answers, by the front that is chosen."""
    if front.by_ews():
        table = poison_ews.POISON if kind == "poison" else poison_ews.STRANGE
        return poison_ews.change_items(table[name], match)
    return change_events((POISON if kind == "poison" else STRANGE)[name], match)


@pytest.mark.parametrize("name", names(POISON, poison_ews.POISON))
def test_a_poison_item_is_parked_alone(firm: Company, tmp_path: Path, name: str) -> None:  # noqa: F811
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url) as made:
        hall = made.pair("hall").mailbox
        bad = firm.book(hall, day(5))
        good = firm.book(hall, day(6))
        mine = made.booking("hall", day(7))
        hop.spoil = spoiled("poison", name, bad["iCalUId"])
        for _ in range(3):
            report = made.cycle()
            assert not report.error, report.error
        assert made.taken() == Counter([taken(day(6)), taken(day(7))])
        assert made.status(mine) == "confirmed"
        (parked,) = made.home.reports.parked(made.pair("hall").id)
        assert parked.reason
        assert "Traceback" not in parked.reason
        assert len(parked.reason) < 500
        assert parked.reason.isprintable()
        counts = made.home.reports.counts()[made.pair("hall").id]
        assert health(made.home.store.states()[made.pair("hall").id], counts) is Health.WAITING
        assert parked.event.key is not None
        (story,) = made.home.reports.explain(parked.event.key)
        assert story.link is not None
        assert story.link.reason == parked.reason
        # The others are still carried, in both directions.
        firm.act("move", iCalUId=good["iCalUId"], start=f"{day(9):%Y-%m-%dT%H:%M:%SZ}")
        made.rest()
        assert made.taken() == Counter([taken(day(9)), taken(day(7))])
        # Read again in full, it is well: nobody has to unpark it.
        hop.spoil = None
        made.cycle(full=True)
        made.rest()
        assert made.equal() == Counter([taken(day(5)), taken(day(9)), taken(day(7))])
        assert not made.home.reports.parked(made.pair("hall").id)


@pytest.mark.parametrize("name", names(STRANGE, poison_ews.STRANGE))
def test_a_strange_item_harms_nobody(firm: Company, tmp_path: Path, name: str) -> None:  # noqa: F811
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url, titles=True) as made:
        hall = made.pair("hall").mailbox
        bad = firm.book(hall, day(5))
        hop.spoil = spoiled("strange", name, bad["iCalUId"])
        began = time.monotonic()
        for _ in range(3):
            report = made.cycle()
            assert not report.error, report.error
        mine = made.booking("hall", day(3))
        made.rest()
        assert time.monotonic() - began < 3.0
        assert made.status(mine) == "confirmed"
        hop.spoil = None
        made.cycle(full=True)
        made.rest()
        assert made.equal() == Counter([taken(day(5)), taken(day(3))])


NONSENSE = [
    b"",
    b"null",
    b"[]",
    b'{"value": null}',
    b'{"value": {}}',
    b'{"value": [1, "x", null, [], {}, {"id": 7}]}',
    b'{"value": [], "@odata.deltaLink": 7}',
    b'{"value": [], "@odata.deltaLink": "", "@odata.nextLink": ""}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"value": ' + b"9" * 100_000 + b"}",
    b'{"value": [{"id": "\\ud800"}]}',
    b"\xff\xfe{\x00}",
    b'{"value": [NaN, Infinity]}',
]


@pytest.mark.parametrize("number", range(14))
def test_a_page_of_nonsense(firm: Company, tmp_path: Path, number: int) -> None:  # noqa: F811
    body = (poison_ews.NONSENSE if front.by_ews() else NONSENSE)[number]
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url) as made:
        hall = made.pair("hall").mailbox
        firm.book(hall, day(5))
        made.rest()

        def spoil(method: str, path: str, status: int, headers: Any, content: bytes) -> Any:
            is_page = b"SyncFolderItemsResponse" in content if front.by_ews() else "/delta" in path
            return (200, headers, body) if is_page else (status, headers, content)

        hop.spoil = spoil
        for full in (False, True):
            report = made.cycle(full=full)
            assert hall in report.error or "127.0.0.1" in report.error
            assert made.taken() == Counter([taken(day(5))])
        hop.spoil = None
        made.rest()
        assert made.equal() == Counter([taken(day(5))])


def test_a_meeting_of_five_years(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """The room takes no such request by itself; booked into its own calendar it is carried."""
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        firm.book(hall, day(5), minutes=60 * 24 * 365 * 4, kind="book_direct")
        firm.book(hall, day(3))
        made.rest()
        assert len(made.equal()) == 2


def test_what_graph_will_not_take_is_parked_and_said(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Refused by Graph for what it is: the booking stays, waiting, and says why."""
    code = "ErrorCalendarDurationIsTooLong"
    no = json.dumps({"error": {"code": code, "message": "no"}}).encode()
    refused = (500, poison_ews.refusal(code)) if front.by_ews() else (400, no)
    posts: list[bytes] = []
    with proxy(firm.url) as hop, office(firm, tmp_path, graph_url=hop.url) as made:

        def refuse(method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
            if front.is_create(method, body):
                posts.append(body)
            wanted = method == "POST" and f"{day(5):%Y-%m-%dT}".encode() in body
            return refused if wanted else None

        hop.refuse = refuse
        long = made.booking("hall", day(5))
        for _ in range(3):
            assert not made.cycle().error
        fine = made.booking("hall", day(3))
        made.rest()
        assert made.status(fine) == "confirmed"
        assert made.status(long) == "pending"
        (parked,) = made.home.reports.parked(made.pair("hall").id)
        assert parked.booking.key == long
        assert "five years" in parked.reason
        assert made.firm.taken(made.pair("hall").mailbox) == Counter([taken(day(3))])
        settings = ("--settings", str(tmp_path / "calsync.toml"))
        said = calsync("status", *settings)
        assert f"Parked in room hall: {long}: {parked.reason}" in said.out
        (room,) = calsync("status", *settings, "--json").json()["rooms"]
        assert room["health"] == "waiting"
        assert room["waiting"] == [{"id": long, "reason": parked.reason}]
        told = calsync("explain", long, *settings).out
        assert f"until a person decides: {parked.reason}" in told
        # Asked once, not again and again; a change by a person is a new chance.
        assert len(posts) == 2
        made.home.bookings.patch(long, {"start": f"{day(8):%Y-%m-%dT%H:%M:%S}"}, Precondition())
        made.rest()
        assert made.equal() == Counter([taken(day(3)), taken(day(8))])


# --- one room ------------------------------------------------------------------------------------


def permission_removed(made: Office, mailbox: str) -> None:
    made.firm.fault("permission_removed", mailbox, count=None)


def permission_removed_as_404(made: Office, mailbox: str) -> None:
    made.firm.fault("permission_removed", mailbox, count=None, params={"status": 404})


def mailbox_disabled(made: Office, mailbox: str) -> None:
    made.firm.control("PATCH", f"rooms/{mailbox}", {"enabled": False})


def mailbox_deleted(made: Office, mailbox: str) -> None:
    made.firm.control("DELETE", f"rooms/{mailbox}")


def answers_html(made: Office, mailbox: str) -> None:
    made.firm.fault("html_login", mailbox, count=None)


def connection_forgotten(made: Office, mailbox: str) -> None:
    """The settings do not name its connection any more."""
    text = "UPDATE pair SET connection = 'gone' WHERE mailbox = ?"
    with made.home.db.write() as connection:
        connection.exec_driver_sql(text, (mailbox,))


ROOMS: list[tuple[Callable[[Office, str], None], str]] = [
    (permission_removed, "may not open this mailbox"),
    (permission_removed_as_404, "Check the room's address"),
    (mailbox_disabled, "mailbox"),
    (mailbox_deleted, "mailbox"),
    (answers_html, "text/html"),
    (connection_forgotten, "'gone' is not in the settings"),
]


@pytest.mark.parametrize(("break_room", "words"), ROOMS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_poison_room_stands_still_alone(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    break_room: Callable[[Office, str], None],
    words: str,
) -> None:
    rooms = {"bad": firm.new_room(), "good": firm.new_room()}
    with office(firm, tmp_path, rooms=rooms) as made:
        for mailbox in rooms.values():
            firm.book(mailbox, day(4))
        made.rest("bad")
        made.rest("good")
        break_room(made, rooms["bad"])
        mine = made.booking("bad", day(5))
        for _ in range(2):
            report = made.cycle("bad")
            assert front.words(words) in report.error
            firm.book(rooms["good"], day(10 + made.firm.taken(rooms["good"]).total()))
            made.rest("good")
        made.system.context.save_idle()
        states = made.home.store.states()
        bad, good = states[made.pair("bad").id], states[made.pair("good").id]
        assert front.words(words) in bad.error
        assert health(bad, Counts()) is Health.FAILING
        assert health(good, Counts()) is Health.OK
        # Nothing was taken for deleted, and what was booked meanwhile waits.
        assert made.taken("bad") == Counter([taken(day(4)), taken(day(5))])
        assert made.status(mine) == "pending"
        assert made.equal("good").total() == 3


def test_a_room_whose_permission_comes_back_goes_on(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with office(firm, tmp_path) as made:
        hall = made.pair("hall").mailbox
        firm.book(hall, day(4))
        made.rest()
        firm.scope([ADA])
        try:
            firm.book(hall, day(6))
            made.booking("hall", day(7))
            assert front.words("may not open") in made.cycle().error
            assert front.words("may not open") in made.cycle(full=True).error
        finally:
            firm.scope(None)
        made.rest()
        assert made.equal() == Counter(taken(day(number)) for number in (4, 6, 7))


def test_an_rrule_bomb_on_the_platform(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """Refused, or kept and carried, within a second; never a hang."""
    bombs = [
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;COUNT=2147483647",
        "FREQ=DAILY;INTERVAL=999999999999",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;INTERVAL=7",
        "FREQ=DAILY;BYSETPOS=366;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=" + ",".join(["MO"] * 10_000),
        "FREQ=DAILY;UNTIL=99991231T235959Z",
    ]
    with office(firm, tmp_path) as made:
        refused: list[str] = []
        for number, bomb in enumerate(bombs):
            began = time.monotonic()
            try:
                made.booking(
                    "hall", day(3) + timedelta(hours=number // 8), rrule=bomb, duration="PT1M"
                )
            except CalsyncError as error:
                refused.append(str(error))
            made.cycle()
            assert time.monotonic() - began < 2.0, bomb
        assert all(refused)
        assert 3 <= len(refused) < len(bombs)
        made.rest(rounds=12)
