"""News of bookings: changed, cancelled, about to start. Each at most once, to whoever booked on
the platform, whatever restarts, waits or is looked at twice. The sandbox's mails are the judge."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.cli.plan import preview_room, recipients
from calsync.engine.calls import run_inline
from calsync.engine.notify import Delivered, deliver_notices
from calsync.engine.reminders import Reminders
from calsync.model import NOBODY, NoticeKind
from calsync.ports import NoticeState
from calsync.settings import parse
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import SENDER, Company, Office, day, office

pytestmark = pytest.mark.usefixtures("hasty")
ALL = 'kinds = ["confirmed", "rejected", "changed", "cancelled", "starting"]\nlead = "30m"'
EVE = "eve@contoso.example"
ANY = Precondition()


@contextmanager
def desk(firm: Company, folder: Path, **more: Any) -> Iterator[Office]:  # noqa: F811
    """A room at rest, with every kind of notice."""
    # What follows [notices] in the file still belongs to it.
    with office(firm, folder, notices=f'{SENDER}"\n{ALL}\n#"', **more) as made:
        made.system.context.states.update(made.home.store.states())
        yield made


class Told:
    """What came since the last look: (to, subject), oldest first."""

    def __init__(self, firm: Company) -> None:  # noqa: F811
        self.firm, self.seen = firm, 0
        self()

    def __call__(self) -> list[tuple[str, str]]:
        found = self.firm.control("GET", f"mails?since={self.seen}")["mails"]
        self.seen += len(found)
        return [(m["to"], m["subject"]) for m in found if m["from"] == SENDER]


def notify(made: Office, times: int = 3) -> Delivered:
    """As the worker does it: reminders first, nothing that time has overtaken."""
    assert made.system.notifier is not None
    pairs = {pair.id: pair for pair in made.home.store.pairs()}
    rooms = {stored.room.id: stored.room for stored in made.home.bookings.rooms()}
    done = Delivered()
    for _ in range(times):
        reminders(made).look(pairs)
        done = run_inline(
            deliver_notices(
                *(made.home.store, made.system.notifier),
                pairs=pairs,
                rooms=rooms,
                now=made.clock.now,
            )
        )
    return done


def reminders(made: Office) -> Reminders:
    """A new one each time: it remembers nothing that the ledger does not."""
    return Reminders(made.system.context)


def restart(made: Office) -> None:
    made.close()
    made.open()
    made.system.context.wake()
    made.home.store.doubt_notices()


def events(made: Office, mailbox: str) -> list[dict[str, Any]]:
    found = made.firm.control("GET", f"rooms/{mailbox}/items")["value"]
    return [one["event"] for one in found]


def by(name: str) -> dict[str, object]:
    return {"bookedBy": {"name": name, "email": f"{name}@x.example"}}


def act(made: Office, kind: str, **more: Any) -> None:
    mailbox = made.pair("hall").mailbox
    (one,) = events(made, mailbox)
    made.firm.act(kind, room=mailbox, iCalUId=one["iCalUId"], **more)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def states(made: Office) -> dict[str, int]:
    return {state.value: count for state, count in made.home.reports.notice_counts().items()}


# --- changed and cancelled ---------------------------------------------------------------------


def test_a_move_in_the_rooms_calendar_is_told_once(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with desk(firm, tmp_path) as made:
        made.booking("hall", day(3))
        made.rest()
        notify(made)
        told = Told(firm)
        act(made, "move", start=iso(day(4)))
        made.rest()
        notify(made)
        ((to, subject),) = told()
        assert to == EVE
        assert subject.startswith("Changed: hall, ")
        assert f"{day(4).day} " in subject
        restart(made)
        made.cycle(full=True)
        notify(made)
        assert told() == []


def test_a_new_title_or_a_move_on_the_platform_is_no_such_news(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path, titles=True) as made:
        booking = made.booking("hall", day(3))
        made.rest()
        notify(made)
        told = Told(firm)
        act(made, "retitle", subject="New words")
        made.rest()
        notify(made)
        assert told() == []
        made.home.bookings.patch(booking, {"start": f"{day(5):%Y-%m-%dT%H:%M:%S}"}, ANY)
        made.rest()
        notify(made)
        ((_, subject),) = told()
        assert subject.startswith("Confirmed: hall, "), "an answer, and only one"


@pytest.mark.parametrize("where", ["calendar", "platform"])
def test_a_cancellation_is_told_once(firm: Company, tmp_path: Path, where: str) -> None:  # noqa: F811
    with desk(firm, tmp_path) as made:
        booking = made.booking("hall", day(3))
        made.rest()
        notify(made)
        told = Told(firm)
        if where == "calendar":
            act(made, "remove")
        else:
            made.home.bookings.cancel(booking, ANY)
        made.rest()
        notify(made)
        ((to, subject),) = told()
        assert (to, subject.partition(",")[0]) == (EVE, "Cancelled: hall")
        (record,) = made.home.reports.notices(limit=1)
        assert record.notice.cause is not None
        assert record.notice.cause.value == ("calendar" if where == "calendar" else "booking")
        restart(made)
        made.cycle(full=True)
        notify(made)
        assert told() == []


def test_a_series_is_cancelled_in_one_message(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with desk(firm, tmp_path) as made:
        booking = made.booking("hall", day(3), recurrenceRule={"frequency": "daily", "count": 4})
        made.rest()
        notify(made)
        told = Told(firm)
        made.home.bookings.cancel(booking, ANY)
        made.rest()
        notify(made)
        ((_, subject),) = told()
        assert subject.startswith("Cancelled: hall, series from ")


def in_two_parts(made: Office, *, first: datetime | None = None, count: int = 3) -> tuple[str, str]:
    """A series that a calendar holds as two items, since its second date is moved past others: the
    booking, and that date."""
    first = first or day(3)
    date, moved = (
        f"{first + timedelta(days=n, hours=h):%Y-%m-%dT%H:%M:%S}" for n, h in ((1, 0), (5, 2))
    )
    booking = made.booking(
        "hall",
        first,
        recurrenceRule={"frequency": "daily", "count": count},
        recurrenceOverrides={date: {"start": moved}},
    )
    return booking, date


def test_a_booking_in_two_parts_is_answered_and_cancelled_as_one(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Each part was confirmed by a mail of its own, and its cancellation named one date."""
    with desk(firm, tmp_path) as made:
        told = Told(firm)
        booking, _ = in_two_parts(made)
        made.rest()
        notify(made)
        ((_, subject),) = told()
        assert subject.startswith("Confirmed: hall, series from ")
        made.home.bookings.cancel(booking, ANY)
        made.rest()
        notify(made)
        ((_, subject),) = told()
        assert subject.startswith("Cancelled: hall, series from ")
        restart(made)
        made.cycle(full=True)
        notify(made)
        assert told() == []


@pytest.mark.parametrize("series", [False, True])
def test_a_booking_in_two_parts_is_rejected_as_one(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    series: bool,
) -> None:
    """One part that lost takes all of it along: the mail spoke of that date alone. Two parts that
    lost were two mails."""
    with desk(firm, tmp_path) as made:
        told = Told(firm)
        for number in (3, 5) if series else ():
            firm.book(made.pair("hall").mailbox, day(number))
        firm.book(made.pair("hall").mailbox, day(8) + timedelta(hours=2))
        booking, _ = in_two_parts(made)
        made.rest()
        notify(made)
        assert made.status(booking) == "rejected"
        ((_, subject),) = told()
        assert subject.startswith("Not possible: hall, series from ")


def test_a_part_that_is_over_keeps_no_booking_waiting(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    """It is not carried any more, so nobody confirms it: the booking waited for ever."""
    with desk(firm, tmp_path) as made:
        told = Told(firm)
        booking, _ = in_two_parts(made, first=day(-9), count=30)
        made.rest()
        notify(made)
        assert made.status(booking) == "confirmed"
        ((_, subject),) = told()
        assert subject.startswith("Confirmed: hall, series from ")


def test_a_part_given_up_before_does_not_keep_the_cancellation_of_all_from_being_told(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The row of the part, of which nobody was told, stood in the ledger for all of it."""
    with desk(firm, tmp_path) as made:
        booking, date = in_two_parts(made)
        made.rest()
        notify(made)
        told = Told(firm)
        gone = {"recurrenceOverrides": {date: {"start": None, "excluded": True}}}
        made.home.bookings.patch(booking, gone, ANY)
        made.rest()
        notify(made)
        assert not any(subject.startswith("Cancelled") for _, subject in told())
        made.home.bookings.cancel(booking, ANY)
        made.rest()
        notify(made)
        assert [subject.partition(",")[0] for _, subject in told()] == ["Cancelled: hall"]


def test_who_books_in_outlook_is_told_nothing_by_calsync(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as made:
        told = Told(firm)
        mailbox = made.pair("hall").mailbox
        meeting = firm.book(
            mailbox, made.clock.now().replace(microsecond=0) + timedelta(minutes=20)
        )
        made.rest()
        firm.act("move", iCalUId=meeting["iCalUId"], start=iso(day(4)))
        made.rest()
        firm.act("cancel", iCalUId=meeting["iCalUId"])
        made.rest()
        notify(made)
        assert told() == []
        assert states(made) == {}


def test_a_rejected_booking_is_not_cancelled_on_top(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with desk(firm, tmp_path) as made:
        told = Told(firm)
        firm.book(made.pair("hall").mailbox, day(3))
        made.booking("hall", day(3))
        made.rest()
        notify(made)
        assert [subject.partition(":")[0] for _, subject in told()] == ["Not possible"]


def test_what_happened_while_nobody_looked_for_long_is_shown_and_not_sent(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The database may be a restored one, whose former life told it."""
    with desk(firm, tmp_path) as made:
        made.booking("hall", day(3))
        made.rest()
        notify(made)
        told = Told(firm)
        act(made, "remove")
        made.clock.ahead += timedelta(hours=2)
        restart(made)
        made.rest()
        notify(made)
        assert told() == []
        assert states(made) == {"sent": 1, "doubtful": 1}
        made.booking("hall", day(5))
        made.rest()
        notify(made)
        act(made, "remove")
        made.rest()
        notify(made)
        assert [subject.partition(":")[0] for _, subject in told()] == ["Confirmed", "Cancelled"]


def test_what_the_first_full_compare_after_that_finds_is_no_news_either(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The change feed had not told of it, and the room was at rest before it was compared in full:
    who had been told in the life that a restored database does not know was told again (seed
    4797). What a later compare finds is told."""
    with desk(firm, tmp_path) as made:
        told = Told(firm)
        for number in (3, 4, 5):
            made.booking("hall", day(number))
        made.rest()
        notify(made)
        for again in (False, True):
            mailbox = made.pair("hall").mailbox
            gone = events(made, mailbox)[0]
            firm.act("remove", room=mailbox, iCalUId=gone["iCalUId"])
            firm.fault("empty_list", f"{mailbox}.*deltatoken")
            if not again:
                made.clock.ahead += timedelta(hours=2)
                restart(made)
            made.rest()
            made.clock.ahead += timedelta(hours=1)
            made.cycle(full=True)
            made.rest()
            notify(made)
            news = [subject.partition(":")[0] for _, subject in told()]
            assert news == (["Cancelled"] if again else ["Confirmed"] * 3)
        assert states(made) == {"sent": 4, "doubtful": 1}


def test_a_plan_counts_what_will_be_told(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with desk(firm, tmp_path) as made:
        mailbox = made.pair("hall").mailbox
        kept = [made.booking("hall", day(3 + n), **by(f"p{n}")) for n in range(3)]
        made.rest()
        notify(made)
        told = Told(firm)
        made.home.bookings.cancel(kept[0], ANY)
        moved = f"{day(4):%Y-%m-%dT%H}"
        second = next(e for e in events(made, mailbox) if moved in json.dumps(e["start"]))
        firm.act("move", room=mailbox, iCalUId=second["iCalUId"], start=iso(day(6)))
        firm.book(mailbox, day(9))
        made.booking("hall", day(9), **by("late"))
        made.booking("hall", day(10), **by("early"))
        planned = preview_room(made.system, made.pair("hall"))
        assert planned["error"] == ""
        made.rest()
        notify(made)
        counted = {one["to"]: one["count"] for one in recipients([planned])}
        sent: dict[str, int] = {}
        for to, _ in told():
            sent[to] = sent.get(to, 0) + 1
        assert counted == sent
        assert len(sent) == 4


def test_a_plan_counts_nobody_where_nobody_will_be_told(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """calsync made an event that its database does not know: what it told since is not known."""
    with desk(firm, tmp_path) as made:
        made.booking("hall", day(3))
        made.rest()
        notify(made)
        told = Told(firm)
        with made.home.db.write() as connection:
            connection.exec_driver_sql("DELETE FROM link")
            reset = "UPDATE room_sync SET calendar_cursor = NULL, booking_cursor = NULL"
            connection.exec_driver_sql(reset)
        made.clock.ahead += timedelta(hours=2)
        restart(made)
        made.booking("hall", day(5))
        planned = preview_room(made.system, made.pair("hall"))
        assert [write["what"].value for write in planned["writes"]] == ["create event"]
        assert (planned["error"], planned["first_import"]) == ("", False)
        made.rest()
        notify(made)
        assert (recipients([planned]), told()) == ([], [])


# --- about to start ----------------------------------------------------------------------------


def soon(made: Office, minutes: int) -> datetime:
    return made.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=minutes)


def test_a_booking_about_to_start_is_told_once(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with desk(firm, tmp_path) as made:
        start = soon(made, 90)
        made.booking("hall", start)
        made.rest()
        notify(made)
        told = Told(firm)
        notify(made)
        assert told() == [], "not before its time"
        made.clock.ahead += timedelta(minutes=61)
        notify(made)
        ((to, subject),) = told()
        assert (to, subject.partition(",")[0]) == (EVE, "Starts soon: hall")
        restart(made)
        notify(made)
        assert told() == []


def test_a_private_booking_about_to_start_is_told_once_to_a_channel(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """What was told of it names nobody afterwards, and still says that the channel was told."""
    with desk(firm, tmp_path) as made:
        text = (tmp_path / "calsync.toml").read_text(encoding="utf-8")
        text = text.replace("[notices]", '[notices]\nwebhook_kinds = ["starting"]')
        made.settings = parse(text, path=str(tmp_path / "calsync.toml"))
        restart(made)
        made.booking("hall", soon(made, 20), privacy="private")
        made.rest()
        notify(made)
        assert states(made) == {"sent": 1}
        notify(made)
        restart(made)
        notify(made)
        assert states(made) == {"sent": 1}
        (record,) = made.home.reports.notices(limit=9)
        assert (record.notice.channel, record.notice.person) == ("webhooks", NOBODY)


def test_a_late_look_tells_it_still_but_never_after_the_start(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as made:
        made.booking("hall", soon(made, 60))
        made.booking("hall", soon(made, 180))
        made.rest()
        notify(made)
        told = Told(firm)
        made.clock.ahead += timedelta(minutes=58)
        restart(made)
        notify(made)
        assert len(told()) == 1
        pairs = {pair.id: pair for pair in made.home.store.pairs()}
        made.clock.ahead += timedelta(minutes=100)
        assert reminders(made).look(pairs) == 1
        made.clock.ahead += timedelta(minutes=30)
        notify(made)
        assert told() == []
        (record, *_) = made.home.reports.notices(state=NoticeState.FAILED)
        assert (record.notice.kind, record.reason) == (NoticeKind.STARTING, "it has begun")
        assert reminders(made).look(pairs) == 0, "and what has begun is not queued"


@pytest.mark.parametrize("how", ["moved", "cancelled"])
def test_what_moved_between_the_queue_and_the_mail_is_dropped(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    how: str,
) -> None:
    with desk(firm, tmp_path) as made:
        booking = made.booking("hall", soon(made, 20))
        made.rest()
        pairs = {pair.id: pair for pair in made.home.store.pairs()}
        assert reminders(made).look(pairs) == 1
        later = soon(made, 90)
        if how == "moved":
            made.home.bookings.patch(booking, {"start": f"{later:%Y-%m-%dT%H:%M:%S}"}, ANY)
        else:
            made.home.bookings.cancel(booking, ANY)
        made.rest()
        told = Told(firm)
        notify(made)
        said = [subject.partition(":")[0] for _, subject in told()]
        assert "Starts soon" not in said
        (record,) = made.home.reports.notices(state=NoticeState.FAILED)
        assert record.reason == "it was moved or cancelled"
        made.clock.ahead += timedelta(minutes=65)
        notify(made)
        again = [subject.partition(":")[0] for _, subject in told()]
        assert again == (["Starts soon"] if how == "moved" else []), "a moved one reminds anew"


def test_each_date_of_a_series_reminds_and_one_taken_out_does_not(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as made:
        start = soon(made, 20)
        booking = made.booking("hall", start, recurrenceRule={"frequency": "daily", "count": 4})
        made.rest()
        second = start + timedelta(days=1)
        made.home.bookings.patch_occurrence(booking, f"{second:%Y-%m-%dT%H:%M:%S}", None, ANY)
        made.rest()
        told = Told(firm)
        days = []
        for number in range(5):
            notify(made)
            found = [subject for _, subject in told() if subject.startswith("Starts soon")]
            days += [number] * len(found)
            made.clock.ahead += timedelta(days=1)
        assert days == [0, 2, 3]


def test_what_was_due_before_a_restored_database_began_is_left_out(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as made:
        made.booking("hall", soon(made, 130))
        made.booking("hall", soon(made, 230))
        made.rest()
        notify(made)
        told = Told(firm)
        made.clock.ahead += timedelta(minutes=115)
        restart(made)
        notify(made)
        assert told() == [], "its former life may have told it"
        made.clock.ahead += timedelta(minutes=90)
        notify(made)
        assert len(told()) == 1, "what came due since is told"


def test_what_was_due_before_a_restored_database_began_is_left_out_after_its_first_process(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Seed 2212: that one read the calendar and ended. What it had read stood on both sides only in
    the next process, which found a database that was in use just now."""
    with desk(firm, tmp_path) as made:
        made.booking("hall", soon(made, 200))
        made.rest()
        notify(made)
        told = Told(firm)
        act(made, "move", start=iso(soon(made, 130)))
        made.clock.ahead += timedelta(minutes=115)
        restart(made)
        made.cycle()
        restart(made)
        made.rest()
        notify(made)
        assert told() == [], "its former life may have told it"
        assert states(made) == {"sent": 1, "doubtful": 2}


def test_a_room_before_its_first_import_reminds_nobody(firm: Company, tmp_path: Path) -> None:  # noqa: F811
    with desk(firm, tmp_path, imported=False) as made:
        made.booking("hall", soon(made, 20))
        pairs = {pair.id: pair for pair in made.home.store.pairs()}
        watch = reminders(made)
        assert watch.look(pairs) == 0
        made.rest()
        made.system.context.states.update(made.home.store.states())
        made.clock.ahead += timedelta(minutes=2)
        assert watch.look(pairs) == 1


# --- shared channels ---------------------------------------------------------------------------


class Room:
    """A chat that takes what comes, or is down."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.status = 200


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if room.status == 200:
                room.got.append(raw)
            self.send_response(room.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("CHAT", f"json://127.0.0.1:{server.server_address[1]}/")
    yield room
    server.shutdown()
    server.server_close()
    thread.join()


def channels(*, details: bool, rooms: str = "[]") -> str:
    kinds = '["confirmed", "changed", "cancelled", "rejected"]'
    return (
        f'[[channels]]\nname = "ops"\nurl_env = "CHAT"\nkinds = {kinds}\nrooms = {rooms}\n'
        f"details = {str(details).lower()}\n"
    )


@pytest.mark.parametrize("details", [False, True])
def test_a_channel_hears_of_bookings_and_of_private_ones_only_the_time(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    chat: Room,
    details: bool,
) -> None:
    with desk(firm, tmp_path, titles=True, extra=channels(details=details)) as made:
        made.booking("hall", day(3), title="Budget canary")
        made.booking("hall", day(4), title="Layoffs canary", privacy="private")
        made.rest()
        notify(made)
        told = "\n".join(chat.got)
        assert len(chat.got) == 2
        assert ("Budget canary" in told) == details
        assert "Layoffs" not in told
        assert told.count("Eve") == (1 if details else 0)
        assert EVE not in told
        rows = made.home.reports.notices()
        stored = [r.notice for r in rows if r.notice.channel == "ops"]
        assert len(stored) == 2
        assert not any("Layoffs" in repr(one) or EVE in repr(one) for one in stored)
        restart(made)
        notify(made)
        assert len(chat.got) == 2


def test_a_channel_that_is_down_holds_up_no_mail_and_is_told_later(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    chat: Room,
) -> None:
    with desk(firm, tmp_path, extra=channels(details=False)) as made:
        told = Told(firm)
        chat.status = 429
        made.booking("hall", day(3))
        made.booking("hall", day(4))
        made.rest()
        done = notify(made, 1)
        assert set(done.waits) == {"ops"}
        assert len(told()) == 2
        chat.status = 200
        notify(made, 1)
        assert (len(chat.got), told()) == (2, [])


def test_a_channel_of_other_rooms_hears_nothing(firm: Company, tmp_path: Path, chat: Room) -> None:  # noqa: F811
    extra = channels(details=False, rooms='["attic"]')
    with desk(firm, tmp_path, extra=extra) as made:
        made.booking("hall", day(3))
        made.rest()
        notify(made)
        assert chat.got == []
        assert states(made) == {"sent": 1}


def test_a_channel_that_left_the_settings_is_said(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    chat: Room,
) -> None:
    with desk(firm, tmp_path, extra=channels(details=False)) as made:
        made.booking("hall", day(3))
        made.rest()
        made.close()
        text = (tmp_path / "calsync.toml").read_text(encoding="utf-8")
        made.settings = parse(text.partition("[[channels]]")[0])
        made.open()
        notify(made)
        (record,) = made.home.reports.notices(state=NoticeState.FAILED)
        assert "not in the settings any more" in record.reason
        assert chat.got == []


# --- webhooks ----------------------------------------------------------------------------------


def test_a_webhook_is_handed_over_once_even_where_nobody_knows(
    firm: Company,  # noqa: F811
    tmp_path: Path,
) -> None:
    with desk(firm, tmp_path) as made:
        made.close()
        text = (tmp_path / "calsync.toml").read_text(encoding="utf-8")
        text = text.replace("[notices]", '[notices]\nwebhook_kinds = ["starting"]')
        made.settings = parse(text, path=str(tmp_path / "calsync.toml"))
        made.open()
        made.system.context.states.update(made.home.store.states())
        endpoint, _ = made.home.webhooks.add("platform", "http://127.0.0.1:9/hook", (), ())
        start = soon(made, 20)
        booking = made.booking("hall", start)
        made.rest()
        notify(made)
        sql = "UPDATE notice SET state = 'sending' WHERE channel = 'webhooks'"
        with made.home.db.write() as connection:
            assert connection.exec_driver_sql(sql).rowcount == 1
        restart(made)
        notify(made)
        assert states(made) == {"sent": 3}, "confirmed and starting by mail, starting to webhooks"
        found = [
            one for one in made.home.webhooks.messages(endpoint.id) if one.kind == "notice.starting"
        ]
        (message,) = found
        doc = json.loads(message.data)
        assert doc["bookingId"] == booking
        assert doc["startUtc"] == iso(start)
        assert EVE not in message.data
        assert datetime.fromisoformat(doc["at"]).tzinfo is UTC
