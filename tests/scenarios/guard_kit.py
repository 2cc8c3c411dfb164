"""Worlds in which something big goes wrong once: restores, lying listings, other programs.

Every test is judged black-box: what both stores show, what was written to the mailbox, what was
mailed; and by what the admin is told and asked through the command line."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any
from unittest.mock import patch

from calsync import bootstrap
from calsync.reconcile import observe
from calsync.reconcile.guard import Limits
from calsync.settings import Settings, parse
from tests.scenarios.fault_kit import (
    ADA,
    SENDER,
    Company,
    Office,
    Said,
    Taken,
    calsync,
    day,
    office,
    taken,
)
from tests.support import front

#: Tables of the built-in booking platform.
HUB = ("hub_room", "hub_booking", "hub_change", "hub_counter", "hub_answer")


class Desk:
    """An office with its command line, its mails and its backups. ``folder`` has its settings."""

    def __init__(self, made: Office, folder: Path) -> None:
        self.made, self.folder = made, folder
        self.mailbox = made.pair("hall").mailbox
        self.mailed = len(made.firm.control("GET", "mails")["mails"])

    @property
    def firm(self) -> Company:
        return self.made.firm

    def cli(self, *words: str) -> Said:
        """A verb of another process: the one that syncs saves what it knows, and learns after."""
        self.made.system.context.save_idle()
        said = calsync(*words, "--settings", str(self.folder / "calsync.toml"))
        self.made.system.context.states.clear()
        self.made.system.context.resting.clear()
        return said

    def fact(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cli("status", "--json").json()["rooms"][0]
        return found

    def settings(self) -> Settings:
        """The settings file as it is now."""
        return parse((self.folder / "calsync.toml").read_text(encoding="utf-8"))

    def asked(self, *words: str) -> str:
        """The room stands still and says why, in status and in plan; the question."""
        fact = self.fact()
        assert fact["health"] == "stopped", fact
        for word in words:
            assert word in fact["halted"], fact["halted"]
        told = self.cli("status").out
        assert "calsync guard approve hall" in " ".join(told.split())
        assert json.loads(self.cli("plan", "hall", "--json").out)
        assert self.made.cycle().effects == 0, "nothing is done before the answer"
        return str(fact["halted"])

    def answer(self, *words: str) -> None:
        said = self.cli("rooms", "resume", "hall", *words, "--yes", "--json")
        assert said.code == 0, said.err
        assert said.json()["resumed"] == "hall"

    def mails(self) -> list[dict[str, Any]]:
        """Everything that anybody was mailed since the office opened."""
        found: list[dict[str, Any]] = self.firm.control("GET", "mails")["mails"][self.mailed :]
        return found

    def forget_mails(self) -> None:
        self.mailed = len(self.firm.control("GET", "mails")["mails"])

    def writes(self) -> int:
        """Calls of apps so far that would change something in the room's mailbox."""
        return sum(
            row["count"]
            for row in self.firm.control("GET", "calls")["calls"]
            if row["method"] in front.WRITES and row["mailbox"] == self.mailbox
        )

    def reads(self) -> int:
        """Single events of the room's mailbox that were read by their ids so far; of EWS, which
        reads 20 at once, such requests."""
        one = ("GetItem", "EWS GetItem") if front.by_ews() else ("GET", "event")
        return sum(
            row["count"]
            for row in self.firm.control("GET", "calls")["calls"]
            if (row["method"], row["operation"], row["mailbox"]) == (*one, self.mailbox)
        )

    def calendar(self) -> Counter[Taken]:
        return self.firm.taken(self.mailbox)

    def platform(self) -> Counter[Taken]:
        return self.made.taken()

    def backup_mailbox(self) -> None:
        self.firm.control("POST", f"rooms/{self.mailbox}/backup")

    def restore_mailbox(self, **how: str) -> None:
        self.firm.control("POST", f"rooms/{self.mailbox}/restore", how)

    @property
    def database(self) -> Path:
        return self.folder / "calsync.db"

    def backup_database(self) -> Path:
        """A copy as an operator makes it, with calsync at rest."""
        self.made.close()
        kept = self.folder / "backup.db"
        with closing(sqlite3.connect(self.database)) as live:
            live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self.database, kept)
        self.made.open()
        return kept

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.made.close()
        yield
        self.made.open()

    def new_installation(self) -> None:
        """A secret of its own: the kit's empty databases are copies of one."""
        with self.stopped(), closing(sqlite3.connect(self.database)) as live:
            live.execute("UPDATE meta SET value = ? WHERE key = 'secret'", (token_hex(32),))
            live.commit()

    def restore_database(self, kept: Path) -> None:
        """The file copied back, as operators do."""
        with self.stopped():
            for left in self.folder.glob("calsync.db-*"):
                left.unlink()
            shutil.copy(kept, self.database)

    def restore_platform(self, kept: Path) -> None:
        """The booking platform's own tables of yesterday; what sync knows stays of today."""
        with self.stopped(), closing(sqlite3.connect(self.database)) as live:
            live.execute("ATTACH ? AS old", (str(kept),))
            for table in HUB:
                live.execute(f"DELETE FROM {table}")
                live.execute(f"INSERT INTO {table} SELECT * FROM old.{table}")
            live.commit()

    def later(self, *, hours: float = 24) -> None:
        """As if the room had last been read, and the last notice queued, so long ago; and with that
        everything was made longer ago than any copy of a mailbox lags behind."""
        vars(bootstrap)["Limits"] = partial(Limits, lag=timedelta(0))
        vars(observe)["LAG"] = timedelta(0)
        self.made.system.context.save_idle()
        with self.stopped():
            self.backdate(hours=hours)

    def backdate(self, *, hours: float = 24) -> None:
        """The same, in the file: what a backup of yesterday holds."""
        with closing(sqlite3.connect(self.database)) as live:
            live.execute("UPDATE room_sync SET synced_at = synced_at - ?", (hours * 3.6e9,))
            for moment in ("queued_at", "changed_at"):
                live.execute(f"UPDATE notice SET {moment} = {moment} - ?", (hours * 3.6e9,))
            live.commit()

    def wait_an_hour(self) -> None:
        """As if the writes counted so far had been an hour ago."""
        self.made.system.context.save_idle()
        with closing(sqlite3.connect(self.database)) as live:
            for table in ("link", "room_sync"):
                live.execute(f"UPDATE {table} SET writes_since = writes_since - 3.6e9")
            live.commit()
        self.made.system.context.states.clear()


@contextmanager
def desk(firm: Company, folder: Path, **more: Any) -> Iterator[Desk]:
    more.setdefault("notices", SENDER)
    limits, lag = (
        patch.object(bootstrap, "Limits", Limits),
        patch.object(observe, "LAG", observe.LAG),
    )
    with limits, lag, office(firm, folder, **more) as made:
        yield Desk(made, folder)


def utc(number: int, hour: int = 9) -> str:
    """A start on a day, as acts of people take it."""
    return f"{day(number).replace(hour=hour):%Y-%m-%dT%H:%M:%SZ}"


def week(one: Desk, *, meetings: int = 4, bookings: int = 4) -> Counter[Taken]:
    """Meetings of people in Outlook on days 2…, bookings of the platform on days 40…"""
    for number in range(meetings):
        one.firm.book(one.mailbox, day(2 + number))
    for number in range(bookings):
        one.made.booking("hall", day(40 + number))
    one.made.rest()
    one.made.notify()
    one.forget_mails()
    days = [*range(2, 2 + meetings), *range(40, 40 + bookings)]
    held = Counter(taken(day(number)) for number in days)
    assert one.made.equal() == held
    return held


__all__ = ["ADA", "Desk", "desk", "utc", "week"]
