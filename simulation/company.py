"""A company: a tenant with rooms, the platform's rooms, and calsync processes on one database.

What a history needs to know of a calendar system or a database is behind ``CALENDARS`` and
``DATABASES``: a further one joins by being listed there.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

from requests.adapters import BaseAdapter

from calsync import bootstrap
from calsync.adapters.hub.service import BookingService
from calsync.adapters.webhooks.post import Carrier
from calsync.engine.cycle import CycleReport
from calsync.errors import AnotherProcess
from calsync.model import Room
from calsync.sandbox import (
    DEFAULT_CLIENT,
    DEFAULT_DOMAIN,
    DEFAULT_SECRET,
    DEFAULT_TENANT,
    Control,
    create_sandbox,
)
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from calsync.sandbox.mailbox import Mailbox
from calsync.settings import Settings, parse
from calsync.store.connection import Connection as DbConnection
from calsync.store.hub import SqlHubStore
from simulation.clock import LibraryTime, Patience, ProcessClock, VirtualClock
from simulation.platform import BOOKINGS, Bookings
from simulation.process import Process

T = TypeVar("T")

BASE = "https://graph.sandbox"
SENDER = f"notices@{DEFAULT_DOMAIN}"
PEOPLE = ("ada", "ben", "cleo")
#: Zones of rooms: IANA name, and what the mailbox calls it.
ZONES = (
    ("Europe/Berlin", "W. Europe Standard Time"),
    ("America/New_York", "Eastern Standard Time"),
    ("Asia/Kolkata", "India Standard Time"),
    ("Australia/Lord_Howe", "Lord Howe Standard Time"),
    ("Pacific/Kiritimati", "Line Islands Standard Time"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A room on both sides."""

    id: str
    address: str
    zone: str
    label: str
    titles: bool = True


class Calendars(Protocol):
    """A calendar system: how settings name it, and the connection through which rooms are
    reached."""

    connection: str

    def settings(self, folder: Path) -> str: ...


class GraphCalendars:
    """Exchange Online through Microsoft Graph."""

    connection = "contoso"

    def settings(self, folder: Path) -> str:
        secret = folder / "secret"
        if not secret.exists():
            secret.write_text(DEFAULT_SECRET, encoding="utf-8")
            secret.chmod(0o600)
        return f"""
            [[connections]]
            name = "contoso"
            tenant_id = "{DEFAULT_TENANT}"
            client_id = "{DEFAULT_CLIENT}"
            cloud = "custom"
            login_url = "{BASE}"
            graph_url = "{BASE}"
            client_secret_file = "{secret}"
            """


class EwsCalendars(GraphCalendars):
    """An Exchange Server through EWS. Mail leaves through Graph."""

    connection = "onprem"

    def settings(self, folder: Path) -> str:
        password = folder / "password"
        if not password.exists():
            password.write_text(DEFAULT_PASSWORD, encoding="utf-8")
            password.chmod(0o600)
        return f"""{super().settings(folder)}
            [[connections]]
            name = "onprem"
            kind = "ews"
            endpoint = "{BASE}/EWS/Exchange.asmx"
            auth = "basic"
            user = "{DEFAULT_USER}@{DEFAULT_DOMAIN}"
            password_file = "{password}"
            """


class Databases(Protocol):
    """A kind of database: a new one with its tables, a copy of its state, and that put back, as a
    whole or some tables of it."""

    def url(self, folder: Path, name: str) -> str: ...

    def save(self, folder: Path, name: str) -> bytes: ...

    def restore(self, folder: Path, name: str, state: bytes) -> None: ...

    def set_back(self, folder: Path, name: str, state: bytes, tables: Sequence[str]) -> None: ...


class SqliteFiles:
    """SQLite in a file of its own, begun as a copy of one that has all tables."""

    def url(self, folder: Path, name: str) -> str:
        template = folder / "template.db"
        if not template.exists():
            _make_template(template)
        path = folder / f"{name}.db"
        for leftover in folder.glob(f"{name}.db*"):
            leftover.unlink()
        shutil.copyfile(template, path)
        path.chmod(0o600)
        return f"sqlite:///{path}"

    def save(self, folder: Path, name: str) -> bytes:
        with sqlite3.connect(folder / f"{name}.db") as connection:
            state = connection.serialize()
        connection.close()
        return state

    def restore(self, folder: Path, name: str, state: bytes) -> None:
        for leftover in folder.glob(f"{name}.db*"):
            leftover.unlink()
        path = folder / f"{name}.db"
        path.write_bytes(state)
        path.chmod(0o600)

    def set_back(self, folder: Path, name: str, state: bytes, tables: Sequence[str]) -> None:
        """Only these tables, with nobody at work; the others stay as they are."""
        old = folder / f"{name}.old"
        old.write_bytes(state)
        with closing(sqlite3.connect(folder / f"{name}.db")) as live:
            live.execute("ATTACH ? AS old", (str(old),))
            for table in tables:
                live.execute(f"DELETE FROM {table}")
                live.execute(f"INSERT INTO {table} SELECT * FROM old.{table}")
            live.commit()
        for leftover in folder.glob(f"{name}.old*"):
            leftover.unlink()


def _make_template(path: Path) -> None:
    """A database with all tables, and the same secret and name in every run."""
    made = path.with_suffix(f".{os.getpid()}.db")
    home = bootstrap.open_home(parse(f'[database]\nurl = "sqlite:///{made}"'))
    with home.db.write() as connection:
        for key in ("installation_id", "secret"):
            connection.exec_driver_sql("UPDATE meta SET value = ? WHERE key = ?", ("0" * 64, key))
    home.close()
    made.replace(path)


CALENDARS: dict[str, Calendars] = {"graph": GraphCalendars(), "ews": EwsCalendars()}
DATABASES: dict[str, Databases] = {"sqlite": SqliteFiles()}


@dataclass(slots=True)
class Company:
    """``running``: the process that works; ``stalled``: those that hang in a call. ``calendar``: a
    key of ``CALENDARS``."""

    folder: Path
    calendar: str
    time: VirtualClock
    control: Control
    settings: Settings
    database: Databases
    name: str
    chance: Callable[[], Random]
    before_write: Callable[[], None]
    after_write: Callable[[], None]
    on_report: Callable[[CycleReport], None]
    wire: Callable[[Callable[[str], None]], BaseAdapter]
    carrier: Callable[[Callable[[str], None]], Carrier | None]
    places: list[Place] = field(default_factory=list)
    platform: bootstrap.Home | None = None
    running: Process | None = None
    stalled: list[Process] = field(default_factory=list)
    started: int = 0
    writes: int = 0
    _ids: int = 0
    _standing: dict[Hashable, Any] = field(default_factory=dict)
    _stood_at: tuple[int, int] = (0, 0)

    @property
    def connection(self) -> str:
        """The name of the connection through which rooms are reached."""
        return CALENDARS[self.calendar].connection

    def box(self, place: Place) -> Mailbox:
        found = self.control.world.box(place.address)
        assert found is not None
        return found

    @property
    def process(self) -> Process:
        assert self.running is not None
        return self.running

    @property
    def home(self) -> bootstrap.Home:
        return self.process.home

    @property
    def hub(self) -> SqlHubStore:
        """What people see of the platform: calsync's own hub, or that of another."""
        return (self.platform or self.home).hub

    @property
    def bookings(self) -> BookingService:
        return (self.platform or self.home).bookings

    # -- looking ----------------------------------------------------------------------------

    def standing(self, what: Hashable, read: Callable[[], T]) -> T:
        """What ``read`` finds in the database: read anew after every transaction that wrote, in
        whichever process, and after every start of a process (which a restored file needs)."""
        now = (self.started, self.writes)
        if now != self._stood_at:
            self._standing.clear()
            self._stood_at = now
        if what not in self._standing:
            self._standing[what] = read()
        found: T = self._standing[what]
        return found

    def changed(self) -> None:
        """What was read of a database before may be otherwise now."""
        self.writes += 1

    # -- processes --------------------------------------------------------------------------

    def start(self, *, migrate: bool = False) -> Process:
        """A new process, as soon as no other holds the database."""
        for _ in range(40):
            process = self._make(migrate=migrate)
            try:
                process.start()
            except AnotherProcess:
                # The lease of one that stalls lasts 30 s.
                process.home.db.dispose()
                self.time.forward(31.0)
                continue
            self.running = process
            return process
        raise AssertionError("the lease of a stalled process never ends")

    def _make(self, *, migrate: bool) -> Process:
        self.started += 1
        clock = ProcessClock(self.time)
        chance = Random(f"process {self.started}")
        points: list[Callable[[str], None]] = []
        around = bootstrap.Surroundings(
            wire=lambda: self.wire(lambda where: points[0](where)),
            carrier=self.carrier(lambda where: points[0](where)),
            stop=lambda: Patience(self.time),
            wait_on=lambda _, seconds: self.time.forward(seconds),
            chance=chance.random,
            new_id=self._new_id,
            ready=not migrate,
        )
        home = bootstrap.open_home(self.settings, clock, around)
        system = bootstrap.connect(home, owner=f"p{self.started}", around=around)
        process = Process(
            f"p{self.started}",
            system,
            rng=self.chance,
            before_write=self.before_write,
            after_write=self.after_write,
            wrote=self.changed,
            on_report=self.on_report,
        )
        points.append(process.point)
        return process

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:020x}"

    # -- rooms ------------------------------------------------------------------------------

    def add_place(self, place: Place, processing: dict[str, object]) -> None:
        self.control._add_room(
            {
                "address": place.address,
                "name": place.id,
                "zone": place.label,
                "processing": processing,
            }
        )
        self.bookings.put_room(Room(id=place.id, name=place.id, zone=place.zone))
        self.bookings.set_titles(place.id, place.titles)
        bootstrap.take_in_rooms(self.process.system)
        bootstrap.map_room(
            self.home,
            room_id=place.id,
            mailbox=place.address,
            connection=self.connection,
            titles=place.titles,
        )
        self.places.append(place)

    def close(self) -> None:
        for process in (*self.stalled, *([self.running] if self.running else [])):
            process.vanish()
        if self.platform is not None:
            self.platform.close()

    def open_platform(self, kind: Bookings, time: VirtualClock) -> None:
        """The platform that is polled, where there is one; its writes count as ours do."""
        url = self.database.url(self.folder, self.platform_name)
        self.platform = home = kind.platform(self.folder, url, time, self._new_id)
        if home is None:
            return
        real: Callable[[], AbstractContextManager[DbConnection]] = home.db.write

        @contextmanager
        def write() -> Iterator[DbConnection]:
            try:
                with real() as connection:
                    yield connection
            finally:
                self.changed()

        home.db.write = write  # type: ignore[method-assign]  # a tap, as of our own processes

    @property
    def platform_name(self) -> str:
        return f"{self.name}p"


def found(
    folder: Path,
    name: str,
    *,
    seed: int,
    calendar: str,
    database: str,
    booking: str = "hub",
    chance: Callable[[], Random],
    before_write: Callable[[], None],
    after_write: Callable[[], None],
    on_report: Callable[[CycleReport], None],
    wire: Callable[[VirtualClock, Control, Callable[[str], None]], BaseAdapter],
    carrier: Callable[[Callable[[str], None]], Carrier | None] = lambda _: None,
    serve: Callable[[bootstrap.Home | None], None] = lambda _: None,
    time: VirtualClock | None = None,
) -> Company:
    """A new company without rooms; ``wire`` makes the network of each process, ``serve`` is told of
    the platform before the first begins."""
    time = time or VirtualClock()
    LibraryTime(time).install()
    control = create_sandbox(seed=seed, clock=time.world, base=BASE)
    control.front.log_reads = False
    for person in (*PEOPLE, "notices"):
        control.world.add_mailbox(f"{person}@{DEFAULT_DOMAIN}", person.title())
    kind = DATABASES[database]
    settings = parse(
        f"""
        [database]
        url = "{kind.url(folder, name)}"
        [worker]
        poll_floor = 30
        poll_ceiling = 60
        [notices]
        enabled = true
        sender = "{SENDER}"
        kinds = ["confirmed", "rejected", "changed", "cancelled", "starting"]
        lead = "1d"
        calendar = false
        [webhooks]
        key_file = "{folder}/{name}.key"
        {BOOKINGS[booking].settings(folder)}
        {CALENDARS[calendar].settings(folder)}
        """
    )
    company = Company(
        folder, calendar, time, control, settings, kind, name, chance, before_write, after_write,
        on_report, lambda point: wire(time, control, point), carrier,
    )  # fmt: skip
    if booking != "hub":
        company.open_platform(BOOKINGS[booking], time)
    serve(company.platform)
    company.start()
    return company
