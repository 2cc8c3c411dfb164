"""What waited for an admin in a backup of our own database was answered, and told, since then."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from calsync.adapters.hub.desk import Precondition
from calsync.engine import cycle
from calsync.errors import StoreError
from tests.scenarios.fault_fixtures import firm, hasty  # noqa: F401 - fixtures
from tests.scenarios.fault_kit import Company, day
from tests.scenarios.guard_kit import Desk, desk, utc

pytestmark = pytest.mark.usefixtures("hasty")

ANY = Precondition()
ASK = '[policy]\nedit = "ask"\nclash = "ask"\n'


def retitled_and(one: Desk, what: str) -> None:
    """A booking of the platform is retitled there, and in Outlook, where it is moved or cancelled,
    too; it is parked."""
    booking = one.made.booking("hall", day(3))
    one.made.rest()
    one.made.notify()
    one.forget_mails()
    (item,) = one.firm.control("GET", f"rooms/{one.mailbox}/items")["value"]
    one.made.home.bookings.patch(booking, {"title": "Retro"}, ANY)
    event = {"room": one.mailbox, "iCalUId": item["event"]["iCalUId"]}
    if what == "move":
        one.firm.act("retitle", subject="Review", **event)
        one.firm.act("move", start=utc(5), **event)
    else:
        one.firm.act("cancel", **event)
    for _ in range(3):
        one.made.cycle()


def keep_the_calendars(one: Desk) -> None:
    (found,) = one.cli("conflicts", "list", "--json").json()["conflicts"]
    side = "this" if found["this"]["side"] == "calendar" else "that"
    said = one.cli("conflicts", "resolve", found["id"], "--keep", side, "--yes", "--json")
    assert said.json()["state"] == "done", said.out


def told(one: Desk) -> list[str]:
    one.made.notify()
    return [str(mail["subject"]).partition(":")[0] for mail in one.mails()]


@pytest.mark.parametrize(("what", "news"), [("cancel", "Cancelled"), ("move", "Confirmed")])
def test_what_was_answered_and_told_in_a_life_forgotten_is_not_told_again(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    what: str,
    news: str,
) -> None:
    """The admin gives the same answer as before, but not at once: when the room was at rest nothing
    said any more that nobody had looked at it for long, and the person was mailed twice."""
    with desk(firm, tmp_path, extra=ASK, titles=True) as one:
        retitled_and(one, what)
        kept = one.backup_database()
        keep_the_calendars(one)
        one.made.rest()
        after = one.made.equal()
        assert told(one) == [news]
        one.forget_mails()
        one.restore_database(kept)
        one.later()
        assert one.cli("sync", "--full", "--json").code == 0
        with one.stopped(), closing(sqlite3.connect(one.database)) as live:
            # As if all this had taken two hours.
            live.execute("UPDATE room_sync SET woken_at = woken_at + 7.2e9")
            live.commit()
        one.made.rest()
        keep_the_calendars(one)
        one.made.rest()
        assert one.made.equal() == after
        assert told(one) == []
        assert one.cli("status", "--json").json()["notices"]["doubtful"] == 1
        # What happens from now on is news.
        (item,) = one.firm.control("GET", f"rooms/{one.mailbox}/items")["value"] or [None]
        if item is not None:
            event = {"room": one.mailbox, "iCalUId": item["event"]["iCalUId"]}
            one.firm.act("move", start=utc(7), **event)
            one.made.rest()
            assert told(one) == ["Changed"]


def test_what_the_first_process_after_a_restore_left_is_not_told_again_by_the_next_one(
    firm: Company,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ended when it had stored its first reading, and before it wrote anything: to the next one
    the room had been looked at only just now."""

    def ends(*_: object, **__: object) -> None:
        raise StoreError("the process ended", where="here", todo="start another one")

    with desk(firm, tmp_path) as one:
        one.made.booking("hall", day(3))
        one.made.rest()
        one.made.notify()
        one.forget_mails()
        kept = one.backup_database()
        (item,) = one.firm.control("GET", f"rooms/{one.mailbox}/items")["value"]
        one.firm.act("cancel", room=one.mailbox, iCalUId=item["event"]["iCalUId"])
        one.made.rest()
        assert told(one) == ["Cancelled"]
        one.forget_mails()
        one.restore_database(kept)
        one.later()
        with monkeypatch.context() as once:
            once.setattr(cycle, "push", ends)
            one.made.system.context.wake()
            with pytest.raises(StoreError):
                one.made.rest()
        one.made.close()
        one.made.open()
        one.made.system.context.wake()
        assert not one.made.system.context.slept
        one.made.rest()
        assert not one.made.equal()
        assert told(one) == []
        assert one.cli("status", "--json").json()["notices"]["doubtful"] == 1
