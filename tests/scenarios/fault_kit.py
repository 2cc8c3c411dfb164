"""A sandbox process, calsync on a fresh database before it (in this process or as
``calsync serve``), and a proxy that spoils answers on their way. Judged by both stores."""

from __future__ import annotations

import io
import itertools
import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import requests

from calsync import bootstrap
from calsync.adapters.hub.tokens import SCOPES
from calsync.cli.main import run
from calsync.engine.calls import run_inline
from calsync.engine.cycle import CycleReport, cycle
from calsync.engine.notify import Delivered, deliver_notices
from calsync.model import Interval, Pair
from calsync.reconcile.observe import LAG
from calsync.sandbox.ews.accounts import DEFAULT_PASSWORD, DEFAULT_USER
from calsync.settings import Settings, parse
from tests.support import front

SECRET_ENV = "CALSYNC_FAULT_SECRET"
PASSWORD_ENV = "CALSYNC_FAULT_PASSWORD"
SENDER = "calsync@contoso.example"
ADA, BOB = "ada@contoso.example", "bob@contoso.example"
COMMAND = (sys.executable, "-m", "calsync.cli.main")
#: One busy time of a room: start and end in UTC.
Taken = tuple[datetime, datetime]
_rooms = itertools.count(1)


def day(number: int) -> datetime:
    """09:00 UTC of the ``number``-th day from today, aware."""
    today = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    return today + timedelta(days=number)


def taken(start: datetime, minutes: int = 60) -> Taken:
    return start, start + timedelta(minutes=minutes)


class Company:
    """The sandbox's process, seen through its control side."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.url, self.tenant = facts["url"], facts["tenant"]
        self.client_id, self.secret = facts["client_id"], facts["client_secret"]
        self.nursery = Nursery()
        #: By which front calsync works on it, where a test goes through both; else the chosen.
        self.exchange = ""
        self.session = requests.Session()
        self.session.trust_env = False

    def control(self, method: str, path: str, body: object = None) -> Any:
        answer = self.session.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=30)
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
        return answer.json()

    def new_room(self, **more: Any) -> str:
        """The address of a room mailbox that nobody used before."""
        address = f"hall-{next(_rooms):03}@contoso.example"
        raw = {"address": address, "name": f"Hall {address[5:8]}", "building": "HQ"}
        self.control("POST", "rooms", {"zone": "UTC", "capacity": 8, **raw, **more})
        return address

    def fault(self, kind: str, path: str, **more: Any) -> None:
        """Arm a fault for calls whose path matches; once, if nothing else is said."""
        more.setdefault("count", 1)
        armed = {"kind": kind, "path": path, **more}
        self.control("POST", "faults", front.fault(armed, self.exchange or front.chosen()))

    def scope(self, mailboxes: list[str] | None, *, shape: int = 403) -> None:
        """What calsync may open from now on; None: all. ``shape``: what is said of the others."""
        if front.by_ews():
            denial = "ErrorItemNotFound" if shape == 404 else "ErrorAccessDenied"
            self.control("POST", "ews", {"denial": denial})
            account = {"name": DEFAULT_USER, "impersonates": mailboxes, "opens": mailboxes}
            self.control("POST", "ews/accounts", account)
        else:
            self.control("POST", "apps", {"scope": mailboxes, "scope_denial": shape})

    def fired(self) -> int:
        return sum(fault["fired"] for fault in self.control("GET", "faults")["faults"])

    def calm(self) -> None:
        self.control("DELETE", "faults")

    def book(self, mailbox: str, start: datetime, minutes: int = 60, **more: Any) -> dict[str, Any]:
        """A meeting that a person asks the room to in Outlook."""
        raw = {"kind": "book", "person": ADA, "room": mailbox, "subject": "Plan"}
        raw |= {"start": start.strftime("%Y-%m-%dT%H:%M:%SZ")}
        raw |= {"end": (start + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")}
        done: dict[str, Any] = self.control("POST", "acts", {**raw, **more})
        return done

    def act(self, kind: str, **raw: Any) -> dict[str, Any]:
        done: dict[str, Any] = self.control("POST", "acts", {"kind": kind, **raw})
        return done

    def taken(self, mailbox: str) -> Counter[Taken]:
        """What the room's calendar shows, by the sandbox's own store."""
        low, high = day(0) - timedelta(hours=9), day(390)
        query = f"start={low:%Y-%m-%dT%H:%M:%SZ}&end={high:%Y-%m-%dT%H:%M:%SZ}"
        rows = self.control("GET", f"rooms/{mailbox}/instances?{query}")["value"]
        return Counter((_utc(row["start"]), _utc(row["end"])) for row in rows)

    def mails(self, since: int = 0) -> list[dict[str, Any]]:
        """Mails the app sent through sendMail, oldest first."""
        found = self.control("GET", f"mails?since={since}")["mails"]
        return [mail for mail in found if mail.get("sender", mail.get("from")) == SENDER]

    def writes(self) -> int:
        """Calls of apps on mailboxes so far that would change something."""
        return sum(
            row["count"]
            for row in self.control("GET", "calls")["calls"]
            if row["method"] in front.WRITES and row["mailbox"]
        )


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


@contextmanager
def company() -> Iterator[Company]:
    process = subprocess.Popen(
        [sys.executable, "-m", "calsync.sandbox", "--rooms", "0", "--people", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        facts = json.loads(process.stdout.readline())
        os.environ[SECRET_ENV] = facts["client_secret"]
        os.environ[PASSWORD_ENV] = DEFAULT_PASSWORD
        made = Company(facts)
        for address in (ADA, BOB, SENDER):
            made.control("POST", "people", {"address": address})
        yield made
        made.session.close()
        made.nursery.close()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


# --- settings --------------------------------------------------------------------------------


def settings_text(firm: Company, database: Path | str, rooms: dict[str, str], **more: Any) -> str:
    """A settings file. ``rooms``: id to mailbox. ``more``: graph_url, login_url, tenant_id,
    secret_env, notices (the sender), poll, titles, exchange (``ews``), extra (appended)."""
    notices = more.get("notices")
    titles = str(more.get("titles", False)).lower()
    lines = [
        f'[database]\nurl = "sqlite:///{database}"',
        f'[api]\nhost = "127.0.0.1"\nport = {more.get("port", 0)}',
        f"[worker]\npoll_floor = {more.get('poll', 1.0)}\npoll_ceiling = {more.get('poll', 1.0)}"
        f'\nthreads = 4\nshutdown_grace = "{more.get("grace", "4s")}"',
        *([f'[notices]\nenabled = true\nsender = "{notices}"'] if notices else []),
        _connection(firm, more),
    ]
    for room, mailbox in rooms.items():
        lines.append(
            f'[[rooms]]\nid = "{room}"\nname = "{room}"\nzone = "UTC"\nbuilding = "HQ"\n'
            f'capacity = 8\nmailbox = "{mailbox}"\nconnection = "sandbox"\ntitles = {titles}'
        )
    return "\n\n".join([*lines, more.get("extra", "")]) + "\n"


def _connection(firm: Company, more: dict[str, Any]) -> str:
    graph = (
        'cloud = "custom"\n'
        f'tenant_id = "{more.get("tenant_id", firm.tenant)}"\nclient_id = "{firm.client_id}"\n'
        f'login_url = "{more.get("login_url", firm.url)}"\n'
        f'graph_url = "{more.get("graph_url", firm.url)}"\n'
    )
    if more.get("exchange", front.chosen()) == "ews":
        made = (
            '[[connections]]\nname = "sandbox"\nkind = "ews"\nauth = "basic"\n'
            f'endpoint = "{more.get("graph_url", firm.url)}/EWS/Exchange.asmx"\n'
            f'user = "{DEFAULT_USER}@contoso.example"\n'
            f'password_env = "{more.get("secret_env", PASSWORD_ENV)}"'
        )
        if more.get("notices"):
            made += f'\n\n[[connections]]\nname = "mail"\n{graph}client_secret_env = "{SECRET_ENV}"'
        return made
    return (
        f'[[connections]]\nname = "sandbox"\n{graph}'
        f'client_secret_env = "{more.get("secret_env", SECRET_ENV)}"'
    )


# --- calsync in this process -----------------------------------------------------------------


class AheadClock:
    """The time of day, and some minutes more."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()


class Office:
    """calsync on a database of its own, one cycle at a time."""

    def __init__(self, firm: Company, settings: Settings) -> None:
        self.firm = firm
        self.clock = AheadClock()
        self.settings = settings
        self.open()

    def open(self) -> None:
        self.home = bootstrap.open_home(self.settings, self.clock)
        self.system = bootstrap.connect(self.home)

    def close(self) -> None:
        self.system.close()

    def pair(self, room: str) -> Pair:
        pair = self.home.mappings.find(room)
        assert pair is not None
        return pair

    def cycle(self, room: str = "hall", *, full: bool = False) -> CycleReport:
        return run_inline(cycle(self.system.context, self.pair(room), full=full))

    def rest(self, room: str = "hall", *, rounds: int = 8) -> None:
        """Cycles until one finds nothing to do and nothing is open."""
        for _ in range(rounds):
            report = self.cycle(room)
            if not (report.error or report.effects or report.unsettled or report.observed):
                return
            if any("made only now" in skip.reason for skip in report.skips):
                self.clock.ahead += LAG
            time.sleep(min(report.wait, 2.0))
        raise AssertionError(f"no rest after {rounds} cycles: {report}")

    def taken(self, room: str = "hall") -> Counter[Taken]:
        """What the platform shows."""
        span = Interval(day(0) - timedelta(hours=9), day(390))
        ((_, found),) = self.home.bookings.occurrences([room], span)
        return Counter((one.instance.start, one.instance.end) for one in found)

    def booking(self, room: str, start: datetime, **more: object) -> str:
        doc: dict[str, object] = {
            "start": f"{start:%Y-%m-%dT%H:%M:%S}",
            "timeZone": "Etc/UTC",
            "duration": "PT1H",
            "bookedBy": {"name": "Eve", "email": "eve@contoso.example"},
        }
        return self.home.bookings.create(room, {**doc, **more}).booking.id

    def status(self, booking_id: str) -> str:
        return self.home.bookings.booking(booking_id).booking.status.value

    def notify(self) -> Delivered:
        assert self.system.notifier is not None
        pairs = {pair.id: pair for pair in self.home.store.pairs()}
        rooms = {stored.room.id: stored.room for stored in self.home.bookings.rooms()}
        return run_inline(
            deliver_notices(self.home.store, self.system.notifier, pairs=pairs, rooms=rooms)
        )

    def equal(self, room: str = "hall") -> Counter[Taken]:
        """Both stores show the same, a look writes nothing more; what they show."""
        calendar, platform = self.firm.taken(self.pair(room).mailbox), self.taken(room)
        assert calendar == platform
        before = self.firm.writes()
        report = self.cycle(room)
        assert not report.error
        assert report.effects == 0
        assert self.firm.writes() == before
        assert self.firm.taken(self.pair(room).mailbox) == calendar
        return calendar


@cache
def _empty_database() -> bytes:
    """Made once: the migrations have suites of their own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calsync.db"
        bootstrap.open_home(parse(f'[database]\nurl = "sqlite:///{path}"')).close()
        return path.read_bytes()


@contextmanager
def office(firm: Company, folder: Path, **more: Any) -> Iterator[Office]:
    """One room ``hall`` that is imported and at rest (``rooms``: others; ``imported`` False)."""
    rooms = more.pop("rooms", None) or {"hall": firm.new_room()}
    imported = more.pop("imported", True)
    more.setdefault("poll", 60.0)
    text = settings_text(firm, folder / "calsync.db", rooms, **more)
    (folder / "calsync.toml").write_text(text, encoding="utf-8")
    (folder / "calsync.db").write_bytes(_empty_database())
    made = Office(firm, parse(text))
    try:
        for room in rooms if imported else ():
            made.rest(room)
        yield made
    finally:
        firm.calm()
        made.close()


# --- calsync as a process --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def calsync(*arguments: str, env: dict[str, str] | None = None) -> Said:
    """A verb of the command line, in this process; what it printed, and its exit status."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        with redirect_stdout(out), redirect_stderr(err), patch.dict(os.environ, env or {}):
            run(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "Traceback" not in out.getvalue() + err.getvalue(), err.getvalue()
    return Said(code, out.getvalue(), err.getvalue())


def calsync_apart(*arguments: str) -> Said:
    """The same in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


class Nursery:
    """A process that forks ``calsync`` processes (see ``nursery.py``)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scenarios.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )

    def ask(self, **job: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


class Process:
    """A ``calsync serve``; ``pid`` may be sent signals."""

    def __init__(self, nursery: Nursery, settings: Path) -> None:
        self._nursery = nursery
        self._out = settings.with_name("serve.out")
        self._out.write_text("", encoding="utf-8")
        arguments = ["serve", "--json", "--settings", str(settings)]
        self.log = settings.with_name("serve.log")
        self.pid = nursery.ask(arguments=arguments, out=str(self._out), log=str(self.log))
        self.code: int | None = None

    @property
    def runs(self) -> bool:
        """False once it ended, however."""
        if (
            self.code is None
            and Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2][1] == "Z"
        ):
            self.code = self._nursery.ask(wait=self.pid)
        return self.code is None

    def ready(self) -> str:
        """Where it listens."""
        until(lambda: self._out.read_text(encoding="utf-8").endswith("\n") or not self.runs)
        assert self.runs, self.log.read_text(encoding="utf-8")
        return str(json.loads(self._out.read_text(encoding="utf-8"))["url"])


@dataclass(slots=True)
class Serving:
    """``calsync serve`` on a folder; may be killed and started again."""

    firm: Company
    folder: Path
    rooms: dict[str, str]
    more: dict[str, Any] = field(default_factory=dict)
    process: Process | None = None
    url: str = ""
    token: str = ""

    @property
    def settings(self) -> Path:
        return self.folder / "calsync.toml"

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text(encoding="utf-8")

    def write_settings(self) -> None:
        text = settings_text(self.firm, self.folder / "calsync.db", self.rooms, **self.more)
        self.settings.write_text(text, encoding="utf-8")

    def cli(self, *arguments: str, **more: Any) -> Said:
        return calsync(*arguments, "--settings", str(self.settings), **more)

    def start(self) -> None:
        if not self.settings.exists():
            self.write_settings()
        self.process = Process(self.firm.nursery, self.settings)
        self.url = self.process.ready()
        if not self.token:
            home = bootstrap.open_home(parse(self.settings.read_text(encoding="utf-8")))
            self.token = home.bookings.tokens.create("test", SCOPES)[1]
            home.close()

    def end(self, number: int = signal.SIGTERM, *, within: float = 10.0) -> tuple[int, float]:
        """Send a signal; the exit status, and how many seconds it took."""
        process = self.process
        assert process is not None
        began = time.monotonic()
        if process.runs:
            os.kill(process.pid, number)
        while process.runs:
            if time.monotonic() > began + within:
                os.kill(process.pid, signal.SIGKILL)
                raise AssertionError(f"still there after {within} s: {self.log}")
            time.sleep(0.01)
        assert process.code is not None
        return process.code, time.monotonic() - began

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, headers=headers, timeout=30, **options)

    def book(self, room: str, start: datetime, **more: object) -> requests.Response:
        doc = {"start": f"{start:%Y-%m-%dT%H:%M:%S}", "timeZone": "Etc/UTC", "duration": "PT1H"}
        return self.call("POST", f"/v1/rooms/{room}/bookings", json={**doc, **more})

    def taken(self, room: str) -> Counter[Taken]:
        low, high = day(0) - timedelta(hours=9), day(390)
        query = f"start={low:%Y-%m-%dT%H:%M:%SZ}&end={high:%Y-%m-%dT%H:%M:%SZ}"
        answer = self.call("GET", f"/v1/rooms/{room}/occupancy?{query}")
        assert answer.status_code == 200, answer.text
        return Counter(
            (_utc(row["startUtc"]), _utc(row["endUtc"])) for row in answer.json()["items"]
        )

    def fact(self, room: str) -> dict[str, Any]:
        """What ``calsync status --json`` says of a room."""
        found: dict[str, Any] = self.cli("status", room, "--json").json()["rooms"][0]
        return found

    def query(self, sql: str) -> list[Any]:
        """A look into calsync's database, only to know when to look at the stores."""
        path = f"file:{self.folder / 'calsync.db'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=5.0)) as connection:
            return connection.execute(sql).fetchall()

    def synced(self) -> bool:
        """Every room was read on both sides at least once."""
        found = self.query(
            "SELECT COUNT(*) FROM room_sync s JOIN pair p ON p.id = s.pair_id WHERE synced_at > 0"
        )
        return bool(found[0][0] >= len(self.rooms))

    def wait_imported(self) -> None:
        until(lambda: self.query("SELECT MIN(imported) FROM room_sync")[0][0] == 1)

    def equal(self, room: str) -> bool:
        return self.firm.taken(self.rooms[room]) == self.taken(room)


@contextmanager
def serving(firm: Company, folder: Path, rooms: dict[str, str], **more: Any) -> Iterator[Serving]:
    made = Serving(firm, folder, rooms, more)
    try:
        yield made
    finally:
        firm.calm()
        if made.process is not None:
            made.end(signal.SIGKILL)


def until(holds: Callable[[], object], *, seconds: float = 10.0, what: object = "") -> Any:
    """Wait for something true; what it was."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {said}")
        time.sleep(0.05)
    return found


# --- a proxy that spoils answers -------------------------------------------------------------

#: (method, path with query, status, headers, body) → (status, headers, body)
Spoil = Callable[[str, str, int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]


class Proxy:
    """An HTTP hop in front of the sandbox. ``spoil`` may change any answer; ``seen`` keeps the
    headers of what arrived."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.spoil: Spoil | None = None
        #: Answers in the sandbox's place: (method, path, body) → status and body, or None.
        self.refuse: Callable[[str, str, bytes], tuple[int, bytes] | None] | None = None
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._session = requests.Session()
        self._session.trust_env = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.seen.append((f"{method} {path}", headers))
        if not self.target:
            return 200, {"Content-Type": "application/json"}, b"{}"
        refused = self.refuse(method, path, body) if self.refuse is not None else None
        if refused is not None:
            kind = "text/xml" if refused[1].startswith(b"<?xml") else "application/json"
            return refused[0], {"Content-Type": kind}, refused[1]
        # The name it was called by is handed on: the sandbox makes its links from it.
        got = self._session.request(
            method,
            self.target + path,
            headers=headers,
            data=body,
            allow_redirects=False,
            timeout=30,
        )
        kept = {k: v for k, v in got.headers.items() if k.lower() in _KEPT}
        status, content = got.status_code, got.content
        if self.spoil is not None:
            status, kept, content = self.spoil(method, path, status, kept, content)
        return status, kept, content

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._session.close()


_KEPT = ("content-type", "retry-after", "location", "etag", "www-authenticate")


def _handler(owner: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30
        wbufsize = -1

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            status, kept, content = owner.answer(self.command, self.path, headers, body)
            self.send_response(status)
            for name, value in kept.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status != 204:
                self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Silence."""

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one

    return Handler


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()


def every_event(doc: Any) -> Iterator[dict[str, Any]]:
    """The events in an answer: alone, in a list, in the parts of a batch."""
    if isinstance(doc, dict):
        if "start" in doc and "id" in doc:
            yield doc
        for name in ("value", "responses", "body", "exceptionOccurrences"):
            yield from every_event(doc.get(name))
    elif isinstance(doc, list):
        for entry in doc:
            yield from every_event(entry)


def change_events(change: Callable[[dict[str, Any]], None], match: str = "") -> Spoil:
    """Change each event, in whichever answer it stands, whose JSON matches."""

    def spoil(
        method: str, path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if status >= 300 or not headers.get("Content-Type", "").startswith("application/json"):
            return status, headers, body
        doc = json.loads(body)
        for event in every_event(doc):
            if re.search(match, json.dumps(event)):
                change(event)
        return status, headers, json.dumps(doc).encode()

    return spoil
